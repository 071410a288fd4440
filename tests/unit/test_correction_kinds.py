"""Kinds of corrections: b-tags, triggers, pile-up, energies and resolutions, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from numpy.typing import NDArray
from scipy.stats import kstest

from taipan.columns.selection import Field, NewField, Selection, scale
from taipan.corrections.pileup import PileupProfile, divide_profiles, read_profile
from taipan.errors import TaipanError
from taipan.events.corrected import CorrectionSettings, OpenedCorrections, open_corrections
from tests.made_up_corrections import bins, category, formula, sides, write_file
from tests.unit.test_nominal_corrections import make

selection = Selection("jets", keep=("fixedGridRhoFastjetAll",))
gen_pt = NewField(lambda jets: jets.pt, Field("float32", "GeV", "of the generated jet"))


@selection.objects(
    "Jet",
    jets=True,
    shifts={"jet_pt": scale()},
    new={"gen_pt": gen_pt},
    keep=("hadronFlavour", "btag", "gen_pt", "rawFactor", "mass"),
)
def jets(events: Any) -> Any:
    return events.Jet[events.Jet.pt > 30]


@selection.objects("Muon")
def muons(events: Any) -> Any:
    return events.Muon[(events.Muon.pt > 20) & (abs(events.Muon.eta) < 2.4)]


@selection.quantities({"met": "missing momentum [GeV]", "n_true": "interactions", "lead": "GeV"})
def numbers(events: Any) -> dict[str, Any]:
    import awkward as ak

    lead = ak.fill_none(ak.max(events.Jet.pt, axis=1), 0.0)
    _ = events.Muon.pt
    return {"met": events.MET.pt, "n_true": events.Pileup.nTrueInt, "lead": lead}


ANALYSIS = selection.build()
NAN = np.nan


def columns(**given: Any) -> dict[str, NDArray[Any]]:
    """Events with padded objects; what is not given is 0 where there is an object."""
    n = len(next(iter(given.values())))
    made: dict[str, NDArray[Any]] = {"event_hash": np.arange(n, dtype=np.uint64)}
    for column in ANALYSIS.columns:
        group = column.name.partition("_")[0]
        if column.name in given:
            made[column.name] = np.array(given[column.name], np.float32)
        elif column.jagged:
            shape = np.array(given.get(f"{group}_pt", [[NAN]] * n), np.float32)
            made[column.name] = np.where(np.isnan(shape), np.float32(NAN), np.float32(0.0))
        elif column.name != "event_hash":
            made[column.name] = np.zeros(n, column.dtype)
    return made


def opened(**corrections: Any) -> OpenedCorrections:
    found = open_corrections(make(**corrections), ANALYSIS, CorrectionSettings({}, {}))
    assert found is not None
    return found


def weigh(stored: dict[str, NDArray[Any]], side: Any = "apply", **keys: Any) -> list[float]:
    found = opened(one=keys).evaluate("one", "S", stored, ANALYSIS.compute(stored), side)
    return [float(x) for x in found.values]


# --- weights of objects -------------------------------------------------------------------------


def test_object_weights_are_multiplied_over_the_selected_objects(tmp_path: Path) -> None:
    tree = bins("eta", [0, 1.2, 2.4], [formula("1 + 0.01 * x", "pt"), 0.5])
    path = write_file(tmp_path / "m.json", {"id": ({"eta": "real", "pt": "real"}, tree)})
    data = columns(
        Muon_pt=[[50.0, 30.0, 10.0], [25.0, NAN, NAN], [NAN] * 3, [40.0, NAN, NAN]],
        Muon_eta=[[0.5, -2.0, 9.0], [-0.1, NAN, NAN], [NAN] * 3, [2.3, NAN, NAN]],
    )
    keys = {"file": path, "correction": "id", "objects": "Muon", "inputs": {"eta": "abs(eta)"}}
    assert weigh(data, **keys) == pytest.approx([1.5 * 0.5, 1.25, 1.0, 0.5])
    assert weigh(data, **keys, where="pt > 35") == pytest.approx([1.5, 1.0, 1.0, 0.5])


def test_inputs_of_objects_may_be_quantities_of_their_event(tmp_path: Path) -> None:
    path = write_file(tmp_path / "m.json", {"c": ({"met": "real"}, formula("x", "met"))})
    data = columns(
        Muon_pt=[[50.0, 30.0], [25.0, NAN]], Muon_eta=[[0.0, 0.0], [0.0, NAN]], MET_pt=[3.0, 5.0]
    )
    assert weigh(data, file=path, correction="c", objects="Muon") == pytest.approx([9.0, 5.0])


def test_trigger_is_the_ratio_of_the_chances_that_one_muon_fires(tmp_path: Path) -> None:
    """1 - (1 - 0.9)(1 - 0.5) = 0.95 over 1 - (1 - 0.8)(1 - 0.4) = 0.88."""
    data_tree = bins("pt", [20, 40, 100], [sides(0.5, 0.6, 0.4), sides(0.9, 0.95, 0.85)])
    path = write_file(
        tmp_path / "t.json",
        {
            "data": ({"pt": "real", "syst": "string"}, data_tree),
            "mc": ({"pt": "real"}, bins("pt", [20, 40, 100], [0.4, 0.8])),
        },
    )
    data = columns(
        Muon_pt=[[50.0, 30.0], [30.0, NAN], [NAN, NAN]], Muon_eta=[[0, 0], [0, NAN], [NAN, NAN]]
    )
    keys = {"kind": "trigger", "file": path, "objects": "Muon", "data": "data",
            "simulation": "mc", "up": "up", "down": "down"}  # fmt: skip
    assert weigh(data, **keys) == pytest.approx([0.95 / 0.88, 0.5 / 0.4, 1.0])
    assert weigh(data, "up", **keys) == pytest.approx([(1 - 0.05 * 0.4) / 0.88, 1.5, 1.0])


# --- b-tags -------------------------------------------------------------------------------------

SF = {5: {"L": 0.95, "T": 0.9}, 0: {"L": 1.2, "T": 1.5}}
EFFICIENCY = {5: {"L": 0.8, "T": 0.5}, 0: {"L": 0.1, "T": 0.01}}
TAGS = {
    "Jet_pt": [[50.0, 60.0, 70.0], [40.0, 20.0, NAN], [NAN] * 3],
    "Jet_btag": [[0.9, 0.4, 0.1], [0.1, 0.9, NAN], [NAN] * 3],
    "Jet_hadronFlavour": [[5, 5, 0], [5, 5, NAN], [NAN] * 3],
}


def tag_file(path: Path) -> str:
    def tree(table: dict[int, dict[str, float]], up: float = 0.0) -> Any:
        return category(
            "working_point",
            {
                point: category(
                    "flavor",
                    {
                        flavour: bins("pt", [20, 1000], [table[flavour][point] * (1 + up)])
                        for flavour in (5, 0)
                    },
                )
                for point in ("L", "T")
            },
        )

    inputs = {"working_point": "string", "flavor": "int", "pt": "real"}
    varied = category(
        "systematic", {"central": tree(SF), "up": tree(SF, 0.02), "down": tree(SF, -0.02)}
    )
    return write_file(
        path,
        {
            "sf": ({"systematic": "string", **inputs}, varied),
            "efficiency": (inputs, tree(EFFICIENCY)),
            "light": ({"systematic": "string"}, sides(1.3, 1.4, 1.2, "systematic")),
        },
    )


def tags(path: str, **more: Any) -> dict[str, Any]:
    keys = {"kind": "btag", "file": path, "correction": "sf", "tagger": "btag", "apply": "central",
            "up": "up", "down": "down", "working_points": {"L": 0.3},
            "efficiencies": {"file": path}}  # fmt: skip
    return {**keys, **more}


def test_one_working_point_weighs_tagged_and_other_jets_by_method_1a(tmp_path: Path) -> None:
    """Two b-jets pass, a light one does not; jets below 30 GeV are not selected."""
    keys, data = tags(tag_file(tmp_path / "b.json")), columns(**TAGS)
    light = (1 - 1.2 * 0.1) / (1 - 0.1)
    missed = (1 - 0.95 * 0.8) / (1 - 0.8)
    assert weigh(data, **keys) == pytest.approx([0.95**2 * light, missed, 1.0])
    up = [(0.95 * 1.02) ** 2 * (1 - 1.2 * 1.02 * 0.1) / 0.9, (1 - 0.95 * 1.02 * 0.8) / 0.2, 1.0]
    assert weigh(data, "up", **keys) == pytest.approx(up)


def test_light_jets_may_have_scale_factors_of_their_own(tmp_path: Path) -> None:
    """The light jet of the first event is not tagged: (1 − 1.3·0.1) / (1 − 0.1)."""
    keys = {**tags(tag_file(tmp_path / "b.json")), "light": "light", "apply": "central"}
    path = tag_file(tmp_path / "b.json")
    text = Path(path).read_text().replace('"nominal"', '"central"')
    Path(path).write_text(text)
    missed = (1 - 0.95 * 0.8) / (1 - 0.8)
    expected = [0.95**2 * (1 - 1.3 * 0.1) / 0.9, missed, 1.0]
    assert weigh(columns(**TAGS), **keys) == pytest.approx(expected)


def test_several_working_points_share_out_the_probability(tmp_path: Path) -> None:
    """A jet that passes L alone: (0.95·0.8 − 0.9·0.5) / (0.8 − 0.5)."""
    keys = tags(tag_file(tmp_path / "b.json"), working_points={"T": 0.7, "L": 0.3})
    between = (0.95 * 0.8 - 0.9 * 0.5) / (0.8 - 0.5)
    light = (1 - 1.2 * 0.1) / 0.9
    assert weigh(columns(**TAGS), **keys) == pytest.approx(
        [0.9 * between * light, (1 - 0.95 * 0.8) / 0.2, 1.0]
    )


def test_weights_of_all_tag_patterns_keep_the_expected_events(tmp_path: Path) -> None:
    """Tags drawn with the efficiencies of simulation: the mean weight is 1."""
    keys = tags(tag_file(tmp_path / "b.json"), working_points={"T": 0.7, "L": 0.3})
    rng = np.random.default_rng(5)
    n = 40_000
    flavour = rng.choice([0, 5], (n, 2))
    u = rng.random((n, 2))
    loose = np.where(flavour == 5, 0.8, 0.1)
    tight = np.where(flavour == 5, 0.5, 0.01)
    value = np.select([u < tight, u < loose], [0.9, 0.4], 0.1)
    data = columns(Jet_pt=np.full((n, 2), 50.0), Jet_btag=value, Jet_hadronFlavour=flavour)
    found = np.array(weigh(data, **keys))
    assert found.std() > 0.05
    assert found.mean() == pytest.approx(1.0, abs=4 * found.std() / np.sqrt(n))


def test_efficiency_that_leaves_no_such_jet_is_refused(tmp_path: Path) -> None:
    """An efficiency of 1, and jets that are not tagged."""
    certain = {"efficiency": ({"pt": "real"}, bins("pt", [0, 1000], [1.0]))}
    ones = write_file(tmp_path / "e.json", certain)
    keys = tags(tag_file(tmp_path / "b.json"), efficiencies={"file": ones})
    with pytest.raises(TaipanError) as error:
        weigh(columns(**TAGS), **keys)
    line = str(error.value)
    assert line.startswith(
        "corrections.one.efficiencies: 2 of 4 jets, the first of which passes no"
    )


# --- pile-up ------------------------------------------------------------------------------------


def test_pileup_weights_are_the_ratio_of_normalised_profiles(tmp_path: Path) -> None:
    for name, counts in (("d", [1.0, 2.0, 1.0, 0.0]), ("s", [10.0, 10.0, 20.0, 40.0])):
        content = {"edges": [0.0, 10.0, 20.0, 30.0, 40.0], "counts": counts}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    data = columns(Pileup_nTrueInt=[5.0, 10.0, 29.9], MET_pt=[1.0] * 3)
    keys = {"kind": "pileup", "quantity": "n_true", "cross_section": 0.05,
            "data_profile": str(tmp_path / "d.json"),
            "simulation_profile": str(tmp_path / "s.json")}  # fmt: skip
    assert weigh(data, **keys, out_of_range="error") == pytest.approx([2.0, 4.0, 1.0])
    # stretched by 1.05, the first bin holds 10 / 10.5 of its 0.25
    assert weigh(data, "up", **keys)[0] == pytest.approx((0.25 * 10 / 10.5) / 0.125)
    assert weigh(data, "down", **keys)[0] == pytest.approx((0.25 + 0.5 * 0.5 / 9.5) / 0.125)
    outside = columns(Pileup_nTrueInt=[41.0], MET_pt=[1.0])
    with pytest.raises(TaipanError, match=r"n_true = 41, bins from 0 to 40"):
        weigh(outside, **keys)
    assert weigh(outside, **keys, out_of_range="clamp") == pytest.approx([0.0])


def test_stretched_normal_profile_is_that_of_the_larger_mean() -> None:
    """A normal profile of mean 20 and width 4, stretched by 1.046, is one of 20.92 and 4.184."""
    edges = np.linspace(0.0, 60.0, 601)
    middle = 0.5 * (edges[1:] + edges[:-1])

    def normal(mean: float, width: float) -> NDArray[Any]:
        return np.exp(-0.5 * ((middle - mean) / width) ** 2)

    data, flat = PileupProfile(edges, normal(20.0, 4.0)), PileupProfile(edges, np.ones(600))
    expected = normal(20.92, 4.184)
    found = divide_profiles("k", data, flat, 1.046)
    np.testing.assert_allclose(found, expected / expected.mean(), atol=2e-3 * found.max())


def test_profile_is_a_root_histogram_too(tmp_path: Path) -> None:
    counts, edges = np.array([1.0, 3.0]), np.array([0.0, 1.0, 2.0])
    with uproot.recreate(tmp_path / "p.root") as file:
        file["pileup"] = (counts, edges)
    found = read_profile("k", f"{tmp_path}/p.root:pileup")
    np.testing.assert_array_equal(found.counts, counts)
    with pytest.raises(TaipanError, match=r"k: .*p.root:other: not a profile"):
        read_profile("k", f"{tmp_path}/p.root:other")
    with pytest.raises(TaipanError, match=r"33 % of the data .* are not simulated|have numbers"):
        divide_profiles(
            "k", PileupProfile(edges, counts), PileupProfile(edges, counts[::-1] * [0, 1]), 1.0
        )


# --- energies -----------------------------------------------------------------------------------


def energy_file(path: Path) -> str:
    return write_file(
        path,
        {
            "jec": (
                {"eta": "real", "raw": "real"},
                bins("eta", [-5, 0, 5], [1.1, formula("1 + 0.001 * x", "raw")]),
            ),
            "total": ({"eta": "real"}, bins("eta", [-5, 5], [0.03])),
            "residual": ({"eta": "real"}, bins("eta", [-5, 5], [1.02])),
            "sigma": ({"eta": "real"}, bins("eta", [-5, 5], [0.1])),
            "sf": (
                {"eta": "real", "syst": "string"},
                bins("eta", [-5, 5], [sides(1.25, 1.5, 1.0)]),
            ),
        },
    )


JETS = {
    "Jet_pt": [[100.0, 40.0], [28.0, NAN]],
    "Jet_eta": [[-1.0, 1.0], [-1.0, NAN]],
    "Jet_phi": [[0.0, np.pi / 2], [np.pi, NAN]],
    "Jet_mass": [[10.0, 4.0], [2.0, NAN]],
    "Jet_rawFactor": [[0.1, 0.2], [0.0, NAN]],
    "MET_pt": [50.0, 10.0],
    "MET_phi": [0.0, 0.0],
}


def test_energy_correction_multiplies_the_raw_momentum_and_the_missing_one_balances(
    tmp_path: Path,
) -> None:
    """Raw 90 and 32: 90·1.1 = 99, and 32·1.032 = 33.024; the jet of 28 passes 30 GeV."""
    keys = {"kind": "energy", "file": energy_file(tmp_path / "j.json"), "correction": "jec",
            "inputs": {"eta": "eta", "raw": "pt * (1 - rawFactor)"},
            "relative_to": "pt * (1 - rawFactor)", "data": "residual"}  # fmt: skip
    found = opened(one=keys).correct_objects(columns(**JETS), is_data=False)
    np.testing.assert_allclose(found["Jet_pt"], [[99.0, 33.024], [30.8, NAN]], rtol=1e-6)
    np.testing.assert_allclose(found["Jet_mass"][0], [9.9, 4 * 33.024 / 40], rtol=1e-6)
    x, y = 50.0 + 1.0, 40.0 - 33.024  # what the jets lost in x and y
    np.testing.assert_allclose(found["MET_pt"][0], np.hypot(x, y), rtol=1e-6)
    np.testing.assert_allclose(found["MET_pt"][1], 10.0 + 2.8, rtol=1e-6)
    lead = ANALYSIS.compute(found)["lead"]
    np.testing.assert_allclose(lead, [99.0, 30.8], rtol=1e-6)
    of_data = opened(one=keys).correct_objects(columns(**JETS), is_data=True)
    np.testing.assert_allclose(of_data["Jet_pt"][0], [90.0 * 1.02, 32.0 * 1.02], rtol=1e-6)


def test_energy_uncertainty_is_around_the_corrected_momentum(tmp_path: Path) -> None:
    keys = {"kind": "energy", "file": energy_file(tmp_path / "j.json"), "correction": "jec",
            "inputs": {"eta": "eta", "raw": "pt"}, "uncertainty": "total"}  # fmt: skip
    corrections = opened(one=keys)
    nominal = corrections.correct_objects(columns(**JETS), is_data=False)
    np.testing.assert_allclose(nominal["Jet_pt"][0], [110.0, 41.6], rtol=1e-6)
    for pull, factor in ((1.0, 1.03), (-1.0, 0.97), (-2.0, 0.94), (0.5, 1.015)):
        found = corrections.shift("one", nominal, pull)
        np.testing.assert_allclose(found["Jet_pt"], nominal["Jet_pt"] * factor, rtol=1e-6)
        x, y = 50.0 - 10.0 - 110.0 * (factor - 1), -1.6 - 41.6 * (factor - 1)
        np.testing.assert_allclose(found["MET_pt"][0], np.hypot(x, y), rtol=1e-5)
    assert corrections.shift("one", nominal, 0.0) is nominal


def test_jet_with_a_generated_one_is_scaled_and_another_is_smeared(tmp_path: Path) -> None:
    """s = 1.25: 100 with 96 generated becomes 101; smeared jets have σ = 0.1·√(1.25² − 1)."""
    n = 20_000
    rng = np.random.default_rng(1)
    data = columns(
        Jet_pt=np.full((n, 2), 100.0),
        Jet_eta=rng.normal(0, 1, (n, 2)),
        Jet_phi=rng.uniform(-3, 3, (n, 2)),
        Jet_gen_pt=np.stack([np.full(n, 96.0), np.full(n, 40.0)], axis=1),
    )
    data["event_hash"] = rng.integers(0, 2**63, n).astype(np.uint64)
    keys = {"kind": "resolution", "file": energy_file(tmp_path / "j.json"), "resolution": "sigma",
            "scale_factor": "sf", "generated": "gen_pt", "up": "up", "down": "down"}  # fmt: skip
    corrections = opened(one=keys)
    found = corrections.correct_objects(data, is_data=False)
    np.testing.assert_allclose(found["Jet_pt"][:, 0], 101.0, rtol=1e-6)
    drawn = (found["Jet_pt"][:, 1] / 100.0 - 1.0) / (0.1 * np.sqrt(1.25**2 - 1.0))
    assert kstest(drawn, "norm").pvalue > 0.01
    up = corrections.shift("one", found, 1.0)
    np.testing.assert_allclose(up["Jet_pt"][:, 0], 102.0, rtol=1e-6)
    again = (up["Jet_pt"][:, 1] / 100.0 - 1.0) / (0.1 * np.sqrt(1.5**2 - 1.0))
    np.testing.assert_allclose(again, drawn, atol=1e-3)
    down = corrections.shift("one", found, -1.0)
    np.testing.assert_allclose(down["Jet_pt"], 100.0, rtol=1e-5)
    assert corrections.correct_objects(data, is_data=True)["Jet_pt"] is not found["Jet_pt"]


def test_smearing_depends_on_the_event_and_the_jet_alone(tmp_path: Path) -> None:
    """Not on the order of events, on others read with them, or on the jets before it."""
    rng = np.random.default_rng(2)
    n = 200
    data = columns(
        Jet_pt=rng.uniform(40, 90, (n, 3)),
        Jet_eta=rng.normal(0, 1, (n, 3)),
        Jet_phi=rng.uniform(-3, 3, (n, 3)),
    )
    keys = {"kind": "resolution", "file": energy_file(tmp_path / "j.json"), "resolution": "sigma",
            "scale_factor": "sf"}  # fmt: skip
    corrections = opened(one=keys)
    whole = corrections.correct_objects(data, is_data=False)["Jet_pt"]
    order = rng.permutation(n)[:50]
    some = {name: values[order] for name, values in data.items()}
    part = corrections.correct_objects(some, is_data=False)["Jet_pt"]
    np.testing.assert_array_equal(part, whole[order])
    fewer = {k: v[:, 1:] if v.ndim == 2 and k.startswith("Jet") else v for k, v in data.items()}
    left = corrections.correct_objects(fewer, is_data=False)["Jet_pt"]
    np.testing.assert_array_equal(left, whole[:, 1:])
    assert len(np.unique(whole / data["Jet_pt"])) > 550


def test_data_have_no_generated_quantities_and_simulation_needs_them() -> None:
    stored = {column.name for column in ANALYSIS.columns}
    assert {"Jet_hadronFlavour", "Pileup_nTrueInt", "fixedGridRhoFastjetAll"} <= stored
    generated = {"Jet_hadronFlavour", "Pileup_nTrueInt"}
    assert generated <= set(ANALYSIS.simulation_branches)
    assert not generated & set(ANALYSIS.branches)
