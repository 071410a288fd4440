"""Where a result comes from: code version, configuration hash, seed, package versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import taipan
from taipan.checksums import file_digest

_LARGEST_HASHED = 256 * 1024**2
_RECORDED = (
    "awkward",
    "hist",
    "keras",
    "numpy",
    "onnxruntime",
    "pyarrow",
    "pyhf",
    "scipy",
    "snakemake",
    "tensorflow",
    "uproot",
)


def package_versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on."""
    versions = {"taipan": taipan.__version__}
    for name in _RECORDED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions


def hash_content(content: Any) -> str:
    """Hash of a JSON-able object, sixteen hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hash_file(path: Path | str) -> str:
    """SHA-256 of a file, sixteen hexadecimal digits.

    Raises
    ------
    TaipanError
        If it cannot be read.
    """
    return file_digest(Path(path))[:16]


def _identify(path: Path | str) -> str:
    """Hash of a file; its size where reading it again would cost more than the job."""
    size = Path(path).stat().st_size
    return hash_file(path) if size <= _LARGEST_HASHED else f"{size} bytes"


def describe(
    stage: str, parameters: Mapping[str, Any], inputs: Iterable[Path | str] = ()
) -> dict[str, Any]:
    """Provenance of an output.

    Parameters
    ----------
    stage
        Name of the rule.
    parameters
        What the rule was given (configuration slice, code version, seed).
    inputs
        Files it read; hashed, or their size above 256 MiB.

    Returns
    -------
    dict
        JSON-able and free of dates, so that equal runs give equal files.
    """
    return {
        "stage": stage,
        "parameters": hash_content(parameters),
        "code": parameters.get("code", ""),
        "seed": parameters.get("seed"),
        "inputs": {Path(path).name: _identify(path) for path in inputs},
        "packages": package_versions(),
    }
