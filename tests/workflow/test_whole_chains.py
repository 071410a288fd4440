"""Corrections, classes, several networks, and eras, each run to its end."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from taipan.atomic import read_json
from taipan.certify.ledger import judge_ledger, read_ledger
from taipan.templates.store import read_histograms
from tests.made_up_corrections import sides, write_file
from tests.project import RESULTS, SMOKE, Project, copy_project

pytestmark = pytest.mark.workflow

LIKE = ("like_signal", "like_ztt", "like_other")
FACTOR = {"nominal": 0.9, "up": 0.95, "down": 0.8}
CLASSES = """\
results: results/smoke
fastsim: {luminosity: 0.3}
networks: {one: {}, two: {l2: 0.1}}
corrections:
  flat: {file: FILE, correction: flat, inputs: {x: pt_1}, samples: [TT],
         apply: nominal, up: up, down: down}
"""


def read_yields(path: Path) -> dict[tuple[str, str], float]:
    with path.open(encoding="utf-8", newline="") as handle:
        return {
            (row["region"], row["process"]): float(row["yield"]) for row in csv.DictReader(handle)
        }


@pytest.fixture(scope="module")
def corrected(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Smoke with three classes, two networks and one correction; its events are those of smoke."""
    folder = tmp_path_factory.mktemp("corrected")
    shutil.copytree(finished.path, folder / "taipan", symlinks=True)
    project = Project(folder / "taipan")
    inputs = {"x": "real", "syst": "string"}
    file = write_file(folder / "flat.json", {"flat": (inputs, sides(**FACTOR))})
    overlay = project.overlay(CLASSES.replace("FILE", str(folder / "flat.json")))
    assert file is None or Path(file).is_file()
    project.snakemake(config=(SMOKE, "config/examples/classes.yaml", overlay))
    return project


def test_flat_correction_scales_its_sample_and_no_other(
    finished: Project, corrected: Project
) -> None:
    before, after = (
        read_yields(item.path / RESULTS / "yields.csv") for item in (finished, corrected)
    )
    for region in ("signal", "w_control"):
        # vertex weights are measured with the corrected simulation, so others move a little
        assert after[region, "TT"] == pytest.approx(0.9 * before[region, "TT"], rel=3e-4)
        for name in ("ggH", "qqH", "W", "ZLL", "ZTT", "data"):
            assert after[region, name] == pytest.approx(before[region, name], rel=3e-4)
    closure = read_json(corrected.path / RESULTS / "corrections/closure.json")["corrections"]
    ratios = {
        (row["sample"], row["region"]): row["after"] / row["before"]
        for row in closure
        if row["before"]
    }
    assert {("TT", "signal"), ("TT", "w_control"), ("ZTT", "signal")} <= set(ratios)
    for (sample, _), ratio in ratios.items():
        assert ratio == pytest.approx(0.9 if sample == "TT" else 1.0, rel=1e-9)


def test_uncertainty_of_the_correction_moves_templates_by_its_size(corrected: Project) -> None:
    """Up and down are 0.95 and 0.8 in the place of 0.9, in every bin, and so is the fit's model."""
    filled = read_histograms(corrected.path / RESULTS / "templates/templates.zip")["signal_ratio"]
    for region in (*LIKE, "w_control"):
        cell = {"region": region, "process": "TT"}
        nominal, up, down = (
            filled[{**cell, "variation": name}].values(flow=True)
            for name in ("nominal", "flat_up", "flat_down")
        )
        assert nominal.sum() > 0
        np.testing.assert_allclose(up, nominal * 0.95 / 0.9, rtol=1e-9)
        np.testing.assert_allclose(down, nominal * 0.8 / 0.9, rtol=1e-9)
    workspace = read_json(corrected.path / RESULTS / "workspace.json")
    found = {
        modifier["name"]
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
        if "flat" in modifier["name"]
    }
    assert len(found) == 1


def test_regions_of_classes_share_no_event_and_hold_all(corrected: Project) -> None:
    """What the three regions count adds up to the region they are made of, corrected or not."""
    histograms = read_histograms(corrected.path / RESULTS / "templates/templates.zip")
    filled = histograms["signal_ratio"]
    places = [(name, "nominal", 1.0) for name in ("ggH", "qqH", "W", "TT", "ZTT", "data")]
    for process, variation, factor in [*places, ("TT", "flat_up", 0.95 / 0.9)]:
        whole = {"process": process, "variation": "nominal", "region": "signal"}
        total = filled[whole].sum(flow=True)
        cell = {"process": process, "variation": variation}
        parts = [filled[{**cell, "region": name}].sum(flow=True) for name in LIKE]
        assert all(part.value > 0 for part in parts)
        assert sum(part.value for part in parts) == pytest.approx(factor * total.value, rel=1e-9)
        # the squares, too: no event counts twice, none is lost against another
        squares = factor**2 * total.variance
        assert sum(part.variance for part in parts) == pytest.approx(squares, rel=1e-9)


def test_both_networks_have_classes_and_fits_of_their_own(corrected: Project) -> None:
    results = corrected.path / RESULTS
    for name in ("one", "two"):
        assert sorted(p.name for p in (results / "models" / name).glob("*.onnx")) == [
            "fold0.onnx", "fold1.onnx",
        ]  # fmt: skip
    summary = read_json(results / "summary.json")
    assert summary["observable"] == "signal_ratio"
    assert summary["corrections"]["flat"]["w_control"]["after"] > 0.0
    assert {"check_overtraining/one", "check_overtraining/two"} <= set(summary["gates"])
    assert summary["expected"]["mu_hat"] == pytest.approx(1.0, abs=1e-3)


ERAS = """\
results: results/eras
eras:
  "2015":
    fastsim: {luminosity: 0.02, events: {DYJetsToLL: 30000, TTbar: 3000, WJetsToLNu: 3000}}
  "2016":
    fastsim: {luminosity: 0.03, events: {DYJetsToLL: 40000, TTbar: 3000, WJetsToLNu: 3000}}
systematics:
"""
NAMES = (
    "luminosity", "muon_identification", "trigger", "muon_energy_scale", "pileup",
    "tt_normalisation", "w_normalisation", "acceptance",
)  # fmt: skip
LEARNED = {"tune", "train", "check_overtraining", "check_weights", "check_decorrelation"}


@pytest.fixture(scope="module")
def eras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two eras of Z→μμ that share nothing but the cross section."""
    project = copy_project(tmp_path_factory.mktemp("eras") / "taipan")
    alone = "".join(f"  {name}: {{eras: uncorrelated}}\n" for name in NAMES)
    overlay = project.overlay(ERAS + alone + "analysis: zmumu\n")
    project.snakemake(config=(overlay,))
    return project.path / "results/eras/zmumu"


def test_what_each_era_fixes_is_noted_before_its_data(eras: Path) -> None:
    """The ledger of an era has one entry, and it is that of its summary."""
    for name in ("2015", "2016"):
        results = eras / "eras" / name / "zmumu"
        (line,) = judge_ledger(results, read_json(results / "summary.json"))
        assert line.verdict == "passed", line
        assert len(read_ledger(results)) == 1


def test_eras_that_share_nothing_average_with_inverse_variances(eras: Path) -> None:
    summary = read_json(eras / "summary.json")
    assert not summary["correlated"]
    for kind in ("expected", "observed"):
        each = [item[kind] for item in summary["eras"].values()]
        weights = [1.0 / item["sigma"] ** 2 for item in each]
        mean = np.average([item["mu_hat"] for item in each], weights=weights)
        sigma = sum(weights) ** -0.5
        found = summary["combined"][kind]
        # Gaussian to the order of the uncertainties, 2 %
        assert found["sigma"] == pytest.approx(sigma, rel=0.02)
        assert found["mu_hat"] == pytest.approx(mean, abs=0.05 * sigma)


def test_each_era_is_a_run_of_its_own(eras: Path) -> None:
    """A cross section measured without a network: what a run without eras leaves."""
    for name, luminosity in (("2015", 0.02), ("2016", 0.03)):
        results = eras / "eras" / name / "zmumu"
        summary = read_json(results / "summary.json")
        assert summary["luminosity"] == luminosity
        rules = {path.name.split(".")[0] for path in (results / "benchmarks").iterdir()}
        assert not rules & LEARNED
        assert summary["gates"] == {}
        assert not (results / "models").exists()
        found, strength = summary["cross_section"], summary["observed"]
        assert found["unit"] == "pb"
        assert found["observed"]["value"] == pytest.approx(2025.74 * strength["mu_hat"])
        # luminosity, muons, trigger and acceptance: 2 %, the statistics of 10,000 events far less
        assert found["observed"]["sigma"] == pytest.approx(42.0, abs=8.0)
        assert found["observed"]["value"] == pytest.approx(2025.74, abs=5.0 * 42.0)
        fit = read_json(eras / f"fit/m_mumu_{name}.json")["observed"]
        assert fit["mu_hat"] == pytest.approx(strength["mu_hat"], rel=1e-5)
        text = (results / "summary.md").read_text(encoding="utf-8")
        assert "## Cross section" in text
        assert "no network is trained" in text
        numbers = read_json(results / "plots/prefit_m_mumu.json")
        assert numbers["header"]["label"] == "Taipan simulation"
        assert numbers["header"]["energy"] == 13.0
