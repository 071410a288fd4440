"""Intervals calibrated on pseudo-experiments.

The pull t = (μ̂ - μ)/σ, with σ the distance of μ̂ to the end of its interval on the side of μ, has a
normal law if the intervals are right. Its quantiles are learnt from pseudo-experiments as straight
lines in the true μ (quantile regression: Koenker and Bassett, Econometrica 46 (1978) 33). The
calibrated interval holds every μ whose pull lies between them (Neyman, Phil. Trans. R. Soc. A 236
(1937) 333), so it covers at each μ, as far as the lines hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from taipan.coverage.score import FEWEST_EXPERIMENTS, LEVELS, score_intervals
from taipan.errors import TaipanError

Array = npt.NDArray[np.float64]

TAILS = ((1.0 - LEVELS[0]) / 2.0, (1.0 + LEVELS[0]) / 2.0)
"""Quantiles at the ends of the intervals."""
_GRID = np.linspace(-6.0, 6.0, 2401)


@dataclass(frozen=True)
class IntervalCalibration:
    """Quantiles of the pull as straight lines in μ.

    Attributes
    ----------
    lower, upper
        Intercept and slope of the quantiles at :data:`TAILS`.
    span
        Range of the true μ that they were learnt from; beyond it they stay what they are there.
    experiments
        How many pseudo-experiments that were.
    """

    lower: tuple[float, float]
    upper: tuple[float, float]
    span: tuple[float, float]
    experiments: int

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        names = ("lower", "upper", "span")
        return {**{n: list(getattr(self, n)) for n in names}, "experiments": self.experiments}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> IntervalCalibration:
        """Rebuild from :meth:`to_dict`."""
        names = ("lower", "upper", "span")
        lower, upper, span = ((float(content[n][0]), float(content[n][1])) for n in names)
        return cls(lower, upper, span, int(content["experiments"]))

    def apply(self, mu_hat: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Calibrate intervals.

        Parameters
        ----------
        mu_hat, low, high
            Estimates and ends of their 68.27 % intervals, shape ``(n,)``.

        Returns
        -------
        low, high
            Ends of the calibrated intervals; a μ outside six standard deviations is in none.
        """
        ends = [
            self._ends(*row)
            for row in zip(mu_hat.tolist(), low.tolist(), high.tolist(), strict=True)
        ]
        found = np.array(ends, dtype=np.float64).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    def _ends(self, mu_hat: float, low: float, high: float) -> tuple[float, float]:
        mu = mu_hat + np.where(_GRID < 0.0, mu_hat - low, high - mu_hat) * _GRID
        inside = np.clip(mu, *self.span)
        pull = -_GRID  # (μ̂ - μ)/σ of the side on which μ lies
        between = (pull >= _line(self.lower, inside)) & (pull <= _line(self.upper, inside))
        if not between.any():  # the lines cross: they are no quantiles there
            raise TaipanError(
                f"calibration: no μ is compatible with {mu_hat:g} [{low:g}, {high:g}]"
            )
        rows = np.flatnonzero(between)
        return float(mu[rows[0]]), float(mu[rows[-1]])


def _line(coefficients: tuple[float, float], mu: Array) -> Array:
    return coefficients[0] + coefficients[1] * mu


def compute_pulls(truth: Array, mu_hat: Array, low: Array, high: Array) -> Array:
    """Distance of estimate and truth in standard deviations of the side of the truth, ``(n,)``."""
    side = np.where(truth < mu_hat, mu_hat - low, high - mu_hat)
    if not (side > 0.0).all():
        raise TaipanError("calibration: an interval has no width")
    return np.asarray((mu_hat - truth) / side)


def regress_quantile(x: Array, y: Array, level: float) -> tuple[float, float]:
    """Fit the line below which a fraction `level` of y lies at every x.

    It minimises Σ ρ(y - a - b x), ρ(u) = u (level - [u < 0]), as a linear programme (the dual).

    Returns
    -------
    intercept, slope

    Raises
    ------
    TaipanError
        If it has no solution.
    """
    design = np.stack([np.ones(len(x)), x])
    # the dual, Σ y a with a in [0, 1] and X a = (1 - level) X 1, has two rows only
    found = linprog(
        -y, A_eq=design, b_eq=(1.0 - level) * design.sum(axis=1), bounds=(0.0, 1.0), method="highs"
    )
    if not found.success:
        raise TaipanError(f"calibration: quantile regression failed: {found.message}")
    intercept, slope = (-found.eqlin.marginals).tolist()
    return float(intercept), float(slope)


def learn_calibration(truth: Array, mu_hat: Array, low: Array, high: Array) -> IntervalCalibration:
    """Learn the quantiles of the pull.

    Parameters
    ----------
    truth, mu_hat, low, high
        True signal strength, estimate and ends of the 68.27 % interval, shape ``(n,)``.

    Raises
    ------
    TaipanError
        If there are fewer pseudo-experiments than
        :data:`~taipan.coverage.score.FEWEST_EXPERIMENTS`, or the lines cross in the range of the
        truth.
    """
    n = len(truth)
    if n < FEWEST_EXPERIMENTS:
        raise TaipanError(
            f"calibration: {n} pseudo-experiments; at least {FEWEST_EXPERIMENTS} are needed"
        )
    pulls = compute_pulls(truth, mu_hat, low, high)
    lower, upper = (regress_quantile(truth, pulls, level) for level in TAILS)
    span = float(truth.min()), float(truth.max())
    for mu in span:
        if lower[0] + lower[1] * mu >= upper[0] + upper[1] * mu:
            raise TaipanError(f"calibration: the quantiles of the pull cross at μ = {mu:g}")
    return IntervalCalibration(lower, upper, span, n)


def judge_calibration(truth: Array, mu_hat: Array, low: Array, high: Array) -> dict[str, Any]:
    """Score intervals as they are and calibrated, each by what was learnt from the other half.

    Parameters
    ----------
    truth, mu_hat, low, high
        As of :func:`learn_calibration`.

    Returns
    -------
    dict
        ``as_fitted``, ``calibrated`` and, with ends drawn into the range of the truth,
        ``calibrated_in_range``: each as :func:`~taipan.coverage.score.score_intervals`.
    """
    half = np.arange(len(truth)) % 2 == 0
    new_low, new_high = np.empty_like(low), np.empty_like(high)
    for mine in (half, ~half):
        learnt = learn_calibration(*(values[~mine] for values in (truth, mu_hat, low, high)))
        new_low[mine], new_high[mine] = learnt.apply(mu_hat[mine], low[mine], high[mine])
    span = float(truth.min()), float(truth.max())
    return {
        "as_fitted": score_intervals(truth, low, high),
        "calibrated": score_intervals(truth, new_low, new_high),
        "calibrated_in_range": score_intervals(
            truth, np.clip(new_low, *span), np.clip(new_high, *span)
        ),
    }
