"""Measured jets: energy, pile-up, identification, b tagging."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taipan.fastsim import detector_response as response
from taipan.fastsim.hard_events import JET_SLOTS, SOURCE_JET, HardEvents
from taipan.fastsim.hard_jets import draw_falling_pt
from taipan.fastsim.kinematics import Bools, Floats, Ints
from taipan.fastsim.mismodelling import DetectorDifference
from taipan.kinematics import delta_r

JET_PT_MIN = 15.0
"""Jets below this pT (GeV) are not stored, as in the CMS files."""

_JET_ETA_MAX = 5.0
_PILE_UP_SLOTS = 3


@dataclass(frozen=True)
class RecoJets:
    """Jets as measured, shape ``(n, k)``: the tau jet, the hard jets, the muon, pile-up.

    ``shift_x`` and ``shift_y`` (``(n,)``, GeV) are true minus measured momentum, summed over the
    hard jets: what the missing momentum gains.
    """

    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats
    pile_up_id: Bools
    btag: Floats
    shift_x: Floats
    shift_y: Floats


def measure_jets(
    rng: np.random.Generator,
    events: HardEvents,
    tau_pt: Floats,
    vertices: Ints,
    mismodelling: DetectorDifference,
) -> RecoJets:
    """Measure the jets of events.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    events : HardEvents
        Events that passed the generator filter.
    tau_pt : array (n,)
        Measured pT of the tau candidates in GeV.
    vertices : array (n,)
        Number of vertices; pile-up jets grow with it.
    mismodelling : Mismodelling
        Shift of the jet energy scale.
    """
    count = len(events)
    scale = 1.0 + mismodelling.jet_scale
    genuine = events.tau_source != SOURCE_JET
    # A jet algorithm measures a tau with the response of a jet, plus neighbouring pile-up.
    as_tau = tau_pt * rng.lognormal(-0.02, 0.17, count)
    as_jet = events.measured_tau_pt * rng.lognormal(np.log(1.10), 0.24, count) * scale
    tau_jet = np.where(genuine, as_tau, as_jet)
    smear = response.jet_resolution(events.jet_pt) * rng.standard_normal((count, JET_SLOTS))
    hard = np.maximum(events.jet_pt * (1.0 + np.maximum(smear, -0.8)) * scale, 0.0)
    # A jet that overlaps with the tau candidate is the jet of the candidate.
    tau_eta, tau_phi = events.tau_eta[:, np.newaxis], events.tau_phi[:, np.newaxis]
    merged = delta_r(events.jet_eta, events.jet_phi, tau_eta, tau_phi) < 0.5
    non_prompt = events.muon_parent == 0
    has_muon_jet = rng.random(count) < np.where(non_prompt, 0.03, 0.004)
    muon_jet = events.measured_muon_pt * rng.lognormal(0.1, 0.1, count)
    slots = (count, _PILE_UP_SLOTS)
    number = rng.poisson(0.055 * vertices)[:, np.newaxis]
    pile_up = np.where(
        np.arange(_PILE_UP_SLOTS) < number,
        draw_falling_pt(rng, slots, pt_min=JET_PT_MIN, scale=30.0, index=6.0),
        0.0,
    )
    side = np.where(rng.random(slots) < 0.5, -1.0, 1.0)
    near_edge = side * rng.normal(2.7, 0.45, slots)
    pile_up_eta = np.where(rng.random(slots) < 0.6, near_edge, rng.uniform(-4.7, 4.7, slots))

    def columns(tau: Floats, hard: Floats, muon: Floats, others: Floats) -> Floats:
        return np.concatenate([tau[:, np.newaxis], hard, muon[:, np.newaxis], others], axis=1)

    pt = columns(
        tau_jet, np.where(merged, 0.0, hard), np.where(has_muon_jet, muon_jet, 0.0), pile_up
    )
    eta = columns(events.tau_eta, events.jet_eta, events.muon_eta, pile_up_eta)
    phi = columns(
        events.tau_phi, events.jet_phi, events.muon_phi, rng.uniform(-np.pi, np.pi, slots)
    )
    is_pile_up = np.arange(pt.shape[1]) >= pt.shape[1] - _PILE_UP_SLOTS
    accepted = np.where(is_pile_up, 0.5, np.where(np.abs(eta) < 2.5, 0.985, 0.93))
    beauty = columns(
        np.zeros(count), events.jet_flavour == 5, np.zeros(count), np.zeros(slots)
    ).astype(np.bool_)
    typical = np.where(np.arange(pt.shape[1]) == 0, np.where(genuine, 0.140, 0.165)[:, None], 0.17)
    gain = events.jet_pt - hard
    fake_smear = response.jet_resolution(events.tau_jet_pt) * rng.standard_normal(count)
    fake_gain = np.where(genuine, 0.0, events.tau_jet_pt * (1.0 - (1.0 + fake_smear) * scale))
    return RecoJets(
        pt=np.where((pt > JET_PT_MIN) & (np.abs(eta) < _JET_ETA_MAX), pt, 0.0),
        eta=eta,
        phi=phi,
        mass=pt * typical * rng.lognormal(0.0, 0.25, pt.shape),
        pile_up_id=rng.random(pt.shape) < accepted,
        btag=_draw_btag(rng, beauty, genuine, eta),
        shift_x=np.sum(gain * np.cos(events.jet_phi), axis=1) + fake_gain * np.cos(events.tau_phi),
        shift_y=np.sum(gain * np.sin(events.jet_phi), axis=1) + fake_gain * np.sin(events.tau_phi),
    )


def _draw_btag(rng: np.random.Generator, beauty: Bools, genuine: Bools, eta: Floats) -> Floats:
    """Values of a combined secondary-vertex tagger: -10 outside the tracker, -1 undefined."""
    shape = beauty.shape
    # Tau jets have displaced tracks; one light jet in twenty has, too.
    is_tau = genuine[:, np.newaxis] & (np.arange(shape[1]) == 0)
    spread = np.where(is_tau, 0.75, 0.55) * rng.standard_normal(shape)
    light = np.where(is_tau, 0.20, 0.15) * np.exp(spread)
    displaced = rng.random(shape) < 0.05
    light = np.where(displaced, rng.uniform(0.3, 1.0, shape), np.minimum(light, 0.999))
    tagged = 1.0 - np.minimum(0.05 * rng.exponential(1.0, shape), 0.9)
    value = np.where(beauty & (rng.random(shape) < 0.62), tagged, light)
    value = np.where(rng.random(shape) < 0.04, -1.0, value)
    outside = np.where(rng.random(shape) < 0.55, -10.0, -1.0)
    return np.where(np.abs(eta) > 2.45, outside, value)
