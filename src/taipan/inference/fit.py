"""Maximum-likelihood fits and their covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from taipan.inference.errors import FitError
from taipan.inference.minimise import Minimum, minimise
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Smallest eigenvalue of the Hessian, scaled to a unit diagonal, of a fit that determines all its
# parameters: correlations of 1 - 1e-9 are a degeneracy, not a measurement.
MIN_EIGENVALUE = 1e-9
# A fit that predicts less than this fraction of the nominal yield in a bin sits where the signal
# eats up the background: the edge of the model, which acts as a bound of the signal strength.
EDGE_FRACTION = 1e-3
# A fit whose −ln L is lower by this much is another minimum, not rounding.
DEEPER = 1e-6


@dataclass(frozen=True)
class FitResult:
    """A converged fit.

    Attributes
    ----------
    values
        Estimates, in the order of the model's parameters.
    nll
        −ln L at the minimum, constants included (pyhf's ``-logpdf``).
    covariance
        Inverse Hessian; zero for fixed parameters.
    at_bound
        Parameters that a bound holds; for the parameter of interest also where a bin predicts
        nothing any more. Their `sigma` is the local curvature, not an interval.
    edm
        Estimated distance of −ln L to the minimum.
    """

    values: Array
    nll: float
    covariance: Array
    at_bound: Mask
    edm: float

    @property
    def sigma(self) -> Array:
        """Standard deviations from the covariance."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def fit(
    model: CompiledModel,
    data: Array,
    *,
    start: Array | None = None,
    fixed: Mapping[int, float] | None = None,
) -> FitResult:
    """Fit the model to data.

    Parameters
    ----------
    model
        The compiled model.
    data
        Data vector: main counts, then auxiliary measurements.
    start
        Starting point; the nominal parameters by default.
    fixed
        Parameters held at a value, by index.

    Returns
    -------
    FitResult
        Estimates and Hesse covariance.

    Raises
    ------
    FitError
        If the data are unusable, no minimum is found, or the Hessian there is not positive
        definite; names the parameters concerned.
    """
    minimum, is_fixed = find_minimum(model, data, start=start, fixed=fixed)
    minimum = _other_side(model, data, minimum, fixed)
    at_bound = minimum.at_bound.copy()
    edge = model.expected(minimum.values) < EDGE_FRACTION * model.expected(model.nominal(1.0))
    at_bound[model.poi] |= edge.any() and not is_fixed[model.poi]
    return FitResult(
        values=minimum.values,
        nll=minimum.nll,
        covariance=_covariance(model, minimum, is_fixed),
        at_bound=at_bound,
        edm=minimum.edm,
    )


def _other_side(
    model: CompiledModel, data: Array, minimum: Minimum, fixed: Mapping[int, float] | None
) -> Minimum:
    """Look for a deeper minimum with the opposite pulls, and give the deeper one.

    A variation whose up and down templates lie on the same side of the nominal one gives −ln L two
    minima, one for each sign of its parameter.
    """
    parameters = model.parameters
    mirrored = np.where(
        parameters.constrained, 2.0 * parameters.initial - minimum.values, minimum.values
    )
    start = np.clip(mirrored, parameters.lower, parameters.upper)
    try:
        other, _ = find_minimum(model, data, start=start, fixed=fixed)
    except FitError:
        return minimum
    return other if other.nll < minimum.nll - DEEPER else minimum


def find_minimum(
    model: CompiledModel,
    data: Array,
    *,
    start: Array | None = None,
    fixed: Mapping[int, float] | None = None,
) -> tuple[Minimum, Mask]:
    """Minimise −ln L as :func:`fit` does, without the covariance.

    Returns
    -------
    Minimum
        The minimum.
    mask
        Parameters that were held constant.
    """
    _check_data(model, data)
    parameters = model.parameters
    values = (parameters.initial if start is None else start).copy()
    is_fixed = parameters.fixed.copy()
    values[is_fixed] = parameters.initial[is_fixed]
    for index, value in (fixed or {}).items():
        values[index] = value
        is_fixed[index] = True
    try:
        with threadpool_limits(1):  # the matrices are far too small to be shared out
            minimum = minimise(
                lambda point: model.evaluate(point, data),
                values,
                parameters.lower,
                parameters.upper,
                is_fixed,
            )
    except FitError as error:
        held = ", ".join(f"{parameters.names[i]} = {v:.4g}" for i, v in (fixed or {}).items())
        raise FitError(f"fit{' with ' + held if held else ''}: {error}") from error
    return minimum, is_fixed


def _check_data(model: CompiledModel, data: Array) -> None:
    if data.shape != model.observed.shape:
        raise FitError(f"data has shape {data.shape}, the model needs {model.observed.shape}")
    if not np.isfinite(data).all():
        raise FitError(f"data entry {int(np.argmin(np.isfinite(data)))} is not finite")
    counts = data[: model.n_bins]
    if (counts < 0).any():
        position = int(np.argmin(counts))
        raise FitError(f"data bin {position} is negative ({counts[position]:.4g})")


def _covariance(model: CompiledModel, minimum: Minimum, is_fixed: Mask) -> Array:
    """Invert the Hessian of the parameters that moved.

    A parameter at a bound keeps its entry, because the curvature there still measures how well
    the data determine it; it is left out only where the Hessian would not be positive definite.
    """
    covariance = np.zeros_like(minimum.hessian)
    problem = ""
    for free in (~is_fixed, ~(is_fixed | minimum.at_bound)):
        names = [
            name for name, is_free in zip(model.parameters.names, free, strict=True) if is_free
        ]
        inverse, problem = _invert(minimum.hessian[np.ix_(free, free)], names)
        if inverse is not None:
            covariance[np.ix_(free, free)] = inverse
            return covariance
    bounded = [name for name, b in zip(model.parameters.names, minimum.at_bound, strict=True) if b]
    raise FitError(
        f"the Hessian at the minimum is not positive definite: {problem}"
        + (f"; at a bound: {', '.join(bounded)}" if bounded else "")
    )


def _invert(hessian: Array, names: list[str]) -> tuple[Array | None, str]:
    diagonal = np.diag(hessian)
    if (diagonal <= 0).any():
        return None, f"no curvature along {names[int(np.argmin(diagonal))]}"
    scale = np.sqrt(diagonal)
    eigenvalues, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    if len(eigenvalues) and eigenvalues[0] < MIN_EIGENVALUE:
        main = np.argsort(-np.abs(vectors[:, 0]))[:3]
        return None, (
            f"eigenvalue {eigenvalues[0]:.3g} along {', '.join(names[int(i)] for i in main)}"
        )
    return (vectors / eigenvalues) @ vectors.T / np.outer(scale, scale), ""
