"""Workspaces that no result may be quoted from: zero signals, parameters without effect."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from taipan.bin_statistics import ModifierGroup, list_uncounted
from taipan.inference.errors import FitError
from taipan.inference.model import CompiledModel

logger = logging.getLogger(__name__)

# A parameter whose ±1σ changes every yield by less than this fraction acts on nothing.
SMALLEST_EFFECT = 1e-12


def check_workspace(
    workspace: Mapping[str, Any],
    model: CompiledModel,
    groups: Sequence[ModifierGroup],
    *,
    lenient: bool = False,
    allow_no_signal: bool = False,
) -> list[str]:
    """Refuse a workspace whose fit would have no meaning.

    Parameters
    ----------
    workspace
        pyhf workspace.
    model
        Its model.
    groups
        What its uncertainties per bin multiply.
    lenient
        Return the findings that do not spoil a fit, instead of refusing the workspace: a signal
        that is zero in some regions, constrained parameters that act on nothing, and uncertainties
        of bins that no factor can hold.
    allow_no_signal
        Accept a parameter of interest that scales nothing.

    Returns
    -------
    list of str
        Findings; empty unless `lenient`.

    Raises
    ------
    FitError
        For the first finding.
    """
    signals = [] if allow_no_signal else _zero_signals(workspace, model)
    findings = [*signals, *_disconnected(model), *list_uncounted(groups)]
    if findings and not lenient:
        raise FitError(f"{findings[0]} (accepted with a note if lenient)")
    for finding in findings:
        logger.warning("%s", finding)
    return findings


def _zero_signals(workspace: Mapping[str, Any], model: CompiledModel) -> list[str]:
    poi = model.parameters.names[model.poi]
    yields = {
        channel["name"]: any(any(sample["data"]) for sample in scaled)
        for channel in workspace["channels"]
        if (
            scaled := [
                sample
                for sample in channel["samples"]
                if any(modifier["name"] == poi for modifier in sample["modifiers"])
            ]
        )
    }
    zero = [region for region, scales in yields.items() if not scales]
    if len(zero) == len(yields):
        raise FitError(
            f"the parameter of interest {poi!r} scales no yield in any region "
            f"({', '.join(model.regions)})"
        )
    return [f"region {region}: the signal is zero in every bin" for region in zero]


def _disconnected(model: CompiledModel) -> list[str]:
    parameters = model.parameters
    step = np.where(parameters.sigma > 0, parameters.sigma, 0.1)
    values = model.nominal(1.0)
    # a product acts on nothing where another of its factors is zero
    zero = (values == 0.0) & ~parameters.constrained
    effect = model.yields.change_of_bins(np.where(zero, step, values), step)
    idle = (effect < SMALLEST_EFFECT) & ~parameters.fixed
    findings = []
    for i in np.flatnonzero(idle):
        if i == model.poi:
            continue  # has been judged with the signals
        text = f"parameter {parameters.names[i]!r} changes no expected yield"
        if not parameters.constrained[i]:
            raise FitError(f"{text} and has no constraint: its value is not determined")
        findings.append(text)
    return findings
