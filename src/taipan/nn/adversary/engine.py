"""An epoch of a network and its adversaries as one compiled function.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from taipan.config.model import Training
from taipan.errors import TaipanError
from taipan.nn import metrics
from taipan.nn.adversary.events import Opponent, balanced_weights, draw_batches
from taipan.nn.adversary.monitor import decile_edges, divergence
from taipan.nn.adversary.networks import (
    DECILES,
    build_adversary,
    decile_loss,
    distance_correlation,
    domain_loss,
    make_optimizer,
    reverse_gradient,
    view_of,
)
from taipan.nn.conditions import Part
from taipan.nn.data import Split, split_folds
from taipan.nn.engine import Engine, Events
from taipan.nn.loop import OBJECTIVE
from taipan.nn.model import Network, initialise_layers
from taipan.seeds import derive_seed

_WORST_LOSS = 2.0  # of an adversary, in units of that of a guess
_LOSSES = {"domain": domain_loss, "adversary": decile_loss, "disco": distance_correlation}


@dataclass(frozen=True)
class _Loaded:
    """One opponent's events of a part: tensors for the epoch, arrays for its numbers."""

    tensors: tuple[Any, Any, Any, Any]  # inputs, targets, weights, conditions
    targets: NDArray[Any]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.targets)


class AdversarialEngine(Engine):
    """Compiled training of a network against adversaries.

    Parameters
    ----------
    network
        The network; its weights change.
    settings
        Section `training` of the configuration.
    opponents
        What it is trained against, in order.

    Attributes
    ----------
    opposed
        Whether the adversaries take part; if not, it is an :class:`~taipan.nn.engine.Engine`.
    """

    smallest_spread = 1e-3

    def __init__(self, network: Network, settings: Training, opponents: Sequence[Opponent]) -> None:
        super().__init__(network, settings)
        self.opposed = True
        self._settings = settings
        self._opponents: tuple[Opponent, ...] = ()
        self._weights: list[NDArray[np.float64]] = []
        self.face(opponents)
        self._view, width = view_of(network.body, settings.adversary)
        self._seed = 0
        self._trained = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._parts: dict[str, list[_Loaded]] = {}
        self._losses: list[float] = []
        self._adversaries = [
            None
            if item.method == "disco"
            else build_adversary(
                f"adversary_{index}",
                width + item.events.conditions.shape[1],
                1 if item.method == "domain" else DECILES,
                settings.adversary,
                settings.logit_bound,
            )
            for index, item in enumerate(opponents)
        ]
        models = [model for model in self._adversaries if model is not None]
        self._adversary_variables = [v for model in models for v in model.trainable_variables]
        self._adversary_optimizer = make_optimizer(settings.adversary)
        self._adversary_optimizer.build(self._adversary_variables)
        self._adversary_start = [v.numpy() for v in self._adversary_optimizer.variables]
        self._compile_opposed()

    def face(self, opponents: Sequence[Opponent]) -> None:
        """Take other opponents, of the same methods and numbers of conditions as before."""
        self._opponents = tuple(opponents)
        self._weights = [balanced_weights(item, self._settings.folds) for item in opponents]

    @property
    def active(self) -> bool:
        """Whether an opponent has a strength above 0: otherwise training is the plain one."""
        return any(item.strength > 0.0 for item in self._opponents)

    def identity(self) -> str:
        """Hash of all that the opponents' part of the training depends on."""
        found = hashlib.sha256()
        for item in self._opponents:
            found.update(f"{item.name} {item.method} {item.strength} {item.neutral}".encode())
            found.update(item.events.digest().encode())
        return found.hexdigest()

    def reset(self, seed: int) -> None:
        """Start anew: everything depends on `seed` alone."""
        super().reset(seed)
        self._seed = seed
        self.begin()

    def begin(self) -> None:
        """Give new weights to the adversaries and forget what the optimisers know."""
        for index, model in enumerate(self._adversaries):
            if model is not None:
                initialise_layers(model, derive_seed(self._seed, "adversary", index))
        for variable, start in (
            *zip(self._adversary_optimizer.variables, self._adversary_start, strict=True),
            *zip(self._optimizer.variables, self._optimizer_start, strict=True),
        ):
            variable.assign(start)
        self._trained.assign(0)

    def _state_variables(self) -> list[Any]:
        adversaries = [*self._adversary_variables, *self._adversary_optimizer.variables]
        return [*super()._state_variables(), *adversaries, self._trained]

    def oppose(self, split: Split) -> None:
        """Load the opponents' events for the network of one fold, after its standardisation.

        As for its other events: the fold itself is not looked at, the next one picks the epoch, the
        network and its adversaries are trained on the rest. With two folds, a part of the other
        one picks the epoch.
        """
        loaded = [
            self._load_opponent(item, weights, split)
            for item, weights in zip(self._opponents, self._weights, strict=True)
        ]
        self._parts = {
            "train": [train for train, _ in loaded],
            "validation": [validation for _, validation in loaded],
        }

    def train_epoch(self, events: Events, order: NDArray[np.int32]) -> float:
        """Run one epoch; see :meth:`taipan.nn.engine.Engine.train_epoch`."""
        if not self.opposed:
            return super().train_epoch(events, order)
        epoch = int(self._trained.numpy())
        parts = self._parts["train"]
        generator = np.random.default_rng(derive_seed(self._seed, "opponents", epoch))
        steps = -(-len(order) // self._batch_size)
        uses = self._settings.adversary.steps + (self._settings.adversary.mechanism != "reversal")
        batches = [
            tf.constant(draw_batches(generator, len(part), steps, uses, self._batch_size))
            for part in parts
        ]
        loss, losses = self._opposed_epoch(
            (events.inputs, events.labels, events.weights, tf.constant(order)),
            tf.constant(self._strengths(epoch), tf.float32),
            [part.tensors for part in parts],
            batches,
        )
        self._losses = [float(value) for value in losses.numpy()]
        self._trained.assign_add(1)
        return float(loss)

    def describe(self) -> str:
        """Say λ and the learning rates."""
        if not self.opposed:
            return ""
        strengths = ", ".join(f"{item.strength:g}" for item in self._opponents)
        own = float(self._adversary_optimizer.learning_rate.numpy())
        return (
            f" (λ = {strengths}, learning rate {self.learning_rate:g} of the network, {own:g} of "
            "the adversary)"
        )

    def measure(self, name: str, epoch: int, validation: Part) -> dict[str, float]:
        """Check the adversaries, and measure what they leave.

        Parameters
        ----------
        name, epoch
            Of the training and its epoch, for messages.
        validation
            Scores of the validation events.

        Returns
        -------
        dict
            `adversary_loss_NAME` (mean of the adversary's steps), `residual_NAME` (of the
            validation fold: divergence of the scores of the two domains; distance correlation),
            `strength_share` (of λ, in the warm-up below 1), `warming_up` (0 or 1) and
            `validation_objective`, the cross-entropy of the validation events plus Σ λ residual.

        Raises
        ------
        TaipanError
            If an adversary diverged or collapsed; names epoch, λ and learning rates.
        """
        if not self.opposed:
            return {}
        values: dict[str, float] = {}
        objective = _bce(validation)
        edges = decile_edges(validation)
        for index, item in enumerate(self._opponents):
            part = self._parts["validation"][index]
            self._check(index, part, name, epoch)
            logits = self._view_logits(part)
            weights = part.weights
            if item.method == "domain":
                weights = weights * np.exp(self._settings.adversary.emphasis * logits)
            residual = divergence(item.method, logits, part.targets, weights, edges)
            values[f"adversary_loss_{item.name}"] = self._losses[index]
            values[f"residual_{item.name}"] = residual
            objective += item.strength * residual
        share = self._share(int(self._trained.numpy()) - 1)
        values["strength_share"] = share
        if self.active:
            values["warming_up"] = float(share < 1.0)
            values[f"validation_{OBJECTIVE}"] = objective
        return values

    def _check(self, index: int, part: _Loaded, name: str, epoch: int) -> None:
        """Stop a training whose adversary says nothing any more."""
        item, model, loss = self._opponents[index], self._adversaries[index], self._losses[index]
        if model is None:
            if not math.isfinite(loss):
                raise TaipanError(
                    f"training of {name} diverged in epoch {epoch}: the distance correlation of "
                    f"{item.name} is {loss}{self.describe()}"
                )
            return
        guess = math.log(2.0 if item.method == "domain" else DECILES)
        if not math.isfinite(loss) or not -guess < loss < _WORST_LOSS * guess:
            raise TaipanError(
                f"training of {name}: the adversary of {item.name} diverged in epoch {epoch}: its "
                f"loss is {loss:.4g}, a guess has {guess:.4g}{self.describe()}"
            )
        answers = self._answers(index, part)
        spread = float(np.max(np.ptp(answers, axis=0)))
        if not spread > Engine.smallest_spread:
            raise TaipanError(
                f"training of {name}: the adversary of {item.name} collapsed in epoch {epoch}: its "
                f"answer is the same for all events (spread {spread:.3g}){self.describe()}"
            )

    def _share(self, epoch: int) -> float:
        """Share of λ in an epoch."""
        warmup = self._settings.adversary.warmup_epochs
        return min(epoch / warmup, 1.0) if warmup else 1.0

    def _strengths(self, epoch: int) -> list[float]:
        share = self._share(epoch)
        return [share * item.strength for item in self._opponents]

    def _view_logits(self, part: _Loaded) -> NDArray[np.float64]:
        return self.logits(Events(part.tensors[0], None, None))

    def _answers(self, index: int, part: _Loaded) -> NDArray[np.float64]:
        seen = self._view(part.tensors[0], training=False)[1]
        inputs = tf.concat([seen, part.tensors[3]], axis=1)
        model: Any = self._adversaries[index]
        return np.asarray(model(inputs, training=False), dtype=np.float64)

    def _load_opponent(
        self, item: Opponent, weights: NDArray[np.float64], split: Split
    ) -> tuple[_Loaded, _Loaded]:
        events = item.events
        parts = [np.flatnonzero(mask) for mask in split_like(split, item, self._settings.folds)]
        train = parts[0]
        features = np.array(events.features)
        columns = list(item.neutral)
        features[:, columns] = self.network.standardise.mean.numpy()[columns]
        targets = events.targets
        if item.method == "adversary":
            size = np.abs(weights[train])
            inner = np.arange(1, DECILES) / DECILES
            edges = np.quantile(targets[train], inner, weights=size, method="inverted_cdf")
            targets = np.searchsorted(edges, targets, side="right").astype(np.float32)
        elif item.method == "disco":
            targets = _standardised(targets[:, None], train)[:, 0]
        conditions = _standardised(events.conditions, train)
        loaded = []
        for rows in parts:
            tensors = self.load(features[rows], targets[rows], weights[rows])
            shown = (tensors.inputs, tensors.labels, tensors.weights, tf.constant(conditions[rows]))
            loaded.append(_Loaded(shown, targets[rows], weights[rows]))
        return loaded[0], loaded[1]

    def _compile_opposed(self) -> None:
        vector = tf.TensorSpec((None,), tf.float32)
        matrix = tf.TensorSpec((None, self.network.body.input_shape[1]), tf.float32)
        opponents = [
            (matrix, vector, vector, tf.TensorSpec((None, item.events.conditions.shape[1])))
            for item in self._opponents
        ]
        indices = [tf.TensorSpec((None, None, None), tf.int32)] * len(self._opponents)
        own = (matrix, vector, vector, tf.TensorSpec((None,), tf.int32))
        self._opposed_epoch = tf.function(
            self._run_opposed_epoch,
            input_signature=[own, vector, opponents, indices],
            autograph=False,
        )

    def _run_opposed_epoch(
        self, own: Any, strengths: Any, opponents: list[Any], batches: list[Any]
    ) -> Any:
        inputs, labels, weights, order = own
        n = tf.size(order, out_type=tf.int64)
        steps = (n + self._batch_size - 1) // self._batch_size

        def one_step(step: Any, total: Any, losses: Any) -> tuple[Any, Any, Any]:
            chosen = [batch[step] for batch in batches]
            before = self._train_adversaries(opponents, chosen)
            rows = order[step * n // steps : (step + 1) * n // steps]
            batch = [tf.gather(item, rows) for item in (inputs, labels, weights)]
            loss, after = self._opposed_step(batch, strengths, opponents, chosen)
            return step + 1, total + loss, losses + (after if before is None else before)

        count = len(self._opponents)
        _, total, losses = tf.while_loop(
            lambda step, *_: step < steps,
            one_step,
            (tf.constant(0, tf.int64), tf.constant(0.0), tf.zeros((count,))),
            parallel_iterations=1,
        )
        return total / tf.cast(steps, tf.float32), losses / tf.cast(steps, tf.float32)

    def _train_adversaries(self, opponents: list[Any], chosen: list[Any]) -> Any:
        """Take steps of the adversaries, the network frozen; their mean losses, None if none."""
        steps = self._settings.adversary.steps
        if self._settings.adversary.mechanism == "reversal":
            steps -= 1
        if not steps or not self._adversary_variables:
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
            gradients = tape.gradient(together, self._adversary_variables)
            self._adversary_optimizer.apply(gradients, self._adversary_variables)
            total += tf.stack(losses) / steps
        return total

    def _opposed_step(
        self, batch: list[Any], strengths: Any, opponents: list[Any], chosen: list[Any]
    ) -> tuple[Any, Any]:
        """Step of the network (by reversal of the adversaries too); its loss and theirs."""
        body = self.network.body
        together = self._settings.adversary.mechanism == "reversal"
        loss, gradients = self._differentiate(*batch)
        batches = [_take(events, rows[-1]) for events, rows in zip(opponents, chosen, strict=True)]
        with tf.GradientTape(persistent=True) as tape:
            losses, terms = [], []
            for index, (logit, seen) in enumerate(self._look(batches)):
                strength = strengths[index]
                # the adversary's own gradient stays its own: only what passes it is reversed
                pair = [logit, reverse_gradient(seen, strength)]
                losses.append(self._opponent_loss(index, pair, batches[index]))
                is_adversary = self._adversaries[index] is not None
                terms.append(losses[-1] if is_adversary else strength * losses[-1])
            penalty = tf.add_n(terms)
        pulled = tape.gradient(penalty, body.trainable_variables)
        own = tape.gradient(penalty, self._adversary_variables) if together else []
        sums = [a if b is None else a + b for a, b in zip(gradients, pulled, strict=True)]
        self._optimizer.apply(sums, body.trainable_variables)
        if own:
            self._adversary_optimizer.apply(own, self._adversary_variables)
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
        method, model = self._opponents[index].method, self._adversaries[index]
        if model is None:
            return _LOSSES[method](logit[:, 0], targets, weights)
        if method == "domain" and self._settings.adversary.emphasis:
            odds = tf.exp(self._settings.adversary.emphasis * tf.stop_gradient(logit[:, 0]))
            weights = weights * odds / tf.reduce_mean(odds)
        return _LOSSES[method](model(tf.concat([seen, conditions], axis=1)), targets, weights)


def split_like(
    split: Split, item: Opponent, folds: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Give the masks of an opponent's training and validation events for one network."""
    own = split_folds(item.events.folds, item.events.identifiers, split.fold, folds)
    return own.training, own.validation


def _take(events: Any, rows: Any) -> list[Any]:
    return [tf.gather(item, rows) for item in events]


def _standardised(values: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.float32]:
    """Columns with mean 0 and variance 1 in some rows; 0 where they are missing."""
    mean = np.nanmean(values[rows], axis=0)
    sigma = np.nanstd(values[rows], axis=0)
    scaled = (values - mean) / np.where(sigma > 0.0, sigma, 1.0)
    return np.asarray(np.nan_to_num(scaled), dtype=np.float32)


def _bce(part: Part) -> float:
    return metrics.bce(part.labels, part.scores, part.weights)
