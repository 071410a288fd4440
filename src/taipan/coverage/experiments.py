"""Pseudo-experiments of a coverage run, fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.coverage.score import RISES
from taipan.errors import TaipanError
from taipan.inference import CompiledModel
from taipan.inference.toys import fit_pseudo_data

Array = npt.NDArray[np.float64]

LARGEST_SHARE = 0.01
"""Part of the pseudo-experiments that may fail to fit before the coverage means nothing."""


@dataclass(frozen=True)
class Experiments:
    """Fits of pseudo-experiments.

    Attributes
    ----------
    truth, mu_hat, sigma
        True signal strength, estimate, Hesse standard deviation, shape ``(n,)``.
    intervals
        Ends of the intervals of each of :data:`~taipan.coverage.score.LEVELS`.
    failed
        Number of fits that failed; they are in none of the arrays.
    """

    truth: Array
    mu_hat: Array
    sigma: Array
    intervals: list[tuple[Array, Array]]
    failed: int


def stack_counts(model: CompiledModel, counts: Sequence[Mapping[str, Any]]) -> Array:
    """Put counts and nominal auxiliary measurements into data vectors.

    Parameters
    ----------
    model
        The model.
    counts
        Region → counts, of each pseudo-experiment; a region that is only part of the model has no
        events to draw, and keeps what is observed.

    Returns
    -------
    ndarray
        Shape ``(T, d)``.
    """
    nominal = model.expected_auxiliary(model.parameters.initial)

    def stack(drawn: Mapping[str, Any]) -> Array:
        parts = [drawn.get(name, model.observed[bins]) for name, bins in model.regions.items()]
        return np.concatenate([*parts, nominal])

    return np.array([stack(drawn) for drawn in counts], dtype=np.float64)


def fit_experiments(model: CompiledModel, data: Array, truth: Array) -> Experiments:
    """Fit pseudo-data, with intervals of all levels.

    Parameters
    ----------
    model
        The model.
    data
        Of :func:`stack_counts`, shape ``(T, d)``.
    truth
        True values of its parameter of interest, shape ``(T,)``.

    Raises
    ------
    TaipanError
        If more than 1 % of the fits fail.
    """
    fits = fit_pseudo_data(model, data, model.parameters.initial, levels=RISES)
    good = np.logical_and.reduce([np.isfinite(item["low"]) for item in fits])
    if good.mean() < 1.0 - LARGEST_SHARE:
        raise TaipanError(f"coverage: {(~good).sum()} of {len(good)} fits failed")
    return Experiments(
        truth[good],
        fits[0]["mu_hat"][good],
        fits[0]["sigma"][good],
        [(item["low"][good], item["high"][good]) for item in fits],
        int((~good).sum()),
    )
