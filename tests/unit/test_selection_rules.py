"""A selection is written once: what it reads, keeps and loosens follows from what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import vector

from taipan.analysis import SkimContext
from taipan.columns import selection as tp
from taipan.columns.event_block import EventBlock, Lists
from taipan.errors import TaipanError

ROOT = Path(__file__).parents[2]
NUMBERS = ("run", "luminosityBlock", "event")
SIMULATION = SkimContext("DY", False, {})


def dimuon(**options: Any) -> tp.Selection:
    """Two muons above 20 GeV."""
    selection = tp.Selection("dimuon", **options)

    @selection.trigger
    def trigger(events: Any) -> Any:
        return events.HLT.IsoMu24 & (events.nMuon > 1)

    @selection.objects("Muon", shifts={"muon_pt": tp.scale(propagate=False)})
    def muons(events: Any) -> Any:
        return events.Muon[(events.Muon.pt > 20) & events.Muon.tightId]

    @selection.cuts
    def cuts(events: Any) -> dict[str, Any]:
        return {"one": ak.num(events.Muon) > 0, "two": ak.num(events.Muon) > 1}

    @selection.quantities({"m_mumu": "mass of the pair [GeV]", "second_pt": "second muon [GeV]"})
    def pair(events: Any) -> dict[str, Any]:
        found = events.Muon
        passes = ak.num(found) > 1
        first, second = found[passes][:, 0], found[passes][:, 1]
        return {"passes": passes, "m_mumu": (first + second).mass, "second_pt": second.pt}

    return selection


def block(pt: list[list[float]], **columns: Any) -> EventBlock:
    """Events with muons of the given momenta."""
    n, counts = len(pt), np.array([len(values) for values in pt])
    flat = np.array([value for values in pt for value in values], np.float32)
    numbers = {name: np.arange(n, dtype=np.uint64) for name in (*NUMBERS, "PV_npvs")}
    fields = {"pt": flat, "eta": 0.1 * np.arange(len(flat)), "phi": 1.0 * np.arange(len(flat))}
    fields |= {"mass": np.full(len(flat), 0.1), "tightId": np.ones(len(flat), dtype=bool)}
    lists = {f"Muon_{name}": Lists(values, counts) for name, values in fields.items()}
    return EventBlock.from_columns({**numbers, **lists, **columns}, np.ones(n, dtype=bool))


def test_branches_that_are_read_and_stored_are_those_that_are_used() -> None:
    analysis = dimuon().build()
    assert analysis.trigger_branches == ("HLT_IsoMu24", "nMuon")
    used = {f"Muon_{name}" for name in ("pt", "eta", "phi", "mass", "tightId")}
    assert set(analysis.branches) == {*NUMBERS, "PV_npvs", *used}
    stored = {*NUMBERS, "event_hash", "genWeight", "PV_npvs", *used}
    assert {column.name for column in analysis.columns} == stored
    assert analysis.simulation_branches == ()
    assert analysis.quantities["m_mumu"].unit == "GeV"
    assert set(analysis.quantities["second_pt"].requires) == used


def test_generator_branches_are_read_of_simulation_alone() -> None:
    selection = dimuon()
    fields = {"prompt": tp.matched_to(13, "from a generated muon")}

    @selection.objects("Muon", new=fields)
    def muons(events: Any) -> Any:
        return events.Muon[events.Muon.pt > 20]

    @selection.quantities({"prompt": "both are prompt"}, simulation_only=("prompt",))
    def prompt(events: Any, known: Any) -> dict[str, Any]:
        return {"prompt": ak.all(events.Muon.prompt, axis=1)}

    analysis = selection.build()
    assert set(analysis.simulation_branches) == {"Muon_genPartIdx", "GenPart_pdgId"}
    assert "Muon_prompt" not in analysis.branches
    assert analysis.quantities["prompt"].simulation_only
    pdg = Lists(np.array([13, 22, -13, 13]), np.array([2, 2]))
    index = Lists(np.array([0, 1, 0, 2]), np.array([2, 2]))  # there is no third particle
    events = block([[30, 25], [40, 35]], Muon_genPartIdx=index, GenPart_pdgId=pdg)
    context = SkimContext("DY", False, {"muon_pt": 0.1})
    columns, _ = analysis.select(events, context)
    assert columns["Muon_prompt"].values.tolist() == [True, False, True, False]  # type: ignore[union-attr]
    columns, _ = analysis.select(events, SkimContext("Run", True, context.envelope))
    assert not columns["Muon_prompt"].values.any()  # type: ignore[union-attr]


def test_second_muon_is_never_missing_where_the_event_passes() -> None:
    selection = tp.Selection("first")

    @selection.quantities({"pt": "first muon [GeV]", "n": "muons"})
    def first(events: Any) -> dict[str, Any]:
        return {"pt": ak.firsts(events.Muon).pt, "n": ak.num(events.Muon)}

    missing = {name: q.may_be_missing for name, q in selection.build().quantities.items()}
    assert missing == {"pt": True, "n": False}
    assert not any(q.may_be_missing for q in dimuon().build().quantities.values())


def test_thresholds_are_loosened_for_the_largest_shift_and_momenta_stored_as_they_are() -> None:
    analysis = dimuon().build()
    assert analysis.shifts["muon_pt"].envelope == "muon_pt"
    events = block([[30.0, 18.3], [30.0, 18.0], [30.0, 25.0, 5.0]])
    columns, cuts = analysis.select(events, SkimContext("DY", False, {"muon_pt": 0.1}))
    assert [mask.tolist() for _, mask in cuts] == [[True, True, True], [True, False, True]]
    stored = columns["Muon_pt"]
    assert isinstance(stored, Lists)
    assert stored.values.tolist() == pytest.approx([30.0, 18.3, 30.0, 25.0])
    padded = {"event_hash": np.arange(2), "run": np.arange(2)}
    for name in ("pt", "eta", "phi", "mass", "tightId"):
        values = columns[f"Muon_{name}"]
        assert isinstance(values, Lists)
        padded[f"Muon_{name}"] = values.values.reshape(2, 2).astype(np.float32)
    assert analysis.compute(padded)["passes"].tolist() == [False, True]
    up = analysis.shifts["muon_pt"].function(padded, 0.1)
    found = analysis.compute(up)
    assert found["passes"].tolist() == [True, True]
    one, two = (
        vector.obj(**{name: up[f"Muon_{name}"][1, i] for name in ("pt", "eta", "phi", "mass")})
        for i in (0, 1)
    )
    assert found["m_mumu"][1] == pytest.approx((one + two).mass, rel=1e-6)


def test_cut_that_harder_objects_fail_is_refused_in_the_skim() -> None:
    """A veto on a second muon would lose events that a variation downwards lets pass."""
    selection = dimuon()

    @selection.cuts
    def veto(events: Any) -> dict[str, Any]:
        return {"one": ak.num(events.Muon) == 1}

    with pytest.raises(TaipanError, match="cut 'one' of the selection loses 1 of 2 events"):
        selection.build().select(
            block([[30.0, 19.0], [30.0]]), SkimContext("DY", False, {"muon_pt": 0.1})
        )


def test_each_cut_includes_those_before() -> None:
    selection = tp.Selection("cuts")

    @selection.cuts
    def cuts(events: Any) -> dict[str, Any]:
        return {"hard": ak.any(events.Muon.pt > 40, axis=1), "any": ak.num(events.Muon) > 0}

    _, found = selection.build().select(block([[50.0], [30.0], []]), SIMULATION)
    assert [mask.tolist() for _, mask in found] == [[True, False, False]] * 2


def test_selection_knows_the_dataset() -> None:
    """Primary datasets overlap: one takes what the other's trigger has not taken."""
    selection = tp.Selection("overlap")

    @selection.trigger
    def trigger(events: Any) -> Any:
        if events.dataset == "SingleMuon":
            return events.HLT.IsoMu24
        return events.HLT.Ele27 & ~events.HLT.IsoMu24

    first = {
        "HLT_IsoMu24": np.array([True, True, False]),
        "HLT_Ele27": np.array([True, False, True]),
    }
    analysis = selection.build()
    found = {
        name: analysis.preselect(first, SkimContext(name, True, {})).tolist()
        for name in ("SingleMuon", "SingleElectron")
    }
    assert found == {"SingleMuon": [True, True, False], "SingleElectron": [False, False, True]}


def test_branches_behind_a_condition_are_named() -> None:
    selection = tp.Selection("overlap", reads=("Muon_charge",))
    assert "Muon_charge" in selection.build().branches


def test_trigger_that_needs_objects_is_refused() -> None:
    selection = tp.Selection("wrong")
    selection.trigger(lambda events: ak.any(events.Muon.pt > 20, axis=1))
    with pytest.raises(TaipanError, match="trigger: 'Muon_pt' is a list of objects"):
        selection.build()


@pytest.mark.parametrize(
    ("meanings", "message"),
    [
        ({}, "quantities: 'n' is computed but not described"),
        ({"n": "muons", "m": "mass"}, "quantities: 'm' is described but not computed"),
    ],
)
def test_quantities_are_those_described(meanings: dict[str, str], message: str) -> None:
    selection = tp.Selection("wrong")
    selection.quantities(meanings)(lambda events: {"n": ak.num(events.Muon)})
    with pytest.raises(TaipanError, match=message):
        selection.build()


def test_column_of_unknown_type_is_asked_for_and_may_be_described() -> None:
    def build(**options: Any) -> Any:
        selection = tp.Selection("new", **options)
        selection.quantities({"x": "something"})(
            lambda events: {"x": ak.sum(events.Muon.chi2, axis=1)}
        )
        return selection.build()

    with pytest.raises(
        TaipanError, match="column 'Muon_chi2' is stored, but its type is not known"
    ):
        build()
    analysis = build(fields={"Muon_chi2": tp.Field("int32", "cm", "something")})
    column = next(item for item in analysis.columns if item.name == "Muon_chi2")
    assert (column.dtype, column.unit, column.jagged) == ("int32", "cm", True)


def test_analysis_without_shifts_needs_no_envelope() -> None:
    selection = tp.Selection("plain")

    @selection.objects("Muon")
    def muons(events: Any) -> Any:
        return events.Muon[events.Muon.pt > 20]

    @selection.quantities({"pt": "sum of momenta [GeV]"})
    def total(events: Any) -> dict[str, Any]:
        return {"pt": ak.sum(events.Muon.pt, axis=1)}

    columns, _ = selection.build().select(block([[21.0, 19.0]]), SIMULATION)
    assert columns["Muon_pt"].values.tolist() == [21.0]  # type: ignore[union-attr]


def particles(**fields: Any) -> Any:
    return tp.make_particles(
        **{k: ak.Array(v) if isinstance(v, list) else v for k, v in fields.items()}
    )


def test_sums_distances_and_nearest_objects() -> None:
    muons = particles(pt=[[30.0, 20.0], []], eta=[[0.1, 1.0], []], phi=[[3.0, -3.0], []], mass=0.1)
    jets = particles(
        pt=[[50.0, 40.0], [30.0]], eta=[[1.1, 0.1], [0]], phi=[[3.1, 2.9], [0]], mass=5.0
    )
    pairs = ak.combinations(muons, 2, fields=["a", "b"])
    expected = vector.obj(pt=30.0, eta=0.1, phi=3.0, mass=0.1) + vector.obj(
        pt=20.0, eta=1.0, phi=-3.0, mass=0.1
    )
    total = pairs.a + pairs.b
    assert ak.to_list(total.mass) == [[pytest.approx(expected.mass)], []]
    assert ak.to_list(total.pt) == [[pytest.approx(expected.pt)], []]
    assert ak.to_list(total.eta) == [[pytest.approx(expected.eta)], []]
    assert ak.to_list((total + pairs.a).mass) == [
        [pytest.approx((expected + vector.obj(pt=30.0, eta=0.1, phi=3.0, mass=0.1)).mass)], []
    ]  # fmt: skip
    wrapped = np.hypot(0.9, 2 * np.pi - 6.0)
    assert ak.to_list(pairs.a.delta_r(pairs.b)) == [[pytest.approx(wrapped)], []]
    assert ak.to_list(muons.nearest(jets).pt) == [[40.0, 50.0], []]
    assert ak.to_list(muons.nearest(jets, threshold=0.15).pt) == [[40.0, None], []]


def columns_of(collection: str) -> dict[str, Any]:
    return {
        f"{collection}_pt": np.array([[40.0]]), f"{collection}_phi": np.array([[0.0]]),
        f"{collection}_mass": np.array([[2.0]]), "MET_pt": np.array([30.0]),
        "MET_phi": np.array([0.0]), "PuppiMET_pt": np.array([20.0]),
        "PuppiMET_phi": np.array([0.0]),
    }  # fmt: skip


@pytest.mark.parametrize("collection", ["Electron", "Photon", "FatJet"])
@pytest.mark.parametrize("missing", ["MET", "PuppiMET"])
def test_every_collection_can_be_scaled(collection: str, missing: str) -> None:
    selection = tp.Selection("any", missing=missing)
    rule = tp.scale(propagate=collection != "FatJet")
    selection.objects(collection, shifts={"scale": rule})(
        lambda events: getattr(events, collection)
    )
    selection.quantities({"met": "missing momentum"})(lambda events: {"met": events[missing].pt})
    shift = selection.build().shifts["scale"]
    found = shift.function(columns_of(collection), 0.1)
    assert shift.envelope == f"{collection.lower()}_pt"
    assert found[f"{collection}_pt"].tolist() == [[44.0]]
    assert found[f"{collection}_mass"].tolist() == [[2.2]]
    before = columns_of(collection)[f"{missing}_pt"][0]
    moved = 4.0 if collection != "FatJet" else 0.0
    assert found[f"{missing}_pt"].tolist() == [pytest.approx(before - moved)]


@pytest.mark.parametrize("seed", range(4))
def test_objects_for_which_a_mask_is_true_are_those_that_awkward_chooses(seed: int) -> None:
    """Lists of 0 to 3 objects; the mask has their lists, or others that hold as many."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, 50)
    n = int(counts.sum())
    flat = tp.make_particles(
        pt=rng.random(n), eta=rng.random(n), phi=rng.random(n), mass=rng.random(n)
    )
    objects = ak.unflatten(flat, counts)
    plain = ak.Array(objects.layout)  # without behaviours, a slice is that of awkward
    mask = objects.pt > 0.5
    shuffled = rng.permutation(50)
    for events in (slice(None), slice(5, 40), shuffled, np.arange(50) % 2 == 0):
        found = objects[events][mask[events]]
        assert ak.array_equal(ak.Array(found.layout), plain[events][ak.Array(mask.layout)[events]])
        assert ak.array_equal(found.pt, found[found.eta >= 0.0].pt)
        assert isinstance(found, type(objects))
    assert (counts != counts[shuffled]).any()
    with pytest.raises(IndexError, match="while attempting to slice"):
        objects[ak.to_packed(mask[shuffled])]


def test_example_of_the_page_runs() -> None:
    text = (ROOT / "docs/selection.md").read_text(encoding="utf-8")
    example = text.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(example, names)
    analysis = names["ANALYSIS"]
    assert analysis.trigger_branches == ("HLT_IsoMu24", "nMuon")
    assert list(analysis.quantities) == ["m_mumu"]
    assert analysis.shifts["muon_pt"].envelope == "muon_pt"
