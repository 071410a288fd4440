"""Edges that were chosen, in place of those of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from taipan.atomic import read_json
from taipan.config.sections.observables import Observable
from taipan.errors import TaipanError


def apply_edges(
    observables: Mapping[str, Observable], path: Path | str | None
) -> dict[str, Observable]:
    """Give the observables with the edges of a file of rule ``optimise_binning``.

    Parameters
    ----------
    observables
        Definitions.
    path
        File: observable → ``edges``; None to keep the configured edges.

    Raises
    ------
    TaipanError
        If the file lacks an observable.
    """
    if path is None:
        return dict(observables)
    chosen = read_json(path)
    missing = [name for name in observables if name not in chosen]
    if missing:
        raise TaipanError(f"{path}: no edges of {', '.join(missing)}")
    return {
        name: item.model_copy(update={"binning": chosen[name]["edges"]})
        for name, item in observables.items()
    }
