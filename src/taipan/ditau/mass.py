"""Mass of two taus: collinear, and the mean over all decays that fit the missing momentum.

Both take the neutrinos of a tau to fly along with what is seen of it. Then the visible fractions x₁
and x₂ of the two momenta say everything: the mass is that of the visible pair over √(x₁x₂).

* The collinear mass takes the missing momentum as it was measured and solves for x₁ and x₂ (Ellis
  et al., Nucl. Phys. B 297 (1988) 221).
* The mean knows how well the missing momentum is measured. It weighs each (x₁, x₂) by the density
  of the two decays and by exp(-χ²/2) of the missing momentum. The idea is that of SVfit (Bianchini
  et al., Nucl. Instrum. Meth. A 862 (2017) 54) and of its fast, collinear form (Kalinowski and
  Matyszkiewicz, arXiv:2509.26069).

The integrals over x₁ and x₂ have Gauss-Legendre nodes in the range in which χ² is near its minimum,
for x₂ anew at each x₁. So few of them do, however well or badly the missing momentum is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.ditau.decays import Decay, fraction_density, smallest_fraction
from taipan.ditau.neutrinos import Missing, NeutrinoFit, solve_collinear
from taipan.kinematics import cartesian, invariant_mass

Array = NDArray[Any]

POWER = 4
"""Each mass m is weighed by m^-POWER, so that large masses need a reason (docs/ditau_mass.md)."""
NODES = 16
"""Gauss-Legendre nodes of each of the two fractions."""
_FAR = 25.0  # integrals go up to a χ² so far above the minimum
CHUNK = 256
"""Events at a time: what is computed of them fits into the cache of a core."""


@dataclass(frozen=True)
class Leg:
    """What is seen of a tau in n events.

    Attributes
    ----------
    decay
        How it decays.
    pt, eta, phi, mass
        Visible momentum, shape (n,) each; GeV and rad.
    """

    decay: Decay
    pt: Array
    eta: Array
    phi: Array
    mass: Array


@dataclass(frozen=True)
class DitauMass:
    """Masses of n pairs, shape (n,) each.

    Attributes
    ----------
    mean, width
        Mean and standard deviation of the mass in GeV over all decays that fit.
    chi2
        Smallest χ² of the missing momentum that any decay has; 0 where the collinear solution is
        physical.
    collinear
        Collinear mass in GeV; where it has no physical solution, each fraction is put at the end of
        its range.
    """

    mean: Array
    width: Array
    chi2: Array
    collinear: Array


def ditau_mass(first: Leg, second: Leg, missing: Missing, *, power: int = POWER) -> DitauMass:
    """Compute the mass of pairs of taus.

    Parameters
    ----------
    first, second
        What is seen of the two taus of n events.
    missing
        Missing momentum of the same events.
    power
        Each mass m is weighed by m^-power.

    Returns
    -------
    DitauMass
        NaN for events with an input that is no number.
    """
    momenta = [cartesian(leg.pt, leg.eta, leg.phi, leg.mass) for leg in (first, second)]
    visible = invariant_mass(*momenta)
    one, two = ((momentum[0], momentum[1]) for momentum in momenta)
    ends = (_largest(first), _largest(second))
    a, b = solve_collinear(one, two, missing, ends)
    collinear = visible * np.sqrt((1.0 + a) * (1.0 + b))
    fit = NeutrinoFit.of(one, two, missing, ends)
    mean, width, chi2 = (np.full(len(visible), np.nan) for _ in range(3))
    known = np.flatnonzero(np.isfinite(visible + fit.one + fit.aa + fit.bb))
    for start in range(0, len(known), CHUNK):
        rows = known[start : start + CHUNK]
        found = _average(fit.rows(rows), (first.decay, second.decay), power)
        mean[rows], width[rows], chi2[rows] = found
    return DitauMass(visible * mean, visible * width, chi2, collinear)


def _largest(leg: Leg) -> Array:
    """Largest momentum of the neutrinos over the visible one, shape (n,)."""
    return 1.0 / smallest_fraction(leg.mass) - 1.0


def _average(
    fit: NeutrinoFit, decays: tuple[Decay, Decay], power: int
) -> tuple[Array, Array, Array]:
    """Mean and standard deviation of 1/√(x₁x₂), and the smallest χ², shape (n,) each."""
    best_a, best_b, chi2 = fit.minimum()
    low, high = fit.range_of_first(chi2 + _FAR)
    x, weight = _nodes(np.minimum(low, best_a), np.maximum(high, best_a))
    weight *= _prior(decays[0], x, power)
    sums = _integrate_second(fit, 1.0 / x - 1.0, chi2, decays[1], power)
    norm, mean, square = ((weight * x ** (-0.5 * k) * sums[k]).sum(axis=1) for k in (0, 1, 2))
    found = norm > 0  # else the minimum is so far away that all but the nearest decay underflow
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, square = mean / norm, square / norm
    mean = np.where(found, mean, np.sqrt((1.0 + best_a) * (1.0 + best_b)))
    width = np.where(found, np.sqrt(np.maximum(square - mean**2, 0.0)), 0.0)
    return mean, width, chi2


def _integrate_second(
    fit: NeutrinoFit, a: Array, chi2: Array, decay: Decay, power: int
) -> tuple[Array, Array, Array]:
    """Integrals of 1, x₂^-½ and x₂^-1 over x₂ at each a, shape (n, nodes).

    Each is of exp(-χ²/2) and the prior, where χ² is counted from `chi2`, so that none overflows.
    """
    aa, ab, bb, a1, b1, one, b_max, least = (
        values[:, None]
        for values in (fit.aa, fit.ab, fit.bb, fit.a1, fit.b1, fit.one, fit.b_max, chi2)
    )
    centre = (b1 - ab * a) / bb  # b of the smallest χ², without limits
    there = one - least + a * (aa * a - 2.0 * a1) - bb * centre**2
    inside = np.clip(centre, 0.0, b_max)
    x, weight = _nodes(*_range(inside, b_max, 2.0 * bb * (inside - centre), bb))
    distance = 1.0 / x  # in place from here: this is where the time goes
    distance -= (1.0 + centre)[..., None]
    distance *= distance
    distance *= -0.5 * bb[..., None]
    distance -= 0.5 * there[..., None]
    np.exp(distance, out=distance)
    weight *= distance
    root = np.sqrt(x)
    weight *= _prior(decay, x, power - 2)  # the last of the three, 1/x₂, is in it
    last = weight.sum(axis=2)
    weight *= root
    middle = weight.sum(axis=2)
    weight *= root
    return weight.sum(axis=2), middle, last


def _prior(decay: Decay, x: Array, power: int) -> Array:
    """Density of a visible fraction, with its share of the weight m^-power."""
    return np.sqrt(x) ** power * fraction_density(decay, x)


def _range(best: Array, end: Array, slope: Array, curvature: Array) -> tuple[Array, Array]:
    """Values from 0 to `end` where χ² is less than REACH² above that at `best`, its minimum."""
    with np.errstate(divide="ignore"):
        up, down = (
            2.0 * _FAR / (rise + np.sqrt(rise * rise + 4.0 * _FAR * curvature))
            for rise in (np.maximum(slope, 0.0), np.maximum(-slope, 0.0))
        )
    return np.maximum(best - down, 0.0), np.minimum(best + up, end)


_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(NODES)


def _nodes(low: Array, high: Array) -> tuple[Array, Array]:
    """Nodes and weights of an integral over x between two values of 1/x - 1; one axis more."""
    top = 1.0 / (1.0 + low)
    span = (0.5 * (top - 1.0 / (1.0 + high)))[..., None]
    return top[..., None] - span * (1.0 + _POINTS), span * _WEIGHTS
