"""Templates of the analysis: datasets added up, and the sample estimated from data."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.base import is_divided
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.variations import Variation, acts_on_estimate, varied_regions
from taipan.labels import DATA, NOMINAL
from taipan.templates.empty import empty_histogram

logger = logging.getLogger(__name__)
Array = NDArray[Any]


def add_datasets(
    parts: Sequence[Mapping[str, hist.Hist]],
    observables: Mapping[str, Observable],
    processes: Sequence[str],
    regions: Sequence[str],
    variations: Sequence[str],
) -> dict[str, hist.Hist]:
    """Add the histograms of all datasets on common axes.

    Parameters
    ----------
    parts
        One mapping (observable → histogram) a dataset.
    observables
        What to add.
    processes, regions, variations
        Categories of the result; those a dataset lacks stay empty.

    Returns
    -------
    dict
        Observable → histogram.
    """
    out = {}
    for name, observable in observables.items():
        total = empty_histogram(name, observable, processes, regions, variations)
        view = total.view(flow=True)
        for part in parts:
            source = part[name]
            content = source.view(flow=True)
            rows = [list(total.axes[0]).index(item) for item in source.axes[0]]
            labels = [list(total.axes[2]).index(item) for item in source.axes[2]]
            for i, row in enumerate(rows):
                for j, label in enumerate(labels):
                    for field in ("value", "variance"):
                        view[field][row, :, label, :] += content[field][i, :, j, :]
        out[name] = total
    return out


def add_pseudo_data(histogram: hist.Hist, samples: Collection[str]) -> hist.Hist:
    """Put what the nominal simulation expects in the place of data, in every region.

    Parameters
    ----------
    histogram
        With axes (process, region, variation, observable); not changed.
    samples
        Processes that are added up.

    Returns
    -------
    hist.Hist
        Its data are Σ of the samples, with the variance of as many events, in the bins that
        are not negative; 0 in others.
    """
    out = histogram.copy()
    view = out.view(flow=True)
    rows = [list(out.axes[0]).index(name) for name in samples]
    place, nominal = list(out.axes[0]).index(DATA), list(out.axes[2]).index(NOMINAL)
    expected = np.maximum(view["value"][rows, :, nominal].sum(axis=0), 0.0)
    view["value"][place, :, nominal] = view["variance"][place, :, nominal] = expected
    return out


def add_estimate(
    histogram: hist.Hist,
    samples: Mapping[str, Sample],
    regions: Mapping[str, Region],
    variations: Sequence[Variation],
    estimate: MeasuredEstimate | None,
) -> hist.Hist:
    """Fill the sample that is estimated from data, in every region that has a source.

    The yield is ``factor × (data − Σ simulation)`` of the source, bin by bin, added up over its
    parts where the factor depends on the event, for each
    variation with the simulation varied where the variation applies (and the data, where it acts
    on the estimate itself). The variance is
    ``factor² × (Σw²(data) + Σw²(simulation))``; the factor's own uncertainty is a nuisance
    parameter of the fit.

    Parameters
    ----------
    histogram
        Axes (process, region, variation, observable); not changed.
    samples, regions, variations
        Definitions.
    estimate
        How, and the factor; None if all samples are simulated.

    Returns
    -------
    hist.Hist
        A copy with the sample filled; the histogram itself without an estimate.
    """
    if estimate is None:
        return histogram
    out = histogram.copy(deep=True)
    view = out.view(flow=True)
    processes, places, labels = (list(axis) for axis in (out.axes[0], out.axes[1], out.axes[2]))
    simulated = [name for name, sample in samples.items() if sample.is_simulated]
    row = processes.index(estimate.sample)
    for region, variation in itertools.product(regions, (None, *variations)):
        label = labels.index(NOMINAL if variation is None else variation.name)
        nominal, column = labels.index(NOMINAL), places.index(region)
        for i, part in enumerate(estimate.parts(region)):
            place = places.index(part.place)
            everything = (
                variation is not None
                and acts_on_estimate(variation.systematic, samples)
                and (
                    variation.systematic.regions is None
                    or part.place in variation.systematic.regions
                )
            )
            start = label if everything else nominal
            value = view["value"][processes.index(DATA), place, start].copy()
            variance = view["variance"][processes.index(DATA), place, start].copy()
            for name in simulated:
                varied = variation is not None and variation.applies(name, part.place)
                varied = varied or everything
                chosen = label if varied else nominal
                value -= view["value"][processes.index(name), place, chosen]
                variance += view["variance"][processes.index(name), place, chosen]
            if i == 0:
                view["value"][row, column, label] = view["variance"][row, column, label] = 0.0
            view["value"][row, column, label] += part.factor * value
            view["variance"][row, column, label] += part.factor**2 * variance
    return out


@dataclass(frozen=True)
class Yield:
    """Expected or observed events of a process in a region, with statistical uncertainty."""

    region: str
    process: str
    value: float
    stat: float


def list_yields(histogram: hist.Hist) -> list[Yield]:
    """Nominal yields, flow bins included, of every region and process; parts of regions apart."""
    found = []
    for region in histogram.axes["region"]:
        if is_divided(region):
            continue
        for process in histogram.axes["process"]:
            cell = histogram[
                {"process": hist.loc(process), "region": hist.loc(region), "variation": NOMINAL}
            ]
            value = float(cell.values(flow=True).sum())
            stat = float(np.sqrt(cell.variances(flow=True).sum()))
            found.append(Yield(region, process, value, stat))
    return found


def check_yields(
    yields: Sequence[Yield], samples: Mapping[str, Sample], regions: Mapping[str, Region]
) -> None:
    """Refuse templates that no model can be built from.

    A sample estimated from data does not count: what is estimated from the source of a region says
    nothing about the events in it, and may be negative.

    Parameters
    ----------
    yields
        Of :func:`list_yields`.
    samples, regions
        Definitions.

    Raises
    ------
    TaipanError
        If no event passes the cut of a region, or the Σw of a simulated sample in a fitted region
        with events there is not positive; names them.
    """
    counted = [
        item for item in yields if item.process not in samples or samples[item.process].is_simulated
    ]
    for region, definition in regions.items():
        here = [item for item in counted if item.region == region]
        if not any(item.stat for item in here):
            raise TaipanError(
                f"regions.{region}.cut: '{definition.cut}': no event of any process passes it"
            )
        for item in here:
            is_fitted = item.process in samples and definition.role != "estimate"
            # without any event it is left out of the model there
            if is_fitted and item.stat and not item.value > 0.0:
                raise TaipanError(
                    f"sample {item.process}, region {region}: Σw = {item.value:.6g}; the yield of "
                    "a simulated process must be positive"
                )


def check_variations(
    histograms: Mapping[str, hist.Hist],
    samples: Mapping[str, Sample],
    regions: Mapping[str, Region],
    variations: Sequence[Variation],
) -> None:
    """Refuse variations that change no template, or none of a sample that they list.

    A variation that moves events may leave a sample of few events as it is, because none of them
    crosses the edge of a bin or a cut; a warning then names the two.

    Parameters
    ----------
    histograms
        Observable → histogram with axes (process, region, variation, observable).
    samples, regions, variations
        Definitions; variations are filled in fitted regions and their sources.

    Raises
    ------
    TaipanError
        Naming each variation whose templates equal the nominal in every sample, region and
        observable to which it applies, or each listed sample that has events there, none of whose
        templates is changed.
    """
    filled = varied_regions(regions, samples)
    idle = []
    changed: dict[tuple[str, str], bool] = {}
    for variation in variations:
        found = {name: _is_changed(histograms, name, filled, variation) for name in samples}
        if not any(found.values()):
            idle.append(variation.name)
        systematic = variation.name.rsplit("_", 1)[0]
        for sample, change in found.items():
            if change is not None:
                key = (systematic, sample)
                changed[key] = changed.get(key, False) or change
    if idle:
        whose = {item.name: item.systematic for item in variations if item.name in idle}
        raise TaipanError(
            "\n".join(
                f"systematics.{name}: {', '.join(sides)} changes no template of "
                f"{', '.join(whose[sides[0]].samples)}; mend the variation, or take it out"
                for name, sides in _by_systematic(idle).items()
            )
        )
    moving = {item.name.rsplit("_", 1)[0] for item in variations if item.systematic.moves_events}
    problems = []
    for systematic, sample in (key for key, change in changed.items() if not change):
        others = [name for key, name in changed if key == systematic and changed[key, name]]
        text = (
            f"systematics.{systematic}.samples: '{sample}': none of its templates is changed; "
            f"leave it out, or mend the variation (changed are {', '.join(others)})"
        )
        if systematic in moving:
            logger.warning("%s", text)
        else:
            problems.append(text)
    if problems:
        raise TaipanError("\n".join(problems))


def _by_systematic(variations: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in variations:
        found.setdefault(name.rsplit("_", 1)[0], []).append(name)
    return found


def _is_changed(
    histograms: Mapping[str, hist.Hist],
    sample: str,
    regions: Collection[str],
    variation: Variation,
) -> bool | None:
    """Tell whether a variation changes a template of a sample; None if it has no events there."""
    changes = [
        _differs(histogram, sample, region, variation.name)
        for histogram in histograms.values()
        for region in regions
        if variation.applies(sample, region)
    ]
    known = [change for change in changes if change is not None]
    return any(known) if known else None


def _differs(histogram: hist.Hist, sample: str, region: str, variation: str) -> bool | None:
    cell = histogram[{"process": hist.loc(sample), "region": hist.loc(region)}]
    varied, nominal = (cell[{"variation": hist.loc(name)}] for name in (variation, NOMINAL))
    if not (np.any(varied.variances(flow=True)) or np.any(nominal.variances(flow=True))):
        return None
    close = np.allclose(varied.values(flow=True), nominal.values(flow=True), rtol=1e-9, atol=0.0)
    return not close
