"""Corrections of the nominal: what they do to the weights of a few events, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
from pydantic import TypeAdapter

from taipan.analysis import Analysis, Columns, Shift
from taipan.atomic import write_json
from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.corrections.registry import AnyCorrection
from taipan.coverage.sample_events import SampleEvents
from taipan.errors import TaipanError
from taipan.events.closure import Closure, describe_oddities
from taipan.events.corrected import CorrectionSettings, OpenedCorrections, open_corrections
from taipan.events.inputs import SkimmedEvents
from taipan.events.load import DatasetEvents, correct_events, select_fold
from taipan.events.stream import stream_dataset
from taipan.events.variations import template_variations
from taipan.events.weights import EventWeights
from taipan.likelihood import build_workspace
from taipan.normalisation import Normalisation, to_dict
from taipan.systematics.registry import make_systematic
from taipan.templates.fill import FillSettings, fill_dataset
from tests.made_up_corrections import bins, sides, write_file
from tests.synthetic_templates import TRANSFER, make_config, make_histogram, settings
from tests.tiny_analysis import ANALYSIS, write_events

REGIONS = {
    "high": Region(label="high", cut="y > 0", role="signal"),
    "low": Region(label="low", cut="y < 0", role="control"),
}
SAMPLES = {
    "sig": Sample(label="sig", role="signal", datasets=["S"], select="x < 1.6"),
    "bkg": Sample(label="bkg", role="background", datasets=["S"], select="x >= 1.6"),
    "other": Sample(label="other", role="background", datasets=["B"]),
}
X = [0.5, 1.5, 1.7, 0.5, 1.5, 0.25]
Y = [1.0, 1.0, 1.0, -1.0, -1.0, 1.0]
WEIGHTS = [1.0, 2.0, 4.0, 8.0, -16.0, 32.0]
# bins of x: 0 to 1, 1 to 2
FIRST = bins("x", [0, 1, 2], [sides(0.5, 0.75, 0.25), sides(3.0, 3.5, 2.75)])
SECOND = bins("y", [-2, 0, 2], [10.0, 20.0])


def make(**corrections: dict[str, Any]) -> dict[str, Any]:
    return TypeAdapter(dict[str, AnyCorrection]).validate_python(corrections)


def opened(
    analysis: Analysis = ANALYSIS, samples: Any = SAMPLES, **corrections: Any
) -> OpenedCorrections:
    settings = CorrectionSettings(samples, REGIONS)
    found = open_corrections(make(**corrections), analysis, settings)
    assert found is not None
    return found


def analysis_with(analysis: Analysis = ANALYSIS, **corrections: Any) -> Analysis:
    return replace(analysis, corrections=opened(analysis, **corrections))


def events(name: str = "S", x: Any = X, y: Any = Y, weights: Any = WEIGHTS) -> DatasetEvents:
    columns: dict[str, Any] = {
        "x": np.array(x, np.float32),
        "y": np.array(y, np.float32),
        "event_hash": np.arange(len(x), dtype=np.uint64),
    }
    nominal = np.array(weights)
    found = EventWeights(nominal, {"pileup": 2.0 * nominal})
    return DatasetEvents(name, False, columns, found, np.arange(len(x)) % 2)


@pytest.fixture
def file(tmp_path: Path) -> str:
    inputs = {"x": "real", "syst": "string"}
    return write_file(
        tmp_path / "c.json",
        {
            "first": (inputs, FIRST),
            "second": ({"y": "real"}, SECOND),
            "second_up": ({"y": "real"}, bins("y", [-2, 0, 2], [11.0, 22.0])),
            "narrow": ({"x": "real"}, bins("x", [0.4, 1.6], [2.0], flow=7.0)),
        },
    )


def test_every_weight_is_the_product_of_the_factors_of_its_event(file: str) -> None:
    analysis = analysis_with(
        one={"file": file, "correction": "first"}, two={"file": file, "correction": "second"}
    )
    found = correct_events(events(), analysis).weights
    assert found is not None
    factors = np.array([0.5, 3.0, 3.0, 0.5, 3.0, 0.5]) * [20.0, 20.0, 20.0, 10.0, 10.0, 20.0]
    np.testing.assert_allclose(found.nominal, WEIGHTS * factors)
    np.testing.assert_allclose(found.alternatives["pileup"], 2.0 * (WEIGHTS * factors))
    np.testing.assert_allclose(found.plain, WEIGHTS)


def test_inputs_are_expressions_and_numbers_of_the_event(file: str) -> None:
    analysis = analysis_with(
        one={"file": file, "correction": "first", "inputs": {"x": "abs(y) + x - 0.5"}},
        two={"file": file, "correction": "second", "inputs": {"y": 1.5}},
    )
    found = correct_events(events(x=[0.25, 0.75], y=[0.5, -0.5], weights=[1.0, 1.0]), analysis)
    assert found.weights is not None
    assert found.weights.nominal.tolist() == [0.5 * 20.0, 0.5 * 20.0]


def test_data_and_events_without_the_input_keep_their_weight(file: str) -> None:
    analysis = analysis_with(one={"file": file, "correction": "first"})
    of_data = replace(events(), is_data=True, weights=None)
    assert correct_events(of_data, analysis).weights is None
    found = correct_events(events(x=[0.5, np.nan, 1.5], y=[1] * 3, weights=[1.0] * 3), analysis)
    assert found.weights is not None
    assert found.weights.nominal.tolist() == [0.5, 1.0, 3.0]


def test_correction_acts_on_its_samples_in_its_regions_alone(file: str) -> None:
    keys = {"file": file, "correction": "first"}
    found = [
        correct_events(events(), analysis_with(one={**keys, **more})).weights
        for more in ({"samples": ["sig"]}, {"samples": ["bkg", "other"]}, {"regions": ["low"]})
    ]
    ratios = [item.nominal / WEIGHTS for item in found if item is not None]
    assert ratios[0].tolist() == [0.5, 3.0, 1.0, 0.5, 3.0, 0.5]
    assert ratios[1].tolist() == [1.0, 1.0, 3.0, 1.0, 1.0, 1.0]
    assert ratios[2].tolist() == [1.0, 1.0, 1.0, 0.5, 3.0, 1.0]


def test_value_outside_the_bins_is_an_error_the_nearest_bin_or_what_the_file_gives(
    file: str,
) -> None:
    keys = {"file": file, "correction": "narrow"}
    with pytest.raises(TaipanError) as error:
        correct_events(events(), analysis_with(one=keys))
    line = str(error.value)
    assert line.startswith("corrections.one: 2 of 6 values lie outside the bins of 'narrow' in")
    assert "x = 1.7, bins from 0.4 to 1.6" in line
    assert "[dataset S]" in line
    for choice, factor in (("clamp", 2.0), ("flow", 7.0)):
        corrections = opened(one={**keys, "out_of_range": choice})
        quantities = ANALYSIS.compute(events().columns)
        found = corrections.evaluate("one", "S", events().columns, quantities, "apply")
        assert found.values.tolist() == [2.0, 2.0, factor, 2.0, 2.0, factor]
        assert found.outside.tolist() == [False, False, True, False, False, True]


def test_upper_edge_is_outside_and_clamped_into_the_last_bin(tmp_path: Path) -> None:
    path = write_file(tmp_path / "e.json", {"c": ({"x": "real"}, bins("x", [0, 1, 2], [5.0, 6.0]))})
    keys = {"file": path, "correction": "c", "out_of_range": "clamp"}
    corrections = opened(one=keys)
    columns = events(x=[2.0, 1.0, -3.0], y=[1] * 3, weights=[1] * 3).columns
    found = corrections.evaluate("one", "S", columns, ANALYSIS.compute(columns), "apply")
    assert found.values.tolist() == [6.0, 6.0, 5.0]
    assert found.outside.tolist() == [True, False, True]


def test_bins_that_depend_on_the_bin_of_another_input_are_followed(tmp_path: Path) -> None:
    """x goes to 1 for negative y, and to 3 for positive y."""
    tree = bins("y", [-2, 0, 2], [bins("x", [0, 1], [4.0]), bins("x", [0, 2, 3], [5.0, 6.0])])
    inputs = {"x": "real", "y": "real"}
    path = write_file(tmp_path / "d.json", {"c": (inputs, tree)})
    corrections = opened(one={"file": path, "correction": "c", "out_of_range": "clamp"})
    columns = events(x=[0.5, 2.5, 2.5, 9.0], y=[-1, -1, 1, 1], weights=[1] * 4).columns
    found = corrections.evaluate("one", "S", columns, ANALYSIS.compute(columns), "apply")
    assert found.values.tolist() == [4.0, 4.0, 6.0, 6.0]
    assert found.outside.tolist() == [False, True, False, True]


def fill(analysis: Analysis, systematics: Any, events_: DatasetEvents | None = None) -> hist.Hist:
    variations = template_variations(systematics, SAMPLES)
    observables = {"x": Observable(label="x", binning=[0.0, 1.0, 2.0])}
    settings = FillSettings(SAMPLES, REGIONS, ("x",), observables, {}, variations)
    read = correct_events(events_ or events(), analysis)
    return fill_dataset(read, analysis, settings, None)[0]["x"]


def cell(histogram: hist.Hist, sample: str, region: str, label: str) -> list[float]:
    found = histogram[hist.loc(sample), hist.loc(region), hist.loc(label), :]
    return [round(float(x), 9) for x in found.values()]


def of(name: str, **more: Any) -> Any:
    keys = {"kind": "corrected_weight", "correction": name, "samples": ["sig", "bkg"]}
    return make_systematic(**keys, **more)


def test_up_and_down_take_the_place_of_the_nominal_factor(file: str) -> None:
    analysis = analysis_with(
        one={"file": file, "correction": "first", "up": "up", "down": "down"},
        two={"file": file, "correction": "second", "up": "second_up"},
    )
    found = fill(analysis, {"one": of("one"), "two": of("two", mirrored=True)})
    assert cell(found, "sig", "high", "nominal") == [33 * 0.5 * 20, 2 * 3.0 * 20]
    assert cell(found, "sig", "high", "one_up") == [33 * 0.75 * 20, 2 * 3.5 * 20]
    assert cell(found, "sig", "high", "one_down") == [33 * 0.25 * 20, 2 * 2.75 * 20]
    assert cell(found, "sig", "high", "two_up") == [33 * 0.5 * 22, 2 * 3.0 * 22]
    assert cell(found, "bkg", "high", "one_up") == [0.0, 4 * 3.5 * 20]
    assert "two_down" not in list(found.axes[2])


def test_factor_of_zero_does_not_hide_the_other_side(tmp_path: Path) -> None:
    tree = bins("x", [0, 1, 2], [sides(0.0, 0.5, 0.0), sides(1.0, 2.0, 0.5)])
    inputs = {"x": "real", "syst": "string"}
    path = write_file(tmp_path / "z.json", {"c": (inputs, tree), "second": ({"y": "real"}, SECOND)})
    analysis = analysis_with(
        zero={"file": path, "correction": "c", "up": "up", "down": "down"},
        two={"file": path, "correction": "second"},
    )
    found = fill(analysis, {"zero": of("zero")})
    assert cell(found, "sig", "high", "nominal") == [0.0, 2 * 20.0]
    assert cell(found, "sig", "high", "zero_up") == [33 * 0.5 * 20.0, 2 * 2.0 * 20.0]
    assert cell(found, "sig", "high", "zero_down") == [0.0, 2 * 0.5 * 20.0]


def shifted(columns: Columns, size: float) -> Columns:
    return {
        **columns,
        "x": np.where(columns["x"] == np.float32(0.5), columns["x"] + size, columns["x"]),
    }


def test_shifted_event_has_the_factor_of_where_it_is_shifted_to(file: str) -> None:
    """0.5 is moved to 1.1, from a factor of 0.5 to one of 3; what is not moved keeps its own."""
    moving = replace(ANALYSIS, shifts={"s": Shift(shifted, None, "")})
    analysis = analysis_with(
        moving,
        one={"file": file, "correction": "first", "up": "up", "down": "down"},
        two={"file": file, "correction": "second"},
    )
    item = make_systematic(kind="kinematic", shift="s", size=0.6, one_sided=True, samples=["sig"])
    found = fill(analysis, {"s": item})
    assert cell(found, "sig", "high", "nominal") == [33 * 0.5 * 20, 2 * 3.0 * 20]
    assert cell(found, "sig", "high", "s_up") == [32 * 0.5 * 20, (1 + 2) * 3.0 * 20]
    assert cell(found, "sig", "low", "s_up") == [0.0, (8 - 16) * 3.0 * 10]


def test_blocks_and_folds_have_the_weights_of_all_events_together(
    file: str, tmp_path: Path
) -> None:
    path = write_events(tmp_path / "e.parquet", x=X, y=Y, genWeight=WEIGHTS)
    norm = Normalisation("S", False, 2.0, 6, 6.0, 1.0)
    write_json(tmp_path / "n.json", to_dict({"S": norm}))
    write_json(tmp_path / "p.json", {"enabled": False, "ratio": [1.0]})
    analysis = analysis_with(one={"file": file, "correction": "first"})
    files = (tmp_path / "n.json", tmp_path / "p.json")
    (whole,) = SkimmedEvents({"S": [path]}, *map(str, files)).open(analysis, 2)
    assert whole.weights is not None
    expected = 2.0 * np.array(WEIGHTS) * [0.5, 3.0, 3.0, 0.5, 3.0, 0.5]
    np.testing.assert_allclose(whole.weights.nominal, expected)
    for drop in (None, 0):
        parts = [
            part.weights.nominal
            for part in stream_dataset("S", [path], *files, analysis, 2, drop_fold=drop, block=2)
            if part.weights is not None
        ]
        left = whole if drop is None else select_fold(whole, drop, inside=False)
        assert left.weights is not None
        np.testing.assert_allclose(np.concatenate(parts), left.weights.nominal)


def test_closure_lists_the_yields_before_and_after_each_correction(file: str) -> None:
    corrections = opened(
        two={"file": file, "correction": "second"},
        one={"file": file, "correction": "narrow", "out_of_range": "clamp", "samples": ["sig"]},
    )
    closure = Closure(ANALYSIS, corrections, SAMPLES, REGIONS, {})
    closure.add(events())
    closure.add(replace(events(), is_data=True, weights=None))
    found = {(row["correction"], row["sample"], row["region"]): row for row in closure.rows()}
    assert list(found)[:2] == [("two", "sig", "high"), ("two", "sig", "low")]
    sums = {key: (row["before"], row["after"], row["outside"]) for key, row in found.items()}
    assert sums["two", "sig", "high"] == (35.0, 700.0, 0)
    assert sums["two", "sig", "low"] == (-8.0, -80.0, 0)
    assert sums["one", "sig", "high"] == (700.0, 1400.0, 1)  # x = 0.25 is outside
    assert sums["one", "bkg", "high"] == (80.0, 80.0, 0)  # so is 1.7, of another sample
    assert found["one", "sig", "high"]["events"] == 3
    choices = {"two": "error", "one": "clamp"}
    assert describe_oddities(closure.rows(), choices) == [
        "corrections.one: 1 of 6 events in regions have a value outside its bins (the nearest bin "
        "was taken)"
    ]


def test_true_value_of_a_correction_is_linear_on_either_side_and_follows_the_shift(
    file: str,
) -> None:
    """Pseudo-data: at −2 σ the factor 3 − 2·(3 − 2.75) = 2.5, of shifted events their own."""
    analysis = analysis_with(
        one={"file": file, "correction": "first", "up": "up", "down": "down"},
        two={"file": file, "correction": "second"},
    )
    read = correct_events(events(), analysis)
    assert read.weights is not None
    part = SampleEvents(
        "sig", read.columns, read.weights.nominal, read.weights.alternatives, read.folds, "S",
        read.weights.uncorrected,
    )  # fmt: skip
    moved = {**read.columns, "x": np.full(6, 1.5, np.float32)}
    for pull, low, high in ((1.0, 0.75, 3.5), (-2.0, 0.0, 2.5), (0.0, 0.5, 3.0)):
        for columns, factors in ((read.columns, [low, high, high, low, high, low]),
                                 (moved, [high] * 6)):  # fmt: skip
            quantities = ANALYSIS.compute(columns)
            found = part.correct(analysis, columns, quantities, {"one": pull})
            expected = np.array(WEIGHTS) * factors * [20.0, 20.0, 20.0, 10.0, 10.0, 20.0]
            np.testing.assert_allclose(found.weights, expected, atol=1e-9)
            np.testing.assert_allclose(found.alternatives["pileup"], 2 * expected, atol=1e-9)


def test_up_and_down_share_a_parameter_unless_they_are_decorrelated() -> None:
    """The factors of the yields are those of the templates; the parameter is named once."""
    name, sample = "met_unclustered", "TT"
    histogram = make_histogram()
    view = histogram[hist.loc(sample), hist.loc("signal"), :, :]
    yields = {
        side: view[hist.loc(side), :].values().sum()
        for side in ("nominal", f"{name}_up", f"{name}_down")
    }
    for decorrelate, parameter in (([], name), (["sample"], f"{name}_{sample}")):
        systematics = settings()["systematics"]
        systematics[name] = {
            "kind": "corrected_weight",
            "correction": name,
            "samples": systematics[name]["samples"],
            "decorrelate": decorrelate,
            "prune": False,
        }
        workspace, _ = build_workspace(
            histogram, make_config(systematics=systematics), "nn_score", TRANSFER
        )
        (channel,) = [c for c in workspace["channels"] if c["name"] == "signal"]
        (found,) = [s for s in channel["samples"] if s["name"] == sample]
        modifiers = {(m["name"], m["type"]): m["data"] for m in found["modifiers"]}
        factors = modifiers[parameter, "normsys"]
        assert factors["hi"] == pytest.approx(yields[f"{name}_up"] / yields["nominal"])
        assert factors["lo"] == pytest.approx(yields[f"{name}_down"] / yields["nominal"])


def test_event_that_is_shifted_out_of_a_factor_of_zero_counts(tmp_path: Path) -> None:
    """0.5 with a factor of 0 is moved to 1.1, where it is 1; the other factor is 10 or 20."""
    zero = ({"x": "real"}, bins("x", [0, 1, 2], [0.0, 1.0]))
    path = write_file(tmp_path / "z.json", {"zero": zero, "second": ({"y": "real"}, SECOND)})
    analysis = analysis_with(
        replace(ANALYSIS, shifts={"s": Shift(shifted, None, "")}),
        zero={"file": path, "correction": "zero"},
        two={"file": path, "correction": "second"},
    )
    item = make_systematic(kind="kinematic", shift="s", size=0.6, one_sided=True, samples=["sig"])
    found = fill(analysis, {"s": item})
    assert cell(found, "sig", "high", "nominal") == [0.0, 2 * 20.0]
    assert cell(found, "sig", "high", "s_up") == [0.0, (1 + 2) * 20.0]
