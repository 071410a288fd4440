"""Pseudo-experiments."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taipan.inference.batch import Fits, fit_many
from taipan.inference.compile import compile_model
from taipan.inference.errors import FitError
from taipan.inference.minima import DEEPER
from taipan.inference.model import CompiledModel, name_bin
from taipan.inference.poisson import SLACK

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]

FIELDS = ("mu_hat", "sigma", "low", "high", "nll")
# Newton iterations for the ends of an interval: √(2ΔlnL) is nearly linear in μ, three are enough.
MAX_ITERATIONS = 20
# Precision of the ends in units of σ(μ).
END_PRECISION = 1e-4
# Values of a statistic that differ by less are equal: those of toys with few counts often are.
SAME_STATISTIC = 1e-6


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
        Also find the 68.27 % profile interval of each (five times slower).

    Returns
    -------
    numpy.ndarray
        Structured array of length `n` with fields ``mu_hat``, ``sigma`` (Hesse), ``low``, ``high``
        (profile interval, NaN unless asked for) and ``nll``. All NaN where a fit failed; each
        failure is logged.
    """
    model = workspace if isinstance(workspace, CompiledModel) else compile_model(workspace)
    truth = model.nominal(mu)
    data = np.empty((n, len(model.observed)))
    for row in data:
        row[:] = draw_data(model, truth, rng, randomise)
    return fit_pseudo_data(model, data, truth, levels=(1.0,) if intervals else ())[0]


def fit_pseudo_data(
    model: CompiledModel, data: Array, start: Array, *, levels: tuple[float, ...] = ()
) -> list[npt.NDArray[np.void]]:
    """Fit pseudo-data, with intervals at several levels.

    Parameters
    ----------
    model
        The model.
    data
        Data vectors, shape ``(T, d)``.
    start
        Starting point of all fits, shape ``(n,)``.
    levels
        Values of 2ΔlnL at the ends of the intervals, for instance ``(1, 3.84)``.

    Returns
    -------
    list of numpy.ndarray
        For each level an array as :func:`pseudo_experiments` describes; one without intervals if
        there are no levels.
    """
    fits = fit_many(model, data, start)
    for row, reason in fits.failures.items():
        logger.warning("pseudo-experiment %d failed: %s", row, reason)
    good = np.flatnonzero(np.isfinite(fits.nllr))
    nll = fits.nllr + model.saturated_nll(data)
    found = []
    for level in levels or (0.0,):
        results = np.full(len(data), np.nan, dtype=[(name, np.float64) for name in FIELDS])
        results["mu_hat"], results["sigma"] = fits.values[:, model.poi], fits.sigma
        results["nll"] = nll
        if levels:
            for side, name in ((-1.0, "low"), (1.0, "high")):
                results[name][good] = _interval_ends(model, data, fits, good, side, level)
            lost = np.isnan(results["low"]) | np.isnan(results["high"])
            for field in FIELDS:
                results[field][lost] = np.nan
        found.append(results)
    return found


def _interval_ends(
    model: CompiledModel,
    data: Array,
    fits: Fits,
    rows: npt.NDArray[np.intp],
    side: float,
    level: float,
) -> Array:
    """Find the ends of profile-likelihood intervals by Newton's method on √(2ΔlnL).

    The slope of the profile is that of −ln L at the conditional minimum.
    """
    poi, target = model.poi, np.sqrt(level)
    bound = (model.parameters.lower if side < 0 else model.parameters.upper)[poi]
    best, sigma, floor = fits.values[rows, poi], fits.sigma[rows], fits.nllr[rows]
    ends = np.full(len(rows), np.nan)
    mu = best + side * target * sigma
    mu = np.maximum(mu, bound) if side < 0 else np.minimum(mu, bound)
    start = fits.values[rows].copy()
    held = np.zeros(start.shape[1], dtype=bool)
    held[poi] = True
    left = np.arange(len(rows))
    for _ in range(MAX_ITERATIONS):
        if not len(left):
            break
        start[left, poi] = mu[left]
        fit = fit_many(model, data[rows[left]], start[left], fixed=held)
        good = np.isfinite(fit.nllr)
        if not good.all():
            logger.warning("%d conditional fits of pseudo-experiments failed", (~good).sum())
        start[left[good]] = fit.values[good]
        local = good & (fit.nllr < floor[left] - DEEPER)
        if local.any():
            logger.warning("the fit of %d pseudo-experiments was a local minimum", local.sum())
            good &= ~local
        root = np.sqrt(np.maximum(2.0 * (fit.nllr - floor[left]), 1e-12))
        slope = side * np.maximum(side * fit.slope / root, 0.05 * target / sigma[left])
        step = (target - root) / slope
        at_bound = (mu[left] == bound) & (root < target)
        done = good & ((np.abs(step) < END_PRECISION * sigma[left]) | at_bound)
        ends[left[done]] = np.where(at_bound, bound, mu[left] + step)[done]
        moved = mu[left] + step
        moved = np.maximum(moved, bound) if side < 0 else np.minimum(moved, bound)
        # never back across the estimate
        inner = best[left] + side * 0.05 * target * sigma[left]
        mu[left] = np.maximum(moved, inner) if side > 0 else np.minimum(moved, inner)
        left = left[good & ~done]
    return ends


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
        counts = rng.poisson(_rates(model, np.where(constrained, drawn, truth)))
        return np.concatenate([counts, model.expected_auxiliary(truth)])
    expectation = model.expected_auxiliary(truth)
    counted = model.auxiliary_factor > 0
    gaussian = rng.normal(expectation, parameters.sigma[model.auxiliary])
    poisson = rng.poisson(np.where(counted, expectation, 0.0))
    return np.concatenate(
        [rng.poisson(_rates(model, truth)), np.where(counted, poisson, gaussian)]
    ).astype(np.float64)


def _rates(model: CompiledModel, truth: Array) -> Array:
    """Give the expected counts; those that only rounding has left below zero are zero."""
    rates = model.expected(truth)
    if rates.min() < -SLACK:
        place = int(np.argmin(rates))
        raise FitError(
            f"toys with {model.parameters.names[model.poi]} = {truth[model.poi]:.4g}: "
            f"{name_bin(model.regions, place)} would expect {rates[place]:.3g} events"
        )
    return np.maximum(rates, 0.0)
