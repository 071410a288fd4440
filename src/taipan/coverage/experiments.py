"""Pseudo-experiments of a coverage run, fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.coverage.score import RISES
from taipan.errors import TaipanError
from taipan.inference import compile_model
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


def fit_experiments(
    workspace: Mapping[str, Any], batches: Sequence[Mapping[str, Any]]
) -> Experiments:
    """Fit the pseudo-data of every batch.

    Parameters
    ----------
    workspace
        Of the rule ``build_workspace``.
    batches
        Of the rule ``draw_pseudo_data``.

    Raises
    ------
    TaipanError
        If more than 1 % of the fits fail.
    """
    model = compile_model(workspace)
    nominal = model.expected_auxiliary(model.nominal(1.0))
    data = np.array(
        [
            np.concatenate([*(counts[region] for region in model.regions), nominal])
            for batch in batches
            for counts in batch["counts"]
        ],
        dtype=np.float64,
    )
    truth = np.array([item["mu"] for batch in batches for item in batch["truths"]])
    fits = fit_pseudo_data(model, data, model.nominal(1.0), levels=RISES)
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
