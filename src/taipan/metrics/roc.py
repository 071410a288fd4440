"""ROC curve and the area under it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taipan.metrics.weights import FloatArray, Labels, Reals, sum_of_weights


def roc_curve(
    labels: Labels, scores: Reals, weights: Reals
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
        total = sum_of_weights(weights[chosen], what)
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


def auc(labels: Labels, scores: Reals, weights: Reals) -> float:
    """Area under the ROC curve for signed weights.

    Probability that a signal event scores above a background event, ties counted half:
    Σ w_i w_j [θ(s_i - s_j) + ½ δ] / (Σw_i Σw_j). Bilinear in the signed weights, so it is unbiased
    where the area of a monotonised curve is not; it may leave [0, 1] when n_eff is small. For
    scores of K classes it is the mean of the areas of each class against all others.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score, signed weight. Scores of K classes have shape (n, K).

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights.
    """
    if np.ndim(scores) == 2:
        classes = range(np.shape(scores)[1])
        areas = [auc((labels == k).astype(np.int64), scores[:, k], weights) for k in classes]
        return float(np.mean(areas))
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


def _rank(labels: Labels, scores: Reals, weights: Reals) -> _Ranked:
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
        share /= sum_of_weights(share, what)
        shares.append(share)
        grouped = np.add.reduceat(share, starts)
        below.append(np.cumsum(grouped) - 0.5 * grouped)
    group = np.cumsum(new_value) - 1
    value = float(np.sum(shares[1] * below[0][group]))
    return _Ranked(order, group, signal, shares[0] + shares[1], (below[0], below[1]), value)


def auc_monotone(labels: Labels, scores: Reals, weights: Reals) -> float:
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


def auc_with_uncertainty(labels: Labels, scores: Reals, weights: Reals) -> Auc:
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


def auc_with_terms(labels: Labels, scores: Reals, weights: Reals) -> tuple[float, FloatArray]:
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
    if np.ndim(scores) == 2:
        classes = range(np.shape(scores)[1])
        found = [
            auc_with_terms((labels == k).astype(np.int64), scores[:, k], weights) for k in classes
        ]
        mean = np.mean([moves for _, moves in found], axis=0)
        return float(np.mean([area for area, _ in found])), np.asarray(mean)
    ranked = _rank(labels, scores, weights)
    placement = np.where(
        ranked.signal, ranked.below[0][ranked.group], 1.0 - ranked.below[1][ranked.group]
    )
    terms = np.empty(len(placement))
    terms[ranked.order] = ranked.normalised * (placement - ranked.auc)
    return ranked.auc, terms
