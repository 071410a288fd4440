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
from threadpoolctl import threadpool_limits

from taipan.inference.errors import FitError
from taipan.inference.fit import find_minimum
from taipan.inference.minimise import (
    MAX_EDM,
    MAX_HALVINGS,
    MAX_STEPS,
    NOISE,
    held_by_bounds,
    newton_step,
)
from taipan.inference.model import CompiledModel

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Numbers held by one array of derivatives: some 10 MB, which stays near the processor.
CHUNK_NUMBERS = 1_000_000


@dataclass(frozen=True)
class Fits:
    """Results of T fits.

    Attributes
    ----------
    values
        Estimates, shape ``(T, n)``; NaN where a fit failed.
    nll
        −ln L at the minima, shape ``(T,)``; NaN where a fit failed.
    slope
        d(−ln L)/dμ at the minima, shape ``(T,)``: not zero where μ is held.
    sigma
        Hesse standard deviation of μ, shape ``(T,)``; zero where it is held.
    failures
        Position and reason of the fits that failed.
    """

    values: Array
    nll: Array
    slope: Array
    sigma: Array
    failures: dict[int, str]


def fit_many(model: CompiledModel, data: Array, start: Array, *, fixed: Mask | None = None) -> Fits:
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

    Returns
    -------
    Fits
        The results, in the order of the rows.
    """
    rows = max(array.shape[0] if array.ndim == 2 else 1 for array in (data, start))
    if fixed is not None and fixed.ndim == 2:
        rows = max(rows, len(fixed))
    size = len(model.parameters.names)
    data = np.broadcast_to(data, (rows, len(model.observed)))
    start = np.broadcast_to(start, (rows, size)).astype(np.float64)
    held = np.broadcast_to(model.parameters.fixed, (rows, size))
    if fixed is not None:
        held = held | fixed
    width = max(1, len(model.yields.alphas) + len(model.yields.directs))
    chunk = max(1, CHUNK_NUMBERS // (width * max(1, len(model.yields.nominal))))
    parts = []
    with threadpool_limits(1):  # the matrices are far too small to be shared out
        for first in range(0, rows, chunk):
            rows_of = slice(first, first + chunk)
            parts.append(_Chunk(model, data[rows_of], start[rows_of], held[rows_of]).run())
    values, nll, slope, sigma, converged = (
        np.concatenate([part[i] for part in parts]) for i in range(5)
    )
    failures: dict[int, str] = {}
    for row in np.flatnonzero(~converged):
        alone = _fit_alone(model, data[row], start[row], held[row])
        if isinstance(alone, str):
            failures[int(row)] = alone
            values[row] = nll[row] = slope[row] = sigma[row] = np.nan
        else:
            values[row], nll[row], slope[row], sigma[row] = alone
    return Fits(values, nll, slope, sigma, failures)


def _fit_alone(
    model: CompiledModel, data: Array, start: Array, held: Mask
) -> tuple[Array, float, float, float] | str:
    keep = {int(i): float(start[i]) for i in np.flatnonzero(held & ~model.parameters.fixed)}
    try:
        minimum, is_fixed = find_minimum(model, data, start=start, fixed=keep)
    except FitError as error:
        return str(error)
    _, gradient, hessian = model.evaluate(minimum.values, data)
    free = ~(is_fixed | minimum.at_bound)
    if is_fixed[model.poi]:
        return minimum.values, minimum.nll, float(gradient[model.poi]), 0.0
    if not free[model.poi]:
        free = ~is_fixed
    unit = (np.flatnonzero(free) == model.poi).astype(np.float64)
    try:
        np.linalg.cholesky(hessian[np.ix_(free, free)])
    except np.linalg.LinAlgError:
        return "the Hessian at the minimum is not positive definite"
    column = np.linalg.solve(hessian[np.ix_(free, free)], unit)
    return minimum.values, minimum.nll, float(gradient[model.poi]), float(np.sqrt(column @ unit))


class _Chunk:
    """Newton steps of the rows of one chunk; rows that have converged are no longer moved."""

    def __init__(self, model: CompiledModel, data: Array, start: Array, fixed: Mask) -> None:
        self.model, self.data, self.fixed = model, data, fixed
        parameters = model.parameters
        self.lower, self.upper = parameters.lower, parameters.upper
        self.values = np.where(fixed, start, np.clip(start, self.lower, self.upper))
        self.nll, self.slope, self.sigma = (np.full(len(start), np.nan) for _ in range(3))
        self.converged = np.zeros(len(start), dtype=bool)

    def run(self) -> tuple[Array, Array, Array, Array, Mask]:
        active = np.arange(len(self.values))
        for _ in range(MAX_STEPS):
            if not len(active):
                break
            active = self._step(active)
        return self.values, self.nll, self.slope, self.sigma, self.converged

    def _step(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        values, data, poi = self.values[rows], self.data[rows], self.model.poi
        nll, gradient, hessian = self.model.evaluate_many(values, data)
        usable = np.isfinite(nll) & np.isfinite(gradient).all(1) & np.isfinite(hessian).all((1, 2))
        free = ~(held_by_bounds(values, gradient, self.lower, self.upper) | self.fixed[rows])
        hessian[~usable], gradient[~usable] = np.eye(hessian.shape[1]), 0.0
        step, variance, damped = _solve(hessian, gradient, free, poi)
        edm = -0.5 * (gradient * step).sum(axis=1)
        done = usable & ~damped & (edm <= MAX_EDM)
        finished = rows[done]
        moved = np.clip(values + step, self.lower, self.upper)
        self.values[finished] = np.where(self.fixed[finished], values[done], moved[done])
        self.nll[finished] = nll[done] - edm[done]
        self.slope[finished] = gradient[done, poi]
        self.sigma[finished] = np.sqrt(np.maximum(variance[done], 0.0))
        self.converged[finished] = True
        going = np.flatnonzero(usable & ~done)
        accepted = self._search(rows[going], nll[going], gradient[going], step[going])
        return rows[going][accepted]

    def _search(self, rows: npt.NDArray[np.intp], nll: Array, gradient: Array, step: Array) -> Mask:
        """Halve steps until −ln L falls enough; tell for which rows it does."""
        values, fixed = self.values[rows], self.fixed[rows]
        accepted = np.zeros(len(rows), dtype=bool)
        length = 1.0
        for _ in range(MAX_HALVINGS):
            left = np.flatnonzero(~accepted)
            if not len(left):
                break
            trial = np.clip(values[left] + length * step[left], self.lower, self.upper)
            trial = np.where(fixed[left], values[left], trial)
            change = (gradient[left] * (trial - values[left])).sum(axis=1)
            found = self.model.nll_many(trial, self.data[rows[left]])
            good = np.isfinite(found) & (
                found <= nll[left] + 1e-4 * change + NOISE * np.abs(nll[left])
            )
            self.values[rows[left[good]]] = trial[good]
            accepted[left[good]] = True
            length *= 0.5
        return accepted


def _solve(hessian: Array, gradient: Array, free: Mask, poi: int) -> tuple[Array, Array, Mask]:
    """Give Newton steps, variances of μ, and the rows whose Hessian had to be damped."""
    both = free[:, :, None] & free[:, None, :]
    diagonal = np.arange(hessian.shape[1])
    matrix = np.where(both, hessian, 0.0)
    matrix[:, diagonal, diagonal] += ~free
    curvature = np.abs(matrix[:, diagonal, diagonal])
    scale = np.sqrt(np.where(curvature > 0.0, curvature, 1.0))
    matrix /= scale[:, :, None] * scale[:, None, :]
    right = np.zeros((*gradient.shape, 2))
    right[:, :, 0] = np.where(free, -gradient, 0.0) / scale
    right[:, poi, 1] = free[:, poi] / scale[:, poi]
    damped = np.zeros(len(hessian), dtype=bool)
    try:
        np.linalg.cholesky(matrix)
        solution = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        solution = np.zeros_like(right)
        for row in range(len(hessian)):
            try:
                np.linalg.cholesky(matrix[row])
                solution[row] = np.linalg.solve(matrix[row], right[row])
            except np.linalg.LinAlgError:
                step, _ = newton_step(hessian[row], gradient[row], free[row])
                solution[row, :, 0], damped[row] = step * scale[row], True
    return (
        solution[:, :, 0] / scale,
        solution[:, poi, 1] / scale[:, poi],
        damped,
    )
