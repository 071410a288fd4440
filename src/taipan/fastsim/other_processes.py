"""Generators of top-quark pairs and of QCD multijets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from taipan.fastsim import decays
from taipan.fastsim.candidates import (
    draw_charges,
    draw_fake_tau,
    draw_sign,
    empty_extra,
    gen_columns,
    jet_columns,
    unmeasured,
)
from taipan.fastsim.hard_events import SOURCE_JET, SOURCE_TAU, HardEvents
from taipan.fastsim.hard_jets import (
    HardJets,
    JetSpectrum,
    draw_falling_pt,
    draw_jets,
    merge_jets,
    oppose_jets,
)
from taipan.fastsim.kinematics import Floats, FourMomentum, decay_in_two, from_transverse, wrap_phi

QCD_OS_SS_FACTOR = 1.06
"""Opposite-sign over same-sign multijets, the same in all isolation regions.

CMS, JHEP 05 (2014) 104 (H -> tau tau), measures 1.06 in the mu tau_h channel.
"""

_TOP_RADIATION = JetSpectrum(pt_min=15.0, scale=60.0, index=4.0, eta_width=2.0)
_QCD_RADIATION = JetSpectrum(pt_min=12.0, scale=40.0, index=4.5, eta_width=2.1)
_QCD_FAKES = JetSpectrum(pt_min=16.0, scale=44.0, index=8.0, eta_width=3.5)

_TOP_GENUINE_TAUS = 0.28
"""Share of genuine taus among the candidates of top pairs: the isolation and the sign of the
candidates in the public 2012 skims (record 12350) lie between those of taus and of jets."""


def _isotropic_decay(
    rng: np.random.Generator, parent: FourMomentum, mass_1: Floats | float, mass_2: float
) -> tuple[FourMomentum, FourMomentum]:
    count = len(parent.px)
    return decay_in_two(
        parent,
        mass_1,
        mass_2,
        rng.uniform(-1.0, 1.0, count),
        rng.uniform(-np.pi, np.pi, count),
    )


def generate_top_pairs(rng: np.random.Generator, count: int) -> HardEvents:
    """Generate t tbar -> W b W b with one W -> mu (12 % through a tau).

    The other W gives a genuine tau, or two quarks of which one jet, or a b jet, fakes a tau.
    """
    radiation = draw_jets(rng, count, _TOP_RADIATION, mean=0.9)
    pt, phi = rng.gamma(2.0, 47.0, count), rng.uniform(-np.pi, np.pi, count)
    rapidity = rng.normal(0.0, 1.0, count)
    gap = rng.normal(0.0, 0.7, count)
    px, py = pt * np.cos(phi), pt * np.sin(phi)
    mass = np.full(count, decays.MASS_TOP)
    top_1 = from_transverse(px, py, rapidity + gap, mass)
    top_2 = from_transverse(-px - radiation.sum_px, -py - radiation.sum_py, rapidity - gap, mass)
    mass_w = [
        decays.draw_breit_wigner(rng, count, decays.MASS_W, decays.WIDTH_W, 60.0, 110.0)
        for _ in range(2)
    ]
    w_1, b_1 = _isotropic_decay(rng, top_1, mass_w[0], decays.MASS_B)
    w_2, b_2 = _isotropic_decay(rng, top_2, mass_w[1], decays.MASS_B)
    lepton, neutrino_1 = _isotropic_decay(rng, w_1, decays.MASS_MUON, 0.0)
    other, partner = _isotropic_decay(rng, w_2, decays.MASS_MUON, 0.0)

    via_tau = rng.random(count) < 0.12
    muon_fraction = np.where(via_tau, decays.draw_lepton_fraction(rng, count), 1.0)
    genuine = rng.random(count) < _TOP_GENUINE_TAUS
    hadrons = decays.draw_hadronic_taus(rng, count)
    # A b jet fakes a tau in a fifth of the fakes, a quark of the W in the rest.
    from_b = ~genuine & (rng.random(count) < 0.2)

    def choose(name: str) -> Floats:
        b_value: Floats = getattr(b_2, name)
        w_value: Floats = getattr(other, name)
        return np.where(from_b, b_value, w_value)

    jet_pt = choose("pt")
    fake_fraction = np.minimum(1.0 / rng.lognormal(np.log(1.23), 0.25, count), 1.0)
    fake_mode = decays.draw_modes(rng, count, decays.JET_MODE_FRACTIONS)
    charge = draw_sign(rng, count)
    fake_mass = decays.draw_hadron_mass(rng, fake_mode, jet=True)
    lost = np.where(genuine, 1.0 - hadrons.fraction, 0.0)
    identifier = np.where(via_tau, 15, 13)
    # Radiation takes a part of each quark's momentum out of its jet.
    contained = np.exp(-rng.exponential(0.17, (4, count)))
    # Hard jets have more tracks and fake taus more rarely.
    kept = genuine | (rng.random(count) < np.minimum(25.0 / np.maximum(jet_pt, 1.0), 1.0) ** 2.0)
    events = HardEvents(
        muon_pt=muon_fraction * lepton.pt,
        muon_eta=lepton.eta,
        muon_phi=lepton.phi,
        muon_charge=charge,
        muon_parent=identifier,
        tau_pt=np.where(genuine, hadrons.fraction, fake_fraction) * jet_pt,
        tau_eta=choose("eta"),
        tau_phi=choose("phi"),
        tau_mass=np.where(genuine, hadrons.mass, fake_mass),
        tau_charge=draw_charges(rng, charge, 0.59) * np.where(genuine, 0, 1)
        + np.where(genuine, -charge, 0),
        tau_mode=np.where(genuine, hadrons.mode, fake_mode),
        tau_source=np.where(genuine, SOURCE_TAU, SOURCE_JET),
        tau_jet_pt=np.where(genuine, hadrons.fraction, 1.0) * jet_pt,
        neutrino_px=neutrino_1.px
        + (1.0 - muon_fraction) * lepton.px
        + lost * other.px
        + np.where(genuine, partner.px, 0.0),
        neutrino_py=neutrino_1.py
        + (1.0 - muon_fraction) * lepton.py
        + lost * other.py
        + np.where(genuine, partner.py, 0.0),
        **empty_extra(count),
        **jet_columns(
            merge_jets(
                _as_jets(b_1, contained[0], 5),
                _as_jets(b_2, np.where(from_b, 0.0, contained[1]), 5),
                _as_jets(other, np.where(from_b, contained[2], 0.0), 0),
                _as_jets(partner, np.where(genuine, 0.0, contained[3]), 0),
                radiation,
            )
        ),
        **gen_columns(
            [
                (w_1, 24 * charge),
                (lepton, -identifier * charge),
                (other, np.where(genuine, 15 * charge, 0)),
            ]
        ),
        **unmeasured(count),
    )
    return events.take(kept)


def _as_jets(momentum: FourMomentum, contained: Floats, flavour: int) -> HardJets:
    """One jet an event, shape ``(n, 1)``, with the share ``contained`` of the momentum."""
    pt, eta, phi = momentum.pt * contained, momentum.eta, momentum.phi
    identifiers = np.full((len(pt), 1), flavour, dtype=np.int64)
    return HardJets(pt[:, np.newaxis], eta[:, np.newaxis], phi[:, np.newaxis], identifiers)


def generate_multijets(rng: np.random.Generator, count: int) -> HardEvents:
    """Generate QCD multijets: a muon from a heavy quark and a jet that fakes a tau.

    Both fall steeply in pT and are back to back in azimuth; the neutrino of the heavy quark
    follows the muon. Laws fitted to same-sign, anti-isolated collisions of record 12350.
    """
    fake = draw_fake_tau(rng, count, _QCD_FAKES)
    # Flatter than flat in eta: forward jets look more like taus.
    eta = draw_sign(rng, count) * 2.4 * rng.random(count) ** 0.8
    fake = replace(fake, eta=eta)
    muon_pt = draw_falling_pt(rng, count, pt_min=14.0, scale=27.0, index=7.0)
    offset = draw_sign(rng, count) * rng.exponential(0.48, count)
    muon_phi = wrap_phi(fake.phi + np.pi + offset)
    neutrino = muon_pt * rng.exponential(0.25, count)
    charge = draw_sign(rng, count)
    empty = np.zeros(count, dtype=np.int64)
    jets = oppose_jets(rng, draw_jets(rng, count, _QCD_RADIATION, mean=0.6), fake.phi, 0.5)
    muon_eta = rng.uniform(-2.4, 2.4, count)
    nothing = FourMomentum(*(np.zeros(count) for _ in range(4)))
    return HardEvents(
        muon_pt=muon_pt,
        muon_eta=muon_eta,
        muon_phi=muon_phi,
        muon_charge=charge,
        muon_parent=empty,
        tau_pt=fake.pt,
        tau_eta=fake.eta,
        tau_phi=fake.phi,
        tau_mass=fake.mass,
        tau_charge=draw_charges(rng, charge, QCD_OS_SS_FACTOR / (1.0 + QCD_OS_SS_FACTOR)),
        tau_mode=fake.mode,
        tau_source=np.full(count, SOURCE_JET),
        tau_jet_pt=fake.jet_pt,
        neutrino_px=neutrino * np.cos(muon_phi),
        neutrino_py=neutrino * np.sin(muon_phi),
        **empty_extra(count),
        **jet_columns(jets),
        **gen_columns([(nothing, empty)]),
        **unmeasured(count),
    )
