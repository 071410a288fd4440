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
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from taipan.analysis_folder import ANALYSES, ANALYSIS_FILE, CATALOGUES
from taipan.atomic import read_json, replacing
from taipan.checksums import file_digest
from taipan.clean_text import strip_credentials
from taipan.config.load import RUN_FILE
from taipan.config.model import Config, Run
from taipan.config.slices import hash_catalogue, hash_config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.limits import refuse_unpacked
from taipan.reproduce.correction_files import divide_corrections
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
HARMLESS = (".yaml", ".json", ".gz", ".txt", ".lock", ".csv", ".zip", ".onnx")
"""Suffixes of what a bundle may hold: nothing that Python, Snakemake or a shell runs."""
LOCK = "requirements.lock"


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
    project = _project_files(config, catalogue, root)
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


def _project_files(config: Config, catalogue: Catalogue, root: Path) -> dict[str, bytes]:
    """Split the resolved configuration as the project wants it; add files that it names."""
    values = config.model_dump(mode="json")
    run = {key: values.pop(key) for key in Run.model_fields}
    place, folder = Path(values.pop("folder")), ANALYSES / config.analysis
    inside, elsewhere = _divide_weights(values["weights"], place)
    values["weights"] = inside
    if elsewhere:  # whose paths count from the working directory, as all of this file
        run["weights"] = elsewhere
    corrected, others = divide_corrections(config, values["corrections"])
    values["corrections"] = corrected
    if others:
        run["corrections"] = others
    values["systematics"] = {  # what the corrections make, they make again
        name: item
        for name, item in values["systematics"].items()
        if not config.systematics[name].made_of_correction
    }
    run["results"] = "results"
    run["remote"]["mirrors"] = [strip_credentials(url) for url in config.remote.mirrors]
    offered = catalogue.model_dump(mode="json", exclude_none=True)
    if offered.get("mirrors"):
        offered["mirrors"] = [strip_credentials(url) for url in catalogue.mirrors]
    run["skim"] |= {"executor": "local", "dask_scheduler": None}  # which changes no result
    files = {
        RUN_FILE.as_posix(): _yaml(run),
        (folder / ANALYSIS_FILE).as_posix(): _yaml(values),
        (folder / CATALOGUES / f"{config.catalogue}.yaml").as_posix(): _yaml(offered),
    }
    for weight in inside.values():
        if weight["file"] and (place / weight["file"]).is_file():
            files[(folder / weight["file"]).as_posix()] = (place / weight["file"]).read_bytes()
    for name in corrected:
        for path in map(Path, config.corrections[name].paths):
            if path.is_file():
                files[(folder / path.relative_to(place)).as_posix()] = path.read_bytes()
    lock = root / LOCK
    if lock.is_file():
        files[LOCK] = lock.read_bytes()
    named = [weight["file"] for weight in elsewhere.values()] + [config.skim.lumi_mask]
    named += [path for name in others for path in config.corrections[name].paths]
    named += config.classifier.models
    for name in filter(None, named):
        path = Path(name)
        below = not path.is_absolute() and ".." not in path.parts
        if below and (root / path).is_file():
            files[path.as_posix()] = (root / path).read_bytes()
    for name in files:
        _refuse_name("this run", name)
    return files


def _divide_weights(
    weights: Mapping[str, dict[str, Any]], folder: Path
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Divide weights into those whose file lies in the folder, which names it, and others."""
    inside: dict[str, dict[str, Any]] = {}
    elsewhere: dict[str, dict[str, Any]] = {}
    for name, weight in weights.items():
        file = weight["file"]
        if file is None:
            inside[name] = weight
        elif Path(file).is_relative_to(folder):
            inside[name] = {**weight, "file": Path(file).relative_to(folder).as_posix()}
        else:
            elsewhere[name] = weight
    return inside, elsewhere


def _yaml(content: Mapping[str, Any]) -> bytes:
    text: str = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    return text.encode()


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
        _refuse_name(path, name)
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


def _refuse_name(path: Path | str, name: str) -> None:
    """Refuse a file of a bundle that is not data, or not below the folder it is written to."""
    place = PurePosixPath(name)
    if ".." in place.parts or place.is_absolute() or "\\" in name:
        raise TaipanError(f"{path}: '{name}' leaves the folder of the bundle")
    if any(part.startswith(".") for part in place.parts):
        raise TaipanError(f"{path}: '{name}' is hidden, which no file of a bundle may be")
    if place.suffix not in HARMLESS:
        raise TaipanError(f"{path}: '{name}' may be code; a bundle holds {', '.join(HARMLESS)}")


def _below(folder: str, entries: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        name.removeprefix(folder): content
        for name, content in entries.items()
        if name.startswith(folder) and not name.endswith("/")
    }
