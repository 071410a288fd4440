"""Many fits of one model at a time.

Toys, impacts and scans refit a model with other data or other parameters held. The Newton steps of
:mod:`taipan.inference.minimise` are taken for all of them together, as stacked matrices; a fit that
does not converge that way is repeated alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taipan.inference.errors import FitError
from taipan.inference.fit import fit
from taipan.inference.minima import DEEPER, find_minimum
from taipan.inference.model import CompiledModel
from taipan.inference.stacked import Found, descend_many, find_saddles
from taipan.inference.starts import find_straight, mirror_pulls

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Fits:
    """Results of T fits.

    Attributes
    ----------
    values
        Estimates, shape ``(T, n)``; NaN where a fit failed.
    nllr
        −ln L at the minima, relative to the saturated model, shape ``(T,)``; NaN where a fit
        failed.
    slope
        d(−ln L)/dμ at the minima, shape ``(T,)``: not zero where μ is held.
    sigma
        Hesse standard deviation of μ, shape ``(T,)``; zero where it is held. Where a bound holds μ
        it is the distance at which 2ΔlnL = 1, to second order.
    failures
        Position and reason of the fits that failed.
    """

    values: Array
    nllr: Array
    slope: Array
    sigma: Array
    failures: dict[int, str]


def fit_many(
    model: CompiledModel,
    data: Array,
    start: Array,
    *,
    fixed: Mask | None = None,
    confirm: bool = True,
    sigma: bool = True,
) -> Fits:
    """Fit a model T times.

    Parameters
    ----------
    model
        The model.
    data
        Data vectors, shape ``(T, d)`` or ``(d,)`` for all.
    start
        Starting points, shape ``(T, n)`` or ``(n,)`` for all; parameters that are held keep them.
    fixed
        Parameters held, in addition to those that the model declares constant; shape ``(T, n)`` or
        ``(n,)``.
    confirm
        Start a second time, with opposite pulls, where a second minimum is possible. Without it, a
        minimum is the next one downhill: for points on the way to one that is confirmed.
    sigma
        Whether σ of μ is wanted; without it that is zero.

    Returns
    -------
    Fits
        The results, in the order of the rows.
    """
    rows = max(array.shape[0] if array.ndim == 2 else 1 for array in (data, start))
    if fixed is not None and fixed.ndim == 2:
        rows = max(rows, len(fixed))
    size = len(model.parameters.names)
    data = np.broadcast_to(data, (rows, data.shape[-1]))
    start = np.broadcast_to(start, (rows, size)).astype(np.float64)
    held = np.broadcast_to(model.parameters.fixed, (rows, size))
    if fixed is not None:
        held = held | fixed
    # where the data decide whether there is a second minimum, they do so first
    check = confirm and not model.shape.is_nearly_straight
    found = descend_many(model, data, start, held, sigma=sigma, check=check)
    if confirm and not model.shape.is_simple:
        _try_other_starts(model, data, start, held, found)
    failures: dict[int, str] = {}
    for row in np.flatnonzero(~found.converged):
        alone = _fit_alone(model, data[row], start[row], held[row])
        if isinstance(alone, str):
            failures[int(row)] = alone
            alone = (np.full(size, np.nan), np.nan, np.nan, np.nan)
        found.values[row], found.nllr[row], found.slope[row], found.sigma[row] = alone
    return Fits(found.values, found.nllr, found.slope, found.sigma, failures)


def _try_other_starts(
    model: CompiledModel, data: Array, start: Array, held: Mask, found: Found
) -> None:
    """Start again with opposite pulls where a second minimum is possible.

    What does not lead to the same minimum is fitted alone.
    """
    parameters = model.parameters
    good = np.flatnonzero(found.converged)
    if model.shape.is_nearly_straight:
        good = good[~_find_straight(model, data[good], found.values[good])]
        saddles = find_saddles(model, data[good], found.values[good], held[good])
        found.converged[good[saddles]] = False
        good = good[~saddles]
    if not len(good):
        return
    other = mirror_pulls(found.values[good], parameters.initial, parameters.constrained)
    other = np.clip(other, parameters.lower, parameters.upper)
    other = np.where(held[good], start[good], other)
    again = descend_many(model, data[good], other, held[good], sigma=False, check=False)
    same = again.converged & (np.abs(again.nllr - found.nllr[good]) <= DEEPER)
    found.converged[good[~same]] = False


def _find_straight(model: CompiledModel, data: Array, values: Array) -> Mask:
    """Tell which minima leave no room for another one."""
    parameters = model.parameters
    return find_straight(
        model.hessians,
        values,
        parameters.initial,
        parameters.sigma,
        data[:, : model.n_bins],
    )


def _fit_alone(
    model: CompiledModel, data: Array, start: Array, held: Mask
) -> tuple[Array, float, float, float] | str:
    keep = {int(i): float(start[i]) for i in np.flatnonzero(held & ~model.parameters.fixed)}
    try:
        if model.poi in keep:
            minimum = find_minimum(model, data, start=start, fixed=keep)
            _, gradient, _ = model.evaluate(minimum.values, data)
            return minimum.values, minimum.nll, float(gradient[model.poi]), 0.0
        best = fit(model, data, start=start, fixed=keep)
    except FitError as error:
        return str(error)
    return best.values, best.nllr, 0.0, float(best.sigma[model.poi])
