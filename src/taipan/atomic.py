"""Writing files so that a reader never sees half of one.

A file is written under a temporary name in its own folder, flushed to disk and renamed. A job that
is killed leaves the old file, or none. A folder is made in a temporary one beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from taipan.errors import TaipanError, explain_system_error
from taipan.limits import refuse_large


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Give a temporary path whose file replaces `path` when the block ends without an error.

    Parameters
    ----------
    path
        File to make; its folder is created.

    Yields
    ------
    Path
        Temporary file in the same folder, with the same suffix.

    Raises
    ------
    TaipanError
        If the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix
        )
    except OSError as error:
        raise TaipanError(f"cannot write {target}: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        if explain_system_error(error) is None:
            raise
        reason = (error.strerror or str(error)).splitlines()[0]
        raise TaipanError(f"cannot write {target}: {reason}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` when the block ends without an error.

    Parameters
    ----------
    path
        Folder to make. An old one stays as it is until the new one is complete.

    Yields
    ------
    Path
        Temporary folder beside it.

    Raises
    ------
    TaipanError
        If the folder cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise TaipanError(f"cannot write {path}: {error.strerror}") from error
    made, old = place / "new", place / "old"
    try:
        made.mkdir()
        yield made
        if path.exists():
            path.replace(old)
        try:
            made.replace(path)
        except OSError:
            if old.exists():
                old.replace(path)
            raise
    except OSError as error:
        if explain_system_error(error) is None:
            raise
        raise TaipanError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_text(path: Path | str, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, content: Any) -> None:
    """Write `content` to `path` atomically as JSON; NaN and infinities are refused.

    Raises
    ------
    TaipanError
        If `content` has a NaN or an infinity, which JSON cannot hold.
    """
    try:
        text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    except ValueError as error:
        raise TaipanError(f"{path}: {error}") from error
    write_text(path, text + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises
    ------
    TaipanError
        If the file is missing, too large or not valid JSON, or an object has a key twice, of which
        JSON readers silently take the last; names the file, and the key.
    """
    refuse_large(path, "JSON")
    try:
        return json.loads(
            Path(path).read_text(encoding="utf-8"), object_pairs_hook=_refuse_key_twice
        )
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error
    except _KeyTwiceError as error:
        raise TaipanError(f"{path}: {error}") from error
    except RecursionError as error:
        raise TaipanError(f"{path} is not valid JSON: nested too deeply") from error
    except ValueError as error:
        raise TaipanError(f"{path} is not valid JSON: {error}") from error


class _KeyTwiceError(ValueError):
    """A key that one object of a JSON file has twice."""


def _refuse_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        again = next(key for key, number in Counter(k for k, _ in pairs).items() if number > 1)
        name = found.get("name")
        where = f" of the object named {name!r}" if isinstance(name, str) else ""
        raise _KeyTwiceError(f"key {again!r}{where} is given twice (once is allowed)")
    return found
