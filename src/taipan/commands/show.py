"""What the commands ``taipan show`` and ``taipan run`` do."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from taipan.clean_text import escape_controls
from taipan.errors import TaipanError
from taipan.finished_runs import find_in_run


def run_show(results: Path, *, everything: bool = False) -> None:
    """Run ``taipan show``.

    Parameters
    ----------
    results
        Folder of a finished run.
    everything
        Print all of ``summary.md``.

    Raises
    ------
    TaipanError
        If there is no ``summary.md``.
    """
    path = find_in_run(results, "summary.md")
    text = path.read_text(encoding="utf-8")
    print(escape_controls(text.rstrip() if everything else shorten(text)))
    report = results / "report.html"
    page = report if report.exists() else results / "summary.html"
    print(f"Report: {page if page.exists() else path}")


def shorten(text: str) -> str:
    """Take the opening and the first table of a summary, without the rows of references.

    Parameters
    ----------
    text
        Content of ``summary.md``.
    """
    blocks = text.strip().split("\n\n")
    sections = [i for i, block in enumerate(blocks) if block.startswith("## ")]
    opening = blocks[: sections[0]] if sections else blocks
    tables = [block for block in blocks[len(opening) :] if block.startswith("| ")]
    rows = [row for table in tables[:1] for row in table.splitlines() if "(reference)" not in row]
    return "\n".join([*(x for x in opening if not x.startswith("Analysis `")), *rows])


def start_run(words: Sequence[str]) -> None:
    """Run ``taipan run``: hand this process over to the script ``./run`` of the project.

    Raises
    ------
    TaipanError
        If the working directory is no project.
    """
    script = Path("run")
    if not script.is_file() or not Path("Snakefile").is_file():
        raise TaipanError(f"{Path.cwd()}: not a folder of Taipan (no file 'run'); change to one")
    os.environ.setdefault("TAIPAN_VENV", sys.prefix)
    sys.stdout.flush()
    os.execv(script.resolve(), ["./run", *(choose_analysis(words, Path()) or ["analysis"])])


def choose_analysis(words: Sequence[str], root: Path) -> list[str]:
    """Write the name of an analysis as what Snakemake understands, ``--config analysis=NAME``.

    Parameters
    ----------
    words
        Words of ``taipan run``; the first may be the name of a folder of ``config/analyses``.
    root
        Folder of the project.
    """
    first, *rest = words or [""]
    if not first.isidentifier() or not (root / "config/analyses" / first).is_dir():
        return list(words)
    setting = f"analysis={first}"
    if "--config" not in rest:
        return ["--config", setting, *rest]
    place = rest.index("--config") + 1
    return [*rest[:place], setting, *rest[place:]]
