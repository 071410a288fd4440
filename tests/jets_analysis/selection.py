"""Events with two jets, of any full NanoAOD."""

from typing import Any

import awkward as ak

from taipan.columns.selection import Selection

selection = Selection("jets")


@selection.objects("Jet")
def jets(events: Any) -> Any:
    """Jets of 30 GeV."""
    found = events.Jet
    return found[(found.pt > 30) & (abs(found.eta) < 2.4)]


@selection.cuts
def cuts(events: Any) -> dict[str, Any]:
    """Two jets."""
    return {"two jets": ak.num(events.Jet) >= 2}


@selection.quantities(
    {"njets": "jets", "ht": "scalar sum of the jets' transverse momenta [GeV]", "npv": "vertices"}
)
def sums(events: Any) -> dict[str, Any]:
    """Count and add the jets."""
    passes = ak.num(events.Jet) >= 2
    chosen = events[passes]
    return {
        "passes": passes,
        "njets": ak.num(chosen.Jet),
        "ht": ak.sum(chosen.Jet.pt, axis=1),
        "npv": chosen.PV.npvs,
    }


ANALYSIS = selection.build()
