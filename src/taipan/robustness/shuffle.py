"""Shuffling of some features of an event: marginals stay, correlations break (RDSA).

After arXiv:2501.05588: for each event some features are drawn at random, and drawn again from their
distributions until the event changes sides, up to a number of tries. An event that never does is
left as it was. Features with few values are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.robustness.model import AttackTarget

Array = NDArray[np.float64]

FEW_VALUES = 20
"""Features with at most so many different values count as categories or counts."""


@dataclass(frozen=True)
class Shuffle:
    """Settings: features changed of an event, tries, bins of a distribution."""

    features: int = 2
    tries: int = 100
    bins: int = 100


def list_continuous(events: Array) -> list[int]:
    """Features with more than a few values."""
    return [
        i
        for i, column in enumerate(events.T)
        if len(np.unique(column[np.isfinite(column)])) > FEW_VALUES
    ]


def shuffle_events(
    target: AttackTarget,
    settings: Shuffle,
    rng: np.random.Generator,
    allowed: list[int] | None = None,
) -> Array:
    """Redraw features of right events until they are wrong.

    Parameters
    ----------
    target
        Events and classifier.
    settings
        Settings.
    rng
        Random numbers.
    allowed
        Features that may be changed; all continuous ones by default.

    Returns
    -------
    ndarray
        Perturbed events, shape ``(n, f)``; those that were not fooled are as they were.

    Raises
    ------
    TaipanError
        If there are fewer features with many values than are to be changed.
    """
    known = list_continuous(target.events)
    columns = known if allowed is None else [i for i in allowed if i in known]
    if len(columns) < settings.features:
        raise TaipanError(
            f"robustness.shuffled: {settings.features} features, but {len(columns)} have more than "
            f"{FEW_VALUES} values"
        )
    draws = {i: _Marginal.of(target.events[:, i], settings.bins) for i in columns}
    right = np.flatnonzero(target.is_right(target.scores()))
    order = rng.permuted(np.tile(columns, (len(right), 1)), axis=1)[:, : settings.features]
    result = target.events.copy()
    for _ in range(settings.tries):
        if not len(right):
            break
        tried = target.events[right].copy()
        for column in columns:
            chosen = (order == column).any(axis=1) & np.isfinite(tried[:, column])
            tried[chosen, column] = draws[column].draw(int(chosen.sum()), rng)
        fooled = ~target.is_right(target.scores(tried, right))
        result[right[fooled]] = tried[fooled]
        right, order = right[~fooled], order[~fooled]
    return result


@dataclass(frozen=True)
class _Marginal:
    edges: Array
    shares: Array

    @classmethod
    def of(cls, values: Array, bins: int) -> _Marginal:
        counts, edges = np.histogram(values[np.isfinite(values)], bins)
        return cls(edges, counts / counts.sum())

    def draw(self, size: int, rng: np.random.Generator) -> Array:
        bins = rng.choice(len(self.shares), size, p=self.shares)
        width = np.diff(self.edges)[bins]
        return np.asarray(self.edges[bins] + width * rng.random(size), np.float64)
