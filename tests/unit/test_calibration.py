"""Calibration of intervals: quantiles known in closed form, and planted faults that it undoes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from taipan.coverage.calibrate import (
    IntervalCalibration,
    compute_pulls,
    judge_calibration,
    learn_calibration,
    regress_quantile,
)
from taipan.coverage.score import score_intervals
from taipan.errors import TaipanError

Array = NDArray[np.float64]


def experiments(n: int, seed: int = 1) -> tuple[Array, Array, Array]:
    """True μ, estimates with σ = 0.3 + 0.1 μ, and that σ."""
    rng = np.random.default_rng(seed)
    mu = rng.uniform(0.1, 3.0, n)
    sigma = 0.3 + 0.1 * mu
    return mu, mu + sigma * rng.standard_normal(n), sigma


def test_line_of_a_quantile_goes_through_the_quantiles_of_two_groups() -> None:
    """With two values of x the minimum is known: the sample quantile of each group."""
    rng = np.random.default_rng(2)
    y = rng.exponential(1.0, 202)
    x = np.repeat([0.0, 2.0], 101)
    y[101:] += 5.0
    for level in (0.155, 0.5, 0.845):
        intercept, slope = regress_quantile(x, y, level)
        k = int(level * 101)
        assert intercept == pytest.approx(np.sort(y[:101])[k], abs=1e-9)
        assert intercept + 2.0 * slope == pytest.approx(np.sort(y[101:])[k], abs=1e-9)


def test_pull_is_counted_in_the_error_of_the_side_of_the_truth() -> None:
    one = np.ones(2)
    pulls = compute_pulls(np.array([0.0, 3.0]), one, one - 0.5, one + 4.0)
    assert pulls == pytest.approx([2.0, -0.5])
    with pytest.raises(TaipanError, match="no width"):
        compute_pulls(one, one, one, one)


def test_right_intervals_stay_as_they_are() -> None:
    mu, found, sigma = experiments(5000)
    calibration = learn_calibration(mu, found, found - sigma, found + sigma)
    # quantiles of a normal law at 15.865 and 84.135 %: ∓1, slope 0
    for line, value in ((calibration.lower, -1.0), (calibration.upper, 1.0)):
        assert line[0] + 1.5 * line[1] == pytest.approx(value, abs=0.05)
        assert line[1] == pytest.approx(0.0, abs=0.06)
    low, high = calibration.apply(found[:5], (found - sigma)[:5], (found + sigma)[:5])
    assert high - low == pytest.approx(2 * sigma[:5], rel=0.08)


def test_each_end_keeps_the_error_of_its_side() -> None:
    """Quantiles of ∓1 change nothing, and of ∓2 double the distance on either side."""
    one = np.ones(1)
    for factor in (1.0, 2.0):
        wide = IntervalCalibration((-factor, 0.0), (factor, 0.0), (0.0, 5.0), 1000)
        low, high = wide.apply(one, one - 0.5, one + 2.0)
        assert low[0] == pytest.approx(1.0 - 0.5 * factor, abs=0.02)
        assert high[0] == pytest.approx(1.0 + 2.0 * factor, abs=0.02)


def test_short_and_shifted_intervals_cover_after_calibration() -> None:
    """Intervals half as wide at μ = 3 as they should be, and an estimate that is 0.2 too high."""
    mu, found, sigma = experiments(4000)
    stated = sigma * (1.0 - mu / 6.0)
    values = (mu, found + 0.2, found + 0.2 - stated, found + 0.2 + stated)
    judged = judge_calibration(*values)
    error = np.sqrt(0.6827 * 0.3173 / 4000)
    assert judged["as_fitted"]["coverage"] < 0.6827 - 10 * error
    assert judged["calibrated"]["coverage"] == pytest.approx(0.6827, abs=2 * error)
    # no wider than the best that is possible by more than the lines are wrong
    assert judged["calibrated"]["width"] == pytest.approx(2 * sigma.mean(), rel=0.1)
    assert judged["calibrated"]["score"] > judged["as_fitted"]["score"] + 5
    in_range = judged["calibrated_in_range"]
    assert in_range["coverage"] == judged["calibrated"]["coverage"]
    assert in_range["width"] < judged["calibrated"]["width"]


def test_coverage_is_right_at_both_ends_of_the_range() -> None:
    mu, found, sigma = experiments(5000)
    stated = sigma * (1.0 - mu / 6.0)
    calibration = learn_calibration(mu, found, found - stated, found + stated)
    new, found, sigma = experiments(5000, seed=9)
    stated = sigma * (1.0 - new / 6.0)
    low, high = calibration.apply(found, found - stated, found + stated)
    for part in (new < 0.8, new > 2.3):
        held = ((low <= new) & (new <= high))[part].mean()
        assert held == pytest.approx(0.6827, abs=3 * np.sqrt(0.6827 * 0.3173 / part.sum()))


def test_calibration_is_read_as_it_was_written() -> None:
    calibration = IntervalCalibration((-1.1, 0.1), (0.9, 0.2), (0.1, 3.0), 1000)
    assert IntervalCalibration.from_dict(calibration.to_dict()) == calibration


def test_too_few_experiments_and_lines_that_cross_are_refused() -> None:
    mu, found, sigma = experiments(99)
    with pytest.raises(TaipanError, match="99 pseudo-experiments; at least 100"):
        learn_calibration(mu, found, found - sigma, found + sigma)
    crossed = IntervalCalibration((2.0, 0.0), (-2.0, 0.0), (0.0, 1.0), 500)
    one = np.ones(1)
    with pytest.raises(TaipanError, match="no μ is compatible"):
        crossed.apply(one, one - 1.0, one + 1.0)


def test_score_of_a_set_has_the_published_value_and_an_error() -> None:
    """Width 1 and coverage 0.6827 exactly: -ln(1.001)."""
    n = 10_000
    truth = np.zeros(n)
    low, high = np.full(n, -0.5), np.full(n, 0.5)
    low[: n - 6827], high[: n - 6827] = 1.0, 2.0  # these miss
    scored = score_intervals(truth, low, high)
    assert (scored["coverage"], scored["width"]) == (0.6827, 1.0)
    assert scored["score"] == pytest.approx(-np.log(1.001), abs=1e-12)
    assert 0.0 <= scored["score_error"] < 2.0
    assert scored["score_bootstrap_mean"] <= scored["score"]
