"""Make one fastsim dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taipan.fastsim import FastsimSettings, write_dataset, write_truth


def simulate(dataset: str, settings: dict[str, Any], seed: int, output: str) -> None:
    """Write the ROOT file of a dataset."""
    write_dataset(dataset, Path(output), FastsimSettings(**settings), seed)


def record_truth(settings: dict[str, Any], seed: int, output: str) -> None:
    """Write the truth record of the pseudo-data."""
    write_truth(Path(output), FastsimSettings(**settings), seed)
