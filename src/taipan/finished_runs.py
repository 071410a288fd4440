"""Files of a finished run, and a message that helps where there is none."""

from __future__ import annotations

from pathlib import Path

from taipan.errors import TaipanError


def find_in_run(results: Path, name: str) -> Path:
    """Give the path of a file that every finished run has.

    Parameters
    ----------
    results
        Folder of the results of an analysis, such as ``results/demo``.
    name
        Name of the file, such as ``summary.json``.

    Raises
    ------
    TaipanError
        If it is missing. The message names the runs beside it that are finished.
    """
    path = results / name
    if path.is_file():
        return path
    others = sorted(str(other.parent) for other in results.parent.glob(f"*/{name}"))
    advice = f"finished are: {', '.join(others)}" if others else "make one with ./run"
    raise TaipanError(f"{results}: no finished run ({name} is missing); {advice}")
