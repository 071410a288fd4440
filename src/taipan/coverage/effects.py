"""What each systematic does to the pseudo-data, beside what the model says that it does.

The pseudo-data are made of shifted events, the model of templates. If a systematic moves the one
and not the other, intervals are too long or too short, and nothing else of the report says why. So
the counts of the bins are regressed on the true values: a straight line for each systematic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from taipan.inference import CompiledModel

Array = npt.NDArray[np.float64]

LEAST_P_VALUE = 1e-4
"""Probability below which a slope of the pseudo-data is not that of the templates."""


@dataclass(frozen=True)
class Effect:
    """Change of the data by one standard deviation of a systematic.

    Attributes
    ----------
    name
        The systematic, or the factor of an estimate.
    found, error
        What its change of the pseudo-data moves the parameter of interest by, in units of the
        standard deviation of that, and the statistical error.
    expected
        The same for the change that the model has.
    chi2, ndf, p_value
        χ² of the differences of the two changes, bin by bin, and the probability of one as large
        by chance. It counts the noise of the templates, too: with little simulation it is large.
    """

    name: str
    found: float
    error: float
    expected: float
    chi2: float
    ndf: int
    p_value: float


def measure_effects(
    model: CompiledModel,
    counts: Array,
    truths: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, str],
) -> list[Effect]:
    """Compare the slopes of the counts with those of the model.

    Parameters
    ----------
    model
        The model, at whose nominal parameters the slopes are taken.
    counts
        Of the fitted bins, shape ``(T, B)``.
    truths
        True values of each pseudo-experiment, as :class:`~taipan.coverage.truth.Truth` has them.
    parameters
        Parameter of the model → systematic it belongs to.

    Returns
    -------
    list of Effect
        The largest first. Empty if there are fewer pseudo-experiments than twice the number of
        true values: then no slope is known.
    """
    names = [*truths[0]["pulls"], *truths[0]["factors"]]
    others = list(truths[0].get("others", ()))
    values = np.array(
        [
            [
                *(1.0, item["mu"], *(item["others"][name] for name in others)),
                *(*item["pulls"].values(), *item["factors"].values()),
            ]
            for item in truths
        ]
    )
    first = 2 + len(others)
    if len(values) < 2 * values.shape[1]:
        return []
    slopes, *_ = np.linalg.lstsq(values, counts, rcond=None)
    rest = counts - values @ slopes
    spread = np.linalg.pinv(values.T @ values)
    variances = (rest**2).sum(axis=0) / (len(values) - values.shape[1])
    response, sigma = _respond(model)
    found = []
    for place, name in enumerate(names, start=first):
        own = [key for key, owner in parameters.items() if owner == name] or [name]
        expected = _change(model, own)
        errors = np.sqrt(variances * spread[place, place])
        used = errors > 0.0
        size = float((((slopes[place] - expected)[used] / errors[used]) ** 2).sum())
        ndf = int(used.sum())
        found.append(
            Effect(
                name,
                found=float(response @ slopes[place]) / sigma,
                error=float(np.sqrt((response**2 * errors**2).sum())) / sigma,
                expected=float(response @ expected) / sigma,
                chi2=size,
                ndf=ndf,
                p_value=float(chi2.sf(size, ndf)) if ndf else 1.0,
            )
        )
    return sorted(found, key=lambda item: -max(abs(item.found), abs(item.expected)))


def _respond(model: CompiledModel) -> tuple[Array, float]:
    """Give d(estimate)/d(count) for each bin, and the standard deviation of the estimate."""
    values = model.parameters.initial
    _, _, information = model.evaluate(values, model.asimov(values))
    free = ~model.parameters.fixed
    covariance = np.linalg.pinv(information[np.ix_(free, free)])
    place = int(free[: model.poi].sum())
    expected = model.expected(values)
    weights = np.divide(1.0, expected, out=np.zeros(len(expected)), where=expected > 0.0)
    response: Array = (model.jacobian(values)[:, free] @ covariance[place]) * weights
    return response, float(np.sqrt(covariance[place, place]))


def _change(model: CompiledModel, names: Sequence[str]) -> Array:
    """Give half the difference of the yields at ±1σ of some parameters together."""
    parameters = model.parameters
    places = [parameters.index(name) for name in names if name in parameters.names]
    ends = []
    for sign in (1.0, -1.0):
        values = parameters.initial.copy()
        values[places] += sign * parameters.sigma[places]
        ends.append(model.expected(values))
    change: Array = 0.5 * (ends[0] - ends[1])
    return change
