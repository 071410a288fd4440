"""Integrated gradients: what each feature adds to the score of an event.

After Sundararajan, Taly and Yan (arXiv:1703.01365): the gradient is integrated along the straight
line from a baseline to the event. What the features add is then the whole difference of the scores,
f(x) − f(baseline): the axiom of completeness, which is measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ScoreOfFeatures = Callable[[NDArray[np.float32]], Array]
"""Features (n, f), in the order of the events → scores (n,)."""

_STEP = 0.02
"""Of a finite difference, in standard deviations of the feature."""


@dataclass(frozen=True)
class Attribution:
    """What the features add to the scores of n events.

    Attributes
    ----------
    values
        Shape ``(n, f)``; 0 for features that are held.
    difference
        f(x) − f(baseline), shape ``(n,)``.
    """

    values: Array
    difference: Array

    @property
    def gap(self) -> Array:
        """What is missing to completeness, shape ``(n,)``: 0 but for the steps."""
        return np.asarray(self.values.sum(axis=1) - self.difference)


def integrate_gradients(
    score: ScoreOfFeatures, events: NDArray[np.float32], held: Sequence[int] = (), steps: int = 48
) -> Attribution:
    """Integrate the gradient of the score from the mean event to each event.

    Parameters
    ----------
    score
        The classifier.
    events
        Shape ``(n, f)``; NaN for missing. The baseline is their mean; what is missing in an event
        is missing there, too.
    held
        Features that the baseline has from the event, such as categories: no line leads from one
        category to another.
    steps
        Points of the line.
    """
    whole = events.astype(np.float64)
    mean, spread = np.nanmean(whole, axis=0), np.nanstd(whole, axis=0)
    baseline = np.where(np.isfinite(whole), mean, np.nan)
    baseline[:, list(held)] = whole[:, list(held)]
    difference = np.where(np.isfinite(whole), whole - baseline, 0.0)
    total = np.zeros(whole.shape)
    for step in range(steps):
        point = baseline + (step + 0.5) / steps * (whole - baseline)
        for feature in np.flatnonzero(np.any(difference != 0.0, axis=0)).tolist():
            total[:, feature] += _slope(score, point, feature, _STEP * spread[feature])
    ends = [np.asarray(score(item.astype(np.float32)), np.float64) for item in (whole, baseline)]
    return Attribution(difference * total / steps, ends[0] - ends[1])


def _slope(score: ScoreOfFeatures, point: Array, feature: int, step: float) -> Array:
    """Give the derivative of the score by a feature, (n,); 0 where the feature is missing."""
    moved, scores = point.copy(), []
    for sign in (1.0, -1.0):
        moved[:, feature] = point[:, feature] + sign * step
        scores.append(np.asarray(score(moved.astype(np.float32)), np.float64))
    slope = (scores[0] - scores[1]) / (2.0 * step)
    return np.where(np.isfinite(point[:, feature]), slope, 0.0)
