"""The description of a folder for machines: an RO-Crate 1.1 of all its files."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from taipan.atomic import write_json
from taipan.checksums import file_digest

CRATE = "ro-crate-metadata.json"
_CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {"sha256": "https://schema.org/sha256"},  # RO-Crate 1.1 has no word for it
]
_FORMATS = {
    ".onnx": "application/octet-stream",
    ".cff": "application/yaml",
    ".yaml": "application/yaml",
    ".md": "text/markdown",
    ".py": "text/x-python",
    "": "text/plain",
}
_NAMES = {
    "models/model.json": "Inputs, output, folds and checksums of the networks",
    "reference_events.csv": "Simulated events with inputs, fold and score",
    "efficiencies.json": "Efficiency of each process at working points",
    "score_shapes.csv": "Score of each process",
    "check_scores.py": "Script that scores the reference events and compares",
    "likelihood/workspace.json": "Likelihood (pyhf)",
    "likelihood/hs3.json": "Likelihood (HS3)",
    "likelihood/hs3_certificate.json": "Comparison of both likelihoods",
    "likelihood/fit.json": "Result of the fit",
    "likelihood/yields.csv": "Yield of each process in each region",
    "likelihood/cutflow.csv": "Events after each cut",
    "likelihood/cutflow.json": "Events after each cut",
    "README.md": "What is here, and how to use it",
    "CITATION.cff": "How to cite it",
    "LICENSE": "Licence",
}


def write_crate(folder: Path, title: str, summary: Mapping[str, Any]) -> None:
    """Describe all files of a folder in ``ro-crate-metadata.json``.

    Parameters
    ----------
    folder
        Folder that is published, complete but for this file.
    title
        Of what is published.
    summary
        Of the run.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CRATE)
    files = [_describe(folder, path) for path in paths]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": f"Networks and likelihood of the analysis {summary['analysis']}.",
        "datePublished": _today(),
        "license": {"@id": "LICENSE"},
        "identifier": summary["result_sha256"],
        "version": summary["provenance"]["code"],
        "hasPart": [{"@id": item["@id"]} for item in files],
    }
    about = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    write_json(folder / CRATE, {"@context": _CONTEXT, "@graph": [about, root, *files]})


def _describe(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    guessed = _FORMATS.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return {
        "@id": name,
        "@type": "File",
        "name": _NAMES.get(name, name),
        "encodingFormat": guessed or "application/octet-stream",
        "contentSize": str(path.stat().st_size),
        "sha256": file_digest(path),
    }


def _today() -> str:
    """Give the date, which RO-Crate asks for; SOURCE_DATE_EPOCH fixes it."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(fixed), UTC) if fixed.isdigit() else datetime.now(UTC)
    return now.date().isoformat()
