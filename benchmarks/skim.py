"""Speed and memory of the skim against ROOT RDataFrame, plain uproot and coffea.

    taskset -c 1 python benchmarks/skim.py --root-python .venv-root/bin/python --folder FOLDER

makes four files in FOLDER, unless they are there, and measures on each, one after the other and
several times over: the skim; reading the same branches with uproot; RDataFrame, keeping the same
columns and only counting; a NanoEvents processor. Prints medians of CPU seconds, ratios and peak
memory as JSON. ``--large N`` adds the memory of the skim on a file of N times the events.

- ``fastsim.root``: Z→ττ as fastsim makes it; half of its events are kept and written.
- ``unselected.root``: the same, with the objects, trigger rate and acceptance of a file that nobody
  has preselected; its bytes an event are those of the reduced CMS files.
- both again with zlib 1, the compression of CMS NanoAOD, instead of the zstd 3 of fastsim.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from taipan.fastsim import FastsimSettings, write_dataset
from taipan.fastsim.event_table import Collection, EventTable
from taipan.fastsim.root_file import write_tree

HERE = Path(__file__).parent
TRIGGER = "HLT_IsoMu17_eta2p1_LooseIsoPFTau20"
TRIGGER_RATE, ISOLATION_RATE = 0.15, 0.1
SOFT = {"Muon": (0.5, 3.0), "Tau": (2.0, 15.0), "Jet": (2.0, 15.0)}
"""Collection → mean number of further objects an event and their lowest pT (GeV), as the files of
CERN Open Data record 12350 are cut."""
PEERS = ("taipan", "select", "read", "coffea")


def write_fastsim(path: Path, events: int) -> None:
    """Write Z→ττ and Z→ℓℓ."""
    settings = FastsimSettings(
        luminosity=1.0,
        mu=1.0,
        mismodelling_family="none",
        mismodelling_size=1.0,
        negative_fraction=0.2,
        events={"DYJetsToLL": events},
    )
    write_dataset("DYJetsToLL", path, settings, seed=42)


def unselected_tables(source: Path) -> Iterator[EventTable]:
    """Yield the events of `source` as if nobody had preselected them."""
    generator = np.random.default_rng(42)
    for batch in uproot.open(source)["Events"].iterate(step_size=25_000, library="ak"):
        yield _unselected(batch, generator)


# 503 is zstd 3, the compression of the source: nothing has to be compressed again.
MERGE = """
import sys, warnings
warnings.simplefilter("ignore")
import ROOT
merger = ROOT.TFileMerger(False)
merger.OutputFile(sys.argv[2], "RECREATE", 503)
for _ in range(int(sys.argv[3])):
    merger.AddFile(sys.argv[1])
sys.exit(not merger.Merge())
"""


def _repeat(source: Path, target: Path, copies: int, root: str) -> None:
    """Write a file with the events of `source` several times over; ROOT copies the baskets."""
    subprocess.run([root, "-c", MERGE, source, target, str(copies)], check=True)


def _unselected(batch: Any, generator: np.random.Generator) -> EventTable:
    scalars: dict[str, Any] = {}
    lists: dict[str, dict[str, Any]] = {}
    counts: dict[str, Any] = {}
    for name in batch.fields:
        collection, _, column = name.partition("_")
        if batch[name].ndim == 2:
            layout = batch[name].layout.to_ListOffsetArray64(True)
            counts[collection] = np.diff(layout.offsets.data)
            lists.setdefault(collection, {})[column] = np.asarray(layout.content.data)
        elif f"n{collection[1:]}" != name:
            scalars[name] = batch[name].to_numpy()
    scalars[TRIGGER] = scalars[TRIGGER] & (generator.random(len(batch)) < TRIGGER_RATE)
    isolated = lists["Tau"]["idIsoTight"]
    lists["Tau"]["idIsoTight"] = isolated & (generator.random(len(isolated)) < ISOLATION_RATE)
    collections = {
        name: _with_soft(name, counts[name], columns, generator)
        if name in SOFT
        else Collection(counts[name], columns)
        for name, columns in lists.items()
    }
    return EventTable(scalars, collections)


def _with_soft(
    name: str, counts: Any, columns: dict[str, Any], generator: np.random.Generator
) -> Collection:
    """Append soft objects that pass no identification after those of each event."""
    mean, threshold = SOFT[name]
    extra = generator.poisson(mean, len(counts))
    event = np.repeat(np.arange(len(counts)), counts)
    order = np.argsort(
        np.concatenate([event, np.repeat(np.arange(len(counts)), extra)]), kind="stable"
    )
    template = generator.integers(0, len(event), extra.sum())
    grown = {}
    for column, values in columns.items():
        soft = values[template]
        if column == "pt":
            soft = (threshold + generator.exponential(5.0, len(soft))).astype(np.float16)
        elif values.dtype == bool:
            soft = np.zeros_like(soft)
        elif column in ("genPartIdx", "jetIdx"):
            soft = np.full_like(soft, -1)
        grown[column] = np.concatenate([values, soft.astype(values.dtype)])[order]
    return Collection(counts + extra, grown)


HADD = """
import os, subprocess, sys, ROOT
folder = os.path.dirname(ROOT.__file__)
environment = {**os.environ, "LD_LIBRARY_PATH": os.path.join(folder, "lib")}
hadd = os.path.join(folder, "bin", "hadd")
subprocess.run([hadd, "-f101", *sys.argv[1:]], env=environment, check=True, capture_output=True)
"""


def make_files(folder: Path, events: int, root: str) -> dict[str, Path]:
    """Make the files that are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.root" for name in ("fastsim", "unselected")}
    if not files["fastsim"].exists():
        write_fastsim(files["fastsim"], events)
    if not files["unselected"].exists():
        write_tree(files["unselected"], "unselected", unselected_tables(files["fastsim"]))
    for name in list(files):
        files[f"{name}_zlib"] = folder / f"{name}_zlib.root"
        if not files[f"{name}_zlib"].exists():
            arguments = [str(files[f"{name}_zlib"]), str(files[name])]
            subprocess.run([root, "-c", HADD, *arguments], check=True)
    return files


def _report(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def run_peer(name: str, file: Path, root: str) -> dict[str, Any]:
    """Measure one thing once; `seconds` are CPU seconds of its loop over events."""
    output = file.with_suffix(f".{name}.out")
    if name.startswith("rdataframe"):
        command = [root, str(HERE / "skim_rdataframe.py"), str(file)]
        command += [] if name.endswith("count") else ["--output", str(output)]
        report = _report(command)
        return {
            "events": report["cutflow"]["all"],
            "kept": report["cutflow"]["pair"],
            "seconds": report["loop"],
            "compilation": report["compilation"],
            "memory": report["memory"],
        }
    return _report([sys.executable, str(HERE / "skim_peers.py"), name, str(file), str(output)])


def summarise(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return medians over the rounds, and the ratio of each peer's time to the skim's."""
    out: dict[str, Any] = {}
    for name, first in rounds[0].items():
        seconds = [one[name]["seconds"] for one in rounds]
        out[name] = {
            "events": first["events"],
            "kept": first["kept"],
            "cpu_seconds": round(statistics.median(seconds), 3),
            "events_per_second": round(first["events"] / statistics.median(seconds)),
            "peak_MB": round(max(one[name]["memory"] for one in rounds) / 1e6),
            "time_over_skim": round(
                statistics.median(
                    one[name]["seconds"] / one["taipan"]["seconds"] for one in rounds
                ),
                2,
            ),
        }
        if "compilation" in first:
            compilation = statistics.median(one[name]["compilation"] for one in rounds)
            out[name]["compilation_seconds"] = round(compilation, 2)
    return out


def main() -> None:
    """Make the files, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--root-python", default=".venv-root/bin/python")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, default=0, help="copies of the events in a large file")
    parser.add_argument("--skip", nargs="*", default=[], help="what not to measure")
    options = parser.parse_args()
    files = make_files(options.folder, options.events, options.root_python)
    names = [n for n in (*PEERS, "rdataframe", "rdataframe_count") if n not in options.skip]
    result: dict[str, Any] = {"load": [round(value, 1) for value in os.getloadavg()]}
    for label, file in files.items():
        rounds = []
        for _ in range(options.rounds):
            rounds.append({name: run_peer(name, file, options.root_python) for name in names})
        result[label] = {
            "bytes_per_event": round(file.stat().st_size / rounds[0]["taipan"]["events"]),
            **summarise(rounds),
        }
    if options.large:
        large = options.folder / "large.root"
        if not large.exists():
            _repeat(files["unselected"], large, options.large, options.root_python)
        result["large"] = run_peer("taipan", large, options.root_python)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
