"""The mass of two taus as an entry of ``quantities``: shifts by hand, bad input, the example."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from taipan.analysis import Quantity
from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_config
from taipan.columns.derived import add_quantities
from taipan.columns.selection import Selection
from taipan.config.load import load_catalogue, read_config
from taipan.config.sections.ditau_mass import DitauMassQuantity
from taipan.config.sections.observables import DerivedQuantity
from taipan.ditau.mass import Leg, ditau_mass
from taipan.ditau.neutrinos import Missing
from taipan.errors import TaipanError
from taipan.skim.storage import read_events
from tests.conftest import ROOT
from tests.htautau import ANALYSIS

EXAMPLE = ROOT / "config/examples/ditau-mass.yaml"
MADE = ("m_tt", "m_tt_width", "m_tt_chi2", "m_tt_collinear")
SHIFTS = ("tau_pt", "muon_pt", "jet_pt", "jet_resolution", "met_unclustered")
KEYS: dict[str, Any] = {
    "legs": [
        {"pt": "pt_1", "eta": "eta_1", "phi": "phi_1", "mass": "m_1", "decay": "leptonic"},
        {"pt": "pt_2", "eta": "eta_2", "phi": "phi_2", "mass": "m_2", "decay": "hadronic"},
    ],
    "missing": {"pt": "met", "phi": "phi_met"},
    "covariance": {
        "constant": 8.0,
        "per_vertex": 3.0,
        "vertices": "npv",
        "jets": [{"pt": "jpt_1", "phi": "jphi_1"}],
    },
}

RATIO = DerivedQuantity(expression="m_tt / m_vis")


def entry(**keys: Any) -> DitauMassQuantity:
    return DitauMassQuantity.model_validate({**KEYS, **keys})


@pytest.fixture(scope="module")
def columns(skim_file: Path) -> Any:
    return read_events([skim_file], ANALYSIS.columns)


def test_example_has_them_as_features_and_in_plots() -> None:
    config = read_config([str(EXAMPLE)], ROOT)
    analysis = load_analysis(config.folder, config.quantities)
    check_config(config, load_catalogue(config), analysis)
    default = read_config([], ROOT)
    assert config.features == [*default.features, "m_tt", "m_tt_width", "m_tt_chi2"]
    for name in MADE:
        quantity = analysis.quantities[name]
        assert quantity.unit == ("" if name == "m_tt_chi2" else "GeV")
        assert {"MET_pt", "PV_npvs", "Jet_phi", "Muon_pt", "Tau_mass"} <= set(quantity.requires)
        assert not quantity.may_be_missing  # a jet may be, its momentum does not count then
        assert not quantity.simulation_only


def by_hand(found: Any, i: int, dx: float, dy: float, tau: float, jet: float) -> Any:
    """The four numbers of an event after visible momentum (dx, dy) was added; factors of pT."""
    pt, phi = found["met"][i], found["phi_met"][i]
    x, y = pt * np.cos(phi) - dx, pt * np.sin(phi) - dy
    isotropic = 8.0**2 + 3.0**2 * found["npv"][i]
    resolution = 0.0
    jet_pt, jet_phi = found["jpt_1"][i] * jet, found["jphi_1"][i]
    if np.isfinite(jet_pt):
        relative = np.sqrt(0.04**2 + 0.75**2 / jet_pt + (1.8 / jet_pt) ** 2)
        resolution = (relative * jet_pt) ** 2
    cosine, sine = (0.0 if resolution == 0 else f(jet_phi) for f in (np.cos, np.sin))
    covariance = (
        isotropic + resolution * cosine**2,
        resolution * cosine * sine,
        isotropic + resolution * sine**2,
    )
    muon = Leg("leptonic", *(found[f"{k}_1"][i : i + 1] for k in ("pt", "eta", "phi", "m")))
    hadrons = Leg("hadronic", *(found[f"{k}_2"][i : i + 1] for k in ("pt", "eta", "phi", "m")))
    hadrons = replace(hadrons, pt=hadrons.pt * tau, mass=hadrons.mass * tau)
    missing = Missing(*(np.array([v]) for v in (x, y, *covariance)))
    mass = ditau_mass(muon, hadrons, missing)
    return [mass.mean[0], mass.width[0], mass.chi2[0], mass.collinear[0]]


def test_tau_energy_moves_an_event_as_by_hand(columns: Any) -> None:
    analysis = add_quantities(ANALYSIS, {"m_tt": entry()})
    nominal = analysis.compute(columns)
    shifted = analysis.compute(analysis.shifts["tau_pt"].function(columns, 0.04))
    one_tau = np.isfinite(columns["Tau_pt"]).sum(axis=1) == 1
    chosen = np.flatnonzero(nominal["passes"] & shifted["passes"] & one_tau)[:40]
    assert len(chosen) == 40
    for i in chosen:
        pt, phi = nominal["pt_2"][i], nominal["phi_2"][i]
        dx, dy = 0.04 * pt * np.cos(phi), 0.04 * pt * np.sin(phi)
        expected = by_hand(nominal, i, dx, dy, 1.04, 1.0)
        np.testing.assert_allclose([shifted[k][i] for k in MADE], expected, rtol=1e-4, atol=1e-4)
        assert shifted["m_tt"][i] != nominal["m_tt"][i]
    unmoved = by_hand(nominal, chosen[0], 0.0, 0.0, 1.0, 1.0)
    np.testing.assert_allclose([nominal[k][chosen[0]] for k in MADE], unmoved, rtol=1e-6, atol=1e-9)


def test_jet_energy_moves_an_event_as_by_hand(columns: Any) -> None:
    """One jet above 15 GeV, away from the pair: its momentum and its resolution grow."""
    analysis = add_quantities(ANALYSIS, {"m_tt": entry()})
    nominal = analysis.compute(columns)
    shifted = analysis.compute(analysis.shifts["jet_pt"].function(columns, 0.05))
    pt, eta, phi = (columns[f"Jet_{name}"] for name in ("pt", "eta", "phi"))
    away = np.ones(pt.shape, dtype=bool)
    for collection in ("Muon", "Tau"):
        for k in range(columns[f"{collection}_eta"].shape[1]):
            other = [columns[f"{collection}_{name}"][:, k, None] for name in ("eta", "phi")]
            turn = np.angle(np.exp(1j * (phi - other[1])))
            away &= ~(np.hypot(eta - other[0], turn) < 0.5)
    alone = ((pt > 15) & away).sum(axis=1) == 1
    chosen = np.flatnonzero(nominal["passes"] & alone & (nominal["jpt_1"] > 31))[:20]
    assert len(chosen) > 5
    for i in chosen:
        dx, dy = (0.05 * nominal["jpt_1"][i] * f(nominal["jphi_1"][i]) for f in (np.cos, np.sin))
        expected = by_hand(nominal, i, dx, dy, 1.0, 1.05)
        np.testing.assert_allclose([shifted[k][i] for k in MADE], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shift", SHIFTS)
def test_only_events_that_changed_are_computed_again(
    columns: Any, shift: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = add_quantities(ANALYSIS, {"m_tt": entry(), "ratio": RATIO})
    nominal = analysis.compute(columns)
    shifted = analysis.shifts[shift].function(columns, 0.05)
    unchanged = frozenset(name for name, values in shifted.items() if values is columns[name])
    counted = []
    original = DitauMassQuantity.compute

    def count(self: Any, name: str, values: Any, *, tell: bool) -> Any:
        counted.append(len(values["pt_1"]))
        return original(self, name, values, tell=tell)

    monkeypatch.setattr(DitauMassQuantity, "compute", count)
    assert analysis.recompute is not None
    found = analysis.recompute(shifted, nominal, unchanged)
    expected = analysis.compute(shifted)
    for name in (*MADE, "ratio"):
        np.testing.assert_array_equal(found[name], expected[name])
    both = found["passes"] & nominal["passes"]
    moved = (found["m_tt"] != nominal["m_tt"])[both]
    assert moved.mean() > (0.2 if shift.startswith("jet") else 0.9)
    assert counted[0] <= counted[1] == found["passes"].sum()
    if shift.startswith("jet"):
        assert counted[0] < 0.9 * counted[1]  # of events with a jet
    assert np.isnan(found["m_tt"][~found["passes"]]).all()


def test_events_of_any_process_are_finite(columns: Any) -> None:
    found = add_quantities(ANALYSIS, {"m_tt": entry()}).compute(columns)
    for name in MADE:
        assert np.isfinite(found[name][found["passes"]]).all()
    assert (found["m_tt"] >= found["m_vis"])[found["passes"]].all()


WITH_MATRIX = Selection("matrix")


@WITH_MATRIX.objects("Muon")
def muons(events: Any) -> Any:
    return events.Muon


@WITH_MATRIX.quantities(
    {name: name for name in ("pt", "eta", "phi", "mass", "met", "phi_met", "xx", "xy", "yy")}
)
def two_muons(events: Any) -> dict[str, Any]:
    first = events.Muon[:, 0]
    found = {name: first[name] for name in ("pt", "eta", "phi", "mass")}
    matrix = {"xx": events.MET.CovXX, "xy": events.MET.CovXY, "yy": events.MET.CovYY}
    return {**found, "met": events.MET.pt, "phi_met": events.MET.phi, **matrix}


LEG = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "mass", "decay": "leptonic"}
MATRIX = DitauMassQuantity.model_validate(
    {
        "legs": [LEG, LEG],
        "missing": {"pt": "met", "phi": "phi_met"},
        "covariance": {"matrix": {"xx": "xx", "xy": "xy", "yy": "yy"}, "constant": 10.0},
    }
)


def test_covariance_of_the_files_is_a_branch_that_selections_may_use() -> None:
    analysis = add_quantities(WITH_MATRIX.build(), {"m": MATRIX})
    kinds = {column.name: (column.dtype, column.unit) for column in analysis.columns}
    assert kinds["MET_CovXX"] == kinds["MET_CovXY"] == kinds["MET_CovYY"] == ("float32", "GeV²")
    assert "MET_CovXX" in analysis.branches
    assert "MET_CovXY" in analysis.quantities["m_chi2"].requires


def test_events_whose_covariance_has_no_inverse_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    n = 4
    values = {"pt": np.full(n, 40.0), "eta": np.zeros(n), "phi": np.zeros(n), "mass": np.ones(n)}
    values |= {"met": np.full(n, 30.0), "phi_met": np.full(n, 2.0)}
    values |= {"xx": np.array([100.0, 0.0, np.nan, 100.0]), "xy": np.array([0.0, 0.0, 0.0, 100.0])}
    values |= {"yy": np.array([100.0, 0.0, 100.0, 100.0])}
    with caplog.at_level(logging.WARNING):
        found = MATRIX.compute("m", values, tell=True)
    assert (
        "quantities.m: the covariance of the missing momentum (xx, xy, yy) is not positive "
        "definite in 3 of 4 events; there it is made of the other keys"
    ) in caplog.text
    for mass in found.values():
        np.testing.assert_array_equal(mass, mass[0])  # the matrix of the other keys is the same


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"missing": {"pt": "mett", "phi": "phi_met"}},
            r"quantities.m_tt.missing.pt: 'mett' is not a quantity; did you mean 'met'\?",
        ),
        (
            {"missing": {"pt": "nn_score", "phi": "phi_met"}},
            "quantities.m_tt.missing.pt: 'nn_score' is a score",
        ),
        (
            {"covariance": {"constant": 8.0, "jets": [{"pt": "jpt_9", "phi": "jphi_1"}]}},
            r"quantities.m_tt.covariance.jets\[0\].pt: 'jpt_9' is not a quantity",
        ),
    ],
)
def test_input_that_does_not_exist_is_named(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(TaipanError, match=message):
        add_quantities(ANALYSIS, {"m_tt": entry(**keys)})


def test_name_that_is_taken_is_refused() -> None:
    with pytest.raises(TaipanError, match="quantities.m_vis: the analysis has a quantity of this"):
        add_quantities(ANALYSIS, {"m_vis": entry()})
    taken = replace(
        ANALYSIS, quantities={**ANALYSIS.quantities, "m_tt_chi2": Quantity("m_tt_chi2", "", "", ())}
    )
    with pytest.raises(TaipanError, match="quantities.m_tt: the analysis has a quantity 'm_tt_chi"):
        add_quantities(taken, {"m_tt": entry()})


def test_angle_in_degrees_is_named(columns: Any) -> None:
    analysis = add_quantities(ANALYSIS, {"m_tt": entry()})
    degrees = {**columns, "MET_phi": np.degrees(columns["MET_phi"])}
    with pytest.raises(
        TaipanError, match=r"quantities.m_tt.missing.phi: 'phi_met' is -?\d+"
    ) as error:
        analysis.compute(degrees)
    assert "allowed: an azimuth in rad, from -2π to 2π" in str(error.value)


def test_vertices_have_a_name() -> None:
    with pytest.raises(ValidationError, match="`per_vertex` needs `vertices`"):
        entry(covariance={"constant": 8.0, "per_vertex": 2.0})
    with pytest.raises(ValidationError, match="greater than 0"):
        entry(covariance={"constant": 0.0})
    with pytest.raises(ValidationError, match="at least 2 items"):
        entry(legs=KEYS["legs"][:1])
