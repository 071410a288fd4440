"""Regions with bins of their own, regions that are left out, and events that two of them share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hist
import numpy as np
import pytest

from taipan.analysis import Columns, Shift
from taipan.checks.regions import check_region_bins
from taipan.columns.expressions import certainly_shared, parse_expression
from taipan.config.model import Config
from taipan.config.sections.observables import Observable
from taipan.config.sections.region_bins import choose_histogram, expand_observables
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.coverage.bins import FitBins
from taipan.coverage.draw import Universe
from taipan.coverage.sample_events import SampleEvents
from taipan.errors import TaipanError
from taipan.events.expected import SampleSums, check_samples
from taipan.events.load import DatasetEvents
from taipan.events.overlap import exclusive_pairs
from taipan.events.variations import template_variations
from taipan.events.weights import EventWeights
from taipan.likelihood import LikelihoodError, build_workspace
from taipan.stages.optimise_binning import chosen_places, fine_observables
from taipan.summary.collect import fitted_regions
from taipan.systematics.registry import make_systematic
from taipan.templates.build import plan_filling
from taipan.templates.fill import FillSettings, fill_dataset
from tests.made_up_estimates import same_sign
from tests.synthetic_templates import (
    EDGES,
    TRANSFER,
    make_config,
    make_histogram,
    settings,
)
from tests.tiny_analysis import ANALYSIS

SAMPLES = {"sig": Sample(role="signal", datasets=["S"])}
X = Observable(label="x", binning=[0.0, 1.0, 2.0])
COLUMNS: dict[str, Any] = {
    "x": np.array([-1.0, 0.5, 1.5, 2.0, 0.5]),
    "y": np.array([1.0, 1.0, 1.0, -1.0, -1.0]),
}
WEIGHTS = np.array([1.0, 2.0, 4.0, 8.0, 16.0])


def dataset(name: str = "S") -> DatasetEvents:
    return DatasetEvents(name, False, COLUMNS, EventWeights(WEIGHTS, {}), np.zeros(5, np.int64))


def fill(regions: dict[str, Region], **plan: Any) -> dict[str, hist.Hist]:
    given = {"observables": expand_observables({"x": X}, regions), **plan}
    full = FillSettings(
        SAMPLES, regions, ("x",), given["observables"], {}, plan.get("variations", ())
    )
    full = replace(full, places=given.get("places", {}))
    return fill_dataset(dataset(), plan.get("analysis", ANALYSIS), full, None)[0]


def content(histogram: hist.Hist, region: str) -> list[float]:
    view = histogram[hist.loc("sig"), hist.loc(region), hist.loc("nominal"), :]
    return [float(value) for value in view.values(flow=True)]


def test_region_with_edges_of_its_own_counts_the_same_events_in_them() -> None:
    regions = {
        "high": Region(cut="y > 0", role="signal"),
        "low": Region(cut="y < 0", role="signal", observable="x", binning=[0.0, 0.25, 4.0]),
    }
    found = fill(regions, places={"low_x": {"low"}})
    assert list(found) == ["x", "low_x", "x.shifts", "low_x.shifts"]
    assert content(found["x"], "high") == [1.0, 2.0, 4.0, 0.0]
    assert content(found["x"], "low") == [0.0, 16.0, 0.0, 8.0]
    assert content(found["low_x"], "low") == [0.0, 0.0, 24.0, 0.0]
    assert content(found["low_x"], "high") == [0.0] * 4
    assert choose_histogram("low", regions, "x", found) == "low_x"
    assert choose_histogram("high", regions, "x", found) == "x"


def test_observable_of_another_name_counts_its_quantity() -> None:
    regions = {"high": Region(cut="y > 0", role="signal")}
    coarse = Observable(quantity="x", label="x", binning=[-2.0, 2.0])
    found = fill(regions, observables={"x": X, "coarse": coarse})
    assert content(found["coarse"], "high") == [0.0, 7.0, 0.0]


def test_edges_by_name_hold_for_each_observable_of_the_fits() -> None:
    region = Region(cut="y > 0", role="signal", binning={"x": [0.0, 9.0]})
    regions = {"a": region, "b": Region(cut="y < 0", role="signal")}
    observables = {"x": X, "y": Observable(label="y", binning=[0.0, 5.0])}
    found = expand_observables(observables, regions)
    assert list(found) == ["x", "y", "a_x"]
    assert found["a_x"].binning == [0.0, 9.0]
    assert found["a_x"].quantity == "x"
    assert choose_histogram("a", regions, "x", found) == "a_x"
    assert choose_histogram("a", regions, "y", found) == "y"


SHARING = {
    "first": Region(cut="x < 1", role="signal"),
    "second": Region(cut="x > 0 or y > 5", role="control"),
}


def test_events_of_two_fitted_regions_are_refused_with_both_names_and_their_number() -> None:
    with pytest.raises(TaipanError) as error:
        fill(SHARING)
    assert str(error.value).startswith(
        "regions.second.cut: 2 events of sig are in region 'first', too, and would count twice"
    )


def test_events_that_a_shift_brings_into_two_regions_are_refused_by_its_name() -> None:
    regions = {
        "first": Region(cut="x < 1.2", role="signal"),
        "second": Region(cut="x > 1.1 or y > 5", role="control"),
    }

    def shift(columns: Columns, size: float) -> Columns:
        x = columns["x"].copy()
        x[1] += 1.3 * size  # 0.5 becomes 1.15, which is in both
        return {**columns, "x": x}

    analysis = replace(ANALYSIS, shifts={"x": Shift(shift, None, "x")})
    kind = {"kind": "kinematic", "shift": "x", "size": 0.5, "one_sided": True, "samples": ["sig"]}
    variations = template_variations({"jes": make_systematic(**kind)}, SAMPLES)
    fill(regions, analysis=analysis)
    with pytest.raises(TaipanError) as error:
        fill(regions, analysis=analysis, variations=variations)
    assert str(error.value).startswith(
        "regions.second.cut: 1 event of sig under jes_up is in region 'first', too"
    )


def test_shared_events_are_found_before_any_network_is_trained() -> None:
    sums = SampleSums(SAMPLES, SHARING)
    events = dataset()
    sums.add(events, {**COLUMNS, "passes": np.ones(5, bool)})
    with pytest.raises(TaipanError, match=r"2 events of sig are in region 'first', too"):
        check_samples(sums)
    sums = SampleSums(SAMPLES, SHARING)
    data = DatasetEvents("D", True, COLUMNS, None, np.zeros(5, np.int64))
    sums.add(data, {**COLUMNS, "passes": np.ones(5, bool)})
    with pytest.raises(TaipanError, match=r"2 events of data are in region 'first', too"):
        check_samples(sums)


def test_data_that_stand_for_a_sample_are_those_of_no_fitted_region() -> None:
    """The source of `a` may share events with `b`, and with that of `b`: the factor is of both."""
    regions = {
        "a": Region(cut="x < 1 and y > 0", role="signal"),
        "b": Region(cut="x > 1 and x < 2", role="control"),
        "ss_a": Region(cut="y < 0"),
        "ss_b": Region(cut="x > 2"),
    }
    samples = {**SAMPLES, "jets": Sample(estimate=same_sign(a="ss_a", b="ss_b"))}
    assert exclusive_pairs(regions, SAMPLES) == []
    assert exclusive_pairs(regions, samples) == [("b", "ss_a"), ("ss_a", "ss_b")]


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("x < 1", "y > 2", True),
        ("x < 1 and y > 0", "x > 1", False),
        ("x < 1", "not (x < 1)", False),
        ("x < y", "y < x", False),
        ("x < 1 or y > 1", "x > 3", False),
        ("x != 1", "x > 3", False),
        ("0 < x < 3", "2 < x < 4", True),
    ],
)
def test_cuts_are_refused_where_all_of_them_is_understood(
    first: str, second: str, shared: bool
) -> None:
    assert certainly_shared(parse_expression(first), parse_expression(second)) is shared


def gathered(data: list[float], weight: float) -> SampleSums:
    regions = {
        "sr": Region(cut="x < 0", role="signal"),
        "cr": Region(cut="x > 0 and x < 1", role="control"),
        "side": Region(cut="x > 1"),
    }
    sums = SampleSums(SAMPLES, regions)
    x = np.array([-1.0, 0.5, 1.5])
    simulated = DatasetEvents(
        "S", False, {}, EventWeights(np.full(3, weight), {}), np.zeros(3, np.int64)
    )
    sums.add(simulated, {"x": x, "passes": np.ones(3, bool)})
    collisions = DatasetEvents("D", True, {}, None, np.zeros(len(data), np.int64))
    sums.add(collisions, {"x": np.array(data), "passes": np.ones(len(data), bool)})
    return sums


def test_region_without_data_where_some_are_expected_is_refused() -> None:
    with pytest.raises(TaipanError) as error:
        check_samples(gathered([1.5], 12.0))
    assert str(error.value) == (
        "regions.cr.cut: 'x > 0 and x < 1': no event of data passes it, 12 are expected from "
        "simulation"
    )
    assert check_samples(gathered([1.5], 0.5)) == [
        "regions.cr.cut: 'x > 0 and x < 1': no event of data passes it, 0.5 are expected from "
        "simulation"
    ]
    assert check_samples(gathered([0.5, 1.5], 12.0)) == []  # a signal region is not looked at


def test_signal_region_without_data_is_refused_once_it_is_looked_at() -> None:
    data = {"signal": np.zeros(13), "w_control": np.full(13, 100.0)}
    with pytest.raises(LikelihoodError, match=r"regions.signal.cut: no event of data passes it"):
        build_workspace(make_histogram(data), make_config(), "nn_score", TRANSFER)
    blinded = make_config(fit={"unblind": False, "free_normalisations": {"w_norm": "W"}})
    assert build_workspace(make_histogram(data), blinded, "nn_score", TRANSFER)


def left_out(**fit: Any) -> Config:
    return make_config(fit={**settings()["fit"], **fit})


def test_region_is_left_out_of_the_fit_by_one_key() -> None:
    plain, _ = build_workspace(make_histogram(), left_out(), "nn_score", TRANSFER)
    config = left_out(leave_out=["w_control"])
    workspace, record = build_workspace(make_histogram(), config, "nn_score", TRANSFER)
    assert [item["name"] for item in workspace["channels"]] == ["signal"]
    assert [item["name"] for item in workspace["observations"]] == ["signal"]
    assert list(record["regions"]) == ["signal"]
    assert workspace["channels"][0] == plain["channels"][0]
    assert fitted_regions(config.regions, config.fit) == ["signal"]


def problems(config: Config) -> list[str]:
    return list(check_region_bins(config))


def with_regions(**regions: dict[str, Any]) -> Config:
    known = settings()["regions"]
    for name, item in known.items():
        item["cut"] += f" and q {'>' if name.startswith('ss_') else '<'} 0"
    return make_config(
        regions={name: {**item, **regions.get(name, {})} for name, item in known.items()},
        observables={
            "nn_score": {"label": "score", "binning": EDGES},
            "mass": {"label": "m", "binning": [0.0, 300.0]},
        },
    )


def test_keys_of_bins_are_checked() -> None:
    assert problems(with_regions()) == []
    assert problems(with_regions(signal={"binning": {"mass": [0, 50, 90]}})) == []
    assert problems(with_regions(w_control={"observable": "mass", "binning": [0, 90]})) == []
    for change, line in (
        ({"signal": {"binning": [0, 0.5, 1]}}, "regions.signal.binning: edges of which observable"),
        ({"signal": {"binning": {"nass": [0, 1]}}}, "regions.signal.binning.nass: 'nass' is not a"),
        (
            {"signal": {"binning": {"nn_score": [0, 0.6, 0.5]}}},
            "regions.signal.binning.nn_score[2]: 0.5 after 0.6; edges must be strictly increasing",
        ),
        (
            {"signal": {"observable": "nn_score", "binning": [0, 2]}},
            "regions.signal.binning: 0 to 2 is not within 0 to 1",
        ),
        ({"ss_signal": {"binning": {"mass": [0, 1]}}}, "regions.ss_signal.binning: a region with"),
        ({"w_control": {"binning": {"mass": [0, 1]}}}, "regions.w_control.binning: the region is"),
        ({"signal": {"binning": {"mass": [0]}}}, "regions.signal.binning.mass: 1 edge(s); at"),
        (
            {"signal": {"shapes_from": ["los"]}},
            "regions.signal.shapes_from[0]: 'los' is not a region (",
        ),
        (
            {"signal": {"binning": {"mass": [0, 9]}, "shapes_from": ["ss_signal"]}},
            "regions.signal.shapes_from: no other region is filled in the bins of its `binning`",
        ),
        (
            {"signal": {"shapes_from": ["w_control"]}, "w_control": {"cut": "mt > 10 and q < 0"}},
            "regions.signal.shapes_from[0]: 'w_control' shares events with 'signal'",
        ),
    ):
        (found,) = problems(with_regions(**change))
        assert found.startswith(line), found
    apart = with_regions().regions
    typo = left_out(leave_out=["w_contrl"]).model_copy(update={"regions": apart})
    (found,) = problems(typo)
    assert found.startswith("fit.leave_out[0]: 'w_contrl' is not a region with role signal or cont")
    (found,) = problems(left_out(leave_out=["signal"]).model_copy(update={"regions": apart}))
    assert found == "fit.leave_out: signal: no region with role signal is left to fit"


def test_bins_that_no_event_of_a_region_reaches_are_named() -> None:
    """Bins of the region or those of all, of the quantity that the observable is."""
    edges = {"observable": "mass", "binning": [100.0, 150.0]}
    for cut, is_refused in (
        ("mass < 100", True), ("mass < 100.5", False), ("mass >= 150", True), ("mass > 149", False),
        ("mass > 20", False), ("other < 100", False),
    ):  # fmt: skip
        cut = f"mt < 30 and {cut} and q < 0"
        for region in ("signal", "w_control"):
            own = cut if region == "signal" else cut.replace("mt < 30", "mt > 70")
            change = {region: {**edges, "cut": own}}
            found = [line for line in problems(with_regions(**change)) if "leaves no" in line]
            assert bool(found) == is_refused, cut
            for line in found:
                assert line.startswith(f"regions.{region}.cut: '")
                assert "leaves no value of mass within the bins of 'mass', 100 to 150" in line
    (line,) = problems(with_regions(signal={"cut": "mt < 30 and q < 0 and nn_score > 1"}))
    assert line.startswith("regions.signal.cut: ")
    assert "within the bins of 'nn_score', 0 to 1" in line


def test_scores_of_every_network_are_within_0_and_1() -> None:
    config = with_regions(signal={"observable": "mass", "binning": [0.0, 2.0]})
    assert problems(config) == []
    (line,) = check_region_bins(config, ["nn_score", "mass"])
    assert line == "regions.signal.binning: 0 to 2 is not within 0 to 1"


def test_regions_of_an_estimate_that_may_share_events_are_refused_early() -> None:
    """The source of one fitted region reaches into the other."""
    config = with_regions(ss_signal={"cut": "mt < 90"})
    (first, *more) = problems(config)
    assert first == (
        "regions.ss_signal.cut: 'mt < 90' is not shown to be disjoint from region 'signal' "
        "('mt < 30 and q < 0'); an estimate needs other events in each, and none of a fitted region"
    )
    assert any("from region 'w_control'" in line for line in more)


def test_edges_are_chosen_for_each_signal_region() -> None:
    config = with_regions(
        w_control={"role": "signal"},
        ss_signal={"role": "signal", "binning": {"nn_score": [0, 1], "mass": [0, 300]}},
        ss_w_control={"role": "signal", "observable": "mass"},
    )
    changed = {"method": "merge", "fine_bins": 5}
    templates = config.templates.model_copy(
        update={"binning": config.templates.binning.model_copy(update=changed)}
    )
    config = config.model_copy(update={"templates": templates})
    assert chosen_places(config) == {
        "signal_nn_score": ("nn_score", "signal"),
        "signal_mass": ("mass", "signal"),
        "w_control_nn_score": ("nn_score", "w_control"),
        "w_control_mass": ("mass", "w_control"),
        "ss_w_control_mass": ("nn_score", "ss_w_control"),
    }
    fine = fine_observables(config)
    assert fine["signal_nn_score"].binning == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert fine["nn_score"].binning == EDGES
    assert fine["ss_signal_nn_score"].binning == [0, 1]


def test_histogram_of_a_region_is_filled_where_the_fit_needs_it(tmp_path: Any) -> None:
    config = with_regions(signal={"binning": {"mass": [0, 50, 90]}})
    observables = expand_observables(config.observables, config.regions)
    config = config.model_copy(update={"weights": {}})
    plan = plan_filling(config, ANALYSIS, tmp_path / "none.json", observables)
    assert plan.places == {"signal_mass": {"signal", "ss_signal"}}


def test_pseudo_data_are_scored_in_the_region_with_the_score_beside_another_fit() -> None:
    """The fit is of x; the score of the region `a` is drawn, too."""
    regions = {"a": {"cut": "y > 0", "role": "signal"}, "b": {"cut": "y < 0", "role": "signal"}}
    samples = {"sig": {"role": "signal", "datasets": ["S"]}}
    sections = {"regions": regions, "samples": samples, "systematics": {}, "features": ["x"]}
    config = Config.from_plain(sections)
    events = SampleEvents("sig", COLUMNS, WEIGHTS, {}, np.zeros(5, np.int64))
    edges = {"a": np.array([0.0, 0.5, 1.0]), "b": np.array([0.0, 1.0, 3.0])}
    binning = FitBins("x", edges, frozenset(), {"a": "nn_score"})
    universe = Universe(ANALYSIS, config, binning, lambda x, _: np.where(x[:, 0] < 1.0, 0.2, 0.7))
    from taipan.coverage.truth import Truth
    from taipan.stages.draw_pseudo_data import SourceData

    found = universe.expected([events], Truth(1.0, {}, {}), SourceData({}, {}, None))
    assert found["a"].tolist() == [3.0, 4.0]
    assert found["b"].tolist() == [16.0, 8.0]
    # yields of a sample that the fit counts in further regions are what they are
    fixed = SourceData({}, {}, None, {"a": np.array([10.0, 20.0])})
    assert universe.expected([events], Truth(1.0, {}, {}), fixed)["a"].tolist() == [13.0, 24.0]
