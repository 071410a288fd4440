"""Backward elimination with trained networks. Imports TensorFlow."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from taipan.config.sections.input_selection import InputSelection
from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.metrics.registry import EPOCH_METRICS
from taipan.nn.data import FloatArray, TrainingSet, split_folds
from taipan.nn.engine import prepare_tensorflow
from taipan.nn.fold import FoldPlan, make_engine, train_fold
from taipan.nn.weights.transform import order_events
from taipan.search.importance import (
    EliminationStep,
    Features,
    Value,
    check_features,
    eliminate,
    mean_of,
    shuffle,
)
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)

_HELD_OUT = 0  # the fold that is not looked at, as in the search for hyperparameters


@dataclass
class _Trainer:
    """Networks of some of the features, trained once for each set and repeat."""

    events: TrainingSet
    of_loss: FloatArray
    plan: FoldPlan
    repeats: int
    seed: int
    _weights: dict[Features, list[Any]] = field(default_factory=dict)
    _values: dict[Features, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._engine = make_engine(self.events, self.plan.settings)
        self._balanced = self.events.training_weights()
        folds, events = self.plan.settings.folds, self.events
        self._split = split_folds(events.folds, events.identifiers, _HELD_OUT, folds)
        self._rows = np.flatnonzero(self._split.validation)
        metric = self.plan.settings.early_stopping_metric.removeprefix("bounded_")
        self._loss = EPOCH_METRICS[metric].value

    def train(self, kept: Features) -> list[float]:
        """Train with some features; give the validation loss of each repeat."""
        if kept not in self._values:
            used = tuple(name in kept for name in self.events.names)
            plan = FoldPlan(self.plan.settings, self.plan.conditions, used=used)
            values, states = [], []
            for repeat in range(self.repeats):
                seed = derive_seed(self.seed, "repeat", repeat)
                fitted = train_fold(
                    self._engine,
                    self.events,
                    self._balanced,
                    self._split,
                    plan,
                    seed,
                    of_loss=self.of_loss,
                )
                values.append(fitted.value)
                states.append(self._engine.network.score.get_weights())
            self._values[kept], self._weights[kept] = values, states
        return self._values[kept]

    def shuffled(self, trained: Features, away: Sequence[str]) -> list[float]:
        """Give validation losses of networks of `trained` features, some of them shuffled."""
        self.train(trained)
        columns = [self.events.names.index(name) for name in away]
        rows, losses = self._rows, []
        for repeat, state in enumerate(self._weights[trained]):
            self._engine.network.score.set_weights(state)
            generator = np.random.default_rng(derive_seed(self.seed, "shuffle", repeat, *away))
            features = shuffle(self.events.features[rows], columns, generator)
            weights = self._balanced[rows]
            scores = self._engine.predict(
                self._engine.load(features, self.events.labels[rows], weights)
            )
            losses.append(self._loss(self.events.labels[rows], scores, weights))
        return losses


def _open_trainer(
    training_set: TrainingSet,
    training: Training,
    conditions: Sequence[OvertrainingCondition],
    repeats: int,
    seed: int,
    threads: int,
    transformed: FloatArray | None,
) -> _Trainer:
    training_set.validate(training.folds)
    check_features(training_set.names)
    prepare_tensorflow(threads)
    training_set, physical = order_events(training_set, training, transformed)
    kept = np.flatnonzero(training_set.folds != _HELD_OUT)
    events = training_set.take(kept)
    of_loss = events.training_weights(physical[_HELD_OUT, kept])
    plan = FoldPlan(training, tuple(conditions))
    return _Trainer(events, of_loss, plan, repeats, seed)


def measure_groups(
    training_set: TrainingSet,
    training: Training,
    conditions: Sequence[OvertrainingCondition],
    groups: Mapping[str, Sequence[str]],
    repeats: int,
    seed: int,
    threads: int = 1,
    transformed: FloatArray | None = None,
) -> dict[str, dict[str, Value]]:
    """Measure what is lost without groups of features.

    Parameters
    ----------
    training_set, training, conditions, seed, threads, transformed
        As of :func:`select_inputs`.
    groups
        Name → features that are dropped together; some must be left.
    repeats
        Trainings of different seeds, at least two.

    Returns
    -------
    dict
        Group → ``retrain`` and ``shuffle``: how much the loss of validation events grows if
        networks are trained without the group, and if its values are exchanged among the events of
        networks that were trained with it. Only the first says what would be lost.

    Raises
    ------
    TaipanError
        If the training set is unusable or has one feature.
    """
    trainer = _open_trainer(training_set, training, conditions, repeats, seed, threads, transformed)
    everything = training_set.names
    whole = np.array(trainer.train(everything))
    found = {}
    for name, group in groups.items():
        kept = tuple(feature for feature in everything if feature not in group)
        # of the same seeds, so that what these change in both is in no difference
        retrained = np.array(trainer.train(kept)) - whole
        shuffled = np.array(trainer.shuffled(everything, list(group))) - whole
        found[name] = {"retrain": mean_of(retrained), "shuffle": mean_of(shuffled)}
        logger.info("without %s: %+.5f ± %.5f", name, *_pair(found[name]["retrain"]))
    return found


def _pair(value: Value) -> tuple[float, float]:
    return value.mean, value.sigma


def select_inputs(
    training_set: TrainingSet,
    training: Training,
    conditions: Sequence[OvertrainingCondition],
    settings: InputSelection,
    seed: int,
    threads: int = 1,
    transformed: FloatArray | None = None,
) -> list[EliminationStep]:
    """Eliminate features backwards with network 0; the events of fold 0 are not looked at.

    The loss is the metric of the validation events that stops the training, averaged over
    trainings of different seeds. In the mode `shuffle` the features that are gone are shuffled
    together in networks that were trained with all.

    Parameters
    ----------
    training_set
        Events of all folds.
    training, settings
        Sections `training` and `input_selection` of the configuration.
    conditions
        Conditions under which an epoch is overtrained.
    seed
        Seed of the selection.
    threads
        Threads of TensorFlow.
    transformed
        As in :func:`~taipan.nn.train.train_network`.

    Returns
    -------
    list of EliminationStep
        See :func:`~taipan.search.importance.eliminate`.

    Raises
    ------
    TaipanError
        If the training set is unusable or has one feature.
    """
    trainer = _open_trainer(
        training_set, training, conditions, settings.repeats, seed, threads, transformed
    )
    everything = training_set.names

    def gone(kept: Features) -> list[str]:
        return [name for name in everything if name not in kept]

    def evaluate(kept: Features) -> Value:
        if settings.mode == "shuffle":
            return mean_of(trainer.shuffled(everything, gone(kept)))
        return mean_of(trainer.train(kept))

    def rank(kept: Features) -> dict[str, float]:
        if settings.mode == "retrain":
            return {
                name: mean_of(trainer.train(tuple(k for k in kept if k != name))).mean
                for name in kept
            }
        trained = everything if settings.mode == "shuffle" else kept
        away = gone(kept) if settings.mode == "shuffle" else []
        return {name: mean_of(trainer.shuffled(trained, [*away, name])).mean for name in kept}

    return eliminate(everything, evaluate, rank, settings)
