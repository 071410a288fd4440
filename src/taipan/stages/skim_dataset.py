"""Skim all chunks of a dataset on a Dask cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taipan.remote.fetch import RECEIPT
from taipan.skim.executor import run_dask
from taipan.skim.task import SkimTask


def skim_dataset(
    files: Sequence[str],
    tasks: list[dict[str, Any]],
    code: str,
    remote: dict[str, Any],
    dask_scheduler: str,
    events: Sequence[str],
    cutflows: Sequence[str],
    identities: Sequence[str],
) -> None:
    """Select the events of every chunk; `files` are those of the chunks, none if on mirrors.

    Parameters
    ----------
    files
        ROOT files of the chunks, or receipts of their downloads; none if read from a
        mirror.
    tasks
        Chunk and settings of each, as `SkimTask.from_rule` reads them.
    code
        Version of the code, written into the files.
    remote
        Section `remote`, with the mirrors.
    dask_scheduler
        Address of the scheduler of the Dask cluster.
    events, cutflows, identities
        Files to write, as of the rule ``skim``, one for each chunk.
    """
    # the workers have working directories of their own
    paths = [Path(file.removesuffix(RECEIPT)).resolve() for file in files]
    sources: list[Path | None] = list(paths) if paths else [None] * len(tasks)
    chunks = [
        SkimTask.from_rule(task, path, code, remote)
        for task, path in zip(tasks, sources, strict=True)
    ]
    outputs = [
        (Path(a), Path(b), Path(c)) for a, b, c in zip(events, cutflows, identities, strict=True)
    ]
    run_dask(chunks, outputs, dask_scheduler)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(skim_dataset)
