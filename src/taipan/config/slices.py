"""Slices of the configuration: what a rule is given, and nothing more.

A rule's parameters hold the plain values of the sections it uses, so that Snakemake re-runs it
when, and only when, one of them changes. They become typed sections again by `Config.from_plain`;
reading a section that is not in the slice is an error, so no rule can depend on a key behind
Snakemake's back.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.config.model import Config
from taipan.provenance import hash_content

if TYPE_CHECKING:
    from taipan.datasets import Catalogue

# Where files lie, who reads which part of them, attacks, and the look do not change a result.
_JOBS = {"chunk_events", "executor", "dask_scheduler"}
_PLACES: dict[str, Any] = {
    **dict.fromkeys(
        ("results", "skims", "files", "remote", "folder", "robustness", "plotting"), True
    ),
    "skim": _JOBS,
}


def hash_config(config: Config) -> str:
    """Hash of everything in the configuration that can change a result."""
    values = config.model_dump(mode="json", exclude=_PLACES)
    for weight in values["weights"].values():
        if weight["file"] is not None:
            weight["file"] = name_file(config, weight["file"])
    for name, keys in values["corrections"].items():
        for key, file in config.corrections[name].files.items():
            keys = place_file(keys, key, name_file(config, file))
        values["corrections"][name] = keys
    return hash_content(values)


def place_file(keys: Mapping[str, Any], key: str, file: str) -> dict[str, Any]:
    """Give the keys of a correction with another file at one of them, such as `a.file`."""
    outer, _, inner = key.partition(".")
    return {**keys, outer: place_file(keys[outer], inner, file) if inner else file}


def name_file(config: Config, file: str) -> str:
    """Name a file in the analysis' folder from there, so that the folder may lie anywhere."""
    path = Path(file)
    folder = Path(config.folder)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else file


def hash_catalogue(catalogue: Catalogue) -> str:
    """Hash of a dataset catalogue without what changes no result: mirrors, text above figures."""
    return hash_content(catalogue.model_dump(mode="json", exclude={"mirrors", "energy"}))


def slice_config(config: Config, *keys: str) -> dict[str, Any]:
    """Return the plain values of some top-level sections.

    Parameters
    ----------
    config
        The validated configuration.
    keys
        Top-level keys.
    """
    return config.model_dump(mode="json", include=set(keys))
