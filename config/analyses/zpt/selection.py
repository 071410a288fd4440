"""Transverse momentum of Z → μμ at 13 TeV, measured and generated: an analysis that unfolds."""

from typing import Any

import awkward as ak
import numpy as np

from taipan.columns.selection import Field, NewField, Selection, scale

selection = Selection("zpt")


def generated(name: str) -> NewField:
    """Give a field of the generated muon that a muon is matched to; -1 without one."""
    field = Field("float32", "", f"{name} of the generated muon")
    return NewField(lambda muons: ak.fill_none(muons.matched_gen[name], -1.0), field)


@selection.trigger
def trigger(events: Any) -> Any:
    """Ask for an isolated muon of 24 GeV."""
    return events.HLT.IsoMu24 & (events.nMuon >= 2)


NEW = {f"gen_{name}": generated(name) for name in ("pt", "phi")}


@selection.objects("Muon", shifts={"muon_pt": scale(propagate=False)}, new=NEW)
def muons(events: Any) -> Any:
    """Tight, isolated muons."""
    found = events.Muon
    good = found.tightId & (found.pfRelIso04_all < 0.15) & (abs(found.eta) < 2.4)
    return found[good & (found.pt > 20)]


MEANINGS = {
    "charge_product": "product of the charges",
    "m_mumu": "invariant mass of the muons [GeV]",
    "pt_mumu": "transverse momentum of the muons [GeV]",
    "gen_pt_mumu": "the same of the generated muons, -1 if one is not matched [GeV]",
    "npv": "reconstructed primary vertices",
}


@selection.quantities(MEANINGS, simulation_only=("gen_pt_mumu",))
def pair(events: Any) -> dict[str, Any]:
    """Take the two muons of highest pT."""
    passes = (ak.num(events.Muon) >= 2) & ak.any(events.Muon.pt > 26, axis=1)
    chosen = events[passes]
    found = chosen.Muon[ak.argsort(chosen.Muon.pt, ascending=False)]
    mu, nu = found[:, 0], found[:, 1]
    x, y = (
        mu.gen_pt * turn(mu.gen_phi) + nu.gen_pt * turn(nu.gen_phi) for turn in (np.cos, np.sin)
    )
    matched = (mu.gen_pt >= 0) & (nu.gen_pt >= 0)
    both = {"m_mumu": (mu + nu).mass, "pt_mumu": (mu + nu).pt, "npv": chosen.PV.npvs}
    both |= {"gen_pt_mumu": ak.where(matched, np.hypot(x, y), -1.0)}
    return {"passes": passes, "charge_product": mu.charge * nu.charge, **both}


ANALYSIS = selection.build()
