"""Events that an adversary is shown: domains, signed weights and folds (no TensorFlow)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.errors import TaipanError

FloatArray = NDArray[np.float64]
_SMALLEST_BATCH = 256
FROM_SIMULATION, FROM_DATA = 0, 1
DOMAINS = ("simulation", "data")  # index = target
CONTROL_SAMPLE = "control_sample"


@dataclass(frozen=True)
class OpponentEvents:
    """Events of one opponent, in an order that depends on the events alone.

    Parameters
    ----------
    features
        Shape (n, f), float32, raw features of the network, NaN where a quantity is missing.
    targets
        Shape (n,): domain (1 data, 0 simulation), or the quantity to decorrelate from.
    weights
        Shape (n,), signed physical weights.
    folds
        Shape (n,), fold of each event in [0, k).
    identifiers
        Shape (n,), uint64, see :class:`~taipan.nn.data.TrainingSet`.
    conditions
        Shape (n, c), float32, quantities that the adversary sees besides the score.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.float32]
    weights: FloatArray
    folds: NDArray[np.integer[Any]]
    identifiers: NDArray[np.uint64]
    conditions: NDArray[np.float32]

    def __len__(self) -> int:
        """Give the number of events."""
        return len(self.targets)

    def take(self, rows: NDArray[Any]) -> OpponentEvents:
        """Give the events at `rows` (m,), in that order."""
        return OpponentEvents(
            *(getattr(self, name)[rows] for name in ("features", "targets", "weights")),
            *(getattr(self, name)[rows] for name in ("folds", "identifiers", "conditions")),
        )

    def ordered(self) -> OpponentEvents:
        """Give the events in an order that does not depend on the present one."""
        return self.take(np.lexsort((self.weights, self.targets, self.identifiers)))

    def digest(self) -> str:
        """Hash of everything."""
        found = hashlib.sha256()
        for values in (self.features, self.targets, self.weights, self.folds, self.conditions):
            found.update(np.ascontiguousarray(values).tobytes())
        return found.hexdigest()


@dataclass(frozen=True)
class Opponent:
    """One term of the loss that the score of some events must not depend on something.

    Parameters
    ----------
    name
        `control_sample`, or variable and region.
    method
        `domain`: an adversary of two classes; `adversary`: one of the deciles of a quantity;
        `disco`: distance correlation with a quantity.
    strength
        λ.
    events
        Events of all folds, in canonical order.
    neutral
        Columns of the features that the network is shown the mean of in place of the value.
    """

    name: str
    method: Literal["domain", "adversary", "disco"]
    strength: float
    events: OpponentEvents
    neutral: tuple[int, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Say what the record of a training says about it."""
        about: dict[str, Any] = {"name": self.name, "method": self.method, "λ": self.strength}
        if self.method == "domain":
            for domain, label in enumerate(DOMAINS):
                chosen = self.events.weights[self.events.targets == domain]
                about[label] = metrics.describe_weights(chosen)
        else:
            about["events"] = metrics.describe_weights(self.events.weights)
        return about


def balanced_weights(opponent: Opponent, folds: int) -> FloatArray:
    """Give the weights of an adversary's loss: equal totals in every fold.

    In each fold of n events the signed weights of either domain sum to n/2 (to n without domains),
    so that they match in every set of folds, and the loss is of the size of one event's.

    Parameters
    ----------
    opponent
        Name, method and events.
    folds
        Number of folds k.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float64, signed.

    Raises
    ------
    TaipanError
        If Σw of a domain is not positive in a fold; names domain, fold and Σw.
    """
    events = opponent.events
    weights = np.array(events.weights, dtype=np.float64)
    for fold in range(folds):
        here = events.folds == fold
        groups: Sequence[tuple[str, NDArray[np.bool_]]] = (("events", here),)
        if opponent.method == "domain":
            groups = [(name, here & (events.targets == i)) for i, name in enumerate(DOMAINS)]
        for name, chosen in groups:
            total = float(weights[chosen].sum())
            if not total > 0.0:
                raise TaipanError(
                    f"{opponent.name}: Σw of {name} is {total:.6g} in fold {fold} "
                    f"({int(chosen.sum())} events), must be positive"
                )
            weights[chosen] *= int(here.sum()) / len(groups) / total
    return weights


def check_disjoint(
    trained: NDArray[np.uint64], control: NDArray[np.uint64], dataset: str, region: str
) -> None:
    """Check that no event is both trained on and in the control sample.

    Parameters
    ----------
    trained, control
        Identifiers, shape (n,) and (m,), of events of the same dataset.
    dataset, region
        Names, for the message.

    Raises
    ------
    TaipanError
        If they have an event in common.
    """
    common = np.intersect1d(trained, control)
    if len(common):
        raise TaipanError(
            f"training.adversary.control_sample.region: {len(common)} events of {dataset} in "
            f"'{region}' are also trained on (the first has the hash {int(common[0]):#018x}); "
            "the control sample must be disjoint from the training events"
        )


def draw_batches(
    generator: np.random.Generator, events: int, steps: int, each: int, batch_size: int
) -> NDArray[np.int32]:
    """Draw the events of the batches of an epoch: as often each as they fit.

    The batches of one use go through permutations of the events; they hold
    events / steps of them, so that an epoch goes once through the events, but at least 256 (if
    there are as many) and at most `batch_size`.

    Parameters
    ----------
    generator
        Random numbers.
    events
        Number of events n.
    steps, each
        Steps of the network in the epoch, and uses in each.
    batch_size
        Largest batch.

    Returns
    -------
    numpy.ndarray
        Shape (steps, each, b), indices of events.
    """
    size = min(max(events // steps, min(_SMALLEST_BATCH, events)), batch_size)
    rounds = -(-steps * size // events)
    uses = [
        np.concatenate([generator.permutation(events) for _ in range(rounds)])[: steps * size]
        for _ in range(each)
    ]
    return np.stack(uses, axis=0).reshape(each, steps, size).transpose(1, 0, 2).astype(np.int32)
