"""Overlays as Snakemake merges them, and what it loses."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taipan.config.load import read_yaml
from taipan.config.merging import merge


def restore_empty(
    merged: Mapping[str, Any], files: Iterable[Path | str], keys: Mapping[str, Any]
) -> dict[str, Any]:
    """Give what Snakemake merged, with the empty mappings that it lost.

    One overlay says ``networks: {plain: null}`` and a later one ``networks: {plain: {}}``.
    Snakemake keeps the null, which removes the entry that the later overlay asks for.

    Parameters
    ----------
    merged
        Configuration as Snakemake merged it.
    files
        Those that it merged, in this order.
    keys
        Keys of the command line, which come last.

    Raises
    ------
    TaipanError
        If a file cannot be read.
    """
    wanted = merge(functools.reduce(merge, map(read_yaml, map(Path, files)), {}), keys)
    return _restore(merged, wanted)


def _restore(merged: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    restored = dict(merged)
    for key, value in wanted.items():
        if not isinstance(value, Mapping) or key not in merged:
            continue
        below = merged[key]
        if isinstance(below, Mapping):
            restored[key] = _restore(below, value)
        elif not value:
            restored[key] = {}
    return restored
