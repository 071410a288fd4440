"""The Hessian at a minimum, what it says of the uncertainties, and the same at a bound."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from taipan.inference.edges import is_at_edge
from taipan.inference.errors import FitError
from taipan.inference.minimise import Minimum
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Smallest eigenvalue of the Hessian, scaled to a unit diagonal, of a fit that determines all its
# parameters: correlations of 1 - 1e-9 are a degeneracy, not a measurement.
MIN_EIGENVALUE = 1e-9


@dataclass(frozen=True)
class Curvature:
    """−ln L around a minimum, and how it changes with the parameter of interest.

    Attributes
    ----------
    poi
        Index of the parameter of interest.
    hessian
        Second derivatives.
    slope, own
        First and second derivative along the parameter of interest, of the likelihood without what
        holds empty bins at zero; the slope is not zero only where a bound or an edge holds it.
    at_edge
        A bin without data is held at zero.
    """

    poi: int
    hessian: Array
    slope: float
    own: float
    at_edge: bool

    def follow(self, covariance: Array) -> Array:
        """Give how the other parameters follow, from their covariance; 1 for itself."""
        followed = -covariance @ self.hessian[:, self.poi]
        followed[self.poi] = 1.0
        return np.asarray(followed)

    def sigma(self, covariance: Array) -> float:
        """Give σ of the parameter of interest, with the others as in their `covariance`."""
        profiled = float(self.hessian[self.poi] @ self.follow(covariance))
        if not self.at_edge:
            return one_sided_sigma(self.slope, profiled)
        # where others can take its place in that bin, what is left is rounding
        is_real = profiled > MIN_EIGENVALUE * self.hessian[self.poi, self.poi]
        along = 1.0 / np.sqrt(profiled) if is_real else 0.0
        return max(one_sided_sigma(self.slope, self.own), along)


def read_curvature(model: CompiledModel, data: Array, values: Array, one_sided: bool) -> Curvature:
    """Evaluate the derivatives at a minimum; the slope is zero unless `one_sided`."""
    _, _, hessian = model.evaluate(values, data)
    plain = replace(model, floor=np.where(data[: model.n_bins] > 0.0, model.floor, -np.inf))
    _, gradient, bare = plain.evaluate(values, data)
    slope = abs(float(gradient[model.poi])) if one_sided else 0.0
    own = float(bare[model.poi, model.poi])
    return Curvature(model.poi, hessian, slope, own, is_at_edge(model, data, values))


def one_sided_sigma(slope: float, curvature: float) -> float:
    """Distance from a bound at which 2ΔlnL = 1, to second order; 0 if there is none.

    2(g·δ + ½h·δ²) = 1 has the solution δ = (√(g² + h) - g)/h, written so that h = 0 is allowed.
    For g = 0 it is the usual 1/√h.
    """
    root = slope**2 + curvature
    return float(1.0 / (np.sqrt(root) + slope)) if root > 0.0 else 0.0


def find_covariance(
    model: CompiledModel, data: Array, minimum: Minimum, is_fixed: Mask, at_bound: Mask
) -> Array:
    """Invert the Hessian of the parameters that moved.

    A parameter at a bound keeps its entry, because the curvature there still measures how well
    the data determine it; it is left out only where the Hessian would not be positive definite.
    """
    one_sided = at_bound[model.poi]
    curvature = read_curvature(model, data, minimum.values, one_sided) if one_sided else None
    problem = ""
    for free in (~is_fixed, ~(is_fixed | minimum.at_bound)):
        if curvature is None:
            covariance, problem = _invert_part(model, minimum.hessian, free)
        else:
            covariance, problem = _invert_one_sided(model, curvature, free)
        if covariance is not None:
            return covariance
    bounded = [name for name, b in zip(model.parameters.names, minimum.at_bound, strict=True) if b]
    raise FitError(
        f"the Hessian at the minimum is not positive definite: {problem}"
        + (f"; at a bound: {', '.join(bounded)}" if bounded else "")
    )


def _invert_one_sided(
    model: CompiledModel, curvature: Curvature, free: Mask
) -> tuple[Array | None, str]:
    """Give the covariance with the parameter of interest at a bound."""
    rest = free.copy()
    rest[model.poi] = False
    covariance, problem = _invert_part(model, curvature.hessian, rest)
    if covariance is None:
        return None, problem
    sigma = curvature.sigma(covariance)
    if sigma == 0.0:
        return None, f"no curvature along {model.parameters.names[model.poi]}"
    follow = curvature.follow(covariance)
    return covariance + sigma**2 * np.outer(follow, follow), ""


def _invert_part(model: CompiledModel, hessian: Array, free: Mask) -> tuple[Array | None, str]:
    names = [name for name, is_free in zip(model.parameters.names, free, strict=True) if is_free]
    inverse, problem = _invert(hessian[np.ix_(free, free)], names)
    if inverse is None:
        return None, problem
    covariance = np.zeros_like(hessian)
    covariance[np.ix_(free, free)] = inverse
    return covariance, ""


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
