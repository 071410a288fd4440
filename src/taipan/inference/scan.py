"""Profile-likelihood scans of one or two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.inference.batch import fit_many
from taipan.inference.errors import FitError
from taipan.inference.fit import FitResult
from taipan.inference.minima import DEEPER
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]

# Reach of a scan by default, in standard deviations: beyond 2ΔlnL of 5.99 (95 % of two parameters).
REACH = 3.0
POINTS = {1: 41, 2: 21}


@dataclass(frozen=True)
class Scan:
    """2ΔlnL on a grid, all other parameters refitted.

    Attributes
    ----------
    names
        One or two parameters.
    axes
        Values of each.
    rise
        2ΔlnL, shape ``(len(axes[0]),)`` or ``(len(axes[0]), len(axes[1]))``.
    best
        Values at the global minimum.
    """

    names: tuple[str, ...]
    axes: tuple[Array, ...]
    rise: Array
    best: tuple[float, ...]


def scan(
    model: CompiledModel,
    data: Array,
    best: FitResult,
    names: Sequence[str],
    axes: Sequence[Array] | None = None,
) -> Scan:
    """Scan the profile likelihood.

    Parameters
    ----------
    model, data, best
        The model, the data and their global fit.
    names
        One or two parameters.
    axes
        Values of each; ±3σ around the estimate, within the bounds, if absent.

    Raises
    ------
    FitError
        If there are not one or two different parameters, one is unknown or constant, or a fit
        fails.
    """
    if len(names) not in POINTS or len(set(names)) != len(names):
        raise FitError(f"scan: one or two different parameters, not {', '.join(names) or 'none'}")
    index = np.array([model.parameters.index(name) for name in names])
    for i, name in zip(index, names, strict=True):
        if best.sigma[i] <= 0:
            raise FitError(f"scan: parameter {name!r} is constant")
    if axes is None:
        axes = [_axis(model, best, int(i), POINTS[len(names)]) for i in index]
    grid = np.stack([item.ravel() for item in np.meshgrid(*axes, indexing="ij")], axis=1)
    block = best.covariance[np.ix_(index, index)]
    slopes = np.linalg.solve(block, best.covariance[index])
    start = best.values + (grid - best.values[index]) @ slopes
    start = np.clip(start, model.parameters.lower, model.parameters.upper)
    start[:, index] = grid
    held = np.zeros(len(model.parameters.names), dtype=bool)
    held[index] = True
    fits = fit_many(model, data, start, fixed=held, sigma=False)
    for row, reason in fits.failures.items():
        point = ", ".join(f"{n} = {v:.4g}" for n, v in zip(names, grid[row], strict=True))
        raise FitError(f"scan at {point}: {reason}")
    lowest = int(np.argmin(fits.nllr))
    if fits.nllr[lowest] < best.nllr - DEEPER:
        point = ", ".join(f"{n} = {v:.4g}" for n, v in zip(names, grid[lowest], strict=True))
        raise FitError(f"scan: -ln L is lower at {point} than at the best fit, a local minimum")
    rise = np.maximum(2.0 * (fits.nllr - best.nllr), 0.0).reshape([len(axis) for axis in axes])
    return Scan(
        tuple(names),
        tuple(np.asarray(axis) for axis in axes),
        rise,
        tuple(float(v) for v in best.values[index]),
    )


def scan_to_json(found: Scan) -> dict[str, Any]:
    """Give plain numbers: ``names``, ``axes``, ``rise``, ``best``."""
    return {
        "names": list(found.names),
        "axes": [axis.tolist() for axis in found.axes],
        "rise": found.rise.tolist(),
        "best": list(found.best),
    }


def _axis(model: CompiledModel, best: FitResult, index: int, points: int) -> Array:
    centre, reach = best.values[index], REACH * best.sigma[index]
    low = max(centre - reach, model.parameters.lower[index])
    high = min(centre + reach, model.parameters.upper[index])
    return np.linspace(low, high, points)
