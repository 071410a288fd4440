"""Histograms of a few events: missing values, weights and alternative samples, by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import correctionlib
import hist
import numpy as np
import pytest

from taipan.analysis import Columns, Shift
from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.events.corrections import EventCorrection, write_corrections
from taipan.events.load import DatasetEvents
from taipan.events.variations import template_variations
from taipan.events.weights import EventWeights
from taipan.likelihood.merge import BinYields, find_merging
from taipan.systematics.base import Systematic
from taipan.systematics.registry import make_systematic
from taipan.templates.combine import add_datasets
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_dataset
from taipan.templates.shifts import add_independent, add_shifts
from tests.made_up_estimates import same_sign
from tests.tiny_analysis import ANALYSIS

REGIONS = {
    "high": Region(label="high", cut="y > 0", role="signal"),
    "low": Region(label="low", cut="y < 0"),
}
SAMPLES = {
    "sig": Sample(label="sig", role="signal", datasets=["S"]),
    "jets": Sample(estimate=same_sign(high="low")),
}
OBSERVABLES = {"x": Observable(label="x", binning=[0.0, 1.0, 2.0])}


def settings(**systematics: Systematic) -> FillSettings:
    """One observable, x, with the corrections of `weight`."""
    document = write_corrections({"w": ("x", [0.0, 1.0, 2.0], np.array([0.5, 3.0]))})
    found = correctionlib.CorrectionSet.from_string(json.dumps(document))
    corrections = {"w": EventCorrection("w", found["w"], ("x",), ("real",))}
    variations = template_variations(systematics, SAMPLES)
    return FillSettings(SAMPLES, REGIONS, ("x",), OBSERVABLES, {}, variations, corrections)


def dataset(name: str = "S") -> DatasetEvents:
    columns: dict[str, Any] = {
        "x": np.array([-1.0, 0.5, 1.5, 2.0, np.nan, 0.5]),
        "y": np.array([1.0, 1.0, 1.0, 1.0, 1.0, -1.0]),
    }
    weights = EventWeights(np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]), {})
    return DatasetEvents(name, False, columns, weights, np.zeros(6, dtype=np.int64))


def cell(histogram: hist.Hist, region: str, label: str) -> list[float]:
    view = histogram[hist.loc("sig"), hist.loc(region), hist.loc(label), :]
    return [float(x) for x in view.values(flow=True)]


def test_values_below_above_and_missing_are_in_the_flow_bins() -> None:
    """A missing value is above all edges: it has the bin of the largest score."""
    found = fill_dataset(dataset(), ANALYSIS, settings(), None)[0]["x"]
    assert cell(found, "high", "nominal") == [1.0, 2.0, 4.0, 8.0 + 16.0]
    assert cell(found, "low", "nominal") == [0.0, 32.0, 0.0, 0.0]


def test_alternative_weight_multiplies_the_nominal_one() -> None:
    """½ below 1 and 3 above, beyond the edges as in the edge bins; 1 for a missing value."""
    weight = make_systematic(kind="weight", weight="w", samples=["sig"])
    found = fill_dataset(dataset(), ANALYSIS, settings(v=weight), None)[0]["x"]
    assert cell(found, "high", "v_up") == [0.5, 1.0, 12.0, 24.0 + 16.0]
    assert cell(found, "low", "v_up") == [0.0, 16.0, 0.0, 0.0]
    assert cell(found, "high", "nominal") == [1.0, 2.0, 4.0, 24.0]


def test_alternative_sample_fills_its_variation_alone() -> None:
    other = make_systematic(kind="sample", samples=["sig"], datasets=["A"])
    fill = settings(v=other)
    found = fill_dataset(dataset("A"), ANALYSIS, fill, None)[0]["x"]
    assert cell(found, "high", "v_up") == [1.0, 2.0, 4.0, 24.0]
    assert cell(found, "high", "nominal") == [0.0] * 4
    nominal = fill_dataset(replace(dataset(), name="S"), ANALYSIS, fill, None)[0]["x"]
    assert list(nominal.axes["variation"]) == ["nominal"]
    assert cell(nominal, "high", "nominal") == [1.0, 2.0, 4.0, 24.0]


def test_alternative_sample_of_each_direction_fills_its_own() -> None:
    """A at +1σ and B at -1σ."""
    other = make_systematic(kind="sample", samples=["sig"], datasets=["A"], down=["B"])
    fill = settings(v=other)
    assert [v.name for v in fill.variations] == ["v_up", "v_down"]
    for name, label in (("A", "v_up"), ("B", "v_down")):
        found = fill_dataset(dataset(name), ANALYSIS, fill, None)[0]["x"]
        assert list(found.axes["variation"]) == ["nominal", label]
        assert cell(found, "high", label) == [1.0, 2.0, 4.0, 24.0]
        assert cell(found, "high", "nominal") == [0.0] * 4
    nominal = fill_dataset(dataset(), ANALYSIS, fill, None)[0]["x"]
    assert list(nominal.axes["variation"]) == ["nominal"]


def test_event_with_the_features_of_before_is_not_scored_again() -> None:
    """The shift moves y of every event and x of one."""
    seen: list[list[float]] = []

    def score(features: np.ndarray, _: np.ndarray) -> np.ndarray:
        seen.append(features[:, 0].tolist())
        return np.where(features[:, 0] < 1.0, np.float32(0.2), np.float32(0.7))

    def shift(columns: Columns, size: float) -> Columns:
        x, y = columns["x"].copy(), columns["y"] + 2.0 * size
        x[1] += 2.0 * size  # 0.5 becomes 2
        return {**columns, "x": x, "y": y}

    analysis = replace(ANALYSIS, shifts={"y": Shift(shift, None, "y")})
    edges = {"nn_score": Observable(label="score", binning=[0.0, 0.5, 1.0])}
    both = make_systematic(kind="kinematic", shift="y", size=0.75, one_sided=True, samples=["sig"])
    plan = replace(settings(v=both), observables=edges)
    found = fill_dataset(dataset(), analysis, plan, score)[0]["nn_score"]
    assert seen == [[-1.0, 0.5, 1.5, 2.0, pytest.approx(np.nan, nan_ok=True), 0.5], [2.0]]
    assert cell(found, "high", "nominal") == [0.0, 3.0, 28.0, 0.0]
    assert cell(found, "high", "v_up") == [0.0, 33.0, 30.0, 0.0]


def test_error_of_a_shift_is_that_of_the_events_that_move() -> None:
    """Weight 2 leaves bin 0 for bin 1, weight 32 comes into bin 0 from another region.

    Events that stay (1, 4, 8, 16) add nothing; the covariance between the two bins is -2·2.
    """

    def shift(columns: Columns, size: float) -> Columns:
        x, y = columns["x"].copy(), columns["y"].copy()
        x[1] += 2.0 * size
        y[5] = 1.0
        return {**columns, "x": x, "y": y}

    analysis = replace(ANALYSIS, shifts={"y": Shift(shift, None, "y")})
    both = make_systematic(kind="kinematic", shift="y", size=0.5, one_sided=True, samples=["sig"])
    found = fill_dataset(dataset(), analysis, settings(v=both), None)[0]
    assert cell(found["x"], "high", "v_up") == [1.0, 32.0, 6.0, 24.0]
    errors = found["x.shifts"][hist.loc("sig"), hist.loc("high"), hist.loc("v_up"), :, :]
    expected = np.zeros((4, 4))
    expected[1, 1], expected[2, 2] = 4.0 + 1024.0, 4.0
    expected[1, 2] = expected[2, 1] = -4.0
    np.testing.assert_array_equal(errors.values(flow=True), expected)
    # the whole range: what leaves one bin for the other is gone from the error
    assert errors.values(flow=True).sum() == 1024.0


def test_error_of_a_changed_weight_is_that_of_the_change() -> None:
    """½ below 1 and 3 above: changes of -½, -1, 8 and 16, and none for the missing value."""
    weight = make_systematic(kind="weight", weight="w", samples=["sig"])
    found = fill_dataset(dataset(), ANALYSIS, settings(v=weight), None)[0]
    errors = found["x.shifts"][hist.loc("sig"), hist.loc("high"), hist.loc("v_up"), :, :]
    np.testing.assert_array_equal(errors.values(flow=True), np.diag([0.25, 1.0, 64.0, 256.0]))


def test_error_of_a_sample_of_other_events_is_that_of_both() -> None:
    other = make_systematic(kind="sample", samples=["sig"], datasets=["A"])
    fill = settings(v=other)
    parts = [fill_dataset(dataset(name), ANALYSIS, fill, None)[0] for name in ("S", "A")]
    binned = {"x": OBSERVABLES["x"]}
    total = add_shifts(parts, binned, ["sig"], list(REGIONS), ["v_up"])["x.shifts"]
    templates = add_datasets(parts, binned, ["sig"], list(REGIONS), ["nominal", "v_up"])["x"]
    add_independent(total, templates, fill.variations, SAMPLES)
    errors = total[hist.loc("sig"), hist.loc("high"), hist.loc("v_up"), :, :].values(flow=True)
    np.testing.assert_array_equal(errors, 2.0 * np.diag([1.0, 4.0, 16.0, 64.0 + 256.0]))


@pytest.mark.parametrize(("content", "starts"), [(-3.0, (0, 1)), (0.5, (0, 1, 2))])
def test_bin_whose_background_is_negative_in_total_is_merged(
    content: float, starts: tuple[int, ...]
) -> None:
    """An estimate may be negative, the sum of the backgrounds may not, however well it is known."""
    small = np.full(3, 0.01)
    nominal = {
        "a": BinYields(np.array([30.0, 20.0, 2.0]), small),
        "estimate": BinYields(np.array([5.0, 1.0, content]), small),
    }
    found = find_merging(
        "r",
        [0.0, 1.0, 2.0, 3.0],
        nominal,
        backgrounds=["a", "estimate"],
        min_effective_events=10.0,
    )
    assert found.starts == starts
