"""The bundle of a run: one ZIP file with what made its numbers, and the numbers.

It holds the configuration (complete, defaults included), the dataset catalogue, small input files
that the configuration names, the lock file of the packages, and the results that are compared. It
holds no code: the version of it is recorded, and a clone of that version re-runs the bundle.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.analysis_folder import CATALOGUES
from taipan.atomic import read_json, replacing
from taipan.checksums import file_digest
from taipan.config.model import Config
from taipan.config.slices import hash_catalogue, hash_config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.limits import refuse_unpacked
from taipan.reproduce.project_files import list_project_files, refuse_name
from taipan.reproduce.verify import verify_run

logger = logging.getLogger(__name__)

_ABOUT = "bundle.json"
_FORMAT = 2
_STATED = {"analysis": str, "config": str, "code": str, "sha256": dict, "platform": dict}
_EPOCH = (1980, 1, 1, 0, 0, 0)
COMPARED = ("summary.json", "yields.csv", "workspace.json")
"""Results that every run has; the first holds times, so its hash means nothing."""
ALSO_COMPARED = (
    "normalisation*.json",
    "cutflow/*.json",
    "cutflow/*.csv",
    "corrections/*.json",
    "weights/*.json",
    "models/*.onnx",
    "models/*/*.onnx",
    "gates/*/*.json",
    "gates/*/[!.]*/*.json",
    "decorrelation/*.json",
    "templates/*.zip",
    "templates/*.json",
    "workspaces/*.json",
    "fit/*.json",
)
"""Patterns of the other results of which every number is compared."""


@dataclass(frozen=True)
class Bundle:
    """What a bundle holds.

    Attributes
    ----------
    about
        Format, analysis, hashes of configuration and code, package versions, platform, and the
        SHA-256 of every compared or binary result.
    project
        Path in the project → content: configuration, catalogue, files that they name.
    results
        Path in the results folder → content.
    """

    about: dict[str, Any]
    project: dict[str, bytes]
    results: dict[str, bytes]


def write_bundle(
    path: Path, config: Config, catalogue: Catalogue, results: Path, root: Path
) -> dict[str, Any]:
    """Write the bundle of a finished run, reproducibly.

    Parameters
    ----------
    path
        ZIP file to write.
    config, catalogue
        Those of the run.
    results
        Folder of the analysis in its results.
    root
        Folder of the project.

    Returns
    -------
    dict
        What ``bundle.json`` says.

    Raises
    ------
    TaipanError
        If the run is not finished, was made with another configuration, or its files are not
        those of one run, as they were written (:func:`taipan.reproduce.verify.verify_run`).
    """
    summary = read_json(results / COMPARED[0])
    mine, made_with = hash_config(config), summary["provenance"]["config"]
    if mine != made_with:
        raise TaipanError(
            f"{results / COMPARED[0]} was made with configuration {made_with}, this one is {mine}; "
            "give the overlays of that run (--configfile, --config)"
        )
    if "catalogue" not in summary["provenance"]:
        raise TaipanError(
            f"{results / COMPARED[0]} does not say which catalogue it was made with, because an "
            "older version made it; run again before you bundle"
        )
    if summary["provenance"]["catalogue"] != hash_catalogue(catalogue):
        raise TaipanError(
            f"{results / COMPARED[0]} was not made with "
            f"{Path(config.folder, CATALOGUES, catalogue.name)}.yaml as it is now; undo the change "
            "there, or run again before you bundle"
        )
    others = _other_files(results)
    found = verify_run(results, root, COMPARED, others)
    for name in sorted(set(others) - set(found)):
        logger.warning("%s is not of this run and is left out", results / name)
    shown = [*COMPARED, *found]
    about = {
        "format": _FORMAT,
        "analysis": config.analysis,
        "catalogue": config.catalogue,
        "config": made_with,
        "code": summary["provenance"]["code"],
        "packages": summary["provenance"]["packages"],
        "platform": describe_platform(),
        "result_sha256": summary["result_sha256"],
        "summary_sha256": file_digest(results / COMPARED[0]),
        "sha256": {name: file_digest(results / name) for name in shown[1:]},
    }
    project = list_project_files(config, catalogue, root)
    entries = {
        _ABOUT: json.dumps(about, indent=1).encode(),
        **{f"project/{name}": content for name, content in project.items()},
        **{f"results/{name}": (results / name).read_bytes() for name in shown},
    }
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as target:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _EPOCH)
            target.writestr(info, entries[name], zipfile.ZIP_DEFLATED)
    return about


def describe_platform() -> dict[str, str]:
    """Give operating system, processor family and Python version."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def _other_files(results: Path) -> list[str]:
    found = {path for pattern in ALSO_COMPARED for path in results.glob(pattern)}
    return sorted(path.relative_to(results).as_posix() for path in found)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle, which may come from anyone.

    Raises
    ------
    TaipanError
        If it is missing, damaged, too large, no bundle, has a path that leaves its folder, a file
        that is not data, or a result that differs from the checksum that the bundle states.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_unpacked(path, archive)
            entries = {name: archive.read(name) for name in archive.namelist()}
        about = json.loads(entries.pop(_ABOUT))
    except TaipanError:
        raise
    except Exception as error:  # a damaged archive fails in zipfile or a codec
        raise TaipanError(f"{path} is not a readable bundle: {error}") from error
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise TaipanError(f"{path} is not a bundle of format {_FORMAT}")
    wrong = [key for key, kind in _STATED.items() if not isinstance(about.get(key), kind)]
    if wrong:
        raise TaipanError(f"{path}: {_ABOUT}: {wrong[0]} is missing or of another type")
    project, results = _below("project/", entries), _below("results/", entries)
    for name in (*project, *results, *about["sha256"]):
        refuse_name(path, name)
    _check_digests(path, about, results)
    return Bundle(about, project, results)


def _check_digests(path: Path, about: Mapping[str, Any], results: Mapping[str, bytes]) -> None:
    """Refuse results that are not those which the bundle was written with."""
    summary = {COMPARED[0]: about["summary_sha256"]} if "summary_sha256" in about else {}
    stated = {**about["sha256"], **summary}
    for name in sorted({*stated, *results}):
        if name not in results:
            raise TaipanError(f"{path}: results/{name} is missing")
        if name not in stated and name != COMPARED[0]:
            raise TaipanError(f"{path}: {_ABOUT} has no checksum of results/{name}")
        found = hashlib.sha256(results[name]).hexdigest()
        if stated.get(name, found) != found:
            raise TaipanError(
                f"{path}: results/{name} was changed: its SHA-256 is {found}, {_ABOUT} has "
                f"{stated[name]}"
            )


def _below(folder: str, entries: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        name.removeprefix(folder): content
        for name, content in entries.items()
        if name.startswith(folder) and not name.endswith("/")
    }
