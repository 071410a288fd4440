"""The compiled epoch of a network and its opponents.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from taipan.config.sections.adversary import Adversary
from taipan.config.sections.training import Training
from taipan.nn.adversary.events import Opponent
from taipan.nn.adversary.networks import (
    DECILES,
    batch_distance_correlation,
    build_adversary,
    decile_loss,
    domain_loss,
    make_optimizer,
    reverse_gradient,
    scalar_logit,
    view_of,
)
from taipan.nn.model import Network, initialise_layers
from taipan.seeds import derive_seed

_LOSSES = {"domain": domain_loss, "adversary": decile_loss, "disco": batch_distance_correlation}


class Duel:
    """Adversaries of a network, their optimiser, and the steps of both.

    Parameters
    ----------
    network
        The network; its body maps standardised inputs to logits.
    settings
        Section `training` of the configuration.
    opponents
        Their methods and numbers of conditions; the events are handed to each epoch.
    differentiate
        Batch of (inputs, labels, weights) → loss of the network and its gradient.
    optimizer
        Of the network.

    Attributes
    ----------
    adversaries
        A model for each opponent, None for a distance correlation.
    """

    def __init__(
        self,
        network: Network,
        settings: Training,
        opponents: Sequence[Opponent],
        differentiate: Callable[..., tuple[Any, list[Any]]],
        optimizer: Any,
    ) -> None:
        body, self._classes = network.body, network.classes
        self._body = body
        self._batch_size = settings.batch_size
        self._settings: Adversary = settings.adversary
        self._differentiate = differentiate
        self._main_optimizer = optimizer
        self._methods = [item.method for item in opponents]
        conditions = [item.events.conditions.shape[1] for item in opponents]
        self._view, width = view_of(body, settings.adversary)
        self.adversaries: list[Any] = [
            None
            if item.method == "disco"
            else build_adversary(
                f"adversary_{index}",
                width + conditions[index],
                1 if item.method == "domain" else DECILES,
                settings.adversary,
                settings.logit_bound,
            )
            for index, item in enumerate(opponents)
        ]
        models = [model for model in self.adversaries if model is not None]
        self._trained_variables = [v for model in models for v in model.trainable_variables]
        self.optimizer: keras.optimizers.Optimizer = make_optimizer(settings.adversary)
        self.optimizer.build(self._trained_variables)
        self._optimizer_start = [v.numpy() for v in self.optimizer.variables]
        self.epoch = self._compile(conditions)

    @property
    def variables(self) -> list[Any]:
        """All that the next epoch depends on, besides the network."""
        return [*self._trained_variables, *self.optimizer.variables]

    def reset(self, seed: int) -> None:
        """Give the adversaries new weights, and forget what their optimiser knows."""
        for index, model in enumerate(self.adversaries):
            if model is not None:
                initialise_layers(model, derive_seed(seed, "adversary", index))
        for variable, start in zip(self.optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(start)

    def answers(self, index: int, inputs: Any, conditions: Any) -> NDArray[np.float64]:
        """Give the logits of an adversary, shape (n, outputs), for standardised inputs."""
        seen = self._view(inputs, training=False)[1]
        model = self.adversaries[index]
        found = model(tf.concat([seen, conditions], axis=1), training=False)
        return np.asarray(found, dtype=np.float64)

    def _compile(self, conditions: Sequence[int]) -> Any:
        vector = tf.TensorSpec((None,), tf.float32)
        matrix = tf.TensorSpec((None, self._body.input_shape[1]), tf.float32)
        opponents = [
            (matrix, vector, vector, tf.TensorSpec((None, count), tf.float32))
            for count in conditions
        ]
        indices = [tf.TensorSpec((None, None, None), tf.int32)] * len(conditions)
        own = (matrix, vector, vector, tf.TensorSpec((None,), tf.int32))
        return tf.function(
            self._run_epoch,
            input_signature=[own, vector, opponents, indices],
            autograph=False,
        )

    def _run_epoch(self, own: Any, strengths: Any, opponents: list[Any], batches: list[Any]) -> Any:
        inputs, labels, weights, order = own
        n = tf.size(order, out_type=tf.int64)
        steps = (n + self._batch_size - 1) // self._batch_size

        def one_step(step: Any, total: Any, losses: Any) -> tuple[Any, Any, Any]:
            chosen = [batch[step] for batch in batches]
            before = self._train_adversaries(opponents, chosen)
            rows = order[step * n // steps : (step + 1) * n // steps]
            batch = [tf.gather(item, rows) for item in (inputs, labels, weights)]
            loss, after = self._step(batch, strengths, opponents, chosen)
            return step + 1, total + loss, losses + (after if before is None else before)

        count = len(self._methods)
        _, total, losses = tf.while_loop(
            lambda step, *_: step < steps,
            one_step,
            (tf.constant(0, tf.int64), tf.constant(0.0), tf.zeros((count,))),
            parallel_iterations=1,
        )
        return total / tf.cast(steps, tf.float32), losses / tf.cast(steps, tf.float32)

    def _train_adversaries(self, opponents: list[Any], chosen: list[Any]) -> Any:
        """Take steps of the adversaries, the network frozen; their mean losses, None if none."""
        steps = self._settings.steps
        if self._settings.mechanism == "reversal":
            steps -= 1
        if not steps or not self._trained_variables:
            return None
        batches = [
            _take(events, tf.reshape(rows[:steps], [-1]))
            for events, rows in zip(opponents, chosen, strict=True)
        ]
        seen = [[tf.stop_gradient(x) for x in pair] for pair in self._look(batches)]
        sizes = [tf.shape(rows)[1] for rows in chosen]
        total = tf.zeros((len(opponents),))
        for step in range(steps):
            slices = [slice(step * size, (step + 1) * size) for size in sizes]
            with tf.GradientTape() as tape:
                losses = [
                    self._opponent_loss(
                        index, *([x[part] for x in item[index]] for item in (seen, batches))
                    )
                    for index, part in enumerate(slices)
                ]
                together = tf.add_n(losses)
            gradients = tape.gradient(together, self._trained_variables)
            self.optimizer.apply(gradients, self._trained_variables)
            total += tf.stack(losses) / steps
        return total

    def _step(
        self, batch: list[Any], strengths: Any, opponents: list[Any], chosen: list[Any]
    ) -> tuple[Any, Any]:
        """Step of the network (by reversal of the adversaries too); its loss and theirs."""
        together = self._settings.mechanism == "reversal"
        loss, gradients = self._differentiate(*batch)
        batches = [_take(events, rows[-1]) for events, rows in zip(opponents, chosen, strict=True)]
        with tf.GradientTape(persistent=True) as tape:
            losses, terms = [], []
            for index, (logit, seen) in enumerate(self._look(batches)):
                strength = strengths[index]
                # the adversary's own gradient stays its own: only what passes it is reversed
                pair = [logit, reverse_gradient(seen, strength)]
                losses.append(self._opponent_loss(index, pair, batches[index]))
                is_adversary = self.adversaries[index] is not None
                terms.append(losses[-1] if is_adversary else strength * losses[-1])
            penalty = tf.add_n(terms)
        pulled = tape.gradient(penalty, self._body.trainable_variables)
        own = tape.gradient(penalty, self._trained_variables) if together else []
        sums = [a if b is None else a + b for a, b in zip(gradients, pulled, strict=True)]
        self._main_optimizer.apply(sums, self._body.trainable_variables)
        if own:
            self.optimizer.apply(own, self._trained_variables)
        return loss, tf.stack(losses)

    def _look(self, batches: list[Any]) -> list[Any]:
        """Give what opponents see of batches: one pass through the network, without dropout."""
        inputs = tf.concat([batch[0] for batch in batches], axis=0)
        sizes = [tf.shape(batch[0])[0] for batch in batches]
        logits, seen = (tf.split(item, sizes) for item in self._view(inputs, training=False))
        return list(zip(logits, seen, strict=True))

    def _opponent_loss(self, index: int, pair: list[Any], batch: list[Any]) -> Any:
        logit, seen = pair
        _, targets, weights, conditions = batch
        method, model = self._methods[index], self.adversaries[index]
        if model is None:
            return _LOSSES[method](scalar_logit(logit, self._classes), targets, weights)
        if method == "domain" and self._settings.emphasis:
            odds = tf.exp(
                self._settings.emphasis * tf.stop_gradient(scalar_logit(logit, self._classes))
            )
            weights = weights * odds / tf.reduce_mean(odds)
        return _LOSSES[method](model(tf.concat([seen, conditions], axis=1)), targets, weights)


def _take(events: Any, rows: Any) -> list[Any]:
    return [tf.gather(item, rows) for item in events]
