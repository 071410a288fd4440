"""Limits for files that may come from anywhere: refused before they fill the memory.

Each is far above what the workflow writes. A file may state any length in its header; what is
stated is compared with the size of the file, or with a limit, before memory is taken for it.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from taipan.errors import TaipanError

MIB = 1024**2
LARGEST = {"JSON": 128 * MIB, "YAML": 16 * MIB, "ONNX": 64 * MIB, "ZIP": 2048 * MIB}
"""Largest file of each kind in bytes; of a ZIP archive, all its entries unpacked."""


def refuse_large(path: Path | str, kind: str) -> None:
    """Refuse a file above the limit of its kind, before it is read.

    Parameters
    ----------
    path
        File; one that cannot be looked at is left to the reader.
    kind
        Key of `LARGEST`.

    Raises
    ------
    TaipanError
        If it is larger; names the file, its size and the limit.
    """
    try:
        size = os.stat(path).st_size
    except OSError:
        return
    refuse_size(path, kind, size)


def refuse_size(path: Path | str, kind: str, size: int) -> None:
    """Refuse content of `size` bytes if it is above the limit of its kind.

    Raises
    ------
    TaipanError
        If it is larger; names the file, its size and the limit.
    """
    largest = LARGEST[kind]
    if size > largest:
        raise TaipanError(
            f"{path}: {size / MIB:.0f} MiB of {kind}, at most {largest // MIB} MiB are read"
        )


def refuse_unpacked(path: Path | str, archive: zipfile.ZipFile) -> None:
    """Refuse a ZIP archive whose entries are too large when unpacked.

    No more is ever unpacked of an entry than the archive states.

    Raises
    ------
    TaipanError
        If all entries together, or one of JSON, are above the limits.
    """
    entries = archive.infolist()
    refuse_size(path, "ZIP", sum(entry.file_size for entry in entries))
    for entry in entries:
        if entry.filename.endswith(".json"):
            refuse_size(path, "JSON", entry.file_size)
