"""Distance correlation of a score with a continuous variable, for signed weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_BINS = 100


@dataclass(frozen=True)
class Dependence:
    """A distance correlation and what it is for independent variables.

    Attributes
    ----------
    value
        Distance correlation, 0 (independent) to 1 (linear).
    expected
        Its mean if the events are the same but the variables independent: noise alone makes it
        positive.
    probability
        Share of such samples that have a larger one.
    """

    value: float
    expected: float
    probability: float


def distance_correlation(x: Array, y: Array, weights: Array) -> float:
    """Distance correlation of two variables (G. Székely et al., Ann. Stat. 35 (2007) 2769).

    With w normalised to 1, a = |x_i - x_j| and b = |y_i - y_j|,
    dCov² = Σ ww ab + Σ ww a · Σ ww b - 2 Σ www a_ij b_ik, and dCor² = dCov²(x, y) over
    √(dCov²(x, x) dCov²(y, y)). All sums are linear in each weight, so signs need no care. Events
    are put into 100 quantile bins of each variable, at the bin's mean, which makes the cost linear
    in the number of events.

    Parameters
    ----------
    x, y, weights
        Shape (n,): variables and signed weights.

    Returns
    -------
    float
        √max(dCor², 0): with signed weights dCor² may be negative by noise.

    Raises
    ------
    TaipanError
        If the sum of weights is not positive, or a variable is constant.
    """
    first, second = _Binned.of(x, weights), _Binned.of(y, weights)
    return _correlate(first, second, _joint(first, second, weights))


def measure_dependence(
    x: Array, y: Array, weights: Array, permutations: int, rng: np.random.Generator
) -> Dependence:
    """Measure the distance correlation and compare it with that of permuted events.

    Parameters
    ----------
    x, y, weights
        Shape (n,): variables and signed weights. The weight stays with `x`.
    permutations
        Number of random orders of `y`.
    rng
        Draws them.
    """
    first, second = _Binned.of(x, weights), _Binned.of(y, weights)
    value = _correlate(first, second, _joint(first, second, weights))
    independent = []
    for _ in range(permutations):
        shuffled = _Binned(rng.permutation(second.bins), second.centres)
        independent.append(_correlate(first, shuffled, _joint(first, shuffled, weights)))
    larger = sum(item >= value for item in independent)
    expected = float(np.mean(independent)) if independent else 0.0
    return Dependence(value, expected, (larger + 1) / (permutations + 1))


@dataclass(frozen=True)
class _Binned:
    """Bin of each event, and the mean of the variable in each bin."""

    bins: NDArray[np.int64]
    centres: FloatArray

    @classmethod
    def of(cls, values: Array, weights: Array) -> _Binned:
        order = np.argsort(values, kind="stable")
        sums = np.cumsum(np.abs(weights[order]), dtype=np.float64)
        places = np.searchsorted(sums, np.linspace(0.0, 1.0, _BINS + 1)[1:-1] * sums[-1])
        edges = np.unique(values[order][places])
        bins = np.searchsorted(edges, values, side="right")
        sizes = np.bincount(bins, minlength=len(edges) + 1)
        means = np.bincount(bins, values, minlength=len(edges) + 1) / np.maximum(sizes, 1)
        if np.ptp(values) == 0.0:
            raise TaipanError(f"a variable is {values[0]:.6g} for all events")
        return cls(bins, means)


def _joint(first: _Binned, second: _Binned, weights: Array) -> FloatArray:
    shape = (len(first.centres), len(second.centres))
    flat = first.bins * shape[1] + second.bins
    sums = np.bincount(flat, weights, minlength=shape[0] * shape[1]).reshape(shape)
    total = float(sums.sum())
    if not total > 0.0:
        raise TaipanError(f"sum of weights is {total:.6g}, must be positive")
    return np.asarray(sums / total)


def _correlate(first: _Binned, second: _Binned, joint: FloatArray) -> float:
    a = np.abs(first.centres[:, None] - first.centres)
    b = np.abs(second.centres[:, None] - second.centres)
    p, q = joint.sum(axis=1), joint.sum(axis=0)
    own = _covariance(a, a, np.diag(p)) * _covariance(b, b, np.diag(q))
    shared = _covariance(a, b, joint)
    if not own > 0.0 or not shared > 0.0:
        return 0.0
    return float(np.sqrt(shared / np.sqrt(own)))


def _covariance(a: FloatArray, b: FloatArray, joint: FloatArray) -> float:
    p, q = joint.sum(axis=1), joint.sum(axis=0)
    mean_a, mean_b = a @ p, b @ q
    pairs = float(np.sum(joint * (a @ joint @ b)))
    return pairs + float(p @ mean_a) * float(q @ mean_b) - 2.0 * float(mean_a @ joint @ mean_b)
