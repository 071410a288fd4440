"""Combination of results whose correlation is not known.

Within a result the covariance is known, between results nothing is. The combination of L. Koch,
"Hypothesis tests and model parameter estimation on data sets with missing correlation information"
(arXiv:2410.22333, package nustattools): the estimate is that of uncorrelated results, and its
covariance is enlarged by a factor that keeps intervals conservative whatever the correlation. A
prediction is tested with the largest of the results' own distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.stats import chi2

from taipan.inference.errors import FitError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RobustResult:
    """A combination.

    Attributes
    ----------
    values
        Estimates, shape ``(k,)``.
    covariance
        Their covariance, enlarged, shape ``(k, k)``.
    naive
        Covariance if the results were uncorrelated.
    factor
        Ratio of the two, at least 1.
    """

    values: Array
    covariance: Array
    naive: Array
    factor: float


def combine_robustly(
    values: Sequence[Array],
    covariances: Sequence[Array],
    jacobians: Sequence[Array] | None = None,
    *,
    level: float = 3.0,
) -> RobustResult:
    """Combine results with unknown correlation between them.

    Parameters
    ----------
    values
        Estimates of each result, shape ``(n_i,)``.
    covariances
        Covariance within each result, shape ``(n_i, n_i)``.
    jacobians
        d(estimate)/d(parameter) of each result, shape ``(n_i, k)``; ones if every result measures
        the same single parameter.
    level
        Standard deviations up to which intervals are conservative.

    Raises
    ------
    FitError
        If shapes do not fit, or a covariance is not positive definite.
    """
    from nustattools.stats import derate_covariance

    if jacobians is None:
        jacobians = [np.ones((len(np.atleast_1d(v)), 1)) for v in values]
    blocks = [np.atleast_2d(np.asarray(c, dtype=np.float64)) for c in covariances]
    data = [np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in values]
    _check(data, blocks, jacobians)
    covariance = scipy.linalg.block_diag(*blocks)
    slopes = np.concatenate(list(jacobians))
    inverse = np.linalg.inv(covariance)
    naive = np.linalg.inv(slopes.T @ inverse @ slopes)
    estimate = naive @ slopes.T @ inverse @ np.concatenate(data)
    factor = 1.0
    if len(blocks) > 1:
        unknown = covariance.copy()
        start = 0
        for block in blocks:
            end = start + len(block)
            unknown[start:end, :start] = unknown[start:end, end:] = np.nan
            start = end
        factor = max(1.0, float(derate_covariance(unknown, jacobian=slopes, sigma=level)))
    return RobustResult(estimate, factor * naive, naive, factor)


def largest_distance(
    values: Sequence[Array], covariances: Sequence[Array], expected: Sequence[Array]
) -> tuple[float, float]:
    """Test a prediction with the largest distance of any result ("fitted" correlation).

    The distance minimised over all correlations that are allowed is the largest of the blocks'
    squared Mahalanobis distances; the statistic is the largest χ² probability of any block.

    Returns
    -------
    statistic
        max_i F_{χ²(n_i)}(D_i²), in [0, 1].
    p_value
        Its p-value for independent results, Π F; conservative for positive correlation.

    Raises
    ------
    FitError
        If shapes do not fit, or a covariance is not positive definite.
    """
    blocks = [np.atleast_2d(np.asarray(c, dtype=np.float64)) for c in covariances]
    data = [
        np.atleast_1d(np.asarray(v, dtype=np.float64) - np.asarray(e, dtype=np.float64))
        for v, e in zip(values, expected, strict=True)
    ]
    _check(data, blocks, [np.ones((len(d), 1)) for d in data])
    found = [
        float(chi2.cdf(d @ np.linalg.solve(c, d), len(d)))
        for d, c in zip(data, blocks, strict=True)
    ]
    statistic = max(found)
    return statistic, 1.0 - statistic ** len(found)


def _check(values: Sequence[Array], blocks: Sequence[Array], jacobians: Sequence[Array]) -> None:
    for i, (value, block, jacobian) in enumerate(zip(values, blocks, jacobians, strict=True)):
        if block.shape != (len(value), len(value)) or len(jacobian) != len(value):
            raise FitError(
                f"result {i}: {len(value)} values, covariance {block.shape}, jacobian "
                f"{np.shape(jacobian)}"
            )
        if not np.isfinite(block).all() or np.linalg.eigvalsh(block)[0] <= 0.0:
            raise FitError(f"result {i}: the covariance is not positive definite")
