"""Measure the vertex weights of the simulation."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from taipan.analysis_selection import load_analysis
from taipan.atomic import read_json, write_json
from taipan.config.model import Config
from taipan.events.weights import NO_VERTEX_WEIGHTS, measure_vertex_weights
from taipan.normalisation import from_dict
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
        Section `pileup`, and where the analysis is.
    pileup
        JSON file to write; without collision data all weights are 1.
    """
    weights = NO_VERTEX_WEIGHTS
    norms = from_dict(read_json(normalisation))
    if not any(norm.is_data for norm in norms.values()):
        logger.info("no collision data: the simulation keeps its own vertices")
    elif config.pileup.enabled:
        columns = [
            c for c in load_analysis(config.folder).columns if c.name in ("PV_npvs", "genWeight")
        ]
        read = {name: read_events(paths, columns) for name, paths in events.items()}
        data = [read[name]["PV_npvs"] for name in read if norms[name].is_data]
        simulation = {name: item for name, item in read.items() if not norms[name].is_data}
        # summed as float32, the total depends on the order of the events
        simulated = [
            item["genWeight"].astype(np.float64) * norms[name].scale
            for name, item in simulation.items()
        ]
        weights = measure_vertex_weights(
            np.concatenate(data),
            np.concatenate([item["PV_npvs"] for item in simulation.values()]),
            np.concatenate(simulated),
            config.pileup.max_weight,
        )
    logger.info("%d vertex bins, weights up to %.2f", len(weights.ratio), max(weights.ratio))
    write_json(pileup, {"enabled": config.pileup.enabled, "ratio": list(weights.ratio)})


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(measure_pileup)
