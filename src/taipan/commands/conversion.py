"""What imports and exports have in common: certificates, on disk and on the terminal."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taipan.checksums import file_digest
from taipan.scripting import configure_logging

CERTIFICATE = "certificate.json"


def be_quiet() -> None:
    """Let warnings through, and nothing else."""
    configure_logging()
    logging.getLogger("taipan").setLevel(logging.WARNING)


def describe_file(form: str, path: Path) -> dict[str, str]:
    """Give format, name and SHA-256 of a file that was read."""
    return {"format": form, "file": path.name, "sha256": file_digest(path)}


def print_conversion(certificate: Mapping[str, Any], made: Sequence[Path]) -> None:
    """Print what a certificate says, in a few lines, and which files were made."""
    agreement = certificate["agreement"]
    what = agreement.get("what", "−ln L of both")
    if "points" in agreement:
        print(
            f"{what} agree at {agreement['points']} points to "
            f"{agreement['largest_relative_difference']:.1e} (at most {agreement['tolerance']:g})"
        )
    else:
        print(f"{what} agree")
    elsewhere = certificate.get("elsewhere")
    if elsewhere is not None and elsewhere["why"]:
        size = elsewhere["largest_difference"]
        print(f"elsewhere it differs by up to {'an infinity' if size is None else f'{size:.2g}'}:")
        for reason in elsewhere["why"]:
            print(f"  {reason}")
    for fit in certificate["fits"]:
        found = fit.get("failed") or f"{fit['mu_hat']:.4f} ± {fit['sigma']:.4f}"
        print(f"{fit['tool']}, {fit['model']}: {found}")
    for note in certificate["not_mapped"]:
        print(f"not mapped: {note}")
    for path in made:
        print(f"wrote {path}")
