"""Generators of processes with one boson: H and Z to tau pairs, Z to muons, W plus jets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taipan.fastsim import decays
from taipan.fastsim.candidates import (
    draw_charges,
    draw_fake_tau,
    draw_sign,
    empty_extra,
    gen_columns,
    jet_columns,
    jet_of_fake,
    unmeasured,
)
from taipan.fastsim.hard_events import (
    SOURCE_ELECTRON,
    SOURCE_JET,
    SOURCE_MUON,
    SOURCE_TAU,
    HardEvents,
)
from taipan.fastsim.hard_jets import (
    HardJets,
    JetSpectrum,
    draw_jets,
    draw_tagging_jets,
    merge_jets,
    oppose_jets,
    recoil_boson,
)
from taipan.fastsim.kinematics import Floats, FourMomentum, Ints, decay_in_two

_Z_JETS = JetSpectrum(pt_min=12.0, scale=55.0, index=4.5, eta_width=2.2)
_H_JETS = JetSpectrum(pt_min=15.0, scale=70.0, index=4.5, eta_width=2.1)
_Z_FAKES = JetSpectrum(pt_min=16.0, scale=40.0, index=6.0, eta_width=2.4)
_W_EXTRA_JETS = JetSpectrum(pt_min=12.0, scale=40.0, index=4.5, eta_width=2.5)
_W_MATRIX_JETS = JetSpectrum(pt_min=18.0, scale=48.0, index=4.5, eta_width=2.6)
_W3_MATRIX_JETS = JetSpectrum(pt_min=18.0, scale=60.0, index=4.5, eta_width=2.6)


def decay_to_tau_pair(
    rng: np.random.Generator, boson: FourMomentum, identifier: int, jets: HardJets
) -> HardEvents:
    """Let bosons decay to mu tau_h pairs.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    boson : FourMomentum
        The decaying bosons, ``n``.
    identifier : int
        PDG identifier of the boson: 25 decays isotropically, others like a vector.
    jets : HardJets
        All jets of the events.
    """
    count = len(boson.px)
    first, second = decays.decay_to_leptons(rng, boson, decays.MASS_TAU, scalar=identifier == 25)
    charge = draw_sign(rng, count)
    muon_fraction = decays.draw_lepton_fraction(rng, count)
    hadrons = decays.draw_hadronic_taus(rng, count)
    lost_1, lost_2 = 1.0 - muon_fraction, 1.0 - hadrons.fraction
    return HardEvents(
        muon_pt=muon_fraction * first.pt,
        muon_eta=first.eta,
        muon_phi=first.phi,
        muon_charge=charge,
        muon_parent=np.full(count, 15),
        tau_pt=hadrons.fraction * second.pt,
        tau_eta=second.eta,
        tau_phi=second.phi,
        tau_mass=hadrons.mass,
        # 1.8 % of the charges are measured wrong: same-sign share of matched pairs, record 12350.
        tau_charge=draw_charges(rng, charge, 0.982),
        tau_mode=hadrons.mode,
        tau_source=np.full(count, SOURCE_TAU),
        tau_jet_pt=hadrons.fraction * second.pt,
        neutrino_px=lost_1 * first.px + lost_2 * second.px,
        neutrino_py=lost_1 * first.py + lost_2 * second.py,
        **empty_extra(count),
        **jet_columns(jets),
        **gen_columns(
            [
                (boson, np.full(count, identifier)),
                (first, -15 * charge),
                (second, 15 * charge),
            ]
        ),
        **unmeasured(count),
    )


def generate_gluon_fusion(rng: np.random.Generator, count: int) -> HardEvents:
    """Generate gg -> H -> tau tau: central, with hard gluon radiation."""
    jets = draw_jets(rng, count, _H_JETS, mean=1.15)
    mass = decays.draw_breit_wigner(rng, count, decays.MASS_H, decays.WIDTH_H, 120.0, 130.0)
    boson = recoil_boson(rng, jets, mass, rng.normal(0.0, 1.15, count), soft=10.0)
    return decay_to_tau_pair(rng, boson, 25, jets)


def generate_boson_fusion(rng: np.random.Generator, count: int) -> HardEvents:
    """Generate vector-boson fusion to H -> tau tau with two forward tagging jets."""
    tagging = draw_tagging_jets(rng, count)
    jets = merge_jets(tagging, draw_jets(rng, count, _H_JETS, mean=0.4))
    mass = decays.draw_breit_wigner(rng, count, decays.MASS_H, decays.WIDTH_H, 120.0, 130.0)
    # The boson sits between the tagging jets.
    rapidity = 0.3 * np.sum(tagging.eta, axis=1) + rng.normal(0.0, 0.75, count)
    boson = recoil_boson(rng, jets, mass, rapidity, soft=6.0)
    return decay_to_tau_pair(rng, boson, 25, jets)


def draw_z(
    rng: np.random.Generator, count: int, *, radiation: float = 1.0
) -> tuple[FourMomentum, HardJets]:
    """Draw Z/gamma* bosons and their jets; ``radiation`` scales the number of jets."""
    jets = draw_jets(rng, count, _Z_JETS, mean=0.55 * radiation)
    boson = recoil_boson(
        rng, jets, decays.draw_z_mass(rng, count), rng.normal(0.0, 1.7, count), soft=7.0
    )
    return boson, jets


def generate_z_to_taus(rng: np.random.Generator, count: int) -> HardEvents:
    """Generate Z/gamma* -> tau tau."""
    boson, jets = draw_z(rng, count)
    return decay_to_tau_pair(rng, boson, 23, jets)


def generate_z_to_taus_radiative(rng: np.random.Generator, count: int) -> HardEvents:
    """Generate Z/gamma* -> tau tau with three times the radiation.

    The density of the events that cancel in the sample with signed weights.
    """
    boson, jets = draw_z(rng, count, radiation=3.0)
    return decay_to_tau_pair(rng, boson, 23, jets)


def generate_z_to_leptons(rng: np.random.Generator, count: int) -> HardEvents:
    """Generate the rest of Drell-Yan: Z -> mu mu with a fake tau, Z -> tau tau -> mu e.

    The tau candidate is a jet, the second muon, or the electron of a second tau decay. The
    fractions give equal numbers of opposite and same sign, as the public 2012 skims have.
    """
    fake = draw_fake_tau(rng, count, _Z_FAKES)
    draw = rng.random(count)
    source = np.where(draw < 0.94, SOURCE_JET, np.where(draw < 0.97, SOURCE_MUON, SOURCE_ELECTRON))
    is_jet = source == SOURCE_JET
    radiation = draw_jets(rng, count, _Z_JETS, mean=0.7)
    radiation = oppose_jets(rng, radiation, fake.phi, 0.6)
    behind = jet_of_fake(fake)
    behind = HardJets(np.where(is_jet[:, np.newaxis], behind.pt, 0.0), *_angles(behind))
    boson = recoil_boson(
        rng,
        merge_jets(radiation, behind),
        decays.draw_z_mass(rng, count),
        0.5 * fake.eta + rng.normal(0.0, 2.3, count),
        soft=7.0,
    )
    first, second = decays.decay_to_leptons(rng, boson, decays.MASS_MUON, scalar=False)
    # A tau pair gives mu e, or mu and a second leg that is lost while a jet fakes the tau.
    via_taus = (source == SOURCE_ELECTRON) | (is_jet & (rng.random(count) < 0.25))
    muon_fraction = np.where(via_taus, decays.draw_lepton_fraction(rng, count), 1.0)
    other_fraction = np.where(via_taus, decays.draw_lepton_fraction(rng, count), 1.0)
    charge = draw_sign(rng, count)
    lepton_charge = -charge
    identifier = np.where(via_taus, 15, 13)
    lost_1, lost_2 = 1.0 - muon_fraction, 1.0 - other_fraction

    def choose(jet: Floats, lepton: Floats) -> Floats:
        return np.where(is_jet, jet, lepton)

    lepton_pt = other_fraction * second.pt
    return HardEvents(
        muon_pt=muon_fraction * first.pt,
        muon_eta=first.eta,
        muon_phi=first.phi,
        muon_charge=charge,
        muon_parent=identifier,
        tau_pt=choose(fake.pt, lepton_pt),
        tau_eta=choose(fake.eta, second.eta),
        tau_phi=choose(fake.phi, second.phi),
        tau_mass=choose(fake.mass, np.full(count, decays.MASS_PION)),
        tau_charge=np.where(is_jet, draw_charges(rng, charge, 0.48), lepton_charge),
        tau_mode=np.where(is_jet, fake.mode, 0),
        tau_source=source,
        tau_jet_pt=choose(fake.jet_pt, lepton_pt),
        neutrino_px=lost_1 * first.px + lost_2 * second.px,
        neutrino_py=lost_1 * first.py + lost_2 * second.py,
        extra_pt=np.where(is_jet & ~via_taus, second.pt, 0.0),
        extra_eta=second.eta,
        extra_phi=second.phi,
        **jet_columns(radiation),
        **gen_columns(
            [
                (boson, np.full(count, 23)),
                (first, -identifier * charge),
                (second, -identifier * lepton_charge),
            ]
        ),
        **unmeasured(count),
    )


def _angles(jets: HardJets) -> tuple[Floats, Floats, Ints]:
    return jets.eta, jets.phi, jets.flavour


@dataclass(frozen=True)
class WPlusJets:
    """Numbers of one W+jets sample: matrix-element jets and the pT law of its fake taus.

    ``opposite`` is the share of opposite-sign pairs, ``radiation`` the mean number of other jets.
    """

    matrix_jets: int
    matrix_spectrum: JetSpectrum
    fakes: JetSpectrum
    opposite: float
    radiation: float = 0.5


W_PLUS_JETS = {
    1: WPlusJets(1, _W_MATRIX_JETS, JetSpectrum(16.0, 45.0, 6.0, 2.0), 0.76),
    2: WPlusJets(2, _W_MATRIX_JETS, JetSpectrum(16.0, 46.0, 5.0, 2.0), 0.745),
    3: WPlusJets(3, _W3_MATRIX_JETS, JetSpectrum(16.0, 45.0, 5.0, 2.0), 0.715),
}
"""Opposite-sign fractions and pT laws measured in the public 2012 skims (record 12350)."""


def generate_w_plus_jets(rng: np.random.Generator, count: int, *, sample: WPlusJets) -> HardEvents:
    """Generate W -> mu nu (8 %: W -> tau nu -> mu 3 nu) plus jets, one of them a fake tau."""
    fake = draw_fake_tau(rng, count, sample.fakes)
    others = merge_jets(
        draw_jets(
            rng, count, sample.matrix_spectrum, mean=0.0, fixed=max(sample.matrix_jets - 1, 0)
        ),
        draw_jets(rng, count, _W_EXTRA_JETS, mean=sample.radiation),
    )
    others = oppose_jets(rng, others, fake.phi, 0.6)
    boson = recoil_boson(
        rng,
        merge_jets(others, jet_of_fake(fake)),
        decays.draw_breit_wigner(rng, count, decays.MASS_W, decays.WIDTH_W, 40.0, 200.0),
        0.55 * fake.eta + rng.normal(0.0, 1.5, count),
        soft=6.0,
    )
    # W are produced left-handed: the muon's direction has the weight (1 +- cos)^2; both signs of
    # the quark direction occur, and the sum is what a vector gives.
    via_tau = rng.random(count) < 0.08
    cosine = decays.draw_vector_cosine(rng, count)
    lepton, neutrino = _decay_w(boson, cosine, rng.uniform(-np.pi, np.pi, count))
    fraction = np.where(via_tau, decays.draw_lepton_fraction(rng, count), 1.0)
    charge = draw_sign(rng, count)
    identifier = np.where(via_tau, 15, 13)
    return HardEvents(
        muon_pt=fraction * lepton.pt,
        muon_eta=lepton.eta,
        muon_phi=lepton.phi,
        muon_charge=charge,
        muon_parent=identifier,
        tau_pt=fake.pt,
        tau_eta=fake.eta,
        tau_phi=fake.phi,
        tau_mass=fake.mass,
        tau_charge=draw_charges(rng, charge, sample.opposite),
        tau_mode=fake.mode,
        tau_source=np.full(count, SOURCE_JET),
        tau_jet_pt=fake.jet_pt,
        neutrino_px=neutrino.px + (1.0 - fraction) * lepton.px,
        neutrino_py=neutrino.py + (1.0 - fraction) * lepton.py,
        **empty_extra(count),
        **jet_columns(others),
        **gen_columns([(boson, 24 * charge), (lepton, -identifier * charge)]),
        **unmeasured(count),
    )


def _decay_w(boson: FourMomentum, cosine: Floats, phi: Floats) -> tuple[FourMomentum, FourMomentum]:
    return decay_in_two(boson, decays.MASS_MUON, 0.0, cosine, phi)
