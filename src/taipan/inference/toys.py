"""Pseudo-experiments."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taipan.inference.errors import FitError
from taipan.inference.fit import fit
from taipan.inference.model import CompiledModel, compile_model
from taipan.inference.profile import Profile, interval

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]

FIELDS = ("mu_hat", "sigma", "low", "high", "nll")


def pseudo_experiments(
    workspace: Mapping[str, Any] | CompiledModel,
    mu: float,
    n: int,
    rng: np.random.Generator,
    *,
    randomise: Literal["auxiliary", "parameters"] = "auxiliary",
    intervals: bool = False,
) -> npt.NDArray[np.void]:
    """Generate and fit pseudo-experiments.

    Parameters
    ----------
    workspace
        pyhf workspace, or its compiled model.
    mu
        True signal strength.
    n
        Number of pseudo-experiments.
    rng
        Source of random numbers.
    randomise
        ``auxiliary``: the true nuisance parameters are nominal and their auxiliary measurements
        fluctuate. ``parameters``: the true nuisance parameters are drawn from their constraints
        (within bounds) and the auxiliary measurements are nominal.
    intervals
        Also find the 68.27 % profile interval of each (ten times slower).

    Returns
    -------
    numpy.ndarray
        Structured array of length `n` with fields ``mu_hat``, ``sigma`` (Hesse), ``low``, ``high``
        (profile interval, NaN unless asked for) and ``nll``. All NaN where a fit failed; each
        failure is logged.
    """
    model = workspace if isinstance(workspace, CompiledModel) else compile_model(workspace)
    results = np.full(n, np.nan, dtype=[(name, np.float64) for name in FIELDS])
    truth = model.nominal(mu)
    for i in range(n):
        data = draw_data(model, truth, rng, randomise)
        try:
            best = fit(model, data, start=truth)
            low, high = interval(Profile(model, data, best)) if intervals else (np.nan, np.nan)
        except FitError as error:
            logger.warning("pseudo-experiment %d at mu = %g failed: %s", i, mu, error)
            continue
        results[i] = (best.values[model.poi], best.sigma[model.poi], low, high, best.nll)
    return results


def draw_data(
    model: CompiledModel,
    truth: Array,
    rng: np.random.Generator,
    randomise: Literal["auxiliary", "parameters"] = "auxiliary",
) -> Array:
    """Draw one data vector; see :func:`pseudo_experiments` for `randomise`."""
    parameters = model.parameters
    if randomise == "parameters":
        constrained = parameters.constrained & ~parameters.fixed
        drawn = np.clip(rng.normal(truth, parameters.sigma), parameters.lower, parameters.upper)
        counts = rng.poisson(model.expected(np.where(constrained, drawn, truth)))
        return np.concatenate([counts, model.expected_auxiliary(truth)])
    expectation = model.expected_auxiliary(truth)
    counted = model.auxiliary_factor > 0
    gaussian = rng.normal(expectation, parameters.sigma[model.auxiliary])
    poisson = rng.poisson(np.where(counted, expectation, 0.0))
    return np.concatenate(
        [rng.poisson(model.expected(truth)), np.where(counted, poisson, gaussian)]
    ).astype(np.float64)
