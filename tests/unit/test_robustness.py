"""Attacks on classifiers whose answer is known, with controls that must fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from taipan.errors import TaipanError
from taipan.robustness.conserve import Bounds, conserve_events, keep_within
from taipan.robustness.distances import (
    Marginals,
    correlate,
    correlation_change,
    js_distance,
)
from taipan.robustness.minifool import (
    MiniFool,
    attack_events,
    find_smallest,
    limit_size,
    measure_flips,
    shift_events,
)
from taipan.robustness.model import AttackTarget, fooling_ratio, require_sigma, share
from taipan.robustness.shuffle import Shuffle, shuffle_events

SIGMA = 0.2


def donut_score(events: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Best classifier of a blob N(0, 0.5²) and a ring of radius N(1.8, 0.5)."""
    radius = np.hypot(events[:, 0], events[:, 1]).astype(np.float64)
    blob = np.exp(-0.5 * (radius / 0.5) ** 2) / (2 * np.pi * 0.25)
    ring = np.exp(-0.5 * ((radius - 1.8) / 0.5) ** 2) / (0.5 * np.sqrt(2 * np.pi))
    return np.asarray(blob / (blob + ring / (2 * np.pi * np.maximum(radius, 1e-9))))


def make_ring(n: int, sigma: float = SIGMA, seed: int = 1, **changes: Any) -> AttackTarget:
    rng = np.random.default_rng(seed)
    radius, angle = rng.normal(1.8, 0.5, n), rng.uniform(0, 2 * np.pi, n)
    events = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    target = AttackTarget(donut_score, events, np.full(events.shape, sigma), False, np.ones(n))
    return replace(target, **changes)


def line_score(slopes: list[float]) -> Any:
    def score(events: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.asarray(1.0 / (1.0 + np.exp(-(events.astype(np.float64) @ np.array(slopes)))))

    return score


def independent_distance(before: np.ndarray, after: np.ndarray, bins: int) -> float:
    """Jensen-Shannon distance by SciPy, in bins made here."""
    from scipy.spatial.distance import jensenshannon

    edges = np.quantile(before, np.linspace(0, 1, bins + 1))
    edges[0], edges[-1] = -np.inf, np.inf
    counts = [np.histogram(values, edges)[0] for values in (before, after)]
    return float(jensenshannon(*counts, base=2))


def test_distance_of_histograms_by_hand() -> None:
    assert js_distance(np.array([1.0, 1.0]), np.array([2.0, 2.0])) == 0.0
    assert js_distance(np.array([1.0, 0.0]), np.array([0.0, 3.0])) == 1.0
    # p = (1, 0), q = (½, ½), m = (¾, ¼): ½ (log₂ 4/3 + ½ log₂ 2/3 + ½ log₂ 2) = 0.31128
    found = js_distance(np.array([4.0, 0.0]), np.array([1.0, 1.0]))
    assert found == pytest.approx(np.sqrt(0.311278), rel=1e-5)


def test_floor_is_what_another_sample_of_the_same_size_gives() -> None:
    rng = np.random.default_rng(3)
    events = rng.normal(size=(2000, 1))
    marginals = Marginals.of(events, np.ones(2000), 50)
    others = [marginals.distance(0, rng.normal(size=2000)) for _ in range(20)]
    # another sample has the fluctuation of the clean events, too: √2 times that of a bootstrap
    assert marginals.floor(rng)[0] * np.sqrt(2) == pytest.approx(np.mean(others), rel=0.1)


def test_share_counts_signed_weights() -> None:
    weights = np.array([2.0, -1.0, 3.0, 4.0])
    right = np.array([True, True, True, False])
    assert share(weights, np.array([True, True, False, True]), right) == pytest.approx(0.25)


def test_gradient_of_a_line_is_exact() -> None:
    events = np.array([[0.0, 0.0], [0.3, np.nan]])
    sigma = np.array([[1.0, 0.5], [1.0, 0.5]])
    target = AttackTarget(line_score([2.0, -1.0]), events, sigma, True, np.ones(2))
    found = target.gradient(events, target.rows)
    # f' = f (1 − f) w σ: at zero a quarter of (2·1, −1·0.5); central differences of 0.1 σ
    assert found[0] == pytest.approx([0.5, -0.125], rel=5e-3)
    assert found[1, 1] == 0.0  # missing


def test_smallest_flip_of_a_line_is_the_known_one() -> None:
    rng = np.random.default_rng(5)
    events, slopes = rng.normal(size=(200, 3)), np.array([1.0, -0.5, 0.25])
    sigma = np.tile([0.5, 1.0, 2.0], (200, 1))
    target = AttackTarget(line_score(list(slopes)), events, sigma, True, np.ones(200))
    pulls = attack_events(target, MiniFool(alpha=1e-3, cap=4.0, steps=40))
    found = find_smallest(target, pulls)
    exact = (events @ slopes) ** 2 / ((slopes * [0.5, 1.0, 2.0]) ** 2).sum() / 3
    near = exact < 0.5  # far within the cap
    assert near.sum() > 50
    assert found[near] == pytest.approx(exact[near], rel=1e-2)


def test_minifool_flips_more_than_noise_of_the_same_size_and_obeys_its_cap() -> None:
    target = make_ring(4000)
    settings = MiniFool(alpha=0.1)
    pulls = attack_events(target, settings)
    assert ((pulls**2).sum(axis=1) / 2).max() <= 1.0 + 1e-9
    found = [measure_flips(target, settings, s, np.random.default_rng(1)) for s in (0.5, 1.0, 2.0)]
    assert all(item.right > 2.0 * item.control_right for item in found)
    assert all(item.wrong > item.right for item in found)
    assert found[0].right < found[1].right < found[2].right
    assert found[1].right == pytest.approx(0.146, abs=0.01)
    assert all(item.chi2 <= 1.0 for item in found)


def test_an_attack_of_no_size_flips_nothing() -> None:
    target = make_ring(500, sigma=0.0)
    found = measure_flips(target, MiniFool(), 1.0, np.random.default_rng(1))
    assert found.right == found.wrong == found.control_right == 0.0
    assert limit_size(np.array([[3.0, 4.0]]), np.array([1]), 1.0) == pytest.approx(
        np.array([[0.6, 0.8]])
    )


def test_a_tree_has_no_gradient_and_is_refused() -> None:
    def tree(events: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.where(events[:, 0] > 0.3, 0.8, 0.2)

    target = make_ring(300, score=tree)
    with pytest.raises(TaipanError, match="has no gradient, as trees have none"):
        attack_events(target, MiniFool())
    # which shuffling does not need
    after = shuffle_events(target, Shuffle(features=2), np.random.default_rng(2))
    assert fooling_ratio(target, after) > 0.9


def test_hidden_changes_obey_their_bounds() -> None:
    target = make_ring(1500, sigma=1.0)
    for limit in (0.01, 0.03):
        bounds = Bounds(distance=limit, correlation=0.05, bins=60)
        after = conserve_events(target, bounds, np.random.default_rng(4))
        assert not np.array_equal(after, target.events)
        for feature in (0, 1):
            before = target.events[:, feature]
            assert independent_distance(before, after[:, feature], 60) <= limit * 1.02
        weights = target.weights
        change = correlation_change(correlate(target.events, weights), correlate(after, weights))
        assert change <= 0.05 + 1e-9


def test_hidden_changes_obey_the_bound_of_the_correlations() -> None:
    rng = np.random.default_rng(11)
    events = rng.multivariate_normal([-0.3, -0.3], [[1, 0.8], [0.8, 1]], 800)
    target = AttackTarget(
        line_score([2.0, -2.0]), events, np.ones(events.shape), False, np.ones(800)
    )
    clean, changes = correlate(events, target.weights), []
    for limit in (0.9, 0.01):
        bounds = Bounds(distance=0.2, correlation=limit, bins=40)
        after = conserve_events(target, bounds, np.random.default_rng(4))
        changes.append(correlation_change(clean, correlate(after, target.weights)))
    assert changes[0] > 0.05  # which nothing else forbids
    assert 0.0 < changes[1] <= 0.01 + 1e-9


def test_a_large_weight_of_the_size_makes_changes_small() -> None:
    target, found = make_ring(500), []
    for alpha in (0.01, 0.3, 3.0):
        pulls = attack_events(target, MiniFool(alpha=alpha, cap=4.0))
        found.append(float((pulls**2).mean()))
    assert found[0] > 1.5 * found[1] > 3.0 * found[2]


def test_the_cost_of_a_change_is_the_least_there_is() -> None:
    """Of one feature, where all changes can be tried."""
    events = np.linspace(-3.0, -0.5, 26)[:, None]
    target = AttackTarget(line_score([1.5]), events, np.ones((26, 1)), False, np.ones(26))
    pulls = np.linspace(0.0, 2.0, 2001)

    def cost(alpha: float, pull: np.ndarray, value: np.ndarray) -> np.ndarray:
        score = 1.0 / (1.0 + np.exp(-1.5 * (value + pull)))
        return np.asarray(alpha * pull**2 + (score - 1.0) ** 2)

    for alpha in (0.1, 0.3, 1.0):
        found = attack_events(target, MiniFool(alpha=alpha, cap=4.0))[:, 0]
        for pull, value in zip(found, events[:, 0], strict=True):
            least = cost(alpha, pulls, value).min()
            assert cost(alpha, pull, value) == pytest.approx(least, rel=1e-2)


def test_hidden_changes_fool_more_with_wider_bounds_and_more_than_noise() -> None:
    target = make_ring(1500, sigma=1.0)
    ratios, distance = [], 0.0
    for limit in (0.0, 0.01, 0.03, 0.06):
        bounds = Bounds(distance=limit, bins=60)
        after = conserve_events(target, bounds, np.random.default_rng(4))
        ratios.append(fooling_ratio(target, after))
        distance = max(independent_distance(target.events[:, i], after[:, i], 60) for i in (0, 1))
    assert ratios[0] == 0.0
    assert ratios[0] < ratios[1] < ratios[2] < ratios[3]
    # noise that changes the distributions as much fools less
    rng, control, size = np.random.default_rng(5), 0.0, 0.0
    while True:
        noisy = target.events + rng.normal(0, size + 0.01, target.events.shape)
        if max(independent_distance(target.events[:, i], noisy[:, i], 60) for i in (0, 1)) > (
            distance + 0.02
        ):
            break
        size, control = size + 0.01, fooling_ratio(target, noisy)
        if size > 1:
            break
    assert ratios[3] > 1.5 * control


def test_hidden_changes_within_sigma_stay_within_it() -> None:
    target = make_ring(800)
    found = []
    for size in (0.0, 0.5, 1.0, 2.0):
        bounds = Bounds(distance=0.05, size=size, bins=40)
        after = conserve_events(target, bounds, np.random.default_rng(4))
        assert np.abs(after - target.events).max() <= size * SIGMA + 1e-9
        found.append(fooling_ratio(target, after))
    assert found[0] == 0.0
    assert found[0] < found[1] < found[2] < found[3]


def test_a_part_of_a_change_is_kept_that_nobody_sees() -> None:
    target = make_ring(1000)
    far = target.events * 0.5
    bounds = Bounds(distance=0.1, correlation=1.0, bins=40)
    kept = keep_within(target, far, bounds, np.random.default_rng(1))
    mixed = np.where(kept[:, None], far, target.events)
    marginals = Marginals.of(target.events, target.weights, 40)
    assert 0.02 < kept.mean() < 0.9
    assert marginals.distances(mixed).max() <= 0.1
    assert keep_within(target, target.events, bounds, np.random.default_rng(1)).all()


def correlation_sign(n: int, seed: int = 7) -> AttackTarget:
    """Two normal features whose correlation alone tells the class; a third says nothing."""
    rng = np.random.default_rng(seed)
    events = rng.multivariate_normal([0, 0, 0], [[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]], n)

    def score(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-8.0 * values[:, 0] * values[:, 1])))

    return AttackTarget(score, events, np.ones(events.shape), True, np.ones(n))


def test_shuffling_fools_what_lives_of_correlations() -> None:
    target = correlation_sign(1500)
    after = shuffle_events(target, Shuffle(features=1), np.random.default_rng(2), allowed=[0, 1])
    assert fooling_ratio(target, after) > 0.95
    marginals = Marginals.of(target.events, target.weights, 60)
    assert marginals.distances(after).max() < 0.15
    wrong = ~target.is_right(target.scores())
    assert np.array_equal(after[wrong], target.events[wrong])


def test_shuffling_what_a_classifier_does_not_see_fools_nobody() -> None:
    target = correlation_sign(500)
    after = shuffle_events(target, Shuffle(features=1), np.random.default_rng(2), allowed=[2])
    assert fooling_ratio(target, after) == 0.0
    assert np.array_equal(after, target.events)  # events that are not fooled are restored


def test_shuffling_leaves_categories_alone_and_says_if_too_few_are_left() -> None:
    target = correlation_sign(500)
    events = target.events.copy()
    events[:, 2] = np.round(events[:, 2])
    target = replace(target, events=events)
    after = shuffle_events(target, Shuffle(features=2), np.random.default_rng(2))
    assert np.array_equal(after[:, 2], events[:, 2])
    with pytest.raises(TaipanError, match="3 features, but 2 have more than 20 values"):
        shuffle_events(target, Shuffle(features=3), np.random.default_rng(2))


def test_permuted_labels_make_every_attack_worth_as_little() -> None:
    """A classifier of noise has nothing to lose: half of its events are wrong before."""
    target = make_ring(2000)
    rng = np.random.default_rng(9)
    blob = rng.normal(0, 0.5, (2000, 2))
    both = np.concatenate([target.events, blob])
    noise = replace(
        target,
        events=both,
        sigma=np.full(both.shape, SIGMA),
        weights=np.ones(len(both)),
        score=lambda events, rows: np.full(len(events), 0.4),  # trained on permuted labels
    )
    assert not noise.has_gradient()
    after = shuffle_events(noise, Shuffle(features=1), np.random.default_rng(2))
    assert fooling_ratio(noise, after) == 0.0


def test_what_cannot_be_attacked_is_named() -> None:
    sigma = np.array([[0.0, 1.0], [0.0, 2.0]])
    assert require_sigma(["a", "b"], sigma) == ["a"]
    with pytest.raises(TaipanError, match="no feature has an uncertainty"):
        require_sigma(["a"], sigma[:, :1])
    with pytest.raises(TaipanError, match="60 bins for 20 events; take at most 20"):
        Marginals.of(np.ones((20, 1)), np.ones(20), 60)
    values = np.arange(40.0)[:, None]
    with pytest.raises(TaipanError, match="Σw is negative in one of 4 bins"):
        Marginals.of(values, np.where(values[:, 0] < 10, -1.0, 1.0), 4)


def test_events_that_nothing_moves_are_the_same_numbers() -> None:
    target = make_ring(10)
    assert np.array_equal(shift_events(target, np.zeros((10, 2))), target.events)
