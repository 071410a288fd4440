"""What a fit says of a spectrum: the strengths of its truth bins, their covariance, two tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from taipan.inference.batch import fit_many
from taipan.inference.errors import FitError
from taipan.inference.fit import FitResult
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]

# χ² may be larger by that part than in the bins of the detector: where −ln L is no parabola.
TOLERANCE = 0.05


def describe_spectrum(
    model: CompiledModel,
    data: Array,
    best: FitResult,
    strengths: Sequence[str],
    predicted: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Give an unfolded spectrum and test it.

    The bottom-line test (R. D. Cousins, S. J. May and Y. Sun, arXiv:1607.07038): unfolding adds no
    information, so the prediction must not be excluded more strongly by the unfolded spectrum and
    its covariance than by the events that were counted.

    Parameters
    ----------
    model, data, best
        The model, the data and their fit.
    strengths
        Parameters of the truth bins, each 1 if the prediction is right.
    predicted
        Predicted content of each bin; 1 if absent.

    Returns
    -------
    dict
        ``values``, ``sigma``, ``covariance``, ``predicted``: content of the bins; ``bottom_line``:
        ``unfolded`` and ``counted``, each with ``chi2``, ``degrees`` and ``p_value`` of the
        prediction, and whether it ``passed``.

    Raises
    ------
    FitError
        If the fit of the prediction fails, or the covariance has no inverse.
    """
    places = [model.parameters.index(name) for name in strengths]
    sizes = np.ones(len(places)) if predicted is None else np.asarray(predicted, dtype=np.float64)
    covariance = best.covariance[np.ix_(places, places)]
    away = best.values[places] - 1.0
    try:
        unfolded = float(away @ np.linalg.solve(covariance, away))
    except np.linalg.LinAlgError as error:
        raise FitError(
            f"unfolding: the covariance of {', '.join(strengths)} has no inverse"
        ) from error
    start = best.values.copy()
    start[places] = 1.0
    held = np.zeros(len(start), dtype=np.bool_)
    held[places] = True
    fits = fit_many(model, data, start, fixed=held)
    if fits.failures:
        raise FitError(f"unfolding: fit of the prediction: {fits.failures[0]}")
    counted = max(2.0 * float(fits.nllr[0]), 0.0)
    free = ~model.parameters.fixed & ~model.parameters.constrained & ~held
    degrees = model.n_bins - len(model.copies) - int(free.sum())
    scaled = covariance * np.outer(sizes, sizes)
    return {
        "values": (best.values[places] * sizes).tolist(),
        "sigma": np.sqrt(np.diag(scaled)).tolist(),
        "covariance": scaled.tolist(),
        "predicted": sizes.tolist(),
        "bottom_line": {
            "unfolded": _judge(unfolded, len(places)),
            "counted": _judge(counted, degrees),
            "passed": unfolded <= counted * (1.0 + TOLERANCE) + TOLERANCE,
        },
    }


def _judge(statistic: float, degrees: int) -> dict[str, Any]:
    p_value = float(chi2.sf(statistic, degrees)) if degrees > 0 else None
    return {"chi2": statistic, "degrees": degrees, "p_value": p_value}


def list_strengths(unfolding: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the parameters of the truth bins of all spectra of a record."""
    return [name for found in unfolding.values() for name in found["strengths"]]
