"""Resonances and tau-lepton decays.

Masses and widths: Particle Data Group, Review of Particle Physics (2022). Taus decay collinearly,
good to a few mrad at the boosts of this analysis, and unpolarised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taipan.fastsim.kinematics import Floats, FourMomentum, Ints, decay_in_two

MASS_Z, WIDTH_Z = 91.188, 2.495
MASS_W, WIDTH_W = 80.377, 2.085
MASS_H, WIDTH_H = 125.0, 0.0041
MASS_TOP = 172.5
MASS_TAU, MASS_MUON = 1.77686, 0.10566
MASS_PION, MASS_B = 0.13957, 4.8

MODES = np.array([0, 1, 2, 10])
"""Decay modes of the CMS reconstruction: one charged hadron with 0, 1, 2 strips; three prongs."""

GENUINE_MODE_FRACTIONS = (0.275, 0.555, 0.006, 0.164)
"""Modes of genuine taus before the selection, set so that selected Z -> tau tau events have the
modes of the public 2012 skims (CERN Open Data record 12350)."""

JET_MODE_FRACTIONS = (0.120, 0.560, 0.006, 0.314)
"""The same for jets, set to W+jets."""

# By mode: mean and width of the measured visible mass in GeV for taus (rho(770) and a1(1260) after
# resolution), the same for jets, and the window of the reconstruction; from the public skims.
_VISIBLE_MASS = {
    0: (MASS_PION, 0.0, MASS_PION, 0.0, MASS_PION, MASS_PION),
    1: (0.797, 0.170, 0.785, 0.220, 0.35, 1.30),
    2: (0.990, 0.130, 1.000, 0.160, 0.75, 1.28),
    10: (1.118, 0.145, 1.135, 0.190, 0.80, 1.50),
}
_VISIBLE_MASS_TABLE = np.array([_VISIBLE_MASS[int(mode)] for mode in MODES])

# Integral of the unpolarised lepton spectrum f(x) = (5 - 9 x^2 + 4 x^3) / 3.
_X_GRID = np.linspace(0.0, 1.0, 513)
_X_INTEGRAL = (5.0 * _X_GRID - 3.0 * _X_GRID**3 + _X_GRID**4) / 3.0


@dataclass(frozen=True)
class HadronicTaus:
    """Mode, visible mass (GeV) and visible energy fraction of tau decays, each ``(n,)``."""

    mode: Ints
    mass: Floats
    fraction: Floats


def draw_breit_wigner(
    rng: np.random.Generator, count: int, mass: float, width: float, low: float, high: float
) -> Floats:
    """Draw masses from a relativistic Breit-Wigner in m^2 between two bounds (GeV)."""
    limits = np.arctan((np.array([low, high]) ** 2 - mass**2) / (mass * width))
    return np.sqrt(mass**2 + mass * width * np.tan(rng.uniform(limits[0], limits[1], count)))


def draw_z_mass(rng: np.random.Generator, count: int) -> Floats:
    """Draw Z/gamma* masses in GeV: the Z peak and a photon tail falling as m^-3, 50 to 500 GeV.

    The tail has 1.5 % of the events, which gives the visible masses above the peak that the public
    2012 skims have.
    """
    peak = draw_breit_wigner(rng, count, MASS_Z, WIDTH_Z, 50.0, 500.0)
    low, high = 50.0**-2, 500.0**-2
    tail = rng.uniform(high, low, count) ** -0.5
    return np.where(rng.random(count) < 0.015, tail, peak)


def draw_vector_cosine(rng: np.random.Generator, count: int) -> Floats:
    """Draw cosines of the decay angle of a vector boson, density proportional to 1 + cos^2."""
    # Inverts the integral (4 + 3 c + c^3) / 8 with the formula of Cardano.
    half = 4.0 * rng.random(count) - 2.0
    root = np.cbrt(half + np.sqrt(half**2 + 1.0))
    return np.clip(root - 1.0 / root, -1.0, 1.0)


def draw_lepton_fraction(rng: np.random.Generator, count: int) -> Floats:
    """Draw the momentum fraction of the muon in tau -> mu nu nu (collinear, unpolarised)."""
    return np.interp(rng.random(count), _X_INTEGRAL, _X_GRID)


def draw_hadron_mass(rng: np.random.Generator, mode: Ints, *, jet: bool) -> Floats:
    """Draw the visible mass in GeV of hadronic tau candidates.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    mode : array (n,)
        Decay mode, one of ``MODES``.
    jet : bool
        Whether jets, whose mass has no resonances, fake the candidates.
    """
    count = len(mode)
    numbers = _VISIBLE_MASS_TABLE[np.searchsorted(MODES, mode)].T
    low, high = numbers[4], numbers[5]
    mean, width = numbers[2:4] if jet else numbers[0:2]
    mass = mean + width * rng.standard_normal(count)
    flat = rng.uniform(low, high)
    inside: Floats = np.where((mass < low) | (mass > high), flat, mass)
    return inside


def draw_modes(
    rng: np.random.Generator, count: int, fractions: tuple[float, float, float, float]
) -> Ints:
    """Draw decay modes with the given fractions of ``MODES``."""
    return MODES[np.searchsorted(np.cumsum(fractions)[:-1], rng.random(count), side="right")]


def draw_hadronic_taus(rng: np.random.Generator, count: int) -> HadronicTaus:
    """Draw hadronic decays of genuine taus.

    The energy fraction is flat between (m_vis / m_tau)^2 and one: a two-body decay into the
    hadronic system and a neutrino, isotropic in the frame of the tau.
    """
    mode = draw_modes(rng, count, GENUINE_MODE_FRACTIONS)
    mass = draw_hadron_mass(rng, mode, jet=False)
    fraction = rng.uniform(np.minimum((mass / MASS_TAU) ** 2, 0.95), 1.0)
    return HadronicTaus(mode, mass, fraction)


def decay_to_leptons(
    rng: np.random.Generator, boson: FourMomentum, lepton_mass: float, *, scalar: bool
) -> tuple[FourMomentum, FourMomentum]:
    """Decay bosons into two leptons of the same mass (GeV), flat in cos for a scalar."""
    count = len(boson.px)
    cosine = rng.uniform(-1.0, 1.0, count) if scalar else draw_vector_cosine(rng, count)
    return decay_in_two(boson, lepton_mass, lepton_mass, cosine, rng.uniform(-np.pi, np.pi, count))
