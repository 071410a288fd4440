"""Time of histograms with 30 variations against the nominal alone and against a naive loop.

    python benchmarks/histogramming.py RESULTS/ANALYSIS [DATASET]

RESULTS/ANALYSIS is the folder of a finished run; its skimmed events and networks are used. The
variations are those of the default analysis, with its weights repeated up to thirty. The naive loop
computes everything again for every variation.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from taipan.analysis_selection import load_analysis
from taipan.config.load import read_config
from taipan.events.corrections import read_corrections
from taipan.events.inputs import SkimmedEvents
from taipan.events.variations import Variation, template_variations
from taipan.nn.scorer import FoldScorer
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_dataset

NUMBER = 30
REPEATS = 5


def thirty(variations: list[Variation], dataset: str, samples: dict) -> list[Variation]:
    """The variations of the analysis that act on a dataset, with weights repeated up to thirty."""
    own = {name for name, sample in samples.items() if dataset in sample.datasets}
    acting = [item for item in variations if own & set(item.systematic.samples)]
    more = [
        Variation(f"{item.name}_again{i}", item.systematic, item.sign)
        for i in range(NUMBER)
        for item in acting
        if item.systematic.kind == "weight"
    ]
    return [*acting, *more][:NUMBER]


def median_seconds(function: Callable[[], object]) -> float:
    """Median of the processor time of some calls, in seconds."""
    found = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return statistics.median(found)


def main(folder: Path, dataset: str) -> None:
    config = read_config([], Path.cwd())
    analysis = load_analysis(config.folder, config.quantities)
    models = sorted(map(str, (folder / "models").glob("fold*.onnx")))
    scorer = FoldScorer(models, threads=1, features=config.features)
    paths = sorted(map(str, (folder / "events" / dataset).glob("*.parquet")))
    files = (folder / "normalisation.json", folder / "corrections" / "pileup.json")
    corrections = read_corrections(
        config.weights, analysis.quantities, folder / "corrections" / "shapes.json"
    )
    variations = template_variations(config.systematics, config.samples)

    def fill(chosen: list[Variation]) -> None:
        (events,) = SkimmedEvents({dataset: paths}, *files).open(analysis, len(models))
        settings = FillSettings(
            config.samples,
            config.regions,
            config.features,
            config.observables,
            config.control_plots,
            chosen,
            corrections,
        )
        fill_dataset(events, analysis, settings, scorer.score)

    start = time.process_time() - sum(os.times()[2:4])  # what imports and set-up have taken so far
    chosen = thirty(variations, dataset, config.samples)
    kinds = [item.systematic.kind for item in chosen]
    fill([])  # caches of the file system and of the networks
    nominal = median_seconds(lambda: fill([]))
    together = median_seconds(lambda: fill(chosen))
    print(f"{dataset}: {len(chosen)} variations, {kinds.count('kinematic')} of them kinematic")
    print(f"nominal alone                {nominal:6.2f} s")
    print(f"with all variations          {together:6.2f} s = {together / nominal:.2f} × nominal")
    job = (start + together) / (start + nominal)
    print(f"the same with start of the job ({start:.2f} s of imports): {job:.2f} × nominal")
    print(f"naive loop, one by one       {nominal * (1 + NUMBER):6.2f} s (nominal × {1 + NUMBER})")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "DYJetsToLL")
