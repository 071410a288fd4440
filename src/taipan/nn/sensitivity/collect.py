"""Collecting the linear model of the fit from the events of all datasets (no TensorFlow)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns
from taipan.config.model import Config
from taipan.config.sections.fit import fitted_regions
from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.corrected_events import CorrectedEvents
from taipan.events.corrections import read_corrections
from taipan.events.load import DatasetEvents
from taipan.events.selection import early_regions, region_masks
from taipan.events.variations import Variation, acts_on_estimate, template_variations
from taipan.labels import DATA
from taipan.nn.sensitivity.contributions import Contribution, find_moved, list_contributions
from taipan.nn.sensitivity.linear import InputRows, LinearEvents
from taipan.nn.sensitivity.parameters import ParameterNumbers, RateSlopes, name_parameter
from taipan.systematics.base import Correction, WeighedEvents

logger = logging.getLogger(__name__)

Array = NDArray[Any]


@dataclass
class _Model:
    """What is collected, piece by piece."""

    parameters: ParameterNumbers = field(default_factory=ParameterNumbers)
    groups: dict[tuple[str, str], int] = field(default_factory=dict)
    nominal: list[dict[str, Array]] = field(default_factory=list)
    slopes: list[dict[int, Array]] = field(default_factory=list)
    shifted: list[dict[str, Array]] = field(default_factory=list)
    control: dict[str, list[float]] = field(default_factory=dict)
    control_slopes: dict[str, dict[int, float]] = field(default_factory=dict)


class LinearCollector:
    """Adds dataset after dataset to a linear model.

    Parameters
    ----------
    config
        Sections of the events, the templates and the fit.
    analysis
        Gives quantities and shifts.
    estimate
        Estimate of a sample from data, None if all are simulated.
    shapes
        JSON file of the rule ``measure_shapes``.
    """

    def __init__(
        self, config: Config, analysis: Analysis, estimate: MeasuredEstimate | None, shapes: str
    ) -> None:
        self._config, self._analysis, self._estimate = config, analysis, estimate
        self._regions = early_regions(config.regions, analysis.is_late)
        self._fitted = [
            name for name in fitted_regions(config.regions, config.fit) if name in self._regions
        ]
        self._region = config.training.region
        self._variations = [
            item
            for item in template_variations(config.systematics, config.samples)
            if item.systematic.fills_events
            and not item.systematic.has_members
            and not item.systematic.alternatives
        ]
        self._corrections: Mapping[str, Correction] = read_corrections(
            config.weights, analysis.quantities, shapes
        )
        self._rates = RateSlopes(config, estimate)
        self._model = _Model()
        for name in self._rates.list_free():
            self._model.parameters.number(name)
            self._model.parameters.free.add(name)

    def add(self, events: DatasetEvents) -> None:
        """Add the events of a dataset: nominal, and under every variation."""
        quantities = events.compute(self._analysis)
        weights = np.ones(len(events.folds)) if events.weights is None else events.weights.nominal
        nominal = {
            region: self._contributions(events, quantities, region) for region in self._fitted
        }
        changes: dict[tuple[str, int], dict[int, Array]] = {
            (region, index): {
                self._model.parameters.number(name): slope * weights * item.factor
                for name, slope in self._rates.find(item.shown, item.own, region).items()
            }
            for region, items in nominal.items()
            for index, item in enumerate(items)
        }
        for variation in self._variations:
            self._vary(events, variation, quantities, weights, nominal, changes)
        for region, items in nominal.items():
            for index, item in enumerate(items):
                self._add_nominal(events, quantities, weights, region, item, changes[region, index])

    def _contributions(
        self, events: DatasetEvents, quantities: Mapping[str, Array], region: str
    ) -> list[Contribution]:
        return list(
            list_contributions(
                events, quantities, region, (self._config.samples, self._regions), self._estimate
            )
        )

    def _vary(
        self,
        events: DatasetEvents,
        variation: Variation,
        quantities: Mapping[str, Array],
        weights: Array,
        nominal: Mapping[str, Sequence[Contribution]],
        changes: Mapping[tuple[str, int], dict[int, Array]],
    ) -> None:
        """Add the slopes of one side of a systematic, half of them if it has two."""
        systematic = variation.systematic
        if not self._concerns(variation, events):
            return
        side = variation.sign / len(systematic.varied)
        corrected = CorrectedEvents.of(events, self._analysis, quantities)
        alternatives = {} if events.weights is None else events.weights.alternatives
        weighed = WeighedEvents(
            events.name,
            None if events.weights is None else weights,
            alternatives,
            quantities,
            None if corrected is None else corrected.vary,
        )
        varied = systematic.weigh_events(variation.name, weighed, self._corrections, variation.sign)
        columns = systematic.shift_columns(events.columns, self._analysis, variation.sign)
        name = variation.name.rpartition("_")[0]
        if columns is None:
            if varied is None:
                return
            for region, items in nominal.items():
                for index, item in enumerate(items):
                    if self._applies(variation, item):
                        number = self._number(name, systematic, item, region)
                        change = side * (varied - weights) * item.factor
                        _add(changes[region, index], number, change)
            return
        rows = find_moved(events.columns, columns)
        moved = {key: values[rows] for key, values in columns.items()}
        found = dict(self._analysis.compute(moved))
        new = self._moved_weights(events, corrected, rows, columns, moved, found, weights, varied)
        for region, items in nominal.items():
            after = self._contributions(events, found, region)
            for index, (before, item) in enumerate(zip(items, after, strict=True)):
                if not self._applies(variation, item):
                    continue
                number = self._number(name, systematic, item, region)
                lost = np.zeros(len(events.folds))
                lost[rows] = -side * weights[rows] * before.factor[rows]
                _add(changes[region, index], number, lost)
                self._add_moved(events, rows, found, region, item, number, side * new * item.factor)

    def _moved_weights(
        self,
        events: DatasetEvents,
        corrected: CorrectedEvents | None,
        rows: Array,
        columns: Columns,
        moved: Columns,
        found: Mapping[str, Array],
        weights: Array,
        varied: Array | None,
    ) -> Array:
        new = (weights if varied is None else varied)[rows]
        if corrected is None:
            return np.asarray(new)
        unchanged = frozenset(
            name for name, values in columns.items() if values is events.columns[name]
        )
        masks = region_masks(found, self._regions)
        again = corrected.weigh_rows(rows, moved, found, unchanged, masks.values())
        return np.asarray(new if again is None else again)

    def _concerns(self, variation: Variation, events: DatasetEvents) -> bool:
        if acts_on_estimate(variation.systematic, self._config.samples):
            return True
        if events.is_data:
            return False
        samples = self._config.samples
        return any(events.name in samples[name].datasets for name in variation.systematic.samples)

    def _applies(self, variation: Variation, item: Contribution) -> bool:
        if acts_on_estimate(variation.systematic, self._config.samples):
            regions = variation.systematic.regions
            return item.shown != item.own and (regions is None or item.place in regions)
        return item.own != DATA and variation.applies(item.own, item.place)

    def _number(self, name: str, systematic: Any, item: Contribution, region: str) -> int:
        own = item.shown if item.own == DATA else item.own
        return self._model.parameters.number(name_parameter(name, systematic, own, region))

    def _add_nominal(
        self,
        events: DatasetEvents,
        quantities: Mapping[str, Array],
        weights: Array,
        region: str,
        item: Contribution,
        changes: Mapping[int, Array],
    ) -> None:
        chosen = np.flatnonzero(item.mask)
        yields = weights[chosen] * item.factor[chosen]
        own = {number: values[chosen] for number, values in changes.items()}
        if region != self._region:
            sums = self._model.control.setdefault(region, [0.0, 0.0])
            sums[0] += float(yields.sum())
            sums[1] += float((yields**2).sum())
            for number, values in own.items():
                self._add_control(region, number, float(values.sum()))
            return
        signal = self._config.samples[item.shown].role == "signal"
        self._model.nominal.append(
            {
                **self._rows(events, chosen, quantities, chosen, item),
                "yields": yields,
                "is_signal": np.full(len(chosen), signal),
            }
        )
        self._model.slopes.append(own)

    def _add_moved(
        self,
        events: DatasetEvents,
        rows: Array,
        found: Mapping[str, Array],
        region: str,
        item: Contribution,
        number: int,
        slopes: Array,
    ) -> None:
        chosen = np.flatnonzero(item.mask)
        if region != self._region:
            self._add_control(region, number, float(slopes[chosen].sum()))
            return
        self._model.shifted.append(
            {
                **self._rows(events, rows[chosen], found, chosen, item),
                "moved_by": np.full(len(chosen), number),
                "moved_slopes": slopes[chosen],
            }
        )

    def _add_control(self, region: str, number: int, value: float) -> None:
        found = self._model.control_slopes.setdefault(region, {})
        found[number] = found.get(number, 0.0) + value

    def _rows(
        self,
        events: DatasetEvents,
        rows: Array,
        quantities: Mapping[str, Array],
        places: Array,
        item: Contribution,
    ) -> dict[str, Array]:
        """Describe events `rows` of a dataset, whose quantities stand at `places`."""
        key = (item.shown, item.own)
        group = self._model.groups.setdefault(key, len(self._model.groups))
        features = np.stack([quantities[name][places] for name in self._config.features], axis=1)
        return {
            "features": features.astype(np.float32),
            "folds": events.folds[rows],
            "identifiers": events.columns["event_hash"][rows],
            "groups": np.full(len(rows), group),
        }

    def finish(self) -> LinearEvents:
        """Put everything together.

        Raises
        ------
        TaipanError
            If no event is in the region of the training.
        """
        model, numbers = self._model, self._model.parameters.numbers
        if not sum(len(piece["yields"]) for piece in model.nominal):
            raise TaipanError(
                f"training.region: '{self._region}': no event for the loss "
                f"'{self._config.training.loss}' (must be a fitted region with events)"
            )
        nominal, shifted = _join(model.nominal), _join(model.shifted)
        slopes = np.concatenate(
            [
                _dense(own, len(piece["yields"]), len(numbers))
                for own, piece in zip(model.slopes, model.nominal, strict=True)
            ]
        )
        control = [name for name in model.control if model.control[name][0] > 0.0]
        names = sorted(numbers, key=numbers.__getitem__)
        free = model.parameters.free
        logger.info(
            "loss %s: %d events, %d shifted ones, %d parameters",
            *(self._config.training.loss, len(slopes), len(shifted["folds"]), len(names)),
        )
        return LinearEvents(
            parameters=tuple(names),
            prior=np.array([0.0 if name in free else 1.0 for name in names]),
            nominal=_as_rows(nominal),
            yields=nominal["yields"],
            variances=nominal["yields"] ** 2,
            slopes=slopes,
            is_signal=nominal["is_signal"],
            shifted=_as_rows(shifted),
            moved_by=shifted["moved_by"],
            moved_slopes=shifted["moved_slopes"],
            control_yields=np.array([model.control[name][0] for name in control]),
            control_variances=np.array([model.control[name][1] for name in control]),
            control_slopes=np.array(
                [
                    [model.control_slopes.get(name, {}).get(i, 0.0) for i in range(len(names))]
                    for name in control
                ]
            ).reshape(len(control), len(names)),
        )


def collect_linear_events(
    datasets: Iterable[DatasetEvents],
    analysis: Analysis,
    config: Config,
    estimate: MeasuredEstimate | None,
    shapes: str,
) -> LinearEvents:
    """Collect the linear model of the fit.

    Parameters
    ----------
    datasets
        Events of all datasets, data among them; of one dataset in any number of blocks.
    analysis, config, estimate, shapes
        As of :class:`LinearCollector`.

    Raises
    ------
    TaipanError
        If no event is in the region of the training, or a weight is missing.
    """
    collector = LinearCollector(config, analysis, estimate, shapes)
    for events in datasets:
        collector.add(events)
    return collector.finish()


def _add(changes: dict[int, Array], number: int, values: Array) -> None:
    known = changes.get(number)
    changes[number] = values if known is None else known + values


def _dense(own: Mapping[int, Array], n: int, count: int) -> NDArray[np.float64]:
    slopes = np.zeros((n, count))
    for number, values in own.items():
        slopes[:, number] = values
    return slopes


def _join(pieces: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    if not pieces:
        empty = np.zeros(0)
        return {
            "features": np.zeros((0, 0), np.float32),
            "folds": empty.astype(np.int64),
            "identifiers": empty.astype(np.uint64),
            "groups": empty.astype(np.int64),
            "moved_by": empty.astype(np.int64),
            "moved_slopes": empty,
        }
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _as_rows(joined: Mapping[str, Array]) -> InputRows:
    return InputRows(*(joined[name] for name in ("features", "folds", "identifiers", "groups")))
