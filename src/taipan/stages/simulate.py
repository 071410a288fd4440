"""Make one fastsim dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taipan.fastsim import FastsimSettings, write_dataset


def simulate(dataset: str, settings: dict[str, Any], seed: int, file: str) -> None:
    """Write the ROOT file of a dataset.

    Parameters
    ----------
    dataset
        Its name.
    settings
        Arguments of `FastsimSettings`.
    seed
        Seed of the simulation.
    file
        ROOT file to write.
    """
    write_dataset(dataset, Path(file), FastsimSettings(**settings), seed)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(simulate)
