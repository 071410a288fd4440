"""Cell resampling: negative weights are spread over their nearest neighbours.

Andersen and Maier, EPJC 82 (2022) 433, with neighbours in the space of the training features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_FIRST_NEIGHBOURS = 32  # enough for nearly all cells at a negative fraction of 0.4
_QUERY_EVENTS = 8192  # seeds whose neighbours are looked up at a time


def cell_points(features: NDArray[np.float32], weights: FloatArray, components: int) -> FloatArray:
    """Place events in a space where near events look alike.

    Features are standardised with |w|; a missing one takes the mean. The leading principal
    components are kept: distances in many dimensions tell little, and cost a hundred times more.

    Parameters
    ----------
    features
        Shape (n, f), NaN for missing.
    weights
        Shape (n,), signed.
    components
        Number d of components; f at most are used.

    Returns
    -------
    numpy.ndarray
        Shape (n, min(d, f)), in standard deviations of a feature.
    """
    present = np.isfinite(features)
    values = np.where(present, features, 0.0).astype(np.float64)
    size = np.where(present, np.abs(weights)[:, None], 0.0)
    total = np.maximum(size.sum(axis=0), np.finfo(float).tiny)
    mean = (size * values).sum(axis=0) / total
    sigma = np.sqrt((size * (values - mean) ** 2).sum(axis=0) / total)
    standard = np.where(present & (sigma > 0.0), (values - mean) / np.where(sigma > 0, sigma, 1), 0)
    covariance = (standard * np.abs(weights)[:, None]).T @ standard
    _, axes = np.linalg.eigh(covariance)
    return np.asarray(standard @ axes[:, ::-1][:, :components])


def resample_cells(
    points: FloatArray, weights: FloatArray, max_radius: float | None = None
) -> FloatArray:
    """Make weights positive in cells around the negative ones.

    From the most negative weight on: the nearest neighbours of an event that is still negative
    are added to its cell until the cell's Σw is not negative; then each weight of the cell
    becomes |w| Σw / Σ|w|, which keeps the cell's Σw.

    Parameters
    ----------
    points
        Shape (n, d), places of the events.
    weights
        Shape (n,), signed, with a positive sum.
    max_radius
        Largest radius of a cell, None for no limit. A cell still negative there is left as it is.

    Returns
    -------
    numpy.ndarray
        Shape (n,), not negative if there is no limit.
    """
    from scipy.spatial import KDTree

    new = np.array(weights, dtype=np.float64)
    limit = np.inf if max_radius is None else max_radius
    seeds = np.flatnonzero(new < 0.0)
    seeds = seeds[np.argsort(new[seeds], kind="stable")]
    tree = KDTree(points)
    for start in range(0, len(seeds), _QUERY_EVENTS):
        block = seeds[start : start + _QUERY_EVENTS]
        distances, neighbours = _query(tree, points[block], _FIRST_NEIGHBOURS)
        for seed, near, distance in zip(block, neighbours, distances, strict=True):
            if new[seed] < 0.0:
                cell = _grow(tree, points[seed], seed, new, near[distance <= limit], limit)
                if cell is not None:
                    part = new[cell]
                    share = max(float(part.sum()), 0.0) / float(np.abs(part).sum())
                    new[cell] = np.abs(part) * share
    return new


def _query(tree: Any, points: FloatArray, count: int) -> tuple[Any, Any]:
    wanted = min(count, tree.n)
    distances, neighbours = tree.query(points, k=np.arange(1, wanted + 1))
    return distances, neighbours


def _grow(
    tree: Any,
    point: FloatArray,
    seed: int,
    weights: FloatArray,
    near: NDArray[Any],
    limit: float,
) -> NDArray[Any] | None:
    """Give the smallest set of nearest neighbours with Σw >= 0, or None if there is none."""
    count = _FIRST_NEIGHBOURS
    while True:
        # Another event may lie at the same place; the cell starts with the seed all the same.
        near = np.concatenate([[seed], near[near != seed]])
        enough = np.flatnonzero(np.cumsum(weights[near]) >= 0.0)
        if len(enough):
            return near[: enough[0] + 1]
        if count >= tree.n or len(near) < min(count, tree.n):
            return None
        count *= 4
        distances, found = _query(tree, point[None], count)
        near = found[0][distances[0] <= limit]
