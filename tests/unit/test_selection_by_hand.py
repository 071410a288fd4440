"""Each cut of the skim, on events that differ from a good one in one thing."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

from taipan.analysis import SkimContext
from taipan.columns import shifts
from taipan.columns.event_block import EventBlock, Lists
from taipan.columns.identity import hash_event_numbers
from taipan.columns.shift_rules import scale
from tests.htautau import ANALYSIS, TAU_MODES

TRIGGER = "HLT_IsoMu17_eta2p1_LooseIsoPFTau20"
CONTEXT = SkimContext("DYJetsToLL", False, {"tau_pt": 0.06, "muon_pt": 0.02})
DATA = SkimContext("Run2012B_TauPlusX", True, CONTEXT.envelope)
BALANCE = shifts.Balance("MET", ("Muon", "Tau"), "Jet")
MUON = {
    "pt": 30.0, "eta": 0.5, "phi": 0.0, "mass": 0.106, "charge": 1, "pfRelIso03_all": 0.05,
    "tightId": True, "genPartIdx": 0,
}  # fmt: skip
TAU = {
    "pt": 40.0, "eta": -0.5, "phi": 3.0, "mass": 1.0, "charge": -1, "relIso_all": 0.1,
    "decayMode": 1, "idDecayMode": True, "idIsoTight": True, "idAntiEleTight": True,
    "idAntiMuTight": True, "genPartIdx": 1,
}  # fmt: skip
JET = {"pt": 60.0, "eta": 2.0, "phi": 1.5, "mass": 8.0, "btag": 0.1, "puId": 4}
PARTICLES = (15, -15, 13, 11)


def block(
    muons: list[dict[str, Any]],
    taus: list[dict[str, Any]],
    jets: list[dict[str, Any]],
    **scalars: float,
) -> EventBlock:
    """One event."""
    columns: dict[str, Any] = {
        "run": np.array([194533], np.uint32),
        "luminosityBlock": np.array([46], np.uint32),
        "event": np.array([100], np.uint64),
        "PV_npvs": np.array([15], np.int32),
        "MET_pt": np.array([20.0], np.float32),
        "MET_phi": np.array([0.4], np.float32),
        **{name: np.array([value], np.float32) for name, value in scalars.items()},
        "GenPart_pdgId": Lists(np.array(PARTICLES), np.array([len(PARTICLES)])),
    }
    for kind, template, things in (("Muon", MUON, muons), ("Tau", TAU, taus), ("Jet", JET, jets)):
        for name in template:
            values = [{**template, **thing}[name] for thing in things]
            columns[f"{kind}_{name}"] = Lists(np.array(values), np.array([len(things)]))
    return EventBlock.from_columns(columns, np.ones(1, dtype=bool))


def select(
    muons: list[dict[str, Any]] | None = None,
    taus: list[dict[str, Any]] | None = None,
    jets: list[dict[str, Any]] | None = None,
    **scalars: float,
) -> tuple[dict[str, Any], list[bool]]:
    """Columns, and whether the event passes each cut; one good object where none is given."""
    given = [[{}] if things is None else things for things in (muons, taus, jets)]
    columns, cuts = ANALYSIS.select(block(*given, **scalars), CONTEXT)
    assert [name for name, _ in cuts] == ["muon", "tau", "pair"]
    return dict(columns), [bool(mask[0]) for _, mask in cuts]


def test_good_event_is_kept_with_its_objects() -> None:
    columns, passed = select()
    assert passed == [True, True, True]
    for name, value in (("Muon_pt", 30.0), ("Tau_pt", 40.0), ("Jet_pt", 60.0)):
        assert columns[name].values.tolist() == [value]
    assert columns["genWeight"].tolist() == [1.0]
    run, lumi, event = np.array([194533]), np.array([46]), np.array([100])
    assert columns["event_hash"] == hash_event_numbers(run, lumi, event)
    assert columns["event_hash"] != hash_event_numbers(run, lumi, event + 1)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"pt": 16.68}, True),  # 17 / 1.02 = 16.67: an energy shift of 2 % lifts it
        ({"pt": 16.65}, False),
        ({"eta": 2.09}, True),
        ({"eta": 2.11}, False),
        ({"eta": -2.09}, True),
        ({"eta": -2.11}, False),
        ({"tightId": False}, False),
    ],
)
def test_muons_that_are_kept(change: dict[str, Any], kept: bool) -> None:
    _, passed = select(muons=[change])
    assert passed == [kept, kept, kept]


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"pt": 18.88}, True),  # 20 / 1.06 = 18.87
        ({"pt": 18.85}, False),
        ({"eta": 2.29}, True),
        ({"eta": 2.31}, False),
        ({"eta": -2.29}, True),
        ({"eta": -2.31}, False),
        ({"charge": 0}, False),
        ({"charge": 1}, True),
        ({"idDecayMode": False}, False),
        ({"idIsoTight": False}, False),
        ({"idAntiEleTight": False}, False),
        ({"idAntiMuTight": False}, False),
    ],
)
def test_taus_that_are_kept(change: dict[str, Any], kept: bool) -> None:
    _, passed = select(taus=[change])
    assert passed == [True, kept, kept]


@pytest.mark.parametrize(("phi", "kept"), [(0.49, False), (0.51, True), (-0.51, True)])
def test_pair_that_overlaps_is_none(phi: float, kept: bool) -> None:
    """A tau within ΔR = 0.5 of the muon is the muon again."""
    _, passed = select(taus=[{"eta": 0.5, "phi": phi}])
    assert passed == [True, True, kept]


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"pt": 15.1}, True),  # carries the jet energy scale into the missing momentum
        ({"pt": 14.9}, False),
        ({"eta": 4.69}, True),
        ({"eta": -4.69}, True),
        ({"eta": 4.71}, False),
        ({"eta": -4.71}, False),
        ({"puId": 0}, False),
        ({"puId": 1}, True),
    ],
)
def test_jets_that_are_kept(change: dict[str, Any], kept: bool) -> None:
    columns, passed = select(jets=[change])
    assert passed == [True, True, True]
    assert len(columns["Jet_pt"].values) == kept


@pytest.mark.parametrize(
    ("index", "genuine"), [(0, True), (1, True), (2, False), (3, False), (-1, False), (4, False)]
)
def test_only_generated_taus_of_either_charge_are_genuine(index: int, genuine: bool) -> None:
    columns, _ = select(muons=[{"genPartIdx": index}], taus=[{"genPartIdx": index}])
    assert columns["Muon_genuine"].values.tolist() == [genuine]
    assert columns["Tau_genuine"].values.tolist() == [genuine]


def test_generator_weight_of_the_event_is_kept() -> None:
    columns, _ = select(genWeight=-2.5)
    assert columns["genWeight"].tolist() == [-2.5]


@pytest.mark.parametrize(
    ("trigger", "muons", "taus", "kept"),
    [(1, 1, 1, True), (0, 1, 1, False), (1, 0, 1, False), (1, 1, 0, False), (1, 2, 3, True)],
)
def test_trigger_and_one_object_of_each_kind(
    trigger: int, muons: int, taus: int, kept: bool
) -> None:
    arrays = {TRIGGER: np.array([trigger]), "nMuon": np.array([muons]), "nTau": np.array([taus])}
    assert ANALYSIS.preselect(arrays, CONTEXT).tolist() == [kept]


def test_decay_modes_of_the_three_energy_scales() -> None:
    """Modes 0, 1, 2 and 10 of CMS: one prong, with one or two π⁰, three prongs; no fakes."""
    assert TAU_MODES == {"1prong": (0,), "1prong_pi0": (1, 2), "3prong": (10,)}
    for name, modes in TAU_MODES.items():
        columns = {
            **{f"Tau_{key}": np.full((8, 1), 30.0, np.float32) for key in ("pt", "mass")},
            "Tau_phi": np.zeros((8, 1), np.float32),
            "Tau_decayMode": np.array([[0], [1], [2], [10]] * 2),
            "Tau_genuine": np.repeat([[1.0], [0.0]], 4, axis=0),
            "MET_pt": np.full(8, 50.0, np.float32),
            "MET_phi": np.zeros(8, np.float32),
        }
        shifted = ANALYSIS.shifts[f"tau_pt_{name}"].function(columns, 0.1)
        expected = [33.0 if mode in modes else 30.0 for mode in (0, 1, 2, 10)] + [30.0] * 4
        assert shifted["Tau_pt"][:, 0].tolist() == pytest.approx(expected)
        assert shifted["Tau_mass"][:, 0].tolist() == pytest.approx(expected)
        balanced = [50.0 - (pt - 30.0) for pt in expected]
        assert shifted["MET_pt"].tolist() == pytest.approx(balanced)


def test_scale_takes_a_pair_or_fields_and_their_values() -> None:
    """Selections of before gave a pair."""
    pair, mapping = (scale(where=where) for where in (("decayMode", (1, 2)), {"decayMode": [1, 2]}))
    assert pair == mapping
    assert pair.where == (("decayMode", (1, 2)),)
    assert scale().where == ()


def test_flat_file_without_a_jet_has_none() -> None:
    """Flat ntuples write -999 for a jet that is not there."""
    names = ANALYSIS.flat_branches
    arrays = {name: np.array([1.0, 2.0], np.float32) for name in names}
    arrays |= {"jpt_1": np.array([50.0, 40.0]), "jpt_2": np.array([-999.0, 35.0])}
    arrays |= {"njets": np.array([1, 3]), "run": np.array([1, 1])}
    assert ANALYSIS.flat is not None
    columns = ANALYSIS.flat(arrays, DATA)
    assert columns["Jet_pt"].values.tolist() == [50.0, 40.0, 35.0]
    assert columns["Jet_pt"].counts.tolist() == [1, 2]
    assert columns["n_jets_unstored"].tolist() == [0, 1]


def test_identity_of_flat_events_has_all_of_the_pair_and_the_missing_momentum() -> None:
    """There is no event number: two events of a run differ in their kinematics."""
    base = {name: np.array([1.0, 1.0], np.float32) for name in ANALYSIS.flat_branches}
    base["run"] = np.array([1, 1])
    assert ANALYSIS.flat is not None
    for name in ("pt_1", "eta_1", "phi_1", "pt_2", "eta_2", "phi_2", "pt_met", "phi_met"):
        arrays = {**base, name: np.array([1.0, 1.5], np.float32)}
        first, second = ANALYSIS.flat(arrays, DATA)["event_hash"]
        assert first != second, name


def test_soft_jets_are_unclustered_momentum() -> None:
    """Jets of 14 and 16 GeV, both scaled; that below 15 GeV leaves the missing momentum alone."""
    columns = {
        "Jet_pt": np.array([[14.0], [16.0]], np.float32),
        "Jet_eta": np.zeros((2, 1), np.float32),
        "Jet_phi": np.zeros((2, 1), np.float32),
        "Jet_mass": np.ones((2, 1), np.float32),
        **{f"{kind}_eta": np.full((2, 1), 2.0, np.float32) for kind in ("Muon", "Tau")},
        **{f"{kind}_phi": np.full((2, 1), 2.0, np.float32) for kind in ("Muon", "Tau")},
        "MET_pt": np.full(2, 50.0, np.float32),
        "MET_phi": np.zeros(2, np.float32),
    }
    shifted = ANALYSIS.shifts["jet_pt"].function(columns, 0.5)
    assert shifted["Jet_pt"][:, 0].tolist() == [21.0, 24.0]
    assert shifted["MET_pt"].tolist() == [50.0, 42.0]
    # the same jets of another event, next to a muon, are none that balance anything
    other = {**columns, "Jet_pt": columns["Jet_pt"].copy(), "Muon_eta": np.zeros((2, 1))}
    other["Muon_phi"] = np.zeros((2, 1))
    again = ANALYSIS.shifts["jet_pt"].function(other, 0.5)
    assert again["MET_pt"].tolist() == [50.0, 50.0]


def test_jets_that_the_source_does_not_list_are_counted() -> None:
    """Flat files list two jets at most, and say how many there were."""
    columns = {
        **{f"Jet_{name}": np.full((1, 2), 40.0) for name in ("pt", "mass", "btag", "puId")},
        "Jet_eta": np.array([[2.0, -2.0]]),
        "Jet_phi": np.array([[1.5, -1.5]]),
        "PV_npvs": np.array([15]),
        "MET_pt": np.array([20.0]),
        "MET_phi": np.array([0.4]),
        "n_jets_unstored": np.array([3]),
    }
    for kind, thing in (("Muon", MUON), ("Tau", TAU)):
        columns |= {f"{kind}_{name}": np.array([[value]]) for name, value in thing.items()}
        columns[f"{kind}_genuine"] = np.array([[1.0]])
    assert ANALYSIS.compute(columns)["njets"].tolist() == [5]


def test_jets_of_a_pair_that_a_shift_has_changed_are_counted_anew() -> None:
    """At +5 % the better isolated tau, at 19.5 GeV, passes; the jet beside it counts no more."""
    taus = {
        "pt": [30.0, 19.5], "eta": [-0.5, 1.0], "phi": [3.0, -2.0], "mass": [1.0, 1.0],
        "charge": [-1.0, -1.0], "relIso_all": [0.2, 0.05], "decayMode": [1.0, 1.0],
        "genuine": [1.0, 1.0], "idDecayMode": [1.0, 1.0], "idIsoTight": [1.0, 1.0],
        "idAntiEleTight": [1.0, 1.0], "idAntiMuTight": [1.0, 1.0],
    }  # fmt: skip
    columns = {
        **{f"Muon_{name}": np.array([[float(value)]]) for name, value in MUON.items()},
        "Muon_genuine": np.array([[1.0]]),
        **{f"Tau_{name}": np.array([values]) for name, values in taus.items()},
        **{f"Jet_{name}": np.full((1, 2), 40.0) for name in ("pt", "mass", "btag", "puId")},
        "Jet_eta": np.array([[-0.5, 1.0]]),
        "Jet_phi": np.array([[2.9, -2.1]]),
        "PV_npvs": np.array([15]),
        "MET_pt": np.array([20.0]),
        "MET_phi": np.array([0.4]),
        "n_jets_unstored": np.array([0]),
    }
    nominal = ANALYSIS.compute(columns)
    assert (nominal["pt_2"][0], nominal["njets"][0], nominal["jphi_1"][0]) == (30.0, 1, -2.1)
    shifted = ANALYSIS.shifts["tau_pt"].function(columns, 0.05)
    unchanged = frozenset(name for name, values in shifted.items() if values is columns[name])
    assert ANALYSIS.recompute is not None
    for found in (ANALYSIS.compute(shifted), ANALYSIS.recompute(shifted, nominal, unchanged)):
        assert found["pt_2"][0] == pytest.approx(19.5 * 1.05)
        assert (found["njets"][0], found["jphi_1"][0]) == (1, 2.9)


def test_jets_that_are_gone_are_not_taken_for_others_at_their_place() -> None:
    """The last answer is kept under the address of its jets, which others may get later."""
    columns = {
        "Jet_pt": np.array([[40.0]]),
        **{f"Jet_{name}": np.zeros((1, 1)) for name in ("eta", "phi")},
        **{
            f"{kind}_{name}": np.ones((1, 1)) for kind in ("Muon", "Tau") for name in ("eta", "phi")
        },
    }
    gone = np.array([[10.0]])
    shifts._LAST[id(columns["Jet_pt"])] = (weakref.ref(gone), np.array([[False]]))
    assert shifts._isolated_jets(columns, BALANCE).tolist() == [[True]]
    assert shifts._isolated_jets(columns, BALANCE).tolist() == [[True]]
