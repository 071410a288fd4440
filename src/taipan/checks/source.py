"""Checks of where the input comes from and where results go.

What the system refuses (no permission, a name that is too long) is an answer here, not an error:
the functions of ``os.path`` say no, those of ``pathlib`` raise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from taipan.analysis import Analysis
from taipan.checks.tables import check_tables
from taipan.config.fields import format_value
from taipan.config.model import Config
from taipan.datasets import (
    Catalogue,
    data_datasets,
    find_inode,
    mirrors_of,
    nominal_datasets,
    used_datasets,
)
from taipan.errors import TaipanError
from taipan.results_owner import find_other_owner
from taipan.simulation import load_simulation
from taipan.suggestions import unknown

Problems = Iterator[str]

_MARKS = "/ . _ - + , = @ : ~"
_RESULTS = re.compile(r"[\w/._+,=@:~][\w/._+,=@:~-]*")
_LONGEST_NAME = 255  # bytes, of most file systems


def check_source(config: Config, catalogue: Catalogue, analysis: Analysis) -> Problems:
    """Check the input of the skim without a connection, and of files no more than the header.

    Yields
    ------
    str
        One line a problem.
    """
    yield from _check_lumi_mask(config, catalogue)
    yield from _check_bad_files(config, catalogue)
    yield from _check_listed_once(config, catalogue)
    yield from check_tables(config, catalogue, analysis)
    found = source_key(config, catalogue)
    if found is None:
        if config.remote.access != "local":
            access = config.remote.access
            yield f"remote.access: '{access}': a simulation is made on the spot (local)"
        yield from _check_simulation(config, catalogue)
        return
    key, folder = found
    if key == "skims" and analysis.flat is None:
        yield f"catalogue: analysis '{config.analysis}' cannot read flat ntuples (kind skims)"
    if config.remote.access != "local" and not mirrors_of(config, catalogue):
        yield (
            f"remote.mirrors: missing; catalogue '{catalogue.name}' names none, so remote.access "
            f"'{config.remote.access}' needs base URLs (http, https, root)"
        )
    if config.remote.access == "stream":
        return
    if folder is None:
        yield (
            f"{key}: missing; catalogue '{catalogue.name}' of kind {catalogue.kind} needs the "
            f"folder of its files{_whence(catalogue)}"
        )
    elif "://" in folder:
        yield f"{key}: '{folder}' is not a folder; remote.mirrors takes base URLs"
    elif config.remote.access == "local":
        yield from _check_folder(key, Path(folder), config, catalogue)
    elif os.path.exists(folder) and not os.path.isdir(folder):
        yield f"{key}: '{folder}' is not a folder (seen from {Path.cwd()})"


def _check_simulation(config: Config, catalogue: Catalogue) -> Problems:
    """Check that the analysis' own simulation makes the datasets, into files that are looked for.

    It is imported, as the selection has been.
    """
    if not config.folder:
        return
    try:
        made = load_simulation(config.folder).datasets
    except TaipanError as error:
        yield str(error)
        return
    for name in used_datasets(config, catalogue):
        if name not in catalogue.datasets:
            continue  # reported where it is named
        path = f"catalogue '{catalogue.name}': datasets.{name}"
        files = catalogue.datasets[name].files
        if name not in made:
            yield unknown(path, name, "dataset that simulation.py makes", made)
        elif list(files) != [made_file := name + (".root" if not catalogue.table else ".parquet")]:
            yield f"{path}.files: {', '.join(files)} (a simulation writes one file, {made_file})"


def _whence(catalogue: Catalogue) -> str:
    """Say where the files of a catalogue come from, as far as it tells."""
    if catalogue.record is None:
        return ""
    number = sum(len(dataset.files) for dataset in catalogue.datasets.values())
    return (
        f"; datasets/{catalogue.name}.yaml says where its {number} files come from (record "
        f"{catalogue.record} of the CERN Open Data portal)"
    )


def source_key(config: Config, catalogue: Catalogue) -> tuple[str, str | None] | None:
    """Give key and value of the folder of the input; None for a simulation, which has none."""
    if catalogue.kind == "simulation":
        return None
    return ("skims", config.skims) if catalogue.kind == "skims" else ("files", config.files)


def _check_folder(key: str, folder: Path, config: Config, catalogue: Catalogue) -> Problems:
    if not os.path.isdir(folder):
        yield f"{key}: '{folder}' is not a folder (seen from {Path.cwd()})"
        return
    for name in used_datasets(config, catalogue):
        for file in catalogue.datasets[name].files if name in catalogue.datasets else ():
            if not os.path.isfile(folder / file):
                yield f"{key}: '{folder}' has no file {file} (dataset {name})"


def _check_listed_once(config: Config, catalogue: Catalogue) -> Problems:
    """Find files that belong to two nominal datasets, or twice to one: their events count twice.

    An alternative dataset of a systematic may be read from the files of a nominal one, which it
    replaces.
    """
    found = source_key(config, catalogue)
    folder = None if found is None or found[1] is None or "://" in found[1] else Path(found[1])
    nominal: dict[object, tuple[str, str]] = {}
    for name in used_datasets(config, catalogue):
        dataset = catalogue.datasets.get(name)
        if dataset is None:
            continue
        seen = nominal if name in nominal_datasets(config, catalogue) else {}
        for i, file in enumerate(dataset.files):
            # rows with another label are other events
            known = (_identify(folder, file), dataset.label)
            if known in seen:
                yield _describe_twice(name, i, file, *seen[known], catalogue.name)
            seen.setdefault(known, (name, file))


def _identify(folder: Path | None, file: str) -> object:
    """Tell a file by where it lies on the disk; by its name if it is not there."""
    try:
        return file if folder is None else find_inode(folder / file)
    except OSError:
        return file


def _describe_twice(
    name: str, number: int, file: str, dataset: str, other: str, catalogue: str
) -> str:
    where = f"datasets.{name}.files[{number}]: '{file}' in catalogue '{catalogue}'"
    same = "is listed twice" if file == other else f"is the same file as '{other}'"
    if dataset != name:
        same = f"is a file of dataset '{dataset}', too"
        same += "" if file == other else f" ('{other}')"
    return f"{where} {same}; its events would count twice (list each file once)"


def _check_lumi_mask(config: Config, catalogue: Catalogue) -> Problems:
    mask = config.skim.lumi_mask
    if mask is not None and catalogue.table is not None:
        yield f"skim.lumi_mask: '{mask}': tables have no luminosity blocks; set it to null"
    elif mask is not None and catalogue.kind == "skims":
        yield f"skim.lumi_mask: '{mask}': flat ntuples have no luminosity blocks; set it to null"
    elif mask is not None and not os.path.isfile(mask):
        yield f"skim.lumi_mask: '{mask}' is not a file (seen from {Path.cwd()})"


def _check_bad_files(config: Config, catalogue: Catalogue) -> Problems:
    """Check that the events of a skipped chunk can be counted, which the normalisation needs."""
    if config.skim.on_bad_file == "fail":
        return
    if catalogue.kind != "nanoaod":
        yield (
            f"skim.on_bad_file: 'skip' is for catalogues of kind nanoaod; '{catalogue.name}' is of "
            f"kind {catalogue.kind} (fail)"
        )
        return
    for name in data_datasets(config, catalogue):
        if name in catalogue.datasets and catalogue.datasets[name].same_period is not None:
            yield (
                f"skim.on_bad_file: 'skip': dataset '{name}' has the running period of another "
                "(same_period), so nobody knows the luminosity that is lost (fail)"
            )
    for name in used_datasets(config, catalogue):
        if name in catalogue.datasets and catalogue.datasets[name].generated_events is None:
            yield (
                f"skim.on_bad_file: 'skip' needs generated_events of dataset '{name}' in catalogue "
                f"'{catalogue.name}', to tell how much is lost (fail)"
            )


def check_results(config: Config, catalogue: Catalogue) -> Problems:
    """Check the folder of the results: its name, and that it is not one of the input.

    Yields
    ------
    str
        One line a problem.
    """
    text = config.results
    if not text.strip():
        yield "results: '' is not a folder"
        return
    if not _RESULTS.fullmatch(text):
        yield (
            f"results: {format_value(text)} is not allowed (letters, digits and {_MARKS}; "
            "no space, and no - at the beginning)"
        )
        return
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in Path(text).parts):
        yield f"results: {format_value(text)} is too long (names of {_LONGEST_NAME} bytes)"
        return
    results = Path(os.path.realpath(text))
    if results == Path(results.anchor):
        yield f"results: '{text}' is the root of the file system; name a folder of its own"
        return
    key, source = source_key(config, catalogue) or ("", None)
    if source is not None and "://" not in source:
        folder = Path(os.path.realpath(source))
        if results == folder or folder in results.parents:
            yield f"results: '{text}' is inside the folder of the input ({key}: '{source}')"
    existing = existing_part(results)
    if not existing.is_dir():
        yield f"results: '{text}' cannot be written: {existing} is a file"
        return
    owner = find_other_owner(results / config.analysis, config.folder) if config.folder else None
    if owner is not None:
        yield (
            f"results: '{text}/{config.analysis}' holds the results of another analysis of this "
            f"name, {owner} (say another folder, such as results: {text}-2, or remove it)"
        )


def existing_part(path: Path) -> Path:
    """Give a path, or the nearest folder above it that is there."""
    return next(place for place in (path, *path.parents) if os.path.exists(place))
