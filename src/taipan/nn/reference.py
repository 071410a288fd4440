"""A classifier that is too simple to be overtrained: what chance makes of two sets of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.nn.classes import BINARY, Classes

FloatArray = NDArray[np.float64]
Score = Callable[[NDArray[np.float32]], FloatArray]
"""Features (m, f) → scores (m,)."""

_RIDGE = 1e-3  # share of the mean diagonal
_SMALLEST, _LARGEST = 0.02, 0.98  # of its scores: a line knows no bounds
_FAR = 4.0  # σ beyond which a feature counts as that far: one event must not decide


def fit_reference(
    features: NDArray[np.float32],
    labels: NDArray[np.integer[Any]],
    weights: FloatArray,
    classes: Classes = BINARY,
) -> Score:
    """Fit the label by a second-order polynomial without mixed terms, by least squares.

    Two coefficients a feature, one more where it may be missing. On the events of the fit the loss
    is too small by about the number of coefficients over n_eff: as much of the overtraining of a
    network is taken for chance.

    Parameters
    ----------
    features
        Shape (n, f), NaN for missing.
    labels
        Shape (n,), 1 for signal and 0 for background, or numbers of classes.
    weights
        Shape (n,), signed training weights.
    classes
        What the labels stand for; with names each class is fitted.

    Returns
    -------
    Callable
        Features (m, f) → scores (m,) in [0.02, 0.98]; (m, K) for K classes with names.
    """
    size = np.abs(weights)
    missing = np.isnan(features)
    values = np.where(missing, 0.0, features).astype(np.float64)
    present = np.maximum((size[:, None] * ~missing).sum(axis=0), 1e-300)
    mean = (size[:, None] * values).sum(axis=0) / present
    spread = (size[:, None] * ~missing * (values - mean) ** 2).sum(axis=0) / present
    sigma = np.where(spread > 0.0, np.sqrt(spread), 1.0)
    sometimes = missing.any(axis=0)

    def expand(raw: NDArray[np.float32]) -> FloatArray:
        gone = np.isnan(raw)
        z = np.where(gone, 0.0, np.clip((raw - mean) / sigma, -_FAR, _FAR))
        return np.hstack([np.ones((len(raw), 1)), z, z**2, gone[:, sometimes]])

    terms = expand(features)
    # |w| in the matrix: with signed weights it might not be positive
    matrix = terms.T @ (terms * size[:, None])
    matrix += _RIDGE * float(np.trace(matrix)) / len(matrix) * np.eye(len(matrix))
    if classes.softmax:
        share = 1.0 / len(classes)
        targets = weights[:, None] * (np.eye(len(classes))[labels] - share)
        columns = np.linalg.solve(matrix, terms.T @ targets)

        def score_classes(raw: NDArray[np.float32]) -> FloatArray:
            found = np.clip(expand(raw) @ columns + share, _SMALLEST, _LARGEST)
            return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float64)

        return score_classes
    slopes = np.linalg.solve(matrix, terms.T @ (weights * (labels - 0.5)))

    def score(raw: NDArray[np.float32]) -> FloatArray:
        found = np.clip(expand(raw) @ slopes + 0.5, _SMALLEST, _LARGEST)
        return np.asarray(found, dtype=np.float64)

    return score
