"""Record what was put into the pseudo-data of fastsim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taipan.fastsim import FastsimSettings, write_truth


def record_truth(settings: dict[str, Any], seed: int, truth: str) -> None:
    """Write the truth record of the pseudo-data.

    Parameters
    ----------
    settings
        Arguments of `FastsimSettings`.
    seed
        Seed of the simulation.
    truth
        JSON file to write.
    """
    write_truth(Path(truth), FastsimSettings(**settings), seed)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(record_truth)
