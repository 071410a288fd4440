"""Kinematic shifts of muons, taus, jets and unclustered momentum, propagated to the MET.

Each is a pure function of the skim columns; a size of zero returns them as they are. The MET always
balances what was shifted, so muons + taus + jets + unclustered + MET stays zero.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from taipan.analysis import Columns
from taipan.columns.kinematics import delta_r

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
    moved = (dx != 0) | (dy != 0)  # else rounding alone would change the event
    return {
        "MET_pt": np.where(moved, np.hypot(x, y), columns["MET_pt"]),
        "MET_phi": np.where(moved, np.arctan2(y, x), columns["MET_phi"]),
    }


def _isolated_jets(columns: Columns) -> Array:
    """Jets above the soft threshold away from every selected muon and tau, shape (n, jets).

    The last answer is kept, for as long as its jets exist: all shifts of the jets of a dataset ask
    for the same one.
    """
    pt = columns["Jet_pt"]
    kept = _LAST.get(id(pt))
    if kept is not None and kept[0]() is pt:
        return kept[1]
    keep = pt > SOFT_JET_PT
    rows, positions = np.nonzero(keep)
    eta, phi = columns["Jet_eta"][rows, positions], columns["Jet_phi"][rows, positions]
    alone = np.ones(len(rows), dtype=bool)
    for collection in ("Muon", "Tau"):
        for i in range(columns[f"{collection}_eta"].shape[1]):
            other = (columns[f"{collection}_{name}"][rows, i] for name in ("eta", "phi"))
            # a padded object is at NaN, near nothing
            alone &= ~(delta_r(eta, phi, *other) < CONE)
    keep[rows, positions] = alone
    keep.setflags(write=False)
    _LAST.clear()
    _LAST[id(pt)] = (weakref.ref(pt), keep)
    return keep


_LAST: dict[int, tuple[weakref.ref[Array], Array]] = {}


def shift_leptons(
    columns: Columns, size: float, collection: str, chosen: Array | None = None
) -> Columns:
    """Scale pT and mass of all muons or taus, or of those `chosen`, by 1 + `size`.

    The MET balances it.
    """
    if size == 0.0:
        return columns
    factor = 1.0 + (size if chosen is None else np.where(chosen, np.float32(size), np.float32(0.0)))
    x, y = _sum_xy(columns, collection, chosen)
    scaled = {
        f"{collection}_{name}": columns[f"{collection}_{name}"] * factor for name in ("pt", "mass")
    }
    return {**columns, **scaled, **_shifted_met(columns, size * x, size * y)}


def shift_muons(columns: Columns, size: float) -> Columns:
    """Scale the muon momenta."""
    return shift_leptons(columns, size, "Muon")


def shift_taus(columns: Columns, size: float) -> Columns:
    """Scale the energies of hadronic taus."""
    return shift_leptons(columns, size, "Tau")


def shift_tau_modes(columns: Columns, size: float, modes: Sequence[int]) -> Columns:
    """Scale the energies of hadronic taus reconstructed in some decay modes."""
    return shift_leptons(columns, size, "Tau", np.isin(columns["Tau_decayMode"], modes))


def shift_jets(columns: Columns, size: float, eta: tuple[float, float] = (0.0, np.inf)) -> Columns:
    """Scale all jets with low ≤ |η| < high; those away from muons and taus change the MET."""
    if size == 0.0:
        return columns
    pseudorapidity = np.abs(columns["Jet_eta"])
    chosen = (pseudorapidity >= eta[0]) & (pseudorapidity < eta[1])
    return _rescale_jets(columns, np.where(chosen, size, 0.0))


def smear_jets(columns: Columns, size: float) -> Columns:
    """Smear the jets: each pT is multiplied by 1 + `size` times a standard normal number.

    The number is made of the event's hash and the jet's position, so that it is the same in
    every run and order of events. Only broader resolutions can be made: one-sided.
    """
    if size == 0.0:
        return columns
    n, jets = columns["Jet_pt"].shape
    state: Array = columns["event_hash"].astype(np.uint64)[:, None]
    state = state + (np.arange(1, jets + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    uniform = (_mix(state) >> np.uint64(11)).astype(np.float64) / 2.0**53
    normal = ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12))
    return _rescale_jets(columns, np.maximum(size * normal, -0.9).reshape(n, jets))


def _mix(state: Array) -> Array:
    """SplitMix64's output function (G. Steele, D. Lea and C. Flood, OOPSLA 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)))


def _rescale_jets(columns: Columns, change: Array) -> Columns:
    """Multiply pT and mass of each jet by 1 + `change`, shape (n, jets)."""
    pt, phi = columns["Jet_pt"], columns["Jet_phi"]
    moved = np.where(_isolated_jets(columns), pt * change, 0.0)
    angle = np.nan_to_num(phi)
    dx, dy = (moved * np.cos(angle)).sum(axis=1), (moved * np.sin(angle)).sum(axis=1)
    factor = (1.0 + change).astype(np.float32)
    scaled = {f"Jet_{name}": columns[f"Jet_{name}"] * factor for name in ("pt", "mass")}
    return {**columns, **scaled, **_shifted_met(columns, dx, dy)}


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
