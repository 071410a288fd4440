"""Which inputs matter: permutation importance and backward elimination (NumPy only)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.sections.input_selection import InputSelection
from taipan.errors import TaipanError
from taipan.nn.data import TrainingSet
from taipan.nn.scorer import FoldScorer
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)

Features = tuple[str, ...]
Evaluate = Callable[[Features], "Value"]
"""Loss of networks that see some of the features, with its error."""
Exchange = Callable[[NDArray[np.float32], Sequence[int], np.random.Generator], NDArray[np.float32]]
"""Features (n, f), columns and random numbers → features with other values in the columns."""
Rank = Callable[[Features], Mapping[str, float]]
"""Loss, for each of some features, when it is taken away from them."""


@dataclass(frozen=True)
class Value:
    """A mean over repeats and its standard deviation."""

    mean: float
    sigma: float


@dataclass(frozen=True)
class EliminationStep:
    """A set of the elimination: the input dropped last, those that are left, their loss."""

    dropped: str
    kept: Features
    value: Value


def mean_of(values: Sequence[float] | NDArray[np.float64]) -> Value:
    """Average repeats: mean and its standard deviation, std / √n.

    Parameters
    ----------
    values
        At least two.
    """
    array = np.asarray(values, dtype=np.float64)
    return Value(float(array.mean()), float(array.std(ddof=1) / np.sqrt(len(array))))


def permutation_importance(
    training_set: TrainingSet,
    scorer: FoldScorer,
    repeats: int,
    seed: int,
    exchange: Exchange | None = None,
) -> dict[str, Value]:
    """Loss of AUC when a feature of the held-out events is shuffled (Breiman, ML 45, 5).

    Each network is applied to the fold it never saw; the values of a feature, missing ones
    among them, are exchanged among the events of a fold. The error is that of the mean over folds
    and repeats.

    Parameters
    ----------
    training_set
        Events of all folds.
    scorer
        The networks.
    repeats
        Shuffles of each feature in each fold.
    seed
        Seed of the shuffles.
    exchange
        Exchanges values among events; :func:`shuffle` if None.

    Returns
    -------
    dict
        Feature → AUC - AUC(shuffled), in the order of the features.
    """
    folds = []
    for fold in range(scorer.folds):
        rows = np.flatnonzero(training_set.folds == fold)
        part = training_set.features[rows], training_set.labels[rows], training_set.weights[rows]
        folds.append((fold, *part, metrics.auc(part[1], scorer.score_with(fold, part[0]), part[2])))
    found = {}
    for column, name in enumerate(training_set.names):
        generator = np.random.default_rng(derive_seed(seed, "shuffle", name))
        losses = []
        for fold, features, labels, weights, whole in folds:
            for _ in range(repeats):
                shuffled = (exchange or shuffle)(features, [column], generator)
                area = metrics.auc(labels, scorer.score_with(fold, shuffled), weights)
                losses.append(whole - area)
        found[name] = mean_of(losses)
    return found


def shuffle(
    features: NDArray[np.float32], columns: Sequence[int], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Exchange the values of some columns among events, together, in a copy of (n, f)."""
    shuffled = features.copy()
    order = generator.permutation(len(features))
    shuffled[:, list(columns)] = features[order][:, list(columns)]
    return shuffled


def eliminate(
    features: Features, evaluate: Evaluate, rank: Rank, settings: InputSelection
) -> list[EliminationStep]:
    """Drop one feature after the other, each time the one that is missed least.

    Parameters
    ----------
    features
        The features to start from.
    evaluate, rank
        Loss of a set; losses of the sets without each one.
    settings
        `patience` and `max_sigma`.

    Returns
    -------
    list of EliminationStep
        The whole set first. Ends when one feature is left, or after `patience` sets in a row
        that are worse than the best by more than `max_sigma` standard deviations.
    """
    steps = [EliminationStep("", features, evaluate(features))]
    worse = 0
    while len(steps[-1].kept) > 1 and worse < settings.patience:
        kept = steps[-1].kept
        losses = rank(kept)
        dropped = min(kept, key=lambda name: (losses[name], kept.index(name)))
        left = tuple(name for name in kept if name != dropped)
        steps.append(EliminationStep(dropped, left, evaluate(left)))
        worse = 0 if _is_as_good(steps[-1], steps, settings) else worse + 1
        logger.info(
            "without %s: %.5f ± %.5f (%d left)",
            dropped,
            steps[-1].value.mean,
            steps[-1].value.sigma,
            len(left),
        )
    return steps


def choose_set(steps: Sequence[EliminationStep], settings: InputSelection) -> Features:
    """Choose the smallest set that is as good as the best one."""
    return [step for step in steps if _is_as_good(step, steps, settings)][-1].kept


def _is_as_good(
    step: EliminationStep, steps: Sequence[EliminationStep], settings: InputSelection
) -> bool:
    best = min(steps, key=lambda item: item.value.mean)
    error = float(np.hypot(step.value.sigma, best.value.sigma))
    return step.value.mean - best.value.mean <= settings.max_sigma * error


def describe_selection(
    steps: Sequence[EliminationStep], settings: InputSelection, metric: str
) -> dict[str, Any]:
    """Describe an elimination as the content of ``selection.json``."""
    return {
        "mode": settings.mode,
        "metric": metric,
        "chosen": list(choose_set(steps, settings)),
        "steps": [
            {
                "dropped": step.dropped,
                "kept": list(step.kept),
                "value": step.value.mean,
                "sigma": step.value.sigma,
            }
            for step in steps
        ],
    }


def check_features(features: Features) -> None:
    """Check that there is something to eliminate.

    Raises
    ------
    TaipanError
        If there are fewer than two features.
    """
    if len(features) < 2:
        raise TaipanError(f"input_selection: {len(features)} features; at least two are needed")
