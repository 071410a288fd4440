"""Fine-tuning of a network on the expected uncertainty of the fit.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from taipan.config.sections.training import Training
from taipan.nn.conditions import ScoredPart
from taipan.nn.data import Split, uniform_hash
from taipan.nn.engine import Engine
from taipan.nn.model import Network
from taipan.nn.plan import OBJECTIVE, Plan, TensorEvents
from taipan.nn.sensitivity.binned import balanced_edges, memberships
from taipan.nn.sensitivity.fisher import BinCounts, fill_soft_bins
from taipan.nn.sensitivity.linear import LinearEvents, split_events
from taipan.nn.sensitivity.loaded import LoadedEvents, load
from taipan.nn.sensitivity.losses import FIT_LOSSES, log_sigma, log_statistical_sigma

_SALT = np.uint64(0x5E45171717171717)
"""Events are divided into batches by another hash than into folds."""
_PIECE = 65536  # events that are standardised at a time


class SensitivityEngine(Engine):
    """Training with cross-entropy, then a short one on the uncertainty of the fit.

    Parameters
    ----------
    network
        The network; its weights change.
    settings
        Section `training` of the configuration.
    events
        Linear model of the fit.
    """

    def __init__(self, network: Network, settings: Training, events: LinearEvents) -> None:
        super().__init__(network, settings)
        self._training = settings
        self._keys = settings.sensitivity
        self._objective = FIT_LOSSES[settings.loss]
        self._events = events
        self._tuning = False
        self._trained = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._edges = tf.Variable(np.zeros(self._keys.bins - 1, np.float32), trainable=False)
        self._parts: list[LoadedEvents] = []
        self._unseen: LoadedEvents | None = None
        self._sigma = 0.0
        # One signature for events of every number: the graphs are traced once, not once a network.
        specs = _specifications(network.body.input_shape[1], len(events.parameters))
        self._step_on = tf.function(
            self._tune, input_signature=[tf.TensorSpec((), tf.bool), *specs], autograph=False
        )
        self._value_of = tf.function(self._measure_sigma, input_signature=specs, autograph=False)

    def reset(self, seed: int) -> None:
        """Start anew: weights, dropout and optimiser depend on `seed` alone."""
        super().reset(seed)
        self._trained.assign(0)
        self._tuning = False

    def _state_variables(self) -> list[Any]:
        return [*super()._state_variables(), self._trained, self._edges]

    def trainings(self, plan: Plan, split: Split) -> Iterator[Plan]:
        """Give the training with cross-entropy, then the one on the uncertainty."""
        train, unseen = split_events(self._events, split, self._training.folds)
        self._tuning = False
        yield replace(plan, name=f"{plan.name}, cross-entropy", preliminary=True)
        self._begin(train, unseen)
        keys = self._keys
        update = {
            "epochs": keys.steps + 1,
            "patience": keys.patience,
            "learning_rate": keys.learning_rate,
            "schedule": "constant",
            "selection": "best_value",
        }
        yield replace(
            plan,
            name=f"{plan.name}, {self._training.loss}",
            settings=plan.settings.model_copy(update=update),
            metric=OBJECTIVE,
            identity=self.identity(),
        )

    def identity(self) -> str:
        """Hash of all that the fine-tuning depends on besides the settings."""
        found = hashlib.sha256(" ".join(self._events.parameters).encode())
        events = self._events
        for array in (
            *(events.nominal.features, events.yields, events.slopes, events.prior),
            *(events.shifted.features, events.moved_by, events.moved_slopes),
            *(events.control_yields, events.control_variances, events.control_slopes),
        ):
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def _begin(self, train: LinearEvents, unseen: LinearEvents) -> None:
        """Choose the bins by the network as it is, and load the events."""
        self._tuning = True
        self._trained.assign(0)
        for variable, start in zip(self._optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(start)
        logits = self.logits(TensorEvents(self._standardise(train.nominal.features), None, None))
        edges = balanced_edges(logits, train.yields, train.is_signal, self._keys.bins)
        self._edges.assign(edges.astype(np.float32))
        total = len(train.nominal) + len(train.shifted)
        number = max(-(-total // self._keys.batch_size), 1)
        self._parts = [load(item, self._standardise) for item in divide_events(train, number)]
        self._unseen = load(unseen, self._standardise)

    def _standardise(self, features: NDArray[np.float32]) -> Any:
        pieces = [
            self.network.standardise(features[start : start + _PIECE])
            for start in range(0, len(features), _PIECE)
        ]
        return tf.concat(pieces, axis=0)

    def train_epoch(self, events: TensorEvents, order: NDArray[np.int32]) -> float:
        """Take a step on each part of the events; none in the first epoch, which is the start."""
        if not self._tuning:
            return super().train_epoch(events, order)
        epoch = int(self._trained.numpy())
        self._trained.assign_add(1)
        if epoch == 0:
            found = [(value, value) for value in map(self._log_sigma, self._parts)]
        else:
            warming_up = tf.constant(epoch <= self._keys.warmup_steps)
            steps = [self._step_on(warming_up, *_tensors(part)) for part in self._parts]
            found = [(float(loss), float(value)) for loss, value in steps]
        loss, value = np.mean(found, axis=0)
        self._sigma = float(np.exp(value))
        return float(loss)

    def measure(self, name: str, epoch: int, validation: ScoredPart) -> dict[str, float]:
        """Give σ of the parameter of interest on the held-out events.

        Parameters
        ----------
        name, epoch, validation
            As of :meth:`taipan.nn.engine.Engine.measure`.

        Returns
        -------
        dict
            `validation_objective`, which picks the step, and `train_objective`, which is σ of the
            events trained on *before* the step: there it costs nothing.
        """
        if not self._tuning:
            return {}
        assert self._unseen is not None
        return {
            f"train_{OBJECTIVE}": self._sigma,
            f"validation_{OBJECTIVE}": float(np.exp(self._log_sigma(self._unseen))),
        }

    def _log_sigma(self, events: LoadedEvents) -> float:
        return float(self._value_of(*_tensors(events)))

    def _count(self, events: LoadedEvents) -> tuple[Any, BinCounts]:
        both = tf.concat([events.inputs, events.moved_inputs], axis=0)
        # Without dropout: it would smear the score and so the bins.
        logits = self.network.body(both, training=False)[:, 0]
        if self.network.summary is None:
            shares = memberships(logits, self._edges, self._keys.softness)
        else:
            shares = self.network.summary(both, training=False)
        n = tf.shape(events.inputs)[0]
        return logits[:n], fill_soft_bins(shares[:n], shares[n:], events)

    def _measure_sigma(self, *tensors: Any) -> Any:
        events = LoadedEvents(*tensors)
        return log_sigma(self._count(events)[1], events)

    def _tune(self, warming_up: Any, *tensors: Any) -> tuple[Any, Any]:
        """Take a step; give the loss and ln σ before it."""
        events = LoadedEvents(*tensors)
        body = self.network.body
        with tf.GradientTape() as tape:
            logits, counts = self._count(events)
            loss = tf.cond(
                warming_up,
                lambda: log_statistical_sigma(counts, events),
                lambda: self._objective(logits, counts, events, self._keys),
            )
        gradients = tape.gradient(loss, body.trainable_variables)
        self._optimizer.apply(gradients, body.trainable_variables)
        return loss, log_sigma(counts, events)


def divide_events(events: LinearEvents, number: int) -> list[LinearEvents]:
    """Divide events into parts by a hash of their identity, each scaled to the full yields."""
    places = [
        np.floor(uniform_hash(rows.identifiers ^ _SALT) * number)
        for rows in (events.nominal, events.shifted)
    ]
    return [events.take(places[0] == part, places[1] == part) for part in range(number)]


def _specifications(width: int, count: int) -> list[Any]:
    """Say what the tensors of :class:`LoadedEvents` are, in their order."""
    rows, number = tf.TensorSpec((None, width), tf.float32), tf.TensorSpec((None,), tf.float32)
    return [
        *(rows, rows, tf.TensorSpec((None, 2 + count), tf.float32)),
        *(number, tf.TensorSpec((None,), tf.int32), number, number),
        *(tf.TensorSpec((count,), tf.float64), tf.TensorSpec((count, count), tf.float64)),
    ]


def _tensors(events: LoadedEvents) -> list[Any]:
    return [getattr(events, item.name) for item in fields(LoadedEvents)]
