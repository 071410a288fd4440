"""Coverage of intervals, counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from taipan.coverage.score import higgsml_score, measure_coverage, shrink, summarise_experiments


def test_intervals_that_hold_the_truth_are_counted_at_both_ends() -> None:
    """Six of eight: one lies below the truth, one above, two touch it."""
    truth = np.ones(8)
    low = np.array([0.0, 0.5, 1.0, 0.2, 1.1, 0.0, 0.9, 0.0])
    high = np.array([2.0, 1.5, 2.0, 1.0, 2.0, 0.9, 1.1, 3.0])
    found = measure_coverage(truth, low, high, 0.6827)
    error = math.sqrt(0.6827 * 0.3173 / 8)
    assert found.fraction == 0.75
    assert found.error == pytest.approx(error)
    assert found.deviation == pytest.approx((0.75 - 0.6827) / error)
    assert found.width == pytest.approx((13.5 - 3.7) / 8)
    assert found.passed


@pytest.mark.parametrize(("held", "passed"), [(300, False), (683, True), (730, False)])
def test_too_many_intervals_fail_as_too_few_do(held: int, passed: bool) -> None:
    """Of 1,000; one standard deviation is 14.7."""
    high = np.where(np.arange(1000) < held, 1.0, -0.5)
    assert measure_coverage(np.zeros(1000), high - 2.0, high, 0.6827).passed is passed


def test_coverage_away_by_exactly_what_is_allowed_passes() -> None:
    """Four of four where half are promised: (1 - ½)/√(¼/4) = 2 standard deviations."""
    found = measure_coverage(np.zeros(4), -np.ones(4), np.ones(4), 0.5)
    assert found.deviation == 2.0
    assert found.passed


def test_shrunk_intervals_have_seventy_percent_of_the_length() -> None:
    low, high = shrink(np.array([1.0]), np.array([-1.0]), np.array([4.0]))
    assert (low[0], high[0]) == pytest.approx((-0.4, 3.1))


def test_score_is_that_of_the_challenge() -> None:
    """1 within two standard deviations, beyond the 4th power below and the 3rd above."""
    sigma = math.sqrt(0.6827 * 0.3173 / 100)
    assert higgsml_score(0.5, 0.7, 100) == pytest.approx(-math.log(0.501))
    low = 0.6827 - 5.0 * sigma
    assert higgsml_score(0.5, low, 100) == pytest.approx(-math.log(0.501 * (1.0 + 3.0**4)))
    high = 0.6827 + 5.0 * sigma
    assert higgsml_score(0.5, high, 100) == pytest.approx(-math.log(0.501 * (1.0 + 3.0**3)))


def test_pulls_are_in_units_of_the_uncertainty() -> None:
    truth = np.array([0.0, 1.0, 2.0, 3.0])
    sigma = np.array([0.5, 0.5, 2.0, 2.0])
    mu_hat = truth + np.array([0.5, -0.5, 4.0, 0.0])  # pulls 1, -1, 2, 0
    ends = (mu_hat - 1.0, mu_hat + 1.0)
    found = summarise_experiments(truth, mu_hat, sigma, [ends, ends])
    assert found["pull_mean"] == pytest.approx([0.5, math.sqrt(5.0 / 3.0) / 2.0])
    assert found["pull_width"][0] == pytest.approx(math.sqrt(5.0 / 3.0))
    assert found["bias"][0] == pytest.approx(1.0)
    # slope of μ̂ against μ: Σ(μ - 1.5) μ̂ / Σ(μ - 1.5)²
    slope = (-1.5 * 0.5 - 0.5 * 0.5 + 0.5 * 6.0 + 1.5 * 3.0) / 5.0
    assert found["slope"][0] == pytest.approx(slope)
