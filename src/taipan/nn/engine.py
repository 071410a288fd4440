"""A training epoch as one compiled function.

`keras.Model.fit` goes back to Python for every batch of a few hundred microseconds of work. Here
the events stay in memory as tensors and the loop over batches is part of the graph; the model and
the optimiser are ordinary Keras objects. Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from taipan.config.sections.training import Training
from taipan.nn.classes import Classes
from taipan.nn.conditions import ScoredPart
from taipan.nn.data import Split
from taipan.nn.losses.registry import find_loss
from taipan.nn.model import Network, initialise
from taipan.nn.plan import Plan, TensorEvents

logger = logging.getLogger(__name__)

_PREDICTION_BATCH = 65536  # keeps the largest hidden layer of a prediction within tens of MB


class Engine:
    """Compiled training and prediction of one network, used for all folds in turn.

    Parameters
    ----------
    network
        The model; its weights change.
    settings
        Batch size and learning rate.
    """

    def __init__(self, network: Network, settings: Training) -> None:
        self.network = network
        self._batch_size = settings.batch_size
        self._loss = find_loss(settings.event_loss, softmax=network.classes.softmax)
        self._optimizer = keras.optimizers.Adam(settings.learning_rate)
        self._optimizer.build(network.body.trainable_variables)
        self._optimizer_start = [variable.numpy() for variable in self._optimizer.variables]
        width = network.body.input_shape[1]
        matrix = tf.TensorSpec((None, width), tf.float32)
        vector = tf.TensorSpec((None,), tf.float32)
        # One signature for every size of fold: the graph is traced once, not once per fold.
        self._epoch = tf.function(
            self._run_epoch,
            input_signature=[matrix, vector, vector, tf.TensorSpec((None,), tf.int32)],
            autograph=False,
        )
        self._logits = tf.function(
            lambda inputs: self._columns(network.body(inputs, training=False)),
            input_signature=[matrix],
            autograph=False,
        )

    smallest_spread = 1e-6
    """All scores of a part within this: the network says nothing."""

    def describe(self) -> str:
        """Say what to know about the training besides its name, for messages of failures."""
        return ""

    def measure(self, name: str, epoch: int, validation: ScoredPart) -> dict[str, float]:
        """Give further numbers of the epoch that was trained last; a plain training has none."""
        return {}

    def trainings(self, plan: Plan, split: Split) -> Iterator[Plan]:
        """Prepare, one after the other, the trainings that a network goes through.

        Parameters
        ----------
        plan
            The training that is asked for.
        split
            Folds of this network.

        Yields
        ------
        Plan
            Of a training whose time has come when it is asked for. All but the last only make the
            start of the next (`preliminary`).
        """
        yield plan

    def reset(self, seed: int) -> None:
        """Start anew: weights, dropout and optimiser depend on `seed` alone."""
        initialise(self.network, seed)
        for variable, start in zip(self._optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(start)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next epoch."""
        return float(self._optimizer.learning_rate.numpy())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._optimizer.learning_rate.assign(value)

    def state(self) -> list[NDArray[Any]]:
        """Copy everything that the next epoch depends on, in a fixed order.

        Weights, optimiser (moments, steps, learning rate) and the state of the dropout.
        """
        return [variable.numpy().copy() for variable in self._state_variables()]

    def restore(self, state: Sequence[NDArray[Any]]) -> None:
        """Go back to a :meth:`state` of an engine of the same settings."""
        for variable, value in zip(self._state_variables(), state, strict=True):
            variable.assign(value)

    def _state_variables(self) -> list[Any]:
        return [*self.network.body.variables, *self._optimizer.variables]

    def load(
        self, features: NDArray[np.float32], labels: NDArray[Any], weights: NDArray[Any]
    ) -> TensorEvents:
        """Standardise events once and keep them as tensors.

        Parameters
        ----------
        features
            Shape (n, f), raw features.
        labels, weights
            Shape (n,).
        """
        pieces = [
            self.network.standardise(features[start : start + _PREDICTION_BATCH])
            for start in range(0, len(features), _PREDICTION_BATCH)
        ]
        return TensorEvents(
            tf.concat(pieces, axis=0),
            tf.constant(labels.astype(np.float32)),
            tf.constant(weights.astype(np.float32)),
        )

    def train_epoch(self, events: TensorEvents, order: NDArray[np.int32]) -> float:
        """Run one epoch over the events in the order given.

        Parameters
        ----------
        events
            Training events.
        order
            Permutation of the n events, shape (n,).

        Returns
        -------
        float
            Mean over batches of the loss (Σ w·BCE / batch size), with dropout, without the penalty.
        """
        return float(self._epoch(events.inputs, events.labels, events.weights, order))

    def predict(self, events: TensorEvents) -> NDArray[np.float64]:
        """Score events without dropout: shape (n,), or (n, K) for K classes with names."""
        logits = self.logits(events)
        if not self.network.classes.softmax:
            return np.asarray(1.0 / (1.0 + np.exp(-logits)))
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def signal_logits(self, events: TensorEvents) -> NDArray[np.float64]:
        """Give the logits of the score of the signal, shape (n,), without dropout."""
        return np.asarray(signal_logit(self.logits(events), self.network.classes))

    def _columns(self, logits: Any) -> Any:
        """Give logits as losses take them: (b,) of one output, (b, K) of K classes."""
        return logits if self.network.classes.softmax else logits[:, 0]

    def logits(self, events: TensorEvents) -> NDArray[np.float64]:
        """Give the logits of the scores, shape (n,) or (n, K), without dropout."""
        inputs = events.inputs
        pieces = [
            self._logits(inputs[start : start + _PREDICTION_BATCH]).numpy()
            for start in range(0, inputs.shape[0], _PREDICTION_BATCH)
        ]
        return np.concatenate(pieces).astype(np.float64)

    def _run_epoch(self, inputs: Any, labels: Any, weights: Any, order: Any) -> Any:
        n = tf.size(order, out_type=tf.int64)
        # Batches of equal size (within one event), so that no small last batch gets a full step.
        steps = (n + self._batch_size - 1) // self._batch_size

        def one_step(step: Any, total: Any) -> tuple[Any, Any]:
            chosen = order[step * n // steps : (step + 1) * n // steps]
            loss = self._step(
                tf.gather(inputs, chosen), tf.gather(labels, chosen), tf.gather(weights, chosen)
            )
            return step + 1, total + loss

        _, total = tf.while_loop(
            lambda step, _: step < steps,
            one_step,
            (tf.constant(0, tf.int64), tf.constant(0.0)),
            parallel_iterations=1,
        )
        return total / tf.cast(steps, tf.float32)

    def _step(self, inputs: Any, labels: Any, weights: Any) -> Any:
        loss, gradients = self._differentiate(inputs, labels, weights)
        self._optimizer.apply(gradients, self.network.body.trainable_variables)
        return loss

    def _differentiate(self, inputs: Any, labels: Any, weights: Any) -> tuple[Any, list[Any]]:
        """Loss of a batch, and the gradient of it and the penalty."""
        body = self.network.body
        with tf.GradientTape() as tape:
            logits = self._columns(body(inputs, training=True))
            loss = self._loss(logits, labels, weights)
            penalised = tf.add_n([loss, *body.losses])
        return loss, tape.gradient(penalised, body.trainable_variables)


def signal_logit(logits: NDArray[np.float64], classes: Classes) -> NDArray[np.float64]:
    """Logit of the score of the signal: ln Σ e^z of its classes less that of the others.

    Parameters
    ----------
    logits
        Shape (n,), which is it already, or (n, K).
    classes
        What the columns are.
    """
    if not classes.softmax:
        return logits
    of_signal = np.isin(np.arange(len(classes)), classes.signal)
    parts = [np.logaddexp.reduce(logits[:, chosen], axis=1) for chosen in (of_signal, ~of_signal)]
    return np.asarray(parts[0] - parts[1])


def prepare_tensorflow(threads: int | None = None) -> None:
    """Make TensorFlow deterministic and set its threads, as far as it has not started yet.

    An operation has one thread: two are no faster for batches of a thousand events and layers of 64
    units, and networks of several folds are trained at the same time instead.

    Parameters
    ----------
    threads
        Threads for operations of different networks; none leaves the number as it was set before,
        one if it was not.
    """
    tf.config.experimental.enable_op_determinism()
    pools = tf.config.threading
    # it cannot be changed once TensorFlow runs in this process
    with contextlib.suppress(RuntimeError):
        pools.set_intra_op_parallelism_threads(1)
        pools.set_inter_op_parallelism_threads(
            threads or pools.get_inter_op_parallelism_threads() or 1
        )
    if pools.get_intra_op_parallelism_threads() != 1:
        logger.warning(
            "TensorFlow has %d threads within operations, not one (0: all cores): trainings may "
            "differ from their repetitions in the last bits",
            pools.get_intra_op_parallelism_threads(),
        )
