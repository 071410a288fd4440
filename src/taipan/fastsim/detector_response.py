"""Pile-up, isolation, identification and missing momentum.

Numbers without another source are tuned to the public 2012 skims (CERN Open Data record 12350).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taipan.fastsim.hard_events import (
    SOURCE_ELECTRON,
    SOURCE_JET,
    SOURCE_MUON,
    SOURCE_TAU,
    HardEvents,
)
from taipan.fastsim.kinematics import Bools, Floats, Ints

ISOLATION_CUTS = {"Tight": 0.8, "Medium": 1.0, "Loose": 2.0, "VLoose": 3.0}
"""Largest isolation sum in GeV of each working point (CMS, JINST 11 (2016) P01019)."""

_ANTI_ELECTRON = {"Tight": 0.84, "Medium": 0.90, "Loose": 0.95}
_ANTI_MUON = {"Tight": 0.96, "Medium": 0.97, "Loose": 0.98}
_LEPTON_PASS = {"Tight": 0.10, "Medium": 0.15, "Loose": 0.25}


@dataclass(frozen=True)
class PileUp:
    """Negative-binomial law of the number of vertices: mean and spread parameter."""

    mean: float
    spread: float


PILE_UP_DATA = PileUp(15.3, 22.0)
PILE_UP_SIMULATION = PileUp(16.6, 15.0)
"""Vertices of the collisions (mean 15.3, r.m.s. 5.1) and of the simulation (16.6, 5.9)."""


def draw_vertices(rng: np.random.Generator, count: int, pile_up: PileUp) -> Ints:
    """Draw numbers of reconstructed vertices, at least one."""
    rate = rng.gamma(pile_up.spread, pile_up.mean / pile_up.spread, count)
    return np.maximum(rng.poisson(rate), 1)


def draw_muon_isolation(
    rng: np.random.Generator, pt: Floats, prompt: Bools, vertices: Ints
) -> Floats:
    """Draw relative isolations of muons (cone 0.3).

    Prompt muons have an absolute sum of neutral remnants that grows with pile-up; muons in jets
    have a broad relative isolation that does not depend on pT.
    """
    count = len(pt)
    remnants = (0.3 + 1.2 * rng.exponential(1.0, count)) * (0.7 + 0.3 * vertices / 16.0)
    remnants = remnants * (pt / 25.0) ** 0.42
    prompt_value = np.where(rng.random(count) < 0.33, 0.0, remnants / pt)
    jet_value = rng.gamma(1.5, 0.155, count)
    # One prompt muon in a hundred is close to a jet.
    jet_nearby = rng.random(count) < 0.01
    prompt_value = np.where(jet_nearby, 3.0 * jet_value, prompt_value)
    return np.where(prompt, prompt_value, jet_value)


@dataclass(frozen=True)
class TauIdentification:
    """Isolation and discriminators of tau candidates; each array has the shape of the input."""

    raw_isolation: Floats
    relative_isolation: Floats
    decay_mode: Bools
    anti_electron: dict[str, Bools]
    anti_muon: dict[str, Bools]


def identify_taus(rng: np.random.Generator, source: Ints, raw_scale: Floats) -> TauIdentification:
    """Draw isolation and discriminators of tau candidates.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    source : array of any shape
        What the candidates are (``SOURCE_*``).
    raw_scale : array of the same shape
        Mean isolation sum in GeV.
    """
    shape = source.shape
    raw = raw_scale * rng.exponential(1.0, shape)
    genuine = source == SOURCE_TAU
    relative = 0.012 + np.where(genuine, 0.068, 0.133) * rng.exponential(1.0, shape)
    relative = np.where(rng.random(shape) < np.where(genuine, 0.39, 0.15), 0.0, relative)
    relative = relative + np.where(
        raw > ISOLATION_CUTS["Tight"], 0.3 * rng.exponential(1.0, shape), 0.0
    )
    return TauIdentification(
        raw,
        relative,
        rng.random(shape) < 0.98,
        _draw_discriminator(rng, source == SOURCE_ELECTRON, _ANTI_ELECTRON),
        _draw_discriminator(rng, source == SOURCE_MUON, _ANTI_MUON),
    )


def _draw_discriminator(
    rng: np.random.Generator, lepton: Bools, efficiency: dict[str, float]
) -> dict[str, Bools]:
    """Nested working points from one uniform number a candidate."""
    score = rng.random(lepton.shape)
    return {
        name: score < np.where(lepton, _LEPTON_PASS[name], value)
        for name, value in efficiency.items()
    }


def isolation_scale(events: HardEvents) -> Floats:
    """Mean isolation sum (GeV) of the tau candidates, shape ``(n,)``."""
    return np.where(events.tau_source == SOURCE_JET, 0.6, 0.45)


def fires_cross_trigger(
    rng: np.random.Generator,
    muon_pt: Floats,
    muon_isolation: Floats,
    tau_pt: Floats,
    tau_source: Ints,
) -> Bools:
    """Whether HLT_IsoMu17_eta2p1_LooseIsoPFTau20 fires: turn-on curves in both pT (GeV).

    The trigger sees more of a jet than of a genuine tau of the same pT.
    """
    muon = 0.95 * _turn_on(muon_pt, 16.8, 0.7) * (1.0 - 0.4 * np.minimum(muon_isolation / 0.5, 1.0))
    tau = 0.95 * _turn_on(tau_pt * np.where(tau_source == SOURCE_JET, 1.15, 1.0), 20.0, 3.0)
    return rng.random(len(muon_pt)) < muon * tau


def fires_muon_trigger(rng: np.random.Generator, muon_pt: Floats, muon_isolation: Floats) -> Bools:
    """Whether an isolated 24 GeV single-muon trigger fires."""
    efficiency = 0.90 * _turn_on(muon_pt, 24.0, 0.6)
    return rng.random(len(muon_pt)) < efficiency * (muon_isolation < 0.15)


def _turn_on(pt: Floats, threshold: float, width: float) -> Floats:
    from scipy.special import erf

    return 0.5 * (1.0 + np.asarray(erf((pt - threshold) / (np.sqrt(2.0) * width))))


def met_width(vertices: Ints) -> Floats:
    """Resolution in GeV of each component of the missing momentum, shape ``(n,)``.

    A constant and a part that grows with the square root of the number of vertices: 2.65 GeV a
    vertex in quadrature, set to the public skims (CMS, JINST 10 (2015) P02006, has 3.3 to 3.6).
    """
    width: Floats = np.sqrt(8.3**2 + 2.65**2 * vertices)
    return width


def jet_resolution(pt: Floats) -> Floats:
    """Relative resolution of the jet pT in GeV (CMS, JINST 12 (2017) P02014, rounded)."""
    return np.sqrt(0.04**2 + 0.75**2 / np.maximum(pt, 5.0) + (1.8 / np.maximum(pt, 5.0)) ** 2)
