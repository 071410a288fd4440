"""The simulation of H→ττ→μτ_h: fastsim, which is part of the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan import fastsim
from taipan.fastsim import DATASETS as DATASETS
from taipan.fastsim import FastsimSettings


def write_dataset(dataset: str, path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write the ROOT file of a dataset."""
    fastsim.write_dataset(dataset, path, FastsimSettings(**settings), seed)


def write_truth(path: Path, settings: Mapping[str, Any], seed: int) -> None:
    """Write what is true about the pseudo-data."""
    fastsim.write_truth(path, FastsimSettings(**settings), seed)
