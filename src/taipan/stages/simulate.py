"""Make one dataset of the analysis' own simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taipan.simulation import load_simulation


def simulate(dataset: str, folder: str, settings: dict[str, Any], seed: int, file: str) -> None:
    """Write the ROOT file of a dataset.

    Parameters
    ----------
    dataset
        Its name.
    folder
        Folder of the analysis, whose ``simulation.py`` is run.
    settings
        What it asks for: luminosity, signal strength, events of each dataset and more.
    seed
        Seed of the simulation.
    file
        ROOT file to write.
    """
    load_simulation(folder).simulate(dataset, Path(file), settings, seed)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(simulate)
