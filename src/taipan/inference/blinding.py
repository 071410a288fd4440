"""Fits that do not look at the data of the signal regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taipan.inference.compile import compile_model
from taipan.inference.errors import FitError
from taipan.inference.fit import FitResult, fit
from taipan.inference.model import CompiledModel
from taipan.inference.read import keep_regions

Array = npt.NDArray[np.float64]

Mode = Literal["observed", "asimov", "background", "control"]


@dataclass(frozen=True)
class Blinded:
    """What is fitted in a mode.

    Attributes
    ----------
    data
        Data vector of the whole model.
    fixed
        Parameters held, by index.
    values
        Parameters of the control-region fit and their covariance; None in the other modes.
    covariance
        Covariance of the control-region fit.
    """

    data: Array
    fixed: dict[int, float]
    values: Array | None = None
    covariance: Array | None = None


def signal_regions(workspace: Mapping[str, Any], poi: str) -> list[str]:
    """List the regions in which the parameter of interest scales a yield that is not zero."""
    return [
        channel["name"]
        for channel in workspace["channels"]
        if any(
            modifier["name"] == poi and any(sample["data"])
            for sample in channel["samples"]
            for modifier in sample["modifiers"]
        )
    ]


def prepare(
    workspace: Mapping[str, Any],
    model: CompiledModel,
    mode: Mode,
    *,
    mu: float = 1.0,
    control: tuple[str, ...] = (),
) -> Blinded:
    """Give the data and the parameters held in a mode.

    Parameters
    ----------
    workspace
        pyhf workspace of the model.
    model
        Its model.
    mode
        ``observed``: the data. ``asimov``: what the nominal model with signal strength `mu`
        expects. ``background``: the data, with the signal strength held at zero. ``control``:
        nuisance parameters are fitted in the control regions alone, without signal, and the data
        become what they predict everywhere with signal strength `mu`.
    mu
        Signal strength of Asimov data.
    control
        Control regions; those without signal if empty.

    Raises
    ------
    FitError
        If there is no control region, or its fit fails.
    """
    if mode == "observed":
        return Blinded(model.observed, {})
    if mode == "asimov":
        return Blinded(model.asimov(model.nominal(mu)), {})
    if mode == "background":
        return Blinded(model.observed, {model.poi: 0.0})
    poi = model.parameters.names[model.poi]
    hidden = signal_regions(workspace, poi)
    regions = list(control) or [name for name in model.regions if name not in hidden]
    if not regions:
        raise FitError(
            f"control: every region has a signal ({', '.join(model.regions)}); name the control "
            "regions"
        )
    values, covariance = _fit_control(workspace, model, regions)
    values[model.poi] = mu
    return Blinded(model.asimov(values), {}, values, covariance)


def _fit_control(
    workspace: Mapping[str, Any], model: CompiledModel, regions: list[str]
) -> tuple[Array, Array]:
    """Fit some regions without signal; parameters that they do not hold stay nominal."""
    poi = model.parameters.names[model.poi]
    part = keep_regions(workspace, regions)
    if not signal_regions(part, poi):
        _add_idle_signal(part, poi)
    control = compile_model(part, lenient=True, allow_no_signal=True)
    best: FitResult = fit(control, control.observed, fixed={control.poi: 0.0})
    values, covariance = model.parameters.initial.copy(), np.diag(model.parameters.sigma**2)
    here = [i for i, n in enumerate(model.parameters.names) if n in control.parameters.names]
    there = [control.parameters.index(model.parameters.names[i]) for i in here]
    values[here] = best.values[there]
    covariance[np.ix_(here, here)] = best.covariance[np.ix_(there, there)]
    covariance[model.poi, :] = covariance[:, model.poi] = 0.0
    return values, covariance


def _add_idle_signal(workspace: dict[str, Any], poi: str) -> None:
    """Let a parameter of interest exist that scales nothing, as pyhf demands one."""
    channel = workspace["channels"][0]
    size = len(channel["samples"][0]["data"])
    modifier = {"name": poi, "type": "normfactor", "data": None}
    idle = {"name": "no_signal", "data": [0.0] * size, "modifiers": [modifier]}
    channel["samples"].append(idle)


def refuse_bounds(model: CompiledModel, best: FitResult) -> None:
    """Refuse a fit in which a bound holds a parameter that the data would take beyond it.

    A signal strength of zero where less is not allowed is a result, and so is one at which a bin
    without data is predicted no events: there is no signal strength beyond.

    Raises
    ------
    FitError
        Names the parameters.
    """
    parameters = model.parameters
    value, low, high = (
        array[model.poi] for array in (best.values, parameters.lower, parameters.upper)
    )
    is_physical = value == low == 0.0 or low < value < high
    held = [
        f"{parameters.names[i]} = {best.values[i]:.4g} "
        f"(bounds {parameters.lower[i]:.4g}, {parameters.upper[i]:.4g})"
        for i in np.flatnonzero(best.at_bound)
        if i != model.poi or not is_physical
    ]
    if held:
        raise FitError(
            f"{', '.join(held)}: the best fit lies beyond the bound; widen the bounds, or accept "
            "it if lenient"
        )
