"""The derived quantities of the challenge, from the momenta of all that is measured.

Definitions: arXiv:2410.02867, appendix. Leptons and jets count as massless. What needs a jet that
is not there is NaN, in the place of the -25 of the public files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MEANINGS = {
    "DER_mass_transverse_met_lep": "transverse mass of lepton and missing momentum [GeV]",
    "DER_mass_vis": "visible mass of lepton and tau [GeV]",
    "DER_pt_h": "transverse momentum of lepton, tau and missing momentum [GeV]",
    "DER_deltaeta_jet_jet": "distance of the two jets in pseudorapidity",
    "DER_mass_jet_jet": "mass of the two jets [GeV]",
    "DER_prodeta_jet_jet": "product of the pseudorapidities of the two jets",
    "DER_deltar_had_lep": "distance ΔR of lepton and tau",
    "DER_pt_tot": "transverse momentum of lepton, tau, missing momentum and two jets [GeV]",
    "DER_sum_pt": "scalar sum of the momenta of lepton, tau and all jets [GeV]",
    "DER_pt_ratio_lep_had": "lepton pT over tau pT",
    "DER_met_phi_centrality": "whether the missing momentum points between lepton and tau, ±√2",
    "DER_lep_eta_centrality": "whether the lepton lies between the two jets, 0 to 1",
}
"""Derived quantity → what it is."""


def derive(pri: Mapping[str, Array]) -> dict[str, Array]:
    """Compute the twelve derived quantities.

    Parameters
    ----------
    pri
        The sixteen primary quantities, shape (n,) each, momenta in GeV; NaN for a jet that is not
        there.

    Returns
    -------
    dict
        Quantity → array of shape (n,).
    """
    lep, had = (_momentum(pri, f"PRI_{name}") for name in ("lep", "had"))
    first, second = (_momentum(pri, f"PRI_jet_{name}") for name in ("leading", "subleading"))
    met = _direction(pri["PRI_met"], pri["PRI_met_phi"])
    two = np.nan_to_num(first) + np.nan_to_num(second)
    higgs = lep[:2] + had[:2] + met
    eta_1, eta_2 = pri["PRI_jet_leading_eta"], pri["PRI_jet_subleading_eta"]
    half = (eta_1 - eta_2) / 2.0
    middle = (eta_1 + eta_2) / 2.0
    transverse = (pri["PRI_met"] + pri["PRI_lep_pt"]) ** 2 - ((met + lep[:2]) ** 2).sum(axis=0)
    turn = np.mod(pri["PRI_lep_phi"] - pri["PRI_had_phi"] + 3 * np.pi, 2 * np.pi) - np.pi
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.exp(-(((pri["PRI_lep_eta"] - middle) / half) ** 2))
    return {
        "DER_mass_transverse_met_lep": np.sqrt(np.maximum(transverse, 0.0)),
        "DER_mass_vis": _mass(lep + had),
        "DER_pt_h": np.hypot(*higgs),
        "DER_deltaeta_jet_jet": np.abs(eta_1 - eta_2),
        "DER_mass_jet_jet": _mass(first + second),
        "DER_prodeta_jet_jet": eta_1 * eta_2,
        "DER_deltar_had_lep": np.hypot(pri["PRI_lep_eta"] - pri["PRI_had_eta"], turn),
        "DER_pt_tot": np.hypot(*(higgs + two[:2])),
        "DER_sum_pt": pri["PRI_lep_pt"] + pri["PRI_had_pt"] + pri["PRI_jet_all_pt"],
        "DER_pt_ratio_lep_had": pri["PRI_lep_pt"] / pri["PRI_had_pt"],
        "DER_met_phi_centrality": _centrality(
            pri["PRI_met_phi"], pri["PRI_lep_phi"], pri["PRI_had_phi"]
        ),
        "DER_lep_eta_centrality": between,
    }


def _direction(size: Array, phi: Array) -> Array:
    return np.stack([size * np.cos(phi), size * np.sin(phi)])


def _momentum(pri: Mapping[str, Array], name: str) -> Array:
    """Px, py, pz, E of a massless object, shape (4, n)."""
    pt, eta, phi = (np.asarray(pri[f"{name}_{key}"], np.float64) for key in ("pt", "eta", "phi"))
    return np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)])


def _mass(momentum: Array) -> Array:
    squared = momentum[3] ** 2 - (momentum[:3] ** 2).sum(axis=0)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def _centrality(met: Array, lep: Array, had: Array) -> Array:
    """Place of the missing momentum in the frame whose axes are lepton and tau."""
    side = np.sign(np.sin(had - lep))
    a, b = np.sin(met - lep) * side, np.sin(had - met) * side
    length = np.hypot(a, b)
    return np.asarray(np.divide(a + b, length, out=np.zeros_like(length), where=length > 0.0))
