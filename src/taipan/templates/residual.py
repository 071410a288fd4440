"""Systematics that are measured in filled histograms: factors of the bins of an observable."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.variations import Variation
from taipan.labels import DATA, NOMINAL
from taipan.systematics.base import Factors
from taipan.templates.combine import add_estimate

logger = logging.getLogger(__name__)
Array = NDArray[np.float64]


def add_residuals(
    histograms: Mapping[str, hist.Hist],
    samples: Mapping[str, Sample],
    regions: Mapping[str, Region],
    variations: Sequence[Variation],
    estimate: MeasuredEstimate | None,
) -> tuple[dict[str, hist.Hist], dict[str, dict[str, dict[str, Any]]]]:
    """Fill the templates of systematics that are measured in filled histograms.

    Each observable has its own factors: what is measured along it in the systematic's region
    multiplies the nominal templates of its samples bin by bin, in all regions where it acts.
    Yields change as they would if the events were weighted.

    Parameters
    ----------
    histograms
        Observable → histogram with all datasets, before the sample estimated from data is filled.
    samples, regions, variations
        Definitions; variations of other kinds are left alone.
    estimate
        Estimate of a sample from data, None if all are simulated.

    Returns
    -------
    histograms, records
        Copies with the templates filled; systematic → observable → how it was measured.

    Raises
    ------
    TaipanError
        If nothing of the samples, or nothing of the data, is in the control region; names the
        systematic.
    """
    chosen = [item for item in variations if not item.systematic.fills_events]
    records: dict[str, dict[str, dict[str, Any]]] = {}
    out = dict(histograms)
    for variation in chosen:
        name = variation.name.removesuffix("_up")
        for observable, histogram in histograms.items():
            complete = add_estimate(histogram, samples, regions, [], estimate)
            try:
                found = _measure(complete, variation, samples)
            except TaipanError as error:
                raise TaipanError(f"systematics.{name}: {error}") from error
            out[observable] = _multiply(out[observable], variation, regions, found.curve)
            records.setdefault(name, {})[observable] = dict(found.record)
            change = np.max(np.abs(np.asarray(found.curve) - 1.0))
            logger.info("%s, %s: largest change %.3f", name, observable, change)
    return out, records


def _measure(histogram: hist.Hist, variation: Variation, samples: Mapping[str, Sample]) -> Factors:
    region = variation.systematic.measured_in or ""

    def sums(processes: Sequence[str]) -> tuple[Array, Array]:
        """Σw and Σw² of processes in the control region, flow added to the edge bins."""
        cell = histogram[{"region": hist.loc(region), "variation": hist.loc(NOMINAL)}]
        rows = [list(cell.axes[0]).index(name) for name in processes]
        view = cell.view(flow=True)
        found = []
        for field in ("value", "variance"):
            flat = view[field][rows].sum(axis=0)
            flat[1] += flat[0]
            flat[-2] += flat[-1]
            found.append(np.asarray(flat[1:-1], dtype=np.float64))
        return found[0], found[1]

    listed = variation.systematic.samples
    others = [name for name in samples if name not in listed]
    edges = np.asarray(histogram.axes[-1].edges)
    return variation.systematic.measure_factors(sums([DATA]), sums(listed), sums(others), edges)


def _multiply(
    histogram: hist.Hist,
    variation: Variation,
    regions: Mapping[str, Region],
    curve: Sequence[float],
) -> hist.Hist:
    """Fill the varied templates, the edge bins' factor in the flow bins."""
    out = histogram.copy(deep=True)
    view = out.view(flow=True)
    factors = np.concatenate([curve[:1], curve, curve[-1:]])
    processes, places, labels = (list(out.axes[i]) for i in range(3))
    varied, nominal = labels.index(variation.name), labels.index(NOMINAL)
    for sample in variation.systematic.samples:
        for region in regions:
            if variation.applies(sample, region):
                row, place = processes.index(sample), places.index(region)
                cell = view["value"][row, place, nominal]
                view["value"][row, place, varied] = cell * factors
                squares = view["variance"][row, place, nominal]
                view["variance"][row, place, varied] = squares * factors**2
    return out
