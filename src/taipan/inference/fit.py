"""Maximum-likelihood fits and their covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taipan.inference.curvature import find_covariance
from taipan.inference.edges import is_at_edge
from taipan.inference.errors import FitError
from taipan.inference.minima import find_minima, mark_fixed
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Equally deep minima have the same signal strength to this part of its σ, or the fit is ambiguous.
SAME_STRENGTH = 0.05


@dataclass(frozen=True)
class FitResult:
    """A converged fit.

    Attributes
    ----------
    values
        Estimates, in the order of the model's parameters.
    nllr
        −ln L at the minimum, relative to the saturated model.
    nll
        −ln L at the minimum, constants included (pyhf's ``-logpdf``).
    covariance
        Inverse Hessian; zero for fixed parameters. Where a bound or the edge of the model holds the
        parameter of interest, its σ is the distance at which 2ΔlnL = 1, to second order.
    at_bound
        Parameters that a bound holds; for the parameter of interest also where a bin without data
        predicts nothing any more.
    edm
        Estimated distance of −ln L to the minimum.
    """

    values: Array
    nllr: float
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
        If the data are unusable, no minimum is found, the starts disagree, or the Hessian at the
        minimum is not positive definite; names the parameters concerned.
    """
    is_fixed = mark_fixed(model, fixed)
    minimum, everywhere = find_minima(model, data, start, fixed)
    at_bound = minimum.at_bound.copy()
    at_bound[model.poi] |= is_at_edge(model, data, minimum.values) and not is_fixed[model.poi]
    result = FitResult(
        values=minimum.values,
        nllr=minimum.nll,
        nll=minimum.nll + float(model.saturated_nll(data[None])[0]),
        covariance=find_covariance(model, data, minimum, is_fixed, at_bound),
        at_bound=at_bound,
        edm=minimum.edm,
    )
    strengths = everywhere[:, model.poi]
    if np.ptp(strengths) > SAME_STRENGTH * result.sigma[model.poi]:
        raise FitError(
            f"two minima are equally deep and disagree on {model.parameters.names[model.poi]}: "
            f"{strengths.min():.4g} and {strengths.max():.4g}"
        )
    return result
