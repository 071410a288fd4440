"""X → μμ: which muons and events are selected, and which numbers each event has.

It is written as coffea users write: `events.Muon` are the muons of each event as four-vectors, and
masks choose among them. What is read from the files follows from what is used here.
"""

from typing import Any

import awkward as ak

from taipan.columns.selection import Selection, scale

selection = Selection("demo")


@selection.trigger
def trigger(events: Any) -> Any:
    """Ask for the trigger: looked at first, and of all events."""
    return events.HLT.Mu50 & (events.nMuon >= 2)


# The shift `muon_pt` scales the muons' pT, and the missing momentum with it. The skim keeps what
# passes under any shift, so the cuts here are the nominal ones.
@selection.objects("Muon", shifts={"muon_pt": scale()})
def muons(events: Any) -> Any:
    """Select tight, isolated muons; afterwards `events.Muon` are these."""
    found = events.Muon
    good = found.tightId & (found.pfRelIso04_all < 0.15) & (abs(found.eta) < 2.4)
    return found[good & (found.pt > 30)]


@selection.cuts
def cuts(events: Any) -> dict[str, Any]:
    """Select events; each cut is a line of the cutflow."""
    return {"two muons": ak.num(events.Muon) >= 2}


MEANINGS = {  # quantity: what it is, with its unit
    "pt_1": "transverse momentum of the leading muon [GeV]",
    "pt_2": "transverse momentum of the second muon [GeV]",
    "q_1": "charge of the leading muon",
    "q_2": "charge of the second muon",
    "m_mumu": "invariant mass of both muons [GeV]",
    "delta_eta": "difference of their pseudorapidities",
    "met": "missing transverse momentum [GeV]",
}


@selection.quantities(MEANINGS)
def pair(events: Any) -> dict[str, Any]:
    """Compute the quantities, which cuts, features and plots of analysis.yaml may use."""
    # A shift may lift a muon over the cut or drop it: `passes` tells which events are in, and all
    # other values are those of these events.
    passes = (ak.num(events.Muon) >= 2) & ak.any(events.Muon.pt > 60, axis=1)
    events = events[passes]
    muons = events.Muon[ak.argsort(events.Muon.pt, ascending=False)]
    first, second = muons[:, 0], muons[:, 1]
    return {
        "passes": passes,
        "pt_1": first.pt,
        "pt_2": second.pt,
        "q_1": first.charge,
        "q_2": second.charge,
        "m_mumu": (first + second).mass,
        "delta_eta": abs(first.eta - second.eta),
        "met": events.MET.pt,
    }


ANALYSIS = selection.build()
