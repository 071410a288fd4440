"""An epoch of a network and its adversaries as one compiled function.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.adversary.duel import Duel
from taipan.nn.adversary.events import Opponent, balanced_weights, draw_batches
from taipan.nn.adversary.loaded import LoadedOpponent, load_opponent
from taipan.nn.adversary.monitor import decile_edges, divergence
from taipan.nn.adversary.networks import DECILES
from taipan.nn.conditions import ScoredPart
from taipan.nn.data import Split
from taipan.nn.engine import Engine
from taipan.nn.model import Network
from taipan.nn.plan import OBJECTIVE, Plan, TensorEvents
from taipan.seeds import derive_seed

_WORST_LOSS = 2.0  # of an adversary, in units of that of a guess


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
        self._seed = 0
        self._trained = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._parts: dict[str, list[LoadedOpponent]] = {}
        self._losses: list[float] = []
        self.duel = Duel(network, settings, opponents, self._differentiate, self._optimizer)

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
        self.duel.reset(self._seed)
        for variable, start in zip(self._optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(start)
        self._trained.assign(0)

    def _state_variables(self) -> list[Any]:
        return [*super()._state_variables(), *self.duel.variables, self._trained]

    def oppose(self, split: Split) -> None:
        """Load the opponents' events for the network of one fold, after its standardisation.

        As for its other events: the fold itself is not looked at, the one that stops the network
        picks the epoch, network and adversaries are trained on the rest. With two folds, a part of
        the other one picks the epoch.
        """
        loaded = [
            load_opponent(self, item, weights, split, self._settings.folds)
            for item, weights in zip(self._opponents, self._weights, strict=True)
        ]
        self._parts = {
            "train": [train for train, _ in loaded],
            "validation": [validation for _, validation in loaded],
        }

    def trainings(self, plan: Plan, split: Split) -> Iterator[Plan]:
        """Give the training against the opponents, and before it one without where it is wanted.

        With every λ at 0 the result is bit for bit that of the plain training.
        """
        self.oppose(split)
        settings = plan.settings
        if settings.adversary.start == "baseline" and self.active:
            self.opposed = False
            epochs = min(settings.epochs, settings.adversary.pretraining_epochs)
            yield replace(
                plan,
                name=f"{plan.name} without adversary",
                settings=settings.model_copy(update={"epochs": epochs}),
                preliminary=True,
            )
            self.begin()
        self.opposed = True
        yield replace(
            plan,
            metric=OBJECTIVE if self.active else plan.metric,
            identity=f"{plan.identity} {self.identity()}".lstrip(),
        )

    def train_epoch(self, events: TensorEvents, order: NDArray[np.int32]) -> float:
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
        loss, losses = self.duel.epoch(
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
        own = float(self.duel.optimizer.learning_rate.numpy())
        return (
            f" (λ = {strengths}, learning rate {self.learning_rate:g} of the network, {own:g} of "
            "the adversary)"
        )

    def measure(self, name: str, epoch: int, validation: ScoredPart) -> dict[str, float]:
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
            residual = self._residual(index, part, edges)
            values[f"adversary_loss_{item.name}"] = self._losses[index]
            values[f"residual_{item.name}"] = residual
            objective += item.strength * residual
        share = self._share(int(self._trained.numpy()) - 1)
        values["strength_share"] = share
        if self.active:
            values["warming_up"] = float(share < 1.0)
            values[f"validation_{OBJECTIVE}"] = objective
        return values

    def _residual(self, index: int, part: LoadedOpponent, edges: NDArray[np.float64]) -> float:
        """Measure what is left in the validation fold, in bins of the score."""
        item = self._opponents[index]
        logits = self._view_logits(part)
        weights = part.weights
        if item.method == "domain":
            weights = weights * np.exp(self._settings.adversary.emphasis * logits)
        return divergence(item.method, logits, part.targets, weights, edges)

    def _check(self, index: int, part: LoadedOpponent, name: str, epoch: int) -> None:
        """Stop a training whose adversary says nothing any more."""
        item, loss = self._opponents[index], self._losses[index]
        if self.duel.adversaries[index] is None:
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
        answers = self.duel.answers(index, part.tensors[0], part.tensors[3])
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

    def _view_logits(self, part: LoadedOpponent) -> NDArray[np.float64]:
        return self.signal_logits(TensorEvents(part.tensors[0], None, None))


def _bce(part: ScoredPart) -> float:
    return metrics.bce(part.labels, part.scores, part.weights)
