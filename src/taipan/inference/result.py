"""Everything that is computed from a workspace, as a dictionary for JSON."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.inference.blinding import refuse_bounds, signal_regions
from taipan.inference.compile import compile_model
from taipan.inference.contour import ParameterPlane, contours_to_json, find_contours
from taipan.inference.errors import FitError
from taipan.inference.fit import FitResult
from taipan.inference.goodness import (
    channel_compatibility,
    compatibility_to_json,
    goodness_of_fit,
    goodness_to_json,
)
from taipan.inference.impacts import (
    ImpactMethod,
    break_down,
    default_groups,
    divide_variance,
    find_impacts,
    impacts_to_json,
    parameter_kinds,
)
from taipan.inference.model import CompiledModel
from taipan.inference.profile import Profile, cut_off, interval, significance, upper_limit
from taipan.inference.scan import scan, scan_to_json
from taipan.inference.unfolding import describe_spectrum, list_strengths
from taipan.inference.units import contours_to_unit, parameters_to_unit, scan_to_unit, to_unit
from taipan.inference.yields import join_parts, postfit_yields, prefit_yields

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]


def run_inference(
    workspace: Mapping[str, Any],
    record: Mapping[str, Any],
    *,
    confidence_level: float = 0.95,
    groups: Mapping[str, str] | None = None,
    impacts: ImpactMethod = "refits",
    model: CompiledModel | None = None,
) -> dict[str, Any]:
    """Fit a workspace: expected (Asimov data with signal strength 1) and observed results.

    Parameters
    ----------
    workspace
        pyhf workspace.
    record
        Record of :func:`taipan.likelihood.build_workspace`; ``observable``, ``blinded``, the bin
        edges of each region and what it says of the parameters of interest are used.
    confidence_level
        Level of the upper limit.
    groups
        Systematic → group in the uncertainty breakdown; parameters whose name begins with that of
        a systematic and an underscore belong to its group, too.
    impacts
        How impacts are computed (:func:`~taipan.inference.impacts.find_impacts`).
    model
        Compiled model of the workspace, to save compiling it again.

    Returns
    -------
    dict
        ``observable``, ``poi``, ``blinded``, ``expected`` and ``observed`` (None if blinded), all
        in the units of the parameters (``interests``, those of the record); with
        several measurements in the workspace also ``others`` (parameter of interest → ``expected``
        and ``observed``), ``scans`` of each and ``contours`` of each pair. The layout is described
        in ``docs/fit.md``. Plain numbers only.

    Raises
    ------
    FitError
        If a fit fails; says which and why.
    """
    compiled = compile_model(workspace) if model is None else model
    edges = _edges(compiled, record)
    poi = compiled.parameters.names[compiled.poi]
    interests: Mapping[str, Any] = record.get("interests", {})
    strength = float(interests.get(poi, {}).get("prediction", 1.0))
    asimov = compiled.asimov(compiled.nominal(strength))
    blinded = bool(record["blinded"])
    members = default_groups(compiled, parameter_kinds(workspace), _named(compiled, groups or {}))
    setting = _Setting(
        edges,
        confidence_level,
        members,
        interests,
        record.get("parts", {}),
        frozenset(list_strengths(record.get("unfolding", {}))),
        impacts,
    )
    expected, expected_best = _result("expected", compiled, asimov, setting)
    observed, best = None, None
    if not blinded:
        observed, best = _result("observed", compiled, compiled.observed, setting)
        observed |= _agreement(workspace, compiled, best)
    fits = {"expected": (asimov, expected_best)}
    if best is not None:
        fits["observed"] = (compiled.observed, best)
    return {
        "observable": str(record["observable"]),
        "poi": poi,
        "blinded": blinded,
        "expected": expected,
        "observed": observed,
        **({"interests": dict(interests)} if interests else {}),
        **_several(workspace, compiled, fits, setting),
        **_unfold(compiled, fits, record.get("unfolding", {})),
    }


def _unfold(
    model: CompiledModel,
    fits: Mapping[str, tuple[Array, FitResult]],
    unfolding: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Give the unfolded spectra; nothing if there are none."""
    spectra = {
        sample: {
            **item,
            **dict.fromkeys(("expected", "observed")),
            **{
                title: describe_spectrum(model, data, best, item["strengths"], item["predicted"])
                for title, (data, best) in fits.items()
            },
        }
        for sample, item in unfolding.items()
    }
    return {"unfolding": spectra} if spectra else {}


@dataclass(frozen=True)
class _Setting:
    """What all results of a workspace share.

    Attributes
    ----------
    edges
        Bin edges of each region that is shown.
    level
        Level of the upper limit.
    groups
        Group → indices of its parameters.
    interests
        What the record says of the parameters of interest.
    parts
        Part of a divided sample → the sample, under whose name it is shown.
    strengths
        Parameters of truth bins: their covariance says all, they have no contours.
    impacts_by
        How impacts are computed.
    """

    edges: Mapping[str, Sequence[float]]
    level: float
    groups: Mapping[str, Sequence[int]]
    interests: Mapping[str, Mapping[str, Any]]
    parts: Mapping[str, str]
    strengths: frozenset[str]
    impacts_by: ImpactMethod

    @property
    def sizes(self) -> dict[str, float]:
        """Parameter → what a factor of 1 is in its unit."""
        return {name: float(item["size"]) for name, item in self.interests.items()}


def _several(
    workspace: Mapping[str, Any],
    model: CompiledModel,
    fits: Mapping[str, tuple[Array, FitResult]],
    setting: _Setting,
) -> dict[str, Any]:
    """Give the results of the other parameters of interest, and the contours of each pair.

    `fits` are those of the first one, by title: the model and its best fit are the same.
    """
    names = [item["config"]["poi"] for item in workspace["measurements"]]
    if len(names) == 1:
        return {}
    others: dict[str, Any] = {name: {"expected": None, "observed": None} for name in names[1:]}
    contours: list[dict[str, Any]] = [
        {"parameters": list(pair), "expected": None, "observed": None}
        for pair in itertools.combinations(names, 2)
        if not setting.strengths & {*pair}
    ]
    for measurement in workspace["measurements"][1:]:
        name = measurement["config"]["poi"]
        own = compile_model(workspace, measurement=measurement["name"])
        for title, (data, _) in fits.items():
            others[name][title] = _numbers(f"{title}, {name}", own, data, setting)[0]
    for item in contours:
        for title, (data, best) in fits.items():
            try:
                plane = ParameterPlane(model, data, best, item["parameters"])
                found = contours_to_json(plane, find_contours(plane))
            except FitError as error:
                raise FitError(f"{title} result: {error}") from error
            item[title] = contours_to_unit(found, setting.sizes)
    scans = {
        name: {
            "expected": None,
            "observed": None,
            **{
                title: scan_to_unit(
                    scan_to_json(scan(model, data, best, [name])), setting.sizes.get(name, 1.0)
                )
                for title, (data, best) in fits.items()
            },
        }
        for name in names
        if name not in setting.strengths
    }
    return {"others": others, "contours": contours, **({"scans": scans} if scans else {})}


def describe_parameters(model: CompiledModel, data: Array, best: FitResult) -> list[dict[str, Any]]:
    """List estimates, pulls and constraints of all parameters.

    ``pull`` is (value - auxiliary measurement) / σ before the fit and ``constraint`` the ratio
    of σ after to σ before the fit; both are None for unconstrained and constant parameters.
    """
    parameters = model.parameters
    centre = parameters.initial.copy()
    factors = np.where(model.auxiliary_factor > 0, model.auxiliary_factor, 1.0)
    centre[model.auxiliary] = model.split_auxiliary(data)[0] / factors
    described = []
    for i, name in enumerate(parameters.names):
        if i in model.copies:
            continue
        constrained = bool(parameters.constrained[i] and not parameters.fixed[i])
        prefit = parameters.sigma[i]
        described.append(
            {
                "name": name,
                "value": float(best.values[i]),
                "sigma": float(best.sigma[i]),
                "initial": float(parameters.initial[i]),
                "constrained": constrained,
                "pull": float((best.values[i] - centre[i]) / prefit) if constrained else None,
                "constraint": float(best.sigma[i] / prefit) if constrained else None,
                "at_bound": bool(best.at_bound[i]),
            }
        )
    return described


def without_nan(values: Sequence[float]) -> list[float | None]:
    """Give numbers for JSON, None for those that do not exist."""
    return [None if np.isnan(value) else float(value) for value in values]


def describe_correlation(model: CompiledModel, best: FitResult) -> dict[str, Any]:
    """Give the correlation matrix of the parameters that were free, with their names."""
    free = np.flatnonzero(best.sigma > 0)
    sigma = best.sigma[free]
    matrix = best.covariance[np.ix_(free, free)] / np.outer(sigma, sigma)
    return {
        "names": [model.parameters.names[i] for i in free],
        "matrix": np.clip(matrix, -1.0, 1.0).tolist(),
    }


def _result(
    title: str,
    model: CompiledModel,
    data: Array,
    setting: _Setting,
) -> tuple[dict[str, Any], FitResult]:
    numbers, best = _numbers(title, model, data, setting)
    shown = setting.interests.get(model.parameters.names[model.poi], {})
    strength = float(shown.get("prediction", 1.0))
    content = {
        **numbers,
        "converged": True,
        "nll": best.nll,
        "parameters": parameters_to_unit(describe_parameters(model, data, best), setting.sizes),
        "correlation": describe_correlation(model, best),
        "prefit": join_parts(prefit_yields(model, data, setting.edges, strength), setting.parts),
        "postfit": join_parts(postfit_yields(model, data, setting.edges, best), setting.parts),
    }
    return content, best


def _numbers(
    title: str, model: CompiledModel, data: Array, setting: _Setting
) -> tuple[dict[str, Any], FitResult]:
    """Give what is known of the parameter of interest."""
    start = time.perf_counter()
    try:
        profile = Profile(model, data)
        refuse_bounds(model, profile.best)
        low, high = interval(profile)
        z, p_value = significance(profile)
        limit = upper_limit(profile, setting.level)
        impacts = find_impacts(model, data, profile.best, setting.impacts_by)
    except FitError as error:
        raise FitError(f"{title} result: {error}") from error
    best = profile.best
    logger.info(
        "%s: %s = %.3f ± %.3f, interval [%.3f, %.3f], %.2f sd, limit %.3f (expected %.3f), %.1f s",
        title,
        model.parameters.names[model.poi],
        profile.mu_hat,
        profile.sigma,
        low,
        high,
        z,
        limit.observed,
        limit.band[2],
        time.perf_counter() - start,
    )
    content = {
        "mu_hat": profile.mu_hat,
        "sigma": profile.sigma,
        "interval": [low, high],
        "interval_at_bound": list(cut_off(model, (low, high))),
        "significance": z,
        "p_value": p_value,
        "limit": {
            "level": limit.level,
            "observed": limit.observed,
            "expected": limit.band[2],
            "expected_band": without_nan(limit.band),
        },
        "impacts": impacts_to_json(impacts),
        "impacts_by": setting.impacts_by,
        "breakdown": break_down(model, data, best, setting.groups),
        "breakdown_of_variance": divide_variance(model, best, setting.groups),
    }
    return to_unit(content, setting.sizes.get(model.parameters.names[model.poi], 1.0)), best


def _agreement(
    workspace: Mapping[str, Any], model: CompiledModel, best: FitResult
) -> dict[str, Any]:
    """Judge the fit to the data: by the saturated model, and by region."""
    goodness = goodness_of_fit(model, model.observed, best)
    logger.info(
        "saturated model: chi2 %.2f / %d, p = %.3g",
        goodness.statistic,
        goodness.degrees,
        goodness.p_value,
    )
    compatibility = None
    acting = signal_regions(workspace, model.parameters.names[model.poi])
    if len(acting) < 2:
        logger.info("compatibility: the signal is in one region, %s", ", ".join(acting))
    else:
        try:
            found = channel_compatibility(workspace, model, model.observed, best)
            compatibility = compatibility_to_json(found)
        except FitError as error:
            # the data may not determine a strength in each region; the common one they do
            logger.warning("compatibility: %s", error)
    parts = goodness_to_json(goodness)
    kept = {key: parts[key] for key in ("statistic", "degrees", "p_value")}
    return {"goodness": kept, "compatibility": compatibility}


def _edges(model: CompiledModel, record: Mapping[str, Any]) -> dict[str, list[float]]:
    edges = {}
    for region, bins in model.regions.items():
        if region in record.get("auxiliary", ()):
            continue
        known = record["regions"].get(region)
        if known is None or len(known["edges_after"]) != bins.stop - bins.start + 1:
            raise FitError(
                f"record: bin edges of region {region} do not belong to the workspace's "
                f"{bins.stop - bins.start} bins"
            )
        edges[region] = list(known["edges_after"])
    return edges


def _named(model: CompiledModel, groups: Mapping[str, str]) -> dict[str, str]:
    """Group of each parameter that stands for a systematic, or a part of one."""
    named = {}
    for name in model.parameters.names:
        owners = [s for s in groups if name == s or name.startswith(f"{s}_")]
        if owners:
            named[name] = groups[max(owners, key=len)]
    return named
