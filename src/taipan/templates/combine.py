"""Templates of the analysis: datasets added up, and the data-driven QCD estimate."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.events.variations import NOMINAL, Variation, is_data_driven, varied_regions
from taipan.templates.fill import DATA, empty_histogram

logger = logging.getLogger(__name__)
Array = NDArray[Any]


@dataclass(frozen=True)
class TransferFactor:
    """Opposite-sign/same-sign factor of the QCD multijet background.

    Attributes
    ----------
    value, stat
        Factor and its statistical uncertainty.
    numerator, denominator
        Data minus simulation in the two regions: (yield, uncertainty).
    """

    value: float
    stat: float
    numerator: tuple[float, float]
    denominator: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form with the relative uncertainty."""
        return {**asdict(self), "relative_uncertainty": self.stat / self.value}


def read_transfer_factor(record: Mapping[str, Any] | None) -> TransferFactor | None:
    """Take the factor out of its record; None if nothing is estimated from same-sign data."""
    if record is None:
        return None
    keys = ("value", "stat", "numerator", "denominator")
    return TransferFactor(**{key: record[key] for key in keys})


def measure_transfer_factor(
    numerator: tuple[float, float], denominator: tuple[float, float], names: tuple[str, str]
) -> TransferFactor:
    """Divide two yields of data minus simulation.

    Parameters
    ----------
    numerator, denominator
        Yield and its variance.
    names
        Their regions, for messages.

    Raises
    ------
    TaipanError
        If a yield is not positive; names the region.
    """
    for (value, _), name in zip((numerator, denominator), names, strict=True):
        if not value > 0.0:
            raise TaipanError(
                f"transfer_factor: data minus simulation is {value:.4g} in region '{name}'; "
                "it must be positive"
            )
    value = numerator[0] / denominator[0]
    relative = np.sqrt(sum(variance / content**2 for content, variance in (numerator, denominator)))
    return TransferFactor(
        value,
        float(value * relative),
        (numerator[0], float(np.sqrt(numerator[1]))),
        (denominator[0], float(np.sqrt(denominator[1]))),
    )


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


def add_same_sign(
    histogram: hist.Hist,
    samples: Mapping[str, Sample],
    regions: Mapping[str, Region],
    variations: Sequence[Variation],
    factor: TransferFactor,
) -> hist.Hist:
    """Fill the data-driven samples of every region that has a same-sign partner.

    The yield is ``factor × (data − Σ simulation)`` of the partner region, bin by bin, for each
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
    factor
        Opposite-sign/same-sign factor.

    Returns
    -------
    hist.Hist
        A copy with the data-driven samples filled.
    """
    out = histogram.copy(deep=True)
    view = out.view(flow=True)
    processes, places, labels = (list(axis) for axis in (out.axes[0], out.axes[1], out.axes[2]))
    simulated = [name for name, sample in samples.items() if sample.estimate == "simulation"]
    driven = [name for name, sample in samples.items() if sample.estimate == "same_sign"]
    for region, definition in regions.items():
        if definition.same_sign is None:
            continue
        partner = definition.same_sign
        place = places.index(partner)
        for variation in (None, *variations):
            label = labels.index(NOMINAL if variation is None else variation.name)
            nominal = labels.index(NOMINAL)
            everything = (
                variation is not None
                and is_data_driven(variation.systematic, samples)
                and (
                    variation.systematic.regions is None or partner in variation.systematic.regions
                )
            )
            start = label if everything else nominal
            value = view["value"][processes.index(DATA), place, start].copy()
            variance = view["variance"][processes.index(DATA), place, start].copy()
            for name in simulated:
                varied = variation is not None and variation.applies(name, partner)
                varied = varied or everything
                chosen = label if varied else nominal
                value -= view["value"][processes.index(name), place, chosen]
                variance += view["variance"][processes.index(name), place, chosen]
            for name in driven:
                row, column = processes.index(name), places.index(region)
                view["value"][row, column, label] = factor.value * value
                view["variance"][row, column, label] = factor.value**2 * variance
    return out


@dataclass(frozen=True)
class Yield:
    """Expected or observed events of a process in a region, with statistical uncertainty."""

    region: str
    process: str
    value: float
    stat: float


def list_yields(histogram: hist.Hist) -> list[Yield]:
    """Nominal yields, flow bins included, of every region and process."""
    found = []
    for region in histogram.axes["region"]:
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

    Data-driven samples do not count: what is estimated from the same-sign partner of a region says
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
        item
        for item in yields
        if item.process not in samples or samples[item.process].estimate == "simulation"
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

    A kinematic variation may leave a sample of few events as it is, because none of them crosses
    the edge of a bin or a cut; a warning then names the two.

    Parameters
    ----------
    histograms
        Observable → histogram with axes (process, region, variation, observable).
    samples, regions, variations
        Definitions; variations are filled in fitted regions and their same-sign partners.

    Raises
    ------
    TaipanError
        Naming each variation whose templates equal the nominal in every sample, region and
        observable to which it applies, or each listed sample that has events there, none of whose
        templates is changed.
    """
    filled = varied_regions(regions)
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
        raise TaipanError(f"systematics: {', '.join(idle)} changes no template")
    kinds = {item.name.rsplit("_", 1)[0]: item.systematic.kind for item in variations}
    problems = []
    for systematic, sample in (key for key, change in changed.items() if not change):
        others = [name for key, name in changed if key == systematic and changed[key, name]]
        text = (
            f"systematics.{systematic}.samples: '{sample}': none of its templates is changed; "
            f"leave it out, or mend the variation (changed are {', '.join(others)})"
        )
        if kinds[systematic] == "kinematic":
            logger.warning("%s", text)
        else:
            problems.append(text)
    if problems:
        raise TaipanError("\n".join(problems))


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
