"""The gate on the final networks: training events must score as unseen ones do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.model import Overtraining
from taipan.nn import metrics
from taipan.nn.data import CLASSES, TrainingSet, split_folds
from taipan.nn.scorer import FoldScorer

logger = logging.getLogger(__name__)

_BINS = 20  # of the score histograms kept for plots
_ROC_POINTS = 101


@dataclass(frozen=True)
class Condition:
    """One test: passed, or its value is beyond the limit by `sigma` standard deviations."""

    name: str
    fold: int
    value: float
    limit: float
    sigma: float
    passed: bool

    def describe(self) -> str:
        """Say the condition in a few words."""
        relation = "within" if self.passed else "beyond"
        return (
            f"{self.name} of fold {self.fold} is {self.value:.4g}, {relation} the limit "
            f"{self.limit:g} ({self.sigma:.1f} sigma)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the entry of the verdict file."""
        return {
            "name": self.name,
            "fold": self.fold,
            "value": self.value,
            "limit": self.limit,
            "sigma": self.sigma,
            "passed": self.passed,
        }


@dataclass(frozen=True)
class _Part:
    """Scores (n,), labels (n,) and signed physical weights (n,) of one part of one fold."""

    scores: NDArray[np.float64]
    labels: NDArray[np.integer[Any]]
    weights: NDArray[np.float64]

    def of_class(self, label: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        chosen = self.labels == label
        return self.scores[chosen], self.weights[chosen]


def check_networks(
    training_set: TrainingSet,
    models: Sequence[Path | str],
    settings: Overtraining,
    threads: int = 1,
) -> dict[str, Any]:
    """Compare, for each network, the events it was trained on with the fold it never saw.

    Two tests a fold. The weighted Kolmogorov-Smirnov probability of each class must not be below
    `min_ks_probability`. AUC(training) - AUC(held out) fails if it exceeds `max_auc_gap` *and* is
    more than `min_sigma` standard deviations from zero: the ratio of two noisy numbers alone
    raises false alarms. Events that stopped the training early belong to neither side.

    Parameters
    ----------
    training_set
        The events of the training.
    models
        ONNX files of all folds.
    settings
        Section `overtraining` of the configuration.
    threads
        Threads of a network.

    Returns
    -------
    dict
        JSON-able verdict: `passed`, `action` (`on_failure`), `conditions`, and for plots
        `histograms` (Σw and Σw² normalised to Σw = 1), `roc` and `auc` of each fold.

    Raises
    ------
    TaipanError
        If the networks do not fit the training set (features, folds).
    """
    scorer = FoldScorer(models, training_set.names, threads)
    training_set.validate(scorer.folds)
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    conditions: list[Condition] = []
    folds: list[dict[str, Any]] = []
    for fold in range(scorer.folds):
        split = split_folds(training_set.folds, training_set.identifiers, fold, scorer.folds)
        parts = {
            name: _score(scorer, training_set, fold, mask)
            for name, mask in (("train", split.training), ("held_out", split.held_out))
        }
        tested, measured = _test_fold(fold, parts, settings)
        conditions += tested
        folds.append(
            {
                "fold": fold,
                "auc": {name: {"value": a.value, "sigma": a.sigma} for name, a in measured.items()},
                "histograms": {
                    class_name: {
                        name: _histogram(*part.of_class(label), edges)
                        for name, part in parts.items()
                    }
                    for label, class_name in enumerate(CLASSES)
                },
                "roc": {name: _roc(part) for name, part in parts.items()},
            }
        )
    failed = [condition for condition in conditions if not condition.passed]
    for condition in failed:
        logger.warning("overtraining: %s", condition.describe())
    logger.info("overtraining: %d of %d conditions failed", len(failed), len(conditions))
    return {
        "passed": not failed,
        "action": settings.on_failure,
        "limits": settings.model_dump(mode="json", exclude={"on_failure"}),
        "conditions": [condition.to_dict() for condition in conditions],
        "edges": edges.tolist(),
        "folds": folds,
    }


def failure_message(verdict: dict[str, Any]) -> str:
    """Say in one line which conditions of a verdict failed."""
    failed = [Condition(**item) for item in verdict["conditions"] if not item["passed"]]
    listed = "; ".join(condition.describe() for condition in failed)
    return f"overtraining.on_failure is 'stop' and {len(failed)} conditions failed: {listed}"


def _score(
    scorer: FoldScorer, training_set: TrainingSet, fold: int, mask: NDArray[np.bool_]
) -> _Part:
    scores = scorer.score_with(fold, training_set.features[mask]).astype(np.float64)
    return _Part(scores, training_set.labels[mask], training_set.weights[mask])


def _test_fold(
    fold: int, parts: dict[str, _Part], settings: Overtraining
) -> tuple[list[Condition], dict[str, metrics.Auc]]:
    conditions = []
    for label, class_name in enumerate(CLASSES):
        test = metrics.ks_test(*parts["train"].of_class(label), *parts["held_out"].of_class(label))
        conditions.append(
            Condition(
                name=f"ks_probability_{class_name}",
                fold=fold,
                value=test.probability,
                limit=settings.min_ks_probability,
                sigma=_significance(test.probability),
                passed=test.probability >= settings.min_ks_probability,
            )
        )
    measured = {
        name: metrics.auc_with_uncertainty(part.labels, part.scores, part.weights)
        for name, part in parts.items()
    }
    gap = measured["train"].value - measured["held_out"].value
    error = float(np.hypot(measured["train"].sigma, measured["held_out"].sigma))
    sigma = gap / error if error > 0.0 else 0.0
    conditions.append(
        Condition(
            name="auc_gap",
            fold=fold,
            value=gap,
            limit=settings.max_auc_gap,
            sigma=sigma,
            passed=gap <= settings.max_auc_gap or sigma <= settings.min_sigma,
        )
    )
    return conditions, measured


def _significance(probability: float) -> float:
    """One-sided Gaussian equivalent of a probability, 0 for one half or more."""
    smallest = 1e-300  # the quantile of 0 is infinite
    return max(0.0, -NormalDist().inv_cdf(min(max(probability, smallest), 0.5)))


def _histogram(
    scores: NDArray[np.float64], weights: NDArray[np.float64], edges: NDArray[np.float64]
) -> dict[str, list[float]]:
    total = float(weights.sum())
    sumw, _ = np.histogram(scores, edges, weights=weights)
    sumw2, _ = np.histogram(scores, edges, weights=weights**2)
    return {"sumw": (sumw / total).tolist(), "sumw2": (sumw2 / total**2).tolist()}


def _roc(part: _Part) -> dict[str, list[float]]:
    """Background efficiency on a grid of signal efficiencies: small enough to keep."""
    false_positive, true_positive, _ = metrics.roc_curve(part.labels, part.scores, part.weights)
    grid = np.linspace(0.0, 1.0, _ROC_POINTS)
    return {
        "signal_efficiency": grid.tolist(),
        "background_efficiency": np.interp(grid, true_positive, false_positive).tolist(),
    }
