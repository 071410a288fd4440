"""The size of a shift without what chance adds to it.

Chance adds to the square of a shift, on average the variance of its noise. With f times the events
that part would be f times smaller, so of the square a projection takes 1 - 1/f of it away.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def remove_noise(
    nominal: Array, varied: Array, covariance: Array, curve: Array, fraction: float
) -> Array:
    """Shrink a shift by the noise expected in it, its yield and its shape apart.

    Parameters
    ----------
    nominal, varied
        Templates, shape ``(n_bins,)``; `varied` after smoothing.
    covariance
        Of ``varied - nominal`` before smoothing, shape ``(n_bins, n_bins)``.
    curve
        Matrix by which smoothing changed the ratio of the two.
    fraction
        Part of the variance that is taken away, 0 to 1.

    Returns
    -------
    Array
        New template; that of `varied` where the nominal total is not positive.
    """
    total = float(nominal.sum())
    if fraction <= 0 or not total > 0:
        return varied.copy()
    difference = varied - nominal
    change = float(difference.sum())
    shape = difference - nominal * (change / total)
    scale = np.where(nominal > 0, nominal, np.inf)
    smooth = smooth_covariance(nominal, covariance, curve)
    rest = np.eye(len(nominal)) - np.outer(nominal / total, np.ones(len(nominal)))
    noise = np.diag(rest @ smooth @ rest.T)
    # a change of n events in a bin counts with its square over the yield
    rate = _shrink(change**2, fraction * float(covariance.sum()))
    bend = _shrink(float((shape**2 / scale).sum()), fraction * float((noise / scale).sum()))
    return np.asarray(nominal * (1.0 + rate * change / total) + bend * shape)


def smooth_covariance(nominal: Array, covariance: Array, curve: Array) -> Array:
    """Give the covariance of a shift after smoothing.

    Parameters
    ----------
    nominal
        Template, shape ``(n_bins,)``.
    covariance
        Of the shift as it was filled, shape ``(n_bins, n_bins)``.
    curve
        Matrix by which smoothing changed the ratio of the two templates.
    """
    if np.array_equal(curve, np.eye(len(nominal))):
        return covariance
    scale = np.where(nominal > 0, nominal, np.inf)
    yields = np.where(nominal > 0, nominal, 0.0)
    smooth = (curve @ (covariance / np.outer(scale, scale)) @ curve.T) * np.outer(yields, yields)
    return np.asarray(smooth)


def _shrink(found: float, expected: float) -> float:
    """Factor that takes the expected noise out of a squared size."""
    return float(np.sqrt(max(0.0, 1.0 - expected / found))) if found > 0 else 1.0
