"""The gate on the final networks: training events must score as unseen ones do."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.sections.overtraining import Overtraining
from taipan.nn.conditions import ScoredPart, compare_metric, count_sigmas
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.scorer import FoldScorer

logger = logging.getLogger(__name__)

_BINS = 20  # of the score histograms kept for plots
_ROC_POINTS = 101
_CHI2_BINS = 10
_LARGEST_RATIO = 1e6  # written for a ratio to a loss that signed weights make negative


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


def judge_overtraining(
    training_set: TrainingSet,
    models: Sequence[Path | str],
    settings: Overtraining,
    threads: int = 1,
) -> dict[str, Any]:
    """Compare, for each network, the events it was trained on with the fold it never saw.

    Tests of each fold: the conditions of `overtraining.conditions`; for each class the weighted
    Kolmogorov-Smirnov and χ² probabilities, not below `min_ks_probability` and
    `min_chi2_probability`; AUC(training) - AUC(held out), not above `max_auc_gap` *and* more than
    `min_sigma` standard deviations from zero: the ratio of two noisy numbers alone raises false
    alarms. Events that stopped the training early belong to neither side. With several networks a
    fold the training events are those that the most of them were trained on: all of the networks,
    or all but one where every other fold stops one.

    The reference of the conditions (:mod:`taipan.nn.conditions`), which measures by how much the
    held-out events are harder than those of the training, is the score of each event by the network
    that never saw it: the networks that are judged, without what they remember.

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
        `histograms` (Σw and Σw² normalised to Σw = 1), `roc`, `auc` and `gaps` (metric of
        training and held-out events, how far the latter are worse, and its σ) of each fold. Classes
        with names are judged each by its own score, and have `classes` (name → `auc` and `roc`
        against all others) and `confusion` (share of the held-out Σw of each class, a row, whose
        largest score is that of each class) besides.

    Raises
    ------
    TaipanError
        If the networks do not fit the training set (features, folds).
    """
    return check_scorer(training_set, FoldScorer(models, training_set.names, threads), settings)


def leave_out_overtraining(settings: Overtraining) -> dict[str, Any]:
    """Give the verdict on a classifier whose training events are not at hand: not applicable.

    Parameters
    ----------
    settings
        Section `overtraining` of the configuration.
    """
    reason = "the classifier was trained elsewhere, on events that are not at hand"
    logger.info("overtraining: not applicable, %s", reason)
    return {
        "passed": True,
        "action": settings.on_failure,
        "not_applicable": reason,
        "warnings": [f"overtraining is not judged: {reason}"],
        "limits": settings.model_dump(mode="json", exclude={"on_failure"}),
        "conditions": [],
        "folds": [],
    }


class FoldClassifiers(Protocol):
    """Classifiers of k folds, such as :class:`~taipan.nn.scorer.FoldScorer`."""

    folds: int
    networks: int  # of a fold

    def score_with(self, fold: int, features: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        """Score all events (n, f) by the classifier of one fold, shape (n,) or (n, K)."""

    def score(
        self, features: NDArray[np.float32], folds: NDArray[np.integer[Any]]
    ) -> NDArray[np.floating[Any]]:
        """Score each event (n, f) by the classifier of its fold (n,), shape (n,) or (n, K)."""


def check_scorer(
    training_set: TrainingSet, scorer: FoldClassifiers, settings: Overtraining
) -> dict[str, Any]:
    """Do what :func:`judge_overtraining` does with any classifiers that are trained in folds.

    Parameters
    ----------
    training_set, settings
        As there.
    scorer
        The classifiers, that of fold i trained on what the networks of fold i are trained on.

    Raises
    ------
    TaipanError
        If the training set is unusable.
    """
    training_set.validate(scorer.folds)
    where = training_set.folds, training_set.identifiers
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    weights = training_set.training_weights()
    unseen = scorer.score(training_set.features, training_set.folds).astype(np.float64)
    conditions: list[Condition] = []
    folds: list[dict[str, Any]] = []
    for fold in range(scorer.folds):
        splits = [
            split_folds(*where, fold, scorer.folds, turn) for turn in range(1, scorer.networks + 1)
        ]
        seen_by = np.sum([split.training for split in splits], axis=0)
        seen = seen_by == seen_by.max()
        parts = {
            name: _score(scorer, training_set, weights, fold, mask, unseen)
            for name, mask in (("train", seen), ("held_out", splits[0].held_out))
        }
        tested, measured, gaps = _test_fold(fold, parts, settings)
        conditions += tested
        folds.append(
            {
                "fold": fold,
                "auc": {name: {"value": a.value, "sigma": a.sigma} for name, a in measured.items()},
                "gaps": gaps,
                "histograms": {
                    class_name: {
                        name: _histogram(*part.of_class(label), edges)
                        for name, part in parts.items()
                    }
                    for label, class_name in enumerate(training_set.classes.names)
                },
                "roc": {name: _roc(part) for name, part in parts.items()},
                **_describe_classes(parts),
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


def describe_overtraining_failure(verdict: dict[str, Any]) -> str:
    """Say in one line which conditions of a verdict failed."""
    failed = [Condition(**item) for item in verdict["conditions"] if not item["passed"]]
    listed = "; ".join(condition.describe() for condition in failed)
    return f"overtraining.on_failure is 'stop' and {len(failed)} conditions failed: {listed}"


def _score(
    scorer: FoldClassifiers,
    training_set: TrainingSet,
    weights: NDArray[np.float64],
    fold: int,
    mask: NDArray[np.bool_],
    unseen: NDArray[np.float64],
) -> ScoredPart:
    scores = scorer.score_with(fold, training_set.features[mask]).astype(np.float64)
    totals = training_set.class_totals(np.ones(len(training_set), dtype=bool))
    labels, classes = training_set.labels[mask], training_set.classes
    return ScoredPart(scores, labels, weights[mask], totals, unseen[mask], classes=classes)


def _test_fold(
    fold: int, parts: dict[str, ScoredPart], settings: Overtraining
) -> tuple[list[Condition], dict[str, metrics.Auc], dict[str, dict[str, float]]]:
    conditions, gaps = _test_conditions(fold, parts, settings)
    for label, class_name in enumerate(parts["train"].classes.names):
        train, held_out = (parts[name].of_class(label) for name in ("train", "held_out"))
        for name, test, limit in (
            ("ks", metrics.ks_test(*train, *held_out), settings.min_ks_probability),
            ("chi2", _compare_histograms(train, held_out), settings.min_chi2_probability),
        ):
            conditions.append(
                Condition(
                    name=f"{name}_probability_{class_name}",
                    fold=fold,
                    value=test.probability,
                    limit=limit,
                    sigma=count_sigmas(test.probability),
                    passed=test.probability >= limit,
                )
            )
    measured = {
        name: metrics.auc_with_uncertainty(part.labels, part.scores, part.weights)
        for name, part in parts.items()
    }
    conditions.append(_test_gap("auc_gap", fold, measured, settings))
    for name, areas in _class_areas(parts).items():
        conditions.append(_test_gap(f"auc_gap_{name}", fold, areas, settings))
    return conditions, measured, gaps


def _test_gap(
    name: str, fold: int, areas: Mapping[str, metrics.Auc], settings: Overtraining
) -> Condition:
    gap = areas["train"].value - areas["held_out"].value
    error = float(np.hypot(areas["train"].sigma, areas["held_out"].sigma))
    sigma = gap / error if error > 0.0 else 0.0
    return Condition(
        name=name,
        fold=fold,
        value=gap,
        limit=settings.max_auc_gap,
        sigma=sigma,
        passed=gap <= settings.max_auc_gap or sigma <= settings.min_sigma,
    )


def _against_others(part: ScoredPart, label: int) -> ScoredPart:
    """Take one class for the signal, with its own score, and all others for the background."""
    labels = (part.labels == label).astype(np.int64)
    return ScoredPart(part.scores[:, label], labels, part.weights)


def _class_areas(parts: Mapping[str, ScoredPart]) -> dict[str, dict[str, metrics.Auc]]:
    """Class with a name → area of each part, against all others; nothing without names."""
    classes = parts["train"].classes
    found: dict[str, dict[str, metrics.Auc]] = {}
    for label, class_name in enumerate(classes.names if classes.softmax else ()):
        pairs = {name: _against_others(part, label) for name, part in parts.items()}
        found[class_name] = {
            name: metrics.auc_with_uncertainty(part.labels, part.scores, part.weights)
            for name, part in pairs.items()
        }
    return found


def _describe_classes(parts: Mapping[str, ScoredPart]) -> dict[str, Any]:
    """Give area and ROC curve of each class with a name, and where its events end up."""
    classes = parts["train"].classes
    if not classes.softmax:
        return {}
    areas, held_out = _class_areas(parts), parts["held_out"]
    largest = np.argmax(held_out.scores, axis=1)
    confusion = []
    for label in range(len(classes)):
        chosen = held_out.labels == label
        sums = np.bincount(largest[chosen], held_out.weights[chosen], minlength=len(classes))
        confusion.append((sums / sums.sum()).tolist())
    return {
        "classes": {
            class_name: {
                "auc": {name: asdict(area) for name, area in areas[class_name].items()},
                "roc": {name: _roc(_against_others(part, label)) for name, part in parts.items()},
            }
            for label, class_name in enumerate(classes.names)
        },
        "confusion": confusion,
    }


def _test_conditions(
    fold: int, parts: dict[str, ScoredPart], settings: Overtraining
) -> tuple[list[Condition], dict[str, dict[str, float]]]:
    """Test the conditions that held for every epoch; measure the gap of their metrics."""
    conditions: list[Condition] = []
    gaps: dict[str, dict[str, float]] = {}
    for item in settings.conditions:
        found = compare_metric(item.metric, parts["train"], parts["held_out"])
        conditions.append(
            Condition(
                name=f"{item.metric}_ratio",
                fold=fold,
                value=min(found.ratio, _LARGEST_RATIO),
                limit=item.max_ratio,
                sigma=found.sigma,
                passed=not found.exceeds(item),
            )
        )
        if np.isfinite(found.error):
            gap = found.sigma * found.error
            gaps[str(item.metric)] = {
                "train": found.train,
                "held_out": found.unseen,
                "offset": found.offset,
                "gap": gap,
                "sigma": found.error,
            }
    return conditions, gaps


def _compare_histograms(
    train: tuple[NDArray[np.float64], NDArray[np.float64]],
    held_out: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> metrics.TwoSample:
    """χ² of histograms whose bins hold equal shares of the events of both."""
    scores = np.concatenate([train[0], held_out[0]])
    inner = np.unique(np.quantile(scores, np.linspace(0.0, 1.0, _CHI2_BINS + 1)[1:-1]))
    edges = np.concatenate([[-np.inf], inner, [np.inf]])
    filled = [metrics.normalised_histogram(*part, edges) for part in (train, held_out)]
    return metrics.chi2_test(*filled[0], *filled[1])


def _histogram(
    scores: NDArray[np.float64], weights: NDArray[np.float64], edges: NDArray[np.float64]
) -> dict[str, list[float]]:
    sumw, sumw2 = metrics.normalised_histogram(scores, weights, edges)
    return {"sumw": sumw.tolist(), "sumw2": sumw2.tolist()}


def _roc(part: ScoredPart) -> dict[str, list[float]]:
    """Background efficiency on a grid of signal efficiencies: small enough to keep."""
    labels, scores = part.classes.is_signal(part.labels), part.classes.signal_score(part.scores)
    false_positive, true_positive, _ = metrics.roc_curve(labels, scores, part.weights)
    grid = np.linspace(0.0, 1.0, _ROC_POINTS)
    return {
        "signal_efficiency": grid.tolist(),
        "background_efficiency": np.interp(grid, true_positive, false_positive).tolist(),
    }
