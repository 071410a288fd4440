"""Coverage, bias and width of intervals, with binomial errors and the HiggsML score."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LEVELS = (0.6827, 0.95)
RISES = (1.0, 3.841458820694124)
"""2ΔlnL at the ends of intervals of these levels: quantiles of χ² with one degree of freedom."""
SHRINK = 0.7
"""Factor of the interval that must fail the check, which shows that the check has power."""
FEWEST_EXPERIMENTS = 100
"""Pseudo-experiments below which no calibration is learnt."""
ALLOWED = 2.0
"""Binomial standard deviations that the coverage may be away from its level."""


@dataclass(frozen=True)
class IntervalCoverage:
    """How often intervals hold the truth.

    Attributes
    ----------
    level
        Promised fraction.
    fraction
        Found fraction.
    error
        Binomial standard deviation of the promised fraction, √(level (1 - level) / n).
    deviation
        (fraction - level) / error.
    width
        Mean width.
    passed
        True if the deviation is within :data:`ALLOWED`.
    """

    level: float
    fraction: float
    error: float
    deviation: float
    width: float
    passed: bool


def measure_coverage(truth: Array, low: Array, high: Array, level: float) -> IntervalCoverage:
    """Count the intervals that hold the truth.

    Parameters
    ----------
    truth, low, high
        True value and ends of each interval, shape ``(n,)``.
    level
        Promised fraction.
    """
    fraction = float(((low <= truth) & (truth <= high)).mean())
    error = float(np.sqrt(level * (1.0 - level) / len(truth)))
    deviation = (fraction - level) / error
    width = float((high - low).mean())
    return IntervalCoverage(level, fraction, error, deviation, width, abs(deviation) <= ALLOWED)


def shrink(centre: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Draw the ends of intervals towards the estimate by the factor :data:`SHRINK`."""
    return centre + SHRINK * (low - centre), centre + SHRINK * (high - centre)


def higgsml_score(width: float, coverage: float, n: int) -> float:
    """Score of the FAIR Universe HiggsML Uncertainty Challenge (arXiv:2410.02867); high is good.

    s = -ln((w + 0.001) f(c)); f is 1 within two binomial standard deviations of 68.27 % and rises
    with the fourth power of the deviation beyond below, the third above.

    Parameters
    ----------
    width
        Mean width of the 68.27 % intervals.
    coverage
        Fraction of them that hold the truth.
    n
        Number of pseudo-experiments.
    """
    level = LEVELS[0]
    sigma = np.sqrt(level * (1.0 - level) / n)
    low, high = level - 2.0 * sigma, level + 2.0 * sigma
    penalty = 1.0
    if coverage < low:
        penalty += abs((coverage - low) / sigma) ** 4
    elif coverage > high:
        penalty += abs((coverage - high) / sigma) ** 3
    return float(-np.log((width + 1e-3) * penalty))


def score_intervals(truth: Array, low: Array, high: Array) -> dict[str, float]:
    """Score intervals, with its error and mean from 1,000 bootstraps.

    Parameters
    ----------
    truth, low, high
        True value and ends of each interval, shape ``(n,)``.

    Returns
    -------
    dict
        ``coverage``, ``width`` (mean), ``score``, ``score_error``, ``score_bootstrap_mean``.
    """
    n = len(truth)
    held = (low <= truth) & (truth <= high)
    rng = np.random.default_rng(n)
    scores = []
    for _ in range(1000):
        rows = rng.integers(0, n, n)
        scores.append(higgsml_score(float((high - low)[rows].mean()), float(held[rows].mean()), n))
    width, coverage = float((high - low).mean()), float(held.mean())
    return {
        "coverage": coverage,
        "width": width,
        "score": higgsml_score(width, coverage, n),
        "score_error": float(np.std(scores, ddof=1)),
        "score_bootstrap_mean": float(np.mean(scores)),
    }


def summarise_experiments(
    truth: Array, mu_hat: Array, sigma: Array, intervals: list[tuple[Array, Array]]
) -> dict[str, Any]:
    """Put together everything that is reported of the pseudo-experiments.

    Parameters
    ----------
    truth, mu_hat, sigma
        Injected signal strength, estimate and Hesse standard deviation, shape ``(n,)``.
    intervals
        Ends of the intervals of each of :data:`LEVELS`.

    Returns
    -------
    dict
        ``n``, ``intervals``, ``shrunk`` (lists of :class:`IntervalCoverage`), ``bias``,
        ``pull_mean``, ``pull_width`` (with their standard errors), ``slope`` of μ̂ against μ,
        ``score`` and its error from 1,000 bootstraps, ``passed``, ``has_power``.
    """
    n = len(truth)
    pull = (mu_hat - truth) / sigma
    bias = mu_hat - truth
    found = [
        measure_coverage(truth, *ends, level) for level, ends in zip(LEVELS, intervals, strict=True)
    ]
    shrunk = [
        measure_coverage(truth, *shrink(mu_hat, *ends), level)
        for level, ends in zip(LEVELS, intervals, strict=True)
    ]
    scored = score_intervals(truth, *intervals[0])
    spread = truth - truth.mean()
    slope = float((spread * mu_hat).sum() / (spread**2).sum()) if spread.any() else 1.0
    slope_error = float(bias.std(ddof=1) / np.sqrt((spread**2).sum())) if spread.any() else 0.0
    return {
        "n": n,
        "intervals": [asdict(item) for item in found],
        "shrunk": [asdict(item) for item in shrunk],
        "bias": [float(bias.mean()), float(bias.std(ddof=1) / np.sqrt(n))],
        "pull_mean": [float(pull.mean()), float(pull.std(ddof=1) / np.sqrt(n))],
        "pull_width": [float(pull.std(ddof=1)), float(pull.std(ddof=1) / np.sqrt(2.0 * n))],
        "slope": [slope, slope_error],
        "score": [scored["score"], scored["score_error"]],
        "score_bootstrap_mean": scored["score_bootstrap_mean"],
        "passed": all(item.passed for item in found),
        "has_power": not any(item.passed for item in shrunk),
    }
