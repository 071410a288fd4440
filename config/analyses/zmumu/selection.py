"""Z → μμ at 13 TeV: two tight, isolated muons, one of which fired the trigger."""

from typing import Any

import awkward as ak

from taipan.columns.selection import Field, NewField, Selection, scale

selection = Selection("zmumu")
prompt = NewField(lambda muons: muons.genPartFlav == 1, Field("bool", "", "of the hard process"))


@selection.trigger
def trigger(events: Any) -> Any:
    """Ask for an isolated muon of 24 GeV."""
    return events.HLT.IsoMu24 & (events.nMuon >= 2)


@selection.objects("Muon", shifts={"muon_pt": scale(propagate=False)}, new={"prompt": prompt})
def muons(events: Any) -> Any:
    """Tight, isolated muons."""
    found = events.Muon
    good = found.tightId & (found.pfRelIso04_all < 0.15) & (abs(found.eta) < 2.4)
    return found[good & (found.pt > 20)]


@selection.cuts
def cuts(events: Any) -> dict[str, Any]:
    """Two muons, one on the plateau of the trigger."""
    two, leading = ak.num(events.Muon) >= 2, ak.any(events.Muon.pt > 26, axis=1)
    return {"two muons": two, "leading muon": leading}


MEANINGS = {
    **{f"pt_{leg}": f"transverse momentum of muon {leg} [GeV]" for leg in (1, 2)},
    **{f"eta_{leg}": f"pseudorapidity of muon {leg}" for leg in (1, 2)},
    "charge_product": "product of the charges",
    "m_mumu": "invariant mass of the muons [GeV]",
    "pt_mumu": "transverse momentum of the muons [GeV]",
    "npv": "reconstructed primary vertices",
    "gen_mumu": "1 if both muons come from the hard process",
}


@selection.quantities(MEANINGS, simulation_only=("gen_mumu",))
def pair(events: Any) -> dict[str, Any]:
    """Take the two muons of highest pT."""
    passes = (ak.num(events.Muon) >= 2) & ak.any(events.Muon.pt > 26, axis=1)
    chosen = events[passes]
    found = chosen.Muon[ak.argsort(chosen.Muon.pt, ascending=False)]
    mu, nu = found[:, 0], found[:, 1]
    quantities = {f"{k}_{i}": leg[k] for i, leg in ((1, mu), (2, nu)) for k in ("pt", "eta")}
    quantities |= {"charge_product": mu.charge * nu.charge, "gen_mumu": mu.prompt & nu.prompt}
    quantities |= {"m_mumu": (mu + nu).mass, "pt_mumu": (mu + nu).pt, "npv": chosen.PV.npvs}
    return {"passes": passes, **quantities}


ANALYSIS = selection.build()
