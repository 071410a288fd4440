"""The expected uncertainty of the parameter of interest from binned counts, with a gradient.

For Asimov data the Hessian of -ln L at the nominal parameters is the Fisher information

    F_ij = Σ_k ∂_iλ_k ∂_jλ_k / (λ_k + σ_k²) + δ_ij prior_i,

where σ_k² is the variance of the templates: a Gaussian parameter for each bin that is profiled
leaves exactly that. The variance of the first parameter is 1 / (F_00 - F_0θ F_θθ⁻¹ F_θ0), by the
Schur complement of the others. Imports TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

SMALLEST_NOISE = 1e-6
"""Smallest variance of a bin, in events²: signed weights may leave less than nothing."""


@dataclass(frozen=True)
class BinCounts:
    """Expected counts of the bins, as tensors.

    Attributes
    ----------
    yields, variances
        Shape (K,): Σw and the variance of the templates.
    slopes
        Shape (K, P): d(yield)/d(parameter).
    """

    yields: Any
    variances: Any
    slopes: Any


def fill_soft_bins(shares: Any, moved_shares: Any, events: Any) -> BinCounts:
    """Fill the bins.

    Parameters
    ----------
    shares, moved_shares
        Memberships (n, K) of the nominal events and (m, K) of the shifted rows.
    events
        Tensors of the events (:class:`~taipan.nn.sensitivity.loaded.LoadedEvents`).
    """
    both = tf.matmul(shares, events.columns, transpose_a=True)
    moved = tf.math.unsorted_segment_sum(
        moved_shares * events.moved_slopes[:, None], events.moved_by, events.count
    )
    slopes = both[:, 2:] + tf.transpose(moved)
    return BinCounts(*(tf.cast(item, tf.float64) for item in (both[:, 0], both[:, 1], slopes)))


def information(counts: BinCounts) -> Any:
    """Give the Fisher information of the bins without constraints, shape (P, P)."""
    noise = tf.maximum(counts.yields + counts.variances, SMALLEST_NOISE)
    return tf.matmul(counts.slopes, counts.slopes / noise[:, None], transpose_a=True)


def profiled_variance(total: Any) -> Any:
    """Give the variance of the first parameter; all others of the information are profiled."""
    mixed = total[1:, :1]
    if total.shape[0] == 1:
        return 1.0 / total[0, 0]
    return 1.0 / (total[0, 0] - tf.reduce_sum(mixed * tf.linalg.solve(total[1:, 1:], mixed)))


def statistical_variance(total: Any) -> Any:
    """Give the same with all other parameters known."""
    return 1.0 / total[0, 0]
