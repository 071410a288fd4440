"""A network that finds attacked events: clean efficiency of each class, corrected ratios."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from taipan.robustness.attacked import (
    ATTACKS,
    AttackedEvents,
    attack_features,
    attack_objects,
    describe_runs,
    join_attacked,
)
from taipan.robustness.conserve import Bounds, conserve_events
from taipan.robustness.detector import SETTINGS, Detection, measure_detection, train_detector
from taipan.robustness.model import AttackTarget
from taipan.robustness.text import write_detection
from tests.unit.test_robustness import donut_score, make_ring
from tests.unit.test_robustness_sources import attacker, make_sample, network

QUICK = SETTINGS.model_copy(update={"epochs": 25, "batch_size": 64, "learning_rate": 3e-3})


def make_blob(n: int, sigma: float, seed: int = 2) -> AttackTarget:
    events = np.random.default_rng(seed).normal(0.0, 0.5, (n, 2))
    return AttackTarget(donut_score, events, np.full(events.shape, sigma), True, np.ones(n))


@pytest.fixture(scope="module")
def donut() -> AttackedEvents:
    """Blob and ring, attacked twice with another seed."""
    parts = []
    for target in (make_blob(800, 1.0), make_ring(800, sigma=1.0)):
        bounds = Bounds(distance=0.06, bins=60)
        runs = [conserve_events(target, bounds, np.random.default_rng(seed)) for seed in (1, 2)]
        parts.append(describe_runs(target, *runs))
    return join_attacked(parts)


def test_the_best_network_of_the_donut_is_as_good_as_published() -> None:
    ring, blob = make_ring(50_000), make_blob(50_000, 0.2)
    of_ring, of_blob = (item.is_right(item.scores()).mean() for item in (ring, blob))
    assert of_ring == pytest.approx(0.906, abs=0.005)
    assert 0.5 * (of_ring + of_blob) == pytest.approx(0.916, abs=0.005)


def test_a_detector_finds_fooled_events_of_a_run_it_has_not_seen(donut: AttackedEvents) -> None:
    assert not np.array_equal(donut.first, donut.second)
    found = measure_detection(donut, *train_detector(donut, ["x", "y"], {}, 3, 1, QUICK))
    for item in found.values():
        assert item.rejection > 0.8
        assert item.clean_efficiency > 0.7  # of each class: neither is sacrificed for the other
        assert item.corrected < 0.3 * item.fooled
        assert item.corrected == pytest.approx(item.fooled * (1.0 - item.rejection))


def test_a_detector_of_random_labels_corrects_by_what_it_rejects(donut: AttackedEvents) -> None:
    """Whatever it says, it says of fooled events as often as of clean ones."""
    rng = np.random.default_rng(8)
    chance = rng.random(len(donut.weights)) < donut.fooled_first.mean()
    random = replace(donut, first=donut.clean, fooled_first=chance)
    found = measure_detection(donut, *train_detector(random, ["x", "y"], {}, 3, 1, QUICK))
    for item in found.values():
        assert item.corrected == pytest.approx(item.fooled * (1.0 - item.rejection))
        assert item.rejection == pytest.approx(1.0 - item.clean_efficiency, abs=0.2)


def test_a_detector_that_rejects_a_class_is_not_perfect() -> None:
    """One that takes all background for attacked once looked so: clean signal alone was asked."""
    signal = np.array([True, True, False, False, False])
    right = np.array([True, True, True, True, False])
    fooled = np.array([False, True, True, False, False])
    weights, nothing = np.array([1.0, 1.0, 3.0, 1.0, -1.0]), (np.zeros((5, 1)),) * 3
    events = AttackedEvents(*nothing, right, fooled, fooled, weights, signal)
    found = measure_detection(events, clean=~signal, attacked=~signal)
    assert found["signal"] == Detection(1.0, 0.0, 0.5, 0.5)
    assert found["background"] == Detection(0.0, 1.0, 0.75, 0.0)


def test_samples_are_attacked_twice_and_trees_by_their_sources_alone() -> None:
    chosen, sample = attacker(network(1.0, 1.5)), make_sample("background", 400, 400.0)
    features, objects = attack_features(chosen, sample), attack_objects(chosen, sample)
    assert features is not None
    assert objects is not None
    assert features.fooled_first.any()
    assert not np.array_equal(features.first, features.second)
    assert np.array_equal(objects.first, objects.second)
    # features follow what is shifted, in the second attack only
    assert objects.first[:, 2] == pytest.approx(objects.first[:, 0] * objects.first[:, 1])
    tree = attacker(lambda events, folds: np.where(events[:, 1] > 0.0, 0.9, 0.1))
    assert attack_features(tree, sample) is None
    found = ATTACKS["physical"](tree, sample)
    assert found is not None
    assert found.fooled_first.any()


def test_the_page_says_what_was_too_little_to_learn_from() -> None:
    numbers: dict[str, Any] = {
        "clean_efficiency": 0.9, "rejection": 0.75, "fooled": 0.2, "corrected": 0.05
    }  # fmt: skip
    content = {
        "hidden": {"fooled_events": 100, "classes": {"signal": numbers}},
        "physical": {"fooled_events": 12, "classes": {}},
    }
    page = write_detection(content)
    assert "| hidden | signal | 0.900 | 0.750 | 0.200 | 0.050 |" in page
    assert "- physical: 12 fooled events, too few to learn from" in page
