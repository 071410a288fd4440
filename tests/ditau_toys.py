"""Pairs of taus that decay isotropically in their rest frames, with everything known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.ditau.decays import TAU_MASS
from taipan.ditau.mass import Leg
from taipan.ditau.neutrinos import Missing

Array = NDArray[Any]
MUON_MASS = 0.10565837


@dataclass(frozen=True)
class Pairs:
    """Visible momenta, missing momentum with noise, and true visible fractions of energy."""

    first: Leg
    second: Leg
    missing: Missing
    fractions: tuple[Array, Array]

    def __len__(self) -> int:
        return len(self.missing.x)


def boost(momentum: Array, energy: Array, velocity: Array) -> tuple[Array, Array]:
    """Boost momenta (n, 3) and energies (n,) by a velocity (n, 3)."""
    gamma = 1.0 / np.sqrt(1.0 - (velocity**2).sum(axis=1))
    along = (momentum * velocity).sum(axis=1)
    factor = gamma**2 / (gamma + 1.0) * along + gamma * energy
    return momentum + factor[:, None] * velocity, gamma * (energy + along)


def isotropic(rng: np.random.Generator, size: Array) -> Array:
    """Vectors of a size (n,) in random directions, (n, 3)."""
    cosine, phi = rng.uniform(-1, 1, len(size)), rng.uniform(-np.pi, np.pi, len(size))
    sine = np.sqrt(1 - cosine**2)
    return size[:, None] * np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)


def muon_energy(rng: np.random.Generator, n: int) -> Array:
    """Energy of the muon in the rest frame: y² (3 - 2y) of y = 2E/m_τ (Michel)."""
    y = rng.uniform(0, 1, 8 * n)
    y = y[rng.uniform(0, 1, len(y)) < y**2 * (3 - 2 * y)][:n]
    return np.maximum(y * TAU_MASS / 2, MUON_MASS)


def draw_pairs(mass: float, n: int, *, noise: float = 13.0, seed: int = 1) -> Pairs:
    """Draw resonances of a mass (GeV), of which one tau becomes a muon and one hadrons.

    Kept are pairs with a muon above 17 GeV and hadrons above 20 GeV, |η| below 2.1 and 2.3. The
    missing momentum has a resolution of `noise` GeV a component.
    """
    rng = np.random.default_rng(seed)
    pt, phi = rng.exponential(30.0, n), rng.uniform(-np.pi, np.pi, n)
    parent = np.stack([pt * np.cos(phi), pt * np.sin(phi), rng.normal(0, 100, n)], axis=1)
    parent_energy = np.sqrt((parent**2).sum(axis=1) + mass**2)
    velocity = parent / parent_energy[:, None]
    tau_momentum = isotropic(rng, np.full(n, np.sqrt(mass**2 / 4 - TAU_MASS**2)))
    half = np.full(n, mass / 2)
    visible, neutrino, fractions = [], np.zeros((n, 2)), []
    hadron_mass = rng.uniform(0.2, 1.3, n)
    for sign, decay in ((1, "leptonic"), (-1, "hadronic")):
        tau, tau_energy = boost(sign * tau_momentum, half, velocity)
        if decay == "leptonic":
            own, energy = np.full(n, MUON_MASS), muon_energy(rng, n)
        else:
            own, energy = hadron_mass, (TAU_MASS**2 + hadron_mass**2) / (2 * TAU_MASS)
        momentum = isotropic(rng, np.sqrt(energy**2 - own**2))
        seen, seen_energy = boost(momentum, energy, tau / tau_energy[:, None])
        neutrino += (tau - seen)[:, :2]
        visible.append((seen, own))
        fractions.append(seen_energy / tau_energy)
    legs = [
        Leg(
            decay,
            np.hypot(seen[:, 0], seen[:, 1]),
            np.arcsinh(seen[:, 2] / np.hypot(seen[:, 0], seen[:, 1])),
            np.arctan2(seen[:, 1], seen[:, 0]),
            own,
        )
        for decay, (seen, own) in zip(("leptonic", "hadronic"), visible, strict=True)
    ]
    measured = neutrino + noise * rng.standard_normal((n, 2))
    variance = np.full(n, noise**2)
    missing = Missing(measured[:, 0], measured[:, 1], variance, np.zeros(n), variance)
    keep = (
        (legs[0].pt > 17) & (abs(legs[0].eta) < 2.1) & (legs[1].pt > 20) & (abs(legs[1].eta) < 2.3)
    )
    first, second = (select_leg(leg, keep) for leg in legs)
    kept = Missing(*(getattr(missing, name)[keep] for name in ("x", "y", "xx", "xy", "yy")))
    return Pairs(first, second, kept, (fractions[0], fractions[1]))


def select_leg(leg: Leg, rows: Array) -> Leg:
    """Give a leg of some events."""
    return Leg(leg.decay, *(getattr(leg, key)[rows] for key in ("pt", "eta", "phi", "mass")))
