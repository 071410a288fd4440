"""Newton steps of many fits at a time, as stacked matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from taipan.inference.chord import MEMORY, follow_chords
from taipan.inference.curvature import one_sided_sigma
from taipan.inference.edges import find_edges, find_touched
from taipan.inference.minimise import (
    MAX_EDM,
    MAX_HALVINGS,
    MAX_STEPS,
    held_by_bounds,
    newton_step,
    rounding,
)
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Numbers held by one array of derivatives: some 10 MB, which stays near the processor.
CHUNK_NUMBERS = 1_000_000
# The same where gradients are enough.
CHORD_NUMBERS = 300_000


@dataclass(frozen=True)
class Found:
    """Where Newton's method has led each row; what has not converged there has no meaning."""

    values: Array
    nllr: Array
    slope: Array
    sigma: Array
    converged: Mask


def descend_many(
    model: CompiledModel,
    data: Array,
    start: Array,
    held: Mask,
    *,
    sigma: bool = True,
    check: bool = True,
) -> Found:
    """Descend from every start ``(T, n)`` until it converges or cannot go on.

    First with one matrix for all (:func:`~taipan.inference.chord.follow_chords`), then, from the
    starts that this leaves, with Newton's method.

    Parameters
    ----------
    model
        The model.
    data
        Data vectors, shape ``(T, d)``.
    start
        Starting points.
    held
        Parameters that keep their value, shape ``(T, n)``.
    sigma
        Whether σ of μ is wanted, for which a Hessian is needed at each minimum.
    check
        Whether the Hessian tells a minimum from a point between two, where there may be two.
    """
    parameters = model.parameters
    start = np.where(held, start, np.clip(start, parameters.lower, parameters.upper))
    size = max(len(model.yields.norm_rows), MEMORY * start.shape[1])
    found = _join(
        [
            _descend_together(model, data[rows], start[rows], held[rows], sigma, check)
            for rows in _divide(len(start), CHORD_NUMBERS // size)
        ]
    )
    left = np.flatnonzero(~found.converged)
    if len(left):
        newton = _take_newton_steps(model, data[left], start[left], held[left])
        for name in ("values", "nllr", "slope", "sigma", "converged"):
            getattr(found, name)[left] = getattr(newton, name)
    return found


def _divide(rows: int, chunk: int) -> list[slice]:
    return [slice(i, i + max(1, chunk)) for i in range(0, rows, max(1, chunk))]


def _join(parts: list[Found]) -> Found:
    names = ("values", "nllr", "slope", "sigma", "converged")
    return Found(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _descend_together(
    model: CompiledModel, data: Array, start: Array, held: Mask, sigma: bool, check: bool
) -> Found:
    """Descend with one matrix; where μ is free its σ is that of the Hessian.

    A point between two minima has no slope either. Where there may be two, the Hessian tells.
    """
    poi = model.poi
    with threadpool_limits(1):
        found = follow_chords(model, data, start, held)
        deviation = np.zeros(len(start))
        wanted = ~held[:, poi] & sigma
        rows = np.flatnonzero(found.converged & (wanted | (check and not model.shape.is_simple)))
        for part in _divide(len(rows), CHUNK_NUMBERS // _width(model)):
            here = rows[part]
            _, gradient, hessian = model.evaluate_many(found.values[here], data[here])
            _, variance, damped = _solve(hessian, gradient, ~held[here], poi)
            deviation[here] = np.where(wanted[here], np.sqrt(np.maximum(variance, 0.0)), 0.0)
            found.converged[here[damped]] = False
    converged = found.converged & ~_find_doubtful(model, found.values, data, held)
    return Found(found.values, found.nllr, found.slope, deviation, converged)


def find_saddles(model: CompiledModel, data: Array, values: Array, held: Mask) -> Mask:
    """Tell which points without a slope are no minima, shape ``(T,)``."""
    saddles = np.zeros(len(values), dtype=np.bool_)
    for part in _divide(len(values), CHUNK_NUMBERS // _width(model)):
        _, gradient, hessian = model.evaluate_many(values[part], data[part])
        _, _, saddles[part] = _solve(hessian, gradient, ~held[part], model.poi)
    return saddles


def _find_doubtful(model: CompiledModel, values: Array, data: Array, held: Mask) -> Mask:
    """Tell which minima may owe something to what keeps yields above zero."""
    rates = model.rates(values)
    doubtful = find_touched(model, rates, data)
    doubtful |= find_edges(model, rates, data) & ~held[:, [model.poi]]
    return np.asarray(doubtful.any(axis=1))


def _width(model: CompiledModel) -> int:
    """Numbers of one row in the largest array of derivatives."""
    width = max(1, len(model.yields.alphas) + len(model.yields.directs))
    return max(width * max(1, len(model.yields.nominal)), len(model.parameters.names) ** 2)


def _take_newton_steps(model: CompiledModel, data: Array, start: Array, held: Mask) -> Found:
    with threadpool_limits(1):  # the matrices are far too small to be shared out
        return _join(
            [
                _Chunk(model, data[rows], start[rows], held[rows]).run()
                for rows in _divide(len(start), CHUNK_NUMBERS // _width(model))
            ]
        )


class _Chunk:
    """Newton steps of the rows of one chunk; rows that have converged are no longer moved."""

    def __init__(self, model: CompiledModel, data: Array, start: Array, fixed: Mask) -> None:
        self.model, self.data, self.fixed = model, data, fixed
        parameters = model.parameters
        self.lower, self.upper = parameters.lower, parameters.upper
        self.values = np.where(fixed, start, np.clip(start, self.lower, self.upper))
        self.nllr, self.slope, self.sigma = (np.full(len(start), np.nan) for _ in range(3))
        self.converged = np.zeros(len(start), dtype=bool)

    def run(self) -> Found:
        active = np.arange(len(self.values))
        for _ in range(MAX_STEPS):
            if not len(active):
                break
            active = self._step(active)
        self.converged &= ~_find_doubtful(self.model, self.values, self.data, self.fixed)
        return Found(self.values, self.nllr, self.slope, self.sigma, self.converged)

    def _step(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        values, data, poi = self.values[rows], self.data[rows], self.model.poi
        nllr, gradient, hessian = self.model.evaluate_many(values, data)
        usable = np.isfinite(nllr) & np.isfinite(gradient).all(1) & np.isfinite(hessian).all((1, 2))
        free = ~(held_by_bounds(values, gradient, self.lower, self.upper) | self.fixed[rows])
        hessian[~usable], gradient[~usable] = np.eye(hessian.shape[1]), 0.0
        step, variance, damped = _solve(hessian, gradient, free, poi)
        edm = -0.5 * (gradient * step).sum(axis=1)
        done = usable & ~damped & (edm <= MAX_EDM)
        finished = rows[done]
        moved = np.clip(values + step, self.lower, self.upper)
        self.values[finished] = np.where(self.fixed[finished], values[done], moved[done])
        self.nllr[finished] = nllr[done] - edm[done]
        self.slope[finished] = gradient[done, poi]
        self.sigma[finished] = np.sqrt(np.maximum(variance[done], 0.0))
        self.converged[finished] = True
        for place in np.flatnonzero(done & ~free[:, poi] & ~self.fixed[rows, poi]):
            self.sigma[rows[place]] = _at_bound(hessian[place], gradient[place], free[place], poi)
        going = np.flatnonzero(usable & ~done)
        accepted = self._search(rows[going], nllr[going], gradient[going], step[going])
        return rows[going][accepted]

    def _search(
        self, rows: npt.NDArray[np.intp], nllr: Array, gradient: Array, step: Array
    ) -> Mask:
        """Halve steps until −ln L falls enough; tell for which rows it does."""
        values, fixed = self.values[rows], self.fixed[rows]
        noise = rounding(nllr, self.data[rows, : self.model.n_bins].sum(axis=1))
        accepted = np.zeros(len(rows), dtype=bool)
        length = 1.0
        for _ in range(MAX_HALVINGS):
            left = np.flatnonzero(~accepted)
            if not len(left):
                break
            trial = np.clip(values[left] + length * step[left], self.lower, self.upper)
            trial = np.where(fixed[left], values[left], trial)
            change = (gradient[left] * (trial - values[left])).sum(axis=1)
            found = self.model.nllr_many(trial, self.data[rows[left]])
            good = np.isfinite(found) & (found <= nllr[left] + 1e-4 * change + noise[left])
            self.values[rows[left[good]]] = trial[good]
            accepted[left[good]] = True
            length *= 0.5
        return accepted


def _at_bound(hessian: Array, gradient: Array, free: Mask, poi: int) -> float:
    """σ of μ that a bound holds: the others follow it."""
    cross = hessian[free, poi]
    curvature = hessian[poi, poi]
    if len(cross):
        curvature = curvature - cross @ np.linalg.solve(hessian[np.ix_(free, free)], cross)
    return one_sided_sigma(abs(float(gradient[poi])), float(curvature))


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
