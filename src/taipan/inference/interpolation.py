"""Interpolation between the templates at -1, 0 and +1 standard deviations, with derivatives.

The formulae are those of pyhf (JOSS 6 (2021) 2823) and HistFactory (CERN-OPEN-2012-016). pyhf's
`code2` is not offered: it jumps at ±1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

NORM_CODES = ("code4", "code1")
"""Codes of `normsys`, the default first: polynomial within ±1, exponential beyond; exponential."""
SHAPE_CODES = ("code4p", "code0")
"""Codes of `histosys`, the default first: polynomial inside ±1 and linear beyond; linear."""

NormCode = Callable[[Array], tuple[Array, Array, Array]]
ShapeCode = Callable[[Array], tuple[tuple[Array, Array], tuple[Array, Array], tuple[Array, Array]]]


def norm_code(code: str, up: Array, down: Array) -> NormCode:
    """Give the factor of `normsys` as a function of its parameter.

    Parameters
    ----------
    code
        One of :data:`NORM_CODES`.
    up, down
        Factors at +1 and -1, positive, shape ``(k,)``.

    Returns
    -------
    callable
        From parameters ``(t, k)`` to the factors and their first and second derivatives.
    """
    log_up, log_down = np.log(up), np.log(down)
    coefficients = _code4_coefficients(up, down)

    def exponential(alpha: Array) -> tuple[Array, Array, Array]:
        rate = _rate_of(alpha, log_up, log_down)
        value = np.exp(rate * alpha)
        return value, rate * value, rate * rate * value

    def polynomial(alpha: Array) -> tuple[Array, Array, Array]:
        value = np.broadcast_to(coefficients[-1], alpha.shape).copy()
        slope, bend = np.zeros_like(alpha), np.zeros_like(alpha)
        for coefficient in (*coefficients[-2::-1], 1.0):  # Horner's rule, in place
            bend *= alpha
            bend += 2.0 * slope
            slope *= alpha
            slope += value
            value *= alpha
            value += coefficient
        beyond = np.nonzero(np.abs(alpha) >= 1.0)
        if len(beyond[0]):
            there, column = alpha[beyond], beyond[1]
            rate = _rate_of(there, log_up[column], log_down[column])
            value[beyond] = np.exp(rate * there)
            slope[beyond] = rate * value[beyond]
            bend[beyond] = rate * slope[beyond]
        return value, slope, bend

    return polynomial if code == "code4" else exponential


def shape_code(code: str) -> ShapeCode:
    """Give the weights of the changes at ±1 as a function of the parameter of a `histosys`.

    Parameters
    ----------
    code
        One of :data:`SHAPE_CODES`.

    Returns
    -------
    callable
        From parameters ``(t, h)`` to the weights (of the change at +1, of that at -1), their first
        and their second derivatives, ``(t, h)`` each.
    """

    def linear(alpha: Array) -> Any:
        positive = (alpha > 0.0).astype(np.float64)
        zero = np.zeros_like(alpha)
        negative = 1.0 - positive
        return (alpha * positive, -alpha * negative), (positive, -negative), (zero, zero)

    def polynomial(alpha: Array) -> Any:
        (up, down), (up_slope, down_slope), _ = linear(alpha)
        beyond = np.abs(alpha) > 1.0
        square = alpha * alpha
        even = 0.0625 * square * (15.0 + square * (3.0 * square - 10.0))
        slope = 0.0625 * alpha * (30.0 + square * (18.0 * square - 40.0))
        bend = np.where(beyond, 0.0, 0.0625 * (30.0 + square * (90.0 * square - 120.0)))
        return (
            (np.where(beyond, up, 0.5 * alpha + even), np.where(beyond, down, even - 0.5 * alpha)),
            (np.where(beyond, up_slope, 0.5 + slope), np.where(beyond, down_slope, slope - 0.5)),
            (bend, bend),
        )

    return polynomial if code == "code4p" else linear


def _rate_of(alpha: Array, log_up: Array, log_down: Array) -> Array:
    """Exponent of a factor per unit of its parameter, by the side on which that is."""
    return np.asarray(np.where(alpha >= 0.0, log_up, -log_down))


def _code4_coefficients(up: Array, down: Array) -> Array:
    """Give the coefficients of α¹…α⁶ of code 4, shape ``(6, k)``.

    Value, slope and curvature match the exponentials κ₊^α at α = 1 and κ₋^(-α) at α = -1.
    """
    power = np.arange(1, 7)
    sign = (-1.0) ** power
    matrix = np.stack(
        [
            np.ones(6),
            sign,
            power.astype(float),
            -sign * power,
            power * (power - 1.0),
            sign * power * (power - 1.0),
        ]
    )
    log_up, log_down = np.log(up), np.log(down)
    conditions = np.stack(
        [up - 1.0, down - 1.0, up * log_up, -down * log_down, up * log_up**2, down * log_down**2]
    )
    return np.asarray(np.einsum("ij,j...->i...", np.linalg.inv(matrix), conditions))
