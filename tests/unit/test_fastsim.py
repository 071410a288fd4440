"""The parametric simulation: files, physics, truth."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from scipy.stats import chi2, ks_2samp

from taipan.atomic import read_json
from taipan.errors import TaipanError
from taipan.fastsim import (
    BRANCHES_COMMON,
    BRANCHES_SIGNED,
    BRANCHES_SIMULATION,
    DATASETS,
    FastsimSettings,
    decays,
    generated_events,
    other_processes,
    processes,
    resonances,
    write_dataset,
    write_truth,
)
from taipan.fastsim.detector import Conditions, simulate_detector
from taipan.fastsim.detector_response import PILE_UP_DATA, PILE_UP_SIMULATION
from taipan.fastsim.event_table import round_mantissa
from taipan.fastsim.generator_filter import generate_filtered, passes_filter
from taipan.fastsim.hard_events import SOURCE_TAU, HardEvents
from taipan.fastsim.kinematics import decay_in_two, from_transverse
from taipan.fastsim.mismodelling import DetectorDifference, make_mismodelling
from taipan.fastsim.seeding import generator_for
from taipan.fastsim.settings import expected_collisions
from taipan.kinematics import delta_phi, delta_r

CATALOGUE = (
    Path(__file__).parents[2] / "config" / "analyses" / "htautau" / "datasets" / "fastsim.yaml"
)
EVENTS = 4000


def make_settings(**changes: object) -> FastsimSettings:
    simulated = {name: EVENTS for name in DATASETS if not name.startswith("Run")}
    settings = FastsimSettings(0.05, 1.0, "none", 1.0, 0.2, simulated)
    return replace(settings, **changes)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("fastsim")
    paths = {name: folder / f"{name}.root" for name in DATASETS}
    for name, path in paths.items():
        write_dataset(name, path, make_settings(), seed=11)
    return paths


def read(path: Path, *branches: str) -> ak.Array:
    return uproot.open(path)["Events"].arrays(branches or None)


def generate(name: str, count: int, seed: int = 5) -> HardEvents:
    generators = {
        component.name: component.generate for component, _ in processes.collision_components()
    }
    return generate_filtered(np.random.default_rng(seed), generators[name], count)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", DATASETS)
def test_branches_have_the_names_and_types_of_the_cms_files(
    files: dict[str, Path], dataset: str
) -> None:
    expected = dict(BRANCHES_COMMON)
    if not dataset.startswith("Run"):
        expected |= BRANCHES_SIMULATION
    if dataset == "DYToTauTau_NLO":
        expected |= BRANCHES_SIGNED
    tree = uproot.open(files[dataset])["Events"]
    found = {}
    for branch in tree.branches:
        kind = branch.interpretation
        kind = getattr(kind, "content", kind)
        found[branch.name] = np.dtype(kind.to_dtype).newbyteorder("=").name
    assert found == expected


def test_branch_lists_are_the_documented_ones() -> None:
    muon = (
        "pt eta phi mass charge pfRelIso03_all pfRelIso04_all tightId softId dxy dxyErr dz dzErr "
        "jetIdx genPartIdx"
    )
    tau = (
        "pt eta phi mass charge decayMode relIso_all jetIdx genPartIdx idDecayMode idIsoRaw "
        "idIsoVLoose idIsoLoose idIsoMedium idIsoTight idAntiEleLoose idAntiEleMedium "
        "idAntiEleTight idAntiMuLoose idAntiMuMedium idAntiMuTight"
    )
    collections = {"Muon": muon, "Tau": tau, "Jet": "pt eta phi mass puId btag"}
    scalars = [
        "run",
        "luminosityBlock",
        "event",
        "HLT_IsoMu24_eta2p1",
        "HLT_IsoMu24",
        "HLT_IsoMu17_eta2p1_LooseIsoPFTau20",
        "PV_npvs",
        "PV_x",
        "PV_y",
        "PV_z",
        "MET_pt",
        "MET_phi",
        "MET_sumet",
        "MET_significance",
        "MET_CovXX",
        "MET_CovXY",
        "MET_CovYY",
    ]
    lists = [f"{name}_{field}" for name, text in collections.items() for field in text.split()]
    assert set(BRANCHES_COMMON) == {*scalars, *lists, *(f"n{name}" for name in collections)}
    flags = {name for name in BRANCHES_COMMON if "_id" in name or "HLT" in name or "puId" in name}
    flags = {*flags, "Muon_tightId", "Muon_softId"} - {"Tau_idIsoRaw"}
    integers = {"PV_npvs", "run", "Tau_decayMode", *(f"n{name}" for name in collections)}
    integers |= {name for name in lists if name.endswith(("_charge", "Idx"))}
    special = {"luminosityBlock": "uint32", "event": "uint64"}
    for name, kind in BRANCHES_COMMON.items():
        plain = "bool" if name in flags else "int32" if name in integers else "float32"
        assert kind == special.get(name, plain), name
    gen = [f"GenPart_{field}" for field in ["pt", "eta", "phi", "mass", "pdgId", "status"]]
    assert set(BRANCHES_SIMULATION) == {"nGenPart", *gen}


def test_same_seed_gives_same_bytes_anywhere(tmp_path: Path) -> None:
    settings = make_settings()
    for dataset in ("DYToTauTau_NLO", "Run2012B_TauPlusX"):
        first, second, other = (tmp_path / name for name in ("a/x.root", "b/y.root", "c.root"))
        write_dataset(dataset, first, settings, seed=3)
        write_dataset(dataset, second, settings, seed=3)
        write_dataset(dataset, other, settings, seed=4)
        assert digest(first) == digest(second)
        assert digest(first) != digest(other)
        # Times have a resolution of one second: equal bytes alone do not show that none is in.
        with uproot.open(first) as file:
            assert file.created_on.year == file.modified_on.year == 2012


def test_batches_are_joined_without_gap_or_repetition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taipan.fastsim.datasets.BATCH_EVENTS", 700)
    path = tmp_path / "w.root"
    written = write_dataset("W1JetsToLNu", path, make_settings(), seed=1)
    events = read(path, "run", "luminosityBlock", "event", "Muon_phi", "MET_pt")
    assert written["events"] == len(events) == EVENTS
    identity = set(zip(events["run"], events["luminosityBlock"], events["event"], strict=True))
    assert len(identity) == EVENTS
    # Batches have their own random numbers.
    content = set(zip(events["Muon_phi"][:, 0], events["MET_pt"], strict=True))
    assert len(content) > 0.99 * EVENTS


def test_a_failure_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("detector broken")

    monkeypatch.setattr("taipan.fastsim.datasets.simulate_detector", fail)
    with pytest.raises(RuntimeError, match="detector broken"):
        write_dataset("TTbar", tmp_path / "t.root", make_settings(), seed=1)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_dataset_has_its_branches(tmp_path: Path) -> None:
    path = tmp_path / "empty.root"
    written = write_dataset("TTbar", path, make_settings(events={"TTbar": 0}), seed=1)
    tree = uproot.open(path)["Events"]
    assert written["events"] == tree.num_entries == 0
    assert "Muon_pt" in tree.keys()  # noqa: SIM118 - a tree is not a mapping


def test_rounding_is_to_nearest_with_the_stated_error() -> None:
    values = np.random.default_rng(1).lognormal(3.0, 2.0, 10_000).astype(np.float32)
    values.flags.writeable = False
    rounded = round_mantissa(values, 10)
    assert np.max(np.abs(rounded / values - 1.0)) <= 2.0**-11
    assert np.max(np.abs(rounded / values - 1.0)) > 2.0**-12
    assert not np.any(rounded.view(np.uint32) & np.uint32((1 << 13) - 1))
    assert abs(np.mean(rounded / values - 1.0)) < 2.0**-11 / 50


# Catalogue and settings ----------------------------------------------------------------------


def test_catalogue_has_the_numbers_of_the_code() -> None:
    catalogue = yaml.safe_load(CATALOGUE.read_text())
    assert tuple(catalogue["datasets"]) == DATASETS
    for name, entry in catalogue["datasets"].items():
        assert entry["is_data"] == name.startswith("Run")
        assert entry["files"] == [f"{name}.root"]
        if entry["is_data"]:
            continue
        sample = processes.SAMPLES[name]
        assert entry["cross_section"]["value"] == sample.cross_section
        assert entry["cross_section"]["unit"] == "pb"
        branching = entry.get("branching_ratio", {"value": 1.0})["value"]
        assert branching == pytest.approx(sample.branching_ratio, rel=1e-12)
        efficiency = entry["filter_efficiency"]["value"]
        assert efficiency == pytest.approx(sample.filter_efficiency, rel=1e-7)


def test_signal_cross_section_has_the_branching_ratio() -> None:
    for name in ("GluGluToHToTauTau", "VBF_HToTauTau"):
        assert processes.SAMPLES[name].branching_ratio == 0.0632


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"luminosity": 0.0}, r"fastsim.luminosity: 0.0 is not above 0"),
        ({"luminosity": float("nan")}, r"fastsim.luminosity: nan is not a finite number"),
        ({"mu": -1.0}, r"fastsim.mu: -1.0 is below 0"),
        ({"mismodelling_family": "jet"}, r"'jet' is not one of none, jets, met, tau"),
        ({"negative_fraction": 0.5}, r"fastsim.negative_fraction: 0.5 is not in \[0, 0.5\)"),
        ({"events": {"ZZ": 3}}, r"fastsim.events.ZZ: not a simulated dataset \(GluGlu"),
        ({"events": {"TTbar": -3}}, r"fastsim.events.TTbar: -3 is below 0"),
    ],
)
def test_bad_settings_name_key_and_value(changes: dict[str, object], message: str) -> None:
    with pytest.raises(TaipanError, match=message):
        make_settings(**changes)


def test_unknown_and_missing_datasets_are_named(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match=r"'Zgamma' is not a dataset \(GluGluToHToTauTau, "):
        write_dataset("Zgamma", tmp_path / "z.root", make_settings(), seed=1)
    with pytest.raises(TaipanError, match=r"fastsim.events: no number of events for TTbar"):
        generated_events(make_settings(events={}), "TTbar")


def test_collisions_follow_luminosity_and_signal_strength(files: dict[str, Path]) -> None:
    settings = make_settings()
    period_b, period_c = "Run2012B_TauPlusX", "Run2012C_TauPlusX"
    once, thrice = (expected_collisions(replace(settings, mu=mu), period_b) for mu in (1.0, 3.0))
    for name, value in once.items():
        factor = 3.0 if name in ("ggH", "qqH") else 1.0
        assert thrice[name] == pytest.approx(factor * value)
    # sigma B epsilon L, by hand: 19.6 pb x 0.0632 x 0.035 x 50 / pb x 4.412 / 11.467.
    assert once["ggH"] == pytest.approx(19.6 * 0.0632 * 0.035 * 50.0 * 4.412 / 11.467)
    total = {name: generated_events(settings, name) for name in (period_b, period_c)}
    assert total[period_c] / total[period_b] == pytest.approx(7.055 / 4.412, rel=1e-3)
    double = generated_events(replace(settings, luminosity=0.1), period_b)
    assert double == pytest.approx(2 * total[period_b], abs=1)
    for name, expected in total.items():
        written = uproot.open(files[name])["Events"].num_entries
        assert abs(written - expected) < 4.0 * np.sqrt(expected)


def test_truth_record(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    settings = make_settings(mismodelling_family="tau", mismodelling_size=2.0, mu=1.5)
    write_truth(path, settings, seed=9)
    truth = read_json(path)
    assert (truth["seed"], truth["mu"], truth["luminosity"]) == (9, 1.5, 0.05)
    assert truth["strengths"]["VBF_HToTauTau"] == truth["strengths"]["GluGluToHToTauTau"] == 1.5
    assert truth["strengths"]["DYJetsToLL"] == truth["strengths"]["TTbar"] == 1.0
    assert truth["qcd_os_ss_factor"] == 1.06
    assert truth["mismodelling"]["family"] == "tau"
    assert truth["mismodelling"]["tau_scale"] == pytest.approx(0.06)
    assert truth["mismodelling"]["jet_scale"] == 0.0
    total = sum(sum(events.values()) for events in truth["expected_events"].values())
    rounded = [generated_events(settings, name) for name in DATASETS if name.startswith("Run")]
    assert total == pytest.approx(sum(rounded), abs=1.0)
    assert truth["filter_efficiency"]["DYJetsToLL"] == pytest.approx(0.00535)


def test_random_numbers_depend_on_every_name() -> None:
    draws = [
        generator_for(*names).random()
        for names in ((1, "TTbar", 0), (1, "TTbar", 1), (2, "TTbar", 0), (1, "W1JetsToLNu", 0))
    ]
    assert len(set(draws)) == 4
    assert generator_for(1, "TTbar", 0).random() == draws[0]


# Generators ----------------------------------------------------------------------------------


def test_two_body_decay_conserves_momentum_and_masses() -> None:
    rng = np.random.default_rng(2)
    count = 1000
    parent = from_transverse(
        rng.normal(0, 50, count),
        rng.normal(0, 50, count),
        rng.normal(0, 2, count),
        np.full(count, 125.0),
    )
    assert np.allclose(parent.mass, 125.0)
    first, second = decay_in_two(
        parent, 1.777, 0.5, rng.uniform(-1, 1, count), rng.uniform(-np.pi, np.pi, count)
    )
    both = first + second
    for name in ("px", "py", "pz", "energy"):
        assert np.allclose(getattr(both, name), getattr(parent, name), rtol=1e-9, atol=1e-6)
    assert np.allclose(first.mass, 1.777, atol=1e-3)
    assert np.allclose(second.mass, 0.5, atol=5e-3)


def test_decay_laws() -> None:
    rng = np.random.default_rng(3)
    count = 200_000
    # Moments of (5 - 9 x^2 + 4 x^3) / 3 and of 3/8 (1 + c^2).
    x = decays.draw_lepton_fraction(rng, count)
    assert np.mean(x) == pytest.approx(0.35, abs=0.003)
    assert np.mean(x**2) == pytest.approx((5 / 3 - 9 / 5 + 4 / 6) / 3, abs=0.003)
    cosine = decays.draw_vector_cosine(rng, count)
    assert np.mean(cosine**2) == pytest.approx(0.4, abs=0.003)
    assert abs(np.mean(cosine)) < 0.006
    taus = decays.draw_hadronic_taus(rng, count)
    pion = taus.mode == 0
    assert np.mean(pion) == pytest.approx(0.275, abs=0.004)
    assert np.mean(taus.fraction[pion]) == pytest.approx(0.5, abs=0.006)
    assert np.all(taus.fraction >= np.minimum((taus.mass / decays.MASS_TAU) ** 2, 0.95))
    assert np.median(taus.mass[taus.mode == 1]) == pytest.approx(0.797, abs=0.01)


@pytest.mark.parametrize(
    ("name", "identifier", "mass", "tolerance"),
    [("ggH", 25, 125.0, 0.01), ("qqH", 25, 125.0, 0.01), ("ZTT", 23, 91.19, 0.5)],
)
def test_resonances_have_their_mass(
    name: str, identifier: int, mass: float, tolerance: float
) -> None:
    events = generate(name, 5000)
    assert np.all(events.gen_id[:, 0] == identifier)
    assert np.median(events.gen_mass[:, 0]) == pytest.approx(mass, abs=tolerance)
    # Both taus together are the boson.
    px = np.sum((events.gen_pt * np.cos(events.gen_phi))[:, 1:], axis=1)
    assert np.allclose(px, events.gen_pt[:, 0] * np.cos(events.gen_phi[:, 0]), atol=1e-6)


def test_w_transverse_mass_has_its_edge() -> None:
    events = generate("W1", 20_000)
    met = np.hypot(events.neutrino_px, events.neutrino_py)
    azimuth = np.arctan2(events.neutrino_py, events.neutrino_px)
    angle = 1.0 - np.cos(delta_phi(azimuth, events.muon_phi))
    transverse = np.sqrt(2.0 * events.muon_pt * met * angle)
    direct = transverse[events.muon_parent == 13]
    counts, edges = np.histogram(direct, np.arange(20.0, 120.0, 4.0))
    assert 70.0 <= edges[np.argmax(counts)] < 82.0
    assert np.mean(direct > 90.0) < 0.05


def test_tagging_jets_are_forward_and_heavy() -> None:
    fusion, gluon = generate("qqH", 5000), generate("ggH", 5000)
    gap = np.abs(fusion.jet_eta[:, 0] - fusion.jet_eta[:, 1])
    assert np.median(gap) > 3.0
    assert np.all(np.count_nonzero(fusion.jet_pt, axis=1) >= 2)
    assert np.mean(np.count_nonzero(gluon.jet_pt, axis=1)) < 1.6


def test_top_pairs_have_two_beauty_quarks() -> None:
    events = generate("TT", 5000)
    beauty = np.count_nonzero((events.jet_flavour == 5) & (events.jet_pt > 0), axis=1)
    fakes = events.tau_source != SOURCE_TAU
    assert np.all(beauty[~fakes] == 2)
    assert set(np.unique(beauty[fakes])) == {1, 2}


def test_charges_by_process() -> None:
    def opposite(name: str) -> float:
        events = generate(name, 10_000)
        return float(np.mean(events.muon_charge * events.tau_charge < 0))

    assert opposite("ZTT") == pytest.approx(0.982, abs=0.006)
    assert opposite("W2") == pytest.approx(0.745, abs=0.015)
    factor = opposite("QCD") / (1.0 - opposite("QCD"))
    assert factor == pytest.approx(other_processes.QCD_OS_SS_FACTOR, abs=0.065)


def test_filter_gives_exactly_the_number_asked_for() -> None:
    for count in (0, 1, 777):
        events = generate("ZLL", count)
        assert len(events) == count
        assert np.all(passes_filter(events))


def test_filter_refuses_a_generator_that_passes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taipan.fastsim.generator_filter._MOST_ROUNDS", 3)

    def central(rng: np.random.Generator, count: int) -> HardEvents:
        events = resonances.generate_z_to_taus(rng, count)
        return replace(events, muon_eta=np.full(count, 3.0))

    with pytest.raises(RuntimeError, match="10 of 10 events still missing"):
        generate_filtered(np.random.default_rng(1), central, 10)


# Signed weights and truth matching -----------------------------------------------------------


def test_signed_sample_has_the_density_of_the_positive_one(tmp_path: Path) -> None:
    settings = make_settings(
        negative_fraction=0.3, events={"DYToTauTau_NLO": 40_000, "DYJetsToLL": 40_000}
    )
    signed, plain = tmp_path / "signed.root", tmp_path / "plain.root"
    written = write_dataset("DYToTauTau_NLO", signed, settings, seed=2)
    write_dataset("DYJetsToLL", plain, settings, seed=2)
    events = read(signed, "genWeight", "GenPart_pt", "GenPart_pdgId", "Jet_pt", "nJet")
    weight = ak.to_numpy(events["genWeight"]).astype(float)
    assert set(np.unique(weight)) == {-1.0, 1.0}
    assert np.mean(weight < 0) == pytest.approx(0.3, abs=0.01)
    assert written["sumw"] == np.sum(weight)
    reference = read(plain, "GenPart_pt", "GenPart_pdgId", "nJet")
    genuine = ak.sum(abs(reference["GenPart_pdgId"]) == 15, axis=1) == 2
    pairs = abs(reference["GenPart_pdgId"][:, 0]) == 23
    reference = reference[genuine & pairs & (ak.num(reference["GenPart_pt"]) == 3)]
    for name, edges in (("pt", [0, 4, 8, 12, 18, 25, 40, 60, 1e3]), ("nJet", range(9))):
        values, others = (
            ak.to_numpy(table["GenPart_pt"][:, 0] if name == "pt" else table["nJet"])
            for table in (events, reference)
        )
        histogram, _ = np.histogram(values, edges, weights=weight)
        variance, _ = np.histogram(values, edges)
        unsigned = variance / len(values)
        expected, _ = np.histogram(others, edges)
        shape = expected / len(others)
        error = variance / np.sum(weight) ** 2 + expected / len(others) ** 2
        filled = error > 0
        difference = histogram / np.sum(weight) - shape
        statistic = np.sum(difference[filled] ** 2 / error[filled])
        assert chi2.sf(statistic, np.count_nonzero(filled) - 1) > 0.01
        # The cancelling density is really different: without the signs the shape is wrong.
        wrong = np.sum((unsigned - shape)[filled] ** 2 / error[filled])
        assert chi2.sf(wrong, np.count_nonzero(filled) - 1) < 1e-6


def leading(events: ak.Array, name: str) -> np.ndarray:
    return ak.to_numpy(events[name][:, 0])


def parent(events: ak.Array, index: ak.Array) -> np.ndarray:
    """Absolute identifier of the generator particle, 0 where there is none."""
    identifiers = abs(ak.fill_none(ak.pad_none(events["GenPart_pdgId"], 3), 0))
    found = np.take_along_axis(ak.to_numpy(identifiers), np.maximum(index, 0)[:, None], 1)[:, 0]
    return np.where(index < 0, 0, found)


def test_truth_match_splits_drell_yan(files: dict[str, Path]) -> None:
    events = read(files["DYJetsToLL"])
    muon = parent(events, leading(events, "Muon_genPartIdx"))
    tau = parent(events, leading(events, "Tau_genPartIdx"))
    assert set(np.unique(muon)) == {13, 15}
    assert set(np.unique(tau)) == {0, 13, 15}
    matched = np.mean((muon == 15) & (tau == 15))
    sample = processes.SAMPLES["DYJetsToLL"]
    expected = sample.components[0].filter_efficiency / sample.filter_efficiency
    assert matched == pytest.approx(expected, abs=4.0 * np.sqrt(0.25 / EVENTS))
    signed = read(files["DYToTauTau_NLO"])
    assert np.all(parent(signed, leading(signed, "Muon_genPartIdx")) == 15)
    w_events = read(files["W1JetsToLNu"])
    assert np.all(leading(w_events, "Tau_genPartIdx") == -1)


def test_collisions_carry_no_truth(files: dict[str, Path]) -> None:
    events = read(files["Run2012C_TauPlusX"])
    assert ak.all(events["Muon_genPartIdx"] == -1)
    assert ak.all(events["Tau_genPartIdx"] == -1)
    assert not any(name.startswith("GenPart") for name in events.fields)
    runs = np.unique(ak.to_numpy(events["run"]))
    assert runs.min() >= 198022
    assert runs.max() <= 203742


# Detector ------------------------------------------------------------------------------------


def test_lists_are_sorted_and_point_inside(files: dict[str, Path]) -> None:
    events = read(files["TTbar"])
    for name in ("Muon", "Tau", "Jet"):
        pt = events[f"{name}_pt"]
        assert ak.all(pt[:, :-1] >= pt[:, 1:])
        assert ak.all(events[f"n{name}"] == ak.num(pt))
    assert ak.all(events["Tau_jetIdx"] < events["nJet"])
    assert ak.all(events["Jet_pt"] >= 15.0)
    assert ak.all(ak.num(events["Muon_pt"]) >= 1)
    # The jet a tau points to is the tau's.
    pointing = events[ak.firsts(events["Tau_jetIdx"]) >= 0]
    chosen = ak.to_numpy(pointing["Tau_jetIdx"][:, 0])
    jets = ak.to_regular(pointing["Jet_eta"][ak.local_index(pointing["Jet_eta"]) == chosen])
    jet_phi = ak.to_regular(pointing["Jet_phi"][ak.local_index(pointing["Jet_phi"]) == chosen])
    distance = delta_r(
        leading(pointing, "Tau_eta"),
        leading(pointing, "Tau_phi"),
        ak.to_numpy(jets)[:, 0],
        ak.to_numpy(jet_phi)[:, 0],
    )
    assert np.max(distance) < 0.01


def test_every_cut_has_something_to_do_and_a_third_passes(files: dict[str, Path]) -> None:
    for name in ("GluGluToHToTauTau", "DYJetsToLL", "TTbar", "W1JetsToLNu"):
        events = read(files[name])
        muon = events["Muon_tightId"] & (events["Muon_pt"] > 17.0)
        muon = muon & (abs(events["Muon_eta"]) < 2.1)
        cuts = {
            "trigger": events["HLT_IsoMu17_eta2p1_LooseIsoPFTau20"],
            "muon": ak.any(muon, axis=1),
        }
        passing = (events["Tau_pt"] > 20.0) & (abs(events["Tau_eta"]) < 2.3)
        cuts["tau"] = ak.any(passing, axis=1)
        for flag in ("idDecayMode", "idIsoTight", "idAntiEleTight", "idAntiMuTight"):
            cuts[flag] = ak.any(events[f"Tau_{flag}"], axis=1)
            passing = passing & events[f"Tau_{flag}"]
        for cut, kept in cuts.items():
            assert np.mean(ak.to_numpy(kept)) < 0.995, (name, cut)
        selected = cuts["trigger"] & cuts["muon"] & ak.any(passing, axis=1)
        assert np.mean(ak.to_numpy(selected)) > 0.30, name


def test_leading_jet_is_mostly_the_tau(files: dict[str, Path]) -> None:
    events = read(files["DYToTauTau_NLO"])
    events = events[events["genWeight"] > 0]
    good = (events["Jet_pt"] > 30.0) & (abs(events["Jet_eta"]) < 4.7) & events["Jet_puId"]
    events["good_eta"], events["good_phi"] = events["Jet_eta"][good], events["Jet_phi"][good]
    events = events[ak.any(good, axis=1)]
    distance = delta_r(
        leading(events, "good_eta"),
        leading(events, "good_phi"),
        leading(events, "Tau_eta"),
        leading(events, "Tau_phi"),
    )
    # 0.78 in the public 2012 skims; the events that cancel, here only half removed, have more jets.
    assert 0.55 < np.mean(distance < 0.5) < 0.85


def run_detector(events: HardEvents, seed: int = 8, **changes: object) -> dict[str, np.ndarray]:
    conditions = Conditions(PILE_UP_SIMULATION, DetectorDifference(**changes), simulated=True)
    table = simulate_detector(np.random.default_rng(seed), events, conditions)
    columns = dict(table.scalars)
    for name, collection in table.collections.items():
        columns[f"n{name}"] = collection.counts
        columns |= {f"{name}_{field}": v for field, v in collection.columns.items()}
    return columns


def test_detector_leaves_its_input_alone() -> None:
    events = generate("TT", 500)
    for field in fields(events):
        getattr(events, field.name).flags.writeable = False
    first, second = run_detector(events), run_detector(events)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    run_detector(events, extra_jet_probability=0.5, jet_scale=0.1)


def test_met_resolution_grows_with_pile_up() -> None:
    events = generate("ZTT", 20_000)
    measured = run_detector(events)
    met_x = measured["MET_pt"] * np.cos(measured["MET_phi"])
    residual = met_x - events.neutrino_px
    vertices = measured["PV_npvs"]
    low, high = (np.std(residual[chosen]) for chosen in (vertices < 12, vertices > 22))
    assert low == pytest.approx(12.8, abs=1.2)
    assert high > 1.2 * low
    # The covariance describes the resolution.
    pull = residual / np.sqrt(measured["MET_CovXX"])
    assert np.std(pull) == pytest.approx(1.0, abs=0.12)


def test_pile_up_of_data_and_simulation_differ(files: dict[str, Path]) -> None:
    data, simulation = (
        ak.to_numpy(read(files[name], "PV_npvs")["PV_npvs"])
        for name in ("Run2012C_TauPlusX", "TTbar")
    )
    assert np.mean(data) == pytest.approx(PILE_UP_DATA.mean, abs=0.4)
    assert np.mean(simulation) == pytest.approx(PILE_UP_SIMULATION.mean, abs=0.4)
    assert ks_2samp(data, simulation).pvalue < 1e-6


def test_isolation_separates_prompt_muons_from_jets() -> None:
    prompt, jets = run_detector(generate("W1", 4000)), run_detector(generate("QCD", 4000))
    tight = [np.mean(m["Muon_pfRelIso03_all"][m["Muon_pt"] > 16.0] < 0.1) for m in (prompt, jets)]
    assert tight[0] == pytest.approx(0.93, abs=0.03)
    assert 0.25 < tight[1] < 0.40


# Mismodelling --------------------------------------------------------------------------------


def test_mismodelling_sizes() -> None:
    assert make_mismodelling("none", 5.0) == DetectorDifference()
    assert make_mismodelling("jets", 0.0) == DetectorDifference()
    assert make_mismodelling("jets", 1.0) == DetectorDifference(
        jet_scale=0.05, extra_jet_probability=0.10
    )
    assert make_mismodelling("met", -1.0) == DetectorDifference(
        unclustered_scale=0.20, extra_met_width=8.0
    )


def test_tau_mismodelling_shifts_genuine_taus_and_nothing_in_w_events() -> None:
    for name in ("ZTT", "W2"):
        events = generate(name, 4000)
        nominal, shifted = run_detector(events), run_detector(events, tau_scale=0.03)
        if name == "W2":
            assert all(np.array_equal(nominal[key], shifted[key]) for key in nominal)
            continue
        # A lost jet may add a fake candidate below the first; only events without one compare.
        alone = nominal["nTau"] == 1
        first = np.cumsum(nominal["nTau"]) - nominal["nTau"]
        ratio = shifted["Tau_pt"][np.cumsum(shifted["nTau"]) - shifted["nTau"]][alone]
        ratio = ratio / nominal["Tau_pt"][first][alone]
        assert np.median(ratio) == pytest.approx(1.03, rel=1e-6)
        assert np.std(nominal["MET_pt"] - shifted["MET_pt"]) > 0.2


def test_jet_mismodelling_shifts_jets_and_met_but_no_tau() -> None:
    events = generate("W2", 4000)
    nominal, shifted = run_detector(events), run_detector(events, jet_scale=0.05)
    # Far above the threshold of the file, where nothing migrates.
    hard = [np.quantile(measured["Jet_pt"], 0.95) for measured in (nominal, shifted)]
    assert hard[1] / hard[0] == pytest.approx(1.05, abs=0.015)
    assert not np.array_equal(nominal["MET_pt"], shifted["MET_pt"])
    assert np.array_equal(nominal["Muon_pt"], shifted["Muon_pt"])
    more = run_detector(events, extra_jet_probability=0.5)
    assert np.mean(more["nJet"]) > np.mean(nominal["nJet"]) + 0.3


def test_met_mismodelling_changes_met_only() -> None:
    events = generate("W1", 8000)
    nominal = run_detector(events)
    shifted = run_detector(events, unclustered_scale=-0.2, extra_met_width=8.0)
    residual = [
        np.std(m["MET_pt"] * np.cos(m["MET_phi"]) - events.neutrino_px) for m in (nominal, shifted)
    ]
    assert residual[1] > np.hypot(residual[0], 7.0)
    for name in ("Jet_pt", "Tau_pt", "Muon_pt", "PV_npvs"):
        assert np.array_equal(nominal[name], shifted[name])
