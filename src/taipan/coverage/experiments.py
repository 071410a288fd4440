"""Pseudo-experiments of a coverage run, fitted."""

from __future__ import annotations

import itertools
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


def join_batches(
    batches: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Give the counts and the contents of all pseudo-experiments of some batches."""
    counts = [item for batch in batches for item in batch["counts"]]
    return counts, [item for batch in batches for item in batch["contents"]]


def stack_counts(
    model: CompiledModel,
    counts: Sequence[Mapping[str, Any]],
    contents: Sequence[Mapping[str, Any]] = (),
) -> Array:
    """Put counts and auxiliary measurements into data vectors.

    Parameters
    ----------
    model
        The model.
    counts
        Region → counts, of each pseudo-experiment; a region that is only part of the model has no
        events to draw, and keeps what is observed.
    contents
        Name of statistical parameters → ``ratio`` and ``error`` of the content of the bins that
        other simulated events would have had (:mod:`taipan.coverage.statistics`), of each
        pseudo-experiment. Where absent, auxiliary measurements are nominal.

    Returns
    -------
    ndarray
        Shape ``(T, d)``; ``(T, d + a)``, with the errors of the auxiliary measurements, if there
        are contents.
    """
    nominal = model.expected_auxiliary(model.parameters.initial)
    names = [model.parameters.names[i] for i in model.auxiliary]
    counted = model.auxiliary_factor > 0
    errors = np.where(counted, 1.0, model.parameters.sigma[model.auxiliary])

    def stack(drawn: Mapping[str, Any], other: Mapping[str, Any] | None) -> Array:
        parts = [drawn.get(name, model.observed[bins]) for name, bins in model.regions.items()]
        if other is None:
            return np.concatenate([*parts, nominal])
        ratio, error = np.ones(len(names)), np.ones(len(names))
        for group, content in other.items():
            for i, pair in enumerate(zip(content["ratio"], content["error"], strict=True)):
                if (name := f"{group}[{i}]") in names:
                    place = names.index(name)
                    ratio[place], error[place] = pair
        return np.concatenate([*parts, nominal * ratio, np.where(counted, 1.0, errors * error)])

    rows = itertools.zip_longest(counts, contents)
    return np.array([stack(*row) for row in rows], dtype=np.float64)


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
