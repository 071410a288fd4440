"""Tests whether two weighted samples have the same distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, kolmogorov

from taipan.errors import TaipanError
from taipan.metrics.weights import FloatArray, Labels, Reals, n_eff, sum_of_weights

_ROUNDING = 1e-12  # relative change of a weight that is none


@dataclass(frozen=True)
class TwoSample:
    """Result of a two-sample test: test statistic, probability, degrees of freedom (χ² only)."""

    statistic: float
    probability: float
    ndf: int = 0


def ks_test(scores_a: Reals, weights_a: Reals, scores_b: Reals, weights_b: Reals) -> TwoSample:
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
        total = sum_of_weights(weights, what)
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


def chi2_test(sumw_a: Reals, variance_a: Reals, sumw_b: Reals, variance_b: Reals) -> TwoSample:
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
    total_a = sum_of_weights(sumw_a, "the first histogram")
    total_b = sum_of_weights(sumw_b, "the second histogram")
    variance = variance_a / total_a**2 + variance_b / total_b**2
    filled = variance > 0.0
    ndf = int(filled.sum()) - 1
    if ndf < 1:
        raise TaipanError("χ² test: fewer than two bins are filled")
    difference = (sumw_a / total_a - sumw_b / total_b)[filled]
    value = float(np.sum(difference**2 / variance[filled]))
    return TwoSample(value, float(chdtrc(ndf, value)), ndf)


def paired_chi2_test(bins: Labels, before: Reals, after: Reals) -> TwoSample:
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


def scaled_chi2_test(sums: FloatArray, squares: FloatArray) -> TwoSample:
    """Give the smallest χ² of a histogram against another times a free scale.

    Σ (a_i - s·b_i)² / (σ²_ai + s²·σ²_bi) with bins - 1 degrees of freedom. :func:`chi2_test` fixes
    the scale by the totals. With an estimate subtracted, the total fluctuates by events that are
    not where the others are, and a free scale is what makes the probabilities uniform.

    Parameters
    ----------
    sums, squares
        Shape (2, bins): Σw and Σw² of both.

    Raises
    ------
    TaipanError
        If there are fewer than two bins.
    """
    if sums.shape[1] < 2:
        raise TaipanError("χ² test: fewer than two bins have enough events")
    scale = float(sums[0].sum() / sums[1].sum())
    for _ in range(20):
        variance = squares[0] + scale**2 * squares[1]
        scale = float(np.sum(sums[0] * sums[1] / variance) / np.sum(sums[1] ** 2 / variance))
    variance = squares[0] + scale**2 * squares[1]
    value = float(np.sum((sums[0] - scale * sums[1]) ** 2 / variance))
    ndf = sums.shape[1] - 1
    return TwoSample(value, float(chdtrc(ndf, value)), ndf)
