"""Several parameters fitted together: estimates, and whether their contour holds the truth.

The contour of a level holds a point if 2ΔlnL there, all other parameters refitted, is below the
quantile of χ² with as many degrees of freedom as parameters (S. S. Wilks, Ann. Math. Stat. 9 (1938)
60). No contour need be drawn to count that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from taipan.inference.batch import fit_many
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class JointFits:
    """Fits of T data sets in k parameters.

    Attributes
    ----------
    names
        The parameters.
    estimates
        Their fitted values, shape ``(T, k)``.
    rises
        2ΔlnL at the true values, shape ``(T,)``; NaN where a fit failed.
    """

    names: tuple[str, ...]
    estimates: Array
    rises: Array

    def coverage(self, level: float) -> float:
        """Part of the good fits whose contour of a level holds the truth."""
        good = self.rises[np.isfinite(self.rises)]
        return float((good <= chi2.ppf(level, len(self.names))).mean())


def fit_jointly(
    model: CompiledModel, data: Array, names: Sequence[str], truths: Array
) -> JointFits:
    """Fit data sets freely, and with some parameters held at their true values.

    Parameters
    ----------
    model
        The model.
    data
        Data vectors, shape ``(T, d)``.
    names
        The k parameters.
    truths
        True values, shape ``(T, k)``.

    Raises
    ------
    FitError
        If a parameter does not exist.
    """
    places = [model.parameters.index(name) for name in names]
    start = np.tile(model.parameters.initial, (len(data), 1))
    start[:, places] = truths
    held = np.zeros(start.shape[1], dtype=np.bool_)
    held[places] = True
    free = fit_many(model, data, start)
    fixed = fit_many(model, data, start, fixed=held)
    lost = np.zeros(len(data), dtype=np.bool_)
    lost[[*free.failures, *fixed.failures]] = True
    rises = np.where(lost, np.nan, 2.0 * (fixed.nllr - free.nllr))
    return JointFits(tuple(names), free.values[:, places], rises)
