"""The model of a pyhf workspace: read, put together, compared with pyhf and checked."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from taipan.bin_statistics import (
    ModifierGroup,
    find_groups,
    list_restored,
    read_constraints,
    restore,
)
from taipan.inference.check import check_workspace
from taipan.inference.copies import find_copies
from taipan.inference.entries import group_entries
from taipan.inference.errors import FitError
from taipan.inference.gradient import Gradients
from taipan.inference.hessian import Hessians
from taipan.inference.histfactory import Yields
from taipan.inference.model import CompiledModel, Parameters, name_bin
from taipan.inference.modifiers import read_yields
from taipan.inference.read import Opened, numpy_backend, open_workspace
from taipan.inference.starts import judge_shape
from taipan.inference.structure import unknown_observations

logger = logging.getLogger(__name__)

# Expected yields below this fraction of the nominal one are continued, see `poisson_terms`. A fit
# that comes near is repeated with a lower floor.
FLOOR_FRACTION = 1e-6
# Smallest nominal expectation of a bin; its square can still be divided by.
SMALLEST_YIELD = 1e-30


def compile_model(
    workspace: Mapping[str, Any],
    *,
    measurement: str | None = None,
    interpolation: Mapping[str, str] | None = None,
    lenient: bool = False,
    allow_no_signal: bool = False,
) -> CompiledModel:
    """Prepare the model of a pyhf workspace.

    Parameters
    ----------
    workspace
        pyhf workspace (schema 1.0.0).
    measurement
        Name of the measurement; the first one by default.
    interpolation
        Interpolation codes, for instance ``{"histosys": "code0"}``; the workspace does not hold
        them, so they are pyhf's defaults (`code4`, `code4p`) if absent.
    lenient
        Accept constrained parameters that act on nothing and regions whose signal is zero, with a
        note, instead of refusing the workspace.
    allow_no_signal
        Accept a parameter of interest that scales nothing; it must then be held in every fit.

    Returns
    -------
    CompiledModel
        The model with the workspace's observations.

    Raises
    ------
    FitError
        If pyhf refuses the workspace, a modifier is not supported, a template is not finite, the
        nominal expectation is not positive in some bin, a signal is zero in a region, or a
        parameter acts on nothing.
    """
    start = time.perf_counter()
    with numpy_backend():
        opened = open_workspace(workspace, measurement, interpolation)
        model, config = opened.model, opened.model.config
        groups = find_groups(workspace)
        yields = read_yields(workspace, config, opened.codes)
        compiled = _assemble(opened, yields, groups, find_copies(workspace))
        _check_against_pyhf(compiled, model)
    findings = check_workspace(
        workspace, compiled, groups, lenient=lenient, allow_no_signal=allow_no_signal
    )
    notes = [*unknown_observations(workspace), *list_restored(groups), *findings]
    logger.info(
        "model: %d parameters, %d bins, %d yields, prepared in %.2f s",
        len(compiled.parameters.names),
        compiled.n_bins,
        len(yields.nominal),
        time.perf_counter() - start,
    )
    return replace(compiled, notes=tuple(notes))


def _check_against_pyhf(compiled: CompiledModel, model: Any) -> None:
    """Refuse a model of which pyhf computes other yields, near and far from nominal."""
    parameters = compiled.parameters
    unit = np.where(parameters.sigma > 0, parameters.sigma, 0.1)
    for shift in (0.0, 0.7, -1.6):
        values = parameters.initial + shift * unit * ~parameters.fixed
        for copy, original in compiled.copies.items():
            values[copy] = values[original]
        ours, theirs = compiled.expected(values), np.asarray(model.expected_data(values))
        scale = np.abs(theirs[: compiled.n_bins]).max()
        if not np.allclose(ours, theirs[: compiled.n_bins], rtol=1e-9, atol=1e-12 * scale):
            raise FitError("expected yields differ from pyhf's: the workspace is not supported")


def _assemble(
    opened: Opened, yields: Yields, groups: Sequence[ModifierGroup], copies: Mapping[str, str]
) -> CompiledModel:
    config = opened.model.config
    initial = np.asarray(config.suggested_init(), dtype=np.float64)
    nominal = yields.total(initial[None])[0]
    regions = dict(config.channel_slices)
    bad = ~(nominal >= SMALLEST_YIELD)  # true for NaN, too
    if bad.any():
        position = int(np.argmax(bad))
        raise FitError(
            f"{name_bin(regions, position)}: nominal expectation is {nominal[position]:.4g} "
            "(it must be positive)"
        )
    auxiliary, known = read_constraints(config)
    constraints = restore(groups, config, opened.settings, known)
    constrained = np.zeros(config.npars, dtype=np.bool_)
    constrained[auxiliary] = True
    observed, factor = opened.observed.copy(), constraints.factor[auxiliary]
    counted = factor != known.factor[auxiliary]
    observed[len(nominal) :][counted] = factor[counted]  # measured at the nominal parameter, 1
    poi = int(config.poi_index)
    places = {
        int(config.par_slice(copy).start): int(config.par_slice(original).start)
        for copy, original in copies.items()
    }
    fixed = constraints.fixed.copy()
    fixed[list(places)] = True
    entries = group_entries(yields)
    return CompiledModel(
        parameters=Parameters(
            names=tuple(config.par_names),
            initial=initial,
            lower=constraints.lower,
            upper=constraints.upper,
            fixed=fixed,
            constrained=constrained,
            sigma=constraints.sigma,
        ),
        poi=poi,
        regions=regions,
        samples=tuple(config.samples),
        observed=observed,
        auxiliary=auxiliary,
        auxiliary_factor=factor,
        yields=yields,
        gradients=Gradients(yields, entries),
        hessians=Hessians(yields, entries),
        floor=FLOOR_FRACTION * nominal,
        shape=judge_shape(yields, initial, constraints.sigma, constraints.lower, poi),
        copies=places,
    )
