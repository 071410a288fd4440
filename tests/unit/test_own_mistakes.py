"""Mistakes of who writes a folder of an analysis: each gives one line that says where and what."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from taipan.analysis import SkimContext
from taipan.analysis_folder import explain_own_error, import_part
from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_config
from taipan.cli.main import main
from taipan.columns import selection as tp
from taipan.columns.compute import Computation, Step
from taipan.columns.event_block import EventBlock, Lists
from taipan.config.load import load_catalogue, read_config
from taipan.errors import TaipanError
from taipan.new_analysis import make_analysis
from taipan.simulation import load_simulation
from taipan.skim.schema import choose_alternatives

ROOT = Path(__file__).parents[2]


def changed(folder: Path, file: str, old: str, new: str) -> Path:
    """Make the folder of a new analysis, and one change in it."""
    made = make_analysis("demo", folder)
    text = (made / file).read_text(encoding="utf-8")
    assert old in text
    (made / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return made


MISTAKES = {
    "misspelt column": (
        ("selection.py", "found.tightId", "found.tightID"),
        "selection.py: selection 'demo': column 'Muon_tightID' is stored, but its type is not "
        "known; did you mean 'tightId'? (or say what it is: Selection(..., "
        "fields={'Muon_tightID': Field('float32', 'GeV', 'what it is')}), with Field of "
        "taipan.columns.selection)",
    ),
    "name that does not exist": (
        ("selection.py", "(first + second).mass", "(first + third).mass"),
        "selection.py cannot be imported (selection.py, line LINE, in pair: NameError: name "
        "'third' is not defined)",
    ),
    "quantity without a meaning": (
        ("selection.py", '    "met": "missing transverse momentum [GeV]",\n', ""),
        "selection.py: selection 'demo', quantities: 'met' is computed but not described",
    ),
    "quantity that is a list": (
        ("selection.py", '"pt_1": first.pt', '"pt_1": muons.pt'),
        "selection.py: selection 'demo', quantities: 'pt_1' is a list of values an event (take "
        "one object, such as [:, 0], or ak.sum or ak.any with axis=1); allowed: one value an event",
    ),
    "quantity that is an object": (
        ("selection.py", '"pt_1": first.pt', '"pt_1": first'),
        "selection.py: selection 'demo', quantities: 'pt_1' is an object of pt, eta, phi, mass "
        "(take one of them, such as .pt); allowed: one value an event",
    ),
    "sum over all events": (
        ("selection.py", '"pt_1": first.pt', '"pt_1": ak.sum(muons.pt)'),
        "selection.py: selection 'demo', quantities: 'pt_1' is one value for all events together "
        "(sums and the like need axis=1); allowed: one value an event",
    ),
    "cut on each object": (
        ("selection.py", "ak.num(events.Muon) >= 2}", "events.Muon.pt > 20}"),
        "selection.py: selection 'demo', cuts: 'two muons' is a list of values an event (take one "
        "object, such as [:, 0], or ak.sum or ak.any with axis=1); allowed: one value an event",
    ),
    "trigger that is a constant": (
        ("selection.py", "return events.HLT.Mu50 & (events.nMuon >= 2)", "return True"),
        "selection.py: selection 'demo', trigger: what it returns is one value for all events "
        "together (sums and the like need axis=1); allowed: one value an event",
    ),
    "bracket that is not closed": (
        ("selection.py", "ak.num(events.Muon) >= 2}", "ak.num(events.Muon) >= 2"),
        "selection.py cannot be imported (SyntaxError: '{' was never closed (selection.py, line "
        "LINE))",
    ),
    "simulation that cannot be imported": (
        ("simulation.py", "MASS, WIDTH = ", "MASS, WIDTH == "),
        "simulation.py cannot be imported (simulation.py, line LINE: NameError: name 'MASS' is "
        "not defined)",
    ),
    "dataset that the simulation does not make": (
        ("simulation.py", '"TTbar": 6.0', '"TTBar": 6.0'),
        "catalogue 'simulation': datasets.TTbar: 'TTbar' is not a dataset that simulation.py "
        "makes; did you mean 'TTBar'? (DrellYan, TTBar, Resonance, Data)",
    ),
    "file that the simulation does not write": (
        ("datasets/simulation.yaml", "[TTbar.root]", "[tt.root]"),
        "catalogue 'simulation': datasets.TTbar.files: tt.root (a simulation writes one file, "
        "TTbar.root)",
    ),
    "cut that nothing passes": (
        ("analysis.yaml", "m_mumu > 150 and m_mumu < 250", "m_mumu > 250 and m_mumu < 150"),
        "regions.low_mass.cut: 'q_1 * q_2 < 0 and m_mumu > 250 and m_mumu < 150' is true for no "
        "event: it asks for a range without any value",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gives_one_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    folder = changed(tmp_path, *MISTAKES[case][0])
    assert main(["config", "check", "--analysis", str(folder)]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    expected = re.escape(MISTAKES[case][1]).replace("LINE", r"\d+")
    assert re.fullmatch(f"taipan: error: ({re.escape(str(folder))}/)?{expected}", said), said


def test_a_new_analysis_has_no_mistake(tmp_path: Path) -> None:
    folder = make_analysis("demo", tmp_path)
    config = read_config([], ROOT, analysis=str(folder))
    check_config(config, load_catalogue(config), load_analysis(folder), writes=False)


def test_a_simulation_that_writes_another_file_is_told_so(tmp_path: Path) -> None:
    folder = changed(
        tmp_path, "simulation.py", "write_tree(path,", 'write_tree(path.with_name("x"),'
    )
    simulation = load_simulation(folder)
    settings = {"events": {"TTbar": 10}, "luminosity": 1.0, "mu": 1.0}
    with pytest.raises(TaipanError, match=r"simulation.py: write_dataset\('TTbar', ...\) wrote no"):
        simulation.simulate("TTbar", tmp_path / "TTbar.root", settings, seed=1)


def raised_by(folder: Path, part: str, name: str, *arguments: object) -> Exception:
    with pytest.raises(Exception, match=".") as caught:
        getattr(import_part(folder, part), name)(*arguments)
    return caught.value


def test_an_error_in_an_analysis_is_told_by_the_line_that_ran(tmp_path: Path) -> None:
    text = "import numpy as np\n\n\ndef compute(x):\n    return np.ones(2) + np.ones(x)\n"
    (tmp_path / "selection.py").write_text(text, encoding="utf-8")
    error = raised_by(tmp_path, "selection", "compute", 3)
    said = explain_own_error(error)
    assert said is not None
    assert said.startswith("selection.py, line 5, in compute: ValueError: operands could not be")
    assert "\n" not in said
    # one within the library, below a line of the analysis, is told by that line
    deeper = raised_by(tmp_path, "selection", "compute", "no number")
    assert str(explain_own_error(deeper)).startswith("selection.py, line 5, in compute: TypeError")
    assert len(traceback.extract_tb(deeper.__traceback__)) > 2


def test_an_error_elsewhere_is_no_error_of_an_analysis() -> None:
    with pytest.raises(ValueError, match="broadcast") as caught:
        np.ones(2) + np.ones(3)
    assert explain_own_error(caught.value) is None


def photons_block(mva: list[list[float]]) -> EventBlock:
    counts = np.array([len(values) for values in mva])
    n = int(counts.sum())
    columns: dict[str, Any] = {
        "run": np.ones(len(mva), np.uint32), "luminosityBlock": np.ones(len(mva), np.uint32),
        "event": np.arange(len(mva), dtype=np.uint64), "PV_npvs": np.ones(len(mva), np.int32),
        "Photon_pt": Lists(np.full(n, 40.0, np.float32), counts),
        "Photon_eta": Lists(np.linspace(-1, 1, n, dtype=np.float32), counts),
        "Photon_phi": Lists(np.linspace(0, 3, n, dtype=np.float32), counts),
        "Photon_mass": Lists(np.zeros(n, np.float32), counts),
        "Photon_score": Lists(np.concatenate(mva).astype(np.float32), counts),
    }  # fmt: skip
    return EventBlock.from_columns(columns, np.ones(len(mva), bool))


def diphoton(**fields: tp.Field) -> Any:
    selection = tp.Selection("diphoton", fields=fields)

    @selection.objects("Photon", shifts={"photon_pt": tp.scale()})
    def photons(events: Any) -> Any:
        return events.Photon[events.Photon.score > 0.5]

    @selection.cuts
    def cuts(events: Any) -> Any:
        return {"two photons": ak.num(events.Photon) >= 2}

    @selection.quantities({"m_gg": "mass [GeV]"})
    def pair(events: Any) -> Any:
        return {"m_gg": (events.Photon[:, 0] + events.Photon[:, 1]).mass}

    return selection.build()


@pytest.mark.parametrize(
    ("passes", "values", "message"),
    [
        (2, 2, "'passes' has 2 values (allowed: 3, one for each event)"),
        (3, 1, "'x' has 1 values (allowed: 2, one for each event that passes)"),
    ],
)
def test_numbers_of_other_events_are_refused(passes: int, values: int, message: str) -> None:
    def function(events: Any) -> dict[str, Any]:
        return {"passes": np.array([True, True, False])[:passes], "x": np.ones(values)}

    step = Step(function, ("PV_npvs",), (), ("x",))
    computation = Computation((step,), {}, {"PV_npvs": "int32"})
    with pytest.raises(TaipanError, match=re.escape(message)):
        computation.compute({"PV_npvs": np.arange(3)})


def test_a_declared_field_is_read_in_the_skim() -> None:
    analysis = diphoton(Photon_score=tp.Field("float32", "", "identification"))
    block = photons_block([[0.9, 0.8, 0.1], [0.9, 0.2]])
    columns, cuts = analysis.select(block, SkimContext("D", True, {"photon_pt": 0.02}))
    assert cuts[0][1].tolist() == [True, False]
    assert columns["Photon_score"].values.tolist() == [pytest.approx(0.9), pytest.approx(0.8)]


def test_photons_have_no_mass_where_the_file_has_none() -> None:
    analysis = diphoton(Photon_score=tp.Field("float32", "", "identification"))
    assert "Photon_mass" in analysis.branches
    chosen = choose_alternatives(
        {"Photon_pt": None}, ("Photon_pt", "Photon_mass"), analysis.alternatives, "file"
    )
    assert set(chosen) == {"Photon_mass"}
    derived = chosen["Photon_mass"].derive
    assert derived is not None
    assert derived(ak.Array([[40.0, 30.0], []])).to_list() == [[0.0, 0.0], []]


def test_missing_momentum_that_nothing_uses_is_not_asked_for() -> None:
    analysis = diphoton(Photon_score=tp.Field("float32", "", "identification"))
    names = {column.name for column in analysis.columns}
    assert not {name for name in (*analysis.branches, *names) if name.startswith("MET")}
    assert analysis.shifts["photon_pt"].meaning == "Photon energy"
    stored = {"Photon_pt": np.array([[40.0]]), "Photon_mass": np.array([[0.0]])}
    shifted = analysis.shifts["photon_pt"].function(stored, 0.1)
    assert {name: values.tolist() for name, values in shifted.items()} == {
        "Photon_pt": [[44.0]],
        "Photon_mass": [[0.0]],
    }


@pytest.mark.parametrize("rule", [tp.scale(), tp.scale(eta=(0.0, 1.3)), tp.smear()])
def test_jets_are_shifted_without_missing_momentum(rule: tp.Rule) -> None:
    selection = tp.Selection("jets")
    selection.objects("Electron")(lambda events: events.Electron)
    selection.objects("Jet", jets=True, shifts={"jet": rule})(lambda events: events.Jet)
    selection.quantities({"ht": "sum [GeV]"})(lambda e: {"ht": ak.sum(e.Jet.pt, axis=1)})
    analysis = selection.build()
    names = {column.name for column in analysis.columns}
    assert names & {"MET_pt", "Electron_pt", "Electron_phi", "Jet_phi"} == set()
    stored = {
        "Jet_pt": np.array([[40.0, 30.0, np.nan]]), "Jet_eta": np.array([[1.0, 2.0, np.nan]]),
        "event_hash": np.array([7], np.uint64),
    }  # fmt: skip
    assert set(stored) - {"Jet_eta"} <= names
    change = analysis.shifts["jet"].function(stored, 0.1)["Jet_pt"][0] / stored["Jet_pt"][0] - 1
    assert np.isnan(change[2])
    if rule.kind == "scale":
        second = 0.1 if rule.eta is None else 0.0
        assert change[:2].tolist() == [pytest.approx(0.1), pytest.approx(second, abs=1e-7)]
    else:
        assert np.abs(change[:2]).min() > 0
        assert np.abs(change[:2]).max() < 0.6


def test_decisions_are_known_to_be_true_or_false() -> None:
    selection = tp.Selection("trigger")
    selection.objects("Photon")(lambda events: events.Photon)
    selection.quantities({"fired": "the trigger"})(lambda e: {"fired": e.HLT.Diphoton30_22})
    types = {column.name: column.dtype for column in selection.build().columns}
    assert types["HLT_Diphoton30_22"] == "bool"


def test_groups_and_branches_are_found_by_their_names_too() -> None:
    selection = tp.Selection("names")
    selection.objects("Photon")(lambda events: events.Photon)
    meanings = {"met": "missing momentum [GeV]", "n": "vertices", "first": "pT [GeV]"}
    selection.quantities(meanings)(
        lambda e: {"met": e["MET"].pt, "n": e["PV_npvs"], "first": e["Photon"]["pt"][:, 0]}
    )
    names = {column.name for column in selection.build().columns}
    assert {"MET_pt", "PV_npvs", "Photon_pt"} <= names


def test_an_unknown_column_names_none_that_is_far_off() -> None:
    selection = tp.Selection("any")
    selection.objects("Photon")(lambda events: events.Photon)
    selection.quantities({"x": "x"})(lambda e: {"x": ak.sum(e.Photon.zzz, axis=1)})
    with pytest.raises(TaipanError, match=r"type is not known \(or say what it is: Selection"):
        selection.build()
