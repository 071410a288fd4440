"""Files of a run that are not what its jobs wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.certify.lines import Line, judge
from taipan.checksums import FOLDER, RECEIPT, check_record, file_digest, read_record, record_path
from taipan.errors import TaipanError

_NOT_RESULTS = ("logs", "benchmarks", "search")
"""Folders whose files no job reads as a result."""
_WRITTEN_AFTERWARDS = (
    "report.html",
    "certificate.json",
    "certificate.md",
    "certificate.html",
)
_SHOWN = 3


@dataclass(frozen=True)
class FileFindings:
    """What is wrong with the files of a run.

    Attributes
    ----------
    checked
        Number of files that have a record and are as it says.
    edited
        A sentence for each file that is not as its record says, or whose reader read another one.
    unverified
        Files without a record.
    """

    checked: int
    edited: tuple[str, ...]
    unverified: tuple[str, ...]


def check_run_files(results: Path) -> FileFindings:
    """Compare every file of a run with its record, and with what its readers have read.

    Parameters
    ----------
    results
        Folder of the analysis in the results.
    """
    digests: dict[Path, str] = {}
    edited, unverified = [], []
    records: dict[Path, Mapping[str, Any]] = {}
    for path in _result_files(results):
        if not record_path(path).is_file():
            unverified.append(path.relative_to(results).as_posix())
            continue
        try:
            records[path] = read_record(path)
            digests[path] = check_record(path, records[path], file_digest)
        except TaipanError as error:
            edited.append(str(error))
    for path, record in records.items():
        for source, digest in _inputs_of(record, results):
            if digests.get(source, digest) != digest:
                edited.append(f"{path} was made from another {source} than the one that is there")
    return FileFindings(len(digests), tuple(edited), tuple(unverified))


def _result_files(results: Path) -> Iterator[Path]:
    for path in sorted(results.rglob("*")):
        inner = path.relative_to(results).parts
        if FOLDER in inner or any(part in _NOT_RESULTS for part in inner[:-1]):
            continue
        if path.name.endswith(RECEIPT) or (len(inner) == 1 and inner[0] in _WRITTEN_AFTERWARDS):
            continue
        if path.is_file():
            yield path


def _inputs_of(record: Mapping[str, Any], results: Path) -> Iterator[tuple[Path, str]]:
    """Give the inputs of a file that are results of the same run, wherever that was when it ran."""
    origin, name_of_run = record.get("origin"), results.resolve().name
    inputs = origin.get("inputs") if isinstance(origin, dict) else None
    for name, digest in (inputs if isinstance(inputs, dict) else {}).items():
        parts = Path(name).parts
        if name_of_run in parts and isinstance(digest, str):
            last = len(parts) - parts[::-1].index(name_of_run)
            yield results.joinpath(*parts[last:]), digest


def judge_files(results: Path) -> list[Line]:
    """Give the line about edited files and the one about files that nobody can verify."""
    found = check_run_files(results)
    return [
        judge(
            "files as they were written",
            f"{len(found.edited)} edited, {found.checked} verified",
            "0 edited, at least 1 verified",
            passed=not found.edited and found.checked > 0,
            link="outputs.md",
            reason=_list_some(found.edited) or "no file has a checksum record",
        ),
        judge(
            "files without a record",
            str(len(found.unverified)),
            "0",
            passed=not found.unverified,
            link="outputs.md",
            reason=_list_some(found.unverified),
        ),
    ]


def _list_some(items: tuple[str, ...]) -> str:
    more = len(items) - _SHOWN
    return "; ".join(items[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
