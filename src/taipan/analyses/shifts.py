"""Kinematic shifts of muons, taus, jets and unclustered momentum, propagated to the MET.

Each is a pure function of the skim columns; a size of zero returns them as they are. The MET always
balances what was shifted, so muons + taus + jets + unclustered + MET stays zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Columns
from taipan.kinematics import delta_r

Array = NDArray[Any]

SOFT_JET_PT = 15.0
"""Jets above this pT (GeV) carry the jet energy scale into the MET, as CMS propagates it (JINST 10
(2015) P02006); softer ones count as unclustered."""
CONE = 0.5
"""ΔR of the pair, and of jets from the pair's legs."""


def _sum_xy(columns: Columns, collection: str, keep: Array | None = None) -> tuple[Array, Array]:
    """Vector sum of transverse momenta of a collection, shape (n,) each."""
    pt, phi = columns[f"{collection}_pt"], columns[f"{collection}_phi"]
    weight = np.where(np.isnan(pt), 0.0, pt) if keep is None else np.where(keep, pt, 0.0)
    angle = np.nan_to_num(phi)
    return (weight * np.cos(angle)).sum(axis=1), (weight * np.sin(angle)).sum(axis=1)


def _shifted_met(columns: Columns, dx: Array, dy: Array) -> dict[str, Array]:
    """MET after the visible momentum changed by (dx, dy)."""
    x = columns["MET_pt"] * np.cos(columns["MET_phi"]) - dx
    y = columns["MET_pt"] * np.sin(columns["MET_phi"]) - dy
    return {"MET_pt": np.hypot(x, y), "MET_phi": np.arctan2(y, x)}


def _isolated_jets(columns: Columns) -> Array:
    """Jets above the soft threshold away from every selected muon and tau, shape (n, jets)."""
    keep = columns["Jet_pt"] > SOFT_JET_PT
    for collection in ("Muon", "Tau"):
        for i in range(columns[f"{collection}_eta"].shape[1]):
            eta = columns[f"{collection}_eta"][:, i, None]
            phi = columns[f"{collection}_phi"][:, i, None]
            near = delta_r(columns["Jet_eta"], columns["Jet_phi"], eta, phi) < CONE
            keep &= ~near  # a padded object is at NaN, near nothing
    return keep


def shift_leptons(columns: Columns, size: float, collection: str) -> Columns:
    """Scale pT and mass of all muons or taus by 1 + `size`; the MET balances it."""
    if size == 0.0:
        return columns
    x, y = _sum_xy(columns, collection)
    scaled = {
        f"{collection}_{name}": columns[f"{collection}_{name}"] * (1.0 + size)
        for name in ("pt", "mass")
    }
    return {**columns, **scaled, **_shifted_met(columns, size * x, size * y)}


def shift_muons(columns: Columns, size: float) -> Columns:
    """Scale the muon momenta."""
    return shift_leptons(columns, size, "Muon")


def shift_taus(columns: Columns, size: float) -> Columns:
    """Scale the energies of hadronic taus."""
    return shift_leptons(columns, size, "Tau")


def shift_jets(columns: Columns, size: float) -> Columns:
    """Scale all jets; those away from muons and taus change the MET."""
    if size == 0.0:
        return columns
    x, y = _sum_xy(columns, "Jet", _isolated_jets(columns))
    scaled = {f"Jet_{name}": columns[f"Jet_{name}"] * (1.0 + size) for name in ("pt", "mass")}
    return {**columns, **scaled, **_shifted_met(columns, size * x, size * y)}


def shift_unclustered(columns: Columns, size: float) -> Columns:
    """Scale the momentum that belongs to no muon, tau or jet; only the MET changes."""
    if size == 0.0:
        return columns
    x = -columns["MET_pt"] * np.cos(columns["MET_phi"])
    y = -columns["MET_pt"] * np.sin(columns["MET_phi"])
    for collection, keep in (("Muon", None), ("Tau", None), ("Jet", _isolated_jets(columns))):
        dx, dy = _sum_xy(columns, collection, keep)
        x, y = x - dx, y - dy
    return {**columns, **_shifted_met(columns, size * x, size * y)}
