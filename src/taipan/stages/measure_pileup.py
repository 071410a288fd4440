"""Measure the vertex weights of the simulation."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.events.load import load_dataset
from taipan.events.opening import open_analysis
from taipan.events.weights import NO_VERTEX_WEIGHTS, measure_vertex_weights
from taipan.normalisation import Normalisation, from_dict
from taipan.provenance import hash_file
from taipan.skim.storage import read_events

logger = logging.getLogger("taipan.measure_pileup")


def measure_pileup(
    events: Mapping[str, Sequence[str]],
    normalisation: str,
    config: Config,
    pileup: str,
) -> None:
    """Write the ratio of data to simulation for each number of vertices.

    Parameters
    ----------
    events
        Dataset → Parquet files of the skim.
    normalisation
        JSON file of the rule ``normalise``.
    config
        Sections `pileup`, `quantities` and `corrections`, and where the analysis is.
    pileup
        JSON file to write; without collision data all weights are 1.
    """
    weights = NO_VERTEX_WEIGHTS
    norms = from_dict(read_json(normalisation))
    if not any(norm.is_data for norm in norms.values()):
        logger.info("no collision data: the simulation keeps its own vertices")
    elif config.pileup.enabled:
        analysis = open_analysis(config)
        read = [_read(events[name], analysis, norms[name]) for name in events]
        data = [vertices for vertices, weights in read if weights is None]
        simulation = [(vertices, weights) for vertices, weights in read if weights is not None]
        weights = measure_vertex_weights(
            np.concatenate(data),
            np.concatenate([vertices for vertices, _ in simulation]),
            np.concatenate([found for _, found in simulation]),
            config.pileup.max_weight,
            config.pileup.uncertainty,
        )
    logger.info("%d vertex bins, weights up to %.2f", len(weights.ratio), max(weights.ratio))
    measured: dict[str, Any] = {"enabled": config.pileup.enabled, "ratio": list(weights.ratio)}
    if weights.varied is not None:
        measured["varied"] = list(weights.varied)
    files = {path for item in config.corrections.values() for path in item.paths}
    if files:  # all that reads events depends on this file, and so on what corrects them
        measured["corrections"] = sorted([Path(path).name, hash_file(path)] for path in files)
    write_json(pileup, measured)


def _read(
    paths: Sequence[str], analysis: Analysis, norm: Normalisation
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Read the vertices of the events of a dataset, and their weights; None of data."""
    if analysis.corrections is not None:
        events = load_dataset(paths, analysis, norm, None, folds=1)
        weighed = None if events.weights is None else events.weights.nominal
        return events.columns["PV_npvs"], weighed
    columns = [c for c in analysis.columns if c.name in ("PV_npvs", "genWeight")]
    read = read_events(paths, columns)
    # summed as float32, the total depends on the order of the events
    weights = read["genWeight"].astype(np.float64) * norm.scale
    return read["PV_npvs"], None if norm.is_data else weights


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(measure_pileup)
