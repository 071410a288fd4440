"""Impacts of parameters on the signal strength, and its uncertainty by source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from taipan.inference.batch import fit_many
from taipan.inference.curvature import read_curvature
from taipan.inference.errors import FitError
from taipan.inference.fit import FitResult
from taipan.inference.minima import DEEPER
from taipan.inference.model import CompiledModel
from taipan.suggestions import nearest

Array = npt.NDArray[np.float64]

ImpactMethod = Literal["refits", "covariance"]
STATISTICAL = "statistical"
EXPERIMENTAL = "experimental"
MC_STATISTICS = "MC statistics"
# Kinds of parameters that stand for the statistics of the simulation, as workspaces name them.
_MC_MODIFIERS = ("staterror", "shapesys")


@dataclass(frozen=True)
class Impact:
    """Change of μ̂ when one parameter is held at ±1σ and all others are refitted.

    Attributes
    ----------
    name
        The parameter.
    prefit
        With σ of the auxiliary measurement, up and down; None for free parameters.
    postfit
        With σ after the fit, up and down.
    """

    name: str
    prefit: tuple[float, float] | None
    postfit: tuple[float, float]


def impacts_to_json(impacts: Sequence[Impact]) -> list[dict[str, Any]]:
    """Give impacts as plain lists and dictionaries."""
    return [
        {
            "name": item.name,
            "prefit": None if item.prefit is None else list(item.prefit),
            "postfit": list(item.postfit),
        }
        for item in impacts
    ]


def rank_parameters(model: CompiledModel, data: Array, best: FitResult) -> list[Impact]:
    """Compute the impact of every parameter, largest post-fit impact first.

    Parameters
    ----------
    model
        The model.
    data
        Data vector that was fitted.
    best
        Its global fit.

    Returns
    -------
    list of Impact
        Parameters that are constant, and the parameter of interest, are left out.

    Raises
    ------
    FitError
        If a conditional fit fails; names the parameter.
    """
    parameters, poi = model.parameters, model.poi
    moving = [i for i in np.flatnonzero(best.sigma > 0) if i != poi]
    rows: list[tuple[int, float]] = []
    for i in moving:
        steps = [best.sigma[i], -best.sigma[i]]
        if parameters.constrained[i]:
            steps += [parameters.sigma[i], -parameters.sigma[i]]
        rows += [(int(i), float(step)) for step in steps]
    if not rows:
        return []
    index, step = np.array([i for i, _ in rows]), np.array([s for _, s in rows])
    place = np.arange(len(rows))
    slopes = best.covariance[index] / best.covariance[index, index][:, None]
    start = np.clip(best.values + slopes * step[:, None], parameters.lower, parameters.upper)
    # a rate factor is not moved across its bound, where there is no likelihood
    start[place, index] = np.clip(
        best.values[index] + step, parameters.lower[index], parameters.upper[index]
    )
    held = np.zeros(start.shape, dtype=bool)
    held[place, index] = True
    fits = fit_many(model, data, start, fixed=held, sigma=False)
    for row, reason in fits.failures.items():
        raise FitError(f"impact of {parameters.names[index[row]]}: {reason}")
    lowest = int(np.argmin(fits.nllr))
    if fits.nllr[lowest] < best.nllr - DEEPER:
        raise FitError(
            f"impact of {parameters.names[index[lowest]]}: -ln L is lower at "
            f"{start[lowest, index[lowest]]:.4g} than at the best fit, a local minimum"
        )
    change = fits.values[:, poi] - best.values[poi]
    impacts, row = [], 0
    for i in moving:
        n = 4 if parameters.constrained[i] else 2
        values = [float(value) for value in change[row : row + n]]
        prefit = (values[2], values[3]) if n == 4 else None
        impacts.append(Impact(parameters.names[i], prefit, (values[0], values[1])))
        row += n
    return sorted(impacts, key=lambda item: -max(map(abs, item.postfit)))


def read_impacts(model: CompiledModel, best: FitResult) -> list[Impact]:
    """Give the impacts that the covariance says, without a refit; the largest first.

    If −ln L is a parabola, μ̂ moves by V_μθ/V_θθ times the shift of θ. The impacts up and down are
    then opposite, and those of refits are the same. Far from a parabola only refits are right.

    Parameters
    ----------
    model
        The model.
    best
        Its global fit.

    Returns
    -------
    list of Impact
        Of the parameters that :func:`rank_parameters` lists.
    """
    parameters, poi = model.parameters, model.poi
    found = []
    for i in np.flatnonzero(best.sigma > 0):
        if i == poi:
            continue
        slope = float(best.covariance[poi, i] / best.covariance[i, i])
        postfit, prefit = slope * float(best.sigma[i]), slope * float(parameters.sigma[i])
        found.append(
            Impact(
                parameters.names[i],
                (prefit, -prefit) if parameters.constrained[i] else None,
                (postfit, -postfit),
            )
        )
    return sorted(found, key=lambda item: -abs(item.postfit[0]))


def choose_method(text: str) -> ImpactMethod:
    """Read how impacts are computed.

    Raises
    ------
    FitError
        If it is not one of the methods.
    """
    for method in get_args(ImpactMethod):
        if text == method:
            return cast(ImpactMethod, method)
    raise FitError(f"impacts: {text!r} is not a method ({', '.join(get_args(ImpactMethod))})")


def find_impacts(
    model: CompiledModel, data: Array, best: FitResult, method: ImpactMethod
) -> list[Impact]:
    """Give the impacts by refits (:func:`rank_parameters`) or from the covariance.

    Where a bound holds μ the covariance does not know how it moves, so refits are made.
    """
    if method == "covariance" and not best.at_bound[model.poi]:
        return read_impacts(model, best)
    return rank_parameters(model, data, best)


def divide_variance(
    model: CompiledModel, best: FitResult, groups: Mapping[str, Sequence[int]]
) -> dict[str, float]:
    """Divide σ(μ) by source so that the squares of the parts add up to σ².

    The part of a parameter is the change of μ̂ when its auxiliary measurement moves by one standard
    deviation, V_μθ/σ₀: what users of Combine know as global impact. The rest is the part of the
    data. Unlike the parts of :func:`break_down` these do not depend on what else is held.

    Parameters
    ----------
    model, best
        The model and its fit.
    groups
        Group → indices of parameters.

    Returns
    -------
    dict
        ``total``, ``statistical`` (of the data, and of Poisson measurements to first order), then
        the groups.
    """
    variance = best.covariance[model.poi, model.poi]
    parts = {}
    for name, indices in groups.items():
        moving = [i for i in indices if best.sigma[i] > 0 and model.parameters.sigma[i] > 0]
        change = best.covariance[model.poi, moving] / model.parameters.sigma[moving]
        parts[name] = float((change**2).sum())
    rest = max(float(variance) - sum(parts.values()), 0.0)
    squares = {"total": float(variance), STATISTICAL: rest, **parts}
    return {name: float(np.sqrt(value)) for name, value in squares.items()}


def default_groups(
    model: CompiledModel, kinds: Mapping[str, Sequence[str]], named: Mapping[str, str]
) -> dict[str, list[int]]:
    """Divide the nuisance parameters into groups.

    Parameters
    ----------
    model
        The model.
    kinds
        Parameter set → kinds of its modifiers (``staterror``, ``normsys``, ...).
    named
        Parameter set → group, for those that are told apart. The others are ``MC statistics`` if
        they stand for bins of the simulation, and ``experimental``.

    Returns
    -------
    dict
        Group → indices of its constrained parameters. Free parameters belong to none: their
        uncertainty is that of the data.

    Raises
    ------
    FitError
        If a named parameter is not in the model.
    """
    bases = [name.partition("[")[0] for name in model.parameters.names]
    unknown = [name for name in named if name not in bases and name not in model.parameters.names]
    if unknown:
        meant = nearest(unknown[0], bases)
        raise FitError(f"groups: {', '.join(unknown)} is not a parameter of the model{meant}")
    groups: dict[str, list[int]] = {}
    for i, (base, name) in enumerate(zip(bases, model.parameters.names, strict=True)):
        if not model.parameters.constrained[i] or model.parameters.fixed[i] or i == model.poi:
            continue
        simulated = any(kind in _MC_MODIFIERS for kind in kinds.get(base, ()))
        default = MC_STATISTICS if simulated else EXPERIMENTAL
        groups.setdefault(named.get(name, named.get(base, default)), []).append(i)
    return groups


def parameter_kinds(workspace: Mapping[str, Any]) -> dict[str, list[str]]:
    """Parameter set → kinds of the modifiers of a pyhf workspace that use it."""
    kinds: dict[str, list[str]] = {}
    for channel in workspace["channels"]:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                kinds.setdefault(modifier["name"], []).append(modifier["type"])
    return kinds


def break_down(
    model: CompiledModel, data: Array, best: FitResult, groups: Mapping[str, Sequence[int]]
) -> dict[str, float]:
    """Divide σ(μ) by source.

    The part of a group is √(σ² − σ'²) with σ' from the Hessian with its parameters held at the
    best fit; ``statistical`` is σ with every constrained parameter held. Correlations between
    groups keep the parts from adding up in quadrature to the total.

    Parameters
    ----------
    model, data, best
        The model, the data and their fit.
    groups
        Group → indices of parameters.

    Returns
    -------
    dict
        ``total``, ``statistical``, then the groups.
    """
    curvature = read_curvature(model, data, best.values, bool(best.at_bound[model.poi]))
    free = best.sigma > 0
    total = float(best.sigma[model.poi])
    everything = [i for indices in groups.values() for i in indices]

    def without(held: Sequence[int]) -> float:
        left = free.copy()
        left[[*held, model.poi]] = False
        covariance = np.zeros_like(curvature.hessian)
        block = np.ix_(left, left)
        covariance[block] = np.linalg.inv(curvature.hessian[block])
        return curvature.sigma(covariance)

    parts = {"total": total, STATISTICAL: without(everything)}
    for name, indices in groups.items():
        parts[name] = float(np.sqrt(max(total**2 - without(indices) ** 2, 0.0)))
    return parts
