"""How far perturbed events are from clean ones, in their distributions and correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError

Array = NDArray[np.float64]


def js_distance(first: Array, second: Array) -> float:
    """Jensen-Shannon distance of two histograms, with logarithms to base 2.

    Parameters
    ----------
    first, second
        Shape ``(b,)``, not negative; their sums do not matter.

    Returns
    -------
    float
        From 0 (the same shape) to 1 (no bin in common).
    """
    p, q = first / first.sum(), second / second.sum()
    middle = 0.5 * (p + q)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log2(p / middle), 0.0)
        right = np.where(q > 0, q * np.log2(q / middle), 0.0)
    return float(np.sqrt(max(0.5 * (left.sum() + right.sum()), 0.0)))


@dataclass(frozen=True)
class Marginals:
    """Histograms of the features of clean events.

    Attributes
    ----------
    edges
        Inner edges of the bins of each feature; missing values have a bin of their own.
    counts
        Σw in the bins of each feature.
    weights
        Weights of the events, shape ``(n,)``, signed.
    """

    edges: tuple[Array, ...]
    counts: tuple[Array, ...]
    weights: Array

    @classmethod
    def of(cls, events: NDArray[Any], weights: NDArray[Any], bins: int) -> Marginals:
        """Make the histograms of events.

        Parameters
        ----------
        events
            Shape ``(n, f)``; NaN for missing.
        weights
            Shape ``(n,)``, signed.
        bins
            Number of bins of a feature, of equal numbers of events.

        Raises
        ------
        TaipanError
            If there are fewer events than bins, or Σw is not positive in a bin.
        """
        if len(events) < bins:
            raise TaipanError(
                f"robustness.bins: {bins} bins for {len(events)} events; take at most {len(events)}"
            )
        shares = np.linspace(0.0, 1.0, bins + 1)[1:-1]
        edges, counts = [], []
        weights = np.asarray(weights, np.float64)
        for column in np.asarray(events, np.float64).T:
            known = column[np.isfinite(column)]
            inner = np.unique(np.quantile(known, shares)) if len(known) else np.zeros(0)
            found = _count(find_positions(column, inner), weights, len(inner) + 2)
            if (found < 0).any():
                raise TaipanError(
                    f"robustness.bins: Σw is negative in one of {bins} bins; take fewer"
                )
            edges.append(inner)
            counts.append(found)
        return cls(tuple(edges), tuple(counts), weights)

    def distances(self, events: NDArray[Any]) -> Array:
        """Jensen-Shannon distance of each feature of perturbed events, shape ``(f,)``."""
        return np.array([self.distance(i, events[:, i]) for i in range(len(self.edges))])

    def distance(self, feature: int, values: NDArray[Any]) -> float:
        """Jensen-Shannon distance of one feature with values ``(n,)``."""
        positions = find_positions(np.asarray(values, np.float64), self.edges[feature])
        counts = _count(positions, self.weights, len(self.counts[feature]))
        return js_distance(np.maximum(counts, 0.0), self.counts[feature])

    def floor(self, rng: np.random.Generator, repeats: int = 10) -> Array:
        """Distance of each feature that finite statistics alone gives: a Poisson bootstrap.

        Returns
        -------
        ndarray
            Mean over bootstraps, shape ``(f,)``.
        """
        variances = [np.maximum(counts, 1e-12) for counts in self.counts]
        scale = (self.weights**2).sum() / max(self.weights.sum(), 1e-12)
        found = np.zeros(len(self.counts))
        for _ in range(repeats):
            for i, counts in enumerate(variances):
                drawn = rng.poisson(counts / scale) * scale
                found[i] += js_distance(drawn, counts) / repeats if drawn.sum() > 0 else 0.0
        return found


def find_positions(values: Array, inner: Array) -> NDArray[np.intp]:
    """Bin of each value; missing values are in the last one."""
    positions = np.searchsorted(inner, values, side="right")
    return np.where(np.isfinite(values), positions, len(inner) + 1)


def _count(positions: NDArray[np.intp], weights: Array, bins: int) -> Array:
    return np.bincount(positions, weights, bins).astype(np.float64)


def correlate(events: NDArray[Any], weights: NDArray[Any]) -> Array:
    """Weighted correlation matrix of features; missing values count as the mean.

    Parameters
    ----------
    events
        Shape ``(n, f)``.
    weights
        Shape ``(n,)``, signed.

    Returns
    -------
    ndarray
        Shape ``(f, f)``; 0 for a feature that does not vary.
    """
    filled, total = centre(events, weights), float(weights.sum())
    covariance = (filled * weights[:, None]).T @ filled / total
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    spread = np.where(spread > 0, spread, np.inf)
    return np.asarray(covariance / np.outer(spread, spread), np.float64)


def centre(events: NDArray[Any], weights: NDArray[Any]) -> Array:
    """Subtract the weighted mean of each feature; missing values become 0."""
    values = np.asarray(events, np.float64)
    known = np.isfinite(values)
    sums = np.where(known, values, 0.0).T @ weights
    total = known.T @ weights
    mean = sums / np.where(total != 0, total, 1.0)
    return np.where(known, values - mean, 0.0)


def correlation_change(before: Array, after: Array) -> float:
    """Frobenius norm of the change of a correlation matrix over that of the matrix."""
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))
