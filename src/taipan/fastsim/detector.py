"""From hard events to the branches of a reduced NanoAOD file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taipan.fastsim import detector_response as response
from taipan.fastsim.event_table import Collection, EventTable, FlatColumn, keep_filled, sort_by_pt
from taipan.fastsim.hard_events import (
    GEN_SLOTS,
    JET_SLOTS,
    SOURCE_JET,
    SOURCE_MUON,
    SOURCE_TAU,
    HardEvents,
)
from taipan.fastsim.hard_jets import draw_falling_pt
from taipan.fastsim.jet_measurement import RecoJets, measure_jets
from taipan.fastsim.kinematics import Floats, Ints
from taipan.fastsim.mismodelling import DetectorDifference
from taipan.kinematics import delta_r

_MUON_PT_MIN, _MUON_ETA_MAX = 3.0, 2.4
_TAU_PT_MIN, _TAU_ETA_MAX = 18.0, 2.4


@dataclass(frozen=True)
class Conditions:
    """What differs between collisions and simulation."""

    pile_up: response.PileUp
    mismodelling: DetectorDifference
    simulated: bool


def simulate_detector(
    rng: np.random.Generator, events: HardEvents, conditions: Conditions
) -> EventTable:
    """Measure events: every branch but the identifiers of the event.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    events : HardEvents
        Events that passed the generator filter.
    conditions : Conditions
        Pile-up, mismodelling, and whether generator particles are kept.
    """
    count = len(events)
    vertices = response.draw_vertices(rng, count, conditions.pile_up)
    events = _add_radiation(rng, events, conditions.mismodelling.extra_jet_probability)
    genuine = events.tau_source == SOURCE_TAU
    tau_pt = events.measured_tau_pt * np.where(genuine, 1 + conditions.mismodelling.tau_scale, 1.0)
    isolation = response.draw_muon_isolation(
        rng, events.measured_muon_pt, events.muon_parent != 0, vertices
    )
    jets = measure_jets(rng, events, tau_pt, vertices, conditions.mismodelling)
    jet_order, jet_collection = _collect_jets(jets)
    muons = _collect_muons(rng, events, isolation, vertices, jet_order)
    taus = _collect_taus(rng, events, tau_pt, jets, jet_order)
    collections = {"Muon": muons, "Tau": taus, "Jet": jet_collection}
    if conditions.simulated:
        collections["GenPart"] = _collect_gen(events)
    else:
        collections["Muon"], collections["Tau"] = _forget_truth(muons), _forget_truth(taus)
    scalars: dict[str, np.ndarray] = {
        "HLT_IsoMu24_eta2p1": response.fires_muon_trigger(rng, events.measured_muon_pt, isolation),
        "HLT_IsoMu24": response.fires_muon_trigger(rng, events.measured_muon_pt, isolation),
        "HLT_IsoMu17_eta2p1_LooseIsoPFTau20": response.fires_cross_trigger(
            rng, events.measured_muon_pt, isolation, tau_pt, events.tau_source
        ),
        "PV_npvs": vertices,
        # Beam spot of 2012: (0.07, 0.06) cm across, 5 cm long.
        "PV_x": rng.normal(0.072, 0.002, count),
        "PV_y": rng.normal(0.062, 0.002, count),
        "PV_z": rng.normal(0.0, 5.0, count),
        **_measure_met(rng, events, tau_pt, jets, vertices, conditions.mismodelling),
    }
    return EventTable(scalars, collections)


def _add_radiation(rng: np.random.Generator, events: HardEvents, probability: float) -> HardEvents:
    """Fill the last jet slot, balanced by unclustered energy, with the given probability.

    Random numbers are drawn at probability zero, too, so that pseudo-data with and without
    mismodelling share all others.
    """
    count = len(events)
    add = (rng.random(count) < probability) & (events.jet_pt[:, -1] == 0.0)
    extra = draw_falling_pt(rng, count, pt_min=20.0, scale=60.0, index=4.0)
    eta, phi = rng.normal(0.0, 2.0, count), rng.uniform(-np.pi, np.pi, count)

    def fill(column: Floats, value: Floats) -> Floats:
        last = np.where(add, value, column[:, -1])
        return np.concatenate([column[:, :-1], last[:, np.newaxis]], axis=1)

    return HardEvents(
        **{
            **vars(events),
            "jet_pt": fill(events.jet_pt, extra),
            "jet_eta": fill(events.jet_eta, eta),
            "jet_phi": fill(events.jet_phi, phi),
        }
    )


def _collect_jets(jets: RecoJets) -> tuple[Ints, Collection]:
    """Sort the jets; also return each slot's place in the sorted list, or -1."""
    order = sort_by_pt(jets.pt)
    columns = {
        "pt": jets.pt,
        "eta": jets.eta,
        "phi": jets.phi,
        "mass": jets.mass,
        "puId": jets.pile_up_id,
        "btag": jets.btag,
    }
    place = np.argsort(order, axis=1, kind="stable")
    return np.where(jets.pt > 0.0, place, -1), keep_filled(columns, order, jets.pt > 0.0)


def _collect_muons(
    rng: np.random.Generator,
    events: HardEvents,
    isolation: Floats,
    vertices: Ints,
    jet_place: Ints,
) -> Collection:
    """Candidate, second muon of a Z boson, and rarely a soft muon of a jet."""
    count = len(events)
    extra_pt = events.extra_pt * (1.0 + 0.012 * rng.standard_normal(count))
    soft_pt = np.where(rng.random(count) < 0.04, 3.0 + rng.exponential(2.5, count), 0.0)
    everyone = np.ones(count, dtype=np.bool_)
    extra_isolation = response.draw_muon_isolation(
        rng, np.maximum(extra_pt, 1.0), everyone, vertices
    )
    prompt = events.muon_parent != 0
    pt = np.stack([events.measured_muon_pt, extra_pt, soft_pt], axis=1)
    eta = np.stack([events.muon_eta, events.extra_eta, rng.uniform(-2.4, 2.4, count)], axis=1)
    phi = np.stack([events.muon_phi, events.extra_phi, rng.uniform(-np.pi, np.pi, count)], axis=1)
    filled = (pt > _MUON_PT_MIN) & (np.abs(eta) < _MUON_ETA_MAX)
    pt = np.where(filled, pt, 0.0)
    cone_03 = np.stack([isolation, extra_isolation, rng.gamma(2.0, 0.5, count)], axis=1)
    # Flight length: taus decay after 0.1 mm, heavy quarks after a few tenths.
    from_tau = events.muon_parent == 15
    width = np.where(from_tau, 0.006, np.where(prompt, 0.002, 0.015))
    widths = np.stack([width, np.full(count, 0.002), np.full(count, 0.02)], axis=1)
    tight = np.stack(
        [np.where(prompt, 0.96, 0.90), np.full(count, 0.96), np.full(count, 0.2)], axis=1
    )
    parent = np.where(prompt, 1, -1)
    charge = np.stack(
        [events.muon_charge, -events.muon_charge, 2 * rng.integers(0, 2, count) - 1], axis=1
    )
    muon_jet = np.stack([jet_place[:, 1 + JET_SLOTS], np.full(count, -1), np.full(count, -1)], 1)
    columns = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": np.full(pt.shape, 0.10565837),
        "charge": charge,
        "pfRelIso03_all": cone_03,
        "pfRelIso04_all": cone_03 * rng.lognormal(0.15, 0.25, pt.shape),
        "tightId": rng.random(pt.shape) < tight,
        "softId": rng.random(pt.shape) < 0.98,
        "dxy": widths * rng.standard_normal(pt.shape),
        "dxyErr": 0.0025 * rng.lognormal(0.0, 0.2, pt.shape),
        "dz": 2.0 * widths * rng.standard_normal(pt.shape),
        "dzErr": 0.005 * rng.lognormal(0.0, 0.3, pt.shape),
        "jetIdx": muon_jet,
        "genPartIdx": np.stack([parent, np.where(extra_pt > 0, 2, -1), np.full(count, -1)], 1),
    }
    return keep_filled(columns, sort_by_pt(pt), filled)


def _collect_taus(
    rng: np.random.Generator, events: HardEvents, tau_pt: Floats, jets: RecoJets, jet_place: Ints
) -> Collection:
    """Candidate, and hard jets that are reconstructed as (mostly not isolated) taus."""
    count = len(events)
    hard = slice(1, 1 + JET_SLOTS)
    ratio = rng.lognormal(np.log(0.8), 0.2, (count, JET_SLOTS))
    other_pt = np.where(rng.random((count, JET_SLOTS)) < 0.15, jets.pt[:, hard] * ratio, 0.0)
    apart = delta_r(
        events.jet_eta, events.jet_phi, events.tau_eta[:, None], events.tau_phi[:, None]
    )
    found = (other_pt > _TAU_PT_MIN) & (np.abs(events.jet_eta) < _TAU_ETA_MAX) & (apart > 0.5)
    other_pt = np.where(found, other_pt, 0.0)

    def columns(first: FlatColumn, others: FlatColumn) -> FlatColumn:
        return np.concatenate([first[:, np.newaxis], others], axis=1)

    pt = columns(tau_pt, other_pt)
    filled = pt > 0.0
    mode = rng.choice(np.array([0, 1, 10]), (count, JET_SLOTS), p=(0.12, 0.55, 0.33))
    mass = np.where(mode == 0, 0.13957, rng.uniform(0.5, 1.4, mode.shape))
    source = columns(events.tau_source, np.full((count, JET_SLOTS), SOURCE_JET))
    scale = columns(response.isolation_scale(events), np.full((count, JET_SLOTS), 12.0))
    identified = response.identify_taus(rng, source, scale)
    charge = columns(events.tau_charge, 2 * rng.integers(0, 2, (count, JET_SLOTS)) - 1)
    gen_index = columns(
        # An electron of a tau decay is not in the record of generator particles.
        np.where(np.isin(events.tau_source, (SOURCE_TAU, SOURCE_MUON)), 2, -1),
        np.full((count, JET_SLOTS), -1),
    )
    table = {
        "pt": pt,
        "eta": columns(events.tau_eta, events.jet_eta),
        "phi": columns(events.tau_phi, events.jet_phi),
        "mass": columns(events.tau_mass, mass),
        "charge": charge,
        "decayMode": columns(events.tau_mode, mode),
        "relIso_all": identified.relative_isolation,
        "jetIdx": jet_place[:, : 1 + JET_SLOTS],
        "genPartIdx": gen_index,
        "idDecayMode": identified.decay_mode,
        "idIsoRaw": identified.raw_isolation,
        **{
            f"idIso{name}": identified.raw_isolation < cut
            for name, cut in response.ISOLATION_CUTS.items()
        },
        **{f"idAntiEle{name}": value for name, value in identified.anti_electron.items()},
        **{f"idAntiMu{name}": value for name, value in identified.anti_muon.items()},
    }
    return keep_filled(table, sort_by_pt(pt), filled)


def _forget_truth(objects: Collection) -> Collection:
    """Take the pointers to generator particles away: collisions have none."""
    nothing = np.full_like(objects.columns["genPartIdx"], -1)
    return Collection(objects.counts, {**objects.columns, "genPartIdx": nothing})


def _collect_gen(events: HardEvents) -> Collection:
    """Keep generator particles in the order resonance, parent of the muon, parent of the tau."""
    filled = events.gen_id != 0
    order = np.broadcast_to(np.arange(GEN_SLOTS), filled.shape)
    columns = {
        "pt": events.gen_pt,
        "eta": events.gen_eta,
        "phi": events.gen_phi,
        "mass": events.gen_mass,
        "pdgId": events.gen_id,
        "status": np.full(filled.shape, 2),
    }
    return keep_filled(columns, order, filled)


def _measure_met(
    rng: np.random.Generator,
    events: HardEvents,
    tau_pt: Floats,
    jets: RecoJets,
    vertices: Ints,
    mismodelling: DetectorDifference,
) -> dict[str, Floats]:
    """Missing momentum: neutrinos, lost muons, mismeasurement, unclustered energy, pile-up."""
    count = len(events)
    width = response.met_width(vertices)
    components = []
    # The share that is lost inside the acceptance gives the missing momentum of Z -> mu mu with a
    # fake tau in the public skims, where other effects add to it.
    lost_muon = (np.abs(events.extra_eta) > _MUON_ETA_MAX) | (rng.random(count) < 0.15)
    # Particle flow measures 0.9 of the unclustered energy.
    unmeasured = 0.1 - 0.9 * mismodelling.unclustered_scale
    parts = (
        (np.cos, events.neutrino_px, jets.shift_x),
        (np.sin, events.neutrino_py, jets.shift_y),
    )
    for project, neutrino, jet_shift in parts:
        muon_axis, tau_axis = project(events.muon_phi), project(events.tau_phi)
        extra = events.extra_pt * project(events.extra_phi)
        hard = np.sum(events.jet_pt * project(events.jet_phi), axis=1)
        visible = events.muon_pt * muon_axis + events.tau_jet_pt * tau_axis + extra + hard
        unclustered = -(visible + neutrino)
        noise = width * rng.standard_normal(count)
        noise = noise + mismodelling.extra_met_width * rng.standard_normal(count)
        components.append(
            neutrino
            + np.where(lost_muon, extra, 0.0)
            + (events.muon_pt - events.measured_muon_pt) * muon_axis
            + (events.tau_pt - tau_pt) * tau_axis
            + jet_shift
            + unmeasured * unclustered
            + noise
        )
    met_x, met_y = components
    jet_variance = (response.jet_resolution(jets.pt) * jets.pt) ** 2
    xx = width**2 + np.sum(jet_variance * np.cos(jets.phi) ** 2, axis=1)
    yy = width**2 + np.sum(jet_variance * np.sin(jets.phi) ** 2, axis=1)
    xy = np.sum(jet_variance * np.cos(jets.phi) * np.sin(jets.phi), axis=1)
    determinant = xx * yy - xy**2
    significance = (yy * met_x**2 - 2.0 * xy * met_x * met_y + xx * met_y**2) / determinant
    scalar_sum = (
        events.measured_muon_pt + np.sum(jets.pt, axis=1) + 36.0 * vertices
    ) * rng.lognormal(0.0, 0.12, count)
    return {
        "MET_pt": np.hypot(met_x, met_y),
        "MET_phi": np.arctan2(met_y, met_x),
        "MET_sumet": scalar_sum + 200.0,
        "MET_significance": significance,
        "MET_CovXX": xx,
        "MET_CovXY": xy,
        "MET_CovYY": yy,
    }
