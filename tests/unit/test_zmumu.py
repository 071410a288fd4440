"""The dimuon analysis: its selection on hand-made and real events, its simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from taipan.analysis_folder import import_part, shipped_folder
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.skim.storage import read_events
from tests.real_data import real_data

FOLDER = shipped_folder("zmumu")
SELECTION = import_part(FOLDER, "selection")
SIMULATION = import_part(FOLDER, "simulation")
ANALYSIS = SELECTION.ANALYSIS
REAL, needs_real = real_data("nanoaod-samples")
SETTINGS = {
    "luminosity": 0.01,
    "mu": 1.0,
    "events": {"DYJetsToLL": 20_000, "TTbar": 4_000, "WJetsToLNu": 4_000},
}
ENVELOPE = {"muon_pt": 0.01}


def simulate(dataset: str, path: Path, **changes: Any) -> Any:
    SIMULATION.write_dataset(dataset, path, {**SETTINGS, **changes}, seed=3)
    return uproot.open(path)["Events"]


def skim(file: Path, folder: Path, *, is_data: bool) -> tuple[dict[str, int], Any]:
    settings = SkimSettings(file.stem, is_data, "nanoaod", ENVELOPE, step_events=50_000)
    flow = skim_chunk(Chunk(file), ANALYSIS, settings, folder / "e.parquet", folder / "c.json", {})
    return {cut.name: cut.events for cut in flow.cuts}, read_events(
        [folder / "e.parquet"], ANALYSIS.columns
    )


def test_selection_is_short_and_lists_nothing() -> None:
    text = (FOLDER / "selection.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert ANALYSIS.trigger_branches == ("HLT_IsoMu24", "nMuon")
    assert ANALYSIS.simulation_branches == ("Muon_genPartFlav",)
    assert list(ANALYSIS.shifts) == ["muon_pt"]


def test_mass_and_charge_are_those_of_the_two_leading_muons(tmp_path: Path) -> None:
    """Two muons of 40 GeV, back to back in azimuth at η = 0, have a mass of 80 GeV."""
    muons = {
        "pt": [[40.0, 40.0, 22.0], [40.0, 40.0], [30.0, 25.0]],
        "eta": [[0.0, 0.0, 1.0], [0.0, 0.0], [0.0, 0.5]],
        "phi": [[0.0, np.pi, 1.0], [0.0, np.pi], [0.0, 1.0]],
        "mass": [[0.0, 0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
        "charge": [[1, -1, 1], [1, 1], [1, -1]],
        "tightId": [[True, True, True], [True, True], [True, False]],
        "pfRelIso04_all": [[0.0, 0.1, 0.0], [0.0, 0.0], [0.0, 0.0]],
    }
    types = {"charge": np.int32, "tightId": bool}
    content = {
        "Muon": ak.zip(
            {k: ak.values_astype(ak.Array(v), types.get(k, np.float32)) for k, v in muons.items()}
        ),
        "run": np.full(3, 1, np.uint32),
        "luminosityBlock": np.full(3, 1, np.uint32),
        "event": np.arange(3, dtype=np.uint64),
        "HLT_IsoMu24": np.ones(3, bool),
        "PV_npvs": np.full(3, 9, np.int32),
    }
    with uproot.recreate(tmp_path / "f.root") as file:
        file.mktree(
            "Events",
            {k: getattr(v, "dtype", None) or ak.type(v).content for k, v in content.items()},
        )
        file["Events"].extend(content)
    flow, columns = skim(tmp_path / "f.root", tmp_path, is_data=True)
    assert list(flow.values()) == [3, 3, 2, 2]  # the last one has one tight muon
    quantities = ANALYSIS.compute(columns)
    assert quantities["m_mumu"] == pytest.approx([80.0, 80.0], rel=1e-5)
    assert quantities["charge_product"].tolist() == [-1, 1]
    assert quantities["pt_mumu"] == pytest.approx([0.0, 0.0], abs=1e-4)
    up = ANALYSIS.compute(ANALYSIS.shifts["muon_pt"].function(columns, 0.01))
    assert up["m_mumu"] == pytest.approx([80.8, 80.8], rel=1e-5)


def test_simulation_has_the_z_and_the_same_bytes(tmp_path: Path) -> None:
    tree = simulate("DYJetsToLL", tmp_path / "a.root")
    simulate("DYJetsToLL", tmp_path / "b.root")
    assert (tmp_path / "a.root").read_bytes() == (tmp_path / "b.root").read_bytes()
    assert tree.num_entries == 20_000
    _, columns = skim(tmp_path / "a.root", tmp_path, is_data=False)
    found = ANALYSIS.compute(columns)
    prompt = found["passes"] & (found["gen_mumu"] == 1)
    assert np.median(found["m_mumu"][prompt]) == pytest.approx(91.0, abs=0.3)
    # Z → ττ → μμ is 3 % of what is made, and softer
    assert 0.0 < (found["passes"] & (found["gen_mumu"] == 0)).sum() < 0.01 * prompt.sum()


def test_pseudo_data_hold_the_injected_strength(tmp_path: Path) -> None:
    once = simulate("SingleMuon", tmp_path / "once.root").num_entries
    twice = simulate("SingleMuon", tmp_path / "twice.root", mu=2.0).num_entries
    expected = 1000.0 * SETTINGS["luminosity"] * SIMULATION.SIGMA_Z
    assert twice - once == pytest.approx(expected, abs=5.0 * np.sqrt(2.0 * once))
    assert "genWeight" not in uproot.open(tmp_path / "once.root")["Events"]


def test_catalogue_has_the_cross_sections_of_the_simulation() -> None:
    from taipan.config.load import load_catalogue, read_config
    from tests.conftest import ROOT

    config = read_config([], ROOT, analysis="zmumu")
    catalogue = load_catalogue(config)
    for dataset, processes in SIMULATION.DATASETS.items():
        if dataset != SIMULATION.DATA:
            made = sum(SIMULATION.PROCESSES[name] for name in processes)
            stated = catalogue.dataset(dataset).effective_cross_section
            assert stated == pytest.approx(made, rel=1e-6), dataset
    assert config.fit.cross_section is not None
    assert config.fit.cross_section.value == SIMULATION.SIGMA_Z


@needs_real
@pytest.mark.parametrize(("name", "is_data"), [("nano_dimuon", True), ("nano_dy", False)])
def test_real_files_are_selected_as_by_hand(name: str, is_data: bool, tmp_path: Path) -> None:
    path = REAL / f"{name}.root"
    flow, columns = skim(path, tmp_path, is_data=is_data)
    tree = uproot.open(path)["Events"].arrays(
        ["HLT_IsoMu24", "nMuon", "Muon_pt", "Muon_eta", "Muon_tightId", "Muon_pfRelIso04_all"]
    )
    good = tree.Muon_tightId & (tree.Muon_pfRelIso04_all < 0.15) & (abs(tree.Muon_eta) < 2.4)
    loose = tree.Muon_pt * 1.01
    fired = tree.HLT_IsoMu24 & (tree.nMuon >= 2)
    two = fired & (ak.sum(good & (loose > 20), axis=1) >= 2)
    leading = two & ak.any(good & (loose > 26), axis=1)
    assert flow == {
        "all": len(tree),
        "trigger": int(ak.sum(fired)),
        "two muons": int(ak.sum(two)),
        "leading muon": int(ak.sum(leading)),
    }
    assert len(columns["event"]) == flow["leading muon"]
