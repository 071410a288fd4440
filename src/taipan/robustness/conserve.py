"""Changes that nobody sees in distributions of single features and in correlations.

After CONSERVAttack (arXiv:2603.13970), written anew. Right events move along the sign of the
gradient, just as far as fools them, those that need least first. An event moves only if the
distribution of each feature and the correlations of all stay within bounds. Others, which stay on
their side, then move the other way, so that the distributions have room for more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taipan.robustness.distances import (
    Marginals,
    centre,
    correlate,
    correlation_change,
    find_positions,
    js_distance,
)
from taipan.robustness.model import AttackTarget

Array = NDArray[np.float64]

_GROUPS = 25
"""Parts of changed events that are kept or not."""


@dataclass(frozen=True)
class Bounds:
    """What a change may do.

    Attributes
    ----------
    distance
        Largest Jensen-Shannon distance of a feature.
    correlation
        Largest change of the correlation matrix, relative Frobenius norm.
    size
        Largest |Δx| of each feature in σ; None: the spread of the feature is the only limit.
    bins
        Bins of a distribution.
    iterations
        Rounds of moves that fool and moves that make room.
    """

    distance: float = 0.01
    correlation: float = 0.05
    size: float | None = None
    bins: int = 60
    iterations: int = 6


class _Tally:
    """Histograms and correlations that are kept up to date while events move."""

    def __init__(self, target: AttackTarget, bounds: Bounds) -> None:
        self.marginals = Marginals.of(target.events, target.weights, bounds.bins)
        self.events = target.events.copy()
        self.weights = target.weights
        self.counts = [counts.copy() for counts in self.marginals.counts]
        self.bounds = bounds
        self._offset = np.nanmean(target.events, axis=0)
        filled = self._fill(self.events)
        self._first = filled.T @ self.weights
        self._second = (filled * self.weights[:, None]).T @ filled
        self._total = float(self.weights.sum())
        # from the same sums as later ones, so that equal events give a change of exactly zero
        self._clean = self._correlation(self._first, self._second)

    def _fill(self, events: Array) -> Array:
        return np.where(np.isfinite(events), events - self._offset, 0.0)

    def _correlation(self, first: Array, second: Array) -> Array:
        mean = first / self._total
        covariance = second / self._total - np.outer(mean, mean)
        spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        spread = np.where(spread > 0, spread, np.inf)
        return np.asarray(covariance / np.outer(spread, spread), np.float64)

    def move(self, row: int, values: Array) -> bool:
        """Give an event new values, shape ``(f,)``, if the bounds allow it."""
        old, weight = self.events[row], self.weights[row]
        counts = {}
        for feature in np.flatnonzero(values != old):
            edges = self.marginals.edges[feature]
            left, entered = find_positions(np.array([old[feature], values[feature]]), edges)
            if left != entered:
                changed = self.counts[feature].copy()
                changed[left] -= weight
                changed[entered] += weight
                clean = self.marginals.counts[feature]
                if js_distance(np.maximum(changed, 0.0), clean) > self.bounds.distance:
                    return False
                counts[feature] = changed
        before, after = self._fill(old), self._fill(values)
        first = self._first + weight * (after - before)
        second = self._second + weight * (np.outer(after, after) - np.outer(before, before))
        change = correlation_change(self._clean, self._correlation(first, second))
        if change > self.bounds.correlation:
            return False
        self.events[row] = values
        self._first, self._second = first, second
        for feature, changed in counts.items():
            self.counts[feature] = changed
        return True


def conserve_events(target: AttackTarget, bounds: Bounds, rng: np.random.Generator) -> Array:
    """Move right events to the other side as far as the bounds allow.

    Parameters
    ----------
    target
        Events and classifier. Features without σ are not moved.
    bounds
        What a change may do; a bound of zero lets nothing move.
    rng
        Random numbers.

    Returns
    -------
    ndarray
        Perturbed events, shape ``(n, f)``. Some of them are not fooled: they were moved the other
        way, so that the distributions stay.
    """
    if bounds.distance <= 0 or bounds.correlation <= 0 or bounds.size == 0:
        return target.events.copy()
    tally = _Tally(target, bounds)
    limits = _Limits.of(target, bounds)
    free = np.ones(len(target.events), dtype=bool)
    for _ in range(bounds.iterations):
        right = target.is_right(target.scores(tally.events))
        rows = np.flatnonzero(right & free)
        moved = [
            row for row, values in _list_moves(target, limits, rows) if tally.move(row, values)
        ]
        if not moved:
            break
        free[moved] = False
        _compensate(target, tally, limits, free, rng)
    return tally.events


@dataclass(frozen=True)
class _Limits:
    """How far each feature of each event may move, shape ``(n, f)``, and where features end."""

    reach: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, target: AttackTarget, bounds: Bounds) -> _Limits:
        events = target.events
        spread = np.sqrt((centre(events, target.weights) ** 2).mean(axis=0))
        reach = spread * (target.sigma > 0) if bounds.size is None else bounds.size * target.sigma
        reach = np.where(np.isfinite(events), reach, 0.0)
        return cls(reach, np.nanmin(events, axis=0), np.nanmax(events, axis=0))

    def move(self, events: Array, change: Array) -> Array:
        """Change events where they stay in the range of a feature."""
        moved = np.clip(events + change, self.low, self.high)
        return np.where(change != 0, moved, events)


def _list_moves(
    target: AttackTarget, limits: _Limits, rows: NDArray[np.intp]
) -> list[tuple[int, Array]]:
    """List the smallest moves that fool events, small ones first; few features are preferred."""
    if not len(rows):
        return []
    events, reach = target.events[rows], limits.reach[rows]
    way = -1.0 if target.is_signal else 1.0
    slope = target.gradient(events, rows)
    sigma = np.where(target.sigma[rows] > 0, target.sigma[rows], 1.0)
    gain = np.abs(slope) * reach / sigma
    order = np.argsort(-gain, axis=1)
    best = np.full(len(rows), np.inf)
    found = events.copy()
    for number in (1, 3, events.shape[1]):
        chosen = np.zeros(gain.shape, dtype=bool)
        np.put_along_axis(chosen, order[:, :number], True, axis=1)
        whole = way * np.sign(slope) * np.where(chosen, reach, 0.0)
        size = _shrink(target, limits, rows, whole)
        better = np.isfinite(size) & ~np.isfinite(best)
        best = np.where(better, size, best)
        moved = limits.move(events, whole * np.where(better, size, 0.0)[:, None])
        found = np.where(better[:, None], moved, found)
    ranked = [i for i in np.argsort(best) if np.isfinite(best[i])]
    return [(int(rows[i]), found[i]) for i in ranked]


def _shrink(target: AttackTarget, limits: _Limits, rows: NDArray[np.intp], whole: Array) -> Array:
    """Find the smallest part of each change that fools its event; infinite if none does."""
    events = target.events[rows]

    def fools(part: Array) -> NDArray[np.bool_]:
        return ~target.is_right(target.scores(limits.move(events, whole * part[:, None]), rows))

    low, high = np.zeros(len(rows)), np.ones(len(rows))
    possible = fools(high)
    for _ in range(8):
        middle = 0.5 * (low + high)
        fooled = fools(middle)
        low, high = np.where(fooled, low, middle), np.where(fooled, middle, high)
    return np.where(possible, high, np.inf)


def _compensate(
    target: AttackTarget,
    tally: _Tally,
    limits: _Limits,
    free: NDArray[np.bool_],
    rng: np.random.Generator,
) -> None:
    """Move events that stay on their side from bins that gained to bins that lost."""
    for feature, inner in enumerate(tally.marginals.edges):
        excess = tally.counts[feature] - tally.marginals.counts[feature]
        positions = find_positions(tally.events[:, feature], inner)
        rows = rng.permutation(np.flatnonzero(free & (excess[positions] > 0)))
        if not len(rows):
            continue
        clean = target.events[rows, feature]
        reach = limits.reach[rows, feature]
        values = np.clip(
            clean + rng.uniform(-1.0, 1.0, len(rows)) * reach,
            limits.low[feature],
            limits.high[feature],
        )
        tried = tally.events[rows].copy()
        tried[:, feature] = values
        lacks = excess[find_positions(values, inner)] < 0
        same = target.is_right(target.scores(tried, rows))
        same = same == target.is_right(target.scores(tally.events[rows], rows))
        for i in np.flatnonzero(lacks & same & np.isfinite(values)):
            place = find_positions(np.array([tally.events[rows[i], feature], values[i]]), inner)
            now = tally.counts[feature] - tally.marginals.counts[feature]
            if now[place[0]] > 0 and now[place[1]] < 0:
                tally.move(int(rows[i]), tried[i])


def keep_within(
    target: AttackTarget, after: Array, bounds: Bounds, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose changed events, in a random order, as long as the bounds hold.

    Parameters
    ----------
    target
        Events and classifier.
    after
        Changed events, shape ``(n, f)``.
    bounds
        Its `distance`, `correlation` and `bins`. The floor of finite statistics is not added.
    rng
        Random numbers.

    Returns
    -------
    ndarray
        Whether an event stays changed, shape ``(n,)``. Groups that would break a bound do not.
    """
    marginals = Marginals.of(target.events, target.weights, bounds.bins)
    clean = correlate(target.events, target.weights)

    def holds(chosen: NDArray[np.bool_]) -> bool:
        mixed = np.where(chosen[:, None], after, target.events)
        if marginals.distances(mixed).max() > bounds.distance:
            return False
        return correlation_change(clean, correlate(mixed, target.weights)) <= bounds.correlation

    different = (after != target.events) & ~(np.isnan(after) & np.isnan(target.events))
    kept = np.asarray(~different.any(axis=1))
    for group in np.array_split(rng.permutation(np.flatnonzero(~kept)), _GROUPS):
        tried = kept.copy()
        tried[group] = True
        if holds(tried):
            kept = tried
    return kept
