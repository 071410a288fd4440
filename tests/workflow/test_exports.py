"""Events and tables of a finished run: the numbers of the run, in other formats."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from taipan.summary.read import read_yield_table
from taipan.templates.flat import TEXTS
from tests.project import RESULTS, SMOKE, Project, read_templates

pytestmark = pytest.mark.workflow


def check_events(path: Path, results: Path, observable: str) -> None:
    """Compare Σw of every region, process and variation with yields and templates of the run."""
    table = parquet.read_table(path)
    sums = {name: table[name] for name in TEXTS}
    keys = np.array([f"{r}/{p}" for r, p in zip(sums["region"].to_pylist(),
                     sums["process"].to_pylist(), strict=True)])  # fmt: skip

    def total(region: str, process: str, column: str) -> float:
        return float(table[column].to_numpy()[keys == f"{region}/{process}"].sum())

    yields = read_yield_table(results / "yields.csv")
    compared = 0
    for region, processes in yields.items():
        for process, value in processes.items():
            if f"{region}/{process}" in keys:
                assert total(region, process, "weight") == pytest.approx(value["yield"], rel=1e-6)
                compared += 1
    assert compared > 20
    histogram = read_templates(results / "templates/templates.zip")[observable]
    view = histogram.values(flow=True).sum(axis=-1)
    axes = [list(axis) for axis in histogram.axes][:3]
    varied = 0
    for column in table.column_names:
        variation = column.removeprefix("weight_")
        if not column.startswith("weight_") or variation not in axes[2]:
            continue
        for process in (name for name in yields["signal"] if f"signal/{name}" in keys):
            cell = (axes[0].index(process), axes[1].index("signal"), axes[2].index(variation))
            if view[cell]:
                found = total("signal", process, column)
                assert found == pytest.approx(view[cell], rel=1e-6), (process, variation)
                varied += abs(found - total("signal", process, "weight")) > 1e-6
    assert varied > 5
    scores = table["nn_score"].to_numpy()
    assert np.all((scores >= 0.0) & (scores <= 1.0))


def test_exported_events_add_up_to_the_yields_and_templates(
    project: Project, tmp_path: Path
) -> None:
    out = tmp_path / "events.parquet"
    command = [
        *(sys.executable, "-m", "taipan", "export", "events", "--out", str(out)),
        *("--configfile", SMOKE),
    ]
    environment = {**os.environ, "PYTHONPATH": str(project.path / "src"), "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=project.path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    check_events(out, project.path / RESULTS, "nn_score")
    other = project.path / "other.yaml"
    other.write_text("pileup: {uncertainty: 0.06}\n", encoding="utf-8")
    refused = subprocess.run(
        [*command, "--configfile", other.name], cwd=project.path, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    other.unlink()
    assert refused.returncode == 1
    assert "summary.json: made with the configuration" in refused.stderr
    columns = parquet.read_schema(out).names
    text = (tmp_path / "events_columns.csv").read_text(encoding="utf-8")
    described = list(csv.DictReader(text.splitlines()))
    assert [row["column"] for row in described] == columns
    assert all(len(row["meaning"]) > 8 for row in described)
    assert {row["column"]: row["unit"] for row in described}["m_vis"] == "GeV"
