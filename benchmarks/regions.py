"""Time of histograms of ten fitted regions against one, with all variations of the analysis.

    python benchmarks/regions.py RESULTS/ANALYSIS [DATASET]

RESULTS/ANALYSIS is the folder of a finished run of the default analysis; its skimmed events and
networks are used. The signal region is cut into ten by the visible mass; once with the observables
of the analysis, once with ten binnings of their own besides.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from taipan.analysis_selection import load_analysis
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.config.sections.regions import Region
from taipan.events.inputs import SkimmedEvents
from taipan.nn.scorer import FoldScorer
from taipan.templates.build import plan_filling
from taipan.templates.edges import apply_edges
from taipan.templates.fill import fill_dataset

REPEATS = 5
MASSES = (0, 45, 55, 62, 68, 74, 80, 88, 100, 120, 1000)


def divide(config: Config, count: int, *, own: bool) -> Config:
    """Give the analysis with `count` signal regions and nothing else."""
    cut = config.regions["signal"].cut
    step = len(MASSES[1:]) // count
    edges = MASSES[::step]
    regions = {
        f"part{i}": Region(
            cut=f"{cut} and m_vis >= {low} and m_vis < {high}",
            role="signal",
            binning={"nn_score": np.linspace(0, 1, 5 + i).tolist()} if own else None,
        )
        for i, (low, high) in enumerate(itertools.pairwise(edges))
    }
    samples = {name: item for name, item in config.samples.items() if item.is_simulated}
    systematics = {
        name: item.model_copy(update={"regions": None})
        for name, item in config.systematics.items()
        if set(item.samples) <= set(samples)
    }
    weights = {name: item for name, item in config.weights.items() if item.measure is None}
    systematics = {
        name: item
        for name, item in systematics.items()
        if item.weight_name is None or item.weight_name in {"pileup", *weights}
    }
    changes = {"regions": regions, "samples": samples, "systematics": systematics}
    return config.model_copy(update={**changes, "weights": weights})


def main(folder: Path, dataset: str) -> None:
    config = read_config([], Path.cwd())
    analysis = load_analysis(config.folder, config.quantities)
    models = sorted(map(str, (folder / "models").glob("fold*.onnx")))
    scorer = FoldScorer(models, threads=1, features=config.features)
    paths = sorted(map(str, (folder / "events" / dataset).glob("*.parquet")))
    files = (folder / "normalisation.json", folder / "corrections" / "pileup.json")

    def fill(chosen: Config) -> None:
        (events,) = SkimmedEvents({dataset: paths}, *map(str, files)).open(analysis, len(models))
        observables = apply_edges(chosen.observables, chosen.regions, None)
        shapes = folder / "corrections" / "shapes.json"
        plan = plan_filling(chosen, analysis, shapes, observables, chosen.control_plots)
        fill_dataset(events, analysis, plan, scorer.score)

    kinds: Mapping[str, Config] = {
        "one region": divide(config, 1, own=False),
        "ten regions": divide(config, 10, own=False),
        "ten, each with its bins": divide(config, 10, own=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    fill(kinds["one region"])  # caches of the file system and of the networks
    for _ in range(REPEATS):  # in turns, so that a change of the load meets all of them
        for name, chosen in kinds.items():
            start = time.process_time()
            fill(chosen)
            seconds[name].append(time.process_time() - start)
    first = statistics.median(seconds["one region"])
    for name, found in seconds.items():
        took = statistics.median(found)
        print(f"{dataset}: {name:24} {took:6.2f} s = {took / first:.2f} × one")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "DYJetsToLL")
