"""The expected uncertainty of the parameter of interest, without a fit.

For Asimov data the Hessian of -ln L at the nominal parameters is the Fisher information
(arXiv:1007.1727, section 3.2), and the nominal parameters are the minimum.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyhf

from taipan.likelihood.errors import LikelihoodError

Array = npt.NDArray[np.float64]

# In units of a parameter's width before the fit: small against the scale on which the
# interpolations bend, large against rounding.
STEP = 1e-3


def expected_sigma(workspace: Mapping[str, Any], frozen: Collection[str] = ()) -> float:
    """Give the expected σ of the parameter of interest at its initial value.

    Parameters
    ----------
    workspace
        pyhf workspace with one measurement.
    frozen
        Parameters that are known, to find what the others contribute; a parameter with one value
        per bin is frozen in all of them.

    Returns
    -------
    float
        √ of the diagonal element of the inverse Fisher information: all other parameters are
        profiled, statistical ones included.

    Raises
    ------
    LikelihoodError
        If the expected yield of a bin is not positive, or the information has no inverse.
    """
    model = _model(workspace)
    config = model.config
    start = np.array(config.suggested_init(), dtype=np.float64)
    width, free = _widths(config)
    expected = np.asarray(model.expected_actualdata(start.tolist()), dtype=np.float64)
    if not np.all(expected > 0):
        raise LikelihoodError(f"expected yields: bin {int(np.argmin(expected))} is not positive")
    places = [config.par_slice(name) for name in frozen]
    known = {i for place in places for i in range(place.start, place.stop)}
    used = [i for i, fixed in enumerate(config.suggested_fixed()) if not fixed and i not in known]
    jacobian = np.empty((len(expected), len(used)))
    for column, i in enumerate(used):
        step = np.zeros_like(start)
        step[i] = STEP * width[i]
        above, below = (
            np.asarray(model.expected_actualdata((start + sign * step).tolist()))
            for sign in (1.0, -1.0)
        )
        jacobian[:, column] = (above - below) / (2.0 * STEP * width[i])
    prior = np.array([0.0 if free[i] else width[i] ** -2 for i in used])
    return linear_sigma(jacobian, expected, prior, used.index(int(config.poi_index)))


def linear_sigma(jacobian: Array, variance: Array, prior: Array, position: int = 0) -> float:
    """Give σ of one parameter of a linear model with Gaussian constraints.

    Parameters
    ----------
    jacobian
        d(yield)/d(parameter), shape ``(n_bins, n_parameters)``.
    variance
        Variance of each bin, shape ``(n_bins,)``.
    prior
        Inverse variance of each parameter's constraint (0: free), shape ``(n_parameters,)``.
    position
        Which parameter.

    Raises
    ------
    LikelihoodError
        If the information matrix cannot be inverted.
    """
    information = jacobian.T @ (jacobian / variance[:, None]) + np.diag(prior)
    try:
        value = np.linalg.inv(information)[position, position]
    except np.linalg.LinAlgError:
        value = np.nan
    if not value > 0:
        raise LikelihoodError("expected uncertainty: the information matrix has no inverse")
    return float(np.sqrt(value))


def _model(workspace: Mapping[str, Any]) -> Any:
    measurement = workspace["measurements"][0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        return pyhf.Model(
            {
                "channels": workspace["channels"],
                "parameters": measurement["config"]["parameters"],
            },
            poi_name=measurement["config"]["poi"],
            validate=False,
        )


def _widths(config: Any) -> tuple[Array, list[bool]]:
    """Give the width of each parameter's constraint (1 for free ones), and which are free."""
    width = np.ones(config.npars)
    free = [True] * config.npars
    for name in config.par_order:
        parameters = config.param_set(name)
        if not parameters.constrained:
            continue
        values = np.asarray(parameters.width(), dtype=np.float64)
        place = config.par_slice(name)
        width[place] = np.where(values > 0, values, 1.0)
        free[place] = [False] * (place.stop - place.start)
    return width, free
