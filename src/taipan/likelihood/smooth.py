"""Smoothing of varied templates: the ratio to the nominal template, at the same total yield.

A template varied by moving events across bins carries the statistical noise of the events that
moved. The physics behind it changes slowly along the observable, so the ratio is smoothed, never
the template itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from taipan.likelihood.merge import BinYields

Array = npt.NDArray[np.float64]
SmoothingMethod = Literal["none", "lowess", "353QH"]

# Fewer bins have no shape that could be told from noise.
SMALLEST_NUMBER = 4
LOWESS_SPAN = 0.6
"""Fraction of the bins that a local straight line is fitted to."""


@dataclass(frozen=True)
class SmoothedTemplate:
    """A smoothed template.

    Attributes
    ----------
    values
        Shape ``(n_bins,)``, with the total yield of the template as filled.
    kept
        Fraction of the structure left over by the smooth curve that was kept, from 0 (noise) to 1;
        0 where the error of the shift is not known.
    curve
        Matrix by which the ratio to the nominal template was multiplied, shape
        ``(n_bins, n_bins)``; the unit matrix where smoothing is not linear.
    """

    values: Array
    kept: float
    curve: Array


def smooth_variation(
    nominal: BinYields,
    varied: Array,
    method: SmoothingMethod,
    edges: Sequence[float],
    covariance: Array | None = None,
) -> SmoothedTemplate:
    """Smooth a varied template.

    With ``lowess`` the weight of a bin is the inverse variance of the *shift* there: Σw² times the
    local fraction of it that moves, smooth itself, so that a bin which few events reached by
    chance has no larger weight. What the smooth curve leaves over is kept as far as it is more
    than noise: the residual is scaled by max(0, 1 - E/χ²), with χ² its size in units of its errors
    and E what chance alone gives (James and Stein, Proc. 4th Berkeley Symp. 1 (1961) 361).

    Parameters
    ----------
    nominal
        Nominal template.
    varied
        Template at +1σ or -1σ, shape ``(n_bins,)``.
    method
        ``lowess``: local straight lines in the observable; ``353QH``: running medians and means
        (J. Friedman, CERN 74-23), twice; ``none``.
    edges
        Bin edges of the observable, ``n_bins + 1``.
    covariance
        Of ``varied - nominal``, shape ``(n_bins, n_bins)``; None: the weights are the effective
        numbers of events, and no residual is kept.

    Returns
    -------
    SmoothedTemplate
        With the values of `varied` where there are fewer than four bins, no event moves, or the
        nominal total or the smoothed total is not positive.
    """
    same = np.eye(len(varied))
    unchanged = SmoothedTemplate(varied.copy(), 1.0, same)
    if method == "none" or len(varied) < SMALLEST_NUMBER:
        return unchanged
    values = nominal.values
    filled = values > 0
    ratio = np.divide(varied, values, out=np.ones_like(values), where=filled)
    kept, curve = 0.0, same
    if method == "353QH":
        smoothed = smooth_353qh(ratio)
    else:
        centres = 0.5 * (np.asarray(edges[1:]) + np.asarray(edges[:-1]))
        error = np.where(filled, nominal.variances, 0.0)
        if covariance is not None:
            if not covariance.any():
                return unchanged
            error = error * local_fraction(np.diag(covariance), error, centres)
        known = np.divide(values**2, error, out=np.zeros_like(values), where=error > 0)
        curve = make_lowess(centres, np.where(filled, known, 0.0))
        smoothed = curve @ ratio
        if covariance is not None:
            scale = np.where(filled, values, np.inf)
            noise = covariance / np.outer(scale, scale)
            kept = find_signal_fraction(ratio - smoothed, curve, noise, known)
            curve = curve + kept * (same - curve)
            smoothed = curve @ ratio
    if ratio.min() >= 0:
        smoothed = np.maximum(smoothed, 0.0)  # no bin becomes negative by smoothing
    result = np.where(filled, values * smoothed, varied)
    total = result.sum()
    if not (total > 0 and varied.sum() > 0):
        return unchanged
    return SmoothedTemplate(np.asarray(result * (varied.sum() / total)), kept, curve)


def find_signal_fraction(residual: Array, curve: Array, noise: Array, weights: Array) -> float:
    """Give the fraction of a residual that is more than noise, max(0, 1 - E/χ²).

    Parameters
    ----------
    residual
        Values less the smooth curve, shape ``(n,)``.
    curve
        Matrix that makes the smooth curve of the values, shape ``(n, n)``.
    noise
        Covariance of the values.
    weights
        Inverse variances, in which χ² is measured.
    """
    rest = np.eye(len(residual)) - curve
    expected = float((weights * np.diag(rest @ noise @ rest.T)).sum())
    found = float((weights * residual**2).sum())
    return max(0.0, 1.0 - expected / found) if found > 0 else 0.0


def local_fraction(part: Array, whole: Array, positions: Array) -> Array:
    """Give the local ratio of two sums, with the neighbourhoods of :func:`make_lowess`."""
    kernel = _neighbourhoods(positions, LOWESS_SPAN)
    below = kernel @ whole
    return np.divide(kernel @ part, below, out=np.zeros_like(below), where=below > 0)


def make_lowess(positions: Array, weights: Array, span: float = LOWESS_SPAN) -> Array:
    """Give the matrix that replaces each value by that of a line fitted to its neighbours.

    W. Cleveland, J. Am. Stat. Assoc. 74 (1979) 829, with tricube weights times `weights` and
    without the iterations against outliers, because the weights hold what is known of the noise.

    Parameters
    ----------
    positions
        Where the values are, increasing, shape ``(n,)``.
    weights
        Inverse variances up to a common factor, shape ``(n,)``; zero for unknown values.
    span
        Fraction of all values in a neighbourhood (at least three).

    Returns
    -------
    Array
        Shape ``(n, n)``; a value whose neighbourhood has no weight stays as it is.
    """
    kernel = _neighbourhoods(positions, span)
    curve = np.eye(len(positions))
    for i, near in enumerate(kernel):
        local = weights * near
        total = local.sum()
        if total <= 0:
            continue
        offset = positions - (local * positions).sum() / total
        spread = (local * offset**2).sum()
        slope = local * offset / spread if spread > 0 else np.zeros_like(local)
        curve[i] = local / total + offset[i] * slope
    return curve


def _neighbourhoods(positions: Array, span: float) -> Array:
    """Tricube weights of all values in the neighbourhood of each, shape ``(n, n)``."""
    n = len(positions)
    reach = min(n, max(3, int(np.ceil(span * n))))
    distance = np.abs(positions[:, None] - positions[None, :])
    # the last neighbour has a weight, too
    spacing = (positions[-1] - positions[0]) / (n - 1)
    limit = np.sort(distance, axis=1)[:, reach - 1] + spacing
    return np.asarray(np.clip(1.0 - (distance / limit[:, None]) ** 3, 0.0, None) ** 3)


def smooth_353qh(values: Array) -> Array:
    """Smooth with running medians of 3, 5 and 3, quadratic interpolation and means, twice.

    The second pass smooths what the first has taken away and adds it back (J. Friedman, in
    Proceedings of the 1974 CERN School of Computing, CERN 74-23).

    Parameters
    ----------
    values
        Shape ``(n,)``, n ≥ 3.
    """
    first = _once_353qh(values)
    return np.asarray(first + _once_353qh(values - first))


def _once_353qh(values: Array) -> Array:
    medians = _running_median(values, 3)
    low = np.median([medians[1], medians[0], 3.0 * medians[1] - 2.0 * medians[2]])
    high = np.median([medians[-2], medians[-1], 3.0 * medians[-2] - 2.0 * medians[-3]])
    medians[0], medians[-1] = low, high
    fives = _running_median(medians, 5)
    fives[1], fives[-2] = np.median(medians[:3]), np.median(medians[-3:])
    medians = _running_median(fives, 3)
    curved = _bend_flat_parts(medians)
    means = curved.copy()
    means[1:-1] = 0.25 * curved[:-2] + 0.5 * curved[1:-1] + 0.25 * curved[2:]
    return means


def _running_median(values: Array, length: int) -> Array:
    """Median of `length` neighbours; the ends that have fewer stay as they are."""
    result = values.copy()
    if len(values) >= length:
        half = length // 2
        windows = np.lib.stride_tricks.sliding_window_view(values, length)
        result[half : len(values) - half] = np.median(windows, axis=1)
    return result


def _bend_flat_parts(values: Array) -> Array:
    """Put a parabola through each flat top or valley of three that running medians leave."""
    result = values.copy()
    for i in range(2, len(values) - 2):
        if not values[i - 1] == values[i] == values[i + 1]:
            continue
        before, after = values[i - 2] - values[i], values[i + 2] - values[i]
        if before * after <= 0:
            continue
        side = -1 if abs(after) > abs(before) else 1
        far, near = values[i - 2 * side], values[i + 2 * side]
        result[i] = -0.5 * far + values[i] / 0.75 + near / 6.0
        result[i + side] = 0.5 * (near - far) + values[i]
    return result
