"""How well the neutrinos of two taus fit the missing momentum.

The neutrinos fly along with what is seen of a tau. They have the momentum a p₁ + b p₂, with
a = 1/x₁ - 1 for the visible fraction x₁ of the first tau, and b = 1/x₂ - 1 of the second. Their χ²
against the missing momentum is a quadratic form in a and b, so its minimum is found exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Vector = tuple[Array, Array]
"""Components x and y, shape (n,) each."""


@dataclass(frozen=True)
class Missing:
    """Missing momentum of n events and its covariance.

    Attributes
    ----------
    x, y
        Components in GeV, shape (n,).
    xx, xy, yy
        Covariance in GeV², shape (n,), positive definite.
    """

    x: Array
    y: Array
    xx: Array
    xy: Array
    yy: Array


@dataclass(frozen=True)
class NeutrinoFit:
    """χ² = `aa` a² + 2 `ab` ab + `bb` b² - 2 `a1` a - 2 `b1` b + `one`, shape (n,) each.

    Attributes
    ----------
    a_max, b_max
        Largest values of a and b; the smallest are 0.
    """

    aa: Array
    ab: Array
    bb: Array
    a1: Array
    b1: Array
    one: Array
    a_max: Array
    b_max: Array

    @classmethod
    def of(cls, first: Vector, second: Vector, missing: Missing, ends: Vector) -> NeutrinoFit:
        """Make it of the visible momenta (GeV), the missing one, and the largest a and b."""
        determinant = missing.xx * missing.yy - missing.xy**2
        with np.errstate(divide="ignore", invalid="ignore"):
            xx, xy, yy = (part / determinant for part in (missing.yy, -missing.xy, missing.xx))

        def product(u: Vector, v: Vector) -> Array:
            value: Array = xx * u[0] * v[0] + xy * (u[0] * v[1] + u[1] * v[0]) + yy * u[1] * v[1]
            return value

        measured = (missing.x, missing.y)
        return cls(
            aa=product(first, first),
            ab=product(first, second),
            bb=product(second, second),
            a1=product(first, measured),
            b1=product(second, measured),
            one=product(measured, measured),
            a_max=ends[0],
            b_max=ends[1],
        )

    def rows(self, rows: Array) -> NeutrinoFit:
        """Give those of some events."""
        return NeutrinoFit(*(getattr(self, item.name)[rows] for item in fields(self)))

    def chi2(self, a: Array, b: Array) -> Array:
        """Give χ², shape (n,)."""
        value: Array = self.one + a * (self.aa * a + 2.0 * (self.ab * b - self.a1))
        return value + b * (self.bb * b - 2.0 * self.b1)

    def minimum(self) -> tuple[Array, Array, Array]:
        """Find a, b and χ² where χ² is smallest, within the ranges; shape (n,) each.

        That is the stationary point if it lies inside, else a point of the four edges.
        """
        determinant = self.aa * self.bb - self.ab**2
        with np.errstate(divide="ignore", invalid="ignore"):
            a = (self.a1 * self.bb - self.b1 * self.ab) / determinant
            b = (self.b1 * self.aa - self.a1 * self.ab) / determinant
        inside = (a >= 0) & (a <= self.a_max) & (b >= 0) & (b <= self.b_max)
        points = [(np.where(inside, a, 0.0), np.where(inside, b, 0.0))]
        zero = np.zeros_like(self.one)
        for edge in (zero, self.a_max):
            points.append((edge, np.clip((self.b1 - self.ab * edge) / self.bb, 0.0, self.b_max)))
        for edge in (zero, self.b_max):
            points.append((np.clip((self.a1 - self.ab * edge) / self.aa, 0.0, self.a_max), edge))
        values = np.stack([self.chi2(*point) for point in points])
        best = np.argmin(values, axis=0)
        rows = np.arange(len(zero))
        a, b = (np.stack(parts)[best, rows] for parts in zip(*points, strict=True))
        return a, b, np.maximum(values[best, rows], 0.0)

    def range_of_first(self, largest: Array) -> tuple[Array, Array]:
        """Give the smallest and the largest a for which some allowed b has a χ² below `largest`.

        The points with such a χ² are an ellipse, cut off at the ends of b. So its ends are those of
        the ellipse where they are allowed, or points of the two edges.
        """
        zero = np.zeros_like(self.one)
        curvature = self.aa - self.ab**2 / self.bb  # χ² where b follows a
        slope = self.a1 - self.ab * self.b1 / self.bb
        found = [_roots(curvature, slope, self.one - self.b1**2 / self.bb - largest)]
        b = (self.b1 - self.ab * found[0]) / self.bb
        found[0] = np.where((b >= 0) & (b <= self.b_max), found[0], np.nan)
        for edge in (zero, self.b_max):
            rest = edge * (self.bb * edge - 2.0 * self.b1) + self.one - largest
            found.append(_roots(self.aa, self.a1 - self.ab * edge, rest))
        ends = np.concatenate(found)  # (6, n)
        low = np.fmin.reduce(ends, axis=0, initial=np.inf)
        high = np.fmax.reduce(ends, axis=0, initial=-np.inf)
        return np.clip(low, 0.0, self.a_max), np.clip(high, 0.0, self.a_max)


def _roots(square: Array, slope: Array, rest: Array) -> Array:
    """Roots of `square` a² - 2 `slope` a + `rest`, shape (2, n); NaN where there are none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(slope**2 - square * rest)
        return np.stack([(slope - root) / square, (slope + root) / square])


def solve_collinear(first: Vector, second: Vector, missing: Missing, ends: Vector) -> Vector:
    """Solve a p₁ + b p₂ = missing momentum; a and b, shape (n,) each.

    Where the solution lies outside 0 ≤ a ≤ `ends[0]`, 0 ≤ b ≤ `ends[1]`, it is put at their ends;
    where there is none, because p₁ and p₂ are parallel, at 0.
    """
    cross = first[0] * second[1] - first[1] * second[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        a = (missing.x * second[1] - missing.y * second[0]) / cross
        b = (first[0] * missing.y - first[1] * missing.x) / cross
    known = np.isfinite(cross + missing.x + missing.y)
    a, b = (
        np.where(known, np.clip(np.where(cross == 0, 0.0, value), 0.0, end), np.nan)
        for value, end in zip((a, b), ends, strict=True)
    )
    return a, b
