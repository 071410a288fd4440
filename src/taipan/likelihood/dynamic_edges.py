"""Best edges of given fine bins by dynamic programming, with a bound that no edges can beat.

The information on all parameters is a sum over bins, I = Σ_b J_b J_bᵀ / v_b + constraints. What is
left for the parameter of interest, 1/σ², is the smallest value of cᵀ I c with c₀ = 1 (c says how
the others follow it). For one c each bin adds a number, and dynamic programming finds the best
edges exactly. Their value is an upper bound of 1/σ² of all edges, because another c gives less.
The c of the lowest bound is that of a mixture of binnings, which is found as designs of experiments
are: add the binning that is best for the c of the mixture, weigh again, repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ROUNDS = 40
"""Binnings that are added to the mixture at most."""
CLOSE = 1e-3
"""Relative distance of the mixture from its bound at which it is good enough."""
_WEIGHINGS = 100


@dataclass(frozen=True)
class FineBins:
    """What is summed over neighbouring fine bins.

    Attributes
    ----------
    jacobian
        d(yield)/d(parameter), shape ``(n_bins, n_parameters)``; the parameter of interest is first.
    variance
        Variance of each bin, shape ``(n_bins,)``.
    fixed
        Information of everything else, shape ``(n_parameters, n_parameters)``.
    allowed
        Whether fine bins ``start`` to ``stop - 1`` may be one bin.
    """

    jacobian: Array
    variance: Array
    fixed: Array
    allowed: Callable[[int, int], bool]

    def inform(self, starts: Sequence[int]) -> Array:
        """Information of bins that begin at `starts`, shape ``(n_parameters, n_parameters)``."""
        rows = np.add.reduceat(self.jacobian, starts, axis=0)
        noise = np.add.reduceat(self.variance, starts)
        return np.asarray(rows.T @ (rows / noise[:, None]) + self.fixed)


def find_best_starts(fine: FineBins, bins: int) -> tuple[list[int], float]:
    """Choose at most `bins` bins with the smallest σ of the first parameter.

    Returns
    -------
    starts
        First fine bin of each bin.
    bound
        No choice of edges has a smaller σ.
    """
    n = len(fine.variance)
    mask = np.array([[i < j and fine.allowed(i, j) for j in range(n + 1)] for i in range(n)])
    filled = fine.variance > 0.0
    rows, noise = fine.jacobian[filled], fine.variance[filled]
    follow = _follow(fine.fixed + rows.T @ (rows / noise[:, None]))
    found = [_solve(fine, mask, follow, bins)[0]]
    information = [fine.inform(found[0])]
    bound = np.inf
    for _ in range(ROUNDS):
        follow, value = _mix(information)
        starts, best = _solve(fine, mask, follow, bins)
        bound = min(bound, best)
        if starts in found or best <= value * (1.0 + CLOSE):
            break
        found.append(starts)
        information.append(fine.inform(starts))
    sigmas = [_sigma(item) for item in information]
    starts = _improve(fine, mask, found[int(np.argmin(sigmas))])
    return starts, float(bound**-0.5)


def _sigma(information: Array) -> float:
    return float(np.sqrt(np.linalg.inv(information)[0, 0]))


def _follow(information: Array) -> Array:
    """Give how all parameters follow the first one: c, with c₀ = 1."""
    column = np.linalg.solve(information, np.eye(len(information))[0])
    return np.asarray(column / column[0])


def _mix(information: Sequence[Array]) -> tuple[Array, float]:
    """Weigh binnings such that the mixture knows most; give its c and 1/σ²."""
    parts = np.stack(information)
    weights = np.full(len(parts), 1.0 / len(parts))
    for _ in range(_WEIGHINGS):
        follow = _follow(np.einsum("b,bij->ij", weights, parts))
        values = np.einsum("i,bij,j->b", follow, parts, follow)
        weights = weights * values
        weights /= weights.sum()
    mixture = np.einsum("b,bij->ij", weights, parts)
    follow = _follow(mixture)
    return follow, float(follow @ mixture @ follow)


def _solve(
    fine: FineBins, mask: npt.NDArray[np.bool_], follow: Array, bins: int
) -> tuple[list[int], float]:
    """Find the edges that are best for one c; give them and the value of cᵀ I c."""
    n = len(fine.variance)
    signal = np.concatenate([[0.0], np.cumsum(fine.jacobian @ follow)])
    noise = np.concatenate([[0.0], np.cumsum(fine.variance)])
    width = noise[None, :] - noise[:n, None]
    squares = np.square(signal[None, :] - signal[:n, None])
    worth = np.full((n, n + 1), -np.inf)
    np.divide(squares, width, out=worth, where=mask & (width > 0.0))
    best = worth[0].copy()  # of one bin from 0 to j
    came = [np.zeros(n + 1, dtype=int)]
    totals = [best]
    for _ in range(1, bins):
        reached = totals[-1][:n, None] + worth  # another bin from i to j
        came.append(np.argmax(reached, axis=0))
        totals.append(np.max(reached, axis=0))
    count = int(np.argmax([total[n] for total in totals]))
    value, stop = float(totals[count][n]), n
    starts: list[int] = []
    for level in range(count, -1, -1):
        stop = int(came[level][stop])
        starts.insert(0, stop)
    return starts, value + float(follow @ fine.fixed @ follow)


def _improve(fine: FineBins, mask: npt.NDArray[np.bool_], starts: list[int]) -> list[int]:
    """Move one edge after the other to its best place, until none moves."""
    best, moved = _sigma(fine.inform(starts)), True
    while moved:
        moved = False
        for i in range(1, len(starts)):
            low, high = starts[i - 1], [*starts, len(fine.variance)][i + 1]
            for place in range(low + 1, high):
                if not (mask[low, place] and mask[place, high]):
                    continue
                tried = [*starts[:i], place, *starts[i + 1 :]]
                sigma = _sigma(fine.inform(tried))
                if sigma < best * (1.0 - 1e-9):
                    starts, best, moved = tried, sigma, True
    return starts
