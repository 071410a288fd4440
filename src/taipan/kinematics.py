"""Relativistic kinematics of transverse momentum, pseudorapidity, azimuth and mass, on arrays.

All momenta and masses are in GeV, angles in rad; arrays broadcast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def delta_phi(phi_a: Array, phi_b: Array) -> Array:
    """Difference of azimuths, in [-π, π); awkward arrays are accepted too."""
    difference = phi_a - phi_b
    # a modulo of floating-point numbers takes ten times as long
    turns: Array = np.floor((difference + np.pi) * (0.5 / np.pi))
    wrapped: Array = difference - turns * (2.0 * np.pi)
    return wrapped


def delta_r(eta_a: Array, phi_a: Array, eta_b: Array, phi_b: Array) -> Array:
    """Angular distance √(Δη² + Δφ²); awkward arrays are accepted too."""
    distance: Array = np.hypot(eta_a - eta_b, delta_phi(phi_a, phi_b))
    return distance


def cartesian(pt: Array, eta: Array, phi: Array, mass: Array) -> tuple[Array, Array, Array, Array]:
    """Return (px, py, pz, E).

    A negative mass, as rounding can produce for a massless object, counts as m² = -mass².
    """
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    square = mass * np.abs(mass)
    energy = np.sqrt(np.maximum(px * px + py * py + pz * pz + square, 0.0))
    return px, py, pz, energy


def invariant_mass(first: tuple[Array, ...], second: tuple[Array, ...]) -> Array:
    """Invariant mass of two four-momenta (px, py, pz, E); rounding below zero gives 0."""
    return mass_of(*(a + b for a, b in zip(first, second, strict=True)))


def mass_of(px: Array, py: Array, pz: Array, energy: Array) -> Array:
    """Mass of a four-momentum; rounding below zero gives 0."""
    mass: Array = np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))
    return mass


def add_momenta(*components: Array) -> tuple[Array, ...]:
    """Add (px, py, pz, E) of one momentum and of another."""
    return tuple(components[i] + components[i + 4] for i in range(4))


def transverse_mass(pt_a: Array, phi_a: Array, pt_b: Array, phi_b: Array) -> Array:
    """Transverse mass √(2 pT pT' (1 - cos Δφ)) of two massless objects."""
    return np.sqrt(2.0 * pt_a * pt_b * (1.0 - np.cos(delta_phi(phi_a, phi_b))))
