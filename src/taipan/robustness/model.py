"""The classifier under attack: scores, gradients by finite differences, right and wrong events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError

Array = NDArray[np.float64]
ScoreOfRows = Callable[[NDArray[Any], NDArray[np.intp]], NDArray[Any]]
"""(features (n, f), rows (n,)) → scores (n,); rows say which events they are, for their folds."""

THRESHOLD = 0.5
"""Score above which an event counts as signal: that of networks whose classes weigh the same."""
_STEP = 0.1
"""Of a finite difference, in σ."""
_FLAT = 0.5
"""Share of events without any gradient above which a classifier has none."""


@dataclass(frozen=True)
class AttackTarget:
    """Events of one sample, and the classifier that is to be fooled.

    Attributes
    ----------
    score
        The classifier; see :data:`ScoreOfRows`.
    events
        Shape ``(n, f)``; NaN for missing.
    sigma
        Uncertainty of each feature of each event, shape ``(n, f)``; 0 where none is known.
    is_signal
        Whether the events are signal.
    weights
        Shape ``(n,)``, signed.
    """

    score: ScoreOfRows
    events: Array
    sigma: Array
    is_signal: bool
    weights: Array

    @property
    def rows(self) -> NDArray[np.intp]:
        """Number of each event."""
        return np.arange(len(self.events))

    def scores(self, events: Array | None = None, rows: NDArray[np.intp] | None = None) -> Array:
        """Score the events, or what became of those in `rows`."""
        rows = self.rows if rows is None else rows
        events = self.events[rows] if events is None else events
        return np.asarray(self.score(events.astype(np.float32), rows), np.float64)

    def is_right(self, scores: Array) -> NDArray[np.bool_]:
        """Whether events are on the side of the threshold that they belong to."""
        return np.asarray((scores >= THRESHOLD) == self.is_signal)

    def gradient(self, events: Array, rows: NDArray[np.intp]) -> Array:
        """Change of the score per σ of each feature, shape ``(m, f)``, central differences."""
        found = np.zeros(events.shape)
        for feature in range(events.shape[1]):
            step = _STEP * self.sigma[rows, feature]
            if not (step > 0).any():
                continue
            moved = events.copy()
            moved[:, feature] = events[:, feature] + step
            above = self.scores(moved, rows)
            moved[:, feature] = events[:, feature] - step
            found[:, feature] = (above - self.scores(moved, rows)) / (2.0 * _STEP)
        found[~np.isfinite(events) | ~(self.sigma[rows] > 0)] = 0.0
        return found

    def has_gradient(self) -> bool:
        """Whether the score of most events depends on small changes: that of a tree does not."""
        gradient = self.gradient(self.events, self.rows)
        return bool((np.abs(gradient).max(axis=1) == 0).mean() < _FLAT)


def require_sigma(names: Sequence[str], sigma: Array) -> list[str]:
    """List the features that nothing moves.

    Parameters
    ----------
    names
        Features.
    sigma
        Shape ``(n, f)``.

    Raises
    ------
    TaipanError
        If nothing moves any of them.
    """
    moves = np.any(sigma > 0, axis=0)
    held = [name for i, name in enumerate(names) if not moves[i]]
    if len(held) == len(names):
        raise TaipanError(
            "robustness: no feature has an uncertainty; add a systematic of kind `kinematic`, or "
            "`robustness.resolutions: {FEATURE: σ}`"
        )
    return held


def fooling_ratio(target: AttackTarget, after: Array) -> float:
    """Share of the weight of right events that are wrong afterwards.

    Parameters
    ----------
    target
        Events and classifier.
    after
        Perturbed events, shape ``(n, f)``.
    """
    right = target.is_right(target.scores())
    fooled = right & ~target.is_right(target.scores(after))
    return share(target.weights, fooled, right)


def share(weights: Array, chosen: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    """Σw of chosen events over Σw of all `of` them; 0 if there are none."""
    total = float(weights[of].sum())
    return float(weights[chosen & of].sum()) / total if total > 0 else 0.0
