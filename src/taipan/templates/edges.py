"""Edges that were chosen, in place of those of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from taipan.atomic import read_json
from taipan.config.sections.observables import Observable
from taipan.config.sections.region_bins import expand_observables
from taipan.config.sections.regions import Region
from taipan.errors import TaipanError


def apply_edges(
    observables: Mapping[str, Observable], regions: Mapping[str, Region], path: Path | str | None
) -> dict[str, Observable]:
    """Give the observables with the edges of a file of rule ``optimise_binning``.

    Those with the bins of one region are added (:mod:`taipan.config.sections.region_bins`).

    Parameters
    ----------
    observables, regions
        Definitions.
    path
        File: observable → ``edges``; None to keep the configured edges.

    Raises
    ------
    TaipanError
        If the file lacks an observable.
    """
    if path is None:
        return expand_observables(observables, regions)
    observables = expand_observables(observables, regions, optimised=True)
    chosen = read_json(path)
    missing = [name for name in observables if name not in chosen]
    if missing:
        raise TaipanError(f"{path}: no edges of {', '.join(missing)}")
    return {
        name: item.model_copy(update={"binning": chosen[name]["edges"]})
        for name, item in observables.items()
    }
