"""Corrections of real NanoAOD events against a script that knows uproot and correctionlib only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import correctionlib
import numpy as np
import pytest
import uproot

from taipan.analysis import Analysis
from taipan.columns.selection import Selection, generated_jet_pt, scale
from taipan.events.corrected import CorrectionSettings, open_corrections
from taipan.events.load import DatasetEvents, correct_events
from taipan.events.weights import weigh_events
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.skim.storage import read_events
from tests.made_up_corrections import bins, category, formula, sides, write_file
from tests.real_data import real_data
from tests.unit.test_nominal_corrections import make

REAL, needs_real = real_data("nanoaod-samples")
FILES = {
    "nanoAOD_2015_CMS_Open_Data_ttbar.root": ("btagCSVV2", "fixedGridRhoFastjetAll"),
    "nano_tt_v12.root": ("btagDeepFlavB", "Rho_fixedGridRhoFastjetAll"),
}
THRESHOLD, ENVELOPE = 25.0, 0.3


def define(tagger: str, rho: str) -> Analysis:
    selection = Selection("real", keep=(rho,))

    @selection.objects(
        "Jet",
        jets=True,
        shifts={"jet_pt": scale()},
        new={"gen_pt": generated_jet_pt()},
        keep=("gen_pt", "hadronFlavour", tagger, "rawFactor", "mass"),
    )
    def jets(events: Any) -> Any:
        return events.Jet[(events.Jet.pt > THRESHOLD) & (abs(events.Jet.eta) < 2.4)]

    @selection.objects("Muon", keep=("eta",))
    def muons(events: Any) -> Any:
        return events.Muon[events.Muon.pt > 15]

    @selection.cuts
    def cuts(events: Any) -> dict[str, Any]:
        return {"two jets": ak.num(events.Jet) >= 2}

    @selection.quantities(
        {"ht": "GeV", "met": "GeV", "n_true": "interactions"}, simulation_only=("n_true",)
    )
    def numbers(events: Any) -> dict[str, Any]:
        passes = ak.num(events.Jet) >= 2
        chosen = events[passes]
        ht = ak.sum(chosen.Jet.pt, axis=1)
        _ = events.Muon.pt
        return {
            "passes": passes, "ht": ht, "met": chosen.MET.pt, "n_true": chosen.Pileup.nTrueInt
        }  # fmt: skip

    return selection.build()


def correction_file(path: Path, tagger: str) -> str:
    pt, eta = [15, 30, 60, 10000], [0, 1.2, 2.4, 6]
    of_points = category("working_point", {"M": bins("pt", pt, [0.98, 0.96, 0.93])})
    varied = category(
        "systematic",
        {k: category("flavor", {5: of_points, 4: of_points, 0: f}) for k, f in
         (("central", 1.1), ("up", 1.2))},
    )  # fmt: skip
    efficiency = category("flavor", {5: 0.7, 4: 0.2, 0: bins("abseta", [0, 1, 6], [0.02, 0.03])})
    real = {"pt": "real", "eta": "real"}
    return write_file(
        path,
        {
            "id": (
                {**real, "syst": "string"},
                bins("eta", eta, [sides(0.99, 1.0, 0.98), sides(0.97, 0.99, 0.95), 1.0]),
            ),
            "interactions": ({"n": "real"}, bins("n", [0, 20, 100], [1.3, 0.8])),
            "sf": (
                {"systematic": "string", "flavor": "int", "working_point": "string",
                 "pt": "real"},
                varied,
            ),
            "efficiency": ({"flavor": "int", "abseta": "real"}, efficiency),
            "jec": (
                {"raw": "real", "eta": "real", "rho": "real"},
                bins("eta", [-6, 0, 6], [formula("1.08 + 0.0001 * x", "raw"),
                                         formula("1.05 + 0.001 * x", "rho")]),
            ),
            "sigma": (real, bins("eta", [-6, 6], [formula("sqrt(0.05 * 0.05 + 1 / x)", "pt")])),
            "jer": (
                {"eta": "real", "syst": "string"},
                bins("eta", [-6, 6], [sides(1.1, 1.2, 1.0)]),
            ),
        },
    )  # fmt: skip


@pytest.fixture(scope="module", params=FILES, ids=["2015", "v12"])
def real(request: Any, tmp_path_factory: Any) -> tuple[Path, Analysis, Any, str, str]:
    """Path, analysis, skimmed events, names of the tagger and of ρ."""
    folder, path = tmp_path_factory.mktemp("real"), REAL / request.param
    tagger, rho = FILES[request.param]
    analysis = define(tagger, rho)
    settings = SkimSettings("tt", False, "nanoaod", {"jet_pt": ENVELOPE}, step_events=70)
    skim_chunk(Chunk(path), analysis, settings, folder / "e.parquet", folder / "c.json", {})
    return path, analysis, read_events([folder / "e.parquet"], analysis.columns), tagger, rho


def corrected(analysis: Analysis, columns: Any, **corrections: Any) -> tuple[Any, DatasetEvents]:
    opened = open_corrections(make(**corrections), analysis, CorrectionSettings({}, {}))
    events = DatasetEvents(
        "tt", False, columns, weigh_events(columns, 1.0, None), np.zeros(len(columns["run"]))
    )
    return opened, correct_events(events, replace(analysis, corrections=opened))


def read(path: Path, columns: Any, names: list[str]) -> Any:
    """The same events as they stand in the file, in the order of the skim."""
    arrays = uproot.open(path)["Events"].arrays(["run", "luminosityBlock", "event", *names])
    keys = ("run", "luminosityBlock", "event")
    places = {k: i for i, k in enumerate(zip(*(arrays[n].tolist() for n in keys), strict=True))}
    wanted = zip(*(columns[n].tolist() for n in keys), strict=True)
    return arrays[[places[key] for key in wanted]]


@needs_real
def test_weights_of_muons_interactions_and_tags_are_those_of_a_script(
    real: tuple[Path, Analysis, Any, str, str], tmp_path: Path
) -> None:
    path, analysis, columns, tagger, _ = real
    file = correction_file(tmp_path / "c.json", tagger)
    opened, events = corrected(
        analysis,
        columns,
        muon={"file": file, "correction": "id", "objects": "Muon", "up": "up",
              "inputs": {"eta": "abs(eta)"}},
        pileup={"file": file, "correction": "interactions", "inputs": {"n": "n_true"}},
        btag={"kind": "btag", "file": file, "correction": "sf", "tagger": tagger,
              "apply": "central", "up": "up", "working_points": {"M": 0.5},
              "efficiencies": {"file": file, "inputs": {"abseta": "abs(eta)"}}},
    )  # fmt: skip
    names = ["Muon_pt", "Muon_eta", "Jet_pt", "Jet_eta", "Jet_hadronFlavour", f"Jet_{tagger}"]
    raw = read(path, columns, [*names, "Pileup_nTrueInt"])
    found = correctionlib.CorrectionSet.from_file(file)
    muons, passed = [], []
    tags, n_tagged = [], 0
    for event in raw.tolist():
        weight = {"nominal": 1.0, "up": 1.0}
        for pt, eta in zip(event["Muon_pt"], event["Muon_eta"], strict=True):
            if pt > 15:
                for side in weight:
                    weight[side] *= found["id"].evaluate(pt, abs(eta), side)
        muons.append(weight)
        weight = {"central": 1.0, "up": 1.0}
        jets = [
            jet
            for jet in zip(*(event[name] for name in names[2:]), strict=True)
            if np.float32(jet[0]) > THRESHOLD and abs(jet[1]) < 2.4
        ]
        passed.append(len(jets) >= 2)
        for pt, eta, flavour, value in jets:
            for side in weight:
                scale_factor = found["sf"].evaluate(side, flavour, "M", pt)
                efficiency = found["efficiency"].evaluate(flavour, abs(eta))
                tagged = value >= 0.5
                weight[side] *= (
                    scale_factor if tagged else (1 - scale_factor * efficiency) / (1 - efficiency)
                )
            n_tagged += tagged
        tags.append(weight)
    keep = np.array(passed)
    assert keep.sum() > 15
    assert n_tagged > 15
    assert sum(len(event) for event in raw["Muon_pt"]) > 15
    expected = np.array([m["nominal"] * t["central"] for m, t in zip(muons, tags, strict=True)])
    expected *= found["interactions"].evaluate(ak.to_numpy(raw["Pileup_nTrueInt"]).astype(float))
    expected = np.where(keep, expected, 1.0) * columns["genWeight"]
    assert events.weights is not None
    np.testing.assert_allclose(events.weights.nominal, expected, rtol=1e-6)
    quantities = analysis.compute(events.columns)
    up = opened.vary("muon", "tt", events.columns, quantities, 1.0)
    np.testing.assert_allclose(up[keep], [m["up"] for m, k in zip(muons, keep, strict=True) if k])
    up = opened.vary("btag", "tt", events.columns, quantities, 1.0)
    expected = np.array([t["up"] for t, k in zip(tags, keep, strict=True) if k])
    np.testing.assert_allclose(up[keep], expected, rtol=1e-6)


@needs_real
def test_jets_and_missing_momentum_are_corrected_as_a_script_does(
    real: tuple[Path, Analysis, Any, str, str], tmp_path: Path
) -> None:
    """Energy first, then the resolution of what it gives; jets without generated one aside."""
    path, analysis, columns, tagger, rho = real
    file = correction_file(tmp_path / "c.json", tagger)
    _, events = corrected(
        analysis,
        columns,
        jes={"kind": "energy", "file": file, "correction": "jec",
             "relative_to": "pt * (1 - rawFactor)",
             "inputs": {"raw": "pt * (1 - rawFactor)", "rho": rho}},
        jer={"kind": "resolution", "file": file, "resolution": "sigma", "scale_factor": "jer",
             "generated": "gen_pt"},
    )  # fmt: skip
    names = [f"Jet_{name}" for name in ("pt", "eta", "phi", "rawFactor", "genJetIdx")]
    more = ["GenJet_pt", rho, "MET_pt", "MET_phi", "Muon_pt", "Muon_eta", "Muon_phi"]
    raw = read(path, columns, [*names, *more])
    found = correctionlib.CorrectionSet.from_file(file)
    n_scaled = n_smeared = 0
    for i, event in enumerate(raw.tolist()):
        stored = columns["Jet_pt"][i]
        stored = stored[~np.isnan(stored)]
        x = event["MET_pt"] * np.cos(event["MET_phi"])
        y = event["MET_pt"] * np.sin(event["MET_phi"])
        for k, pt in enumerate(stored):
            j = next(  # two jets may have the same momentum: NanoAOD rounds it
                j
                for j, pair in enumerate(zip(event["Jet_pt"], event["Jet_eta"], strict=True))
                if np.array_equal(np.float32(pair), [pt, columns["Jet_eta"][i, k]])
            )
            bare = event["Jet_pt"][j] * (1 - event["Jet_rawFactor"][j])
            eta, phi = event["Jet_eta"][j], event["Jet_phi"][j]
            energy = bare * found["jec"].evaluate(bare, eta, event[rho])
            sigma = found["sigma"].evaluate(energy, eta)
            index = event["Jet_genJetIdx"][j]
            true = event["GenJet_pt"][index] if 0 <= index < len(event["GenJet_pt"]) else 0.0
            new = float(events.columns["Jet_pt"][i, k])
            if true > 0 and abs(energy - true) < 3 * sigma * energy:
                factor = 1 + (1.1 - 1) * (energy - true) / energy
                assert new == pytest.approx(energy * factor, rel=1e-5)
                n_scaled += 1
            else:
                width = sigma * np.sqrt(1.1**2 - 1)
                assert abs(new / energy - 1) < 6 * width
                n_smeared += 1
            apart = [
                np.hypot(m_eta - eta, (m_phi - phi + np.pi) % (2 * np.pi) - np.pi)
                for m_pt, m_eta, m_phi in zip(
                    event["Muon_pt"], event["Muon_eta"], event["Muon_phi"], strict=True
                )
                if m_pt > 15
            ]
            if all(distance >= 0.5 for distance in apart) and min(pt, energy) > 15:
                x -= (new - pt) * np.cos(phi)
                y -= (new - pt) * np.sin(phi)
        assert events.columns["MET_pt"][i] == pytest.approx(np.hypot(x, y), rel=1e-4, abs=1e-3)
    assert n_scaled > 100
    assert n_smeared > 5
