"""Parameters that a workspace holds twice, because HistFactory multiplies by each name once.

A square c·c is written with a second parameter d, and a region of one bin that expects
N + K·c - K·d events and has N. Tools that know nothing of it fit both, and find them equal to √N/K.
Here the copy is read as the parameter itself: the square is exact, the bin a constant, the copy
idle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def find_copies(workspace: Mapping[str, Any]) -> dict[str, str]:
    """Give copy → the parameter that it is tied to.

    Parameters
    ----------
    workspace
        pyhf workspace.
    """
    observed = {item["name"]: item["data"] for item in workspace["observations"]}
    copies: dict[str, str] = {}
    for channel in workspace["channels"]:
        pair = _read_tie(channel, observed.get(channel["name"]))
        if pair is not None:
            copies[pair[1]] = pair[0]
    return copies


def list_ties(workspace: Mapping[str, Any]) -> list[str]:
    """Name the regions that do nothing but tie a parameter to its copy."""
    observed = {item["name"]: item["data"] for item in workspace["observations"]}
    return [
        channel["name"]
        for channel in workspace["channels"]
        if _read_tie(channel, observed.get(channel["name"])) is not None
    ]


def _read_tie(channel: Mapping[str, Any], observed: Any) -> tuple[str, str] | None:
    """Give the parameter and its copy, if a region ties two."""
    samples = channel["samples"]
    if len(samples) != 3 or any(len(sample["data"]) != 1 for sample in samples):
        return None
    constant, plus, minus = samples
    if constant["modifiers"] or list(constant["data"]) != list(observed or ()):
        return None
    if plus["data"][0] <= 0.0 or minus["data"][0] != -plus["data"][0]:
        return None
    names = []
    for sample in (plus, minus):
        kinds = [(item["type"], item["name"]) for item in sample["modifiers"]]
        if len(kinds) != 1 or kinds[0][0] != "normfactor":
            return None
        names.append(str(kinds[0][1]))
    return names[0], names[1]
