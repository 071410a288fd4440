"""Time and memory of histograms with a hundred weights of parton densities.

    python benchmarks/generator_weights.py [EVENTS [RESULTS/ANALYSIS]]

Without a folder: the analysis of the tests in ``tests/jets_analysis``, two regions and one
observable of a few jets, which is as little work an event as there can be without the weights.
With the folder of a finished run of the default analysis: its Z → ττ events, repeated, and its
networks. The weights are made up. Each stage runs in a process of its own, so that its largest
memory can be told; nominal is the stage without any systematic.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taipan.analysis import Column
from taipan.analysis_selection import load_analysis
from taipan.atomic import write_json
from taipan.columns.event_block import Lists
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.normalisation import Normalisation, to_dict
from taipan.skim.storage import EventWriter, to_table
from taipan.skim.weight_lists import list_columns, member_columns
from taipan.skim.weight_means import WeightMeans
from taipan.stages.histogram import histogram
from taipan.systematics.registry import make_systematic

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests/jets_analysis"
BRANCH = "LHEPdfWeight"
MEMBERS = 103
STEP = 200_000
REPEATS = 5


def make_weights(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Make weights with a mantissa of 14 bits, as NanoAOD keeps them."""
    content = {}
    for name in member_columns(BRANCH, MEMBERS):
        bits = rng.normal(1.0, 0.02, n).astype(np.float32).view(np.uint32)
        content[name] = ((bits + (1 << 8)) >> 9 << 9).view(np.float32)
    return content


def make_jets(rng: np.random.Generator, columns: Sequence[Column], n: int) -> dict[str, Any]:
    """Make events of two to six jets."""
    counts = rng.integers(2, 7, n)
    total = int(counts.sum())
    content: dict[str, Any] = {}
    for column in columns:
        if column.jagged:
            wide = "eta" in column.name
            values = rng.uniform(-2.4, 2.4, total) if wide else 30.0 + rng.exponential(50.0, total)
            content[column.name] = Lists(values.astype(column.dtype), counts)
        else:
            content[column.name] = rng.integers(0, 1000, n).astype(column.dtype)
    return {**content, "genWeight": np.ones(n, np.float32)}


def repeat_events(table: pa.Table, columns: Sequence[Column], n: int) -> dict[str, Any]:
    """Repeat the events of a table."""
    found = table.take(np.arange(n) % len(table)).combine_chunks()
    content: dict[str, Any] = {}
    for column in columns:
        chunk = found[column.name].combine_chunks()
        if column.jagged:
            content[column.name] = Lists(
                chunk.flatten().to_numpy(zero_copy_only=False), np.diff(chunk.offsets.to_numpy())
            )
        else:
            content[column.name] = chunk.to_numpy(zero_copy_only=False)
    return content


def write_events(path: Path, number: int, members: int, results: Path | None) -> None:
    """Write events in row groups of the size that the skim writes."""
    config, dataset = choose(results)
    analysis, rng = load_analysis(config.folder, config.quantities), np.random.default_rng(1)
    added = list_columns({BRANCH: members})
    columns = (*analysis.columns, *added)
    files = [] if results is None else sorted((results / "events" / dataset).glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(file) for file in files]) if files else None
    with EventWriter(path, columns, {}, [column.name for column in added]) as writer:
        for low in range(0, number, STEP):
            n = min(STEP, number - low)
            if table is None:
                content = make_jets(rng, analysis.columns, n)
            else:
                content = repeat_events(table, analysis.columns, n)
            if members:
                content |= make_weights(rng, n)
            writer.write(to_table(content, columns))


def choose(results: Path | None) -> tuple[Config, str]:
    """Give the configuration and the dataset."""
    if results is None:
        return read_config([], ROOT, analysis=str(FOLDER)), "ttbar"
    return read_config([ROOT / "config/examples/smoke.yaml"], ROOT), "DYJetsToLL"


def fill(folder: Path, members: int, results: Path | None) -> dict[str, float]:
    """Run the stage; give the processor time after the imports and the largest memory."""
    config, dataset = choose(results)
    samples = [name for name, item in config.samples.items() if dataset in item.datasets]
    pdf = make_systematic(kind="pdf_weights", samples=samples)
    config = config.model_copy(update={"systematics": {"pdf": pdf} if members else {}})
    source = folder if results is None else results
    start = time.process_time()
    histogram(
        dataset=dataset,
        events=[str(folder / f"{members}.parquet")],
        models=sorted(map(str, source.glob("models/**/fold*.onnx")))[: config.training.folds],
        others={},
        normalisation=str(folder / "norm.json"),
        pileup=str(folder / "pileup.json"),
        shapes=str(source / "corrections/shapes.json"),
        edges=None,
        drop_fold=None,
        config=config,
        threads=1,
        observables=str(folder / "out.zip"),
        control=str(folder / "control.zip"),
    )
    return {
        "seconds": time.process_time() - start,
        "imports": start,
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
    }


def main(number: int, results: Path | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        means = WeightMeans("for LHA IDs 306000 - 306102", MEMBERS, (1.0,) * MEMBERS)
        norm = Normalisation(
            *(choose(results)[1], False, 1.0, number, float(number), 1.0),
            weight_means={BRANCH: means},
        )
        write_json(folder / "norm.json", to_dict({norm.dataset: norm}))
        write_json(folder / "pileup.json", {"enabled": False})
        write_json(folder / "corrections/shapes.json", {})
        choices = (0, MEMBERS)
        for members in choices:
            write_events(folder / f"{members}.parquet", number, members, results)
        more = [] if results is None else [str(results)]
        runs: dict[int, list[dict[str, float]]] = {members: [] for members in choices}
        for _, members in itertools.product(range(REPEATS), choices):  # in turns
            command = [sys.executable, __file__, "fill", str(folder), str(members), *more]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            runs[members].append(json.loads(done.stdout.splitlines()[-1]))
        found: dict[int, dict[str, float]] = {}
        for members, each in runs.items():
            found[members] = {
                key: round(float(np.median([run[key] for run in each])), 2) for key in each[0]
            }
            size = (folder / f"{members}.parquet").stat().st_size / number
            print(f"{members} weights: {found[members]}, {size:.0f} bytes an event on disk")
        ratio = found[MEMBERS]["seconds"] / found[0]["seconds"]
        whole = [found[key]["seconds"] + found[key]["imports"] for key in (MEMBERS, 0)]
        print(f"{number} events, load {os.getloadavg()[0]:.1f}: {ratio:.2f} × nominal")
        print(f"the same with the imports of the job: {whole[0] / whole[1]:.2f} × nominal")


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        last = Path(sys.argv[4]) if len(sys.argv) > 4 else None
        print(json.dumps(fill(Path(sys.argv[2]), int(sys.argv[3]), last)))
    else:
        last = Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000, last)
