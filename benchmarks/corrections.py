"""Cost of thirty object corrections in the histogram stage.

    python benchmarks/corrections.py RESULTS/ANALYSIS [DATASET]

RESULTS/ANALYSIS is the folder of a finished run of the default analysis; its skimmed events and
networks are used. The stage is run as it is, with all of its variations; with thirty corrections
of muons, taus and jets in two dimensions; and with their uncertainties, sixty more templates. The
ratios are of one process, its runs in turn, in processor time.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taipan.analysis_selection import load_analysis
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.config.uncertainties import add_uncertainties
from taipan.events.corrected import add_corrections
from taipan.events.stream import stream_dataset
from taipan.nn.scorer import FoldScorer
from taipan.templates.build import plan_filling
from taipan.templates.fill import fill_blocks

NUMBER = 30
REPEATS = 3
COPIES = 5
"""Times that the events are read, so that a block is full."""
COLLECTIONS = ("Muon", "Tau", "Jet")
PT, ETA = [10.0, 20.0, 30.0, 40.0, 60.0, 100.0, 1e9], [0.0, 0.9, 1.2, 2.1, 2.4, 5.0]


def write_file(path: Path) -> None:
    """A file with thirty corrections in |η| and pT, each with both sides."""

    def node(number: int) -> dict[str, Any]:
        values = iter(range(10_000))

        def sides() -> dict[str, Any]:
            nominal = 0.99 + 0.0004 * (next(values) % 50) + 0.0001 * number
            texts = {"nominal": nominal, "up": nominal + 0.01, "down": nominal - 0.01}
            content = [{"key": key, "value": value} for key, value in texts.items()]
            return {"nodetype": "category", "input": "syst", "content": content}

        inner = [
            {
                "nodetype": "binning",
                "input": "pt",
                "edges": PT,
                "content": [sides() for _ in PT[1:]],
                "flow": "clamp",
            }
            for _ in ETA[1:]
        ]
        return {
            "nodetype": "binning",
            "input": "eta",
            "edges": ETA,
            "content": inner,
            "flow": "error",
        }

    inputs = [{"name": k, "type": "real"} for k in ("eta", "pt")]
    inputs.append({"name": "syst", "type": "string"})
    corrections = [
        {
            "name": f"c{i}",
            "version": 1,
            "inputs": inputs,
            "output": {"name": "w", "type": "real"},
            "data": node(i),
        }
        for i in range(NUMBER)
    ]
    path.write_text(json.dumps({"schema_version": 2, "corrections": corrections}))


def corrected(file: Path, *, varied: bool) -> Config:
    """The default analysis with thirty corrections."""
    sides = {"up": "up", "down": "down"} if varied else {}
    corrections = {
        f"c{i}": {
            "file": str(file),
            "correction": f"c{i}",
            "objects": COLLECTIONS[i % len(COLLECTIONS)],
            "inputs": {"eta": "abs(eta)"},
            "out_of_range": "clamp",
            **sides,
        }
        for i in range(NUMBER)
    }
    return add_uncertainties(read_config([], Path.cwd(), corrections=corrections))


def main(folder: Path, dataset: str) -> None:
    models = sorted(map(str, (folder / "models").rglob("fold*.onnx")))
    plain = read_config([], Path.cwd())
    scorer = FoldScorer(models, threads=1, features=plain.features).score
    paths = COPIES * sorted(map(str, (folder / "events" / dataset).glob("*.parquet")))
    files = (folder / "normalisation.json", folder / "corrections" / "pileup.json")

    def stage(config: Config) -> Callable[[], float]:
        loaded = load_analysis(config.folder, config.quantities)
        analysis = add_corrections(loaded, config, config.systematics)
        observables = {k: v for k, v in config.observables.items() if not k.endswith("_other")}
        shapes = folder / "corrections" / "shapes.json"
        plan = plan_filling(config, analysis, shapes, observables, config.control_plots)

        def run() -> float:
            start = time.process_time()
            blocks = stream_dataset(dataset, paths, *files, analysis, len(models))
            fill_blocks(blocks, analysis, plan, scorer)
            return time.process_time() - start

        return run

    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "c.json"
        write_file(file)
        stages = {
            "as it is": stage(plain),
            "thirty corrections": stage(corrected(file, varied=False)),
            "with uncertainties": stage(corrected(file, varied=True)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in stages}
        for _ in range(REPEATS):
            for name, run in stages.items():
                seconds[name].append(run())
    for name, found in seconds.items():
        ratio = statistics.median(x / y for x, y in zip(found, seconds["as it is"], strict=True))
        print(f"{name:20} {statistics.median(found):6.2f} s, {ratio:.3f} × the stage as it is")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "DYJetsToLL")
