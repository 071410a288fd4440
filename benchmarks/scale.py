"""What the skim of the full CMS 2012 samples takes: speed, bytes, jobs, wall time, dry run.

Skims simulated events in a process of their own, divides the real samples as the workflow does and
extrapolates; CPU time is measured, so that other load on the machine does not count. Prints
Markdown for docs/scale.md.

    python benchmarks/scale.py [--events 400000] [--repeat 3] [--overlay config/examples/FILE.yaml]
    python benchmarks/scale.py --jobs 105000

The second form plans the full samples in chunks of that many events: time and memory of the dry
run, and what the scheduler takes for a job when nothing is done but to touch its (empty) outputs.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import uproot

from taipan.analysis_folder import shipped_folder
from taipan.analysis_selection import load_analysis
from taipan.config.load import load_catalogue, read_config
from taipan.config.sections.skim import Skim
from taipan.datasets import plan_chunks
from taipan.skim.run import Chunk, SkimSettings, skim_chunk

ROOT = Path(__file__).parents[1]
ANALYSIS = load_analysis(shipped_folder("htautau"))
CORES = (1, 16, 200)
SAMPLES = {  # events of the records 12351 to 12359
    "GluGluToHToTauTau": 476_963,
    "VBF_HToTauTau": 491_653,
    "DYJetsToLL": 30_458_871,
    "TTbar": 6_423_106,
    "W1JetsToLNu": 29_784_800,
    "W2JetsToLNu": 30_693_853,
    "W3JetsToLNu": 15_241_144,
    "Run2012B_TauPlusX": 35_647_508,
    "Run2012C_TauPlusX": 51_303_171,
}
START = (
    "from taipan.skim.task import load_analysis, run_task; "
    "from taipan.analysis_folder import shipped_folder; load_analysis(shipped_folder('htautau'))"
)


def simulate(path: Path, events: int) -> None:
    from taipan.fastsim import DATASETS, FastsimSettings, write_dataset

    sizes = {name: events for name in DATASETS if not name.startswith("Run")}
    write_dataset("DYJetsToLL", path, FastsimSettings(1.0, 1.0, "none", 1.0, 0.2, sizes), seed=1)


def skim(path: Path, folder: Path) -> dict[str, float]:
    """Skim a file; events per second of CPU, memory in GB, bytes a kept event."""
    settings = SkimSettings("DYJetsToLL", False, "nanoaod", Skim().envelope, Skim().step_events)
    out = folder / "events.parquet"
    before = time.process_time()
    flow = skim_chunk(Chunk(path), ANALYSIS, settings, out, folder / "cutflow.json", {})
    seconds = time.process_time() - before
    kept = pq.read_metadata(out).num_rows
    return {
        "rate": flow.cuts[0].events / seconds,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "kept": kept / flow.cuts[0].events,
        "bytes_kept": out.stat().st_size / kept,
    }


def measure_bytes(path: Path) -> tuple[float, float]:
    """Compressed bytes an event: of all branches, and of those that the skim reads."""
    tree = uproot.open(path)["Events"]
    needed = ANALYSIS.trigger_branches + ANALYSIS.branches + ANALYSIS.simulation_branches
    total = sum(branch.compressed_bytes for branch in tree.branches)
    read = sum(tree[name].compressed_bytes for name in needed)
    return total / tree.num_entries, read / tree.num_entries


def cpu_seconds(*command: str) -> float:
    """CPU seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_scheduler(chunk_events: int) -> None:
    """Print time and memory of planning and of scheduling all jobs of the full samples."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("Snakefile", "config", "profiles", "scripts", "workflow", "envs"):
            (folder / part).symlink_to(ROOT / part)
        overlay = folder / "chunks.yaml"
        overlay.write_text(f"skim: {{chunk_events: {chunk_events}}}\n", encoding="utf-8")
        files = ("config/examples/cms-2012.yaml", str(overlay))
        snakemake = (sys.executable, "-m", "snakemake", "--cores", "1")
        used, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        text = subprocess.run(
            [*snakemake, "--dry-run", "--configfile", *files],
            cwd=folder, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        wall = time.monotonic() - start
        planned = resource.getrusage(resource.RUSAGE_CHILDREN)
        outputs = re.findall(r"^    output: (.*)$", text, re.MULTILINE)
        for path in (folder / item for line in outputs for item in line.split(", ")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        subprocess.run(
            [*snakemake, "--touch", "--forceall", "--quiet", "all", "--configfile", *files],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        touched = resource.getrusage(resource.RUSAGE_CHILDREN)
    plan, run = (
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        for before, after in ((used, planned), (planned, touched))
    )
    jobs, memory = len(outputs), touched.ru_maxrss / 1024**2
    skims = sum("/events/" in line for line in outputs)
    print(
        f"- {jobs} jobs, {skims} of them skims: dry run {wall:.1f} s ({plan:.1f} s of CPU); "
        f"peak memory {planned.ru_maxrss / 1024**2:.2f} GB, {memory:.2f} GB with scheduling"
    )
    print(
        f"- scheduling and touching: {run:.1f} s of CPU, {1000 * (run - plan) / jobs:.1f} ms a job"
    )


def count_jobs(chunk_events: int) -> int:
    catalogue = load_catalogue(read_config([], ROOT, catalogue="cms-2012-reduced"))
    return sum(
        len(plan_chunks(catalogue.dataset(name), events, chunk_events))
        for name, events in SAMPLES.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--overlay", help="configuration of a dry run to be timed")
    parser.add_argument("--jobs", type=int, help="events of a chunk: measure the scheduler alone")
    options = parser.parse_args()
    if options.jobs:
        measure_scheduler(options.jobs)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder / "DYJetsToLL.root", options.events)
        runs: list[dict[str, Any]] = []
        for _ in range(options.repeat):  # a fresh process each: memory is a maximum
            with ProcessPoolExecutor(1) as pool:
                runs.append(pool.submit(skim, folder / "DYJetsToLL.root", folder).result())
        total, read = measure_bytes(folder / "DYJetsToLL.root")
    found = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    start = cpu_seconds(sys.executable, "-c", START)
    size, events = Skim().chunk_events, sum(SAMPLES.values())
    jobs = count_jobs(size)
    print(f"- events: {events:,}; speed {found['rate']:,.0f} events/s/core (CPU time)")
    print(f"- memory {found['memory']:.2f} GB; start of a job {start:.1f} s of CPU")
    print(
        f"- simulated file: {total:.0f} bytes/event, {read:.0f} of them read ({read / total:.0%})"
    )
    print(f"- kept {found['kept']:.1%}, {found['bytes_kept']:.0f} bytes each")
    print(f"- {jobs} skim jobs of at most {size:,} events\n")
    print("| cores | skim jobs at a time | wall time of the skim |\n| ---: | ---: | ---: |")
    for cores in CORES:
        waves = -(-jobs // cores)
        seconds = waves * (start + events / jobs / found["rate"])
        print(f"| {cores} | {min(cores, jobs)} | {seconds:.0f} s |")
    if options.overlay:
        seconds = cpu_seconds("snakemake", "-n", "--cores", "1", "--configfile", options.overlay)
        print(f"\nDry run: {seconds:.1f} s of CPU")


if __name__ == "__main__":
    main()
