"""Smoothing of varied templates: the ratio to the nominal template, at the same total yield.

A template varied by moving events across bins carries the statistical noise of the events that
moved. The physics behind it changes slowly along the observable, so the ratio is smoothed, never
the template itself.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SmoothingMethod = Literal["none", "lowess", "353QH"]

# Fewer bins have no shape that could be told from noise.
SMALLEST_NUMBER = 4
LOWESS_SPAN = 0.6
"""Fraction of the bins that a local straight line is fitted to."""


def smooth_variation(
    nominal: Array, variances: Array, varied: Array, method: SmoothingMethod
) -> Array:
    """Smooth a varied template.

    Parameters
    ----------
    nominal, variances
        Nominal template: Σw and Σw², shape ``(n_bins,)``.
    varied
        Template at +1σ or -1σ, shape ``(n_bins,)``.
    method
        ``lowess``: local straight lines, bins weighted by their effective number of events;
        ``353QH``: running medians and means (J. Friedman, CERN 74-23), twice; ``none``.

    Returns
    -------
    Array
        Smoothed template with the total yield of `varied`; a copy of `varied` where there are
        fewer than four bins, or the nominal total or the smoothed total is not positive.
    """
    if method == "none" or len(nominal) < SMALLEST_NUMBER:
        return varied.copy()
    filled = nominal > 0
    ratio = np.divide(varied, nominal, out=np.ones_like(nominal), where=filled)
    if method == "353QH":
        smoothed = smooth_353qh(ratio)
    else:
        known = np.divide(nominal**2, variances, out=np.zeros_like(nominal), where=variances > 0)
        smoothed = smooth_lowess(ratio, np.where(filled, known, 0.0))
    if ratio.min() >= 0:
        smoothed = np.maximum(smoothed, 0.0)  # no bin becomes negative by smoothing
    result = np.where(filled, nominal * smoothed, varied)
    total = result.sum()
    if not (total > 0 and varied.sum() > 0):
        return varied.copy()
    return np.asarray(result * (varied.sum() / total))


def smooth_lowess(values: Array, weights: Array, span: float = LOWESS_SPAN) -> Array:
    """Replace each value by that of a straight line fitted to its neighbours.

    W. Cleveland, J. Am. Stat. Assoc. 74 (1979) 829, with tricube weights times `weights` and
    without the iterations against outliers, because the weights hold what is known of the noise.

    Parameters
    ----------
    values
        Shape ``(n,)``, at positions 0, 1, ..., n - 1.
    weights
        Inverse variances up to a common factor, shape ``(n,)``; zero for unknown values.
    span
        Fraction of all values in a neighbourhood (at least three).

    Returns
    -------
    Array
        Shape ``(n,)``; a value whose neighbourhood has no weight stays as it is.
    """
    n = len(values)
    position = np.arange(n, dtype=np.float64)
    reach = min(n, max(3, int(np.ceil(span * n))))
    smoothed = values.copy()
    for i in range(n):
        distance = np.abs(position - i)
        limit = np.sort(distance)[reach - 1] + 1.0
        local = weights * np.clip(1.0 - (distance / limit) ** 3, 0.0, None) ** 3
        total = local.sum()
        if total <= 0:
            continue
        centre = (local * position).sum() / total
        mean = (local * values).sum() / total
        spread = (local * (position - centre) ** 2).sum()
        slope = (local * (position - centre) * values).sum() / spread if spread > 0 else 0.0
        smoothed[i] = mean + slope * (i - centre)
    return smoothed


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
