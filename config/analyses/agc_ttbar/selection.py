"""tt̄ → ℓ+jets of the Analysis Grand Challenge: one lepton, four jets, one or two of them b-tagged.

The cuts are those of version 1 of its specification for CMS Open Data of 2015 in NanoAOD.
"""

from typing import Any

import awkward as ak
import numpy as np

from taipan.analysis import Alternative
from taipan.columns.selection import Selection, scale, smear

B_TAG = 0.5
LEPTON_VETO = 4  # bit of Jet_jetId: tight with a veto of leptons

selection = Selection(
    "agc_ttbar",
    alternatives={  # NanoAOD without CSVv2 has taggers of its own
        "Jet_btagCSVV2": (Alternative(("Jet_btagDeepFlavB",), "DeepFlavour in the place of CSVv2"),)
    },
)


@selection.objects("Electron")
def electrons(events: Any) -> Any:
    """Tight electrons from the primary vertex."""
    found = events.Electron
    good = (found.cutBased == 4) & (found.sip3d < 4)
    return found[good & (found.pt > 30) & (abs(found.eta) < 2.1)]


@selection.objects("Muon")
def muons(events: Any) -> Any:
    """Tight, isolated muons from the primary vertex."""
    found = events.Muon
    good = found.tightId & (found.sip3d < 4) & (found.pfRelIso04_all < 0.15)
    return found[good & (found.pt > 30) & (abs(found.eta) < 2.1)]


@selection.objects("Jet", jets=True, shifts={"jet_pt": scale(), "jet_resolution": smear()})
def jets(events: Any) -> Any:
    """Jets that are no leptons."""
    found = events.Jet
    within = (found.pt > 30) & (abs(found.eta) < 2.4)
    return found[within & ((found.jetId & LEPTON_VETO) != 0)]


@selection.cuts
def cuts(events: Any) -> dict[str, Any]:
    """One lepton and four jets, one of them b-tagged."""
    return {
        "one lepton": ak.num(events.Electron) + ak.num(events.Muon) == 1,
        "four jets": ak.num(events.Jet) >= 4,
        "b-tag": ak.any(events.Jet.btagCSVV2 >= B_TAG, axis=1),
    }


@selection.quantities(
    {
        "njets": "jets",
        "nbtags": "jets with a b-tag",
        "ht": "scalar sum of the jets' transverse momenta [GeV]",
        "m_trijet": "mass of the three jets of highest pT, one with a b-tag [GeV]",
        **{f"jet_pt_{i}": f"transverse momentum of jet {i} [GeV]" for i in (1, 2, 3, 4)},
        "npv": "reconstructed primary vertices",
    }
)
def observables(events: Any) -> dict[str, Any]:
    """Sum of momenta, and the mass of the hadronic top's three jets."""
    found = events.Jet
    passes = (ak.num(found) >= 4) & ak.any(found.btagCSVV2 >= B_TAG, axis=1)
    chosen = events[passes]
    found = chosen.Jet
    three = ak.combinations(found, 3, fields=["a", "b", "c"])
    tags = np.maximum(three.a.btagCSVV2, np.maximum(three.b.btagCSVV2, three.c.btagCSVV2))
    three = three[tags > B_TAG]
    top = three.a + three.b + three.c
    best = ak.firsts(top[ak.argmax(top.pt, axis=1, keepdims=True)])
    return {
        "passes": passes,
        "njets": ak.num(found),
        "nbtags": ak.sum(found.btagCSVV2 >= B_TAG, axis=1),
        "ht": ak.sum(found.pt, axis=1),
        "m_trijet": ak.fill_none(best.mass, 0.0),  # the only tag may be 0.5 exactly
        **{f"jet_pt_{i + 1}": found.pt[:, i] for i in range(4)},
        "npv": chosen.PV.npvs,
    }


ANALYSIS = selection.build()
