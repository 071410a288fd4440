"""Uncertainty of the prediction of one region before any fit, bin by bin.

A quantity of a control plot is in no fit, so there is no model of it. Its uncertainty is that of
the model of the fit all the same, to first order: what each parameter does to the prediction at one
standard deviation, half the difference of +1σ and −1σ, added in quadrature. Nothing is smoothed or
pruned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.config.model import Config
from taipan.estimates.registry import MeasuredEstimate, add_divided, filled_places
from taipan.events.variations import Variation, acts_on_estimate, varied_regions, with_sources
from taipan.labels import DATA, NOMINAL
from taipan.systematics.base import Systematic

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BandSources:
    """Which uncertainties a band has.

    Attributes
    ----------
    systematics
        Systematics and parameters of an estimate that are part of it.
    left_out
        Systematics that act in the region and are not: they need the observables of the fit.
    """

    systematics: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Change:
    """Half the difference of +1σ and −1σ of what is predicted of a sample, shape (n,) each."""

    sample: str
    nominal: Array
    change: Array


def control_variations(variations: Sequence[Variation]) -> list[Variation]:
    """Choose the variations that control plots have: those that events are filled with."""
    return [item for item in variations if _fills(item.systematic)]


def _fills(systematic: Systematic) -> bool:
    return systematic.fills_events and not systematic.has_members


def find_band_sources(
    region: str, config: Config, estimate: MeasuredEstimate | None
) -> BandSources:
    """Say which uncertainties the prediction of a region has.

    Parameters
    ----------
    region
        Its name. A region that is neither fitted nor the source of an estimate has none: variations
        are not filled there.
    config
        Sections `samples`, `regions` and `systematics`.
    estimate
        How a sample is estimated from data; None if all are simulated.
    """
    if region not in varied_regions(add_divided(config.regions, config.samples), config.samples):
        return BandSources()
    acting = _acting(region, config)
    inside = [name for name, item in acting.items() if not item.has_templates or _fills(item)]
    parts = () if estimate is None else estimate.parts(region)
    parameters = dict.fromkeys(name for part in parts for name in part.changes)
    left_out = tuple(name for name in acting if name not in inside)
    return BandSources((*inside, *parameters), left_out)


def measure_band(
    histogram: hist.Hist, region: str, config: Config, estimate: MeasuredEstimate | None
) -> Array:
    """Measure the systematic uncertainty of the prediction in each bin.

    Parameters
    ----------
    histogram
        Axes (process, region, variation, quantity), with the variations of
        :func:`control_variations` and the sample that is estimated from data filled.
    region, config, estimate
        As of :func:`find_band_sources`.

    Returns
    -------
    Array
        One standard deviation, shape (n,), in events; zero where there is no source.
    """
    cells, known = _Cells(histogram), set(find_band_sources(region, config, estimate).systematics)
    variance = np.zeros(len(histogram.axes[-1]))
    if not known:
        return variance
    for name, systematic in _acting(region, config).items():
        if name in known:
            changes = list(_list_changes(cells, name, systematic, region, config, estimate))
            variance += sum(np.square(item) for item in _by_parameter(systematic, changes))
    for change in _factor_changes(cells, region, config, estimate):
        variance += np.square(change)
    return np.sqrt(variance)


def _acting(region: str, config: Config) -> dict[str, Systematic]:
    """Give the systematics of a region; one of some regions acts in the sources of these, too."""
    places = filled_places(config.samples)
    found = {name: with_sources(item, places) for name, item in config.systematics.items()}
    return {
        name: item for name, item in found.items() if item.regions is None or region in item.regions
    }


class _Cells:
    """Bins of a histogram by process, region and variation."""

    def __init__(self, histogram: hist.Hist) -> None:
        self._values = np.asarray(histogram.values(), dtype=np.float64)
        self._places = [
            {name: i for i, name in enumerate(axis)} for axis in list(histogram.axes)[:3]
        ]

    def values(self, process: str, region: str, variation: str = NOMINAL) -> Array:
        """Give the bins, shape (n,)."""
        names = (process, region, variation)
        index = tuple(known[name] for known, name in zip(self._places, names, strict=True))
        return np.asarray(self._values[index])

    def change(self, name: str, systematic: Systematic, process: str, region: str) -> Array:
        """Give half the difference of +1σ and −1σ, shape (n,); one direction is mirrored."""
        nominal = self.values(process, region)
        up, down = systematic.yield_factor(1.0), systematic.yield_factor(-1.0)
        if up is not None and down is not None:
            return 0.5 * (up - down) * nominal
        varied = [self.values(process, region, f"{name}_{side}") for side in systematic.varied]
        opposite = varied[1] if len(varied) > 1 else 2.0 * nominal - varied[0]
        return np.asarray(0.5 * (varied[0] - opposite))


def _list_changes(
    cells: _Cells,
    name: str,
    systematic: Systematic,
    region: str,
    config: Config,
    estimate: MeasuredEstimate | None,
) -> Iterator[_Change]:
    """Yield what a systematic does to each sample, and to what is subtracted for an estimate."""
    follows = True  # the events of an estimate that are weighted are varied as a whole
    if estimate is not None and estimate.sample in systematic.samples:
        follows = not (systematic.has_templates and acts_on_estimate(systematic, config.samples))
        if estimate.parts(region):
            nominal = cells.values(estimate.sample, region)
            change = cells.change(name, systematic, estimate.sample, region)
            yield _Change(estimate.sample, nominal, change)
    for sample in systematic.samples:
        if sample not in config.samples or not config.samples[sample].is_simulated:
            continue
        nominal = cells.values(sample, region)
        yield _Change(sample, nominal, cells.change(name, systematic, sample, region))
        for part in estimate.parts(region) if estimate is not None and follows else ():
            change = -part.factor * cells.change(name, systematic, sample, part.place)
            yield _Change(sample, -part.factor * cells.values(sample, part.place), change)


def _by_parameter(systematic: Systematic, changes: Sequence[_Change]) -> Iterator[Array]:
    """Yield what each parameter of a systematic does to the prediction, shape (n,).

    The key `decorrelate` gives samples, or yield and shape, parameters of their own.
    """
    groups: dict[str, list[_Change]] = {}
    for item in changes:
        groups.setdefault(item.sample if "sample" in systematic.decorrelate else "", []).append(
            item
        )
    for members in groups.values():
        total = np.sum([item.change for item in members], axis=0)
        if "shape" not in systematic.decorrelate:
            yield total
            continue
        rate = np.sum([_yield_part(item) for item in members], axis=0)
        yield rate
        yield total - rate


def _yield_part(item: _Change) -> Array:
    """Give the part of a change that is the same factor in every bin."""
    before = float(item.nominal.sum())
    return item.nominal * (float(item.change.sum()) / before if before else 0.0)


def _factor_changes(
    cells: _Cells, region: str, config: Config, estimate: MeasuredEstimate | None
) -> Iterator[Array]:
    """Yield what each parameter of the factors of an estimate does to it, shape (n,)."""
    found: dict[str, Array] = {}
    simulated = [name for name, item in config.samples.items() if item.is_simulated]
    for part in () if estimate is None else estimate.parts(region):
        data = cells.values(DATA, part.place)
        subtracted = np.sum([cells.values(name, part.place) for name in simulated], axis=0)
        for name, change in part.changes.items():
            half = 0.5 * (change.data[0] - change.data[1]) * data
            half = half - 0.5 * (change.simulated[0] - change.simulated[1]) * subtracted
            found[name] = found.get(name, 0.0) + part.factor * half
    yield from found.values()
