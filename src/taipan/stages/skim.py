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
    """Select the events of a chunk of a local `file`, or if that is None of one on the mirrors.

    Parameters
    ----------
    file
        ROOT file, or the receipt of its download; None: it is read from a mirror.
    task
        Chunk and settings, as `SkimTask.from_rule` reads them.
    code
        Version of the code, written into the files.
    remote
        Section `remote`, with the mirrors.
    events
        Parquet file to write.
    cutflow
        JSON file to write.
    identities
        Parquet file to write: which events were read.
    """
    # a receipt is what a download leaves for Snakemake
    path = None if file is None else Path(file.removesuffix(RECEIPT))
    chunk = SkimTask.from_rule(task, path, code, remote)
    run_task(chunk, Path(events), Path(cutflow), Path(identities))


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(skim)
