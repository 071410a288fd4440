"""H→ττ→μτ_h on CMS 2012 Open Data: selection, event quantities and kinematic shifts.

The selection is that of the public CMS outreach analysis of the same nine samples (CERN Open Data
record 12350): the μ+τ_h cross trigger, a tight muon, a tight hadronic tau, the pair with the muon
of highest pT and then the best isolated tau. It differs in two ways: objects below the thresholds
are kept as far as a kinematic variation can lift them, and jets within ΔR = 0.5 of the selected
muon or tau are not counted as jets (the tau itself is in the jet collection of these files).

Energies, momenta and masses are in GeV, angles in rad.
"""

from typing import Any

import awkward as ak
import numpy as np

from taipan.columns import selection as tp
from taipan.columns.nanoaod_2012 import ALTERNATIVES

MUON_PT, MUON_ETA = 17.0, 2.1
TAU_PT, TAU_ETA = 20.0, 2.3
JET_PT, SOFT_JET_PT, JET_ETA = 30.0, 15.0, 4.7
CONE = 0.5
TAU_PDG_ID = 15
TAU_MODES = {"1prong": (0,), "1prong_pi0": (1, 2), "3prong": (10,)}
JET_ETA_RANGES = {"barrel": (0.0, 1.3), "endcap": (1.3, 3.0), "forward": (3.0, JET_ETA)}
"""|η| of the calorimeters' parts (arXiv:1607.03663)."""
MISSING_JET = -900.0
"""Flat ntuples write -999 for a jet that is not there."""

UNSTORED = {"n_jets_unstored": tp.Field("int32", "", "jets above 30 GeV that are not listed")}
selection = tp.Selection(
    "htautau", alternatives=ALTERNATIVES, flat_only=UNSTORED, fingerprint=("MET_pt", "MET_phi")
)
selection.vary_missing(met_unclustered=tp.unclustered())


@selection.trigger
def trigger(events: Any) -> Any:
    """Ask for the trigger and at least one muon and one tau."""
    fired = events.HLT.IsoMu17_eta2p1_LooseIsoPFTau20 != 0
    return fired & (events.nMuon > 0) & (events.nTau > 0)


GENUINE = {"genuine": tp.matched_to(TAU_PDG_ID, "matched to a generated tau")}


@selection.objects("Muon", new=GENUINE, shifts={"muon_pt": tp.scale()})
def muons(events: Any) -> Any:
    """Select tight muons."""
    found = events.Muon
    return found[found.tightId & (found.pt > MUON_PT) & (abs(found.eta) < MUON_ETA)]


TAU_SCALES = {
    f"tau_pt_{name}": tp.scale(where={"decayMode": modes, "genuine": (1,)})
    for name, modes in TAU_MODES.items()
}


@selection.objects("Tau", new=GENUINE, shifts={"tau_pt": tp.scale(), **TAU_SCALES})
def taus(events: Any) -> Any:
    """Select tight hadronic taus."""
    found = events.Tau
    identified = found.idDecayMode & found.idIsoTight & found.idAntiEleTight & found.idAntiMuTight
    within = (found.pt > TAU_PT) & (abs(found.eta) < TAU_ETA)
    return found[identified & within & (found.charge != 0)]


JET_SHIFTS = {
    "jet_pt": tp.scale(loosens=False),
    **{f"jet_pt_{k}": tp.scale(eta=eta, loosens=False) for k, eta in JET_ETA_RANGES.items()},
    "jet_resolution": tp.smear(),
}


@selection.objects("Jet", jets=True, shifts=JET_SHIFTS)
def jets(events: Any) -> Any:
    """Select jets down to those that carry the energy scale into the missing momentum."""
    found = events.Jet
    return found[(found.pt > SOFT_JET_PT) & (abs(found.eta) < JET_ETA) & (found.puId != 0)]


def separated_pairs(events: Any) -> Any:
    """Pair each muon with each tau that is not the same thing."""
    pairs = ak.cartesian({"mu": events.Muon, "tau": events.Tau})
    return pairs[pairs.mu.delta_r(pairs.tau) > CONE]


@selection.cuts
def cuts(events: Any) -> dict[str, Any]:
    """Ask for a good muon, a good tau, and a pair."""
    found = {"muon": events.Muon, "tau": events.Tau, "pair": separated_pairs(events)}
    return {name: ak.num(things) > 0 for name, things in found.items()}


LEG = {"pt": "transverse momentum [GeV]", "eta": "pseudorapidity", "phi": "azimuth [rad]"}
LEG |= {"m": "mass [GeV]", "q": "charge [e]", "iso": "relative isolation"}
PAIR = {
    **{f"{k}_{i}": f"{leg} {v}" for i, leg in ((1, "muon"), (2, "tau")) for k, v in LEG.items()},
    "dm_2": "tau decay mode",
    "gen_match": "1 if both legs come from generated taus",
    "genuine_2": "1 if the tau comes from a generated tau",
    "m_vis": "invariant mass of muon and tau [GeV]",
    "pt_vis": "transverse momentum of muon and tau [GeV]",
    "delta_r": "ΔR of muon and tau",
    "delta_eta": "|Δη| of muon and tau",
    "delta_phi": "|Δφ| of muon and tau [rad]",
}


@selection.quantities(PAIR, simulation_only=("gen_match", "genuine_2"))
def pair(events: Any) -> dict[str, Any]:
    """Choose the muon of highest pT, then the best isolated tau."""
    pairs = separated_pairs(events)
    passes = ak.num(pairs) > 0
    pairs = pairs[passes]
    pairs = pairs[pairs.mu.pt == ak.max(pairs.mu.pt, axis=1)]
    best = ak.drop_none(pairs[ak.argmin(pairs.tau.relIso_all, axis=1, keepdims=True)])[:, 0]
    mu, tau = best.mu, best.tau
    legs = {f"{k}_{i}": leg[k] for i, leg in ((1, mu), (2, tau)) for k in ("pt", "eta", "phi")}
    legs |= {"m_1": mu.mass, "q_1": mu.charge, "iso_1": mu.pfRelIso03_all, "dm_2": tau.decayMode}
    legs |= {"m_2": tau.mass, "q_2": tau.charge, "iso_2": tau.relIso_all}
    found = {"gen_match": mu.genuine & tau.genuine, "genuine_2": tau.genuine}
    found |= {"m_vis": (mu + tau).mass}
    found |= {"pt_vis": (mu + tau).pt, "delta_r": mu.delta_r(tau)}
    found |= {"delta_eta": abs(mu.eta - tau.eta), "delta_phi": abs(mu.delta_phi(tau))}
    return {"passes": passes, **legs, **found}


MISSING = {
    "met": "missing transverse momentum [GeV]",
    "phi_met": "azimuth of the MET [rad]",
    "mt_1": "transverse mass of muon and MET [GeV]",
    "mt_2": "transverse mass of tau and MET [GeV]",
    "mt_tot": "total transverse mass of muon, tau and MET [GeV]",
    "pt_tt": "transverse momentum of muon, tau and MET [GeV]",
    "npv": "reconstructed primary vertices",
}


@selection.quantities(MISSING)
def missing_momentum(events: Any, pair: Any) -> dict[str, Any]:
    """Compute what the missing momentum makes of the pair."""
    mu = tp.make_particles(pt=pair.pt_1, eta=pair.eta_1, phi=pair.phi_1, mass=pair.m_1)
    tau = tp.make_particles(pt=pair.pt_2, eta=pair.eta_2, phi=pair.phi_2, mass=pair.m_2)
    mt_1, mt_2 = tp.transverse_mass(mu, events.MET), tp.transverse_mass(tau, events.MET)
    mt_tot = np.sqrt(mt_1**2 + mt_2**2 + tp.transverse_mass(mu, tau) ** 2)
    both = tp.add_transverse(mu, tau, events.MET)
    found = {"met": events.MET.pt, "phi_met": events.MET.phi, "npv": events.PV.npvs}
    return {**found, "mt_1": mt_1, "mt_2": mt_2, "mt_tot": mt_tot, "pt_tt": both.pt}


JET = {"jpt": "transverse momentum [GeV]", "jeta": "pseudorapidity", "jphi": "azimuth [rad]"}
JET |= {"jm": "mass [GeV]", "jbtag": "b-tag discriminator"}
JETS = {
    **{f"{name}_{i}": f"jet {i} {text}" for i in (1, 2) for name, text in JET.items()},
    "njets": "jets with pT > 30 GeV away from the pair",
    "mjj": "invariant mass of the two leading jets [GeV]",
    "ptjj": "transverse momentum of the two leading jets [GeV]",
    "jdeta": "|Δη| of the two leading jets",
}


@selection.quantities(JETS)
def leading_jets(events: Any, pair: Any) -> dict[str, Any]:
    """Count jets away from the pair and describe the two leading ones."""
    found = events.Jet[events.Jet.pt > JET_PT]
    for leg in (tp.Direction(pair.eta_1, pair.phi_1), tp.Direction(pair.eta_2, pair.phi_2)):
        found = found[found.delta_r(leg) > CONE]
    number = ak.num(found) + events.n_jets_unstored
    found = found[ak.argsort(found.pt, ascending=False)]
    two = ak.firsts(found), ak.firsts(found[:, 1:])
    fields = dict(zip(JET, ("pt", "eta", "phi", "mass", "btag"), strict=True))
    described = {f"{k}_{i + 1}": two[i][name] for i in (0, 1) for k, name in fields.items()}
    both, distance = two[0] + two[1], abs(two[0].eta - two[1].eta)
    return {**described, "njets": number, "mjj": both.mass, "ptjj": both.pt, "jdeta": distance}


IDENTITY = ("run", "pt_1", "eta_1", "phi_1", "pt_2", "eta_2", "phi_2", "pt_met", "phi_met")


@selection.flat(identity=IDENTITY)
def read_flat(ntuple: Any) -> dict[str, Any]:
    """Read one pair and the two leading jets of each event, selected at nominal thresholds."""

    def read(name: str, **others: Any) -> Any:
        momentum = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "m"}
        fields = {key: ntuple[name.format(short)] for key, short in momentum.items()}
        return tp.make_particles(**fields, **others)

    genuine = (ntuple.gen_match != 0) & (not ntuple.is_data)
    flags = dict.fromkeys(("idDecayMode", "idIsoTight", "idAntiEleTight", "idAntiMuTight"), True)
    # of the tau alone the files do not tell, so that all simulated taus count as genuine
    flags |= {"genuine": ak.full_like(genuine, not ntuple.is_data), "charge": ntuple.q_2}
    flags["decayMode"] = ntuple.dm_2
    mu = {"pfRelIso03_all": ntuple.iso_1, "charge": ntuple.q_1, "genuine": genuine, "tightId": True}
    both = [read(f"j{{}}_{i}", btag=ntuple[f"jbtag_{i}"], puId=1) for i in (1, 2)]
    listed = [ak.singletons(ak.mask(jet, jet.pt > MISSING_JET)) for jet in both]
    found = {"Jet": ak.concatenate(listed, axis=1), "run": ntuple.run, "PV_npvs": ntuple.npv}
    found |= {"Muon": read("{}_1", **mu), "Tau": read("{}_2", relIso_all=ntuple.iso_2, **flags)}
    found["n_jets_unstored"] = ntuple.njets - ak.num(found["Jet"])
    return {**found, "MET": {"pt": ntuple.pt_met, "phi": ntuple.phi_met}}


ANALYSIS = selection.build()
