"""A blinded run from end to end: nothing that people read depends on the hidden data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import hist
import pytest

from taipan.checksums import read_record, record_files
from taipan.config.load import read_config
from taipan.events.blinding import overlapping_signal
from taipan.labels import DATA
from taipan.templates.store import read_histograms, write_histograms
from tests.project import RESULTS, SMOKE, Project, is_error_of_shifts, read_templates

pytestmark = pytest.mark.workflow

BLINDED = "fit: {unblind: false}\n"
CHANGED = 3.0
"""Factor on the hidden data of the second run."""
TEXT = (".json", ".csv", ".md", ".html", ".tex", ".log", ".tsv", ".yaml", ".txt", ".svg")


def run_blinded(project: Project) -> Path:
    project.snakemake(config=(SMOKE, project.overlay(BLINDED)))
    return project.path / RESULTS


def hidden_regions(project: Project) -> list[str]:
    config = read_config([project.path / SMOKE], project.path)
    return overlapping_signal(config.regions)


def hidden_counts(results: Path, regions: list[str]) -> dict[str, list[list[float]]]:
    """Data of each hidden region, in the bins of every observable and control plot."""
    found: dict[str, list[list[float]]] = {region: [] for region in regions}
    for name in ("templates", "control"):
        for histogram in read_templates(results / f"templates/{name}.zip").values():
            for region in regions:
                cell = histogram[hist.loc(DATA), hist.loc(region), hist.loc("nominal"), :]
                found[region].append(cell.values(flow=True).tolist())
    return found


def numbers_of(path: Path) -> list[float]:
    """All numbers of a text file, in order."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return [float(n) for n in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", text)]


def contains(numbers: list[float], wanted: list[float]) -> bool:
    """Tell whether numbers stand in a row somewhere."""
    first = [i for i, number in enumerate(numbers) if number == wanted[0]]
    return any(numbers[i : i + len(wanted)] == wanted for i in first)


def find_leaks(results: Path, counts: dict[str, list[list[float]]]) -> list[str]:
    """Search every text file for the events of the signal region and for bins in a row."""
    total = sum(counts["signal"][0])
    assert total > 100.0  # a number that is not met by chance
    wanted = [
        (region, part)
        for region, found in counts.items()
        for values in found
        for part in (values, values[1:-1])
        # fewer than three different numbers may be in a row by chance
        if len({value for value in part if value}) >= 3
    ]
    assert len(wanted) > 10
    files = [path for path in sorted(results.rglob("*")) if path.suffix in TEXT and path.is_file()]
    assert len(files) > 60
    leaks = []
    for path in files:
        if ".checksums" in path.parts:
            continue
        numbers = numbers_of(path)
        if total in numbers:
            leaks.append(f"{path.name}: {total:g} events")
        leaks += [f"{path.name}: bins of {region}" for region, p in wanted if contains(numbers, p)]
    return leaks


def test_no_file_of_a_blinded_run_holds_data_of_the_signal_region(project: Project) -> None:
    """Yields and bin contents are searched for in every text file, and hidden data are changed.

    Templates hold all data, because the model is made of them; what is made of the templates must
    be the same to the byte, whatever the data of the signal region are.
    """
    results = run_blinded(project)
    regions = hidden_regions(project)
    assert "signal" in regions
    counts = hidden_counts(results, regions)
    assert find_leaks(results, counts) == []
    # the search finds what it is for
    leak = results / "leak.json"
    leak.write_text(json.dumps({"total": sum(counts["signal"][0])}), encoding="utf-8")
    assert find_leaks(results, counts) == [f"leak.json: {sum(counts['signal'][0]):g} events"]
    bins = next(v[1:-1] for v in counts["signal"] if len(set(v[1:-1])) > 3)
    leak.write_text(json.dumps({"edges": [0.5, 1.0], "data": bins}), encoding="utf-8")
    assert "leak.json: bins of signal" in find_leaks(results, counts)
    leak.unlink()

    before = contents_of(results)
    for name in ("templates", "control"):
        path = results / f"templates/{name}.zip"
        origin = read_record(path)["origin"]
        histograms = read_histograms(path)
        for key, histogram in histograms.items():
            for region in () if is_error_of_shifts(key, histograms) else regions:
                cell = (histogram.axes[0].index(DATA), histogram.axes[1].index(region), 0)
                for part in ("value", "variance"):
                    histogram.view(flow=True)[part][cell] *= CHANGED
        write_histograms(path, histograms)
        record_files([path], origin)
    assert {"list_yields", "build_workspace", "plot_control"} <= set(
        project.planned("overlay.yaml")
    )
    project.snakemake(config=(SMOKE, "overlay.yaml"))
    assert hidden_counts(results, regions)["signal"][0] == [
        CHANGED * x for x in counts["signal"][0]
    ]
    after = contents_of(results)
    assert before.keys() == after.keys()
    different = [name for name in before if before[name] != after[name]]
    assert different == []


def contents_of(results: Path) -> dict[str, Any]:
    """What is made of the templates, without times and without what says where it comes from."""
    found: dict[str, Any] = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        left_out = ("templates/", "logs/", "benchmarks/", "events/", "plots/systematics")
        if path.is_dir() or ".checksums" in name or name.startswith(left_out):
            continue
        if path.suffix == ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                content.pop("seconds", None)
            found[name] = content
        elif path.suffix in (".csv", ".png", ".onnx"):
            found[name] = path.read_bytes()
    return found
