"""Many similar fits with one Hessian and many gradients.

A ranking, toys or the points of a contour refit one model from points that are near each other. One
matrix is then nearly right for all of them: that of Fisher, at the first point. Steps with it need
gradients only, which cost a fraction of a Hessian (:mod:`taipan.inference.gradient`), and what they
tell of the true curvature improves each next step (limited-memory BFGS, J. Nocedal, Math. Comp. 35
(1980) 773). A fit that meets a bound, or does not come down quickly, is left to Newton's method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg

from taipan.inference.minimise import MAX_EDM, held_by_bounds, rounding
from taipan.inference.model import CompiledModel
from taipan.inference.poisson import poisson_terms

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# The curvature is not exact here, so the distance to the minimum has to be smaller by this factor.
SAFETY = 0.1
MAX_CHORDS = 30
MAX_SHORTENINGS = 8
MEMORY = 8
# Parameters that a fit holds in addition to those that all of them hold.
MOST_HELD = 4
# Yield below which a bin is taken for one of this yield: a matrix that is too stiff would end a fit
# too soon, one that is too soft only makes it slower.
SMALLEST_RATE = 1.0


@dataclass(frozen=True)
class Chords:
    """Where the steps have led each row.

    Attributes
    ----------
    values
        Parameters, shape ``(T, n)``; no meaning where it has not converged.
    slope
        d(−ln L)/dμ there, shape ``(T,)``: not zero where μ is held.
    nllr
        −ln L relative to the saturated model, shape ``(T,)``.
    converged
        Shape ``(T,)``.
    """

    values: Array
    slope: Array
    nllr: Array
    converged: Mask


class Metric:
    """The inverse of Fisher's matrix, with some parameters held.

    Parameters
    ----------
    matrix
        Fisher's matrix, shape ``(n, n)``.
    held
        Parameters that each row keeps, shape ``(T, n)``.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix of the parameters that not all rows hold is singular.
    """

    def __init__(self, matrix: Array, held: Mask) -> None:
        everywhere = held.all(axis=0)
        free = np.flatnonzero(~everywhere)
        own = held[:, free]
        self.free, self.most = free, int(own.sum(axis=1).max(initial=0))
        block = matrix[np.ix_(free, free)]
        scale = np.sqrt(np.diag(block))
        if not (scale > 0.0).all():
            raise np.linalg.LinAlgError("a parameter acts on nothing")
        factor = scipy.linalg.cho_factor(block / np.outer(scale, scale))
        inverse = scipy.linalg.cho_solve(factor, np.eye(len(free)))
        self.inverse = inverse / np.outer(scale, scale)
        # positions of what each row holds, padded with itself
        self.held = np.argsort(~own, axis=1, kind="stable")[:, : self.most]
        self.is_held = np.take_along_axis(own, self.held, axis=1)

    def apply(self, rows: npt.NDArray[np.intp], gradient: Array) -> Array:
        """Give H⁻¹·g of some rows, with nothing for what they hold; shape ``(T, n)``."""
        found = np.zeros_like(gradient)
        step = gradient[:, self.free] @ self.inverse
        if self.most:
            held, is_held = self.held[rows], self.is_held[rows]
            part = self.inverse[held[:, :, None], held[:, None, :]]
            both = is_held[:, :, None] & is_held[:, None, :]
            part = np.where(both, part, np.eye(self.most))
            wrong = np.where(is_held, np.take_along_axis(step, held, axis=1), 0.0)
            factor = np.linalg.solve(part, wrong[:, :, None])[:, :, 0]
            for i in range(self.most):
                step -= factor[:, i, None] * self.inverse[held[:, i]]
            np.put_along_axis(
                step, held, np.where(is_held, 0.0, np.take_along_axis(step, held, axis=1)), axis=1
            )
        found[:, self.free] = step
        return found


def follow_chords(model: CompiledModel, data: Array, start: Array, held: Mask) -> Chords:
    """Descend from every start with one matrix.

    Parameters
    ----------
    model
        The model.
    data
        Data vectors, shape ``(T, d)``.
    start
        Starting points inside the bounds, shape ``(T, n)``.
    held
        Parameters that keep their value, shape ``(T, n)``.
    """
    nothing = np.zeros(len(start))
    failed = Chords(start, nothing, nothing, np.zeros(len(start), dtype=np.bool_))
    own = held & ~held.all(axis=0)
    if own.sum(axis=1).max(initial=0) > MOST_HELD:
        return failed
    try:
        metric = Metric(_fisher(model, start[0], data[0]), held)
    except np.linalg.LinAlgError:
        return failed
    return _Descent(model, data, start.copy(), held, metric).run()


def _fisher(model: CompiledModel, values: Array, data: Array) -> Array:
    """Second derivatives of −ln L without those of the yields: nowhere negative.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a factor of the yields is not positive.
    """
    # as if the data were what is expected: those of another row are others
    found = model.hessians.evaluate(values)
    if found is None:
        raise np.linalg.LinAlgError("a factor is not positive")
    weights = 1.0 / np.maximum(found.yields, SMALLEST_RATE)
    _, matrix = model.hessians.combine(found, np.zeros_like(weights), weights)
    auxiliary = model.auxiliary
    _, _, bend = model.auxiliary_terms(values[None], data[None])
    matrix[auxiliary, auxiliary] += bend[0]
    return np.asarray(matrix)


class _Descent:
    """Steps of all rows together; rows that have converged, or go astray, are no longer moved."""

    def __init__(
        self,
        model: CompiledModel,
        data: Array,
        values: Array,
        held: Mask,
        metric: Metric,
    ) -> None:
        self.model, self.data = model, data
        self.values, self.held, self.metric = values, held, metric
        self.lower, self.upper = model.parameters.lower, model.parameters.upper
        self.nllr, self.gradient = np.full(len(values), np.nan), np.zeros_like(values)
        self.slope = np.zeros(len(values))
        self.converged = np.zeros(len(values), dtype=np.bool_)
        shape = (MEMORY, *values.shape)
        self.moves, self.changes = np.zeros(shape), np.zeros(shape)
        self.scales = np.zeros((MEMORY, len(values)))

    def run(self) -> Chords:
        rows = np.arange(len(self.values))
        self.nllr, self.gradient, self.slope, usable = self._evaluate(rows, self.values)
        at_bound = held_by_bounds(self.values, self.gradient, self.lower, self.upper) & ~self.held
        rows = rows[usable & ~at_bound.any(axis=1)]
        for step in range(MAX_CHORDS):
            if not len(rows):
                break
            direction = -self._newton(rows, self.gradient[rows], step)
            edm = -0.5 * (self.gradient[rows] * direction).sum(axis=1)
            done = np.abs(edm) <= SAFETY * MAX_EDM
            self.converged[rows[done]] = True
            last = self.values[rows[done]] + direction[done]
            inside = np.clip(last, self.lower, self.upper)
            self.values[rows[done]] = np.where(self.held[rows[done]], last, inside)
            self.nllr[rows[done]] -= edm[done]
            going = ~done & (edm > 0.0)
            rows = self._move(rows[going], direction[going], step)
        return Chords(self.values, self.slope, self.nllr, self.converged)

    def _evaluate(
        self, rows: npt.NDArray[np.intp], values: Array
    ) -> tuple[Array, Array, Array, Mask]:
        """−ln L, its gradient, zero for what is held, its slope by μ, and the usable rows."""
        model, data = self.model, self.data[rows]
        rates, forward, usable = model.gradients.evaluate(values)
        terms, slope, _ = poisson_terms(
            data[:, : model.n_bins], rates, model.floor, model.largest_floor
        )
        gradient = model.gradients.pull_back(forward, slope)
        penalty, by_auxiliary, _ = model.auxiliary_terms(values, data)
        gradient[:, model.auxiliary] += by_auxiliary
        slope_of_poi = gradient[:, model.poi].copy()
        gradient[self.held[rows]] = 0.0
        nllr = terms.sum(axis=1) + penalty
        usable = usable & np.isfinite(nllr) & np.isfinite(gradient).all(axis=1)
        return nllr, gradient, slope_of_poi, usable

    def _move(
        self, rows: npt.NDArray[np.intp], direction: Array, step: int
    ) -> npt.NDArray[np.intp]:
        """Take steps, halved where −ln L does not fall enough; give the rows that go on."""
        left, length = np.arange(len(rows)), 1.0
        moved = np.zeros(len(rows), dtype=np.bool_)
        for _ in range(MAX_SHORTENINGS):
            trial = self.values[rows[left]] + length * direction[left]
            is_inside = (trial > self.lower) & (trial < self.upper) | self.held[rows[left]]
            tried = left[is_inside.all(axis=1)]
            if len(tried):
                trial = trial[is_inside.all(axis=1)]
                moved[tried] = self._accept(rows[tried], trial, length * direction[tried], step)
            left = np.flatnonzero(~moved)
            if not len(left):
                break
            length *= 0.5
        return rows[moved]

    def _accept(self, rows: npt.NDArray[np.intp], trial: Array, move: Array, step: int) -> Mask:
        """Go where −ln L falls enough, and tell for which rows it does."""
        noise = rounding(self.nllr[rows], self.data[rows, : self.model.n_bins].sum(axis=1))
        nllr, gradient, slope, usable = self._evaluate(rows, trial)
        fall = (self.gradient[rows] * move).sum(axis=1)
        good = np.asarray(usable & (nllr <= self.nllr[rows] + 1e-4 * fall + noise))
        kept = rows[good]
        self._remember(kept, trial[good], gradient[good], step)
        self.values[kept], self.nllr[kept] = trial[good], nllr[good]
        self.gradient[kept], self.slope[kept] = gradient[good], slope[good]
        return good

    def _remember(
        self, rows: npt.NDArray[np.intp], values: Array, gradient: Array, step: int
    ) -> None:
        place = step % MEMORY
        move, change = values - self.values[rows], gradient - self.gradient[rows]
        product = (move * change).sum(axis=1)
        size = np.sqrt((move**2).sum(axis=1) * (change**2).sum(axis=1))
        self.moves[place, rows], self.changes[place, rows] = move, change
        is_curved = product > 1e-10 * size
        self.scales[place, rows] = np.where(is_curved, 1.0 / np.where(is_curved, product, 1.0), 0.0)

    def _newton(self, rows: npt.NDArray[np.intp], gradient: Array, step: int) -> Array:
        """Inverse Hessian times gradient, with what the last steps have told of it."""
        places = [k % MEMORY for k in range(max(0, step - MEMORY), step)]
        found, parts = gradient.copy(), {}
        for place in reversed(places):
            move, scale = self.moves[place, rows], self.scales[place, rows]
            parts[place] = scale * (move * found).sum(axis=1)
            found -= parts[place][:, None] * self.changes[place, rows]
        found = self.metric.apply(rows, found)
        for place in places:
            change, scale = self.changes[place, rows], self.scales[place, rows]
            part = scale * (change * found).sum(axis=1)
            found += (parts[place] - part)[:, None] * self.moves[place, rows]
        return found
