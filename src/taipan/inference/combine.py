"""Several analyses in one workspace, with correlations that are spelled out."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from taipan.inference.errors import FitError
from taipan.suggestions import nearest


def combine_workspaces(
    workspaces: Mapping[str, Mapping[str, Any]],
    correlated: Mapping[str, Sequence[str]],
    *,
    poi: str = "mu",
    others: Sequence[str] = (),
) -> dict[str, Any]:
    """Put the regions of several workspaces into one.

    Nothing is correlated unless it is said: regions, samples and every parameter get the name of
    their analysis as prefix, except the correlated ones.

    Parameters
    ----------
    workspaces
        Analysis → pyhf workspace; the first measurement of each is used.
    correlated
        Common name → the parameters it stands for, each ``analysis:parameter`` or, for all
        analyses that have it, ``parameter``. The parameter of interest needs no entry: that of
        every analysis becomes `poi`.
    poi
        Name of the common parameter of interest.
    others
        Names of further parameters of interest, each a common parameter: of a measurement of its
        own in the result.

    Returns
    -------
    dict
        pyhf workspace.

    Raises
    ------
    FitError
        If there are fewer than two analyses, a parameter does not exist or is named twice, two
        things would get one name, or correlated parameters are declared with different bounds,
        starting values or constraints.
    """
    if len(workspaces) < 2:
        raise FitError(f"combination: it takes two workspaces, not {len(workspaces)}")
    common = _common_names(workspaces, correlated, poi)
    _check_unique(workspaces, common)
    combined: dict[str, Any] = {"channels": [], "observations": [], "version": "1.0.0"}
    declared: dict[str, dict[str, Any]] = {}
    for analysis, workspace in workspaces.items():

        def rename(name: str, analysis: str = analysis) -> str:
            return common.get((analysis, name), f"{analysis}_{name}")

        for channel in copy.deepcopy(list(workspace["channels"])):
            channel["name"] = f"{analysis}_{channel['name']}"
            for sample in channel["samples"]:
                sample["name"] = f"{analysis}_{sample['name']}"
                for modifier in sample["modifiers"]:
                    modifier["name"] = rename(modifier["name"])
            combined["channels"].append(channel)
        combined["observations"] += [
            {"name": f"{analysis}_{item['name']}", "data": list(item["data"])}
            for item in workspace["observations"]
        ]
        for item in workspace["measurements"][0]["config"]["parameters"]:
            _declare(declared, {**copy.deepcopy(item), "name": rename(item["name"])}, analysis)
    combined["measurements"] = [
        {
            "name": "combination" if name == poi else f"combination_{name}",
            "config": {"poi": name, "parameters": list(declared.values())},
        }
        for name in (poi, *others)
    ]
    return combined


def _common_names(
    workspaces: Mapping[str, Mapping[str, Any]], correlated: Mapping[str, Sequence[str]], poi: str
) -> dict[tuple[str, str], str]:
    present = {analysis: _parameters(workspace) for analysis, workspace in workspaces.items()}
    common = {
        (analysis, workspace["measurements"][0]["config"]["poi"]): poi
        for analysis, workspace in workspaces.items()
    }
    for target, members in correlated.items():
        if target == poi:
            raise FitError(f"combination: {poi!r} is the parameter of interest")
        for member in members:
            analysis, _, name = member.rpartition(":")
            if analysis and analysis not in present:
                meant = nearest(analysis, present)
                raise FitError(
                    f"combination: {analysis!r} is not one of {', '.join(present)}{meant}"
                )
            places = [analysis] if analysis else list(present)
            places = [place for place in places if name in present[place]]
            if not places:
                offered = sorted({known for found in present.values() for known in found})
                meant = nearest(name, offered)
                raise FitError(f"combination: no parameter {member!r}{meant}")
            for place in places:
                if common.setdefault((place, name), target) != target:
                    raise FitError(
                        f"combination: {place}:{name} is both {common[(place, name)]!r} and "
                        f"{target!r}"
                    )
    return common


def _parameters(workspace: Mapping[str, Any]) -> set[str]:
    return {
        modifier["name"]
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }


def _check_unique(
    workspaces: Mapping[str, Mapping[str, Any]], common: Mapping[tuple[str, str], str]
) -> None:
    """Refuse names that a prefix makes equal: ``c`` of ``a_b`` and ``b_c`` of ``a``."""
    parameters: dict[str, str] = dict.fromkeys(common.values(), "a common parameter")
    regions: dict[str, str] = {}
    for analysis, workspace in workspaces.items():
        own = {name for name in _parameters(workspace) if (analysis, name) not in common}
        channels = {channel["name"] for channel in workspace["channels"]}
        for kind, names, taken in (
            ("parameter", own, parameters),
            ("region", channels, regions),
        ):
            for name in sorted(names):
                if (known := taken.get(f"{analysis}_{name}")) is not None:
                    raise FitError(
                        f"combination: {kind} {name!r} of {analysis!r} would get the name "
                        f"{analysis}_{name} of {known}"
                    )
                taken[f"{analysis}_{name}"] = f"{name!r} of {analysis!r}"


def _declare(declared: dict[str, dict[str, Any]], item: dict[str, Any], analysis: str) -> None:
    known = declared.setdefault(item["name"], item)
    if known != item:
        raise FitError(
            f"combination: parameter {item['name']!r} is declared differently in {analysis!r}: "
            f"{item} and {known}"
        )
