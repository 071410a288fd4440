"""Data against simulation in one control region: tails and whole distributions of a score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.metrics import TwoSample, ks_test, n_eff, n_eff_of_sums, scaled_chi2_test

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

_MIN_BIN_EVENTS = 10.0
"""Effective events that each domain has in a bin of the χ² test; bins are joined until it does."""


_MIN_TAIL_EVENTS = 4.0
"""Effective simulated events above a threshold: a ratio to fewer has no Gaussian error."""


@dataclass(frozen=True)
class ControlScores:
    """Scores of a control region in two domains.

    Attributes
    ----------
    scores, is_data, weights
        Shape (n,). Data have weight 1; where a sample is estimated from data, it belongs to the
        data with the opposite sign. Simulation has its signed weights.
    """

    scores: Array
    is_data: NDArray[np.bool_]
    weights: Array

    def of(self, data: bool) -> tuple[Array, Array]:
        """Give scores and weights of one domain."""
        chosen = self.is_data if data else ~self.is_data
        return self.scores[chosen], self.weights[chosen]


@dataclass(frozen=True)
class TailRatio:
    """Data over simulation of the share of events above a threshold.

    Attributes
    ----------
    threshold
        Of the score.
    data, simulation
        Shares above it.
    ratio, sigma
        Data over simulation and its statistical uncertainty; None where simulation has fewer than
        four effective events above the threshold.
    """

    threshold: float
    data: float
    simulation: float
    ratio: float | None
    sigma: float | None


def tail_ratio(sample: ControlScores, threshold: float) -> TailRatio:
    """Compare the shares of data and simulation above a threshold.

    The variance of a share ε = Σ_above w/Σw is [(1-ε)² Σ_above w² + ε² Σ_below w²]/(Σw)². That of
    data is taken as no smaller than it would be if data were like simulation: an empty tail is
    no measurement without uncertainty.

    Parameters
    ----------
    sample
        Events of both domains.
    threshold
        Of the score.

    Raises
    ------
    TaipanError
        If the sum of weights of a domain is not positive.
    """
    shares, variances = [], []
    for data in (True, False):
        scores, weights = sample.of(data)
        total = float(weights.sum())
        if not total > 0.0:
            what = "data" if data else "simulation"
            raise TaipanError(f"Σw = {total:.6g} of {what}, must be positive")
        above = scores > threshold
        share = float(weights[above].sum()) / total
        squares = [float(np.sum(weights[chosen] ** 2)) for chosen in (above, ~above)]
        shares.append(share)
        variances.append(((1 - share) ** 2 * squares[0] + share**2 * squares[1]) / total**2)
    data_share, simulated = shares
    scores, weights = sample.of(False)
    if not simulated > 0.0 or n_eff(weights[scores > threshold]) < _MIN_TAIL_EVENTS:
        return TailRatio(threshold, data_share, simulated, None, None)
    expected = simulated * (1.0 - min(simulated, 1.0)) / n_eff(sample.of(True)[1])
    variance = max(variances[0], expected) / simulated**2
    variance += variances[1] * data_share**2 / simulated**4
    return TailRatio(threshold, data_share, simulated, data_share / simulated, math.sqrt(variance))


@dataclass(frozen=True)
class Distribution:
    """Histograms of the score in both domains: Σw and its uncertainty, shape (bins,)."""

    edges: FloatArray
    data: FloatArray
    data_sigma: FloatArray
    simulation: FloatArray
    simulation_sigma: FloatArray

    def to_dict(self) -> dict[str, list[float]]:
        """Give plain numbers."""
        return {name: np.asarray(item).tolist() for name, item in asdict(self).items()}


def fill_distribution(sample: ControlScores, edges: Sequence[float]) -> Distribution:
    """Histogram both domains; scores beyond the edges belong to the edge bins."""
    bounds = np.asarray(edges, dtype=np.float64)
    found = []
    for data in (True, False):
        scores, weights = sample.of(data)
        bins = np.clip(np.searchsorted(bounds, scores, side="right") - 1, 0, len(bounds) - 2)
        signed, size = weights.astype(np.float64), len(bounds) - 1
        found.append(np.bincount(bins, signed, minlength=size).astype(np.float64))
        found.append(np.sqrt(np.bincount(bins, signed**2, minlength=size)))
    return Distribution(bounds, *found)


def compare_scores(sample: ControlScores, edges: Sequence[float]) -> tuple[TwoSample, TwoSample]:
    """Test whether the score is distributed alike in data and simulation.

    Both tests compare shapes: the totals are matched. Where the sign of the weights depends on the
    score, the probability of the first is too large rather than too small.

    Parameters
    ----------
    sample
        Events of both domains.
    edges
        Bins of the χ² test; neighbours are joined until each domain has 10 effective events.

    Returns
    -------
    ks, chi2
        Of :func:`taipan.metrics.ks_test`, and the smallest Σ (d_i - s·m_i)²/(σ²_di + s²σ²_mi)
        over scales s of the simulation, with bins - 1 degrees of freedom.

    Raises
    ------
    TaipanError
        If the sum of weights of a domain is not positive, or fewer than two bins are left.
    """
    data, simulation = sample.of(True), sample.of(False)
    ks = ks_test(*data, *simulation)
    filled = fill_distribution(sample, edges)
    sums = np.stack([filled.data, filled.simulation])
    squares = np.stack([filled.data_sigma, filled.simulation_sigma]) ** 2
    starts = _join(sums, squares)
    joined = [np.add.reduceat(item, starts, axis=1) for item in (sums, squares)]
    return ks, scaled_chi2_test(joined[0], joined[1])


def _join(sums: FloatArray, squares: FloatArray) -> list[int]:
    """Give the first bin of each group, from the left; what is left joins the last group.

    Both domains decide with the sum of squares of the expected shape, not with the content of data,
    which fluctuates with what is tested.
    """
    totals = sums.sum(axis=1)
    shape = sums[1] / totals[1]
    # effective events that the expected share of the bin stands for
    known = np.stack(
        [
            np.clip(shape, 0.0, None) * totals[0] ** 2 / squares[0].sum(),
            n_eff_of_sums(np.clip(sums[1], 0.0, None), squares[1]),
        ]
    ).min(axis=0)
    starts, content = [0], 0.0
    for i, more in enumerate(known):
        if content >= _MIN_BIN_EVENTS:
            starts.append(i)
            content = 0.0
        content += more
    if content < _MIN_BIN_EVENTS and len(starts) > 1:
        starts.pop()
    return starts
