"""Checksums of the workflow's own files, so that a damaged one is never read as a result.

A rule's outputs are recorded when it has succeeded, and verified when another rule reads them. The
records lie beside the files, in a folder ``.checksums``: where a record is missing, the file came
from elsewhere and is not verified. A record also says where the file comes from, so that formats
without room for it have a provenance too, and their bytes stay the same. By that the next run knows
whether the file must be made again (:mod:`taipan.staleness`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.errors import TaipanError

FOLDER = ".checksums"
RECEIPT = ".verified.json"
"""Suffix of what the download of a file leaves beside it; a job that reads the file names this."""
_LARGEST_READ = 256 * 1024**2
_SAMPLES = 256


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


def identify_file(path: Path | str) -> str:
    """Identify the content of a file that this project has not made.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits. To read a file above 256 MiB would cost more than the job
        that reads a part of it: such a file is known by its size and by 64 MiB of it, in 256 pieces
        from its first byte to its last (``sampled:`` and a SHA-256).

    Raises
    ------
    TaipanError
        If it cannot be read.
    """
    target = Path(path)
    try:
        size = target.stat().st_size
        if size <= _LARGEST_READ:
            return file_digest(target)
        digest = hashlib.sha256(str(size).encode())
        length = _LARGEST_READ // 4 // _SAMPLES
        with target.open("rb") as handle:
            for index in range(_SAMPLES):
                handle.seek((size - length) * index // (_SAMPLES - 1), os.SEEK_SET)
                digest.update(handle.read(length))
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error
    return f"sampled:{digest.hexdigest()}"


def files_read(inputs: Iterable[Path | str]) -> list[str]:
    """Files that a job reads: its inputs, each once, and the downloads that receipts stand for."""
    found: list[str] = []
    for path in map(str, inputs):
        found.append(path)
        download = path.removesuffix(RECEIPT)
        if download != path and Path(download).is_file():
            found.append(download)
    return list(dict.fromkeys(found))


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


def forget_files(paths: Iterable[Path | str]) -> None:
    """Delete the records of files that are about to be made, so that none describes another file.

    Raises
    ------
    TaipanError
        If a record cannot be deleted.
    """
    for path in paths:
        try:
            record_path(path).unlink(missing_ok=True)
        except OSError as error:
            raise TaipanError(f"cannot write {record_path(path)}: {error.strerror}") from error


def read_record(file: Path | str) -> dict[str, Any]:
    """Read the record of a file.

    Returns
    -------
    dict
        ``sha256``, ``bytes`` and, of a file of the workflow, ``origin``.

    Raises
    ------
    TaipanError
        If it is missing or unreadable, or says nothing of its file, which would let a damaged file
        pass.
    """
    path = record_path(file)
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
        if record_path(path).exists():
            found[str(path)] = check_record(path, read_record(path))
    return found


def check_record(
    path: Path, stated: Mapping[str, Any], digest: Callable[[Path], str] = file_digest
) -> str:
    """Compare a file with its record.

    Parameters
    ----------
    path
        The file.
    stated
        What :func:`read_record` gives for it.
    digest
        Function that gives the SHA-256 of a file.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    TaipanError
        If it is missing or differs from what was written; names it and says what to do.
    """
    if not path.exists():
        raise TaipanError(f"{path} is missing")
    size = path.stat().st_size
    if size != stated["bytes"]:
        reason = f"it has {size} bytes, {stated['bytes']} were written"
    elif (found := digest(path)) != stated["sha256"]:
        reason = "its content is not what was written (SHA-256 differs)"
    else:
        return found
    raise TaipanError(f"{path} is damaged: {reason}; delete it and run again to make it anew")
