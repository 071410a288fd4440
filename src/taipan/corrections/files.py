"""Reading correctionlib files of bounded size and depth."""

from __future__ import annotations

import functools
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import correctionlib

from taipan.errors import TaipanError
from taipan.limits import LARGEST, refuse_size


@dataclass(frozen=True)
class CorrectionFile:
    """Content of a correctionlib file.

    Attributes
    ----------
    path
        Where it is.
    evaluators
        Name → evaluator; compound corrections among them.
    trees
        Name → tree of nodes, as JSON; compound corrections have none.
    """

    path: str
    evaluators: Mapping[str, Any]
    trees: Mapping[str, Any]


def read_correction_text(path: Path) -> str:
    """Read a correction file, packed or not, if it is JSON of bounded size and depth.

    Raises
    ------
    OSError, EOFError, ValueError, zlib.error
        If it is not.
    """
    open_file = gzip.open if path.suffix == ".gz" else open
    with open_file(path, "rb") as file:
        content = file.read(LARGEST["JSON"] + 1)
    refuse_size(path, "JSON", len(content))
    text = content.decode()
    try:
        json.loads(text)  # correctionlib's reader has no limit of depth
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return text


def open_correction_file(key: str, path: str) -> CorrectionFile:
    """Read a file that a key of the configuration names.

    Raises
    ------
    TaipanError
        If it is not there or no correctionlib file; names key and file.
    """
    place = Path(path)
    if not place.is_file():
        raise TaipanError(f"{key}: '{path}' is not a file (seen from {Path.cwd()})")
    try:
        return _open(path, place.stat().st_mtime_ns)
    except (RuntimeError, OSError, EOFError, ValueError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise TaipanError(f"{key}: {path}: not a correctionlib file: {reason}") from error


@functools.lru_cache(maxsize=64)
def _open(path: str, changed: int) -> CorrectionFile:
    text = read_correction_text(Path(path))
    found = correctionlib.CorrectionSet.from_string(text)
    content = json.loads(text)
    evaluators = {name: found[name] for name in found}
    evaluators |= {name: found.compound[name] for name in found.compound}
    trees = {item["name"]: item["data"] for item in content.get("corrections", ())}
    return CorrectionFile(path, evaluators, trees)
