"""The skim of any files, outside the workflow: one Parquet file and one cutflow."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from taipan.analysis import Analysis, load_analysis
from taipan.atomic import read_json, write_json
from taipan.config.model import Skim
from taipan.datasets import chunk_size, divide
from taipan.errors import TaipanError
from taipan.provenance import code_version, describe
from taipan.skim.cutflow import Cutflow, merge_cutflows
from taipan.skim.executor import Outputs, run_local
from taipan.skim.parts import GeneratedSums, Part, check_branches, check_coverage, sum_generated
from taipan.skim.run import SkimSettings, inspect_file
from taipan.skim.storage import EventWriter
from taipan.skim.task import SkimTask

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
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
    files: Sequence[Path],
    out: Path,
    module: str,
    skim: Skim,
    source: Source,
    *,
    processes: int = 1,
    cutflow: Path | None = None,
) -> Skimmed:
    """Skim files, in the order given, into one Parquet file.

    Parameters
    ----------
    files
        ROOT files of one kind.
    out
        Parquet file to write; it appears when all files are read. The bytes do not depend on the
        number of processes.
    module
        Analysis module.
    skim
        Envelope, sizes of chunks and steps, certified luminosity.
    source
        What the files are.
    processes
        Number of processes.
    cutflow
        JSON file to write too, or None.

    Raises
    ------
    TaipanError
        If a file is missing, damaged, given twice, of another kind than the rest or lacks a
        branch; names it.
    """
    analysis = load_analysis(module)
    _check_arguments(files, out, analysis, skim)
    facts = [inspect_file(path, analysis, flat=source.flat) for path in files]
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
        "settings": {**vars(settings), "envelope": dict(skim.envelope)},
        "chunk_events": chunk_size(skim),
        "code": code_version("taipan.skim.command", module),
    }
    tasks = [
        SkimTask(str(path), low, high, path, settings, module, parameters)
        for path, (entries, _) in zip(files, facts, strict=True)
        for low, high in divide(entries, chunk_size(skim))
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.stem}.", dir=out.parent) as folder:
        outputs = [
            (Path(folder) / f"{i}.parquet", Path(folder) / f"{i}.json") for i in range(len(tasks))
        ]
        run_local(tasks, outputs, processes)
        result = _merge_cutflows(source.name, [record for _, record in outputs], is_data)
        _merge_events(outputs, out, analysis, describe("skim", parameters, files))
    if cutflow is not None:
        write_json(cutflow, result.cutflow.to_dict())
    return result


def _check_arguments(files: Sequence[Path], out: Path, analysis: Analysis, skim: Skim) -> None:
    seen: set[Path] = set()
    for path in files:
        if not path.is_file():
            raise TaipanError(f"{path} does not exist")
        if path.resolve() in seen:
            raise TaipanError(f"{path} is given twice")
        seen.add(path.resolve())
    if out.resolve() in seen:
        raise TaipanError(f"{out} is also an input")
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


def _merge_cutflows(name: str, records: Iterable[Path], is_data: bool) -> Skimmed:
    contents = [read_json(path) for path in records]
    parts = [Part.from_dict(content["part"]) for content in contents]
    check_coverage(name, parts)
    check_branches({part.file: [part] for part in parts})
    flow = merge_cutflows([Cutflow.from_dict(content) for content in contents])
    return Skimmed(flow, sum_generated(name, parts), is_data)


def _merge_events(
    outputs: Sequence[Outputs], out: Path, analysis: Analysis, provenance: dict[str, object]
) -> None:
    with EventWriter(out, analysis.columns, provenance) as writer:
        for events, _ in outputs:
            file = pq.ParquetFile(events)
            for group in range(file.num_row_groups):
                writer.write(file.read_row_group(group))
