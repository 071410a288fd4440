"""Errors of shifts in the model: pairs, merged bins, significance, and noise taken out."""

from __future__ import annotations

from typing import Any

import hist
import numpy as np
import pytest
from scipy.stats import chi2, kstest

from taipan.estimates.registry import read_estimate
from taipan.labels import name_shifts
from taipan.likelihood import build_workspace
from taipan.likelihood.denoise import remove_noise
from taipan.likelihood.looser import add_looser
from taipan.likelihood.merge import BinYields, merge_values
from taipan.likelihood.projection import project, projection_spread
from taipan.likelihood.replicas import Fluctuations
from taipan.likelihood.significance import compare_with_noise
from taipan.likelihood.subtracted import shift_estimate
from taipan.likelihood.table import (
    ShiftErrors,
    Table,
    TemplatePair,
    make_template_pair,
    read_table,
)
from taipan.plotting.shifts import shift_figure, shift_numbers
from taipan.templates.shifts import shift_covariance
from tests.synthetic_templates import TRANSFER, make_config, make_histogram, nominal, settings
from tests.unit.test_plotting import HEADER, texts

NOMINAL = np.array([50.0, 40.0, 10.0])
UP, DOWN = np.diag([4.0, 2.0, 1.0]), np.diag([8.0, 2.0, 3.0])
UP[0, 1] = UP[1, 0] = -1.5


def table(up: np.ndarray = UP, down: np.ndarray = DOWN) -> Table:
    """One sample in one region: nominal, up and down, and the errors of the two shifts."""
    shifts = np.array([[0.0, 0.0, 0.0], [3.0, -2.0, 1.0], [-1.0, -2.0, -1.0]])
    values = (NOMINAL + shifts)[None, None]
    labels = {"nominal": 0, "x_up": 1, "x_down": 2}
    errors = ShiftErrors(
        {"Z": 0}, {"sr": 0}, {"x_up": 0, "x_down": 1}, np.stack([up, down])[None, None]
    )
    edges = (0.0, 1.0, 2.0, 3.0)
    return Table({"Z": 0}, {"sr": 0}, labels, edges, values, np.ones_like(values), errors)


def test_pairs_have_the_errors_of_what_they_are_made_of() -> None:
    both = make_template_pair(table(), "x", "Z", "sr", "both")
    np.testing.assert_array_equal(both.errors, [UP, DOWN])
    mirrored = make_template_pair(table(), "x", "Z", "sr", "mirrored")
    np.testing.assert_array_equal(mirrored.errors, [UP, UP])
    averaged = make_template_pair(table(), "x", "Z", "sr", "averaged")
    np.testing.assert_allclose(averaged.errors, [(UP + DOWN) / 4.0] * 2)


@pytest.mark.parametrize(("size", "kept"), [(1e-9, 1.0), (100.0, 0.0), (0.05, None)])
def test_sides_have_in_common_what_is_more_than_noise(size: float, kept: float | None) -> None:
    """What both have in common is (1, -2, 0) here, each with the weight 1 / Σw² = 1."""
    pair = make_template_pair(table(size * UP, size * DOWN), "x", "Z", "sr", "denoised")
    half, common = np.array([2.0, 0.0, 1.0]), np.array([1.0, -2.0, 0.0])
    noise = 0.5 * size * (UP + DOWN)
    if kept is None:
        kept = 1.0 - float(np.trace(noise)) / 5.0
    np.testing.assert_allclose(pair.up, NOMINAL + half + kept * common, rtol=1e-8)
    np.testing.assert_allclose(pair.down, NOMINAL - half + kept * common, rtol=1e-8)
    np.testing.assert_allclose(pair.errors, [(0.5 + kept**2) * noise] * 2)


def test_errors_that_were_not_filled_are_not_known() -> None:
    """Zero is an error only of a shift that moves nothing."""
    assert make_template_pair(table(up=np.zeros((3, 3))), "x", "Z", "sr", "both").errors is None


def test_event_that_moves_within_a_merged_bin_is_gone_from_its_error() -> None:
    pair = make_template_pair(table(), "x", "Z", "sr", "both").merge([0, 2])
    assert pair.errors is not None
    # 4 + 2 - 2·1.5
    np.testing.assert_allclose(pair.errors[0], [[3.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(pair.scale(2.0).errors, 4.0 * pair.errors)
    np.testing.assert_allclose(pair.add(pair).errors, 2.0 * pair.errors)
    assert pair.add(TemplatePair(pair.up, pair.down)).errors is None


def test_estimate_has_the_errors_of_all_that_is_subtracted() -> None:
    one = TemplatePair(np.array([2.0, 3.0]), np.array([1.0, 1.0]), np.full((2, 2, 2), 0.5))
    two = TemplatePair(np.array([5.0, 4.0]), np.array([3.0, 4.0]), np.full((2, 2, 2), 0.25))
    start = [np.array([1.0, 2.0]), np.array([4.0, 4.0])]
    found = shift_estimate(np.array([10.0, 20.0]), start, [one, two])
    assert found.up.tolist() == [8.0, 19.0]
    assert found.down.tolist() == [11.0, 21.0]
    np.testing.assert_array_equal(found.errors, np.full((2, 2, 2), 0.75))


def test_covariance_is_that_of_poisson_samples_of_events() -> None:
    """5,000 samples of the same 60 events, each taken a Poisson(1) number of times."""
    rng = np.random.default_rng(4)
    n = 60
    old, new = rng.integers(0, 3, n), rng.integers(0, 3, n)
    old_weights, new_weights = rng.normal(1.0, 0.5, n), rng.normal(1.0, 0.5, n)
    was, is_ = rng.random(n) < 0.8, rng.random(n) < 0.8
    found = shift_covariance((old, old_weights, was), (new, new_weights, is_), 3)
    each = np.zeros((n, 3))
    np.add.at(each, (np.flatnonzero(is_), new[is_]), new_weights[is_])
    np.add.at(each, (np.flatnonzero(was), old[was]), -old_weights[was])
    drawn = rng.poisson(1.0, (5000, n)) @ each
    np.testing.assert_allclose(found, each.T @ each, rtol=1e-12)
    np.testing.assert_allclose(np.cov(drawn.T), found, atol=0.08 * found.max())


def test_significance_of_noise_is_uniform_and_a_shift_is_seen() -> None:
    rng = np.random.default_rng(5)
    noise = rng.multivariate_normal(np.zeros(3), UP, 500)
    cell = ("x", "Z", "sr", "up")
    found = [compare_with_noise(cell, NOMINAL, NOMINAL + d, UP) for d in noise]
    assert {item.ndf for item in found} == {2}
    assert kstest([item.p_value for item in found], "uniform").pvalue > 0.01
    pulls = np.array([item.rate / item.rate_error for item in found])
    assert pulls.std() == pytest.approx(1.0, abs=0.1)
    # by hand: independent errors of 1 in two bins of equal yield; +3 and -3 is √2·3 = 4.24 σ
    clear = compare_with_noise(cell, np.full(2, 10.0), np.array([13.0, 7.0]), np.eye(2))
    assert (clear.chi2, clear.ndf) == (pytest.approx(18.0), 1)
    assert clear.rate == 0.0
    assert clear.rate_error == pytest.approx(np.sqrt(2.0) / 20.0)
    # the same change in all bins is no change of shape
    flat = compare_with_noise(cell, NOMINAL, 1.1 * NOMINAL, UP)
    assert flat.chi2 == pytest.approx(0.0, abs=1e-12)
    assert flat.rate == pytest.approx(0.1)


def test_noise_is_taken_out_of_the_square_of_a_shift() -> None:
    """Two bins of 100: the yield changes by 6 ± √20, the shape by 5 ± √5 in each."""
    nominal_, covariance = np.full(2, 100.0), 10.0 * np.eye(2)
    varied = np.array([108.0, 98.0])
    found = remove_noise(nominal_, varied, covariance, np.eye(2), 0.9)
    rate = 6.0 * np.sqrt(1.0 - 0.9 * 20.0 / 36.0)
    # (25 + 25)/100 against (5 + 5)/100
    shape = 5.0 * np.sqrt(1.0 - 0.9 * 10.0 / 50.0)
    assert found.tolist() == pytest.approx([100 + rate / 2 + shape, 100 + rate / 2 - shape])
    same = remove_noise(nominal_, varied, covariance, np.eye(2), 0.0)
    assert same.tolist() == varied.tolist()
    gone = remove_noise(nominal_, varied, 100.0 * covariance, np.eye(2), 0.9)
    assert gone.tolist() == nominal_.tolist()


def test_square_of_a_noisy_shift_is_that_of_the_larger_sample_on_average() -> None:
    """True shift ±4 with variance 10 a bin; ten times the events would leave a variance of 1."""
    rng = np.random.default_rng(6)
    nominal_, covariance, truth = np.full(4, 100.0), 10.0 * np.eye(4), np.array([8.0, -8, 8, -8])
    squares, plain = [], []
    for noise in rng.multivariate_normal(np.zeros(4), covariance, 4000):
        varied = nominal_ + truth + noise
        found = remove_noise(nominal_, varied, covariance, np.eye(4), 0.9) - nominal_
        squares.append(((found - found.mean()) ** 2).sum())
        difference = varied - nominal_
        plain.append(((difference - difference.mean()) ** 2).sum())
    wanted = (truth**2).sum() + 3.0 * 1.0
    assert np.mean(squares) == pytest.approx(wanted, rel=0.02)
    assert np.mean(plain) == pytest.approx((truth**2).sum() + 3.0 * 10.0, rel=0.02)


def with_errors(size: float) -> dict[str, hist.Hist]:
    """Synthetic templates, and errors of the shifts of ZTT in the signal region."""
    histogram = make_histogram()
    axes = [list(axis) for axis in histogram.axes[:3]]
    labels = [name for name in axes[2] if name != "nominal"]
    edges = list(histogram.axes[3].edges)
    errors = hist.Hist(
        hist.axis.StrCategory(axes[0], name="process"),
        hist.axis.StrCategory(axes[1], name="region"),
        hist.axis.StrCategory(labels, name="variation"),
        hist.axis.Variable(edges, name="nn_score"),
        hist.axis.Variable(edges, name="nn_score_again"),
        storage=hist.storage.Double(),
    )
    place = axes[0].index("ZTT"), axes[1].index("signal")
    view = errors.view(flow=True)
    inner = np.arange(1, len(edges))
    for i in range(len(labels)):
        view[*place, i][inner, inner] = size * nominal("ZTT", "signal")
    return {"nn_score": histogram, name_shifts("nn_score"): errors}


def test_errors_enter_the_record_and_the_figure() -> None:
    histograms = with_errors(0.01)
    config = make_config()
    _, record = build_workspace(histograms["nn_score"], config, "nn_score", TRANSFER, histograms)
    found = {
        (item["systematic"], item["sample"], item["region"])
        for item in record["treatment"]["shifts"]
    }
    assert ("tau_energy_scale", "ZTT", "signal") in found
    assert {sample for _, sample, region in found if region == "signal"} == {"ZTT"}
    numbers = shift_numbers(record, {"signal": "signal"}, HEADER)
    assert {item["region"] for item in numbers["shifts"]} == {"signal"}
    shown = texts(shift_figure(numbers))
    value = next(
        item["chi2"] / item["ndf"]
        for item in numbers["shifts"]
        if (item["systematic"], item["direction"]) == ("tau_energy_scale", "up")
    )
    assert f"{value:.1f}" in shown
    empty: dict[str, Any] = {"treatment": {"shifts": []}}
    assert "no errors of shifts" in texts(shift_figure(shift_numbers(empty, {"a": "a"}, HEADER)))


def statistics(workspace: dict[str, Any], sample: str) -> np.ndarray:
    """Statistical error of the bins of a sample in the signal region."""
    (channel,) = [c for c in workspace["channels"] if c["name"] == "signal"]
    (found,) = [s for s in channel["samples"] if s["name"] == sample]
    (modifier,) = [m for m in found["modifiers"] if m["type"] == "staterror"]
    return np.asarray(modifier["data"])


def test_noise_of_shifts_counts_as_statistics_of_the_simulation() -> None:
    """Four shifts of energies move ZTT up and down, each with 2 % of the yield as variance."""
    histograms = with_errors(0.02)
    systematics = settings()["systematics"]
    moving = [name for name, item in systematics.items() if item["kind"] == "kinematic"]
    assert len(moving) == 4
    found = {}
    for counted in (False, True):
        fit = {**settings().get("fit", {}), "shift_statistics": counted}
        config = make_config(fit=fit)
        workspace, _ = build_workspace(
            histograms["nn_score"], config, "nn_score", TRANSFER, histograms
        )
        found[counted] = {name: statistics(workspace, name) for name in ("ZTT", "TT")}
    added = found[True]["ZTT"] ** 2 - found[False]["ZTT"] ** 2
    mirrored = sum(
        "ZTT" in item["samples"] and item["kind"] == "weight" for item in systematics.values()
    )
    expected = (4 + mirrored) * 0.02 * nominal("ZTT", "signal")
    np.testing.assert_allclose(added, expected[: len(added)], rtol=1e-9)
    # the errors of other samples are not known here
    np.testing.assert_array_equal(found[True]["TT"], found[False]["TT"])


def test_noise_of_shifts_grows_with_the_root_of_the_events_of_a_projection() -> None:
    histograms = with_errors(0.02)
    variances = []
    for factor in (1.0, 10.0):
        arguments = (histograms["nn_score"], make_config(), "nn_score", TRANSFER, factor)
        bins = {"signal": list(range(13))}
        variances.append(statistics(project(*arguments, histograms, bins)["workspace"], "ZTT") ** 2)
    np.testing.assert_allclose(variances[1], 10.0 * variances[0], rtol=1e-9)


def test_table_folds_flow_bins_of_covariances() -> None:
    histograms = with_errors(1.0)
    errors = histograms[name_shifts("nn_score")]
    errors.view(flow=True)[0, 0, 0, 0, 1] = 5.0  # below the range, with the first bin
    errors.view(flow=True)[0, 0, 0, -1, -1] = 7.0
    found = read_table(histograms["nn_score"], "nn_score", errors)
    assert found.shifts is not None
    assert found.shifts.covariances.shape[-2:] == (13, 13)
    assert found.shifts.covariances[0, 0, 0, 0, 0] == 5.0
    assert found.shifts.covariances[0, 0, 0, -1, -1] == 7.0


def test_projection_takes_noise_out_and_keeps_given_bins() -> None:
    """Shifts that are all noise by their errors: ten times the events leave a smaller σ."""
    fit = {**settings().get("fit", {}), "shift_statistics": False}
    config, sigma = make_config(fit=fit), {}
    for size in (1e-9, 1.0):
        histograms = with_errors(size)
        arguments = (histograms["nn_score"], config, "nn_score", TRANSFER, 10.0)
        sigma[size] = project(*arguments, histograms)["sigma"]
    plain = project(*arguments)["sigma"]
    assert sigma[1e-9] == pytest.approx(plain, rel=1e-6)
    assert sigma[1.0] < 0.98 * plain
    bins = {"signal": [0, 3, 6, 9]}
    given = project(*arguments, histograms, bins)
    assert given["bins"]["signal"] == [0, 3, 6, 9]
    assert len(given["edges"]["signal"]) == 5
    merged = merge_values(10.0 * nominal("ZTT", "signal"), [0, 3, 6, 9])
    (channel,) = [c for c in given["workspace"]["channels"] if c["name"] == "signal"]
    (sample,) = [s for s in channel["samples"] if s["name"] == "ZTT"]
    assert sample["data"] == pytest.approx(merged)


def test_replicas_fluctuate_as_the_templates_do() -> None:
    """Nominal with Σw², shifts with their covariances, and the estimate with its source."""
    histograms, config = with_errors(0.01), make_config()
    templates = histograms["nn_score"]
    estimate = read_estimate(config.samples, TRANSFER)
    source = Fluctuations.of(templates, histograms[name_shifts("nn_score")], config, estimate)
    rng = np.random.default_rng(7)
    drawn = np.stack([source.draw(rng).values(flow=True) for _ in range(400)])
    rows, places, labels = (list(axis) for axis in templates.axes[:3])
    ztt, signal = rows.index("ZTT"), places.index("signal")
    up = labels.index("tau_energy_scale_up")
    nominal_ = drawn[:, ztt, signal, 0, 1:-1]
    variances = templates.variances(flow=True)[ztt, signal, 0, 1:-1]
    # a variance of 400 draws is known to √(2/400) = 7 %; the mean of 13 of them to 2 %
    assert np.mean(nominal_.var(axis=0) / variances) == pytest.approx(1.0, abs=0.06)
    shift = drawn[:, ztt, signal, up, 1:-1] - nominal_
    assert np.mean(shift.var(axis=0) / nominal("ZTT", "signal")) == pytest.approx(0.01, rel=0.06)
    bare = rows.index("ggH"), signal
    np.testing.assert_allclose(
        drawn[:, *bare, up] - drawn[:, *bare, 0],
        np.broadcast_to(np.subtract(*templates.values(flow=True)[bare][[up, 0]]), (400, 15)),
        atol=1e-8,
    )  # an error that was not filled
    below = places.index("ss_signal")
    others = [i for i, name in enumerate(rows) if name not in ("data", "QCD")]
    expected = drawn[:, rows.index("data"), below, 0] - drawn[:, others, below, 0].sum(axis=1)
    found = drawn[:, rows.index("QCD"), signal, 0]
    np.testing.assert_allclose(found, TRANSFER["value"] * expected, atol=1e-6)


def test_spread_of_a_projection_grows_with_the_noise_of_the_shifts() -> None:
    config, spread = make_config(), {}
    for size in (1e-9, 1.0):
        histograms = with_errors(size)
        arguments = (histograms["nn_score"], config, "nn_score", TRANSFER, 10.0, histograms)
        bins = project(*arguments)["bins"]
        rng = np.random.default_rng(8)
        spread[size] = projection_spread(*arguments, bins, 6, rng)
    assert 0.0 < spread[1e-9] < 0.05
    assert spread[1.0] > 1.5 * spread[1e-9]


def pair(up: list[float], down: list[float], variance: float) -> TemplatePair:
    errors = np.broadcast_to(variance * np.eye(len(up)), (2, len(up), len(up)))
    return TemplatePair(np.array(up), np.array(down), errors)


def test_shape_comes_from_a_looser_selection_where_they_agree() -> None:
    """10 and 30 events, and 90 and 70 of a looser region: ratios of the sums, own yields."""
    own = BinYields(np.array([10.0, 30.0]), np.array([10.0, 30.0]))
    looser = BinYields(np.array([90.0, 70.0]), np.array([90.0, 70.0]))
    varied, more = pair([13.0, 30.0], [7.0, 30.0], 4.0), pair([99.0, 70.0], [81.0, 70.0], 9.0)
    place = ("jes", "Z", "sr")
    found, record = add_looser(place, (own, varied), {"ss": (looser, more)})
    assert record is not None
    assert (record.used, record.taken_from) == (True, ("ss",))
    shaped = np.array([10.0 / 100 * 112, 30.0 / 100 * 100])
    np.testing.assert_allclose(found.up, shaped * 43.0 / shaped.sum())
    assert found.up.sum() == pytest.approx(43.0)
    assert found.down.sum() == pytest.approx(37.0)
    np.testing.assert_allclose(found.errors[0], 13.0 * np.diag([0.1**2, 0.3**2]))
    # the difference of the shapes, 13 - 11 in the first bin, by hand: 1.5 after the common change,
    # with the variance of both over the two bins
    noise = np.diag([4.0 + 9.0 / 81.0, 4.0 + 9.0 * 9.0 / 49.0])
    rest = np.array([[0.75, -0.25], [-0.75, 0.25]])
    size = 1.5**2 / (rest @ noise @ rest.T)[0, 0]
    assert record.p_value == pytest.approx(chi2.sf(size, 1))


def test_shape_that_differs_or_has_no_error_stays() -> None:
    own = BinYields(np.array([10.0, 30.0]), np.array([10.0, 30.0]))
    looser = BinYields(np.array([90.0, 70.0]), np.array([90.0, 70.0]))
    varied, other = pair([13.0, 30.0], [7.0, 30.0], 0.01), pair([60.0, 90.0], [99.0, 50.0], 0.01)
    found, record = add_looser(("jes", "Z", "sr"), (own, varied), {"ss": (looser, other)})
    assert record is not None
    assert not record.used
    assert found is varied
    unknown = TemplatePair(other.up, other.down)
    assert add_looser(("j", "Z", "sr"), (own, varied), {"ss": (looser, unknown)}) == (varied, None)
    # one bin that both fill has no shape
    empty = BinYields(np.array([0.0, 40.0]), np.array([0.0, 40.0]))
    assert add_looser(("j", "Z", "sr"), (empty, varied), {"ss": (looser, other)}) == (varied, None)


def test_looser_regions_enter_the_model() -> None:
    """Same-sign ZTT with the same relative shifts: nothing changes but the record."""
    histograms = with_errors(0.01)
    errors = histograms[name_shifts("nn_score")].view(flow=True)
    axes = [list(axis) for axis in histograms["nn_score"].axes[:3]]
    row, here, there = axes[0].index("ZTT"), axes[1].index("signal"), axes[1].index("ss_signal")
    errors[row, there] = 1e-4 * errors[row, here]
    regions = settings()["regions"]
    regions["signal"]["shapes_from"] = ["ss_signal"]
    config, plain = make_config(regions=regions), make_config()
    arguments = ("nn_score", TRANSFER, histograms)
    found, record = build_workspace(histograms["nn_score"], config, *arguments)
    before, _ = build_workspace(histograms["nn_score"], plain, *arguments)
    used = {item["systematic"] for item in record["treatment"]["looser"] if item["used"]}
    assert "tau_energy_scale" in used
    one, two = (
        [
            m["data"]
            for m in s["modifiers"]
            if (m["name"], m["type"]) == ("tau_energy_scale", "histosys")
        ]
        for model in (found, before)
        for s in model["channels"][0]["samples"]
        if s["name"] == "ZTT"
    )
    np.testing.assert_allclose(one[0]["hi_data"], two[0]["hi_data"], rtol=1e-6)
