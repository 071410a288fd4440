"""How much of a shift is more than the chance of the events that move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

Array = npt.NDArray[np.float64]

# Eigenvalues of a covariance below this fraction of the largest one are rounding.
SMALLEST_EIGENVALUE = 1e-9


@dataclass(frozen=True)
class ShiftSignificance:
    """A shift of one sample in one region against its own statistical error.

    Attributes
    ----------
    systematic, sample, region, direction
        What was shifted, ``up`` or ``down``.
    rate, rate_error
        Relative change of the yield and its error.
    chi2, ndf, p_value
        χ² of the change of shape at fixed yield, and the probability of one as large by chance.
    """

    systematic: str
    sample: str
    region: str
    direction: str
    rate: float
    rate_error: float
    chi2: float
    ndf: int
    p_value: float


def compare_with_noise(
    cell: tuple[str, str, str, str], nominal: Array, varied: Array, covariance: Array
) -> ShiftSignificance:
    """Compare the difference of two templates with its covariance.

    Parameters
    ----------
    cell
        Systematic, sample, region and direction.
    nominal, varied
        Templates, shape ``(n_bins,)``; the nominal total is not zero.
    covariance
        Of the difference, shape ``(n_bins, n_bins)``.
    """
    total = float(nominal.sum())
    difference = varied - nominal
    # what is left at fixed yield: the same change in all bins is taken out
    rest = np.eye(len(nominal)) - np.outer(nominal / total, np.ones(len(nominal)))
    shape, noise = rest @ difference, rest @ covariance @ rest.T
    sizes, axes = np.linalg.eigh(noise)
    used = sizes > SMALLEST_EIGENVALUE * max(float(sizes[-1]), 0.0)
    value = float(((axes.T @ shape)[used] ** 2 / sizes[used]).sum())
    ndf = int(used.sum())
    return ShiftSignificance(
        *cell,
        rate=float(difference.sum()) / total,
        rate_error=float(np.sqrt(max(covariance.sum(), 0.0))) / abs(total),
        chi2=value,
        ndf=ndf,
        p_value=float(chi2.sf(value, ndf)) if ndf else 1.0,
    )
