"""Histograms of a score and the statistical σ(μ) that they give."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from taipan.metrics.weights import FloatArray, Labels, Reals, sum_of_weights


def normalised_histogram(
    scores: Reals, weights: Reals, edges: Reals
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
    total = sum_of_weights(weights, "a class")
    sumw, _ = np.histogram(scores, edges, weights=weights)
    sumw2, _ = np.histogram(scores, edges, weights=weights**2)
    return sumw / total, sumw2 / total**2


def quantile_edges(scores: Reals, weights: Reals, bins: int) -> FloatArray:
    """Give edges, -inf and +inf among them, of bins of equal Σ|w|.

    Parameters
    ----------
    scores, weights
        Shape (n,).
    bins
        Number of bins; fewer where scores are equal.
    """
    order = np.argsort(scores)
    cumulative = np.cumsum(np.abs(weights[order]))
    shares = np.linspace(0.0, 1.0, bins + 1)[1:-1] * cumulative[-1]
    inner = np.unique(scores[order][np.searchsorted(cumulative, shares)])
    return np.concatenate([[-np.inf], inner, [np.inf]])


def merge_bins(parts: Sequence[Sequence[FloatArray]], min_n_eff: float) -> NDArray[np.int64]:
    """Give the first bin of each group with enough background and some signal in each part.

    Parameters
    ----------
    parts
        Signal and background of each part: Σw and Σw² of the bins, shape (2, bins).
    min_n_eff
        Smallest n_eff of the background of a group; groups are closed from the last bin on.
    """
    starts, stop = [], parts[0][0].shape[1]
    for start in range(stop - 1, -1, -1):
        enough = True
        for signal, background in parts:
            sumw, sumw2 = background[:, start:stop].sum(axis=1)
            enough &= sumw > 0.0 and sumw**2 >= min_n_eff * sumw2
            enough &= signal[0, start:stop].sum() > 0.0
        if enough:
            starts.append(start)
            stop = start
    starts = starts[::-1] or [0]
    return np.array([0, *starts[1:]], dtype=np.int64)


def sigma_mu(signal: FloatArray, background: FloatArray) -> tuple[float, float]:
    """Give the statistical σ(μ = 1) = (Σ s²/(s+b))^-1/2 of templates, and its standard deviation.

    The positive bias of s²/(s+b) by the noise of the templates, ½ Σ ∂²q σ², is subtracted.

    Parameters
    ----------
    signal, background
        Σw and Σw² of the bins, shape (2, bins).
    """
    s, b = signal[0], background[0]
    n = np.maximum(s + b, 1e-300)
    q = float(np.sum(s**2 / n))
    # Σ of the bins is fixed, so a slope counts by its distance from the mean slope.
    variance = 0.0
    for part, slope in ((signal, (s**2 + 2.0 * s * b) / n**2), (background, -((s / n) ** 2))):
        variance += float(np.sum((slope - np.average(slope, weights=part[0])) ** 2 * part[1]))
    bias = float(np.sum((b**2 * signal[1] + s**2 * background[1]) / n**3))
    corrected = max(q - bias, 0.1 * q, 1e-300)
    return corrected**-0.5, 0.5 * corrected**-1.5 * math.sqrt(variance)


def asimov_sigma_mu(
    labels: Labels,
    scores: Reals,
    weights: Reals,
    edges: Sequence[float],
    min_n_eff: float = 10.0,
) -> float:
    """Give the statistical σ(μ) = (Σ s²/(s+b))^-1/2 of an Asimov fit of the score in fixed bins.

    From the last bin on, bins are joined until the background has `min_n_eff` effective events, as
    in the templates; what is left at the first bin does not count.

    Parameters
    ----------
    labels, scores, weights
        Shape (n,): 0 or 1, score, signed weight (expected events).
    edges
        Shape (bins + 1,).
    min_n_eff
        Smallest n_eff of the background of a bin.
    """
    signal = labels == 1
    s, b = (
        np.histogram(scores[chosen], edges, weights=weights[chosen])[0]
        for chosen in (signal, ~signal)
    )
    squares, _ = np.histogram(scores[~signal], edges, weights=weights[~signal] ** 2)
    information, sums = 0.0, np.zeros(3)
    for terms in zip(s[::-1], b[::-1], squares[::-1], strict=True):
        sums = sums + terms
        if sums[1] ** 2 >= min_n_eff * sums[2] > 0.0:
            information += sums[0] ** 2 / (sums[0] + sums[1])
            sums = np.zeros(3)
    return float(information**-0.5)
