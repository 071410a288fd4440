"""What the command ``taipan datasets`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.analysis_choice import read_trusted
from taipan.checksums import file_digest
from taipan.config.load import load_catalogue
from taipan.datasets import Dataset, source_folder, used_datasets
from taipan.errors import TaipanError
from taipan.summary.layout import ABSENT, format_table


def run_datasets(
    overlays: Sequence[str], analysis: str | None, root: Path, *, verify: bool = False
) -> None:
    """Run ``taipan datasets``.

    Parameters
    ----------
    overlays
        Configuration files of the run.
    analysis
        Analysis in place of the configuration's.
    root
        Folder of the project.
    verify
        Compare the files that are here with the sizes and SHA-256 of the catalogue.

    Raises
    ------
    TaipanError
        If a file differs; names all of them, and what differs.
    """
    config, _ = read_trusted(overlays, root, analysis)
    catalogue = load_catalogue(config)
    used = set(used_datasets(config, catalogue))
    folder = root / source_folder(config, catalogue)
    rows, problems = [], []
    for name, item in catalogue.datasets.items():
        here = [file for file in item.files if (folder / file).exists()]
        size = sum(item.sizes.values())
        rows.append(
            [
                name,
                "data" if item.is_data else "simulation",
                str(len(item.files)),
                write_size(size) if size else ABSENT,
                f"{item.generated_events:,}" if item.generated_events else ABSENT,
                f"{len(here)} of {len(item.files)}",
                "yes" if name in used else "no",
            ]
        )
        if verify:
            problems += [line for file in here for line in compare_file(folder / file, file, item)]
    print(f"{catalogue.name}: {catalogue.description}")
    print(f"Files: {folder}\n")
    print(format_table(["dataset", "kind", "files", "size", "events", "here", "used"], rows))
    if problems:
        raise TaipanError("\n".join(problems))
    if verify:
        print("\nAll files that are here agree with the sizes and checksums of the catalogue.")


def compare_file(path: Path, name: str, item: Dataset) -> list[str]:
    """Compare a file with what its catalogue says; a line for each difference."""
    found = []
    size, digest = item.sizes.get(name), item.sha256.get(name)
    actual = path.stat().st_size
    if size is not None and actual != size:
        found.append(f"{path}: {actual} bytes, the catalogue says {size}")
    elif digest is not None and file_digest(path) != digest:
        found.append(f"{path}: SHA-256 differs from that of the catalogue")
    return found


def write_size(count: float) -> str:
    """Write a number of bytes: 6.9 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
