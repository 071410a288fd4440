"""What chance does to two sets of events must not count as overtraining."""

from __future__ import annotations

import numpy as np
import pytest

from taipan.config.sections.overtraining import Overtraining
from taipan.nn.conditions import ScoredPart, compare_metric, find_fired
from taipan.nn.reference import fit_reference

FEATURES = 6
DEFAULT = Overtraining().conditions


def make_events(
    n: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels, signed weights; the classes also differ in a product of features."""
    labels = generator.integers(0, 2, n)
    features = generator.normal(size=(n, FEATURES)).astype(np.float32)
    features[:, 0] += 1.2 * labels
    flip = (labels == 1) & (generator.random(n) < 0.5)
    features[flip, 1] = np.sign(features[flip, 2]) * np.abs(features[flip, 1])
    features[::7, 3] = np.nan
    return features, labels, np.where(generator.random(n) < 0.1, -1.0, 1.0)


def scores_of(features: np.ndarray) -> np.ndarray:
    """A fixed classifier that knows what the reference cannot."""
    logit = 1.2 * (features[:, 0] - 0.6) + 0.4 * np.sign(features[:, 1] * features[:, 2])
    return 1.0 / (1.0 + np.exp(-logit))


def parts(
    seed: int, overtrained: float = 0.0, sizes: tuple[int, int] = (4000, 1000)
) -> tuple[list[ScoredPart], list[ScoredPart]]:
    """Training and unseen events, without and with reference scores."""
    generator = np.random.default_rng(seed)
    events = [make_events(n, generator) for n in sizes]
    reference = fit_reference(*events[0])
    bare, corrected = [], []
    for (features, labels, weights), memory in zip(events, (overtrained, 0.0), strict=True):
        logit = np.log(1.0 / scores_of(features) - 1.0) - memory * (labels - 0.5)
        scores = 1.0 / (1.0 + np.exp(logit))
        bare.append(ScoredPart(scores, labels, weights))
        corrected.append(ScoredPart(scores, labels, weights, reference=reference(features)))
    return bare, corrected


@pytest.mark.parametrize("metric", ["bce", "brier", "auc"])
def test_significance_with_a_reference_is_standard_normal(metric: str) -> None:
    """Unit pulls, a smaller error, and never a bias towards overtraining.

    The reference is fitted to the training events, so that the mean is somewhat below zero.
    """
    pulls, shrunk, noise = [], [], []
    for seed in range(120):
        bare, corrected = parts(seed)
        found, plain = compare_metric(metric, *corrected), compare_metric(metric, *bare)
        pulls.append(found.sigma)
        shrunk.append(found.error / plain.error)
        noise.append((plain.sigma * plain.error, found.sigma * found.error))
    assert -0.8 < np.mean(pulls) < 0.2
    assert 0.8 < np.std(pulls) < 1.2
    assert np.mean(shrunk) < 0.75
    assert np.std([right for _, right in noise]) < 0.8 * np.std([left for left, _ in noise])


@pytest.mark.parametrize("sizes", [(4000, 1000), (800, 200)])
def test_fixed_classifier_is_flagged_in_few_splits(sizes: tuple[int, int]) -> None:
    """The default conditions with the reference, as a training has them, in 200 random splits."""
    flagged = sum(bool(find_fired(DEFAULT, *parts(seed, sizes=sizes)[1])) for seed in range(200))
    assert flagged <= 0.08 * 200
    remembers = sum(bool(find_fired(DEFAULT, *parts(s, 1.0, sizes)[1])) for s in range(20))
    assert remembers == 20


@pytest.mark.parametrize("metric", ["bce", "brier", "auc"])
def test_memory_is_seen_earlier_with_a_reference(metric: str) -> None:
    found = [[compare_metric(metric, *kind).sigma for kind in parts(s, 0.15)] for s in range(40)]
    bare, corrected = np.mean(found, axis=0)
    assert corrected > 1.2 * bare > 1.0


def test_hard_events_are_no_overtraining() -> None:
    """Unseen events near the boundary: harder for the reference as for the network."""
    generator = np.random.default_rng(1)
    events = [make_events(6000, generator) for _ in range(2)]
    score = fit_reference(*events[0])
    features, labels, weights = events[1]
    losses = np.abs(labels - scores_of(features))
    kept = generator.random(6000) < np.where(losses > 0.5, 1.0, 0.85)
    events[1] = features[kept], labels[kept], weights[kept]
    bare = [ScoredPart(scores_of(x), y, w) for x, y, w in events]
    corrected = [
        ScoredPart(*(part.scores, part.labels, part.weights), reference=score(x))
        for part, (x, _, _) in zip(bare, events, strict=True)
    ]
    for metric in ("bce", "brier", "auc"):
        plain, found = compare_metric(metric, *bare), compare_metric(metric, *corrected)
        assert plain.sigma > 3.0
        assert (found.ratio - 1.0) < 0.6 * (plain.ratio - 1.0)
        assert (found.train, found.unseen) == (plain.train, plain.unseen)


def test_reference_is_independent_of_units_and_takes_missing_and_far_values() -> None:
    features, labels, weights = make_events(3000, np.random.default_rng(2))
    moved = (1e3 * features + 50.0).astype(np.float32)
    score = fit_reference(features, labels, weights)
    own = score(features)
    assert fit_reference(moved, labels, weights)(moved) == pytest.approx(own, abs=1e-3)
    far = np.array([[1e30, 0, 0, 0, 0, 0], [np.nan] * FEATURES], dtype=np.float32)
    found = score(far)
    assert np.all((found >= 0.02) & (found <= 0.98))
    assert found[0] > 0.8
    constant = np.concatenate([features, np.ones((3000, 1), np.float32)], axis=1)
    assert fit_reference(constant, labels, weights)(constant) == pytest.approx(own, abs=2e-3)
