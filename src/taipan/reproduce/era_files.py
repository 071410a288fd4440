"""Files of the project in a bundle of several data-taking periods."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from taipan.analysis_folder import ANALYSES
from taipan.config.era_slices import Periods
from taipan.config.eras import COMMON, read_eras
from taipan.config.load import RUN_FILE
from taipan.config.merging import find_difference
from taipan.config.model import Config
from taipan.config.slices import hash_config
from taipan.errors import TaipanError
from taipan.reproduce.project_files import list_project_files, list_values, to_yaml


def list_era_files(config: Config, periods: Periods, root: Path) -> dict[str, bytes]:
    """Give configuration and catalogues of all eras, and small files that they name.

    The keys of an era are those in which its resolved configuration differs from that of the run.

    Parameters
    ----------
    config
        Keys of all eras.
    periods
        Era → its configuration and its catalogue.
    root
        Folder of the project.

    Raises
    ------
    TaipanError
        If the keys of an era cannot be written so; names the era.
    """
    files: dict[str, bytes] = {}
    for one, catalogue in periods.values():
        # the files of the run itself, below, take the place of those with its keys
        files |= list_project_files(one, catalogue, root)
    first = next(iter(periods.values()))[1]
    files |= list_project_files(config.model_copy(update={"catalogue": first.name}), first, root)
    with tempfile.TemporaryDirectory() as place:
        _check({**files, **_fill_run(files, config, periods, Path(place))}, periods, Path(place))
    return {**files, **_fill_run(files, config, periods, Path())}


def _fill_run(
    files: Mapping[str, bytes], config: Config, periods: Periods, place: Path
) -> dict[str, bytes]:
    """Give the file of the run with the eras; paths count from `place`."""
    name = RUN_FILE.as_posix()
    common = list_values(config)
    eras = {era: _find_keys(common, one, place) for era, (one, _) in periods.items()}
    run = yaml.safe_load(files[name])
    return {name: to_yaml({**run, "catalogue": config.catalogue, "eras": eras})}


def _find_keys(common: Mapping[str, Any], config: Config, place: Path) -> dict[str, Any]:
    """Give the keys of an era: those in which it differs from what is common."""
    keys = find_difference(common, list_values(config))
    here, there = Path(config.folder), place / ANALYSES / config.analysis
    return {key: _move(value, here, there) for key, value in keys.items() if key not in COMMON}


def _move(value: Any, here: Path, there: Path) -> Any:
    """Let paths of files in the folder of the analysis be those in another folder."""
    if isinstance(value, dict):
        return {key: _move(item, here, there) for key, item in value.items()}
    if isinstance(value, str) and Path(value).is_relative_to(here):
        return (there / Path(value).relative_to(here)).as_posix()
    return value


def _check(files: Mapping[str, bytes], periods: Periods, root: Path) -> None:
    """Read the configuration of each era again, from files written to a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    again = read_eras([], root)
    for era, (config, _) in periods.items():
        if hash_config(again[era]) != hash_config(config):
            raise TaipanError(
                f"eras.{era}: its configuration is another one when it is read from a bundle; "
                "write what is of this era alone in its keys, and the rest beside `eras`"
            )
