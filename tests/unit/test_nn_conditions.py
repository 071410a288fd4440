from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from taipan import metrics
from taipan.config.sections.overtraining import Overtraining, OvertrainingCondition
from taipan.nn.conditions import (
    ScoredPart,
    compare_metric,
    compare_values,
    count_sigmas,
    find_fired,
    measure_gain,
)

ALL = ("bce", "brier", "auc", "ks_signal", "ks_background", "sigma_mu")
DEFAULT = Overtraining().conditions


def make_part(
    n: int, generator: np.random.Generator, separation: float = 1.0, negative: float = 0.1
) -> ScoredPart:
    """Scores that are the posterior of two Gaussians `separation` apart; signed weights."""
    labels = generator.integers(0, 2, n)
    logit = generator.normal((labels - 0.5) * separation, 1.0) * separation
    weights = np.where(generator.random(n) < negative, -1.0, 1.0)
    return ScoredPart(1.0 / (1.0 + np.exp(-logit)), labels, weights, (50.0, 5000.0))


def pull(metric: str, separation: float = 1.0) -> np.ndarray:
    generator = np.random.default_rng(1)
    found = []
    for _ in range(150):
        train, unseen = (make_part(n, generator, separation) for n in (6000, 1500))
        found.append(compare_metric(metric, train, unseen).sigma)
    return np.array(found)


@pytest.mark.parametrize("metric", ["bce", "brier", "auc", "sigma_mu"])
def test_significance_of_a_fixed_classifier_is_standard_normal(metric: str) -> None:
    """The weighted errors are right: unit pulls around zero, weights of both signs."""
    pulls = pull(metric)
    assert abs(pulls.mean()) < 0.3
    # the bins of σ(μ) follow the signal of both parts, so its error is somewhat too large
    assert (0.65 if metric == "sigma_mu" else 0.8) < pulls.std() < 1.2


@pytest.mark.parametrize("n", [1000, 5000])
def test_fixed_classifier_is_flagged_in_few_splits(n: int) -> None:
    """The bare rule train/validation < 0.99 flags a third of 200 splits, the conditions do not."""
    events = make_part(n, np.random.default_rng(0))
    flagged = {"bare": 0, "default": 0, "all metrics": 0}
    bare = [OvertrainingCondition(metric="bce", max_ratio=1.0 / 0.99, min_sigma=0.0)]
    every = [OvertrainingCondition(metric=name, max_ratio=1.01, min_sigma=3.0) for name in ALL]
    for seed in range(200):
        seen = np.random.default_rng(seed).random(n) < 0.8
        train, unseen = (
            ScoredPart(events.scores[m], events.labels[m], events.weights[m], events.totals)
            for m in (seen, ~seen)
        )
        for name, conditions in (("bare", bare), ("default", DEFAULT), ("all metrics", every)):
            flagged[name] += bool(find_fired(conditions, train, unseen))
    assert 0.25 * 200 < flagged["bare"] < 0.50 * 200
    assert flagged["default"] <= 0.08 * 200
    assert flagged["all metrics"] <= 0.08 * 200


@pytest.mark.parametrize("metric", ALL)
def test_every_metric_sees_a_network_that_remembers(metric: str) -> None:
    generator = np.random.default_rng(2)
    train, unseen = make_part(6000, generator, 1.6), make_part(6000, generator, 1.0)
    condition = OvertrainingCondition(metric=metric, max_ratio=1.01, min_sigma=3.0)
    assert find_fired([condition], train, unseen)
    assert not find_fired([condition], unseen, train) or metric.startswith("ks_")


def test_both_limits_must_be_exceeded() -> None:
    found = compare_values("bce", 0.50, 0.55, 0.02)
    assert found.ratio == pytest.approx(1.1)
    assert found.sigma == pytest.approx(2.5)
    for ratio, sigma, fires in ((1.05, 2.0, True), (1.2, 2.0, False), (1.05, 3.0, False)):
        condition = OvertrainingCondition(metric="bce", max_ratio=ratio, min_sigma=sigma)
        assert found.exceeds(condition) is fires
    area = compare_values("auc", 0.88, 0.80, 0.02)
    assert (area.ratio, area.sigma) == (pytest.approx(1.1), pytest.approx(4.0))
    better = compare_values("brier", 0.2, 0.1, 0.01)
    assert better.ratio == pytest.approx(0.5)
    assert better.sigma == pytest.approx(-10.0)


def test_loss_that_signed_weights_make_negative_still_counts() -> None:
    worse = compare_values("bce", -0.1, 0.2, 0.05)
    assert (worse.ratio, worse.sigma) == (math.inf, pytest.approx(6.0))
    assert compare_values("bce", -0.1, -0.2, 0.05).ratio == 1.0


def test_sigma_mu_is_that_of_the_binned_counts() -> None:
    """Scores of Gaussians one σ apart in ten bins of equal signal, and without separation."""
    generator = np.random.default_rng(3)
    labels = np.repeat([0, 1], 20_000)
    part, other = (make_part(40_000, generator, negative=0.0) for _ in range(2))
    edges = stats.norm.ppf(np.linspace(0.0, 1.0, 11)) + 1.0
    background = 5000.0 * np.diff(stats.norm.cdf(edges))
    expected = np.sum(5.0**2 / (5.0 + background)) ** -0.5
    assert compare_metric("sigma_mu", part, other).train == pytest.approx(expected, rel=0.03)
    blind, again = (
        ScoredPart(generator.random(40_000), labels, np.ones(40_000), (50.0, 5000.0))
        for _ in range(2)
    )
    # one bin, whatever the binning: √(s + b) / s
    found = compare_metric("sigma_mu", blind, again)
    assert found.train == pytest.approx(math.sqrt(5050.0) / 50.0, rel=0.02)


def test_ks_compares_one_class() -> None:
    generator = np.random.default_rng(4)
    train, unseen = make_part(4000, generator), make_part(4000, generator)
    shifted = ScoredPart(
        np.where(unseen.labels == 1, unseen.scores * 0.9, unseen.scores),
        unseen.labels,
        unseen.weights,
    )
    assert compare_metric("ks_signal", train, shifted).sigma > 3.0
    assert compare_metric("ks_background", train, shifted).sigma < 3.0
    distance = compare_metric("ks_signal", train, shifted).unseen
    expected = metrics.ks_test(*train.of_class(1), *shifted.of_class(1)).statistic
    assert distance == pytest.approx(expected)


def test_significance_is_the_gaussian_equivalent() -> None:
    for sigma in (0.5, 2.0, 5.0):
        assert count_sigmas(float(stats.norm.sf(sigma))) == pytest.approx(sigma, rel=1e-9)
    assert count_sigmas(0.9) == 0.0
    assert count_sigmas(0.0) > 30.0


@pytest.mark.parametrize("metric", ["bce", "brier", "auc"])
def test_gain_has_the_spread_of_random_events(metric: str) -> None:
    """The same events with two scores: error against the spread over sets of events."""
    generator = np.random.default_rng(5)
    errors, gains = [], []
    for _ in range(300):
        part = make_part(400, generator)
        logit = np.log(part.scores / (1.0 - part.scores))
        noisy = 1.0 / (1.0 + np.exp(-logit - generator.normal(scale=0.7, size=len(logit))))
        gain, error = measure_gain(metric, replace(part, scores=noisy), part)
        gains.append(gain)
        errors.append(error)
    assert np.mean(gains) > 0.0  # noise makes every metric worse
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.12)
    assert measure_gain(metric, part, part) == (0.0, 0.0)
    found = compare_metric(metric, replace(part, scores=noisy), part)
    expected = found.unseen - found.train
    assert measure_gain(metric, replace(part, scores=noisy), part)[0] == pytest.approx(
        expected if metric == "auc" else -expected, rel=1e-12
    )


def test_gain_of_sigma_mu_is_positive_for_the_sharper_score() -> None:
    generator = np.random.default_rng(6)
    part = make_part(4000, generator, separation=2.0)
    random = replace(part, scores=generator.random(4000))
    gain, error = measure_gain("sigma_mu", random, part)
    assert gain > 5.0 * error > 0.0
    assert measure_gain("sigma_mu", part, random)[0] == pytest.approx(-gain)
