"""The chain of the shipped analyses that are not H→ττ, on their own simulations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from taipan.analysis_folder import import_part, shipped_folder
from taipan.atomic import read_json
from tests.project import Project, copy_project

pytestmark = pytest.mark.workflow

LEARNED = {"tune", "train", "check_overtraining", "check_weights", "check_decorrelation"}


def run(folder: Path, analysis: str, events: str) -> tuple[Path, dict[str, Any]]:
    """Run the whole chain of an analysis on few events, with 0.03 fb⁻¹ of pseudo-data."""
    project: Project = copy_project(folder / "taipan")
    text = f"{{analysis: {analysis}, fastsim: {{luminosity: 0.03, events: {{{events}}}}}}}"
    overlay = project.overlay(text)
    project.snakemake(config=(overlay,))
    results = project.path / "results" / analysis
    summary: dict[str, Any] = read_json(results / "summary.json")
    rules = {path.name.split(".")[0] for path in (results / "benchmarks").iterdir()}
    assert not rules & LEARNED
    assert summary["gates"] == {}
    assert not (results / "models").exists()
    return results, summary


def test_catalogue_without_data_fits_what_its_simulation_expects(tmp_path: Path) -> None:
    """The public files of the Grand Challenge hold no data; small ones of the same names."""
    project: Project = copy_project(tmp_path / "taipan")
    path = project.path / "config/analyses/agc_ttbar/datasets/cms-2015-agc.yaml"
    catalogue = yaml.safe_load(path.read_text(encoding="utf-8"))
    simulation = import_part(shipped_folder("agc_ttbar"), "simulation")
    for name, item in catalogue["datasets"].items():
        item["generated_events"] = 20_000 if name.startswith("ttbar") else 4_000
        settings = {"luminosity": 1.0, "mu": 1.0, "events": {name: item["generated_events"]}}
        file = tmp_path / "files" / item["files"][0]
        file.parent.mkdir(parents=True)
        simulation.write_dataset(name, file, settings, seed=7)
    path.write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    where = f"files: {tmp_path / 'files'}, remote: {{access: local}}, results: results"
    project.snakemake(config=("config/examples/agc-2015.yaml", project.overlay(f"{{{where}}}")))
    results = project.path / "results/agc_ttbar"
    summary = read_json(results / "summary.json")
    assert summary["pseudo_data"]
    assert summary["luminosity"] == 3.378
    assert summary["truth"] is None
    assert summary["observed"]["mu_hat"] == pytest.approx(1.0, abs=1e-4)
    assert summary["observed"]["goodness"]["statistic"] == pytest.approx(0.0, abs=1e-6)
    text = (results / "summary.md").read_text(encoding="utf-8")
    assert "3.378 fb⁻¹ of pseudo-data" in text
    assert "| m_trijet, pseudo-data |" in text
    assert "observed" not in text
    for name in ("postfit_m_trijet", "control_two_tags"):
        numbers = read_json(results / f"plots/{name}.json")
        assert numbers["header"]["data"] == "Pseudo-data"
        assert numbers["header"]["label"] == "CMS simulation"


def test_grand_challenge_fits_two_observables(tmp_path: Path) -> None:
    events = (
        "ttbar: 40000, ttbar_scaleup: 15000, ttbar_scaledown: 15000, ttbar_ME_var: 15000, "
        "ttbar_PS_var: 15000, wjets: 25000, single_top_t_chan: 12000, single_top_tW: 10000, "
        "single_top_s_chan: 4000"
    )
    results, summary = run(tmp_path, "agc_ttbar", events)
    fit = read_json(results / "fit/m_trijet.json")
    assert fit["poi"] == "ttbar_norm"
    observed = summary["observed"]
    assert abs(observed["mu_hat"] - 1.0) < 5.0 * observed["sigma"]
    assert observed["significance"] > 5.0
    assert observed["compatibility"] is not None  # tt̄ is in both regions
    panels = read_json(results / "plots/postfit_m_trijet.json")["panels"]
    assert [panel["label"] for panel in panels] == ["$H_T$", "$m_{bjj}$"]
    assert all(len(panel["total"]) > 3 for panel in panels)
    record = read_json(results / "workspaces/m_trijet_record.json")["regions"]
    assert record["one_tag"]["observable"] == "ht"
