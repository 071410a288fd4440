"""Where H→ττ→μτ_h finds its branches in full NanoAOD, which differs from the 2012 files.

The analysis is written for the reduced NanoAOD of 2012; a full NanoAOD file of 2015 or later names
several of its branches differently, or has none of the same meaning. What takes their place is
listed here with the physics it stands for; `docs/skim.md` has the table for readers. Nothing is
replaced by something that merely has a similar name: a file with none of the ways is refused.
"""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from taipan.analysis import Alternative, Alternatives
from taipan.columns.working_points import any_of, at_least, has_bits

TIGHT_ISOLATION = 0.8
"""GeV: combined isolation of a tight tau in 2012 (CMS, arXiv:1510.07488; the same number in CMSSW,
``hpsPFTauDiscriminationByTightCombinedIsolationDBSumPtCorr``)."""
ONE_AND_THREE_PRONGS = (0, 1, 2, 10)
"""Decay modes of `decayModeFinding`: one prong with up to two π⁰, three prongs without."""
HADRONIC_TAU, MUON_FROM_TAU = 5, 15
"""Values of ``genPartFlav``: a tau's hadronic decay; a muon from a prompt tau."""

_HPS27 = "HLT_IsoMu20_eta2p1_LooseChargedIsoPFTauHPS27_eta2p1_CrossL1"
_PF27 = "HLT_IsoMu20_eta2p1_LooseChargedIsoPFTau27_eta2p1_CrossL1"
_CROSS_27 = "the μ+τ trigger of 2017 and later, tau above 27 GeV"


def _points_to_tau(flavour: int) -> Any:
    """Index 0 where the matched particle is of that flavour, -1 elsewhere.

    Full NanoAOD points from a hadronic tau into `GenVisTau` and from a muon to the muon itself, so
    the index says nothing about `GenPart`; the flavour says what the match is. The list pointed
    into is that of :func:`_one_tau`.
    """

    def derive(flavours: Any) -> Any:
        return ak.where(flavours == flavour, np.int32(0), np.int32(-1))

    return derive


def _one_tau(events: Any) -> Any:
    """List of one generated tau an event, which the indices of :func:`_points_to_tau` mean."""
    return ak.unflatten(np.full(len(events), 15, dtype=np.int32), np.ones(len(events), np.int64))


def _pass_all(values: Any) -> Any:
    return ak.ones_like(values, dtype=np.int32)


def _in_old_decay_modes(modes: Any) -> Any:
    found = modes == ONE_AND_THREE_PRONGS[0]
    for mode in ONE_AND_THREE_PRONGS[1:]:
        found = found | (modes == mode)
    return found


def _by_flavour(branch: str, flavour: int, meaning: str) -> tuple[Alternative, ...]:
    return (Alternative((branch,), meaning, _points_to_tau(flavour), preferred=True),)


ALTERNATIVES: Alternatives = {
    "HLT_IsoMu17_eta2p1_LooseIsoPFTau20": (
        Alternative(
            ("HLT_IsoMu19_eta2p1_LooseIsoPFTau20",),
            "the μ+τ trigger of 2016, muon above 19 GeV",
        ),
        Alternative((_HPS27, _PF27), _CROSS_27, any_of),
        Alternative((_HPS27,), _CROSS_27),
        Alternative((_PF27,), _CROSS_27),
    ),
    "MET_pt": (
        Alternative(("PuppiMET_pt",), "PUPPI MET"),
        Alternative(("PFMET_pt",), "particle-flow MET"),
    ),
    "MET_phi": (
        Alternative(("PuppiMET_phi",), "PUPPI MET"),
        Alternative(("PFMET_phi",), "particle-flow MET"),
    ),
    "Tau_relIso_all": (
        Alternative(
            ("Tau_chargedIso", "Tau_neutralIso", "Tau_pt"),
            "sum of charged and photon isolation over pT, as in 2012",
            lambda charged, neutral, pt: (charged + neutral) / pt,
        ),
    ),
    "Tau_idDecayMode": (
        Alternative(("Tau_idDecayModeOldDMs",), "decay modes as in 2012"),
        Alternative(("Tau_decayMode",), "decay modes as in 2012", _in_old_decay_modes),
    ),
    "Tau_idIsoTight": (
        Alternative(
            ("Tau_rawIso",),
            "combined isolation below 0.8 GeV, as in 2012",
            lambda isolation: isolation < TIGHT_ISOLATION,
        ),
        Alternative(
            ("Tau_idDeepTau2018v2p5VSjet",), "DeepTau v2.5 against jets, tight", at_least(6)
        ),
    ),
    "Tau_idAntiEleTight": (
        Alternative(("Tau_idAntiEle",), "MVA6 against electrons, tight", has_bits(8)),
        Alternative(("Tau_idAntiEle2018",), "MVA6 against electrons, tight", has_bits(8)),
        Alternative(
            ("Tau_idDeepTau2018v2p5VSe",), "DeepTau v2.5 against electrons, tight", at_least(6)
        ),
        # the same name is a bit mask up to NanoAODv9 and a number of the working point after it
        Alternative(
            ("Tau_idDeepTau2017v2p1VSe",),
            "DeepTau v2.1 against electrons, tight",
            has_bits(32),
            titled="bitmask",
        ),
        Alternative(
            ("Tau_idDeepTau2017v2p1VSe",),
            "DeepTau v2.1 against electrons, tight",
            at_least(6),
            titled="6 = Tight",
        ),
    ),
    "Tau_idAntiMuTight": (
        # 2 is the tight point of the mask (1, 3) and of the enumeration (1, 2)
        Alternative(("Tau_idAntiMu",), "cut-based anti-muon, tight", has_bits(2)),
        Alternative(
            ("Tau_idDeepTau2018v2p5VSmu",), "DeepTau v2.5 against muons, tight", at_least(4)
        ),
    ),
    "Jet_btag": (
        Alternative(("Jet_btagCSVV2",), "CSVv2 b tag"),
        Alternative(("Jet_btagDeepFlavB",), "DeepJet b tag"),
        Alternative(("Jet_btagUParTAK4B",), "UParT b tag"),
    ),
    "Jet_puId": tuple(
        # these taggers came with PUPPI jets, which have no pile-up jets to reject
        Alternative(("Jet_pt",), "PUPPI jets, all accepted", _pass_all, markers=(marker,))
        for marker in ("Jet_btagPNetB", "Jet_btagUParTAK4B")
    ),
    "Muon_genPartIdx": _by_flavour("Muon_genPartFlav", MUON_FROM_TAU, "muons from a prompt tau"),
    "Tau_genPartIdx": _by_flavour("Tau_genPartFlav", HADRONIC_TAU, "hadronic decays of a tau"),
    "GenPart_pdgId": (
        Alternative(
            ("run",),
            "the tau that a flavour names",
            _one_tau,
            markers=("Muon_genPartFlav", "Tau_genPartFlav"),
            preferred=True,
        ),
    ),
}
"""Branch of the analysis → where full NanoAOD has it, best first."""
