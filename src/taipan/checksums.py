"""Checksums of the workflow's own files, so that a damaged one is never read as a result.

A rule's outputs are recorded when it has succeeded, and verified when another rule reads them. The
records lie beside the files, in a folder ``.checksums`` that nothing depends on: where a record is
missing, the file came from elsewhere and is not verified. A record also says where the file comes
from, so that formats without room for it have a provenance too, and their bytes stay the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.errors import TaipanError

FOLDER = ".checksums"


def record_path(path: Path | str) -> Path:
    """Where the record of a file lies."""
    target = Path(path)
    return target.parent / FOLDER / f"{target.name}.json"


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits.

    Raises
    ------
    TaipanError
        If it cannot be read.
    """
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error


def _files(paths: Iterable[Path | str]) -> list[Path]:
    """Return the files of a list of files and folders."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file() and p.parent.name != FOLDER)
        else:
            found.append(path)
    return found


def record_files(paths: Iterable[Path | str], origin: Mapping[str, Any] | None = None) -> None:
    """Record size and SHA-256 of files just made (all files of a folder).

    Parameters
    ----------
    paths
        Files and folders.
    origin
        Provenance of the files, which is recorded with them.

    Raises
    ------
    TaipanError
        If a file is missing, or its record cannot be written.
    """
    for path in _files(paths):
        record = {"sha256": file_digest(path), "bytes": path.stat().st_size}
        write_json(record_path(path), record if origin is None else {**record, "origin": origin})


def _read_record(path: Path) -> dict[str, Any]:
    """Read a record; one that says nothing of its file would let a damaged file pass."""
    content = read_json(path)
    stated = content if isinstance(content, dict) else {}
    if not (isinstance(stated.get("sha256"), str) and isinstance(stated.get("bytes"), int)):
        raise TaipanError(
            f"{path} is damaged: it has no sha256 and bytes; delete it and the file that it "
            "describes, and run again to make both anew"
        )
    return stated


def verify_files(paths: Iterable[Path | str]) -> dict[str, str]:
    """Compare files with their records, where there are any.

    Returns
    -------
    dict
        Path → SHA-256, for the files that have a record.

    Raises
    ------
    TaipanError
        If a file is missing or differs from what was written, or its record cannot be read; names
        it and says what to do.
    """
    found: dict[str, str] = {}
    for path in _files(paths):
        record = record_path(path)
        if not record.exists():
            continue
        stated = _read_record(record)
        if not path.exists():
            raise TaipanError(f"{path} is missing")
        size = path.stat().st_size
        if size != stated["bytes"]:
            reason = f"it has {size} bytes, {stated['bytes']} were written"
        elif file_digest(path) != stated["sha256"]:
            reason = "its content is not what was written (SHA-256 differs)"
        else:
            found[str(path)] = stated["sha256"]
            continue
        raise TaipanError(f"{path} is damaged: {reason}; delete it and run again to make it anew")
    return found
