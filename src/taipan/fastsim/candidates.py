"""Building blocks of the generators: fake taus, charges, columns of ``HardEvents``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from taipan.fastsim import decays
from taipan.fastsim.hard_events import stack_particles
from taipan.fastsim.hard_jets import HardJets, JetSpectrum, draw_falling_pt
from taipan.fastsim.kinematics import Floats, FourMomentum, Ints


@dataclass(frozen=True)
class FakeTau:
    """Hadronic-tau candidates that are jets, each array ``(n,)``; pT in GeV, angles in rad."""

    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats
    mode: Ints
    jet_pt: Floats


def draw_fake_tau(rng: np.random.Generator, count: int, spectrum: JetSpectrum) -> FakeTau:
    """Draw jets that look like taus: pT law of the candidate, and the larger pT of its jet.

    The jet has 1.23 times the pT of the candidate in the median, with a spread of 0.2 in the
    logarithm (W+jets of the public 2012 skims, record 12350).
    """
    pt = draw_falling_pt(
        rng, count, pt_min=spectrum.pt_min, scale=spectrum.scale, index=spectrum.index
    )
    mode = decays.draw_modes(rng, count, decays.JET_MODE_FRACTIONS)
    mass = decays.draw_hadron_mass(rng, mode, jet=True)
    return FakeTau(
        pt,
        rng.normal(0.0, spectrum.eta_width, count),
        rng.uniform(-np.pi, np.pi, count),
        mass,
        mode,
        pt * rng.lognormal(np.log(1.23), 0.20, count),
    )


def jet_of_fake(fake: FakeTau) -> HardJets:
    """Return the jets behind the candidates as jets of shape ``(n, 1)``, to balance the boson."""
    columns = [column[:, np.newaxis] for column in (fake.jet_pt, fake.eta, fake.phi)]
    return HardJets(columns[0], columns[1], columns[2], np.zeros((len(fake.pt), 1), np.int64))


def draw_charges(rng: np.random.Generator, muon_charge: Ints, opposite: float) -> Ints:
    """Draw charges of tau candidates, opposite to the muon with probability ``opposite``."""
    return np.where(rng.random(len(muon_charge)) < opposite, -muon_charge, muon_charge)


def draw_sign(rng: np.random.Generator, count: int) -> Ints:
    """Draw +1 or -1 with equal probability."""
    return 2 * rng.integers(0, 2, count) - 1


class ExtraColumns(TypedDict):
    """Columns of the second muon."""

    extra_pt: Floats
    extra_eta: Floats
    extra_phi: Floats


class MeasuredColumns(TypedDict):
    """Columns of the measured candidates."""

    measured_muon_pt: Floats
    measured_tau_pt: Floats


class JetColumns(TypedDict):
    """Columns of the hard jets."""

    jet_pt: Floats
    jet_eta: Floats
    jet_phi: Floats
    jet_flavour: Ints


class GenColumns(TypedDict):
    """Columns of the generator particles."""

    gen_pt: Floats
    gen_eta: Floats
    gen_phi: Floats
    gen_mass: Floats
    gen_id: Ints


def empty_extra(count: int) -> ExtraColumns:
    """Make the columns of a second muon that is not there."""
    nothing = np.zeros(count)
    return {"extra_pt": nothing, "extra_eta": nothing, "extra_phi": nothing}


def unmeasured(count: int) -> MeasuredColumns:
    """Make the columns of the measured candidates before the detector fills them."""
    nothing = np.zeros(count)
    return {"measured_muon_pt": nothing, "measured_tau_pt": nothing}


def jet_columns(jets: HardJets) -> JetColumns:
    """Name the columns of the jets."""
    return {
        "jet_pt": jets.pt,
        "jet_eta": jets.eta,
        "jet_phi": jets.phi,
        "jet_flavour": jets.flavour,
    }


def gen_columns(particles: list[tuple[FourMomentum, Ints]]) -> GenColumns:
    """Stack generator particles (at most ``GEN_SLOTS``) and name their columns."""
    pt, eta, phi, mass, identifier = stack_particles(particles)
    return {
        "gen_pt": pt,
        "gen_eta": eta,
        "gen_phi": phi,
        "gen_mass": mass,
        "gen_id": identifier,
    }
