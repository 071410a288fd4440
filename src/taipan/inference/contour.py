"""Contours of the profile likelihood of two parameters.

A contour joins the points at which 2ΔlnL, all other parameters refitted, has one value; it holds
the true point in a given part of all experiments (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from taipan.inference.batch import fit_many
from taipan.inference.errors import EmptyBinError, FitError
from taipan.inference.fit import FitResult
from taipan.inference.minima import DEEPER, find_minimum
from taipan.inference.model import CompiledModel

Array = npt.NDArray[np.float64]

CONTOUR_LEVELS = (0.6827, 0.9545)
"""Parts of all experiments whose contour holds the true point."""
RAYS = 48
# Precision of a point, in units of its distance to the best fit.
PRECISION = 1e-4
RAY_EXPANSIONS = 12
RAY_STEPS = 60
UNREACHED = 1e6


@dataclass(frozen=True)
class Contour:
    """One contour.

    Attributes
    ----------
    level
        Part of all experiments in which it holds the true point.
    points
        Shape ``(n, 2)``, in order around the best fit.
    at_bound
        Points that only a bound of a parameter has stopped, shape ``(n,)``.
    """

    level: float
    points: Array
    at_bound: npt.NDArray[np.bool_]


class ParameterPlane:
    """2ΔlnL as a function of two parameters.

    Parameters
    ----------
    model, data, best
        The model, the data and their global fit.
    names
        The two parameters.

    Raises
    ------
    FitError
        If a parameter does not exist, both are the same, or one was held in the fit.
    """

    def __init__(
        self, model: CompiledModel, data: Array, best: FitResult, names: Sequence[str]
    ) -> None:
        first, second = (model.parameters.index(name) for name in names)
        if first == second:
            raise FitError(f"contour: {names[0]!r} and {names[1]!r} are the same parameter")
        for index in (first, second):
            if not best.sigma[index] > 0:
                raise FitError(f"contour: {model.parameters.names[index]!r} is constant in the fit")
        self.model, self.data, self.best = model, data, best
        self.pair = (first, second)
        self.centre = best.values[[first, second]]
        self.covariance = best.covariance[np.ix_(self.pair, self.pair)]
        self._slope = np.linalg.solve(self.covariance, best.covariance[list(self.pair)]).T

    def rises(
        self, points: Array, near: Array | None = None, confirm: bool = True
    ) -> tuple[Array, Array]:
        """Refit all other parameters at points.

        Parameters
        ----------
        points
            Values of the two, shape ``(T, 2)``.
        near
            Parameters to start from, shape ``(T, n)``; those on the tangent of the best fit if
            absent.
        confirm
            As of :func:`~taipan.inference.batch.fit_many`.

        Returns
        -------
        rises
            2ΔlnL, at least zero, shape ``(T,)``; :data:`UNREACHED` where −ln L is infinite.
        values
            All parameters, shape ``(T, n)``.

        Raises
        ------
        FitError
            If no minimum is found, or one is deeper than that of the global fit.
        """
        pair = list(self.pair)
        if near is None:
            near = self.best.values + (points - self.centre) @ self._slope.T
        start = np.clip(near, self.model.parameters.lower, self.model.parameters.upper)
        start[:, pair] = points
        held = np.zeros(start.shape[1], dtype=np.bool_)
        held[pair] = True
        fits = fit_many(self.model, self.data, start, fixed=held, confirm=confirm)
        nllr, values = fits.nllr, fits.values
        for row in fits.failures:
            fixed = dict(zip(self.pair, map(float, points[row]), strict=True))
            try:
                minimum = find_minimum(self.model, self.data, start=near[row], fixed=fixed)
                nllr[row], values[row] = minimum.nll, minimum.values
            except EmptyBinError:
                nllr[row], values[row] = np.inf, near[row]
        lowest = int(np.argmin(nllr))
        if nllr[lowest] < self.best.nllr - DEEPER:
            raise FitError(
                f"-ln L is lower at {', '.join(f'{v:.4g}' for v in points[lowest])} than at the "
                f"best fit ({', '.join(f'{v:.4g}' for v in self.centre)}), which is a local minimum"
            )
        return np.clip(2.0 * (nllr - self.best.nllr), 0.0, UNREACHED), values


def find_contours(
    plane: ParameterPlane, levels: Sequence[float] = CONTOUR_LEVELS, directions: int = RAYS
) -> list[Contour]:
    """Follow rays from the best fit to the contours.

    The rays are evenly spread where the covariance is a circle, so that a narrow, oblique contour
    has as many points along its sides as at its ends.

    Parameters
    ----------
    plane
        The two parameters.
    levels
        Parts of all experiments, between 0 and 1, increasing.
    directions
        Points of a contour.

    Raises
    ------
    FitError
        If a fit fails, or 2ΔlnL does not reach a level.
    """
    root = np.linalg.cholesky(plane.covariance)
    angles = np.linspace(0.0, 2.0 * np.pi, directions, endpoint=False)
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ root.T
    wanted = np.sqrt(chi2.isf(1.0 - np.asarray(levels), 2))
    limit = np.tile(_reach(plane, rays), len(levels))
    rays, wanted = np.tile(rays, (len(levels), 1)), np.repeat(wanted, directions)
    lengths, near = _find_lengths(plane, rays, wanted, limit, confirm=False)
    points = plane.centre + lengths[:, None] * rays
    rises = plane.rises(points, near)[0]
    if np.any(np.abs(np.sqrt(rises) - wanted)[lengths < limit] > 2.0 * PRECISION * wanted.max()):
        # a second minimum is lower, so the rays are followed again with a look at both
        lengths, _ = _find_lengths(plane, rays, wanted, limit, confirm=True)
        points = plane.centre + lengths[:, None] * rays
    stopped = lengths >= limit
    return [
        Contour(level, points[i : i + directions], stopped[i : i + directions])
        for level, i in zip(levels, range(0, len(points), directions), strict=True)
    ]


def contours_to_json(plane: ParameterPlane, contours: Sequence[Contour]) -> dict[str, Any]:
    """Give contours as plain numbers."""
    names = plane.model.parameters.names
    return {
        "parameters": [names[i] for i in plane.pair],
        "best": [float(value) for value in plane.centre],
        "contours": [
            {
                "level": contour.level,
                "points": contour.points.tolist(),
                "at_bound": contour.at_bound.tolist(),
            }
            for contour in contours
        ],
    }


def _find_lengths(
    plane: ParameterPlane, rays: Array, wanted: Array, limit: Array, confirm: bool
) -> tuple[Array, Array]:
    """Find where on each ray √(2ΔlnL) is `wanted`; the limit if it is less up to there.

    Gives the lengths, shape ``(T,)``, and all parameters near there, shape ``(T, n)``.

    All rays are followed together: brackets first, then the secant between them, with the value of
    an end that stays halved (the Illinois rule).
    """
    starts = np.broadcast_to(plane.best.values, (len(rays), len(plane.best.values))).copy()

    def excess(rows: npt.NDArray[np.intp], lengths: Array) -> Array:
        points = plane.centre + lengths[:, None] * rays[rows]
        rises, values = plane.rises(points, starts[rows], confirm)
        starts[rows] = values
        return np.asarray(np.sqrt(rises) - wanted[rows])

    inner, below = np.zeros(len(rays)), -wanted
    outer = np.minimum(wanted, limit)
    above = excess(np.arange(len(rays)), outer)
    for _ in range(RAY_EXPANSIONS):
        rows = np.flatnonzero((above < 0.0) & (outer < limit))
        if not len(rows):
            break
        inner[rows], below[rows] = outer[rows], above[rows]
        outer[rows] = np.minimum(1.5 * outer[rows], limit[rows])
        above[rows] = excess(rows, outer[rows])
    else:
        raise FitError(f"contour: 2ΔlnL does not reach the wanted level up to {outer.max():.3g} σ")
    found = outer.copy()
    open_rows = np.flatnonzero(above > 0.0)
    for step in range(RAY_STEPS):
        if not len(open_rows):
            break
        rows = open_rows
        width = outer[rows] - inner[rows]
        part = -below[rows] / (above[rows] - below[rows])
        if step % 3 == 2:  # a jump, or a steep end, is halved instead
            part = np.full(len(rows), 0.5)
        middle = inner[rows] + part * width
        value = excess(rows, middle)
        low = value < 0.0
        above[rows] = np.where(low, 0.5 * above[rows], value)
        below[rows] = np.where(low, value, 0.5 * below[rows])
        inner[rows] = np.where(low, middle, inner[rows])
        outer[rows] = np.where(low, outer[rows], middle)
        found[rows] = middle
        precision = PRECISION * wanted[rows]
        done = (np.abs(value) < precision) | (outer[rows] - inner[rows] < precision)
        open_rows = rows[~done]
    if len(open_rows):
        raise FitError(f"contour: {len(open_rows)} points are not found after {RAY_STEPS} steps")
    return found, starts


def _reach(plane: ParameterPlane, rays: Array) -> Array:
    """Length of each ray at which the first of the two parameters comes to its bound."""
    parameters, pair = plane.model.parameters, list(plane.pair)
    bounds = np.where(rays > 0, parameters.upper[pair], parameters.lower[pair])
    with np.errstate(divide="ignore", invalid="ignore"):
        lengths = np.where(rays == 0.0, np.inf, (bounds - plane.centre) / rays)
    return np.asarray(np.maximum(lengths.min(axis=1), 0.0))
