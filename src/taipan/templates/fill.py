"""Histograms of one dataset: every sample, region and variation in one pass over the events."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns
from taipan.config.sections.observables import filled_quantities
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.registry import filled_places
from taipan.events.corrected_events import CorrectedEvents
from taipan.events.load import DatasetEvents
from taipan.events.overlap import SharedEvents, exclusive_pairs
from taipan.events.selection import (
    belongs_to,
    late_regions,
    reach_masks,
    region_masks,
    sample_masks,
)
from taipan.events.variations import Variation, acts_on_estimate, varied_regions
from taipan.labels import DATA, NOMINAL, SCORE
from taipan.nn.scores import ScoreColumns, Scorer
from taipan.systematics.base import WeighedEvents
from taipan.templates.concerned import concerns, list_processes
from taipan.templates.empty import FillSettings, empty_histograms
from taipan.templates.members import MemberHistograms
from taipan.templates.rows import Joined, Located, Moved, Rows, find_bins, replace_rows
from taipan.templates.shifts import ShiftHistograms

logger = logging.getLogger(__name__)
Array = NDArray[Any]
NO_OTHERS: Mapping[str, Scorer] = {}
TOGETHER = 400_000
"""Shifted events that are looked at together, at most twice as many; memory grows with it."""


def fill_dataset(
    events: DatasetEvents,
    analysis: Analysis,
    settings: FillSettings,
    scorer: Scorer | None,
    others: Mapping[str, Scorer] = NO_OTHERS,
) -> tuple[dict[str, hist.Hist], dict[str, hist.Hist]]:
    """Fill the histograms of one dataset; see :func:`fill_blocks`."""
    return fill_blocks([events], analysis, settings, scorer, others)


def fill_blocks(
    blocks: Iterable[DatasetEvents],
    analysis: Analysis,
    settings: FillSettings,
    scorer: Scorer | None,
    others: Mapping[str, Scorer] = NO_OTHERS,
) -> tuple[dict[str, hist.Hist], dict[str, hist.Hist]]:
    """Fill the histograms of one dataset, a block of its events after the other.

    Parameters
    ----------
    blocks
        Events and their weights, at least one block.
    analysis
        Gives quantities and shifts.
    settings
        What to fill.
    scorer
        The networks; needed if a score is filled or cut on.
    others
        Other networks: observable that is their score → scorer.

    Returns
    -------
    observables, control
        Name → histogram with axes (process, region, variation, observable); the former with those
        of :class:`~taipan.templates.members.MemberHistograms` and
        :class:`~taipan.templates.shifts.ShiftHistograms` besides.

    Raises
    ------
    TaipanError
        If there is no block, the sum of weights filled differs from that of the events selected,
        or an event is in two regions that may share none.
    """
    found, members, shifts = None, None, None
    shared = SharedEvents(exclusive_pairs(settings.regions, settings.samples))
    given = others if scorer is None else {SCORE: scorer, **others}
    for events in blocks:
        relevant = [v for v in settings.variations if concerns(v, events, settings.samples)]
        found = found or empty_histograms(
            list_processes(events, settings), settings, [v.name for v in relevant]
        )
        members = members or MemberHistograms(events, settings)
        shifts = shifts or ShiftHistograms(
            settings.observables,
            list_processes(events, settings),
            list(settings.regions),
            [v.name for v in relevant],
            settings.places,
        )
        filler = _Filler(events, analysis, settings, given, shared, shifts)
        _fill_block(filler, events, analysis, settings, relevant, *found, members)
    if found is None or members is None or shifts is None:
        raise TaipanError("no events were given, not even an empty block")
    shared.refuse()
    return {**found[0], **members.histograms(), **shifts.histograms()}, found[1]


def _fill_block(
    filler: _Filler,
    events: DatasetEvents,
    analysis: Analysis,
    settings: FillSettings,
    relevant: Sequence[Variation],
    observables: Mapping[str, hist.Hist],
    control: Mapping[str, hist.Hist],
    members: MemberHistograms,
) -> None:
    """Add the events of a block to the histograms."""
    weights = np.ones(len(events.folds)) if events.weights is None else events.weights.nominal
    nominal = filler.locate(events.columns, events.folds, settings.regions)
    filler.shared.add(nominal.regions, nominal.samples)
    filler.fill(observables, nominal, None, weights)
    members.add(events, nominal, weights)
    filler.fill_control(control, nominal, None, weights)
    alternatives = {} if events.weights is None else events.weights.alternatives
    corrected = CorrectedEvents.of(events, analysis, nominal.quantities)
    weighed = WeighedEvents(
        events.name,
        None if events.weights is None else weights,
        alternatives,
        nominal.quantities,
        None if corrected is None else corrected.vary,
    )
    waiting: list[Moved] = []
    changed: dict[str, Array] = {}
    everything = np.arange(len(weights))

    def fill_waiting() -> None:
        for moved, located, corrected_weights in filler.relocate(nominal, waiting, corrected):
            variation = moved.variation
            known = changed.pop(variation.name, weights)
            after = known if corrected_weights is None else corrected_weights
            filler.fill(observables, located, variation, after)
            filler.fill_control(control, located, variation, after)
            # a weight that is varied, too, may change events that no shift moves
            rows = moved.rows if known is weights else everything
            filler.fill_shift((nominal, weights), (located, after), variation, rows)
        waiting.clear()

    for variation in relevant:
        systematic = variation.systematic
        shifted = systematic.shift_columns(events.columns, analysis, variation.sign)
        varied = systematic.weigh_events(
            variation.name, weighed, settings.corrections, variation.sign
        )
        if shifted is None:
            after = weights if varied is None else varied
            filler.fill(observables, nominal, variation, after)
            filler.fill_control(control, nominal, variation, after)
            filler.fill_shift((nominal, weights), (nominal, after), variation, everything)
            continue
        if varied is not None:
            changed[variation.name] = varied
        waiting.append(filler.find_moved(variation, shifted))
        if sum(len(item.rows) for item in waiting) > TOGETHER:
            fill_waiting()
    fill_waiting()


class _Filler:
    """Finds regions and bins of events, and fills histograms."""

    def __init__(
        self,
        events: DatasetEvents,
        analysis: Analysis,
        settings: FillSettings,
        scorers: Mapping[str, Scorer],
        shared: SharedEvents,
        shifts: ShiftHistograms,
    ) -> None:
        self._late = late_regions(settings.regions, analysis.is_late)
        shown = {**settings.control, **settings.observables}
        counted = dict.fromkeys(filled_quantities(shown).values())
        self._scores = ScoreColumns.choose(
            scorers, analysis, settings.features, counted, cut_on=bool(self._late)
        )
        self._events = events
        self._analysis = analysis
        self._settings = settings
        self.shared = shared
        self._shifts = shifts
        self._varied = varied_regions(settings.regions, settings.samples)
        fitted = [name for name, item in settings.regions.items() if item.role != "estimate"]
        places = filled_places(settings.samples).values()
        self._sources = frozenset(itertools.chain.from_iterable(places))
        self._only_sources = self._sources - frozenset(fitted)

    def locate(
        self,
        columns: Columns,
        folds: Array,
        regions: Mapping[str, Region],
        known: tuple[Mapping[str, Array], frozenset[str]] | None = None,
    ) -> Located:
        """Find regions, samples and bins of events; `known` are quantities before a shift."""
        if known is not None and self._analysis.recompute is not None:
            quantities = dict(self._analysis.recompute(columns, *known))
        elif columns is self._events.columns:
            quantities = dict(self._events.compute(self._analysis))
        else:
            quantities = dict(self._analysis.compute(columns))
        inside = reach_masks(quantities, regions, self._analysis.is_late)
        n = len(folds)
        if self._scores.asks:
            used = np.flatnonzero(np.logical_or.reduce(list(inside.values())))
            before = known[0] if known is not None else {}
            quantities = self._scores.add(quantities, used, folds, before)
            late = {name: item for name, item in regions.items() if name in self._late}
            inside |= region_masks(quantities, late)
        bins = find_bins(quantities, inside, self._settings.observables)
        control = find_bins(quantities, inside, self._settings.control)
        if self._events.is_data:
            samples = {DATA: np.ones(n, dtype=bool)}
        else:
            samples = sample_masks(quantities, self._defined(), self._events.name)
        return Located(quantities, inside, samples, bins, control)

    def find_moved(self, variation: Variation, shifted: Columns) -> Moved:
        """Find the events that a shift has changed."""
        columns = self._events.columns
        changed = np.zeros(len(self._events.folds), dtype=bool)
        for name, values in shifted.items():
            if values is not columns[name]:
                before = columns[name]
                moved = (values != before) & ~(np.isnan(values) & np.isnan(before))
                changed |= moved.reshape(len(changed), -1).any(axis=1)
        rows = np.flatnonzero(changed)
        unchanged = frozenset(name for name, values in shifted.items() if values is columns[name])
        return Moved(variation, rows, Rows(shifted, rows), unchanged)

    def _outdated(self, moved: Moved) -> tuple[Any, ...]:
        """Tell which parts of the quantities a shift changes."""
        if not self._analysis.parts:
            return tuple(sorted(moved.unchanged))
        return tuple(not part <= moved.unchanged for part in self._analysis.parts)

    def relocate(
        self, nominal: Located, moved: Sequence[Moved], corrected: CorrectedEvents | None
    ) -> Iterator[tuple[Moved, Located, Array | None]]:
        """Find regions, samples, bins and corrections again of what variations have changed.

        All of them are looked at together if the same quantities have to be computed again: a call
        for a few events takes nearly as long as one for many. Weights are None where nothing is
        corrected.
        """
        for _, group in itertools.groupby(sorted(moved, key=self._outdated), self._outdated):
            parts = list(group)
            rows = np.concatenate([item.rows for item in parts])
            unchanged = frozenset.intersection(*(item.unchanged for item in parts))
            known = (Rows(nominal.quantities, rows), unchanged)
            columns = Joined([item.columns for item in parts])
            found = self.locate(columns, self._events.folds[rows], self._varied, known)
            weights = (
                None
                if corrected is None
                else corrected.weigh_rows(
                    rows, columns, found.quantities, unchanged, found.regions.values()
                )
            )
            stop = 0
            for item in parts:
                start, stop = stop, stop + len(item.rows)
                part = slice(start, stop)
                self.shared.add(found.regions, found.samples, item.variation.name, part)
                located = replace_rows(nominal, item.rows, found, part)
                new = None
                if corrected is not None and weights is not None:
                    new = corrected.replace(item.rows, weights[part])
                yield item, located, new

    def _defined(self) -> dict[str, Sample]:
        """List the samples that take events of this dataset, nominally or as an alternative."""
        name, samples = self._events.name, dict(self._settings.samples)
        for variation in self._settings.variations:
            if name in variation.alternatives:
                for sample in variation.systematic.samples:
                    known = samples[sample]
                    datasets = [*known.datasets, name]
                    samples[sample] = known.model_copy(update={"datasets": datasets})
        return samples

    def fill(
        self,
        histograms: Mapping[str, hist.Hist],
        located: Located,
        variation: Variation | None,
        weights: Array,
        *,
        fitted: bool = True,
    ) -> None:
        """Fill every sample and region to which the variation (None: nominal) applies.

        `fitted`: collision events of regions that are only the sources of an estimate count with
        the weight of the estimate, and what is fitted in one region is filled there alone.
        """
        estimate = self._events.estimate if fitted else None
        label = NOMINAL if variation is None else variation.name
        regions = located.regions if variation is None else self._varied
        for sample, of_sample in located.samples.items():
            for region in regions:
                if not self._applies(variation, sample, region):
                    continue
                chosen = np.flatnonzero(of_sample & located.regions[region])
                if len(chosen) == 0:
                    continue
                filled = weights[chosen]
                if estimate is not None and region in self._only_sources:
                    filled = filled * estimate[chosen]
                for name, histogram in histograms.items():
                    if fitted and region not in self._settings.places.get(name, regions):
                        continue
                    places = located.bins[name][chosen]
                    self._add(histogram, (sample, region, label), places, filled)

    def fill_control(
        self,
        histograms: Mapping[str, hist.Hist],
        located: Located,
        variation: Variation | None,
        weights: Array,
    ) -> None:
        """Fill the control plots, which show all the data of a region."""
        shown = replace(located, bins=located.control)
        self.fill(histograms, shown, variation, weights, fitted=False)

    def fill_shift(
        self,
        nominal: tuple[Located, Array],
        varied: tuple[Located, Array],
        variation: Variation,
        rows: Array,
    ) -> None:
        """Fill the statistical errors of the difference to the nominal templates."""
        estimate, name = self._events.estimate, self._events.name
        (before, old_weights), (after, new_weights) = nominal, varied
        for sample, region in itertools.product(after.samples, self._varied):
            if not self._applies(variation, sample, region):
                continue
            own = self._events.is_data or name in self._settings.samples[sample].datasets
            scaled = estimate is not None and region in self._only_sources
            scale = estimate if scaled and estimate is not None else 1.0
            self._shifts.add(
                (sample, region, variation.name),
                (before if own else None, old_weights * scale),
                (after, new_weights * scale),
                rows,
            )

    def _applies(self, variation: Variation | None, sample: str, region: str) -> bool:
        samples, name = self._settings.samples, self._events.name
        if not self._events.is_data and not belongs_to(
            samples[sample], region, self._settings.regions
        ):
            return False
        own = self._events.is_data or name in samples[sample].datasets
        if variation is None:
            return own
        if acts_on_estimate(variation.systematic, samples):
            limits = variation.systematic.regions
            return own and region in self._sources and (limits is None or region in limits)
        if not own and name not in variation.alternatives:
            return False
        return variation.applies(sample, region)

    def _add(
        self, histogram: hist.Hist, cell: tuple[str, str, str], places: Array, weights: Array
    ) -> None:
        index = tuple(axis.index(key) for axis, key in zip(histogram.axes, cell, strict=False))
        view = histogram.view(flow=True)[index]
        value = np.bincount(places, weights, minlength=len(view))
        missed = float(value.sum() - weights.sum())
        if not abs(missed) <= 1e-6 * max(1.0, float(np.abs(weights).sum())):
            raise TaipanError(
                f"{self._events.name}, {', '.join(cell)}, {histogram.axes[-1].name}: Σw of "
                f"histogram and events differ by {missed}"
            )
        view["value"] += value
        view["variance"] += np.bincount(places, weights**2, minlength=len(view))
