"""Memory and time of a histogram job against the number of events, with 60 variations.

    python benchmarks/growth.py RESULTS/ANALYSIS [--configfile FILE] [--events 1e6 2e6 ...]
        [--variations 60] [--dataset DYJetsToLL]

RESULTS/ANALYSIS is the folder of a finished run. Its skimmed events are repeated into files of
500,000, read as often as needed; its networks score them. The variations are those of the analysis,
repeated. Each number of events has a process of its own; prints Markdown.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from taipan.analysis_selection import load_analysis
from taipan.config.load import read_config
from taipan.events.corrections import read_corrections
from taipan.events.stream import stream_dataset
from taipan.events.variations import Variation, template_variations
from taipan.nn.scorer import FoldScorer
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_blocks

FILE = 500_000


def repeat_events(paths: list[Path], target: Path) -> None:
    """Write a file of `FILE` events, those of `paths` again and again."""
    table = pa.concat_tables([pq.read_table(path) for path in paths])
    copies = -(-FILE // len(table))
    pq.write_table(pa.concat_tables([table] * copies).slice(0, FILE), target, compression="zstd")


def many(variations: list[Variation], dataset: str, samples: dict, number: int) -> list[Variation]:
    """Variations that act on a dataset, repeated under new names until there are `number`."""
    own = {name for name, sample in samples.items() if dataset in sample.datasets}
    acting = [item for item in variations if own & set(item.systematic.samples)]
    rounds = itertools.cycle(acting)
    return [
        Variation(f"{item.name}_{index}", item.systematic, item.sign)
        for index, item in zip(range(number), rounds, strict=False)
    ]


def fill(
    folder: Path, overlays: list[str], dataset: str, file: Path, events: int, number: int
) -> tuple[float, float, int]:
    """CPU seconds, peak memory in GB, kinematic variations."""
    config = read_config(overlays, Path.cwd())
    analysis = load_analysis(config.folder, config.quantities)
    models = sorted(map(str, (folder / "models").glob("fold*.onnx")))
    scorer = FoldScorer(models, threads=1, features=config.features)
    corrections = read_corrections(
        config.weights, analysis.quantities, folder / "corrections" / "shapes.json"
    )
    chosen = many(
        template_variations(config.systematics, config.samples), dataset, config.samples, number
    )
    settings = FillSettings(
        config.samples, config.regions, config.features, config.observables, config.control_plots,
        chosen, corrections,
    )  # fmt: skip
    files = (folder / "normalisation.json", folder / "corrections" / "pileup.json")
    start = time.process_time()
    blocks = stream_dataset(dataset, [file] * (events // FILE), *files, analysis, len(models))
    fill_blocks(blocks, analysis, settings, scorer.score)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    kinematic = sum(item.systematic.kind == "kinematic" for item in chosen)
    return seconds, peak, kinematic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--configfile", nargs="*", default=[])
    parser.add_argument("--events", type=float, nargs="+", default=[1e6, 2e6, 5e6, 1e7])
    parser.add_argument("--variations", type=int, default=60)
    parser.add_argument("--dataset", default="DYJetsToLL")
    options = parser.parse_args()
    paths = sorted((options.folder / "events" / options.dataset).glob("*.parquet"))
    print("| events | variations (kinematic) | CPU | µs an event | peak memory |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "events.parquet"
        repeat_events(paths, file)
        for events in map(int, options.events):
            with ProcessPoolExecutor(1) as pool:
                call = (options.folder, options.configfile, options.dataset, file, events)
                seconds, peak, moved = pool.submit(fill, *call, options.variations).result()
            rate = 1e6 * seconds / events
            counts = f"{options.variations} ({moved})"
            print(f"| {events:,} | {counts} | {seconds:.0f} s | {rate:.1f} | {peak:.2f} GB |")


if __name__ == "__main__":
    main()
