"""Exchanging a feature among events that are alike in all the others.

Shuffling a feature makes events that do not exist: a visible mass without its momenta. Here only
what the other features do not say of it is exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FEW_VALUES = 20
"""Features with at most so many values are exchanged as they are, others by their residuals."""
_BINS = 10
"""Parts of the events, by what the other features say, within which values are exchanged."""
_RIDGE = 1e-3
"""Of a standardised feature: keeps features that are sums of others solvable."""


def exchange_conditionally(
    features: NDArray[np.float32], columns: Sequence[int], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Exchange what is left of some columns when the other features are known, in a copy.

    A column is predicted from the features outside of `columns` by least squares, with their
    squares. The residuals are exchanged among events of similar predictions, so that their
    spread may depend on them. Missing values stay missing.

    Parameters
    ----------
    features
        Shape ``(n, f)``; NaN for missing.
    columns
        Those that are exchanged.
    generator
        Random numbers.
    """
    result = features.copy()
    others = [i for i in range(features.shape[1]) if i not in columns]
    design = _design(features[:, others].astype(np.float64))
    for column in columns:
        rows = np.flatnonzero(np.isfinite(features[:, column]))
        values = features[rows, column].astype(np.float64)
        predicted = _predict(design[rows], values)
        few = len(np.unique(values)) <= _FEW_VALUES
        kept = np.zeros(len(rows)) if few else predicted
        changed = values - kept
        for part in np.array_split(np.argsort(predicted, kind="stable"), _BINS):
            changed[part] = changed[part][generator.permutation(len(part))]
        result[rows, column] = np.clip(kept + changed, values.min(), values.max())
    return result


def _design(others: Array) -> Array:
    """Give columns of a linear model: standardised features, squares, what is missing, and 1."""
    known = np.isfinite(others)
    number = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, others, 0.0).sum(axis=0) / number
    centred = np.where(known, others - mean, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / number)
    scaled = np.clip(centred / np.where(spread > 0, spread, 1.0), -5.0, 5.0)
    missing = (~known).astype(np.float64)
    return np.concatenate([scaled, scaled**2, missing, np.ones((len(others), 1))], axis=1)


def _predict(design: Array, values: Array) -> Array:
    matrix = design.T @ design + _RIDGE * len(values) * np.eye(design.shape[1])
    mean = values.mean() if len(values) else 0.0
    return np.asarray(design @ np.linalg.solve(matrix, design.T @ (values - mean)) + mean)
