"""Collecting the control sample and the events to decorrelate (no TensorFlow)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.config.sections.adversary import ControlSample
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.load import DatasetEvents
from taipan.events.selection import region_masks
from taipan.nn.adversary.events import (
    CONTROL_SAMPLE,
    FROM_DATA,
    FROM_SIMULATION,
    Opponent,
    OpponentEvents,
    check_disjoint,
)
from taipan.nn.collect import CollectSettings, weigh_samples

Array = NDArray[Any]


@dataclass
class _Pieces:
    """Arrays of one opponent, a list entry a selection."""

    columns: dict[str, list[Array]] = field(default_factory=dict)

    def add(
        self, chosen: Array, targets: Array, weights: Array, shared: Mapping[str, Array]
    ) -> None:
        values = {**shared, "targets": targets, "weights": weights}
        for name, array in values.items():
            self.columns.setdefault(name, []).append(array[chosen])

    def join(self, what: str) -> OpponentEvents:
        if not sum(map(len, self.columns.get("weights", ()))):
            raise TaipanError(f"{what}: no events are selected")
        joined = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        joined["targets"] = joined["targets"].astype(np.float32)
        joined["weights"] = joined["weights"].astype(np.float64)
        return OpponentEvents(**joined).ordered()


def collect_opponents(
    datasets: Iterable[DatasetEvents],
    analysis: Analysis,
    settings: CollectSettings,
    estimate: MeasuredEstimate | None,
    training: Training,
) -> list[Opponent]:
    """Collect what the network is trained against.

    Parameters
    ----------
    datasets, analysis, settings, estimate
        As of :func:`~taipan.nn.collect.collect_training_set`.
    training
        Section `training` of the configuration.

    Returns
    -------
    list of Opponent
        The control sample if `adversary.enabled`, then the entries of `decorrelate`.

    Raises
    ------
    TaipanError
        If an event of the control sample is trained on, or no event is selected.
    """
    adversary = training.adversary
    wanted = [item for item in training.decorrelate if item.strength > 0.0]
    control, variables = _Pieces(), [_Pieces() for _ in wanted]
    for events in datasets if adversary.enabled or wanted else ():
        quantities = analysis.compute(events.columns)
        masks = region_masks(quantities, settings.regions)
        shared = _shared(events, quantities, settings.features, adversary.condition_on)
        if adversary.enabled:
            sample = adversary.control_sample
            _check_disjoint(events, quantities, masks, settings, estimate, sample.region)
            for chosen, domain, weights in _split_domains(
                events, quantities, masks, settings, estimate, sample
            ):
                control.add(chosen, np.full(len(weights), domain), weights, shared)
        for item, pieces in zip(wanted, variables, strict=True):
            for name, chosen, weights in weigh_samples(
                events, quantities, masks, item.region, settings, estimate
            ):
                if settings.samples[name].role == "background":
                    pieces.add(chosen, quantities[item.variable], weights, shared)
    opponents = []
    if adversary.enabled:
        what = f"training.adversary.control_sample.region '{adversary.control_sample.region}'"
        neutral = adversary.control_sample.neutral
        columns = tuple(i for i, name in enumerate(settings.features) if name in neutral)
        joined = control.join(what)
        opponents.append(Opponent(CONTROL_SAMPLE, "domain", adversary.strength, joined, columns))
    for i, (item, pieces) in enumerate(zip(wanted, variables, strict=True)):
        joined = pieces.join(f"training.decorrelate[{i}].region '{item.region}'")
        name = f"{item.variable}_{item.region}"
        opponents.append(Opponent(name, item.method, item.strength, joined))
    return opponents


def _shared(
    events: DatasetEvents,
    quantities: Mapping[str, Array],
    features: Sequence[str],
    conditions: Sequence[str],
) -> dict[str, Array]:
    """Columns that do not depend on the opponent."""
    count = len(events.folds)

    def stack(names: Sequence[str]) -> Array:
        if not names:
            return np.zeros((count, 0), np.float32)
        return np.stack([quantities[name] for name in names], axis=1).astype(np.float32)

    return {
        "features": stack(features),
        "conditions": stack(conditions),
        "folds": events.folds,
        "identifiers": events.columns["event_hash"],
    }


def _split_domains(
    events: DatasetEvents,
    quantities: Mapping[str, Array],
    masks: Mapping[str, Array],
    settings: CollectSettings,
    estimate: MeasuredEstimate | None,
    control: ControlSample,
) -> Iterator[tuple[Array, int, Array]]:
    """Give mask, domain and weights of a dataset's events in the control sample."""
    if events.weights is None:
        yield masks[control.region], FROM_DATA, np.ones(len(events.folds))
    for name, chosen, weights in weigh_samples(
        events, quantities, masks, control.region, settings, estimate
    ):
        simulated = settings.samples[name].is_simulated
        if simulated and (not control.simulation or name in control.simulation):
            yield chosen, FROM_SIMULATION, weights
        else:
            yield chosen, FROM_DATA, -weights


def _check_disjoint(
    events: DatasetEvents,
    quantities: Mapping[str, Array],
    masks: Mapping[str, Array],
    settings: CollectSettings,
    estimate: MeasuredEstimate | None,
    region: str,
) -> None:
    used = []
    for name in (settings.region, region):
        mask = np.zeros(len(events.folds), dtype=bool)
        if events.weights is None and name == region:
            mask |= masks[name]
        for _, chosen, _ in weigh_samples(events, quantities, masks, name, settings, estimate):
            mask |= chosen
        used.append(events.columns["event_hash"][mask])
    check_disjoint(used[0], used[1], events.name, region)
