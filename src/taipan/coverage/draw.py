"""Pseudo-data made of simulated events.

Each pseudo-experiment has a true signal strength and a true value of every systematic. The objects
of the events are shifted, cuts, quantities and the network are evaluated anew, and the counts of
the fit's bins are drawn from the result. Nothing of the templates of the simulation or of their
interpolation is used, but for systematics of generator weights, which are made of histograms; the
data that an estimate is made of, and what a weight of them makes of them, come as counts.

What the limited simulation adds is not part of the truth: other events would have made other
templates, see :mod:`taipan.coverage.statistics`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns
from taipan.config.model import Config
from taipan.coverage.bins import FitBins, SourceData
from taipan.coverage.sample_events import SampleEvents
from taipan.coverage.truth import Truth, draw_factors
from taipan.coverage.yield_factors import YieldFactors
from taipan.errors import TaipanError
from taipan.estimates.registry import add_divided, filled_places
from taipan.events.corrections import EventCorrection
from taipan.events.inputs import SkimmedEvents
from taipan.events.load import DatasetEvents
from taipan.events.selection import (
    belongs_to,
    late_regions,
    reach_masks,
    region_masks,
    sample_masks,
)
from taipan.events.variations import acts_on_estimate, with_sources
from taipan.nn.scores import ScoreColumns, Scorer
from taipan.systematics.base import Systematic, WeighedEvents

Array = NDArray[Any]
NO_FACTORS = YieldFactors()


def iterate_samples(
    skimmed: SkimmedEvents,
    analysis: Analysis,
    config: Config,
    corrections: Mapping[str, EventCorrection],
    folds: int,
) -> Iterator[SampleEvents]:
    """Read simulated datasets in blocks, each divided into the samples that it makes up.

    Parameters
    ----------
    skimmed
        Files of the datasets.
    analysis
        Gives columns and quantities.
    config
        Section `samples`.
    corrections
        Evaluators of the section `weights`.
    folds
        Number of folds.

    Yields
    ------
    SampleEvents
        A block of a sample at a time, so that memory does not grow with the number of events.

    Raises
    ------
    TaipanError
        If a dataset is not simulated, or a file cannot be read.
    """
    for block in skimmed.stream(analysis, folds):
        yield from split_samples(block, analysis, config, corrections)


def split_samples(
    dataset: DatasetEvents,
    analysis: Analysis,
    config: Config,
    corrections: Mapping[str, EventCorrection],
) -> Iterator[SampleEvents]:
    """Divide events of a simulated dataset into the samples that they make up."""
    if dataset.weights is None:
        raise TaipanError(f"coverage: dataset '{dataset.name}' is data, not simulation")
    quantities = dataset.compute(analysis)
    nominal = dataset.weights.nominal
    measured = {
        name: nominal * correction.evaluate(quantities) for name, correction in corrections.items()
    }
    for sample, mask in sample_masks(quantities, config.samples, dataset.name).items():
        everything = SampleEvents(
            sample,
            dataset.columns,
            nominal,
            {**dataset.weights.alternatives, **measured},
            dataset.folds,
            dataset.name,
            dataset.weights.uncorrected,
        )
        yield everything.take(np.flatnonzero(mask))


class Universe:
    """The pseudo-data that simulated events make.

    Parameters
    ----------
    analysis
        Gives quantities and shifts.
    config
        The configuration.
    binning
        Bins of the fit.
    scorer
        The networks; None if the observable is not their score.
    varied
        Of the systematics that change the yields of bins.
    """

    def __init__(
        self,
        analysis: Analysis,
        config: Config,
        binning: FitBins,
        scorer: Scorer | None,
        varied: YieldFactors = NO_FACTORS,
    ) -> None:
        self._varied = varied
        self.analysis, self.config, self.binning = analysis, config, binning
        sources = filled_places(config.samples)
        self._sources = {name: sources[name] for name in binning.edges if name in sources}
        self._places = set(itertools.chain.from_iterable(self._sources.values()))
        known = add_divided(config.regions, config.samples)
        used = dict.fromkeys([*binning.edges, *itertools.chain(*self._sources.values())])
        self._regions = {name: known[name] for name in used}
        self._late = late_regions(self._regions, analysis.is_late)
        self._asked = self._find_asked()
        if self._asked and scorer is None:
            raise TaipanError("coverage: the score is the observable, but no network was given")
        features = () if scorer is None else config.features
        self._scores = ScoreColumns.of(scorer, analysis, features, binning.observables())
        self._systematics = {
            name: with_sources(item, sources) for name, item in config.systematics.items()
        }

    def _find_asked(self) -> list[str]:
        """List the regions, and their sources, whose cut or observable needs a score."""
        binning, asked = self.binning, set(self._late)
        for name in binning.edges:
            observable = binning.own.get(name, binning.observable)
            if name not in binning.single and self.analysis.is_late(observable):
                asked |= {name, *self._sources.get(name, ())}
        return [name for name in self._regions if name in asked]

    def expected(
        self,
        events: Iterable[SampleEvents],
        truth: Truth,
        source_data: SourceData,
        offsets: Mapping[tuple[str, str, str], Array] | None = None,
    ) -> dict[str, Array]:
        """Give the expected yields of the fit's bins.

        Parameters
        ----------
        events
            Events of all samples, in parts of any size.
        truth
            Signal strength and systematics.
        source_data
            Data that a sample is estimated from.
        offsets
            (sample, fitted region, place) → yields that are added to those of the events, and
            follow the strength and the rates; see :meth:`nominal_yields`.

        Returns
        -------
        dict
            Fitted region → yields.
        """
        sizes = {name: self.binning.size(name) for name in self.binning.edges}
        found = {name: np.zeros(size) for name, size in sizes.items()}
        subtracted = {
            name: np.zeros((len(self._sources.get(name, ())), size)) for name, size in sizes.items()
        }
        for part in events:
            for region, (yields, in_source) in self._mirrored(part, truth).items():
                if self.belongs(part.sample, region):
                    found[region] += yields
                subtracted[region] += in_source
        for (sample, region, place), yields in (offsets or {}).items():
            scaled = self._scale(sample, place, truth) * yields
            varied = self._varied.vary(scaled, (sample, region, place), truth.pulls)
            if place != region:
                subtracted[region][self._sources[region].index(place)] += varied
            elif self.belongs(sample, region):
                found[region] += varied
        for region, values in source_data.fixed.items():
            found[region] += values
        estimate = source_data.estimate
        if estimate is None or source_data.fixed:
            return found
        for region in self._sources:
            data = source_data.vary(region, truth.pulls)
            rate = self._rate(estimate.sample, region, truth)
            for i, (of_data, of_simulated) in enumerate(draw_factors(estimate, region, truth)):
                part = of_data * data[i] - of_simulated * subtracted[region][i]
                found[region] += rate * part
        return found

    def nominal_yields(self, events: Iterable[SampleEvents]) -> dict[tuple[str, str, str], Array]:
        """Give (sample, fitted region, place) → yields without any systematic.

        The place is the region itself or a source of an estimate in it.
        """
        found: dict[tuple[str, str, str], Array] = {}
        for part in events:
            for region, place, bins, weights, _ in self.list_entries(part, self.nominal_truth):
                yields = np.bincount(bins, weights, minlength=self.binning.size(region))
                cell = (part.sample, region, place)
                found[cell] = found.get(cell, 0.0) + yields
        return found

    @property
    def nominal_truth(self) -> Truth:
        """Every systematic at zero, and the predicted signal."""
        return Truth(1.0, dict.fromkeys(self._systematics, 0.0), {})

    def belongs(self, sample: str, region: str) -> bool:
        """Tell whether the events of a sample count in a region."""
        return belongs_to(self.config.samples[sample], region, self.config.regions)

    def _mirrored(self, part: SampleEvents, truth: Truth) -> dict[str, tuple[Array, Array]]:
        """Fill the bins; a one-sided shift below zero mirrors what the one above zero does."""
        below = {
            name: -truth.pulls[name]
            for name, item in self._systematics.items()
            if _is_mirrored(item) and part.sample in item.samples and truth.pulls[name] < 0.0
        }
        if not below:
            return self._fill(part, truth)
        without = replace(truth, pulls={**truth.pulls, **dict.fromkeys(below, 0.0)})
        base = self._fill(part, without)
        found = {region: list(pair) for region, pair in base.items()}
        for name, pull in below.items():
            shifted = replace(without, pulls={**without.pulls, name: pull})
            for region, pair in self._fill(part, shifted).items():
                for index in (0, 1):
                    change = pair[index] - base[region][index]
                    found[region][index] = found[region][index] - change
        return {region: (pair[0], pair[1]) for region, pair in found.items()}

    def _fill(self, part: SampleEvents, truth: Truth) -> dict[str, tuple[Array, Array]]:
        """Fill the bins of each fitted region, and of what its estimate is made of."""
        filled: dict[str, list[Array]] = {name: [] for name in self.binning.edges}
        for region, place, bins, weights, _ in self.list_entries(part, truth):
            yields = np.bincount(bins, weights, minlength=self.binning.size(region))
            cell = (part.sample, region, place)
            filled[region].append(self._varied.vary(yields, cell, truth.pulls))
        found = {}
        for region, (own, *others) in filled.items():
            found[region] = (own, np.reshape(others, (len(others), len(own))))
        return found

    def list_entries(
        self, part: SampleEvents, truth: Truth
    ) -> Iterator[tuple[str, str, Array, Array, Array]]:
        """List what events put into the bins of the fitted regions, and of their sources.

        Yields
        ------
        region, place, bins, weights, rows
            Fitted region; the region itself or a source of its estimate; bin and weight of each
            event there, and its row in `part`, shape ``(m,)``.
        """
        columns = self._shift(part, truth)
        quantities = self.analysis.compute(columns)
        masks = reach_masks(quantities, self._regions, self.analysis.is_late)
        part = part.correct(self.analysis, columns, quantities, truth.pulls)
        if self._asked:
            used = np.flatnonzero(np.logical_or.reduce([masks[name] for name in self._asked]))
            quantities = self._scores.add(quantities, used, part.folds)
            masks |= region_masks(quantities, self._late)
        # a single bin needs no observable
        values = {name: quantities[name] for name in self.binning.observables()}
        for region in self.binning.edges:
            name = self.binning.own.get(region, self.binning.observable)
            for place in (region, *self._sources.get(region, ())):
                rows = np.flatnonzero(masks[place])
                weights = self._weigh(part, quantities, place, truth)[rows]
                scaled = self._scale(part.sample, place, truth) * weights
                found = values[name][rows] if name in values else scaled
                yield region, place, self.binning.find(region, found), scaled, rows

    def _scale(self, sample: str, place: str, truth: Truth) -> float:
        """Give what multiplies all events of a sample in a place."""
        signal = self.config.samples[sample].role == "signal"
        strength = truth.scales.get(sample, truth.mu if signal else 1.0)
        return self._rate(sample, place, truth) * strength

    def selected(self, part: SampleEvents, truth: Truth) -> Array:
        """Tell which events enter a fitted region or a source, shape ``(n,)``."""
        quantities = self.analysis.compute(self._shift(part, truth))
        masks = reach_masks(quantities, self._regions, self.analysis.is_late)
        return np.asarray(np.logical_or.reduce(list(masks.values())))

    def _shift(self, part: SampleEvents, truth: Truth) -> Columns:
        """Shift the objects of events."""
        columns = part.columns
        for name, item in self._systematics.items():
            if item.moves_events and part.sample in item.samples:
                shifted = item.shift_columns(columns, self.analysis, truth.pulls[name])
                columns = columns if shifted is None else shifted
        return columns

    def _weigh(self, part: SampleEvents, quantities: Columns, region: str, truth: Truth) -> Array:
        """Give the weights of events in a region."""
        weights, factors = part.weights, np.ones(len(part.weights))
        for name, item in self._systematics.items():
            if not self._acts(item, part.sample, region):
                continue
            if item.selects_events:
                events = WeighedEvents(part.dataset, factors, part.alternatives, quantities)
                varied = item.weigh_events(name, events, {}, truth.pulls[name])
                factors = factors if varied is None else varied
            weight = item.weight_name
            if weight is None:
                continue
            if weight not in part.alternatives:
                raise TaipanError(f"coverage: systematics.{name}: no weight {weight!r}")
            weights = weights + truth.pulls[name] * (part.alternatives[weight] - part.weights)
        return weights * factors

    def _acts(self, item: Systematic, sample: str, region: str) -> bool:
        if item.regions is not None and region not in item.regions:
            return False
        if acts_on_estimate(item, self.config.samples):
            return region in self._places
        return sample in item.samples

    def _rate(self, sample: str, region: str, truth: Truth) -> float:
        factor = 1.0
        for name, item in self._systematics.items():
            found = item.yield_factor(truth.pulls[name])
            is_here = item.regions is None or region in item.regions
            if found is not None and is_here and sample in item.samples:
                factor *= found
        return factor


def _is_mirrored(systematic: Systematic) -> bool:
    """Tell whether a shift below zero is what the one above zero does, mirrored."""
    return systematic.moves_events and len(systematic.varied) == 1
