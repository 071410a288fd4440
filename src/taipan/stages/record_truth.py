"""Record what was put into the pseudo-data of the analysis' own simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taipan.simulation import load_simulation


def record_truth(folder: str, settings: dict[str, Any], seed: int, truth: str) -> None:
    """Write the truth record of the pseudo-data.

    Parameters
    ----------
    folder
        Folder of the analysis, whose ``simulation.py`` is run.
    settings
        What it asks for: luminosity, signal strength, events of each dataset and more.
    seed
        Seed of the simulation.
    truth
        JSON file to write.
    """
    load_simulation(folder).write_truth(Path(truth), settings, seed)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(record_truth)
