"""Files of the project in a bundle: configuration, catalogue, and small files that they name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from taipan.analysis_folder import ANALYSES, ANALYSIS_FILE, CATALOGUES
from taipan.clean_text import strip_credentials
from taipan.config.load import RUN_FILE
from taipan.config.model import Config, Run
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.reproduce.correction_files import divide_corrections

HARMLESS = (".yaml", ".json", ".gz", ".txt", ".lock", ".csv", ".zip", ".onnx")
"""Suffixes of what a bundle may hold: nothing that Python, Snakemake or a shell runs."""
LOCK = "requirements.lock"


def list_values(config: Config) -> dict[str, Any]:
    """Give the resolved configuration without what is of this place, or is made again."""
    values = config.model_dump(mode="json", exclude={"folder"})
    values["systematics"] = {  # what the corrections make, they make again
        name: item
        for name, item in values["systematics"].items()
        if not config.systematics[name].made_of_correction
    }
    values["results"] = "results"
    values["remote"]["mirrors"] = [strip_credentials(url) for url in config.remote.mirrors]
    values["skim"] |= {"executor": "local", "dask_scheduler": None}  # which changes no result
    return values


def list_project_files(config: Config, catalogue: Catalogue, root: Path) -> dict[str, bytes]:
    """Split the resolved configuration as the project wants it; add files that it names."""
    values = list_values(config)
    run = {key: values.pop(key) for key in Run.model_fields}
    place, folder = Path(config.folder), ANALYSES / config.analysis
    inside, elsewhere = _divide_weights(values["weights"], place)
    values["weights"] = inside
    if elsewhere:  # whose paths count from the working directory, as all of this file
        run["weights"] = elsewhere
    corrected, others = divide_corrections(config, values["corrections"])
    values["corrections"] = corrected
    if others:
        run["corrections"] = others
    offered = catalogue.model_dump(mode="json", exclude_none=True)
    if offered.get("mirrors"):
        offered["mirrors"] = [strip_credentials(url) for url in catalogue.mirrors]
    files = {
        RUN_FILE.as_posix(): to_yaml(run),
        (folder / ANALYSIS_FILE).as_posix(): to_yaml(values),
        (folder / CATALOGUES / f"{config.catalogue}.yaml").as_posix(): to_yaml(offered),
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
        refuse_name("this run", name)
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


def to_yaml(content: Mapping[str, Any]) -> bytes:
    """Write a mapping as YAML, its keys in their order."""
    text: str = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    return text.encode()


def refuse_name(path: Path | str, name: str) -> None:
    """Refuse a file of a bundle that is not data, or not below the folder it is written to."""
    place = PurePosixPath(name)
    if ".." in place.parts or place.is_absolute() or "\\" in name:
        raise TaipanError(f"{path}: '{name}' leaves the folder of the bundle")
    if any(part.startswith(".") for part in place.parts):
        raise TaipanError(f"{path}: '{name}' is hidden, which no file of a bundle may be")
    if place.suffix not in HARMLESS:
        raise TaipanError(f"{path}: '{name}' may be code; a bundle holds {', '.join(HARMLESS)}")
