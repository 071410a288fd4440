"""The analysis that unfolds: its truth is that of its simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import gamma

from taipan.analysis_folder import import_part, shipped_folder
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.skim.storage import read_events

FOLDER = shipped_folder("zpt")
ANALYSIS = import_part(FOLDER, "selection").ANALYSIS
SIMULATION = import_part(FOLDER, "simulation")
EVENTS = {"DYJetsToLL": 20_000, "TTbar": 2_000}


def select(dataset: str, folder: Path, **changes: object) -> dict[str, np.ndarray]:
    settings = {"luminosity": 0.01, "mu": 1.0, "events": EVENTS, **changes}
    file = folder / f"{dataset}.root"
    SIMULATION.write_dataset(dataset, file, settings, seed=3)
    skim = SkimSettings(
        dataset, dataset == "SingleMuon", "nanoaod", {"muon_pt": 0.01}, step_events=50_000
    )
    skim_chunk(Chunk(file), ANALYSIS, skim, folder / "e.parquet", folder / "c.json", {})
    found = ANALYSIS.compute(read_events([folder / "e.parquet"], ANALYSIS.columns))
    selected = np.isfinite(found["pt_mumu"])  # others are kept for shifts of the energy
    return {name: np.asarray(values)[selected] for name, values in found.items()}


def test_generated_momentum_is_that_of_the_pair_before_the_detector(tmp_path: Path) -> None:
    """The resolution is 1.1 or 2.2 % of each muon; what is generated is p·exp(-p/7 GeV)."""
    found = select("DYJetsToLL", tmp_path)
    generated, measured = found["gen_pt_mumu"], found["pt_mumu"]
    assert len(generated) > 5_000
    assert (generated > 0.0).all()
    difference = measured - generated
    assert abs(np.median(difference)) < 0.1
    assert 0.5 < np.sqrt(np.mean(difference**2)) < 2.0  # GeV: √2 · 1.5 % · 45 GeV is 1.0
    # what is selected differs by an acceptance that hardly depends on the momentum
    edges = np.array([0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0])
    parts = np.histogram(generated, edges)[0] / len(generated)
    expected = np.diff(gamma.cdf(edges, 2.0, scale=7.0))
    np.testing.assert_allclose(parts, expected, rtol=0.12)


def test_pseudo_data_are_softer_and_have_no_truth(tmp_path: Path) -> None:
    found = select("SingleMuon", tmp_path, luminosity=0.02)
    simulated = select("DYJetsToLL", tmp_path)
    assert (found["gen_pt_mumu"] <= 0.0).all()
    assert ANALYSIS.quantities["gen_pt_mumu"].simulation_only
    # means of the spectra: 14 GeV and 1/(1/14 + 1/200) = 13.1 GeV; 1 % of tt̄ are at 70 GeV
    window = simulated["pt_mumu"] < 60.0, found["pt_mumu"] < 60.0
    ratio = found["pt_mumu"][window[1]].mean() / simulated["pt_mumu"][window[0]].mean()
    assert 0.91 < ratio < 0.97
