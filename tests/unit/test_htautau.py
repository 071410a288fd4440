"""Selection, quantities and shifts of the H→ττ analysis, on events written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from taipan.analysis import Columns
from taipan.skim.storage import read_events
from tests.htautau import ANALYSIS

compute = ANALYSIS.compute
FLAGS = ("idDecayMode", "idIsoTight", "idAntiEleTight", "idAntiMuTight")


def event(**changes: list[float] | float) -> Columns:
    """One event with a muon, a tau back to back, and two jets."""
    columns: dict[str, list[float] | float] = {
        "Muon_pt": [30.0],
        "Muon_eta": [0.5],
        "Muon_phi": [0.0],
        "Muon_mass": [0.10566],
        "Muon_charge": [1],
        "Muon_pfRelIso03_all": [0.05],
        "Muon_genuine": [1],
        "Tau_pt": [40.0],
        "Tau_eta": [-0.5],
        "Tau_phi": [3.0],
        "Tau_mass": [1.0],
        "Tau_charge": [-1],
        "Tau_relIso_all": [0.1],
        "Tau_decayMode": [1],
        "Tau_genuine": [1],
        "Jet_pt": [60.0, 35.0],
        "Jet_eta": [2.0, -2.5],
        "Jet_phi": [1.5, -1.5],
        "Jet_mass": [8.0, 5.0],
        "Jet_btag": [0.1, 0.2],
        "MET_pt": 20.0,
        "MET_phi": 0.4,
        "PV_npvs": 15,
        "n_jets_unstored": 0,
        **changes,
    }
    muons, taus, jets = (len(columns[f"{name}_pt"]) for name in ("Muon", "Tau", "Jet"))  # type: ignore[arg-type]
    columns |= {"Muon_tightId": [1] * muons, "Jet_puId": [4] * jets}
    columns |= {f"Tau_{name}": [1] * taus for name in FLAGS}
    return {
        name: np.asarray([value], dtype=np.float32 if isinstance(value, list | float) else None)
        for name, value in columns.items()
    }


def test_quantities_against_numbers_worked_by_hand() -> None:
    out = {name: float(value[0]) for name, value in compute(event()).items()}
    assert out["passes"]
    # massless approximation of m_vis: √(2 pT pT' (cosh Δη − cos Δφ)) = 85.4
    assert out["m_vis"] == pytest.approx(
        np.sqrt(2 * 30 * 40 * (np.cosh(1.0) - np.cos(3.0))), rel=2e-3
    )
    assert out["mt_1"] == pytest.approx(np.sqrt(2 * 30 * 20 * (1 - np.cos(0.4))), rel=1e-6)
    assert out["delta_r"] == pytest.approx(np.hypot(1.0, 3.0), rel=1e-6)
    assert out["pt_tt"] == pytest.approx(
        np.hypot(30 + 40 * np.cos(3.0) + 20 * np.cos(0.4), 40 * np.sin(3.0) + 20 * np.sin(0.4)),
        rel=1e-6,
    )
    assert out["njets"] == 2
    assert (out["jpt_1"], out["jpt_2"]) == pytest.approx((60.0, 35.0))
    assert out["jdeta"] == pytest.approx(4.5)
    assert out["gen_match"] == 1


def test_missing_jets_are_nan_and_never_a_magic_number() -> None:
    out = compute(event(Jet_pt=[35.0], Jet_eta=[1.0], Jet_phi=[1.5], Jet_mass=[5.0], Jet_btag=[0]))
    assert out["njets"][0] == 1
    for name in ("jpt_2", "jeta_2", "mjj", "jdeta", "ptjj"):
        assert np.isnan(out[name][0])
    assert out["jpt_1"][0] == 35.0


def test_the_jet_of_the_tau_is_not_counted() -> None:
    """The tau is in the jet collection of the CMS files: 78 % of leading jets in Z→ττ."""
    out = compute(event(Jet_eta=[-0.45, 2.0], Jet_phi=[3.05, 1.5]))
    assert out["njets"][0] == 1
    assert out["jpt_1"][0] == 35.0


def test_pair_is_highest_pt_muon_then_best_isolated_tau() -> None:
    columns = event(
        **{f"Muon_{n}": [v, v] for n, v in (("mass", 0.1), ("pfRelIso03_all", 0.0))},
        Muon_pt=[25.0, 50.0],
        Muon_eta=[0.5, 0.0],
        Muon_phi=[0.0, 1.0],
        Muon_charge=[1, -1],
        Muon_genuine=[1, 0],
        Tau_pt=[60.0, 30.0],
        Tau_eta=[-0.5, 1.0],
        Tau_phi=[3.0, -2.0],
        Tau_mass=[1.0, 1.0],
        Tau_charge=[-1, 1],
        Tau_relIso_all=[0.2, 0.1],
        Tau_decayMode=[1, 10],
        Tau_genuine=[1, 1],
    )
    out = compute(columns)
    assert (out["pt_1"][0], out["pt_2"][0], out["dm_2"][0]) == (50.0, 30.0, 10)
    assert out["gen_match"][0] == 0


def test_overlapping_pair_fails() -> None:
    assert not compute(event(Tau_eta=[0.5], Tau_phi=[0.3]))["passes"][0]


def test_energy_scale_moves_events_across_thresholds_both_ways() -> None:
    below = event(Tau_pt=[19.6])
    assert not compute(below)["passes"][0]
    assert compute(ANALYSIS.shifts["tau_pt"].function(below, 0.03))["passes"][0]
    above = event(Tau_pt=[20.3])
    assert compute(above)["passes"][0]
    assert not compute(ANALYSIS.shifts["tau_pt"].function(above, -0.03))["passes"][0]


def test_a_tau_below_threshold_never_wins_the_pair() -> None:
    """The loosened skim keeps a better isolated tau at 19.5 GeV; the nominal pair ignores it."""
    columns = event(
        Tau_pt=[19.5, 30.0],
        Tau_eta=[-0.5, 1.0],
        Tau_phi=[3.0, -2.0],
        Tau_mass=[1.0, 1.0],
        Tau_charge=[-1, -1],
        Tau_relIso_all=[0.01, 0.1],
        Tau_decayMode=[1, 10],
        Tau_genuine=[1, 1],
    )
    assert compute(columns)["pt_2"][0] == 30.0
    shifted = ANALYSIS.shifts["tau_pt"].function(columns, 0.03)
    assert compute(shifted)["pt_2"][0] == pytest.approx(19.5 * 1.03)


def visible_plus_met(columns: Columns) -> np.ndarray:
    """Vector sum of muon, tau, jets away from them, and MET."""
    total = np.zeros(2)
    for name in ("Muon", "Tau", "Jet", "MET"):
        pt, phi = columns[f"{name}_pt"][0], columns[f"{name}_phi"][0]
        total += [np.sum(pt * np.cos(phi)), np.sum(pt * np.sin(phi))]
    return total


@pytest.mark.parametrize("shift", ["tau_pt", "muon_pt", "jet_pt"])
def test_object_shifts_leave_the_total_momentum(shift: str) -> None:
    before = event()
    after = ANALYSIS.shifts[shift].function(before, 0.05)
    assert after["MET_pt"][0] != before["MET_pt"][0]
    np.testing.assert_allclose(visible_plus_met(after), visible_plus_met(before), atol=1e-4)


def test_unclustered_shift_scales_the_rest() -> None:
    before = event()
    after = ANALYSIS.shifts["met_unclustered"].function(before, 0.1)
    np.testing.assert_allclose(
        visible_plus_met(after), 1.1 * visible_plus_met(before), rtol=1e-5, atol=1e-4
    )
    assert after["Jet_pt"] is before["Jet_pt"]


@pytest.mark.parametrize("shift", sorted(ANALYSIS.shifts))
def test_zero_shift_is_the_identity_and_inputs_are_not_changed(shift: str, skim_file) -> None:  # type: ignore[no-untyped-def]
    columns = read_events([skim_file], ANALYSIS.columns)  # read-only arrays
    before = {name: value.copy() for name, value in columns.items()}
    same = ANALYSIS.shifts[shift].function(columns, 0.0)
    moved = ANALYSIS.shifts[shift].function(columns, 0.02)
    for name, value in before.items():
        np.testing.assert_array_equal(same[name], value)
        np.testing.assert_array_equal(columns[name], value)
    assert any(not np.array_equal(moved[n], before[n], equal_nan=True) for n in before)


def test_every_quantity_is_declared_and_computed(skim_file) -> None:  # type: ignore[no-untyped-def]
    out = compute(read_events([skim_file], ANALYSIS.columns))
    assert set(out) - {"passes"} == set(ANALYSIS.quantities)
    stored = {column.name for column in ANALYSIS.columns}
    for quantity in ANALYSIS.quantities.values():
        assert set(quantity.requires) <= stored
        values = out[quantity.name][out["passes"]]
        assert np.isnan(values).any() == quantity.may_be_missing, quantity.name
