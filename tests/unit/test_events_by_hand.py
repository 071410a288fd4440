"""Regions, variations, measured weights and scales on a few events."""

from __future__ import annotations

import json

import correctionlib
import numpy as np
import pytest

from taipan.columns.expressions import parse_expression
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.config.sections.weights import Measurement
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.events.blinding import overlapping_signal
from taipan.events.corrections import measured_ratio, write_corrections
from taipan.events.load import DatasetEvents
from taipan.events.selection import region_masks, sample_masks
from taipan.events.shapes import count_events
from taipan.events.variations import (
    Variation,
    template_variations,
    varied_regions,
    with_sources,
)
from taipan.events.weights import EventWeights
from taipan.normalisation import normalise
from taipan.skim.cutflow import Cut, Cutflow, merge_cutflows
from taipan.systematics.registry import make_systematic
from tests.made_up_estimates import same_sign
from tests.tiny_analysis import ANALYSIS

REGIONS = {
    "high": Region(label="high", cut="y > 0", role="signal"),
    "low": Region(label="low", cut="y < 0"),
    "side": Region(label="side", cut="y > 5", role="control"),
    "check": Region(label="check", cut="y > 7"),
}
SOURCES = {"high": "low"}
PLACES = {"high": ("low",)}
SAMPLES = {"jets": Sample(estimate=same_sign(**SOURCES))}
QUANTITIES = {
    "passes": np.array([True, True, False, True]),
    "y": np.array([1.0, -1.0, 1.0, 6.0]),
    "x": np.array([0.0, 1.0, 2.0, 3.0]),
}


def test_events_without_the_objects_are_in_no_region() -> None:
    found = region_masks(QUANTITIES, REGIONS)
    assert found["high"].tolist() == [True, False, False, True]
    assert found["low"].tolist() == [False, True, False, False]
    assert found["side"].tolist() == [False, False, False, True]


def test_sample_takes_the_events_that_it_selects_of_its_datasets() -> None:
    samples = {
        "all": Sample(label="all", role="background", datasets=["B"]),
        "some": Sample(label="some", role="background", datasets=["B"], select="x > 1"),
        "other": Sample(label="other", role="background", datasets=["C"]),
    }
    found = {name: mask.tolist() for name, mask in sample_masks(QUANTITIES, samples, "B").items()}
    assert found == {"all": [True] * 4, "some": [False, False, True, True]}


def test_variation_acts_on_its_samples_in_its_regions_and_their_partners() -> None:
    item = make_systematic(kind="rate", size=0.1, samples=["a"], regions=["high"])
    confined = with_sources(item, PLACES)
    assert confined.regions == ["high", "low"]
    variation = Variation("v_up", confined, 1.0)
    acting = {(s, r) for s in ("a", "b") for r in REGIONS if variation.applies(s, r)}
    assert acting == {("a", "high"), ("a", "low")}
    everywhere = Variation(
        "v_up", with_sources(item.model_copy(update={"regions": None}), PLACES), 1
    )
    assert [r for r in REGIONS if everywhere.applies("a", r)] == list(REGIONS)
    assert list(varied_regions(REGIONS, SAMPLES)) == ["high", "low", "side"]


def test_variations_have_the_directions_of_their_kind() -> None:
    systematics = {
        "rate": make_systematic(kind="rate", size=0.1, samples=["a"]),
        "scale": make_systematic(kind="kinematic", shift="s", size=0.1, samples=["a"]),
        "smear": make_systematic(
            kind="kinematic", shift="s", size=0.1, samples=["a"], one_sided=True
        ),
        "weight": make_systematic(kind="weight", weight="w", samples=["a"]),
    }
    found = [(item.name, item.sign) for item in template_variations(systematics, SAMPLES)]
    assert found == [("scale_up", 1.0), ("scale_down", -1.0), ("smear_up", 1.0), ("weight_up", 1.0)]


def test_measured_ratio_is_one_on_average_and_bounded() -> None:
    """Above 1 : 30 : 60 : 9, below 50 : 5 : 40 : 5; both totals are 100."""
    above, below = np.array([1.0, 30.0, 60.0, 9.0]), np.array([50.0, 5.0, 40.0, 5.0])
    found = measured_ratio((3.0 * above, above), (below, below), ("a", "b"))
    assert found.tolist() == pytest.approx([0.2, 5.0, 1.5, 1.8])


def test_measured_weight_beyond_its_edges_is_that_of_the_edge_bins() -> None:
    document = write_corrections({"w": ("x", [0.0, 1.0, 2.0], np.array([0.5, 1.5]))})
    correction = correctionlib.CorrectionSet.from_string(json.dumps(document))["w"]
    found = [correction.evaluate(value) for value in (-7.0, 0.5, 1.0, 99.0)]
    assert found == [0.5, 0.5, 1.5, 1.5]


def test_events_are_counted_with_weights_and_their_squares() -> None:
    columns = {
        "x": np.array([-1.0, 0.5, 1.5, 9.0, 0.5]),
        "y": np.array([1.0, 1.0, 1.0, 1.0, -1.0]),
    }
    weights = np.array([1.0, 2.0, -3.0, 4.0, 5.0])
    dataset = DatasetEvents("B", False, columns, EventWeights(weights, {}), np.zeros(5, int))
    data = DatasetEvents("Data", True, columns, None, np.zeros(5, int))
    measure = {"w": Measurement(region="high", sample="b", quantity="x", binning=[0.0, 1.0, 2.0])}
    samples = {"b": Sample(label="b", role="background", datasets=["B"]), **SAMPLES}
    found = count_events([dataset, data], measure, samples, REGIONS, ANALYSIS)
    # events beyond the edges belong to the edge bins
    assert found["w", "high", "b"].tolist() == [[3.0, 1.0], [5.0, 25.0]]
    assert found["w", "low", "b"].tolist() == [[5.0, 0.0], [25.0, 0.0]]
    assert found["w", "high", "data"].tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_region_is_hidden_that_may_share_events_with_any_signal_region() -> None:
    """It excludes one signal region, not the other."""
    regions = {
        "one": Region(label="one", cut="x > 2", role="signal"),
        "two": Region(label="two", cut="x < 0", role="signal"),
        "between": Region(label="between", cut="x > 0.5 and x < 1.5"),
        "wide": Region(label="wide", cut="x > -1 and x < 1"),
        "other": Region(label="other", cut="y > 3"),
    }
    assert overlapping_signal(regions) == ["one", "two", "wide", "other"]


def test_data_are_not_scaled_and_simulation_is_by_its_cross_section() -> None:
    """σ = 10 pb, 2 fb⁻¹ and Σ genWeight = 500: every weight stands for 40 events."""
    luminosity = {"value": 2.0, "source": "test"}
    catalogue = Catalogue.model_validate(
        {
            "name": "test",
            "kind": "nanoaod",
            "description": "test",
            "licence": "CC0",
            "datasets": {
                "Data": {"files": ["d.root"], "is_data": True, "luminosity": luminosity},
                "S": {
                    "files": ["s.root"],
                    "is_data": False,
                    "cross_section": {"value": 10.0, "source": "test"},
                },
            },
        }
    )
    flows = {
        name: [Cutflow(name, (Cut("all", 600, sumw, 600.0), Cut("pair", 5, 5.0, 5.0)))]
        for name, sumw in (("Data", 600.0), ("S", 500.0))
    }
    found, _ = normalise(catalogue, flows, dict.fromkeys(flows), 2.0)
    assert (found["Data"].scale, found["Data"].is_data) == (1.0, True)
    assert found["S"].scale == pytest.approx(10.0 * 2000.0 / 500.0)
    # of 650 generated events 50 were in a damaged file that was left out
    expected = {"Data": None, "S": 650}
    normalise(catalogue, flows, expected, 2.0, lost={"S": 50})
    for lost in ({"S": 49}, {"S": 51}, {}):
        with pytest.raises(TaipanError, match="'S': 600 events read, .* expected"):
            normalise(catalogue, flows, expected, 2.0, lost=lost)


@pytest.mark.parametrize(
    ("cut", "passes"),
    [
        ("x > 1", [False, False, True]),
        ("x >= 1", [False, True, True]),
        ("x < 1", [True, False, False]),
        ("x <= 1", [True, True, False]),
        ("x == 1", [False, True, False]),
        ("x != 1", [True, False, True]),
        ("not x > 1", [True, True, False]),
        ("0.5 < x <= 1", [False, True, False]),
        ("x > 1 or x < 1", [True, False, True]),
        ("x >= 1 and x <= 1", [False, True, False]),
        ("abs(x - 1) > 0.4 and -x > -2", [True, False, True]),
        ("2 * x + 1 >= 3 / 1 - 0", [False, True, True]),
    ],
)
def test_cut_at_its_very_value(cut: str, passes: list[bool]) -> None:
    found = parse_expression(cut).evaluate({"x": np.array([0.5, 1.0, 1.5])})
    assert found.tolist() == passes


def test_cutflows_of_chunks_add_events_weights_and_squares() -> None:
    parts = [
        Cutflow("S", (Cut("all", 3, 1.0, 11.0), Cut("pair", 1, -2.0, 4.0))),
        Cutflow("S", (Cut("all", 2, 5.0, 13.0), Cut("pair", 2, 5.0, 13.0))),
    ]
    merged = merge_cutflows(parts)
    assert [(c.name, c.events, c.sumw, c.sumw2) for c in merged.cuts] == [
        ("all", 5, 6.0, 24.0),
        ("pair", 3, 3.0, 17.0),
    ]
