from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from taipan import metrics
from taipan.errors import TaipanError


def sample(n: int, seed: int, negative: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    scores = 1.0 / (1.0 + np.exp(-generator.normal(labels - 0.5, 1.0)))
    weights = generator.uniform(0.5, 1.5, n) * np.where(generator.random(n) < negative, -1, 1)
    for array in (labels, scores, weights):
        array.setflags(write=False)
    return labels, scores, weights


def pairwise_auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    signal, background = labels == 1, labels == 0
    difference = scores[signal][:, None] - scores[background][None, :]
    products = weights[signal][:, None] * weights[background][None, :]
    wins = (difference > 0) + 0.5 * (difference == 0)
    return float((wins * products).sum() / products.sum())


def test_n_eff_of_unit_weights_with_negative_fraction() -> None:
    weights = np.where(np.arange(1000) < 250, -1.0, 1.0)
    assert metrics.n_eff(weights) == pytest.approx(1000 * (1 - 2 * 0.25) ** 2)
    assert metrics.n_eff(np.array([])) == 0.0
    assert metrics.n_eff(np.full(7, 0.3)) == pytest.approx(7.0)


def test_bce_and_brier_by_hand() -> None:
    labels = np.array([1, 0, 1])
    scores = np.array([0.8, 0.3, 0.4])
    weights = np.array([2.0, 1.0, -0.5])
    bce = 2.0 * -math.log(0.8) - math.log(0.7) - 0.5 * -math.log(0.4)
    brier = 2.0 * 0.04 + 0.09 - 0.5 * 0.36
    assert metrics.bce(labels, scores, weights) == pytest.approx(bce / 2.5, rel=1e-12)
    assert metrics.brier(labels, scores, weights) == pytest.approx(brier / 2.5, rel=1e-12)


def test_bce_of_a_certain_wrong_score_is_finite() -> None:
    assert metrics.bce(np.array([1]), np.array([0.0]), np.array([1.0])) == pytest.approx(
        -math.log(1e-7)
    )


@pytest.mark.parametrize("function", [metrics.bce, metrics.brier])
def test_vanishing_sum_of_weights_is_named(function) -> None:
    with pytest.raises(TaipanError, match=r"sum of weights of the events is -0\.5"):
        function(np.array([1, 0]), np.array([0.5, 0.5]), np.array([0.5, -1.0]))


@pytest.mark.parametrize("negative", [0.0, 0.3])
@pytest.mark.parametrize("decimals", [1, 12])  # 1: many ties
def test_auc_equals_the_sum_over_pairs(negative: float, decimals: int) -> None:
    labels, scores, weights = sample(400, 2, negative)
    scores = np.round(scores, decimals)
    expected = pairwise_auc(labels, scores, weights)
    assert metrics.auc(labels, scores, weights) == pytest.approx(expected, rel=1e-12)


def test_auc_limits() -> None:
    labels = np.array([0, 0, 1, 1])
    ones = np.ones(4)
    assert metrics.auc(labels, np.array([0.1, 0.2, 0.8, 0.9]), ones) == pytest.approx(1.0)
    assert metrics.auc(labels, np.array([0.9, 0.8, 0.2, 0.1]), ones) == pytest.approx(0.0)
    assert metrics.auc(labels, np.full(4, 0.5), ones) == pytest.approx(0.5)


def test_auc_with_negative_weights_is_unbiased() -> None:
    """A signed sample estimates the AUC of the density its signed sum has."""
    truth = metrics.auc(*sample(200_000, 3))
    values = [metrics.auc(*sample(1000, seed, 0.25)) for seed in range(300)]
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values) - truth) < 3.0 * error
    assert error < 0.005


def test_auc_does_not_change_when_events_are_permuted() -> None:
    labels, scores, weights = sample(1000, 4, 0.2)
    order = np.random.default_rng(0).permutation(1000)
    value = metrics.auc(labels[order], scores[order], weights[order])
    assert value == pytest.approx(metrics.auc(labels, scores, weights), rel=1e-12)


def test_auc_without_signal_names_the_class() -> None:
    with pytest.raises(TaipanError, match="sum of weights of signal is 0"):
        metrics.auc(np.zeros(3, dtype=int), np.arange(3.0), np.ones(3))


@pytest.mark.parametrize("negative", [0.0, 0.25])
def test_auc_uncertainty_is_the_spread_of_repeated_samples(negative: float) -> None:
    measured = []
    for seed in range(300):
        labels, scores, weights = sample(600, seed, negative)
        uneven = weights * np.where(np.arange(600) % 4, 0.2, 2.0)
        measured.append(metrics.auc_with_uncertainty(labels, scores, uneven))
    spread = np.std([item.value for item in measured])
    predicted = np.mean([item.sigma for item in measured])
    assert predicted == pytest.approx(spread, rel=0.12)  # the spread itself is known to 4 %


def test_roc_curve_of_positive_weights_is_the_plain_cumulative_sum() -> None:
    labels, scores, weights = sample(500, 5)
    false_positive, true_positive, thresholds = metrics.roc_curve(labels, scores, weights)
    for index in (1, 57, 300, 499):
        passed = scores >= thresholds[index]
        for label, curve in ((0, false_positive), (1, true_positive)):
            chosen = labels == label
            expected = weights[chosen & passed].sum() / weights[chosen].sum()
            assert curve[index] == pytest.approx(expected, rel=1e-12)
    area = np.trapezoid(true_positive, false_positive)
    assert area == pytest.approx(metrics.auc(labels, scores, weights), rel=1e-12)


def test_roc_curve_of_signed_weights_is_monotone_and_close_to_the_auc() -> None:
    labels, scores, weights = sample(4000, 6, 0.3)
    false_positive, true_positive, thresholds = metrics.roc_curve(labels, scores, weights)
    for curve in (false_positive, true_positive):
        assert np.all(np.diff(curve) >= 0.0)
        assert curve[0] == pytest.approx(0.0, abs=0.01)
        assert curve[-1] == pytest.approx(1.0, abs=0.01)
    assert np.all(np.diff(thresholds) < 0.0)
    area = np.trapezoid(true_positive, false_positive)
    assert area == pytest.approx(metrics.auc(labels, scores, weights), abs=0.01)


def test_ks_distance_of_unit_weights_is_scipys() -> None:
    generator = np.random.default_rng(7)
    a, b = generator.random(300), generator.random(500) ** 1.2
    test = metrics.ks_test(a, np.ones(300), b, np.ones(500))
    expected = stats.ks_2samp(a, b, method="asymp")
    assert test.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert test.probability == pytest.approx(expected.pvalue, rel=0.2)


def unit(generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return generator.random(n), np.ones(n)


def signed(generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return generator.random(n), np.where(generator.random(n) < 0.25, -1.0, 1.0)


def mixture(generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Small weights at both ends, large signed weights between: size depends on the score."""
    driven = generator.random(n) < 0.15
    low = generator.random(n) < 0.5
    centre = np.where(driven, 0.6, np.where(low, 0.25, 0.9))
    sign = np.where(generator.random(n) < 0.4, -1.0, 1.0)
    return generator.normal(centre, 0.1), np.where(driven, 3.0 * sign, 0.3)


@pytest.mark.parametrize("draw", [unit, signed, mixture])
def test_ks_probability_is_uniform_when_samples_agree(draw) -> None:
    generator = np.random.default_rng(8)
    tests = [metrics.ks_test(*draw(generator, 1200), *draw(generator, 400)) for _ in range(1000)]
    probabilities = np.array([test.probability for test in tests])
    assert np.mean(probabilities < 0.05) == pytest.approx(0.05, abs=3 * 0.0069)
    assert np.mean(probabilities < 0.5) == pytest.approx(0.5, abs=0.08)


def test_ks_test_finds_a_shift() -> None:
    generator = np.random.default_rng(9)
    weights = np.where(generator.random(4000) < 0.2, -1.0, 1.0)
    a = generator.normal(0.0, 1.0, 4000)
    test = metrics.ks_test(a, weights, a + 0.2, weights)
    assert test.statistic == pytest.approx(0.08, abs=0.03)
    assert test.probability < 1e-3


def test_chi2_test_is_distributed_as_chi2() -> None:
    generator = np.random.default_rng(10)
    edges = np.linspace(0.0, 1.0, 11)
    values = []
    for _ in range(400):
        filled = []
        for n in (3000, 1000):
            scores, weights = signed(generator, n)
            filled.append(np.histogram(scores, edges, weights=weights)[0])
            filled.append(np.histogram(scores, edges, weights=weights**2)[0])
        test = metrics.chi2_test(*filled)
        assert test.ndf == 9
        values.append(test.statistic)
    assert np.mean(values) == pytest.approx(9.0, abs=3 * math.sqrt(18 / 400))


def test_chi2_test_ignores_scale_and_empty_bins() -> None:
    a, b = np.array([10.0, 20.0, 0.0, 5.0]), np.array([12.0, 18.0, 0.0, 6.0])
    plain = metrics.chi2_test(a, a, b, b)
    scaled = metrics.chi2_test(3 * a, 9 * a, b, b)
    assert plain.ndf == 2
    assert scaled.statistic == pytest.approx(plain.statistic, rel=1e-12)
    with pytest.raises(TaipanError, match="fewer than two bins"):
        metrics.chi2_test(np.array([3.0, 0.0]), np.array([3.0, 0]), np.array([2.0, 0]), b[:2] * 0)


@pytest.mark.parametrize("module", ["nn.data", "metrics", "nn.scorer", "nn.overtraining"])
def test_what_runs_after_training_does_not_import_tensorflow(module: str) -> None:
    code = (
        f"import sys, taipan.{module}; "
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_monotone_auc_is_the_auc_of_positive_weights_and_stays_within_one() -> None:
    labels, scores, _ = sample(2000, 3, 0.0)
    weights = np.random.default_rng(3).random(2000)
    expected = metrics.auc(labels, scores, weights)
    assert metrics.auc_monotone(labels, scores, weights) == pytest.approx(expected, abs=1e-12)
    # by hand: the efficiency of the signal runs 2, 1: its running mean is (2 + 1)/2, cut to 1
    labels, scores = np.array([1, 1, 0]), np.array([0.9, 0.1, 0.5])
    weights = np.array([2.0, -1.0, 1.0])
    assert metrics.auc(labels, scores, weights) == pytest.approx(2.0)
    assert metrics.auc_monotone(labels, scores, weights) == pytest.approx(1.0)


def test_paired_chi2_by_hand_and_for_random_signs() -> None:
    before, after = np.array([1.0, -1.0, 2.0, 0.0]), np.array([0.5, 0.5, 0.5, 0.5])
    test = metrics.paired_chi2_test(np.array([0, 0, 1, 1]), before, after)
    # bin 0: (0.5 - 1.5)²/(0.25 + 2.25), bin 1: (1.5 - 0.5)²/(2.25 + 0.25)
    assert test.statistic == pytest.approx(0.4 + 0.4)
    assert test.ndf == 1
    generator = np.random.default_rng(0)
    bins = generator.integers(0, 10, 20_000)
    signs = np.where(generator.random(20_000) < 0.3, -1.0, 1.0)
    assert metrics.paired_chi2_test(bins, signs, np.full(20_000, signs.mean())).probability > 0.01
    tilted = np.where(generator.random(20_000) < 0.25 + 0.02 * bins, -1.0, 1.0)
    mean = np.full(20_000, tilted.mean())
    assert metrics.paired_chi2_test(bins, tilted, mean).probability < 1e-6
    assert metrics.paired_chi2_test(bins, signs, signs * (1.0 + 1e-15)).ndf == 0


def test_calibration_by_hand() -> None:
    labels = np.array([1, 1, 0, 0, 1])
    scores = np.array([0.6, 0.8, 0.7, 0.9, 0.2])
    weights = np.array([2.0, -1.0, 1.0, 2.0, 1.0])
    found = metrics.calibration(labels, scores, weights, np.array([0.0, 0.5, 1.0, 1.5]))
    np.testing.assert_allclose(found.fraction, [1.0, 0.25, np.nan])
    # signal 2² + 1², background 1² + 2², total 4
    assert found.sigma[1] == pytest.approx(np.sqrt(0.75**2 * 5.0 + 0.25**2 * 5.0) / 4.0)
    assert found.score[1] == pytest.approx((1.2 + 0.8 + 0.7 + 1.8) / 6.0)


def test_losses_with_terms_are_those_of_the_events() -> None:
    labels, scores, weights = sample(500, 4, 0.2)
    for plain, found in (
        (metrics.bce, metrics.bce_with_terms(labels, scores, weights)),
        (metrics.brier, metrics.brier_with_terms(labels, scores, weights)),
    ):
        value, terms = found
        assert value == pytest.approx(plain(labels, scores, weights), rel=1e-14)
        assert terms.sum() == pytest.approx(0.0, abs=1e-12)
        # moving one weight by a little moves the mean by its term
        more = weights.copy()
        more[7] *= 1.0 + 1e-6
        change = plain(labels, scores, more) - plain(labels, scores, weights)
        assert change == pytest.approx(1e-6 * terms[7], rel=1e-3)


def test_scaled_chi2_is_the_smallest_over_scales() -> None:
    sums = np.array([[12.0, 7.0, 30.0], [2.0, 2.5, 5.5]])
    squares = np.array([[12.0, 7.0, 30.0], [0.1, 0.2, 0.3]])
    found = metrics.scaled_chi2_test(sums, squares)
    scales = np.linspace(2.0, 10.0, 80_001)[:, None]
    values = (sums[0] - scales * sums[1]) ** 2 / (squares[0] + scales**2 * squares[1])
    # the scale of the numerator is found for the variance of the last step
    assert found.statistic == pytest.approx(values.sum(axis=1).min(), rel=0.02)
    assert found.ndf == 2
    assert found.probability == pytest.approx(stats.chi2.sf(found.statistic, 2))
    same = metrics.scaled_chi2_test(np.array([[4.0, 6.0], [2.0, 3.0]]), np.ones((2, 2)))
    assert same.statistic == pytest.approx(0.0, abs=1e-20)
    with pytest.raises(TaipanError, match="fewer than two bins"):
        metrics.scaled_chi2_test(sums[:, :1], squares[:, :1])


def test_asimov_sigma_mu_by_hand() -> None:
    """Last bin: s = 2, b = 20. The two before have 8 and 4 background events: joined, s = 4."""
    scores = np.repeat([0.9, 0.9, 0.6, 0.6, 0.4, 0.1], [2, 20, 4, 8, 4, 9])
    labels = np.repeat([1, 0, 1, 0, 0, 0], [2, 20, 4, 8, 4, 9])
    ones = np.ones(len(scores))
    edges = [0.0, 0.25, 0.5, 0.75, 1.0]
    expected = (2**2 / 22 + 4**2 / 16) ** -0.5  # nine events of the first bin are not enough
    assert metrics.asimov_sigma_mu(labels, scores, ones, edges) == pytest.approx(expected)
    more = (4 / 22 + 16 / 16) ** -0.5
    assert metrics.asimov_sigma_mu(labels, scores, ones, edges, 9.0) == pytest.approx(more)
    # twice the events: a factor √2
    assert metrics.asimov_sigma_mu(labels, scores, 2 * ones, edges) == pytest.approx(
        expected / math.sqrt(2.0)
    )


def test_n_eff_of_bins_is_that_of_their_events() -> None:
    weights = np.array([1.0, 1.0, 0.5, -1.0])
    bins = np.array([0, 0, 1, 1])
    sumw, sumw2 = (np.bincount(bins, w, minlength=3) for w in (weights, weights**2))
    expected = [metrics.n_eff(weights[bins == i]) for i in range(3)]
    assert metrics.n_eff_of_sums(sumw, sumw2) == pytest.approx(expected)
    assert expected == pytest.approx([2.0, 0.2, 0.0])
