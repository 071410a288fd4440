"""Measuring how data differ from the estimate along a quantity, as a weight of events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.config.sections.weights import Measurement
from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate, find_sources
from taipan.events.corrections import measured_ratio
from taipan.events.load import DatasetEvents
from taipan.events.selection import early_regions, region_masks, sample_masks
from taipan.labels import DATA

Array = NDArray[Any]

ShapeSums = dict[tuple[str, str, str], Array]
"""(measurement, region, sample or ``data``) → Σw and Σw² per bin, shape ``(2, n_bins)``."""


def count_events(
    datasets: Iterable[DatasetEvents],
    measurements: Mapping[str, Measurement],
    samples: Mapping[str, Sample],
    regions: Mapping[str, Region],
    analysis: Analysis,
    estimate: MeasuredEstimate | None = None,
) -> ShapeSums:
    """Count the events of every sample along the quantity of each measurement.

    Events beyond the edges belong to the edge bins.

    Parameters
    ----------
    datasets
        Data and simulation.
    measurements
        Name of the weight → what is measured.
    samples, regions
        Definitions; the source of an estimate in a region is counted, too.
    analysis
        Gives quantities.
    estimate
        What was measured for the sample estimated from data: events of its source count with the
        ratio of their factor to the average one.
    """
    counts: ShapeSums = {}
    for dataset in datasets:
        quantities = analysis.compute(dataset.columns)
        inside = region_masks(quantities, early_regions(regions, analysis.is_late))
        everything = np.ones(len(dataset.folds), dtype=bool)
        members = (
            {DATA: everything}
            if dataset.weights is None
            else sample_masks(quantities, samples, dataset.name)
        )
        weights = everything * 1.0 if dataset.weights is None else dataset.weights.nominal
        for name, measure in measurements.items():
            edges = np.asarray(measure.binning)
            bins = np.clip(
                np.searchsorted(edges, quantities[measure.quantity], "right") - 1,
                0,
                len(edges) - 2,
            )
            for region in regions_of(measure, samples):
                relative = everything * 1.0
                if estimate is not None and region == _source_of(measure, samples):
                    factors = estimate.weigh(measure.region, quantities)
                    relative = factors / estimate.factor(measure.region)
                for sample, mask in members.items():
                    chosen = mask & inside[region]
                    key = (name, region, sample)
                    found = counts.setdefault(key, np.zeros((2, len(edges) - 1)))
                    for power in (1, 2):
                        summed = (weights[chosen] * relative[chosen]) ** power
                        counted = np.bincount(bins[chosen], summed, minlength=len(edges) - 1)
                        found[power - 1] += counted
    return counts


def regions_of(measure: Measurement, samples: Mapping[str, Sample]) -> list[str]:
    """List the regions that a measurement needs."""
    needed = (measure.region, measure.denominator, _source_of(measure, samples))
    return [name for name in needed if name is not None]


def _source_of(measure: Measurement, samples: Mapping[str, Sample]) -> str | None:
    return find_sources(samples).get(measure.region) if measure.denominator is None else None


def measure_weight(
    name: str,
    measure: Measurement,
    counts: Mapping[tuple[str, str, str], Array],
    samples: Mapping[str, Sample],
    regions: Mapping[str, Region],
    estimate: MeasuredEstimate | None,
) -> Array:
    """Measure one weight.

    Parameters
    ----------
    name, measure
        What is measured.
    counts
        Of :func:`count_events`.
    samples, regions
        Definitions.
    estimate
        Estimate of a sample from data, which is subtracted from them; None if all are simulated.

    Returns
    -------
    Array
        Weight per bin, 1 on average.

    Raises
    ------
    TaipanError
        If a region has no events, or nothing is left of the data or the sample; names the weight
        and the region.
    """
    _check_regions(name, measure, counts, regions)

    def excess(region: str, kept: str | None = None) -> Array:
        """Count data minus simulation; the variances are added."""
        found: Array = counts[name, region, DATA].copy()
        for sample in samples:
            if sample != kept and (name, region, sample) in counts:
                found += counts[name, region, sample] * np.array([[-1.0], [1.0]])
        return found

    if measure.denominator is not None:
        above, below = excess(measure.region), excess(measure.denominator)
        names = [
            f"data minus simulation in region '{region}'"
            for region in (measure.region, measure.denominator)
        ]
    else:
        above = excess(measure.region, measure.sample)
        names = [
            f"{what} in region '{measure.region}'"
            for what in ("data minus other processes", f"sample '{measure.sample}'")
        ]
        source = None if estimate is None else estimate.source(measure.region)
        if estimate is not None and source is not None:
            factor = estimate.factor(measure.region)
            above += excess(source) * np.array([[-factor], [factor**2]])
        below = counts[name, measure.region, measure.sample]
    try:
        return measured_ratio((above[0], above[1]), (below[0], below[1]), (names[0], names[1]))
    except TaipanError as error:
        raise TaipanError(f"weights.{name}: {error}") from error


def _check_regions(
    name: str,
    measure: Measurement,
    counts: Mapping[tuple[str, str, str], Array],
    regions: Mapping[str, Region],
) -> None:
    """Refuse a region without events; data minus simulation of its source may hide that."""
    for region in (measure.region, measure.denominator):
        if region is None:
            continue
        squares = [item[1] for key, item in counts.items() if key[:2] == (name, region)]
        if not np.any(squares):
            raise TaipanError(
                f"regions.{region}.cut: '{regions[region].cut}': no event of any process passes "
                f"it; weights.{name} is measured there"
            )
