"""Slices of the configuration: what a rule is given, and nothing more.

A rule's parameters hold the plain values of the sections it uses, so that Snakemake re-runs it
when, and only when, one of them changes. They become typed sections again by `Config.from_plain`;
reading a section that is not in the slice is an error, so no rule can depend on a key behind
Snakemake's back.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.config.model import Config
from taipan.provenance import hash_content

if TYPE_CHECKING:
    from taipan.datasets import Catalogue

# Where files lie and who reads which part of them does not change a result.
_JOBS = {"chunk_events", "executor", "dask_scheduler"}
_PLACES: dict[str, Any] = {
    **dict.fromkeys(("results", "skims", "files", "remote", "folder"), True),
    "skim": _JOBS,
}


def hash_config(config: Config) -> str:
    """Hash of everything in the configuration that can change a result."""
    values = config.model_dump(mode="json", exclude=_PLACES)
    for weight in values["weights"].values():
        if weight["file"] is not None:
            weight["file"] = name_file(config, weight["file"])
    for name, correction in values["corrections"].items():
        for key, file in config.corrections[name].files.items():
            *outer, last = key.split(".")
            place = correction
            for part in outer:
                place = place[part]
            place[last] = name_file(config, file)
    return hash_content(values)


def name_file(config: Config, file: str) -> str:
    """Name a file in the analysis' folder from there, so that the folder may lie anywhere."""
    path = Path(file)
    folder = Path(config.folder)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else file


def hash_catalogue(catalogue: Catalogue) -> str:
    """Hash of a dataset catalogue without its mirrors: where files come from changes no result."""
    return hash_content(catalogue.model_dump(mode="json", exclude={"mirrors"}))


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
