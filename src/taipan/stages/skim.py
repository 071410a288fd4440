"""Skim one chunk of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taipan.remote.fetch import RECEIPT
from taipan.skim.task import SkimTask, run_task


def skim(
    file: str | None,
    task: dict[str, Any],
    code: str,
    remote: dict[str, Any],
    events: str,
    cutflow: str,
    identities: str,
) -> None:
    """Select the events of a chunk of a local `file`, or if that is None of one on the mirrors."""
    # a receipt is what a download leaves for Snakemake
    path = None if file is None else Path(file.removesuffix(RECEIPT))
    chunk = SkimTask.from_rule(task, path, code, remote)
    run_task(chunk, Path(events), Path(cutflow), Path(identities))


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(skim)
