"""Files that their origin publishes inside a ZIP archive."""

from __future__ import annotations

import logging
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from taipan.atomic import write_json
from taipan.errors import BadFileError, TaipanError
from taipan.remote.fetch import RECEIPT, Expected, compare_size, fetch_file, verify_content
from taipan.remote.mirrors import Patience

logger = logging.getLogger(__name__)


def fetch_member(
    target: Path, archive: str, mirrors: Sequence[str], expected: Expected, patience: Patience
) -> None:
    """Download an archive and take a file out of it.

    Parameters
    ----------
    target
        File to make. It appears, by renaming, when it is complete: the archive has a CRC-32 of it,
        which is compared. Its receipt comes after it. A file that is there already is verified.
    archive
        Name of the archive on the mirrors; it stays beside the target, and may be deleted then.
    mirrors, patience
        As of :func:`taipan.remote.fetch.fetch_file`.
    expected
        Size and checksums of the file, not of the archive.

    Raises
    ------
    BadFileError
        If the archive is damaged or lacks the file, or that has another size or checksum.
    TaipanError
        As :func:`taipan.remote.fetch.fetch_file`, of the archive.
    """
    if not target.exists():
        packed = target.with_name(archive)
        fetch_file(packed, mirrors, Expected(), patience)
        _extract(packed, target)
    compare_size(target, expected)
    verify_content(target, expected)
    write_json(f"{target}{RECEIPT}", {"file": target.name, **asdict(expected)})


def _extract(packed: Path, target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        with zipfile.ZipFile(packed) as archive:
            members = [name for name in archive.namelist() if Path(name).name == target.name]
            if len(members) != 1:
                found = ", ".join(archive.namelist()[:10])
                raise BadFileError(f"{packed} holds {len(members)} files {target.name} ({found})")
            with archive.open(members[0]) as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink, 16 * 1024**2)
    except (zipfile.BadZipFile, EOFError) as error:
        raise BadFileError(f"{packed} is damaged: {error}; delete it to fetch it again") from error
    except OSError as error:
        raise TaipanError(f"cannot write {part}: {error.strerror}") from error
    os.replace(part, target)
    logger.info("%s: taken out of %s", target.name, packed.name)
