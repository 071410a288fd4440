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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.analysis_folder import CATALOGUES
from taipan.atomic import read_json, replacing
from taipan.checksums import file_digest
from taipan.config.era_slices import Periods
from taipan.config.eras import ERAS
from taipan.config.model import Config
from taipan.config.slices import hash_catalogue, hash_config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.limits import refuse_unpacked
from taipan.provenance import hash_content
from taipan.reproduce.era_files import list_era_files
from taipan.reproduce.project_files import list_project_files, refuse_name
from taipan.reproduce.verify import verify_run

logger = logging.getLogger(__name__)

_ABOUT = "bundle.json"
_FORMAT = 2
_STATED = {"analysis": str, "config": str, "code": str, "sha256": dict, "platform": dict}
_OF_ERAS = {"eras": list, "summaries": dict}
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
    _refuse_other(results, summary, config, catalogue)
    shown = [*COMPARED, *_list_verified(results, root, COMPARED)]
    about = _describe(config, summary, results, shown)
    return _write(path, about, list_project_files(config, catalogue, root), results)


def write_eras(
    path: Path, config: Config, periods: Periods, results: Path, root: Path
) -> dict[str, Any]:
    """Write the bundle of a finished run of several data-taking periods.

    Parameters
    ----------
    path
        ZIP file to write.
    config
        Keys of all eras.
    periods
        Era → its configuration and its catalogue.
    results, root
        As of :func:`write_bundle`.

    Raises
    ------
    TaipanError
        As of :func:`write_bundle`, of all eras and of each.
    """
    summary = read_json(results / COMPARED[0])
    made_with = summary["provenance"]
    shown = [COMPARED[0], *_list_verified(results, root, COMPARED[:1])]
    for era, (one, catalogue) in periods.items():
        _refuse_unknown_era(results, era, made_with)
        place = Path(ERAS, era, one.analysis)
        own = read_json(results / place / COMPARED[0])
        _refuse_other(results / place, own, one, catalogue)
        if own["provenance"]["config"] != made_with["config"][era]:
            raise TaipanError(
                f"{results / COMPARED[0]} was made with another configuration of era {era} than "
                f"{results / place / COMPARED[0]}; run again before you bundle"
            )
        names = [*COMPARED, *_list_verified(results / place, root, COMPARED)]
        shown += [(place / name).as_posix() for name in names]
    about = {
        **_describe(config, summary, results, shown),
        "config": hash_content(made_with["config"]),
        "catalogue": {era: catalogue.name for era, (_, catalogue) in periods.items()},
        "eras": list(periods),
    }
    return _write(path, about, list_era_files(config, periods, root), results)


def _refuse_unknown_era(results: Path, era: str, made_with: Mapping[str, Any]) -> None:
    known = made_with["config"]
    if not isinstance(known, dict) or era not in known:
        some = ", ".join(known) if isinstance(known, dict) else "none"
        raise TaipanError(
            f"{results / COMPARED[0]} was not made with era {era} ({some}); give the overlays of "
            "that run (--configfile, --config)"
        )


def _refuse_other(
    results: Path, summary: Mapping[str, Any], config: Config, catalogue: Catalogue
) -> None:
    """Refuse a run that was made with another configuration or catalogue."""
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


def _list_verified(results: Path, root: Path, finals: Sequence[str]) -> list[str]:
    """Verify a run; list its other files that are compared."""
    others = _other_files(results)
    found = verify_run(results, root, finals, others)
    for name in sorted(set(others) - set(found)):
        logger.warning("%s is not of this run and is left out", results / name)
    return found


def _describe(
    config: Config, summary: Mapping[str, Any], results: Path, shown: Sequence[str]
) -> dict[str, Any]:
    digests = {name: file_digest(results / name) for name in shown}
    summaries = {name: digests.pop(name) for name in shown if Path(name).name == COMPARED[0]}
    first = summaries.pop(COMPARED[0])
    return {
        "format": _FORMAT,
        "analysis": config.analysis,
        "catalogue": config.catalogue,
        "config": summary["provenance"]["config"],
        "code": summary["provenance"]["code"],
        "packages": summary["provenance"]["packages"],
        "platform": describe_platform(),
        "result_sha256": summary["result_sha256"],
        "summary_sha256": first,
        **({"summaries": summaries} if summaries else {}),
        "sha256": digests,
    }


def _write(
    path: Path, about: dict[str, Any], project: Mapping[str, bytes], results: Path
) -> dict[str, Any]:
    shown = [COMPARED[0], *about.get("summaries", {}), *about["sha256"]]
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
    stated = {**_STATED, **{key: kind for key, kind in _OF_ERAS.items() if key in about}}
    wrong = [key for key, kind in stated.items() if not isinstance(about.get(key), kind)]
    if wrong:
        raise TaipanError(f"{path}: {_ABOUT}: {wrong[0]} is missing or of another type")
    project, results = _below("project/", entries), _below("results/", entries)
    for name in (*project, *results, *about["sha256"], *about.get("summaries", {})):
        refuse_name(path, name)
    _check_digests(path, about, results)
    return Bundle(about, project, results)


def _check_digests(path: Path, about: Mapping[str, Any], results: Mapping[str, bytes]) -> None:
    """Refuse results that are not those which the bundle was written with."""
    summary = {COMPARED[0]: about["summary_sha256"]} if "summary_sha256" in about else {}
    stated = {**about["sha256"], **about.get("summaries", {}), **summary}
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
