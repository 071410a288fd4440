"""Smoothing of templates against least squares of NumPy and numbers worked out by hand."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest

from taipan.likelihood.merge import BinYields
from taipan.likelihood.smooth import smooth_353qh, smooth_variation


def tricube(positions: np.ndarray, place: int, reach: int) -> np.ndarray:
    """Weights of the neighbours of one value."""
    distance = np.abs(positions - positions[place])
    width = np.sort(distance)[reach - 1] + np.diff(positions).mean()
    return np.clip(1.0 - (distance / width) ** 3, 0.0, None) ** 3


def local_line(
    values: np.ndarray,
    weights: np.ndarray,
    place: int,
    reach: int,
    positions: np.ndarray | None = None,
) -> float:
    """Value at `place` of the line through its neighbours, by `numpy.polyfit`."""
    x = np.arange(float(len(values))) if positions is None else positions
    near = tricube(x, place, reach) * weights
    chosen = near > 0.0
    slope, offset = np.polyfit(x[chosen], values[chosen], 1, w=np.sqrt(near[chosen]))
    return float(slope * x[place] + offset)


def test_bins_that_are_known_well_count_more() -> None:
    """A bin counts with its effective number of events, not with the inverse."""
    nominal = np.array([400.0, 300.0, 200.0, 100.0, 50.0])
    variances = np.array([40.0, 900.0, 30.0, 500.0, 2.0])
    varied = nominal * np.array([1.02, 1.20, 1.00, 0.70, 0.95])
    effective = nominal**2 / variances
    ratio = [local_line(varied / nominal, effective, i, 3) for i in range(5)]
    expected = nominal * ratio
    expected *= varied.sum() / expected.sum()
    found = smooth_variation(BinYields(nominal, variances), varied, "lowess", range(6)).values
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found.sum() == pytest.approx(varied.sum())
    # the badly known second bin is drawn to its neighbours
    assert found[1] / nominal[1] < 1.05


def test_smoothing_never_makes_a_bin_negative() -> None:
    nominal = np.full(6, 100.0)
    varied = np.array([300.0, 220.0, 110.0, 20.0, 0.0, 0.0])
    plain = [local_line(varied / nominal, np.ones(6), i, 4) for i in range(6)]
    assert min(plain) < 0.0  # the line falls below zero
    found = smooth_variation(BinYields(nominal, nominal), varied, "lowess", range(7)).values
    assert found.min() == 0.0
    assert found.sum() == pytest.approx(varied.sum())


EDGES = [0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0]
COUNTS = BinYields(
    np.array([800.0, 500.0, 300.0, 150.0, 100.0, 60.0, 30.0, 10.0]),
    np.array([400.0, 250.0, 150.0, 75.0, 50.0, 30.0, 15.0, 5.0]),
)


def test_lines_are_fitted_in_the_observable() -> None:
    """A shift that is a straight line in the observable stays as it is, whatever the bins are."""
    centres = 0.5 * (np.array(EDGES[1:]) + np.array(EDGES[:-1]))
    varied = COUNTS.values * (1.0 + 0.2 * (centres - 0.4))
    found = smooth_variation(COUNTS, varied, "lowess", EDGES)
    np.testing.assert_allclose(found.values, varied, rtol=1e-12)
    bent = smooth_variation(COUNTS, varied, "lowess", range(9)).values
    assert np.abs(bent / varied - 1.0).max() > 0.003


def test_bins_count_with_the_error_of_the_shift() -> None:
    """Weights are those of Σw² times the fraction that moves near by; kept is what is no noise."""
    centres = 0.5 * (np.array(EDGES[1:]) + np.array(EDGES[:-1]))
    moved = COUNTS.variances * np.array([0.01, 0.02, 0.05, 0.1, 0.1, 0.2, 0.2, 0.4])
    covariance = np.diag(moved)
    covariance[2, 3] = covariance[3, 2] = -2.0
    ratio = 1.0 + np.array([0.01, -0.01, 0.02, 0.0, 0.05, 0.3, -0.05, 0.4])
    varied = COUNTS.values * ratio
    near = [tricube(centres, i, 5) for i in range(8)]
    fraction = np.array([(k * moved).sum() / (k * COUNTS.variances).sum() for k in near])
    weights = COUNTS.values**2 / (COUNTS.variances * fraction)
    columns = [[local_line(x, weights, i, 5, centres) for x in np.eye(8)] for i in range(8)]
    curve = np.array(columns)
    rest = ratio - curve @ ratio
    # mean χ² by chance, from samples of the noise
    draws = np.random.default_rng(1).multivariate_normal(np.zeros(8), covariance, 200_000)
    expected = (weights * ((draws / COUNTS.values) @ (np.eye(8) - curve).T) ** 2).sum(axis=1).mean()
    kept = 1.0 - expected / (weights * rest**2).sum()
    assert 0.2 < kept < 0.95
    found = smooth_variation(COUNTS, varied, "lowess", EDGES, covariance)
    assert found.kept == pytest.approx(kept, rel=0.01)
    shape = COUNTS.values * (curve @ ratio + found.kept * rest)
    np.testing.assert_allclose(found.values, shape * varied.sum() / shape.sum(), rtol=1e-9)


def test_noise_alone_is_not_kept_and_a_clear_shape_is() -> None:
    """Noise is kept where its χ² is by chance above its mean; a shift of 20 σ nearly all."""
    rng = np.random.default_rng(2)
    covariance = np.diag(0.1 * COUNTS.variances)
    spike = np.where(np.arange(8) == 5, 20.0 * np.sqrt(covariance[5, 5]), 0.0)
    kept = []
    for shift in (np.zeros(8), spike):
        drawn = rng.multivariate_normal(COUNTS.values + shift, covariance, 400)
        found = [smooth_variation(COUNTS, d, "lowess", EDGES, covariance).kept for d in drawn]
        kept.append(np.mean(found))
    assert kept[0] < 0.2
    assert kept[1] > 0.9


def test_template_of_which_nothing_moves_stays() -> None:
    found = smooth_variation(COUNTS, COUNTS.values, "lowess", EDGES, np.zeros((8, 8)))
    np.testing.assert_array_equal(found.values, COUNTS.values)


def test_running_medians_by_hand() -> None:
    """Worked out line by line.

    Values 1 9 4 2 8 3 7. Medians of 3 inside: 4 4 4 3 7. Ends: median(4, 1, 3·4 - 2·4 = 4) = 4 and
    median(7, 7, 3·7 - 2·3 = 15) = 7. So 4 4 4 4 3 7 7. Medians of 5 inside: 4 4 4; next to the
    ends medians of 3: 4 and median(3, 7, 7) = 7. So 4 4 4 4 4 7 7. Medians of 3 change nothing,
    no valley or top is flat, and Hanning gives 4 4 4 4 4.75 6.25 7.
    What was taken away is smoothed alike and added back.
    """
    values = np.array([1.0, 9.0, 4.0, 2.0, 8.0, 3.0, 7.0])
    first = np.array([4.0, 4.0, 4.0, 4.0, 4.75, 6.25, 7.0])
    # rest: -3 5 0 -2 3.25 -3.25 0; medians of 3 inside: 0 0 0 -2 0; ends: median(0, -3, 0) = 0
    # and median(0, 0, 3·0 - 2·(-2) = 4) = 0: 0 0 0 0 -2 0 0; medians of 5: 0 0 0, next to the
    # ends 0 and median(-2, 0, 0) = 0: all zero
    np.testing.assert_allclose(smooth_353qh(values), first)


def test_step_is_rounded_by_means_alone() -> None:
    """A step is rounded, and of what is left nothing is smooth."""
    values = np.array([0.0, 0.0, 0.0, 0.0, 10.0, 10.0, 10.0, 10.0, 10.0])
    # 353QH of it: Hanning alone rounds the step to 2.5 and 7.5; the rest is 0 0 0 -2.5 2.5 0 0 0 0,
    # whose medians of 3 are 0 0 0 0 0 0 0 0 0
    expected = [0.0, 0.0, 0.0, 2.5, 7.5, 10.0, 10.0, 10.0, 10.0]
    np.testing.assert_allclose(smooth_353qh(values), expected)


def plain_353qh(values: list[float]) -> list[float]:
    """One pass in plain Python, after J. Friedman's description."""

    def medians(given: list[float], length: int) -> list[float]:
        half = length // 2
        inside = range(half, len(given) - half)
        return [
            median(given[i - half : i + half + 1]) if i in inside else x
            for i, x in enumerate(given)
        ]

    found = medians(values, 3)
    first = median([found[1], found[0], 3.0 * found[1] - 2.0 * found[2]])
    last = median([found[-2], found[-1], 3.0 * found[-2] - 2.0 * found[-3]])
    found = [first, *found[1:-1], last]
    fives = medians(found, 5)
    fives[1], fives[-2] = median(found[:3]), median(found[-3:])
    threes = medians(fives, 3)
    bent = list(threes)
    for i in range(2, len(threes) - 2):
        before, after = threes[i - 2] - threes[i], threes[i + 2] - threes[i]
        if threes[i - 1] == threes[i] == threes[i + 1] and before * after > 0.0:
            side = -1 if abs(after) > abs(before) else 1
            far, near = threes[i - 2 * side], threes[i + 2 * side]
            bent[i] = -0.5 * far + threes[i] / 0.75 + near / 6.0
            bent[i + side] = 0.5 * (near - far) + threes[i]
    inside = zip(bent, bent[1:], bent[2:], strict=False)
    return [bent[0], *(0.25 * a + 0.5 * b + 0.25 * c for a, b, c in inside), bent[-1]]


@pytest.mark.parametrize("seed", range(5))
def test_running_medians_are_applied_to_what_they_leave(seed: int) -> None:
    """Twice: the second pass smooths the rest of the first and adds it back."""
    rng = np.random.default_rng(seed)
    values = 10.0 + np.sin(np.arange(24.0) / 3.0) * 4.0 + rng.normal(0.0, 1.0, 24)
    first = np.array(plain_353qh(values.tolist()))
    second = np.array(plain_353qh((values - first).tolist()))
    assert np.abs(second).max() > 0.05
    np.testing.assert_allclose(smooth_353qh(values), first + second, rtol=1e-12, atol=1e-12)
