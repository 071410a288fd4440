"""Losses of a score in [0, 1], and its calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taipan.metrics.weights import (
    FloatArray,
    Labels,
    Reals,
    mean_with_terms,
    sum_of_weights,
)

_SMALLEST_SCORE = 1e-7  # distance kept from 0 and 1 in the logarithm, as Keras does


def bce_losses(labels: Labels, scores: Reals) -> FloatArray:
    """Cross-entropy -ln p(label) of each event, shape (n,).

    Scores of K classes have shape (n, K); labels then are the numbers of the classes.
    """
    if np.ndim(scores) == 2:
        own = np.asarray(scores, dtype=np.float64)[np.arange(len(labels)), labels]
        return -np.log(np.clip(own, _SMALLEST_SCORE, 1.0))
    p = np.clip(np.asarray(scores, dtype=np.float64), _SMALLEST_SCORE, 1.0 - _SMALLEST_SCORE)
    return -np.where(labels == 1, np.log(p), np.log1p(-p))


def brier_losses(labels: Labels, scores: Reals) -> FloatArray:
    """Squared distance (score - label)² of each event, shape (n,).

    For scores (n, K) of K classes it is the sum over them, Σ (score - 1 of the own class)², which
    for two classes is twice that of one score.
    """
    if np.ndim(scores) == 2:
        own = np.eye(np.shape(scores)[1])[labels]
        return np.asarray(((np.asarray(scores, dtype=np.float64) - own) ** 2).sum(axis=1))
    return np.asarray((np.asarray(scores, dtype=np.float64) - labels) ** 2)


def bce(labels: Labels, scores: Reals, weights: Reals) -> float:
    """Binary cross-entropy, Σ w·(-ln p(label)) / Σw.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score in [0, 1], signed weight. Scores of K classes have shape (n, K).

    Raises
    ------
    TaipanError
        If Σw is not positive.
    """
    return _average(bce_losses(labels, scores), weights)


def brier(labels: Labels, scores: Reals, weights: Reals) -> float:
    """Brier score, Σ w·(score - label)² / Σw: bounded whatever the signs of the weights.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score in [0, 1], signed weight. Scores of K classes have shape (n, K).

    Raises
    ------
    TaipanError
        If Σw is not positive.
    """
    return _average(brier_losses(labels, scores), weights)


def _average(losses: FloatArray, weights: Reals) -> float:
    total = sum_of_weights(weights, "the events")
    return float(np.sum(weights * losses) / total)


def bce_with_terms(labels: Labels, scores: Reals, weights: Reals) -> tuple[float, FloatArray]:
    """Give :func:`bce` and by how much each event moves it (:func:`mean_with_terms`)."""
    return mean_with_terms(bce_losses(labels, scores), weights)


def brier_with_terms(labels: Labels, scores: Reals, weights: Reals) -> tuple[float, FloatArray]:
    """Give :func:`brier` and by how much each event moves it (:func:`mean_with_terms`)."""
    return mean_with_terms(brier_losses(labels, scores), weights)


@dataclass(frozen=True)
class Calibration:
    """Score and truth in bins of the score; arrays of shape (bins,), NaN in empty bins."""

    score: FloatArray
    fraction: FloatArray
    sigma: FloatArray


def calibration(labels: Labels, scores: Reals, weights: Reals, edges: Reals) -> Calibration:
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

    def sums(terms: Reals) -> FloatArray:
        return np.bincount(bins, terms, minlength=len(edges) - 1).astype(np.float64)

    is_signal = labels == 1
    with np.errstate(divide="ignore", invalid="ignore"):
        total = sums(signed)
        share = np.where(total > 0.0, sums(np.where(is_signal, signed, 0.0)) / total, np.nan)
        squares = [sums(np.where(chosen, signed, 0.0) ** 2) for chosen in (is_signal, ~is_signal)]
        sigma = np.sqrt((1.0 - share) ** 2 * squares[0] + share**2 * squares[1]) / total
        score = sums(np.abs(signed) * values) / sums(np.abs(signed))
    return Calibration(score, share, sigma)
