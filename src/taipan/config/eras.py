"""Data-taking periods: the configuration of each, which is a run of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taipan.config.load import load_config, merge_files
from taipan.config.merging import merge
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.seeds import derive_seed

COMMON = ("analysis", "eras", "results", "remote")
"""Keys that are those of the run in every era."""
ERAS = "eras"
"""Folder in the results that has a folder of each era."""


def split_eras(overrides: Mapping[str, Any], root: Path) -> dict[str, dict[str, Any]]:
    """Give the keys of the run of each era: those of all, with its own over them.

    Its results lie in a folder ``eras/<era>`` of those of the run. Its seed follows from that of
    the run and from its name, unless it names one, so that no simulation makes the events of
    another.

    Parameters
    ----------
    overrides
        ``config/config.yaml`` with the overlays merged over it.
    root
        Folder that holds ``config/``.

    Returns
    -------
    dict
        Era → what :func:`~taipan.config.load.load_config` takes; empty if there is one period.

    Raises
    ------
    TaipanError
        If a key is not valid, or an era has one that is common to all.
    """
    if not overrides.get("eras"):
        return {}
    config = load_config(overrides, root)
    found = {}
    for name, keys in config.eras.items():
        for key in COMMON:
            if key in keys:
                raise TaipanError(
                    f"eras.{name}.{key}: is common to all eras; write it beside `eras`"
                )
        seed = keys.get("seed", derive_seed(config.seed, "eras", name))
        place = {"results": f"{config.results}/{config.analysis}/{ERAS}/{name}", "seed": seed}
        rest = {key: value for key, value in overrides.items() if key != "eras"}
        found[name] = {**merge(rest, keys), **place}
    return found


def read_eras(files: Sequence[Path | str], root: Path, /, **keys: Any) -> dict[str, Config]:
    """Read the configuration of each era from files; arguments as of `read_config`.

    Raises
    ------
    TaipanError
        As of :func:`load_eras` and :func:`~taipan.config.load.check_files`.
    """
    return load_eras(merge_files(files, root, **keys), root)


def load_eras(overrides: Mapping[str, Any], root: Path) -> dict[str, Config]:
    """Load the configuration of each era.

    Parameters
    ----------
    overrides, root
        As of :func:`split_eras`.

    Raises
    ------
    TaipanError
        One line a problem, which begins with that of the era.
    """
    loaded = {}
    problems = []
    for name, keys in split_eras(overrides, root).items():
        try:
            loaded[name] = load_config(keys, root)
        except TaipanError as error:
            problems += [f"eras.{name}: {line}" for line in str(error).splitlines()]
    if problems:
        raise TaipanError("\n".join(problems))
    return loaded
