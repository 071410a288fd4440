"""Relativistic kinematics on columns of momenta.

Angles are in rad, momenta, energies and masses in GeV (c = 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FourMomentum:
    """Cartesian four-momenta of ``n`` particles, each component of shape ``(n,)``, in GeV."""

    px: Floats
    py: Floats
    pz: Floats
    energy: Floats

    @property
    def pt(self) -> Floats:
        """Transverse momentum in GeV, shape ``(n,)``."""
        return np.hypot(self.px, self.py)

    @property
    def eta(self) -> Floats:
        """Pseudorapidity, shape ``(n,)``; the beam axis is kept finite at 1e-6 GeV of pT."""
        return np.arcsinh(self.pz / np.maximum(self.pt, 1e-6))

    @property
    def phi(self) -> Floats:
        """Azimuth in [-pi, pi], shape ``(n,)``."""
        return np.arctan2(self.py, self.px)

    @property
    def mass(self) -> Floats:
        """Invariant mass in GeV, shape ``(n,)``; rounding below zero gives zero."""
        squared = self.energy**2 - self.px**2 - self.py**2 - self.pz**2
        return np.sqrt(np.maximum(squared, 0.0))

    def __add__(self, other: FourMomentum) -> FourMomentum:
        """Sum of two sets of momenta, particle by particle."""
        return FourMomentum(
            self.px + other.px, self.py + other.py, self.pz + other.pz, self.energy + other.energy
        )


def from_transverse(px: Floats, py: Floats, rapidity: Floats, mass: Floats) -> FourMomentum:
    """Build momenta from transverse components (GeV), rapidity and mass (GeV), each ``(n,)``."""
    transverse_mass = np.sqrt(px**2 + py**2 + mass**2)
    return FourMomentum(
        px, py, transverse_mass * np.sinh(rapidity), transverse_mass * np.cosh(rapidity)
    )


def boost(particle: FourMomentum, frame: FourMomentum) -> FourMomentum:
    """Take momenta from the rest frame of ``frame`` to the frame where ``frame`` is measured."""
    mass = np.maximum(frame.mass, 1e-9)
    along = frame.px * particle.px + frame.py * particle.py + frame.pz * particle.pz
    factor = (particle.energy + along / (frame.energy + mass)) / mass
    return FourMomentum(
        particle.px + frame.px * factor,
        particle.py + frame.py * factor,
        particle.pz + frame.pz * factor,
        (particle.energy * frame.energy + along) / mass,
    )


def decay_in_two(
    parent: FourMomentum,
    mass_1: Floats | float,
    mass_2: Floats | float,
    cosine: Floats,
    phi: Floats,
) -> tuple[FourMomentum, FourMomentum]:
    """Decay each parent into two particles.

    Parameters
    ----------
    parent : FourMomentum
        The decaying particles.
    mass_1, mass_2 : array (n,) or float
        Masses of the daughters in GeV; a sum above the parent's mass leaves both at rest.
    cosine, phi : array (n,)
        Direction of the first daughter in the parent's rest frame: cosine of the angle to the
        beam axis, and azimuth (rad).

    Returns
    -------
    tuple of FourMomentum
        Both daughters in the frame of the parent.
    """
    mass = np.maximum(parent.mass, 1e-9)
    product = (mass**2 - (mass_1 + mass_2) ** 2) * (mass**2 - (mass_1 - mass_2) ** 2)
    momentum = np.sqrt(np.maximum(product, 0.0)) / (2.0 * mass)
    sine = np.sqrt(1.0 - cosine**2)
    px, py, pz = momentum * sine * np.cos(phi), momentum * sine * np.sin(phi), momentum * cosine
    first = FourMomentum(px, py, pz, np.sqrt(momentum**2 + mass_1**2))
    second = FourMomentum(-px, -py, -pz, np.sqrt(momentum**2 + mass_2**2))
    return boost(first, parent), boost(second, parent)


def wrap_phi(phi: Floats) -> Floats:
    """Azimuth wrapped to [-pi, pi), in rad."""
    return (phi + np.pi) % (2.0 * np.pi) - np.pi
