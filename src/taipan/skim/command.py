"""The skim of any files, outside the workflow: one Parquet file and one cutflow."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taipan.analysis import Analysis
from taipan.analysis_selection import load_analysis
from taipan.atomic import read_json, write_json
from taipan.clean_text import strip_credentials
from taipan.code_version import code_version
from taipan.config.sections.remote import Remote
from taipan.config.sections.skim import Skim
from taipan.datasets import divide, find_inode
from taipan.errors import TaipanError
from taipan.provenance import describe
from taipan.remote.mirrors import Patience, RemoteFile
from taipan.skim.cutflow import Cutflow, merge_cutflows
from taipan.skim.duplicates import (
    ChunkList,
    count_once,
    describe_duplicates,
    find_duplicates,
    refuse_duplicates,
)
from taipan.skim.executor import run_local
from taipan.skim.first import write_first
from taipan.skim.parts import (
    GeneratedSums,
    Part,
    check_branches,
    check_every_entry,
    check_generator_weights,
    sum_generated,
)
from taipan.skim.run import SkimSettings, inspect_file
from taipan.skim.task import SkimTask

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SkimSource:
    """What the files are.

    Attributes
    ----------
    name
        Name given to them in the cutflow.
    is_data
        Collision data or simulation; None: as the branches tell.
    flat
        True for flat, already skimmed ntuples.
    """

    name: str
    is_data: bool | None = None
    flat: bool = False


@dataclass(frozen=True)
class Skimmed:
    """Result: cutflow of all files, and what was generated before any skim."""

    cutflow: Cutflow
    generated: GeneratedSums
    is_data: bool


def skim_files(
    files: Sequence[Path | str],
    out: Path,
    folder: Path,
    skim: Skim,
    source: SkimSource,
    *,
    remote: Remote | None = None,
    processes: int = 1,
    cutflow: Path | None = None,
) -> Skimmed:
    """Skim files, in the order given, into one Parquet file.

    Parameters
    ----------
    files
        ROOT files of one kind: paths, or text for a URL (http, https, root, roots), of which only
        the branches needed are read.
    out
        Parquet file to write; it appears when all files are read. The bytes do not depend on the
        number of processes.
    folder
        Folder of the analysis.
    skim
        Envelope, sizes of chunks and steps, certified luminosity.
    source
        What the files are.
    remote
        How long a URL is tried; the defaults if None.
    processes
        Number of processes.
    cutflow
        JSON file to write too, or None.

    Raises
    ------
    TaipanError
        If a file is missing, damaged, given twice, of another kind than the rest or lacks a
        branch; names it. If events occur twice and `skim.duplicates` is ``fail``. If `skim` has
        what only the workflow can do.
    """
    analysis = load_analysis(folder)
    _check_arguments(files, out, analysis, skim)
    limits = (remote or Remote()).model_dump(mode="json")
    patience = Patience.from_config(limits)
    facts = [_inspect(file, analysis, source.flat, patience) for file in files]
    is_data = source.is_data
    if is_data is None:
        is_data = _agree({str(path): fact[1] for path, fact in zip(files, facts, strict=True)})
    settings = SkimSettings(
        source.name,
        is_data,
        "skims" if source.flat else "nanoaod",
        skim.envelope,
        skim.step_events,
        skim.lumi_mask if is_data else None,
    )
    parameters = {
        "settings": {
            **{key: value for key, value in vars(settings).items() if key != "weight_lists"},
            "envelope": dict(skim.envelope),
        },
        "chunk_events": skim.chunk_events,
        "code": code_version("taipan.skim.command", analysis=folder),
        "urls": [strip_credentials(file) for file in files if isinstance(file, str)],
    }
    paths = [file if isinstance(file, Path) else None for file in files]
    tasks = [
        SkimTask(str(file), low, high, path, settings, str(folder), parameters, remote=limits)
        for file, path, (entries, _) in zip(files, paths, facts, strict=True)
        for low, high in divide(entries, skim.chunk_events)
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.stem}.", dir=out.parent) as scratch:
        events, records, lists = (
            [Path(scratch) / f"{i}{ending}" for i in range(len(tasks))]
            for ending in (".parquet", ".json", "_identities.parquet")
        )
        run_local(tasks, list(zip(events, records, lists, strict=True)), processes)
        contents = [read_json(path) for path in records]
        parts = [Part.from_dict(content["part"]) for content in contents]
        check_every_entry(source.name, parts)
        check_branches({part.file: [part] for part in parts})
        check_generator_weights(source.name, parts)
        listed = [
            ChunkList(source.name, task.name, path) for task, path in zip(tasks, lists, strict=True)
        ]
        found = find_duplicates(listed, ())
        if skim.duplicates == "fail":
            refuse_duplicates(found)
        for line in describe_duplicates(found):
            logger.warning("%s", line)
        flow = merge_cutflows([Cutflow.from_dict(content) for content in contents])
        generated = sum_generated(source.name, parts, found.files.get(source.name))
        if skim.duplicates == "first":
            flow = count_once(flow, found)
            parameters["duplicates"] = skim.duplicates
        local = [path for path in paths if path is not None]
        dropped = [repeats.rows for repeats in found.chunks[source.name]]
        write_first(
            list(zip(events, dropped, strict=True)),
            out,
            analysis.columns,
            describe("skim", parameters, local),
        )
    if cutflow is not None:
        write_json(cutflow, flow.to_dict())
    return Skimmed(flow, generated, is_data)


def _inspect(
    file: Path | str, analysis: Analysis, flat: bool, patience: Patience
) -> tuple[int, bool]:
    if isinstance(file, Path):
        return inspect_file(file, analysis, flat=flat)
    with RemoteFile.at(file, patience) as remote:
        return inspect_file(remote, analysis, flat=flat)


def _check_arguments(
    files: Sequence[Path | str], out: Path, analysis: Analysis, skim: Skim
) -> None:
    seen: dict[object, Path | str] = {}
    for file in files:
        if isinstance(file, Path) and not file.is_file():
            raise TaipanError(f"{file} does not exist")
        known = find_inode(file) if isinstance(file, Path) else file
        if known in seen:
            same = (
                "" if str(file) == str(seen[known]) else f" (it is the same file as {seen[known]})"
            )
            raise TaipanError(f"{file} is given twice{same}")
        seen[known] = file
    if out.exists() and find_inode(out) in seen:
        raise TaipanError(f"{out} is also an input")
    if skim.on_bad_file != "fail":
        raise TaipanError(
            f"skim.on_bad_file: '{skim.on_bad_file}' is for the workflow, whose catalogue tells "
            "how many events are lost; the command takes 'fail'"
        )
    needed = {shift.envelope for shift in analysis.shifts.values() if shift.envelope is not None}
    absent = sorted(needed - set(skim.envelope))
    if absent:
        raise TaipanError(
            f"skim.envelope.{absent[0]}: missing; analysis '{analysis.name}' needs "
            f"{', '.join(sorted(needed))}"
        )


def _agree(found: dict[str, bool]) -> bool:
    """Decide between data and simulation, which must not be mixed."""
    (first, is_data), *rest = found.items()
    for path, other in rest:
        if other != is_data:
            kinds = {True: "collision data", False: "simulation"}
            raise TaipanError(f"{path} is {kinds[other]}, but {first} is {kinds[is_data]}")
    logger.info("%s", "collision data" if is_data else "simulation")
    return is_data
