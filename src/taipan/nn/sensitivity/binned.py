"""Smooth counts: how much of an event each bin of a score holds, with a gradient.

A score is turned into a *place*: k at the k-th inner edge, with straight lines in between that go
on beyond the outermost edges. An event at place u is in bin k with

    h_k = F((u - k) / s) - F((u - k - 1) / s),   F(t) = 1 / (1 + exp(-t)),

and the first and the last bin are open. So the memberships of an event add up to 1, and nothing is
lost or gained at the ends: a sum of bumps instead of differences holds 0.6 of an event there. For
a softness s → 0 they are the bins of a histogram. Imports TensorFlow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def balanced_edges(
    scores: FloatArray, yields: FloatArray, is_signal: NDArray[np.bool_], bins: int
) -> FloatArray:
    """Give the inner edges of bins that hold equal parts of the equal mixture of both classes.

    Bins of equal signal leave the background, and bins of equal width the signal, in few of them;
    those of the mixture of half signal, half background are nearly the best for σ(μ).

    Parameters
    ----------
    scores, yields, is_signal
        Shape (n,): score, signed weight and class of each event.
    bins
        Number of bins K.

    Returns
    -------
    numpy.ndarray
        Shape (K - 1,), strictly increasing.
    """
    shares = np.empty(len(yields))
    for chosen in (is_signal, ~is_signal):
        shares[chosen] = np.abs(yields[chosen]) / np.abs(yields[chosen]).sum()
    order = np.argsort(scores, kind="stable")
    cumulative = np.cumsum(shares[order]) / shares.sum()
    targets = np.arange(1, bins) / bins
    found = scores[order][np.minimum(np.searchsorted(cumulative, targets), len(scores) - 1)]
    step = 1e-6 * max(float(np.ptp(scores)), 1e-6)
    for i in range(1, len(found)):  # many events may have the same score
        found[i] = max(found[i], found[i - 1] + step)
    return np.asarray(found, dtype=np.float64)


def place(scores: Any, edges: Any) -> Any:
    """Give the places of scores (n,): 1 to K - 1 at the inner edges (K - 1,)."""
    if edges.shape[0] == 1:
        return scores - edges[0] + 1.0
    below = tf.clip_by_value(
        tf.searchsorted(edges, scores, side="right") - 1, 0, edges.shape[0] - 2
    )
    low, high = tf.gather(edges, below), tf.gather(edges, below + 1)
    return tf.cast(below, scores.dtype) + 1.0 + (scores - low) / (high - low)


def memberships(scores: Any, edges: Any, softness: float) -> Any:
    """Give the share of each event in each bin.

    Parameters
    ----------
    scores
        Shape (n,).
    edges
        Inner edges, shape (K - 1,), strictly increasing.
    softness
        Width s of an edge in units of a bin.

    Returns
    -------
    tensor
        Shape (n, K); each row adds up to 1.
    """
    steps = tf.range(1, edges.shape[0] + 1, dtype=scores.dtype)
    above = tf.sigmoid((place(scores, edges)[:, None] - steps) / softness)
    ends = tf.ones_like(above[:, :1])
    return tf.concat([ends, above], axis=1) - tf.concat([above, tf.zeros_like(ends)], axis=1)
