"""pyhf workspaces as documents of the HEP Statistics Serialization Standard (HS3, version 0.2).

Each region becomes a ``histfactory_dist``. Uncertainties of bins are relative in HS3. Statistical
uncertainties (``staterror``) are written as ``shapesys`` with a Gaussian constraint, which is the
same density: the standard has one group of them a region, and RooFit 6.40 constrains it by a
Poisson distribution whatever the document says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from taipan.bin_statistics import ModifierGroup, find_groups, read_constraints, restore
from taipan.inference.read import numpy_backend, open_workspace

VERSION = "0.2"
_PLAIN = {"normfactor": "normfactor", "lumi": "normfactor"}


def to_hs3(workspace: Mapping[str, Any], measurement: str | None = None) -> dict[str, Any]:
    """Translate a pyhf workspace.

    Parameters
    ----------
    workspace
        pyhf workspace (schema 1.0.0).
    measurement
        Name of the measurement; the first one by default.

    Returns
    -------
    dict
        HS3 document: ``distributions``, ``data``, ``likelihoods``, ``domains``,
        ``parameter_points``, ``analyses``, ``metadata``.

    Raises
    ------
    FitError
        If pyhf refuses the workspace.
    """
    with numpy_backend():
        opened = open_workspace(workspace, measurement)
    config = opened.model.config
    groups = find_groups(workspace)
    constraints = restore(groups, config, opened.settings, read_constraints(config)[1])
    names = parameter_names(config)
    observed = {item["name"]: item["data"] for item in workspace["observations"]}
    channels = [channel["name"] for channel in workspace["channels"]]
    widths = {(group.region, group.name): _widths(group) for group in groups}
    distributions = [_channel(channel, config, names, widths) for channel in workspace["channels"]]
    extra = _lumi_constraint(config, names)
    start, fixed = config.suggested_init(), constraints.fixed
    axes = [
        {"name": name, "min": float(low), "max": float(high)}
        for name, low, high in zip(names, constraints.lower, constraints.upper, strict=True)
    ]
    return {
        "metadata": {"hs3_version": VERSION, "packages": [{"name": "taipan"}]},
        "distributions": [*distributions, *extra],
        "data": [
            {
                "name": f"obsData_{name}",
                "type": "binned",
                "axes": [_axis(name, len(observed[name]))],
                "contents": [float(value) for value in observed[name]],
            }
            for name in channels
        ],
        "likelihoods": [
            {
                "name": "likelihood",
                "distributions": [f"model_{name}" for name in channels],
                "data": [f"obsData_{name}" for name in channels],
                "aux_distributions": [item["name"] for item in extra],
            }
        ],
        "domains": [{"name": "default_domain", "type": "product_domain", "axes": axes}],
        "parameter_points": [
            {
                "name": "default_values",
                "parameters": [
                    {"name": name, "value": float(value), **({"const": True} if is_fixed else {})}
                    for name, value, is_fixed in zip(names, start, fixed, strict=True)
                ],
            }
        ],
        "analyses": [
            {
                "name": "analysis",
                "likelihood": "likelihood",
                "domains": ["default_domain"],
                "init": "default_values",
                "parameters_of_interest": [names[config.poi_index]],
            }
        ],
    }


def parameter_names(config: Any) -> list[str]:
    """Names in HS3 of the parameters of a pyhf model: bins as ``name_3``."""
    return [str(name).replace("[", "_").replace("]", "") for name in config.par_names]


def _axis(region: str, bins: int) -> dict[str, Any]:
    return {"name": f"obs_{region}", "min": 0.0, "max": float(bins), "nbins": bins}


def _channel(
    channel: Mapping[str, Any],
    config: Any,
    names: Sequence[str],
    widths: Mapping[tuple[str, str], Sequence[float]],
) -> dict[str, Any]:
    samples = []
    for sample in channel["samples"]:
        errors = [0.0] * len(sample["data"])
        for modifier in sample["modifiers"]:
            if modifier["type"] == "staterror":
                errors = [float(value) for value in modifier["data"]]
        samples.append(
            {
                "name": sample["name"],
                "data": {"contents": [float(v) for v in sample["data"]], "errors": errors},
                "modifiers": [
                    _modifier(item, config, names, widths.get((channel["name"], item["name"]), ()))
                    for item in sample["modifiers"]
                ],
            }
        )
    bins = len(channel["samples"][0]["data"])
    return {
        "name": f"model_{channel['name']}",
        "type": "histfactory_dist",
        "axes": [_axis(channel["name"], bins)],
        "samples": samples,
    }


def _widths(group: ModifierGroup) -> list[float]:
    """Relative uncertainty per bin; zero where the parameter is held."""
    return [float(value) for value in np.where(group.held, 0.0, group.width)]


def _modifier(
    modifier: Mapping[str, Any],
    config: Any,
    names: Sequence[str],
    widths: Sequence[float],
) -> dict[str, Any]:
    kind, name, data = modifier["type"], modifier["name"], modifier["data"]
    place = config.par_slice(name)
    first = names[place.start]
    if kind in _PLAIN:
        return {"name": name, "type": _PLAIN[kind], "parameter": first}
    if kind == "normsys":
        values = {"hi": float(data["hi"]), "lo": float(data["lo"])}
        return {
            "name": name,
            "type": kind,
            "parameter": first,
            "constraint": "Gauss",
            "data": values,
        }
    if kind == "histosys":
        both = {
            side: {"contents": [float(value) for value in data[f"{side}_data"]]}
            for side in ("hi", "lo")
        }
        return {
            "name": name,
            "type": kind,
            "parameter": first,
            "constraint": "Gauss",
            "data": both,
        }
    of_bins = {"name": name, "type": kind, "parameters": list(names[place])}
    if kind == "shapefactor":
        return of_bins
    constraint = "Gauss" if kind == "staterror" else "Poisson"
    return {**of_bins, "type": "shapesys", "constraint": constraint, "data": {"vals": list(widths)}}


def _lumi_constraint(config: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """Gaussians of parameters that scale yields: HS3 has no modifier of kind ``lumi``."""
    found = []
    for name, kind in config.modifiers:
        if kind == "lumi" and not all(config.param_set(name).suggested_fixed):
            settings = config.param_set(name)
            found.append(
                {
                    "name": f"{name}_constraint",
                    "type": "gaussian_dist",
                    "x": names[config.par_slice(name).start],
                    "mean": float(settings.auxdata[0]),
                    "sigma": float(settings.width()[0]),
                }
            )
    return found
