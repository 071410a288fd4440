"""Events as rows of one flat table: numbers that anybody can read without knowing the analysis."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.estimates.registry import filled_places
from taipan.events.corrected_events import CorrectedEvents
from taipan.events.load import DatasetEvents
from taipan.events.selection import belongs_to, late_regions, reach_masks, region_masks
from taipan.events.selection import sample_masks as find_samples
from taipan.events.variations import DIRECTIONS, Variation, acts_on_estimate
from taipan.labels import DATA, SCORE, is_score
from taipan.nn.scores import ScoreColumns, Scorer
from taipan.systematics.base import Systematic, WeighedEvents
from taipan.templates.concerned import concerns
from taipan.templates.empty import FillSettings

Array = NDArray[Any]
WEIGHT = "weight"
"""Column with the nominal weight; those of variations are ``weight_<systematic>_up``."""
HASH = "event_hash"
"""Column with the hash of the event's identity."""
TEXTS = ("dataset", "process", "region")
"""Columns with names."""


@dataclass(frozen=True)
class DescribedColumn:
    """A column of the table.

    Attributes
    ----------
    name, unit, meaning
        Name, unit (empty if it has none), and what it is in plain words.
    """

    name: str
    unit: str
    meaning: str


def weight_variations(settings: FillSettings) -> list[Variation]:
    """List the variations that change weights alone, so that events stay where they are."""
    return [
        item
        for item in settings.variations
        if item.systematic.fills_events
        and not item.systematic.has_members
        and not item.systematic.moves_events
        and not item.systematic.alternatives
    ]


def yield_variations(systematics: Mapping[str, Systematic]) -> list[Variation]:
    """List the two directions of every systematic that is a factor of yields."""
    return [
        Variation(f"{name}_{direction}", item, sign)
        for name, item in systematics.items()
        if item.yield_factor(1.0) is not None
        for direction, sign in DIRECTIONS.items()
    ]


class FlatEvents:
    """Turns events into rows, one for each event and region that it is in.

    Parameters
    ----------
    analysis
        Gives the quantities.
    settings
        Samples, regions and variations.
    systematics
        All of the configuration.
    scorers
        Observable that is a network's score → scorer; none without a network.
    hidden
        Regions whose collision events are left out, because the analysis is blinded.
    nominal_only
        Leave the weights of variations out.
    identified
        Add the column `event_hash`, which decides the fold.
    """

    def __init__(
        self,
        analysis: Analysis,
        settings: FillSettings,
        systematics: Mapping[str, Systematic],
        scorers: Mapping[str, Scorer],
        *,
        hidden: Collection[str] = (),
        nominal_only: bool = False,
        identified: bool = False,
    ) -> None:
        self._identified = identified
        self._analysis, self._settings, self._hidden = analysis, settings, frozenset(hidden)
        others = {name: item for name, item in scorers.items() if name != SCORE}
        self._scores = ScoreColumns(scorers.get(SCORE), analysis, settings.features, others)
        self._weights = [] if nominal_only else weight_variations(settings)
        self._yields = [] if nominal_only else yield_variations(systematics)
        places = filled_places(settings.samples).values()
        self._sources = {place for group in places for place in group}
        self._quantities = [name for name in analysis.quantities if name != "passes"]

    def rows(self, events: DatasetEvents) -> dict[str, Array]:
        """Give the rows of some events of a dataset.

        Parameters
        ----------
        events
            With nominal weights.

        Returns
        -------
        dict
            Column → values of shape (rows,), in the order of :meth:`describe`.
        """
        quantities = dict(events.compute(self._analysis))
        n = len(events.folds)
        inside = self._locate(quantities, events.folds)
        if self._scores.asks:
            used = np.flatnonzero(np.logical_or.reduce(list(inside.values())))
            quantities = self._scores.add(quantities, used, events.folds)
            late = late_regions(self._settings.regions, self._analysis.is_late)
            inside |= region_masks(quantities, late)
        samples = {DATA: np.ones(n, dtype=bool)}
        if not events.is_data:
            samples = find_samples(quantities, self._settings.samples, events.name)
        nominal = np.ones(n) if events.weights is None else events.weights.nominal
        varied = self._vary(events, quantities, nominal)
        parts = [
            self._part(events, quantities, np.flatnonzero(of & inside[region]), process, region)
            | self._weigh(events, (process, region), nominal, varied, of & inside[region])
            for region in self._settings.regions
            for process, of in samples.items()
            if self._belongs(events, process, region)
        ]
        if not parts:
            return {}
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _belongs(self, events: DatasetEvents, process: str, region: str) -> bool:
        if events.is_data:
            return region not in self._hidden
        regions = self._settings.regions
        return belongs_to(self._settings.samples[process], region, regions)

    def _locate(self, quantities: Mapping[str, Array], folds: Array) -> dict[str, Array]:
        regions = self._settings.regions
        if not self._scores.asks:
            return region_masks(quantities, regions)
        return reach_masks(quantities, regions, self._analysis.is_late)

    def _part(
        self,
        events: DatasetEvents,
        quantities: Mapping[str, Array],
        chosen: Array,
        process: str,
        region: str,
    ) -> dict[str, Array]:
        n = len(chosen)
        scores = [name for name in quantities if is_score(name)]
        names = [name for name in self._quantities if name in quantities]
        return {
            "dataset": np.full(n, events.name, dtype=object),
            "process": np.full(n, process, dtype=object),
            "region": np.full(n, region, dtype=object),
            "is_data": np.full(n, events.is_data),
            "fold": events.folds[chosen].astype(np.int32),
            **({HASH: events.columns[HASH][chosen]} if self._identified else {}),
            **{name: _plain(quantities[name][chosen]) for name in [*names, *scores]},
        }

    def _vary(
        self, events: DatasetEvents, quantities: Mapping[str, Array], nominal: Array
    ) -> dict[str, Array]:
        """Weights of the variations that change any of these events, shape (n,)."""
        weights = events.weights
        corrected = CorrectedEvents.of(events, self._analysis, quantities)
        weighed = WeighedEvents(
            events.name,
            None if weights is None else nominal,
            {} if weights is None else weights.alternatives,
            quantities,
            None if corrected is None else corrected.vary,
        )
        found = {}
        for item in self._weights:
            if concerns(item, events, self._settings.samples):
                changed = item.systematic.weigh_events(
                    item.name, weighed, self._settings.corrections, item.sign
                )
                if changed is not None:
                    found[item.name] = changed
        return found

    def _weigh(
        self,
        events: DatasetEvents,
        cell: tuple[str, str],
        nominal: Array,
        varied: Mapping[str, Array],
        chosen: Array,
    ) -> dict[str, Array]:
        process, region = cell
        plain = nominal[chosen]
        found = {WEIGHT: plain}
        for item in self._weights:
            applies = item.name in varied and self._applies(item, events, process, region)
            found[f"{WEIGHT}_{item.name}"] = varied[item.name][chosen] if applies else plain
        for item in self._yields:
            factor = item.systematic.yield_factor(item.sign)
            applies = not events.is_data and item.applies(process, region)
            known = factor if applies and factor is not None else 1.0
            found[f"{WEIGHT}_{item.name}"] = plain * known
        return found

    def _applies(self, item: Variation, events: DatasetEvents, process: str, region: str) -> bool:
        if acts_on_estimate(item.systematic, self._settings.samples):
            limits = item.systematic.regions
            return region in self._sources and (limits is None or region in limits)
        return not events.is_data and item.applies(process, region)

    def describe(self, names: Sequence[str]) -> list[DescribedColumn]:
        """Say in plain words what columns are.

        Parameters
        ----------
        names
            Columns of :meth:`rows`.
        """
        known = {
            "dataset": "File set that the event comes from.",
            "process": "What was simulated, by its short name; 'data' for collision events.",
            "region": "Part of the analysis that the event is in; an event that is in two has two "
            "rows.",
            "is_data": "True for collision events, false for simulated ones.",
            "fold": "Number of the part of the events for cross-validation; the networks that "
            "score an event never saw its part.",
            WEIGHT: "How many real events this one stands for; add it up, do not count rows. It "
            "can be negative.",
            SCORE: "Output of the neural network, from 0 (like background) to 1 (like signal).",
        }
        variations = {f"{WEIGHT}_{item.name}": item for item in [*self._weights, *self._yields]}
        found = []
        for name in names:
            if name in known:
                found.append(DescribedColumn(name, "", known[name]))
            elif name in variations:
                found.append(DescribedColumn(name, "", _describe_variation(variations[name])))
            elif name in self._analysis.quantities:
                quantity = self._analysis.quantities[name]
                missing = " Empty where there is none." if quantity.may_be_missing else ""
                meaning = f"{quantity.meaning[:1].upper()}{quantity.meaning[1:].rstrip('.')}."
                found.append(DescribedColumn(name, quantity.unit, meaning + missing))
            else:
                found.append(DescribedColumn(name, "", "Output of another network or class."))
        return found

    def left_out(self) -> list[str]:
        """List the systematics without a weight: they move events or use other events."""
        kept = {item.name for item in weight_variations(self._settings)}
        moved = [item.name for item in self._settings.variations if item.name not in kept]
        return list(dict.fromkeys(name.rpartition("_")[0] for name in moved))


def _describe_variation(item: Variation) -> str:
    name = item.name.rpartition("_")[0]
    side = "up" if item.sign > 0 else "down"
    source = f" Source: {item.systematic.source.rstrip('.')}." if item.systematic.source else ""
    return (
        f"The weight if '{name}' is one standard deviation {side}; otherwise as 'weight'.{source}"
    )


def _plain(values: Array) -> Array:
    return values if values.dtype == bool else values.astype(np.float64)
