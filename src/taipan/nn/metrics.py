"""Metrics of a classifier for events with signed weights (no TensorFlow).

A ratio of signed sums is an unbiased estimate of what the physical density gives, as long as the
sum of weights is positive; batch-wise means and the usual library AUC are not. Statistical
uncertainties scale with n_eff = (Σw)²/Σw².
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, kolmogorov

from taipan.errors import TaipanError

FloatArray = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]

_SMALLEST_SCORE = 1e-7  # distance kept from 0 and 1 in the logarithm, as Keras does
_ROUNDING = 1e-12  # relative change of a weight that is none


def _sum_of_weights(weights: Floats, what: str) -> float:
    total = float(np.sum(weights, dtype=np.float64))
    if not total > 0.0:
        raise TaipanError(f"sum of weights of {what} is {total:.6g}, must be positive")
    return total


def n_eff(weights: Floats) -> float:
    """Effective number of events, (Σw)²/Σw², of weights of shape (n,); 0 without events.

    For unit weights with a fraction r of negative signs it is n (1-2r)².
    """
    values = np.asarray(weights, dtype=np.float64)
    squares = float(np.sum(values**2))
    return float(np.sum(values)) ** 2 / squares if squares > 0.0 else 0.0


def negative_fraction(weights: Floats) -> float:
    """Share of events of negative weight among weights of shape (n,); 0 without events."""
    return float(np.mean(np.asarray(weights) < 0.0)) if len(weights) else 0.0


def describe_weights(weights: Floats) -> dict[str, Any]:
    """Give `events`, `sumw`, `n_eff` and `negative_fraction` of weights of shape (n,)."""
    return {
        "events": len(weights),
        "sumw": float(np.sum(weights, dtype=np.float64)),
        "n_eff": n_eff(weights),
        "negative_fraction": negative_fraction(weights),
    }


def bce(labels: Labels, scores: Floats, weights: Floats) -> float:
    """Binary cross-entropy, Σ w·(-ln p(label)) / Σw.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score in [0, 1], signed weight.

    Raises
    ------
    TaipanError
        If Σw is not positive.
    """
    total = _sum_of_weights(weights, "the events")
    p = np.clip(np.asarray(scores, dtype=np.float64), _SMALLEST_SCORE, 1.0 - _SMALLEST_SCORE)
    losses = -np.where(labels == 1, np.log(p), np.log1p(-p))
    return float(np.sum(weights * losses) / total)


def brier(labels: Labels, scores: Floats, weights: Floats) -> float:
    """Brier score, Σ w·(score - label)² / Σw: bounded whatever the signs of the weights.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score in [0, 1], signed weight.

    Raises
    ------
    TaipanError
        If Σw is not positive.
    """
    total = _sum_of_weights(weights, "the events")
    return float(np.sum(weights * (np.asarray(scores, dtype=np.float64) - labels) ** 2) / total)


def roc_curve(
    labels: Labels, scores: Floats, weights: Floats
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Monotone ROC curve for signed weights.

    Cumulative signed efficiencies from high to low scores may locally fall. The curve returned is
    the mean of their running maximum (from the left) and running minimum (from the right), cut to
    [0, 1]: monotone, treats signal and background alike, and equal to the usual curve where all
    weights are positive.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score, signed weight.

    Returns
    -------
    false_positive, true_positive, thresholds
        Shape (m + 1,) for m different scores; the first point is (0, 0) at threshold +inf.

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights.
    """
    values = np.asarray(scores, dtype=np.float64)
    unique, position = np.unique(values, return_inverse=True)
    efficiencies = []
    for label, what in enumerate(("background", "signal")):
        chosen = labels == label
        total = _sum_of_weights(weights[chosen], what)
        sums = np.bincount(position[chosen], weights[chosen], minlength=len(unique))
        efficiencies.append(_monotone(np.append(0.0, np.cumsum(sums[::-1]) / total)))
    return efficiencies[0], efficiencies[1], np.append(np.inf, unique[::-1])


def _monotone(curve: FloatArray) -> FloatArray:
    upper = np.maximum.accumulate(curve)
    lower = np.minimum.accumulate(curve[::-1])[::-1]
    return np.asarray(np.clip(0.5 * (upper + lower), 0.0, 1.0))


@dataclass(frozen=True)
class Auc:
    """Area under the ROC curve and its statistical uncertainty."""

    value: float
    sigma: float


def auc(labels: Labels, scores: Floats, weights: Floats) -> float:
    """Area under the ROC curve for signed weights.

    Probability that a signal event scores above a background event, ties counted half:
    Σ w_i w_j [θ(s_i - s_j) + ½ δ] / (Σw_i Σw_j). Bilinear in the signed weights, so it is unbiased
    where the area of a monotonised curve is not; it may leave [0, 1] when n_eff is small.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score, signed weight.

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights.
    """
    return _rank(labels, scores, weights).auc


@dataclass(frozen=True)
class _Ranked:
    """Events by score: `group` of equal scores of each, and per class the share below a group."""

    order: NDArray[np.intp]
    group: NDArray[np.intp]
    signal: NDArray[np.bool_]
    normalised: FloatArray
    below: tuple[FloatArray, FloatArray]
    auc: float


def _rank(labels: Labels, scores: Floats, weights: Floats) -> _Ranked:
    order = np.argsort(scores)
    ordered = scores[order]
    new_value = np.empty(len(order), dtype=bool)
    new_value[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new_value[1:])
    starts = np.flatnonzero(new_value)
    signal = labels[order] == 1
    normalised = np.asarray(weights, dtype=np.float64)[order]
    below, shares = [], []
    for chosen, what in ((~signal, "background"), (signal, "signal")):
        share = np.where(chosen, normalised, 0.0)
        share /= _sum_of_weights(share, what)
        shares.append(share)
        grouped = np.add.reduceat(share, starts)
        below.append(np.cumsum(grouped) - 0.5 * grouped)
    group = np.cumsum(new_value) - 1
    value = float(np.sum(shares[1] * below[0][group]))
    return _Ranked(order, group, signal, shares[0] + shares[1], (below[0], below[1]), value)


def auc_monotone(labels: Labels, scores: Floats, weights: Floats) -> float:
    """Area under the monotone curve of :func:`roc_curve`, by trapezoids.

    Always within [0, 1] and what a plotted curve shows. Equal to :func:`auc` where all weights are
    positive; with signs it is biased by the running extremes, by less the larger n_eff is.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score, signed weight.

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights.
    """
    false_positive, true_positive, _ = roc_curve(labels, scores, weights)
    return float(np.trapezoid(true_positive, false_positive))


def auc_with_uncertainty(labels: Labels, scores: Floats, weights: Floats) -> Auc:
    """Area under the ROC curve with its uncertainty for signed weights.

    Weighted form of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 837): with V_i the share of
    background below signal event i, the signal part of the variance is
    Σ w_i² (V_i - AUC)² / (Σw_i)², and likewise for the background. For unit weights of random
    sign it grows as 1/n_eff.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score, signed weight.

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights.
    """
    value, terms = auc_with_terms(labels, scores, weights)
    return Auc(value, math.sqrt(float(terms @ terms)))


def auc_with_terms(labels: Labels, scores: Floats, weights: Floats) -> tuple[float, FloatArray]:
    """Area under the ROC curve and by how much each event moves it.

    With V_i the share of the other class on the right side of event i, its term is
    w_i (V_i - AUC) / Σw of its class; Σ terms² is the variance of
    :func:`auc_with_uncertainty`.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score, signed weight.

    Returns
    -------
    value, terms
        The area, and shape (n,).

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights.
    """
    ranked = _rank(labels, scores, weights)
    placement = np.where(
        ranked.signal, ranked.below[0][ranked.group], 1.0 - ranked.below[1][ranked.group]
    )
    terms = np.empty(len(placement))
    terms[ranked.order] = ranked.normalised * (placement - ranked.auc)
    return ranked.auc, terms


@dataclass(frozen=True)
class TwoSample:
    """Result of a two-sample test: test statistic, probability, degrees of freedom (χ² only)."""

    statistic: float
    probability: float
    ndf: int = 0


def ks_test(scores_a: Floats, weights_a: Floats, scores_b: Floats, weights_b: Floats) -> TwoSample:
    """Kolmogorov-Smirnov test of two samples with signed weights.

    The statistic D is the largest distance of the two normalised signed cumulative sums. Its
    probability is Kolmogorov's with n = n_a n_b / (n_a + n_b), Stephens' correction
    D(√n + 0.12 + 0.11/√n) (J. R. Stat. Soc. B 32, 115), and for each sample the smaller of n_eff
    and 1/(4 max σ²), σ²(t) being the variance of its cumulative sum at t. The two agree if
    weights do not depend on the score; where they do, n_eff alone is too optimistic.

    Parameters
    ----------
    scores_a, weights_a, scores_b, weights_b
        Shape (n,) and (m,): scores and signed weights of the two samples.

    Raises
    ------
    TaipanError
        If the sum of weights of a sample is not positive.
    """
    points = np.unique(np.concatenate([scores_a, scores_b]))
    curves, sizes = [], []
    for scores, weights, what in (
        (scores_a, weights_a, "the first sample"),
        (scores_b, weights_b, "the second sample"),
    ):
        total = _sum_of_weights(weights, what)
        index = np.searchsorted(points, scores)
        curve = np.cumsum(np.bincount(index, weights, minlength=len(points))) / total
        squares = np.bincount(index, weights.astype(np.float64) ** 2, minlength=len(points))
        below = np.cumsum(squares) / total**2
        variance = (1.0 - 2.0 * curve) * below + curve**2 * below[-1]
        largest = float(variance.max())
        worst = 1.0 / (4.0 * largest) if largest > 0.0 else math.inf
        curves.append(curve)
        sizes.append(min(n_eff(weights), worst))
    distance = float(np.max(np.abs(curves[0] - curves[1])))
    root = math.sqrt(sizes[0] * sizes[1] / (sizes[0] + sizes[1]))
    return TwoSample(distance, float(kolmogorov(distance * (root + 0.12 + 0.11 / root))))


def chi2_test(sumw_a: Floats, variance_a: Floats, sumw_b: Floats, variance_b: Floats) -> TwoSample:
    """χ² test that two weighted histograms have the same shape.

    χ² = Σ (a_i/A - b_i/B)² / (σ²_ai/A² + σ²_bi/B²) with bins - 1 degrees of freedom; bins that are
    empty in both are left out (Gagunashvili, NIM A 614, 287).

    Parameters
    ----------
    sumw_a, variance_a, sumw_b, variance_b
        Shape (bins,): Σw and Σw² of each bin.

    Raises
    ------
    TaipanError
        If a histogram has no positive sum, or fewer than two bins are filled.
    """
    total_a = _sum_of_weights(sumw_a, "the first histogram")
    total_b = _sum_of_weights(sumw_b, "the second histogram")
    variance = variance_a / total_a**2 + variance_b / total_b**2
    filled = variance > 0.0
    ndf = int(filled.sum()) - 1
    if ndf < 1:
        raise TaipanError("χ² test: fewer than two bins are filled")
    difference = (sumw_a / total_a - sumw_b / total_b)[filled]
    value = float(np.sum(difference**2 / variance[filled]))
    return TwoSample(value, float(chdtrc(ndf, value)), ndf)


def paired_chi2_test(bins: Labels, before: Floats, after: Floats) -> TwoSample:
    """χ² test that other weights give the same events the same distribution.

    χ² = Σ_b (Σ_i d_i)² / Σ_i d_i² with d_i = before_i - after_i of the events of bin b: the events
    are the same, so only where a weight changed is there an uncertainty. If `after` is the mean of
    `before` given the features, each term is about one. One degree of freedom less than bins with
    a changed weight, because both sums are the same.

    Parameters
    ----------
    bins
        Shape (n,), index of the bin of each event.
    before, after
        Shape (n,), weights with the same sum.
    """
    change = np.asarray(before, dtype=np.float64) - after
    change[np.abs(change) <= _ROUNDING * np.abs(before)] = 0.0
    sums, squares = np.bincount(bins, change), np.bincount(bins, change**2)
    filled = squares > 0.0
    ndf = int(filled.sum()) - 1
    if ndf < 1:
        return TwoSample(0.0, 1.0, max(ndf, 0))
    value = float(np.sum(sums[filled] ** 2 / squares[filled]))
    return TwoSample(value, float(chdtrc(ndf, value)), ndf)


@dataclass(frozen=True)
class Calibration:
    """Score and truth in bins of the score; arrays of shape (bins,), NaN in empty bins."""

    score: FloatArray
    fraction: FloatArray
    sigma: FloatArray


def calibration(labels: Labels, scores: Floats, weights: Floats, edges: Floats) -> Calibration:
    """Compare the score with the signed share of signal in bins of the score.

    In a bin the share is f = S/(S + B), with signed sums S and B; its variance is
    [(1-f)² Σ_S w² + f² Σ_B w²] / (S + B)². The mean score has weights |w|: only its place on the
    axis matters.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score in [0, 1], signed weight.
    edges
        Shape (bins + 1,), increasing.
    """
    values = np.asarray(scores, dtype=np.float64)
    signed = np.asarray(weights, dtype=np.float64)
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)

    def sums(terms: Floats) -> FloatArray:
        return np.bincount(bins, terms, minlength=len(edges) - 1).astype(np.float64)

    is_signal = labels == 1
    with np.errstate(divide="ignore", invalid="ignore"):
        total = sums(signed)
        share = np.where(total > 0.0, sums(np.where(is_signal, signed, 0.0)) / total, np.nan)
        squares = [sums(np.where(chosen, signed, 0.0) ** 2) for chosen in (is_signal, ~is_signal)]
        sigma = np.sqrt((1.0 - share) ** 2 * squares[0] + share**2 * squares[1]) / total
        score = sums(np.abs(signed) * values) / sums(np.abs(signed))
    return Calibration(score, share, sigma)


def weighted_mean(values: Floats, weights: Floats) -> tuple[float, float]:
    """Mean Σ w·x / Σ w and its standard deviation √(Σ w² (x - mean)²) / Σ w.

    For values unrelated to the weights the standard deviation is their spread over √n_eff.

    Parameters
    ----------
    values, weights
        Shape (n,): values and signed weights.

    Raises
    ------
    TaipanError
        If Σw is not positive.
    """
    total = _sum_of_weights(weights, "the events")
    mean = float(np.sum(weights * values, dtype=np.float64)) / total
    return mean, math.sqrt(float(np.sum((weights * (values - mean)) ** 2))) / total


def normalised_histogram(
    scores: Floats, weights: Floats, edges: Floats
) -> tuple[FloatArray, FloatArray]:
    """Histogram Σw and Σw² of signed weights, normalised to Σw = 1 of all events.

    Parameters
    ----------
    scores, weights
        Shape (n,).
    edges
        Shape (bins + 1,).

    Returns
    -------
    sumw, sumw2
        Shape (bins,).

    Raises
    ------
    TaipanError
        If Σw is not positive.
    """
    total = _sum_of_weights(weights, "a class")
    sumw, _ = np.histogram(scores, edges, weights=weights)
    sumw2, _ = np.histogram(scores, edges, weights=weights**2)
    return sumw / total, sumw2 / total**2
