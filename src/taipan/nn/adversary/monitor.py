"""How far the score depends on what it must not, by other means than the adversary."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.nn.conditions import ScoredPart

FloatArray = NDArray[np.float64]

_BINS = 10
_SMALLEST_SHARE = 1e-9  # of a domain's events in a bin that signed weights leave empty
_LARGEST_SAMPLE = 1000  # events of a distance correlation


def decile_edges(part: ScoredPart) -> FloatArray:
    """Inner edges of ten bins of the logit with equal signal: fine where a fit is sensitive."""
    scores, weights = part.of_kind(1)
    shares = np.arange(1, _BINS) / _BINS
    edges = np.quantile(scores, shares, weights=np.abs(weights), method="inverted_cdf")
    return np.asarray(np.log(edges / (1.0 - edges)))


def divergence(
    method: str,
    logits: FloatArray,
    targets: NDArray[Any],
    weights: FloatArray,
    edges: FloatArray,
) -> float:
    """Measure the dependence of the score of some events on their target.

    Between domains, or between deciles of a quantity, it is the Jensen-Shannon divergence of the
    binned distributions in nats: what the best adversary that sees the bins gains over a guess.
    The adversary itself is not asked: it may lag behind.

    Parameters
    ----------
    method
        Of the opponent; for `disco` the squared distance correlation.
    logits, targets, weights
        Shape (n,).
    edges
        Inner edges of the bins of the logit.
    """
    if method == "disco":
        chosen = np.linspace(0, len(logits) - 1, min(len(logits), _LARGEST_SAMPLE)).astype(int)
        return squared_distance_correlation(logits[chosen], targets[chosen], weights[chosen])
    bins = np.searchsorted(edges, logits, side="right")
    shares = []
    for target in np.unique(targets):
        chosen = targets == target
        sums = np.bincount(bins[chosen], weights[chosen], minlength=len(edges) + 1)
        positive = np.maximum(sums, 0.0) + _SMALLEST_SHARE
        shares.append(positive / positive.sum())
    mixture = np.mean(shares, axis=0)
    return float(np.mean([np.sum(p * np.log(p / mixture)) for p in shares]))


def squared_distance_correlation(x: FloatArray, y: NDArray[Any], weights: FloatArray) -> float:
    """Squared distance correlation of two quantities with signed weights, shape (n,)."""
    share = weights / weights.sum()
    centred = []
    for values in (x, y):
        distances = np.abs(np.subtract.outer(values, values).astype(np.float64))
        rows = distances @ share
        centred.append(distances - rows[:, None] - rows[None, :] + share @ rows)
    pairs = np.outer(share, share)
    covariance, var_x, var_y = (
        float(np.sum(pairs * p * q))
        for p, q in ((centred[0], centred[1]), (centred[0], centred[0]), (centred[1], centred[1]))
    )
    return covariance / float(np.sqrt(max(var_x, 1e-12) * max(var_y, 1e-12)))
