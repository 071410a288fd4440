"""Overtraining conditions, on numbers that are worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.nn.conditions import (
    Comparison,
    ScoredPart,
    compare_metric,
    compare_values,
    count_sigmas,
)


@pytest.mark.parametrize(
    ("metric", "train", "unseen", "offset", "ratio", "sigma"),
    [
        ("bce", 0.50, 0.60, 0.0, 1.2, 2.0),
        ("bce", 0.60, 0.50, 0.0, 5.0 / 6.0, -2.0),
        ("bce", 0.50, 0.60, 0.1, 1.0, 0.0),  # the events are harder by as much
        ("bce", 0.50, 0.60, -0.1, 1.4, 4.0),
        ("auc", 0.90, 0.80, 0.0, 1.125, 2.0),
        ("auc", 0.80, 0.90, 0.0, 8.0 / 9.0, -2.0),
        ("auc", 0.90, 0.80, -0.1, 1.0, 0.0),
        ("brier", -0.1, 0.1, 0.0, math.inf, 4.0),  # signed weights
        ("brier", -0.1, -0.2, 0.0, 1.0, -2.0),
        ("brier", 0.0, 0.0, 0.0, 1.0, 0.0),
    ],
)
def test_unseen_events_are_worse_by_ratio_and_significance(
    metric: str, train: float, unseen: float, offset: float, ratio: float, sigma: float
) -> None:
    found = compare_values(metric, train, unseen, 0.05, offset)
    assert found.ratio == pytest.approx(ratio)
    assert found.sigma == pytest.approx(sigma, abs=1e-12)
    assert (found.train, found.unseen, found.error) == (train, unseen, 0.05)


def test_numbers_without_error_have_no_significance() -> None:
    assert compare_values("bce", 0.5, 0.6, 0.0).sigma == 0.0


def test_events_are_as_hard_as_others_where_nothing_is_said() -> None:
    found = compare_values("bce", 0.5, 0.6, 0.05)
    assert (found.offset, found.ratio) == (0.0, pytest.approx(1.2))


@pytest.mark.parametrize(
    ("ratio", "sigma", "exceeds"),
    [
        (1.21, 3.1, True),
        (1.2, 3.1, False),
        (1.21, 3.0, False),
        (1.1, 9.0, False),
        (9.0, 1.0, False),
    ],
)
def test_condition_fires_beyond_both_limits(ratio: float, sigma: float, exceeds: bool) -> None:
    condition = OvertrainingCondition(metric="bce", max_ratio=1.2, min_sigma=3.0)
    assert Comparison("bce", 1.0, ratio, ratio, 0.1, sigma).exceeds(condition) is exceeds


@pytest.mark.parametrize("metric", ["bce", "brier", "auc"])
def test_what_a_simple_reference_finds_harder_counts_for_nothing(metric: str) -> None:
    """A network that scores as the reference does cannot be overtrained, however hard the events.

    Its terms are those of the reference, so the slope is 1 and all of the difference is subtracted.
    """
    rng = np.random.default_rng(2)
    parts = []
    for width in (1.0, 2.5):  # the unseen events are harder to tell apart
        labels = rng.integers(0, 2, 400)
        scores = 1.0 / (1.0 + np.exp(-rng.normal(2.0 * labels - 1.0, width)))
        parts.append(ScoredPart(scores, labels, np.ones(400), reference=scores))
    plain = [ScoredPart(part.scores, part.labels, part.weights) for part in parts]
    assert compare_metric(metric, *plain).sigma > 3.0
    found = compare_metric(metric, *parts)
    assert found.ratio == pytest.approx(1.0)
    assert found.offset == pytest.approx(found.unseen - found.train)
    # and the other way round: easier events do not hide anything
    assert compare_metric(metric, *parts[::-1]).ratio == pytest.approx(1.0)


def test_significance_is_one_sided() -> None:
    """2.28 % are two standard deviations, 0.135 % three."""
    assert count_sigmas(0.022750131948179) == pytest.approx(2.0)
    assert count_sigmas(0.001349898031630) == pytest.approx(3.0)
    assert count_sigmas(0.5) == count_sigmas(0.9) == 0.0
