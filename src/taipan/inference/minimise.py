"""Minimisation of −ln L within bounds.

Damped Newton steps with the exact Hessian, projected on the bounds (Bertsekas, SIAM J. Control
Optim. 20 (1982) 221). Near the minimum the likelihood is close to quadratic, so a refit from a
neighbouring point takes two or three steps. Where Newton does not converge, SciPy's L-BFGS-B gives
a new starting point.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.optimize

from taipan.inference.errors import FitError, NoMinimumError

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Objective = Callable[[Array], tuple[float, Array, Array]]

# Estimated distance to the minimum of −ln L at which a fit ends. ½(δ/σ)² = 1e-10 leaves each
# estimate within 1.5e-5 of its standard deviation.
MAX_EDM = 1e-10
MAX_STEPS = 60
MAX_HALVINGS = 60
# Rounding error of a sum of ~1e5 in 64 bits, relative to the sum.
NOISE = 1e-14
# Eigenvalue of the Hessian, scaled to a unit diagonal, of a direction without curvature.
FLAT = 1e-9
# Rounding error of a number in 64 bits.
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Minimum:
    """A converged minimum.

    Attributes
    ----------
    values
        Parameters.
    nll
        The function there: −ln L relative to the saturated model.
    hessian
        Second derivatives there, all parameters.
    at_bound
        Parameters held by a bound against the gradient.
    edm
        Estimated distance of −ln L to the minimum.
    steps
        Newton steps taken.
    """

    values: Array
    nll: float
    hessian: Array
    at_bound: Mask
    edm: float
    steps: int


def minimise(
    objective: Objective,
    start: Array,
    lower: Array,
    upper: Array,
    fixed: Mask,
    *,
    events: float = 0.0,
) -> Minimum:
    """Find the minimum of a twice differentiable function within bounds.

    Parameters
    ----------
    objective
        Function of the parameters ``(n,)`` that returns value, gradient and Hessian.
    start
        Starting point; fixed parameters keep their value, also outside the bounds.
    lower, upper
        Bounds, shape ``(n,)``.
    fixed
        Parameters that do not move.
    events
        Sum of the counts, from which the rounding error of the function is known.

    Returns
    -------
    Minimum
        The minimum.

    Raises
    ------
    FitError
        If the function is not finite at the start, or no minimum is found; says how far it came.
    """
    inside = np.where(fixed, start, np.clip(start, lower, upper))
    limits = (lower, upper, fixed)
    first = _newton(objective, inside, limits, events)
    if first.edm <= MAX_EDM:
        return first
    logger.info("Newton's method stopped at EDM %.3g; L-BFGS-B takes over", first.edm)
    second = _newton(
        objective, _quasi_newton(objective, inside, lower, upper, fixed), limits, events
    )
    if second.edm <= MAX_EDM:
        return second
    raise NoMinimumError(
        f"no minimum found: estimated distance {second.edm:.3g} (wanted {MAX_EDM:g}) after "
        f"{second.steps} Newton steps, -ln L = {second.nll:.6g} above the saturated model, "
        f"{int(second.at_bound.sum())} parameters at a bound",
        second.values,
    )


def rounding(nllr: Array | float, events: Array | float) -> Array:
    """Give the rounding error of −ln L relative to the saturated model.

    Each term is n·(x - ln(1+x)) with x = λ/n - 1, whose error is that of λ times x. Summed over N
    events it stays below ε·√(2·N·nllr), besides that of the sum itself.
    """
    size = np.abs(nllr)
    return np.asarray(NOISE * size + EPSILON * np.sqrt(2.0 * size * events))


def held_by_bounds(values: Array, gradient: Array, lower: Array, upper: Array) -> Mask:
    """Tell which parameters sit on a bound that the descent direction would cross."""
    return np.asarray(((values <= lower) & (gradient > 0)) | ((values >= upper) & (gradient < 0)))


def find_corner(
    values: Array, gradient: Array, hessian: Array, free: Mask, limits: tuple[Array, Array]
) -> Mask:
    """Tell which parameters are held by their bounds although none of them has a gradient.

    Without data, two yields that share a bin are both zero at the minimum, and the Hessian does not
    tell them apart: one could grow as the other falls. Their bounds forbid it. That is so only if
    every direction without curvature crosses a bound, both ways.
    """
    side = np.where(values <= limits[0], 1.0, np.where(values >= limits[1], -1.0, 0.0))
    side[gradient**2 > MAX_EDM * np.abs(np.diag(hessian))] = 0.0
    nothing = np.zeros(len(values), dtype=np.bool_)
    block = hessian[np.ix_(free, free)]
    scale = np.sqrt(np.abs(np.diag(block)))
    if not ((side != 0.0) & free).any() or not scale.all():
        return nothing
    eigenvalues, vectors = np.linalg.eigh(block / np.outer(scale, scale))
    flat = vectors[:, eigenvalues < FLAT] / scale[:, None]
    flat /= np.abs(flat).max(initial=1e-300)
    inwards = side[free][:, None] * flat
    elsewhere = np.abs(flat[side[free] == 0.0]).max(initial=0.0)
    if not flat.size or elsewhere > 1e-3 or _points_inside(inwards):
        return nothing
    nothing[np.flatnonzero(free)[np.abs(flat).max(axis=1) > 1e-3]] = True
    return nothing


def _points_inside(directions: Array) -> bool:
    """Tell whether a combination of the columns is nowhere negative, and not zero."""
    total = directions.sum(axis=0)
    found = scipy.optimize.linprog(
        -total,
        A_ub=np.vstack([-directions, total]),
        b_ub=np.append(np.full(len(directions), 1e-6), 1.0),
        bounds=(None, None),
    )
    return not found.success or -found.fun > 0.1


def _newton(
    objective: Objective, start: Array, limits: tuple[Array, Array, Mask], events: float
) -> Minimum:
    lower, upper, fixed = limits
    values = start
    nll, gradient, hessian = objective(values)
    if not (np.isfinite(nll) and np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        raise FitError(f"-ln L or a derivative of it is not finite at the starting point ({nll})")
    edm, steps = np.inf, 0
    held = held_by_bounds(values, gradient, lower, upper) & ~fixed
    for steps in range(MAX_STEPS + 1):
        held = held_by_bounds(values, gradient, lower, upper) & ~fixed
        free = ~(held | fixed)
        step, damped = newton_step(hessian, gradient, free)
        if damped and (corner := find_corner(values, gradient, hessian, free, limits[:2])).any():
            step, damped = newton_step(hessian, gradient, free & ~corner)
        edm = np.inf if damped else float(-0.5 * gradient @ step)
        if edm <= MAX_EDM:
            # the last step is too short to change the Hessian, but it makes estimates exact
            values, nll = np.where(fixed, values, np.clip(values + step, lower, upper)), nll - edm
            break
        if steps == MAX_STEPS:
            break
        noise = float(rounding(nll, events))
        accepted = _line_search(objective, values, nll + noise, gradient, step, limits)
        if accepted is None:
            break
        values, nll, gradient, hessian = accepted
    return Minimum(values, nll, hessian, held, edm, steps)


def newton_step(hessian: Array, gradient: Array, free: Mask) -> tuple[Array, bool]:
    """Solve H·step = −gradient for the free parameters, damped until H is positive definite.

    Returns
    -------
    step
        The step, zero for parameters that are not free.
    damped
        True if the Hessian was not positive definite.
    """
    step = np.zeros_like(gradient)
    if not free.any():
        return step, False
    block = hessian[np.ix_(free, free)]
    curvature = np.abs(np.diag(block))
    scale = np.sqrt(np.where(curvature > np.finfo(float).eps * curvature.max(), curvature, 1.0))
    scaled = block / np.outer(scale, scale)
    damping = 0.0
    while True:
        try:
            factor = scipy.linalg.cho_factor(scaled + damping * np.eye(len(scale)))
        except scipy.linalg.LinAlgError:
            damping = max(1e-3, 4.0 * damping)
            continue
        step[free] = -scipy.linalg.cho_solve(factor, gradient[free] / scale) / scale
        return step, damping > 0


def _line_search(
    objective: Objective,
    values: Array,
    nll: float,
    gradient: Array,
    step: Array,
    limits: tuple[Array, Array, Mask],
) -> tuple[Array, float, Array, Array] | None:
    """Halve the step until −ln L falls enough (Armijo); None if it never does."""
    lower, upper, fixed = limits
    length = 1.0
    for _ in range(MAX_HALVINGS):
        trial = np.where(fixed, values, np.clip(values + length * step, lower, upper))
        trial_nll, trial_gradient, trial_hessian = objective(trial)
        wanted = nll + 1e-4 * gradient @ (trial - values)
        if (
            np.isfinite(trial_nll)
            and trial_nll <= wanted
            and np.isfinite(trial_gradient).all()
            and np.isfinite(trial_hessian).all()
        ):
            return trial, trial_nll, trial_gradient, trial_hessian
        length *= 0.5
    return None


def _quasi_newton(
    objective: Objective, start: Array, lower: Array, upper: Array, fixed: Mask
) -> Array:
    _, _, hessian = objective(start)
    free = ~fixed
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-12))[free]

    def expand(scaled: Array) -> Array:
        values = start.copy()
        values[free] = scaled * scale
        return values

    def function(scaled: Array) -> tuple[float, Array]:
        nll, gradient, _ = objective(expand(scaled))
        return nll, gradient[free] * scale

    result = scipy.optimize.minimize(
        function,
        start[free] / scale,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(lower[free] / scale, upper[free] / scale, strict=True)),
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-8},
    )
    return np.where(fixed, start, np.clip(expand(result.x), lower, upper))
