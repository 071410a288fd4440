"""Sums, means and sizes of samples with signed weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError

FloatArray = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def sum_of_weights(weights: Reals, what: str) -> float:
    """Give Σw of weights of shape (n,).

    Raises
    ------
    TaipanError
        If it is not positive; says of what.
    """
    total = float(np.sum(weights, dtype=np.float64))
    if not total > 0.0:
        raise TaipanError(f"sum of weights of {what} is {total:.6g}, must be positive")
    return total


def n_eff(weights: Reals) -> float:
    """Effective number of events, (Σw)²/Σw², of weights of shape (n,); 0 without events.

    For unit weights with a fraction r of negative signs it is n (1-2r)².
    """
    values = np.asarray(weights, dtype=np.float64)
    squares = float(np.sum(values**2))
    return float(np.sum(values)) ** 2 / squares if squares > 0.0 else 0.0


def negative_fraction(weights: Reals) -> float:
    """Share of events of negative weight among weights of shape (n,); 0 without events."""
    return float(np.mean(np.asarray(weights) < 0.0)) if len(weights) else 0.0


def describe_weights(weights: Reals) -> dict[str, Any]:
    """Give `events`, `sumw`, `n_eff` and `negative_fraction` of weights of shape (n,)."""
    return {
        "events": len(weights),
        "sumw": float(np.sum(weights, dtype=np.float64)),
        "n_eff": n_eff(weights),
        "negative_fraction": negative_fraction(weights),
    }


def n_eff_of_sums(sumw: FloatArray, sumw2: FloatArray) -> FloatArray:
    """Effective number of events of bins, (Σw)²/Σw².

    Parameters
    ----------
    sumw, sumw2
        Σw and Σw², of any common shape.

    Returns
    -------
    numpy.ndarray
        The same shape; 0 where Σw² is 0.
    """
    return np.divide(sumw**2, sumw2, out=np.zeros_like(sumw), where=sumw2 > 0)


def weighted_mean(values: Reals, weights: Reals) -> tuple[float, float]:
    """Mean Σ w·x / Σ w and its standard deviation √(Σ w² (x - mean)²) / Σ w.

    For values unrelated to the weights the standard deviation is their spread over √n_eff.

    Parameters
    ----------
    values, weights
        Shape (n,): values and signed weights.

    Raises
    ------
    TaipanError
        If Σw is not positive.
    """
    total = sum_of_weights(weights, "the events")
    mean = float(np.sum(weights * values, dtype=np.float64)) / total
    return mean, math.sqrt(float(np.sum((weights * (values - mean)) ** 2))) / total


def mean_with_terms(values: Reals, weights: Reals) -> tuple[float, FloatArray]:
    """Mean Σ w·x / Σ w and by how much each event moves it: its variance is Σ terms².

    Parameters
    ----------
    values, weights
        Shape (n,): values and signed weights.

    Returns
    -------
    mean, terms
        The mean, and w (x - mean) / Σ w of shape (n,).

    Raises
    ------
    TaipanError
        If Σw is not positive.
    """
    mean, _ = weighted_mean(values, weights)
    return mean, weights * (values - mean) / float(np.sum(weights))
