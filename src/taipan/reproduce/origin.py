"""Where any file of a run comes from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan.atomic import read_json
from taipan.checksums import record_path, verify_files
from taipan.errors import TaipanError

logger = logging.getLogger(__name__)

_ONNX_PREFIX = "provenance."


def read_origin(path: Path) -> dict[str, Any]:
    """Read what a file says of itself, and what was recorded beside it when it was made.

    Returns
    -------
    dict
        ``file``; ``sha256`` and ``recorded`` (rule, wildcards, hash of the parameters, code
        version, seed, SHA-256 of the inputs, package versions) where there is a record; and
        ``embedded``, the file's own provenance, where its format holds one.

    Raises
    ------
    TaipanError
        If the file is missing, differs from its record, or has neither.
    """
    if not path.is_file():
        raise TaipanError(f"{path} does not exist")
    found: dict[str, Any] = {"file": str(path)}
    record = record_path(path)
    if record.exists():
        found["sha256"] = verify_files([path])[str(path)]
        found["recorded"] = read_json(record).get("origin")
    embedded = _embedded(path)
    if embedded and "recorded" not in found:
        found["recorded"] = None  # so nobody knows whether it is as it was written
        logger.warning("%s has no checksum record, so its content is not verified", path)
    if embedded:
        found["embedded"] = embedded
    if len(found) == 1:
        raise TaipanError(f"{path} carries no provenance, and none was recorded beside it")
    return found


def _embedded(path: Path) -> Mapping[str, Any] | None:
    match path.suffix:
        case ".json":
            content = read_json(path)
            own = content.get("provenance") if isinstance(content, dict) else None
            return own if isinstance(own, dict) else None
        case ".parquet":
            from taipan.skim.storage import find_provenance

            return find_provenance(path)
        case ".onnx":
            from taipan.nn.scorer import read_model_card

            card = read_model_card(path)
            return {k: v for k, v in card.items() if k.startswith(_ONNX_PREFIX)} or None
    return None
