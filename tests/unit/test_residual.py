"""The control residual as a systematic: ratio, smoothing, templates and fit."""

from __future__ import annotations

from typing import Any

import hist
import numpy as np
import pytest

from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.estimates.registry import read_estimate
from taipan.events.variations import template_variations
from taipan.labels import NOMINAL
from taipan.likelihood import build_workspace
from taipan.likelihood.asimov import expected_sigma
from taipan.systematics.control_residual import measure_residual
from taipan.systematics.registry import make_systematic
from taipan.templates.combine import add_estimate, check_variations
from taipan.templates.residual import add_residuals
from tests.synthetic_templates import EDGES, SAMPLES, TRANSFER, make_config, make_histogram, nominal

N = 13


def counts(values: np.ndarray, per_unit: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
    return values, values / per_unit


def measure(data: np.ndarray, expected: np.ndarray, per_unit: float = 10.0) -> Any:
    nothing = (np.zeros(len(data)), np.zeros(len(data)))
    edges = np.linspace(0.0, 1.0, len(data) + 1)
    return measure_residual((data, data), counts(expected, per_unit), nothing, edges, "w_control")


def test_a_distortion_of_one_bin_comes_out() -> None:
    """20 % in one of 13 bins, 10⁵ events a bin."""
    expected = np.full(N, 1e5)
    data = expected.copy()
    data[8] *= 1.2
    found = measure(data, expected)
    truth = data / expected * expected.sum() / data.sum()
    assert np.allclose(found.curve, truth, atol=3 * max(found.sigma))
    assert found.curve[8] / np.mean(np.delete(found.curve, 8)) == pytest.approx(1.2, abs=0.01)
    assert found.order == N - 1
    assert np.mean(found.curve) == pytest.approx(1.0, abs=1e-9)


def test_a_distortion_of_one_bin_is_not_taken_for_a_slope() -> None:
    """6σ in one bin is 2σ in each of many polynomials: none of them is worth its cost alone."""
    expected = np.geomspace(20_000.0, 60.0, N)
    data = expected.copy()
    data[10] *= 1.0 + 6.0 / np.sqrt(expected[10])
    found = measure(data, expected, per_unit=1e6)
    assert found.curve[10] - 1.0 == pytest.approx(found.ratio[10] - 1.0, rel=0.2)
    assert np.max(np.abs(np.asarray(found.curve)[:9] - 1.0)) < 0.1


def test_a_slope_comes_out_without_the_noise() -> None:
    rng = np.random.default_rng(1)
    expected = np.full(N, 2000.0)
    slope = 1.0 + 0.2 * np.linspace(-1.0, 1.0, N)
    data = rng.poisson(expected * slope).astype(float)
    found = measure(data, expected)
    assert 1 <= found.order <= 3
    assert np.max(np.abs(np.asarray(found.curve) - slope)) < 0.04
    assert np.std(np.asarray(found.curve) - slope) < 0.7 * np.std(np.asarray(found.ratio) - slope)


def test_noise_is_a_slope_of_its_statistical_size() -> None:
    """Without a difference: one smooth direction, whose size is the error, not that of bins."""
    rng = np.random.default_rng(2)
    expected = np.full(N, 40.0)
    orders, sizes = [], []
    for _ in range(300):
        found = measure(rng.poisson(expected).astype(float), expected, per_unit=1000.0)
        orders.append(found.order)
        sizes.append(np.max(np.abs(np.asarray(found.curve) - 1.0)))
        if found.order == 0:
            steps = np.diff(found.curve)
            assert np.all(steps > 0) or np.all(steps < 0)
    assert np.mean(np.asarray(orders) == 0) > 0.85
    # slope of a straight line through 13 bins with 16 % each: 16 % · √(3/13)·(12/13) at the ends
    alone = 1 / np.sqrt(40.0) * np.sqrt(3 / 13)
    quiet = np.asarray(sizes)[np.asarray(orders) == 0]
    assert np.median(quiet) == pytest.approx(alone, rel=0.2)
    # bin by bin the largest of 13 deviations would be twice that
    assert np.percentile(quiet, 95) < 2.1 * alone


def bent(size: float) -> tuple[np.ndarray, np.ndarray]:
    """Data with a second-order difference of `size` standard deviations and no other; the truth."""
    expected = np.full(N, 400.0)
    shape = np.linspace(-1.0, 1.0, N) ** 2
    shape -= shape.mean()
    shape *= size / np.sqrt(np.sum(expected * shape**2))
    return expected * (1.0 + shape), shape


def test_noise_alone_is_a_straight_line() -> None:
    """Two tests at 3σ; if a further degree need only gain 2σ, 5 % of the curves bend."""
    rng = np.random.default_rng(4)
    expected = np.geomspace(4000.0, 60.0, N)
    orders = []
    for _ in range(2000):
        found = measure(rng.poisson(expected).astype(float), expected, per_unit=1000.0)
        orders.append(found.order)
    bends = np.mean(np.asarray(orders) > 1)
    assert bends < 0.0027 * 2 + 3.0 * np.sqrt(0.0054 / 2000)
    # a slope above 2σ is called by its name
    assert np.mean(np.asarray(orders) == 1) == pytest.approx(0.0455, abs=0.015)


@pytest.mark.parametrize(("size", "order"), [(2.3, 0), (2.9, 0), (3.1, 2), (5.0, 2)])
def test_second_order_needs_evidence(size: float, order: int) -> None:
    """Of 2.3σ it doubled σ(μ) of networks whose control sample happened to ask for it."""
    data, shape = bent(size)
    found = measure(data, np.full(N, 400.0), per_unit=1e9)
    assert found.order == order
    # and the line of its statistical error, in one direction or the other
    line = np.linspace(-1.0, 1.0, N)
    line /= np.sqrt(np.sum(400.0 * line**2))
    rest = np.asarray(found.curve) - 1.0 - (shape if order else 0.0)
    np.testing.assert_allclose(rest, line * np.sign(rest[-1]), atol=1e-6)


def test_a_planted_slope_is_a_slope() -> None:
    """5σ: found in all draws, of the right size on average, and 1 % at most bend."""
    rng = np.random.default_rng(5)
    expected = np.full(N, 400.0)
    line = np.linspace(-1.0, 1.0, N)
    line *= 5.0 / np.sqrt(np.sum(expected * line**2))
    found = [
        measure(rng.poisson(expected * (1.0 + line)).astype(float), expected, per_unit=1e9)
        for _ in range(500)
    ]
    orders = np.array([item.order for item in found])
    assert orders.min() >= 1
    assert np.mean(orders == 1) > 0.985
    slopes = [np.dot(np.asarray(item.curve) - 1.0, line) / np.dot(line, line) for item in found]
    assert np.mean(slopes) == pytest.approx(1.0, abs=3 * 0.2 / np.sqrt(500))


def test_data_as_expected_have_a_slope_of_their_error() -> None:
    """Without any difference, to the last bit."""
    expected = np.full(N, 400.0)
    found = measure(expected, expected, per_unit=1e9)
    assert found.chi2 == 0.0
    edge = np.linspace(-1.0, 1.0, N)
    edge /= np.sqrt(np.sum(400.0 * edge**2))
    np.testing.assert_allclose(np.abs(np.asarray(found.curve) - 1.0), np.abs(edge), atol=1e-6)


def test_weak_bins_are_joined_and_a_weak_region_is_refused() -> None:
    expected = np.array([400.0] * 10 + [2.0, 1.0, 0.5])
    found = measure(expected, expected)
    assert len(found.ratio) < N
    assert len(set(found.curve[10:])) == 1
    assert max(found.sigma) <= 0.5
    with pytest.raises(TaipanError, match="region 'w_control' has too few events: not two bins"):
        measure(np.full(N, 0.3), np.full(N, 0.3))
    with pytest.raises(TaipanError, match=r"Σw = -130 of data minus other processes in region"):
        measure(np.full(N, -10.0), np.full(N, 10.0))


def test_two_hundred_fine_bins_have_a_curve() -> None:
    """Polynomials of high degree stay orthogonal."""
    rng = np.random.default_rng(3)
    expected = 4e4 * np.exp(-8.0 * np.linspace(0.0, 1.0, 200)) / 20.0
    tilt = 1.0 + 0.2 * np.linspace(0.0, 1.0, 200)
    tilt *= expected.sum() / (expected * tilt).sum()
    found = measure(rng.poisson(expected * tilt).astype(float), expected)
    assert len(found.curve) == 200
    assert len(found.ratio) > 100
    difference = np.abs(np.asarray(found.curve) - tilt)
    assert np.average(difference, weights=expected) < 0.02
    assert difference.max() < 0.25


def test_a_large_residual_keeps_both_directions_positive(caplog: pytest.LogCaptureFixture) -> None:
    expected = np.array([1e5] * 12 + [2e3])
    data = expected.copy()
    data[12] *= 4.0
    found = measure(data, expected)
    assert found.curve[12] == pytest.approx(1.9)
    assert "exceeds 90 %" in caplog.text


def residual_config(samples: list[str], **keys: Any) -> Config:
    config = make_config()
    systematic = make_systematic(
        kind="control_residual", region="w_control", samples=samples, **keys
    )
    return config.model_copy(update={"systematics": {**config.systematics, "residual": systematic}})


def with_labels(histogram: hist.Hist, config: Config) -> hist.Hist:
    """Copy with an empty category for each further variation."""
    variations = template_variations(config.systematics, config.samples)
    labels = list(histogram.axes[2])
    labels += [item.name for item in variations if item.name not in labels]
    axes = [histogram.axes[0], histogram.axes[1]]
    out = hist.Hist(
        *axes,
        hist.axis.StrCategory(labels, name="variation"),
        histogram.axes[3],
        storage=hist.storage.Weight(),
    )
    out.view(flow=True)[:, :, : len(histogram.axes[2])] = histogram.view(flow=True)[
        :, :, : len(histogram.axes[2])
    ]
    return out


def filled(
    config: Config, distortion: np.ndarray, scale: float = 1.0
) -> tuple[hist.Hist, dict[str, Any]]:
    """Templates with W distorted in the data of the control region."""
    expected = {
        region: sum(nominal(name, region) for name in SAMPLES) for region in ("signal", "w_control")
    }
    data = dict(expected)
    data["w_control"] = expected["w_control"] + (distortion - 1.0) * nominal("W", "w_control")
    histogram = with_labels(make_histogram(data={k: v.copy() for k, v in data.items()}), config)
    variations = template_variations(config.systematics, config.samples)
    residual = [item for item in variations if item.systematic.kind == "control_residual"]
    estimate = read_estimate(config.samples, TRANSFER)
    total, records = add_residuals(
        {"nn_score": histogram}, config.samples, config.regions, residual, estimate
    )
    out = add_estimate(total["nn_score"], config.samples, config.regions, variations, estimate)
    check_variations({"nn_score": out}, config.samples, config.regions, residual)
    return out, records


def template(histogram: hist.Hist, sample: str, region: str, variation: str) -> np.ndarray:
    return histogram[hist.loc(sample), hist.loc(region), hist.loc(variation), :].values()


def bump(place: int, size: float) -> np.ndarray:
    """Distortion of one bin that keeps the number of W events in the control region."""
    distortion = np.ones(N)
    distortion[place] += size
    values = nominal("W", "w_control")
    return distortion * values.sum() / (values * distortion).sum()


def test_the_distortion_reaches_the_signal_region() -> None:
    config = residual_config(["W"])
    distortion = bump(1, 0.2)
    histogram, records = filled(config, distortion)
    before = template(histogram, "W", "signal", NOMINAL)
    after = template(histogram, "W", "signal", "residual_up")
    ratio = after / before
    record = records["residual"]["nn_score"]
    assert record["sigma"][1] < 0.03
    assert ratio[1] == pytest.approx(distortion[1], abs=2 * record["sigma"][1])
    assert ratio[1] / ratio[[0, 2, 3]].mean() == pytest.approx(1.2, abs=2 * record["sigma"][1])
    assert np.allclose(after / before, record["curve"])
    # what is subtracted for QCD follows, others stay
    ratio = template(histogram, "W", "ss_signal", "residual_up") / template(
        histogram, "W", "ss_signal", NOMINAL
    )
    assert np.allclose(ratio, record["curve"])
    assert not template(histogram, "ZTT", "signal", "residual_up").any()
    assert not np.allclose(
        template(histogram, "QCD", "signal", "residual_up"),
        template(histogram, "QCD", "signal", NOMINAL),
    )
    # the total of the samples stays in the control region
    assert template(histogram, "W", "w_control", "residual_up").sum() == pytest.approx(
        template(histogram, "W", "w_control", NOMINAL).sum(), rel=1e-9
    )


def test_regions_confine_it() -> None:
    histogram, _ = filled(residual_config(["W"], regions=["signal"]), bump(1, 0.2))
    assert template(histogram, "W", "signal", "residual_up").any()
    assert template(histogram, "W", "ss_signal", "residual_up").any()
    assert not template(histogram, "W", "w_control", "residual_up").any()


def test_the_residual_widens_the_expected_uncertainty() -> None:
    """And the more the larger it is; its parameter is in the workspace."""
    sigmas = []
    for size in (None, 0.0, 1.0):
        config = make_config() if size is None else residual_config(["W", "ZTT"])
        distortion = bump(10, size or 0.0)
        histogram, _ = filled(config, distortion)
        workspace, record = build_workspace(histogram, config, "nn_score", TRANSFER)
        sigmas.append(expected_sigma(workspace))
        names = {
            modifier["name"]
            for channel in workspace["channels"]
            for sample in channel["samples"]
            for modifier in sample["modifiers"]
        }
        assert ("residual" in names) == (size is not None)
        assert ("residual" in record["systematics"]) == (size is not None)
    assert sigmas[0] < sigmas[1] < sigmas[2]
    assert sigmas[2] / sigmas[0] > 1.05


def test_nothing_else_is_touched() -> None:
    config = make_config()
    variations = template_variations(config.systematics, config.samples)
    histogram = make_histogram()
    estimate = read_estimate(config.samples, TRANSFER)
    total, records = add_residuals(
        {"nn_score": histogram}, config.samples, config.regions, variations, estimate
    )
    assert total["nn_score"] is histogram
    assert records == {}
    assert len(EDGES) == N + 1
