"""Quantities and the fitted observable under every shift, against a calculation event by event."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import hist
import numpy as np
import pytest

from taipan.analysis import Columns
from taipan.columns.identity import assign_folds
from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.events.load import DatasetEvents, load_dataset
from taipan.events.variations import template_variations
from taipan.events.weights import EventWeights
from taipan.fastsim import write_dataset
from taipan.labels import NOMINAL
from taipan.normalisation import Normalisation
from taipan.skim.run import Chunk, skim_chunk
from taipan.skim.storage import read_events
from taipan.systematics.registry import make_systematic
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_blocks
from tests import reference_events as reference
from tests.conftest import fastsim_settings, skim_settings
from tests.htautau import ANALYSIS
from tests.made_up_estimates import same_sign

FEATURES = ("pt_1", "pt_2", "m_vis", "met", "mt_1", "njets", "jpt_1", "mjj", "pt_tt", "m_2")
EDGES = [0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0]
CUT = 60.0
EVENTS = 300
SIZES = dict.fromkeys(ANALYSIS.shifts, 0.05) | {
    "jet_resolution": 0.15,
    "met_unclustered": 0.1,
    "jet_pt_forward": 0.4,
}


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> Columns:
    """Some top pairs, which have jets and taus of every kind, and more muons and taus than two."""
    folder = tmp_path_factory.mktemp("top")
    settings = fastsim_settings(events={"TTbar": 6000})
    write_dataset("TTbar", folder / "top.root", settings, seed=5)
    files = (folder / "events.parquet", folder / "cutflow.json")
    skim_chunk(Chunk(folder / "top.root"), ANALYSIS, skim_settings("TTbar"), *files, {})
    read = read_events([files[0]], ANALYSIS.columns)
    assert len(read["event"]) > EVENTS
    found = {name: values[:EVENTS].copy() for name, values in read.items()}
    # few are genuine, and only those have a scale for each decay mode
    found["Tau_genuine"][np.arange(EVENTS) % 4 != 3] = True
    return found


@pytest.fixture(scope="module")
def events(columns: Columns) -> list[reference.Event]:
    return [reference.read_event(columns, row) for row in range(EVENTS)]


def same(one: float, two: float, relative: float, absolute: float) -> bool:
    """Tell whether two numbers agree, or are both missing."""
    missing = math.isnan(one) and math.isnan(two)
    return missing or math.isclose(one, two, rel_tol=relative, abs_tol=absolute)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", sorted(SIZES))
def test_quantities_after_every_shift_are_those_of_each_event_alone(
    columns: Columns, events: list[reference.Event], name: str, sign: float
) -> None:
    size = sign * SIZES[name]
    shifted = ANALYSIS.shifts[name].function(columns, size)
    found = ANALYSIS.compute(shifted)
    unchanged = frozenset(key for key, values in shifted.items() if values is columns[key])
    assert ANALYSIS.recompute is not None
    again = ANALYSIS.recompute(shifted, ANALYSIS.compute(columns), unchanged)
    moved = 0
    for row, event in enumerate(events):
        expected = reference.quantities(reference.shift(event, name, size))
        if expected is None or not found["passes"][row]:
            assert (expected is None) == (not found["passes"][row]), row
            continue
        for key, value in expected.items():
            assert same(found[key][row], value, 2e-5, 2e-4), (row, key)
            assert same(again[key][row], found[key][row], 1e-6, 1e-6), (row, key)
        before = reference.quantities(event)
        moved += before is None or abs(before["met"] - expected["met"]) > 1e-3
    assert moved > 0.05 * EVENTS


def score(features: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """The score of the reference, given arrays as a network is."""
    found = [
        reference.logistic_score(row.tolist(), int(fold))
        for row, fold in zip(features, folds, strict=True)
    ]
    return np.array(found, dtype=np.float32)


def fill(columns: Columns, weights: np.ndarray) -> tuple[DatasetEvents, hist.Hist]:
    """Fill the score of all shifts with the package."""
    systematics = {
        name: make_systematic(
            kind="kinematic", shift=name, size=size, samples=["tt"], one_sided=name.endswith("n")
        )
        for name, size in SIZES.items()
    }
    regions = {
        "high": Region(cut=f"mt_1 > {CUT}", role="signal", label="high"),
        "low": Region(cut=f"mt_1 < {CUT}", role="estimate", label="low"),
    }
    samples = {
        "tt": Sample(label="tt", role="signal", datasets=["TTbar"]),
        "jets": Sample(estimate=same_sign(high="low")),
    }
    settings = FillSettings(
        samples,
        regions,
        FEATURES,
        {"nn_score": Observable(label="score", binning=EDGES)},
        {},
        template_variations(systematics, samples),
    )
    dataset = DatasetEvents(
        "TTbar",
        False,
        columns,
        EventWeights(weights, {}),
        assign_folds(columns["event_hash"], 3),
    )
    return dataset, fill_blocks([dataset], ANALYSIS, settings, score)[0]["nn_score"]


def test_score_of_every_shift_is_that_of_the_shifted_event(
    columns: Columns, events: list[reference.Event]
) -> None:
    """Each event is shifted, selected, scored by its own fold and counted; no array is used."""
    weights = 0.5 + np.arange(EVENTS) / EVENTS
    _, histogram = fill(columns, weights)
    labels = list(histogram.axes["variation"])
    assert len(labels) == 2 * len(SIZES)  # the nominal, and a smearing has no down side
    nominal: dict[str, np.ndarray] = {}
    for label in labels:
        name, _, side = label.rpartition("_")
        size = 0.0 if label == NOMINAL else SIZES[name] * (1.0 if side == "up" else -1.0)
        expected, doubt = count(events, weights, name, size)
        nominal = nominal or expected
        for region in ("high", "low"):
            cell = histogram[hist.loc("tt"), hist.loc(region), hist.loc(label), :]
            assert (np.abs(cell.values() - expected[region]) <= doubt[region] + 1e-6).all(), label
            assert doubt[region].sum() < 0.01 * expected[region].sum()
        if label != NOMINAL:
            change = sum(np.abs(expected[r] - nominal[r]).sum() for r in expected)
            assert change > 20.0 * sum(d.sum() for d in doubt.values()), label


def count(
    events: list[reference.Event], weights: np.ndarray, name: str, size: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Σw per bin, and Σw of events so near an edge that single precision may decide."""
    found, doubt = ({r: np.zeros(len(EDGES) - 1) for r in ("high", "low")} for _ in range(2))
    for event, weight in zip(events, weights, strict=True):
        moved = reference.shift(event, name, size) if size else event
        values = reference.quantities(moved)
        if values is None:
            continue
        region = "high" if values["mt_1"] > CUT else "low"
        number = reference.logistic_score([values[key] for key in FEATURES], event.identity % 3)
        place = sum(number >= edge for edge in EDGES) - 1
        found[region][place] += weight
        if min(abs(number - edge) for edge in EDGES) < 2e-5:
            doubt[region][max(place - 1, 0) : place + 2] += weight
    return found, doubt


def test_score_is_of_the_fold_of_each_event(columns: Columns) -> None:
    """Events of one fold alone make what the events of that fold make among the others."""
    weights = np.ones(EVENTS)
    dataset, whole = fill(columns, weights)
    total = np.zeros_like(whole.values())
    for fold in range(3):
        rows = dataset.folds == fold
        total += fill({k: v[rows] for k, v in columns.items()}, weights[rows])[1].values()
    np.testing.assert_allclose(total, whole.values())


def test_azimuths_are_compared_across_the_cut_at_pi(columns: Columns) -> None:
    """All events turned by 2.5 rad have the same quantities, though many azimuths wrap."""
    turned = dict(columns)
    for name in ("Muon_phi", "Tau_phi", "Jet_phi", "MET_phi"):
        angle = columns[name].astype(np.float64) + 2.5
        turned[name] = (angle - math.tau * np.floor((angle + math.pi) / math.tau)).astype(
            np.float32
        )
    one, two = ANALYSIS.compute(columns), ANALYSIS.compute(turned)
    for name in ("mt_1", "mt_tot", "m_vis", "delta_r", "delta_phi", "njets", "mjj", "pt_tt"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-3)


def test_dataset_of_a_file_has_its_scale_and_folds(skim_file: Path) -> None:
    """Weight genWeight × scale, fold hash mod k; data have neither weights nor variations."""
    norm = Normalisation("DYJetsToLL", False, 0.37, 4000, 4000.0, 1.0)
    simulated = load_dataset([skim_file], ANALYSIS, norm, None, 3)
    data = load_dataset([skim_file], ANALYSIS, replace(norm, is_data=True), None, 3)
    assert simulated.weights is not None
    assert simulated.weights.nominal.sum() == pytest.approx(0.37 * len(simulated.folds))
    assert data.weights is None
    expected = [int(value) % 3 for value in simulated.columns["event_hash"]]
    assert simulated.folds.tolist() == data.folds.tolist() == expected
