"""Write the events of a dataset without those that occur before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from taipan.analysis_selection import load_analysis
from taipan.atomic import read_json
from taipan.provenance import describe
from taipan.skim.first import write_first

logger = logging.getLogger("taipan.keep_first")


def keep_first(dataset: str, events: Sequence[str], repeats: str, folder: str, kept: str) -> None:
    """Write the events of all chunks, those that `repeats` lists left out, to one file.

    Parameters
    ----------
    dataset
        Its name.
    events
        Parquet files of the skim.
    repeats
        JSON file of the rule ``normalise``: rows to leave out.
    folder
        Folder of the analysis.
    kept
        Parquet file to write.
    """
    rows = read_json(repeats)[dataset]
    parameters = {"dataset": dataset, "folder": folder}
    chunks = [(Path(path), dropped) for path, dropped in zip(events, rows, strict=True)]
    write_first(
        chunks, Path(kept), load_analysis(folder).columns, describe("keep_first", parameters, [])
    )
    logger.info("%s: %d events left out", dataset, sum(map(len, rows)))


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(keep_first)
