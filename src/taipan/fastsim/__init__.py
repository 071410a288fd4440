"""A parametric detector-level simulation with a known truth, written like reduced NanoAOD."""

from __future__ import annotations

from taipan.fastsim.branches import BRANCHES_COMMON, BRANCHES_SIGNED, BRANCHES_SIMULATION
from taipan.fastsim.datasets import write_dataset, write_truth
from taipan.fastsim.mismodelling import MISMODELLING_FAMILIES
from taipan.fastsim.processes import DATASETS
from taipan.fastsim.settings import FastsimSettings, generated_events

__all__ = [
    "BRANCHES_COMMON",
    "BRANCHES_SIGNED",
    "BRANCHES_SIMULATION",
    "DATASETS",
    "MISMODELLING_FAMILIES",
    "FastsimSettings",
    "generated_events",
    "write_dataset",
    "write_truth",
]
