"""Whether the files of a job are what it would make now, by content and not by date.

Every file of a run has a record of what it was made from (:mod:`taipan.checksums`). A job is done
if the records of all its outputs state its present rule, parameters, code and inputs. Dates decide
nothing: files may be copied, moved or checked out again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.checksums import (
    RECEIPT,
    check_record,
    file_digest,
    files_read,
    identify_file,
    read_record,
    record_path,
)
from taipan.errors import TaipanError
from taipan.provenance import hash_content

_SETTLED = 2_000_000_000
"""Nanoseconds: a file that changed so shortly before may change again without a new date."""

Signature = list[int]
Input = tuple[str, str | None]
"""Name of an input without its folder, and what identifies its content."""


@dataclass(frozen=True)
class PlannedJob:
    """What a job would make now.

    Attributes
    ----------
    rule, wildcards
        Its name and the values of its wildcards.
    parameters
        Parameters of the rule, `code` among them.
    inputs, outputs
        Paths, in the order of the rule.
    """

    rule: str
    wildcards: Mapping[str, str]
    parameters: Mapping[str, Any]
    inputs: Sequence[str]
    outputs: Sequence[str]


@dataclass(frozen=True)
class Judgement:
    """Whether a job must run again.

    Attributes
    ----------
    reason
        Why it must, for instance ``the code has changed``; empty if it must not.
    inputs
        Inputs whose content is not what the outputs were made from.
    damaged
        A sentence for each output that is not as it was written, if the job need not run.
    """

    reason: str = ""
    inputs: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


class FileDigests:
    """Digests of files, which are read again only if their size, dates or place on disk differ.

    The time of the last change of a file's status (`ctime`) is among these. A program cannot set
    it, so a file that is replaced by one of the same size and date is read again as well.
    """

    def __init__(self, store: Path | None = None) -> None:
        """Start from what an earlier process has saved in `store`, if it can be read."""
        self._store = store
        self._saved: dict[str, Any] = {}
        self._seen: dict[str, str] = {}
        self._is_changed = False
        if store is not None and store.is_file():
            with contextlib.suppress(TaipanError):
                content = read_json(store)
                self._saved = content if isinstance(content, dict) else {}

    def digest(self, path: Path | str) -> str:
        """SHA-256 of a file.

        Raises
        ------
        TaipanError
            If it cannot be read.
        """
        return self._find(path, "sha256")

    def identity(self, path: Path | str) -> str:
        """Identify an input of a job as :func:`taipan.scripting.run_script` does.

        Raises
        ------
        TaipanError
            If it cannot be read.
        """
        return self._find(path, "sha256" if record_path(path).exists() else "identity")

    def _find(self, path: Path | str, kind: str) -> str:
        key = f"{kind}:{path}"
        if key in self._seen:
            return self._seen[key]
        signature = _signature(path)
        saved = self._saved.get(key)
        if isinstance(saved, list) and saved[:-1] == signature and isinstance(saved[-1], str):
            found = saved[-1]
        else:
            found = file_digest(Path(path)) if kind == "sha256" else identify_file(path)
            if _signature(path) == signature and _is_settled(signature):
                self._saved[key] = [*signature, found]
                self._is_changed = True
        self._seen[key] = found
        return found

    def save(self) -> None:
        """Save what was found; where that cannot be written, files are read again next time."""
        if self._store is not None and self._is_changed:
            with contextlib.suppress(TaipanError, OSError):
                write_json(self._store, self._saved)


def _signature(path: Path | str) -> Signature:
    try:
        found = os.stat(path)
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _is_settled(signature: Signature) -> bool:
    return time.time_ns() - max(signature[1], signature[2]) > _SETTLED


def judge_job(job: PlannedJob, digests: FileDigests) -> Judgement:
    """Compare the records of a job's outputs with what it would make now.

    An output that was deleted, but not its record, is judged by that: intermediate files may be
    deleted to save space, and are made again when something needs them. Where all records are gone
    as well, nothing tells whether those who read the files read what would be made now.

    Parameters
    ----------
    job
        What it would make.
    digests
        Digests of files.

    Returns
    -------
    Judgement
        A file without a record that can be read counts as not made by this job.

    Raises
    ------
    TaipanError
        If an input cannot be read.
    """
    records = {}
    for output in job.outputs:
        if record_path(output).exists():
            try:
                records[output] = read_record(output)
            except TaipanError as error:
                return Judgement(f"the record of {output} cannot be read ({error})")
        elif Path(output).exists():
            return Judgement(f"there is no record of what {output} was made from")
    if not records:
        return Judgement(f"there is no record of what {job.outputs[0]} was made from")
    files = files_read(job.inputs)
    present = [(Path(path).name, _identify_present(path, digests)) for path in files]
    parameters = hash_content(job.parameters)
    for output, record in records.items():
        origin = record.get("origin")
        made = origin if isinstance(origin, dict) else {}
        if made.get("rule") != job.rule or made.get("wildcards") != dict(job.wildcards):
            return Judgement(f"{output} was made by another rule")
        if made.get("code") != job.parameters.get("code"):
            return Judgement("the code has changed")
        if made.get("parameters") != parameters:
            return Judgement("the parameters have changed")
        known = _known_inputs(made.get("inputs"), present)
        if not _is_same(known, present):
            changed = [path for path, item in zip(files, present, strict=True) if item not in known]
            return Judgement("the inputs have changed", tuple(changed))
    return Judgement(damaged=tuple(_find_damage(records, digests)))


def _identify_present(path: str, digests: FileDigests) -> str | None:
    """Identify an input; a deleted one by its record, None if that is gone as well."""
    if Path(path).exists():
        return digests.identity(path)
    if not record_path(path).exists():
        return None
    digest: str = read_record(path)["sha256"]
    return digest


def _known_inputs(stated: Any, present: Sequence[Input]) -> list[Input]:
    """Name and digest of the recorded inputs; a download may be gone if its receipt is there."""
    recorded = stated if isinstance(stated, dict) else {}
    names = {name for name, _ in present}
    return [
        (Path(path).name, digest)
        for path, digest in recorded.items()
        if Path(path).name in names or f"{path}{RECEIPT}" not in recorded
    ]


def _is_same(known: Sequence[Input], present: Sequence[Input]) -> bool:
    """Whether inputs are the known ones; of a deleted one no more than the name can be."""
    return len(known) == len(present) and all(
        name == other and digest in (stated, None)
        for (name, stated), (other, digest) in zip(known, present, strict=True)
    )


def _find_damage(records: Mapping[str, Mapping[str, Any]], digests: FileDigests) -> list[str]:
    """Sentences about the files that are not as their records state."""
    found = []
    for path, record in records.items():
        try:
            if Path(path).exists():
                check_record(Path(path), record, digests.digest)
        except TaipanError as error:
            found.append(str(error))
    return found
