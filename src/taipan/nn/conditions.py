"""Overtraining conditions: a network better on its training events than on unseen ones.

A condition fires only if the ratio of a metric between the two parts *and* the significance of
their difference exceed its limits. The ratio alone compares two noisy numbers: for a classifier
that never saw either part it fires in a third of the splits of a few thousand events.

Events of one part may be harder than those of the other by chance, for every classifier and in
every epoch. A reference that is too simple to be overtrained measures that (control variate): the
difference of its own metric, times the slope of the network's terms on its terms, is subtracted,
and the error is that of the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.metrics.registry import EPOCH_METRICS
from taipan.nn.classes import BINARY, Classes

FloatArray = NDArray[np.float64]

HIGHER_IS_BETTER = frozenset(n for n, item in EPOCH_METRICS.items() if item.higher_is_better)
_SIGMA_MU_BINS = 10
_MIN_BIN_EVENTS = 5.0  # n_eff of the background in a bin of σ(μ), in either part


@dataclass(frozen=True)
class ScoredPart:
    """Scores of the events of one part.

    Parameters
    ----------
    scores, labels
        Shape (n,): score in [0, 1], 1 for signal and 0 for background. For K classes with names
        scores of shape (n, K) and the numbers of the classes.
    weights
        Shape (n,), signed; the classes in the proportion in which a loss counts them.
    totals
        Expected signal and background events at the analysed luminosity, whatever the share of
        them in this part; for σ(μ) alone. For classes with names those of each class.
    reference
        Shape (n,), scores by :func:`~taipan.nn.reference.fit_reference`, if there are any.
    reference_values
        Metrics of the reference found so far; parts of the same events may share it.
    classes
        What the labels stand for.
    """

    scores: FloatArray
    labels: NDArray[np.integer[Any]]
    weights: FloatArray
    totals: tuple[float, ...] = (1.0, 1.0)
    reference: FloatArray | None = None
    reference_values: dict[str, tuple[float, FloatArray]] = field(default_factory=dict)
    classes: Classes = BINARY

    def measure_reference(self, metric: str) -> tuple[float, FloatArray] | None:
        """Give a metric of the reference and by how much each event moves it."""
        if self.reference is None:
            return None
        if metric not in self.reference_values:
            self.reference_values[metric] = _measure(metric, self, self.reference)
        return self.reference_values[metric]

    def of_class(self, label: int) -> tuple[FloatArray, FloatArray]:
        """Give scores and weights of one class; with names its own score."""
        chosen = self.labels == label
        return self.classes.score_of(self.scores[chosen], label), self.weights[chosen]

    def of_kind(self, kind: int) -> tuple[FloatArray, FloatArray]:
        """Give the score of the signal and the weights of all signal (1) or background (0)."""
        chosen = self.classes.is_signal(self.labels) == kind
        return self.classes.signal_score(self.scores[chosen]), self.weights[chosen]


@dataclass(frozen=True)
class Comparison:
    """A metric of training and unseen events, and how far the unseen are the worse.

    `ratio` is above 1 and `sigma` above 0 if the unseen events are worse. `error` is the standard
    deviation of the difference, NaN for a Kolmogorov-Smirnov test. `offset` is what was subtracted
    from the unseen value.
    """

    metric: str
    train: float
    unseen: float
    ratio: float
    error: float
    sigma: float
    offset: float = 0.0

    def exceeds(self, condition: OvertrainingCondition) -> bool:
        """Tell whether both limits of a condition are exceeded."""
        return self.ratio > condition.max_ratio and self.sigma > condition.min_sigma


def compare_metric(metric: str, train: ScoredPart, unseen: ScoredPart) -> Comparison:
    """Compare a metric of training events with that of unseen ones.

    Parameters
    ----------
    metric
        A metric of :class:`~taipan.config.sections.overtraining.OvertrainingCondition`.
    train, unseen
        The two parts, with no event in common.

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights in a part.
    """
    if metric.startswith("ks_"):
        label = 1 if metric == "ks_signal" else 0
        test = metrics.ks_test(*train.of_kind(label), *unseen.of_kind(label))
        sigma = count_sigmas(test.probability)
        return Comparison(metric, 0.0, test.statistic, 1.0 + test.statistic, math.nan, sigma)
    if metric == "sigma_mu":
        (value, error), (other, other_error) = _sigma_mu(train, unseen)
        return compare_values(metric, value, other, math.hypot(error, other_error))
    (value, terms), (other, other_terms) = (
        _measure(metric, part, part.scores) for part in (train, unseen)
    )
    offset, residuals = 0.0, np.concatenate([terms, other_terms])
    seen, new = train.measure_reference(metric), unseen.measure_reference(metric)
    if seen is not None and new is not None:
        control = np.concatenate([seen[1], new[1]])
        slope = _dot(residuals, control) / max(_dot(control, control), 1e-300)
        offset, residuals = slope * (new[0] - seen[0]), residuals - slope * control
    return compare_values(metric, value, other, math.sqrt(_dot(residuals, residuals)), offset)


def _dot(a: FloatArray, b: FloatArray) -> float:
    """Σ a·b, summed in the same order for any number of threads."""
    return float(np.sum(a * b))


def compare_paired(metric: str, seen: ScoredPart, unseen: ScoredPart) -> Comparison:
    """Compare a metric of the same events, scored by one that saw them and one that did not.

    Parameters
    ----------
    metric
        A metric of :class:`~taipan.config.sections.overtraining.OvertrainingCondition`, not a
        test of Kolmogorov and Smirnov.
    seen, unseen
        The same events in the same order. The error is that of the events' differences; for σ(μ),
        which is no mean, as if the two were independent.

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights.
    """
    if metric == "sigma_mu":
        return compare_metric(metric, seen, unseen)
    (value, terms), (other, other_terms) = (
        _measure(metric, part, part.scores) for part in (seen, unseen)
    )
    change = other_terms - terms
    return compare_values(metric, value, other, math.sqrt(_dot(change, change)))


def measure_gain(metric: str, old: ScoredPart, new: ScoredPart) -> tuple[float, float]:
    """Tell by how much scores are better than others of the same events.

    Parameters
    ----------
    metric
        A metric that ranks trials (`tuning.objective`).
    old, new
        The same events in the same order with the scores of two classifiers.

    Returns
    -------
    gain, error
        Positive if `new` is better; its standard deviation (:func:`compare_paired`).

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights.
    """
    found = compare_paired(metric, new, old)
    gain = found.unseen - found.train
    return (-gain if metric in HIGHER_IS_BETTER else gain), found.error


def compare_values(
    metric: str, train: float, unseen: float, error: float, offset: float = 0.0
) -> Comparison:
    """Compare two values of a metric.

    Parameters
    ----------
    metric
        Name of the metric.
    train, unseen
        Its values.
    error
        Standard deviation of `unseen` - `train` - `offset`.
    offset
        Part of `unseen` - `train` that is due to the events, not to the training.
    """
    fair = unseen - offset
    worse, better = (train, fair) if metric in HIGHER_IS_BETTER else (fair, train)
    # A loss with signed weights may come out negative, where a ratio says nothing.
    ratio = worse / better if better > 0.0 else (math.inf if worse > better else 1.0)
    sigma = (worse - better) / error if error > 0.0 else 0.0
    return Comparison(metric, train, unseen, ratio, error, sigma, offset)


def find_fired(
    conditions: Sequence[OvertrainingCondition], train: ScoredPart, unseen: ScoredPart
) -> list[tuple[OvertrainingCondition, Comparison]]:
    """Give the conditions that fire, each with what it compared."""
    compared = [(item, compare_metric(item.metric, train, unseen)) for item in conditions]
    return [(item, comparison) for item, comparison in compared if comparison.exceeds(item)]


def count_sigmas(probability: float) -> float:
    """One-sided Gaussian equivalent of a probability, 0 for one half or more."""
    smallest = 1e-300  # the quantile of 0 is infinite
    return max(0.0, -NormalDist().inv_cdf(min(max(probability, smallest), 0.5)))


def _measure(metric: str, part: ScoredPart, scores: FloatArray) -> tuple[float, FloatArray]:
    """Give a metric of scores of a part, and by how much each event moves it."""
    return EPOCH_METRICS[metric].with_terms(part.labels, scores, part.weights)


def _sigma_mu(train: ScoredPart, unseen: ScoredPart) -> list[tuple[float, float]]:
    """Statistical σ(μ) of the binned score (:func:`~taipan.metrics.sigma_mu`), of both parts.

    Edges are quantiles of the signal of both parts; bins with few background events in a part are
    merged.
    """
    scores, weights = (
        np.concatenate([part.of_kind(1)[index] for part in (train, unseen)]) for index in (0, 1)
    )
    edges = metrics.quantile_edges(scores, weights, _SIGMA_MU_BINS)
    filled = [[_scaled(part, label, edges) for label in (1, 0)] for part in (train, unseen)]
    groups = metrics.merge_bins(filled, _MIN_BIN_EVENTS)
    return [
        metrics.sigma_mu(*(np.add.reduceat(h, groups, axis=1) for h in part)) for part in filled
    ]


def _scaled(part: ScoredPart, label: int, edges: FloatArray) -> FloatArray:
    """Σw and Σw² of the bins, shape (2, bins), for the expected signal (1) or background (0)."""
    if not part.classes.softmax:
        return _scale(part.of_class(label), part.totals[1 - label], edges)
    scores, labels = part.classes.signal_score(part.scores), part.labels
    members = [k for k in range(len(part.classes)) if (k in part.classes.signal) == bool(label)]
    filled = [
        _scale((scores[labels == k], part.weights[labels == k]), part.totals[k], edges)
        for k in members
    ]
    return np.asarray(np.sum(filled, axis=0))


def _scale(part: tuple[FloatArray, FloatArray], total: float, edges: FloatArray) -> FloatArray:
    sumw, sumw2 = metrics.normalised_histogram(*part, edges)
    return np.stack([sumw * total, sumw2 * total**2])
