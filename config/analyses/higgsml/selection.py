"""H→ττ of the FAIR Universe HiggsML Uncertainty Challenge: a lepton, a hadronic tau, jets.

Thresholds act after the shifts, as in the challenge: a tau below 26 GeV drops the event, a jet
below 26 GeV drops the jet. The missing momentum follows the tau and the two jets of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from taipan.columns.identity import GOLDEN_GAMMA, finalise
from taipan.columns.selection import Field, Selection, own_shift, scale

from .derived import MEANINGS, derive

Columns = Mapping[str, NDArray[Any]]

TAU_PT = JET_PT = 26.0
LEPTON_PT = 20.0
LARGEST_SOFT_MET = 5.0
"""GeV: the challenge draws from a log-normal law and cuts it off here."""

PRIMARY = {
    **{f"PRI_lep_{k}": f"{m} of the lepton" for k, m in (("pt", "pT"), ("eta", "η"), ("phi", "φ"))},
    **{f"PRI_had_{k}": f"{m} of the tau" for k, m in (("pt", "pT"), ("eta", "η"), ("phi", "φ"))},
    **{
        f"PRI_jet_{which}_{k}": f"{m} of the {which} jet"
        for which in ("leading", "subleading")
        for k, m in (("pt", "pT"), ("eta", "η"), ("phi", "φ"))
    },
    "PRI_n_jets": "number of jets",
    "PRI_jet_all_pt": "scalar sum of the pT of all jets",
    "PRI_met": "missing transverse momentum",
    "PRI_met_phi": "φ of the missing transverse momentum",
}
UNITS = {"pt": " [GeV]", "met": " [GeV]", "phi": " [rad]"}

selection = Selection(
    "higgsml",
    fields={
        "jet_all_pt": Field("float32", "GeV", "scalar sum of the pT of all jets"),
        "n_jets": Field("int32", "", "jets, those that the row does not hold among them"),
        "soft_met": Field("float32", "GeV", "random part of each component of the MET"),
    },
)


def shift_jets(columns: Columns, size: float) -> Columns:
    """Scale all jets; the missing momentum balances the two that are known."""
    if size == 0.0:
        return columns
    factor = np.float32(1.0 + size)
    pt, phi = np.nan_to_num(columns["Jet_pt"]), np.nan_to_num(columns["Jet_phi"])
    met, direction = columns["MET_pt"], columns["MET_phi"]
    x = met * np.cos(direction) - size * (pt * np.cos(phi)).sum(axis=1)
    y = met * np.sin(direction) - size * (pt * np.sin(phi)).sum(axis=1)
    has_jets = (pt > 0.0).any(axis=1)  # else rounding alone would change the event
    return {
        **columns,
        "Jet_pt": columns["Jet_pt"] * factor,
        "jet_all_pt": columns["jet_all_pt"] * factor,
        "MET_pt": np.where(has_jets, np.hypot(x, y), met).astype(np.float32),
        "MET_phi": np.where(has_jets, np.arctan2(y, x), direction).astype(np.float32),
    }


def shift_soft(columns: Columns, size: float) -> Columns:
    """Multiply the soft part by exp(`size`): its logarithm is what is uncertain."""
    grown = columns["soft_met"] * np.float32(np.exp(size))
    return {**columns, "soft_met": np.minimum(grown, np.float32(LARGEST_SOFT_MET))}


JES = own_shift(
    shift_jets,
    reads=("Jet_pt", "Jet_phi", "jet_all_pt", "MET_pt", "MET_phi"),
    meaning="energy of all jets, propagated to the missing momentum",
)
SOFT_MET = own_shift(
    shift_soft,
    reads=("soft_met",),
    meaning="logarithm of the soft random part of the missing momentum, in GeV",
    limit=3.0,
)


@selection.objects("Tau", shifts={"tes": scale()})
def taus(events: Any) -> Any:
    """Take the tau of the row."""
    return events.Tau[events.Tau.pt >= TAU_PT]


@selection.objects("Jet", balance=False, shifts={"jes": JES})
def jets(events: Any) -> Any:
    """Take both jets of the row; the threshold acts where they are counted."""
    return events.Jet


selection.vary_missing(soft_met=SOFT_MET)


@selection.cuts
def cuts(events: Any) -> dict[str, Any]:
    """Ask for a lepton and a tau."""
    return {
        "lepton": ak.any(events.Lepton.pt >= LEPTON_PT, axis=1),
        "tau": ak.num(events.Tau) == 1,
    }


def draw_soft(event_hash: NDArray[Any], size: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Draw the soft momentum of each event, the same in every run: normal numbers times `size`.

    They are made of the hash of the event, so that all variations of an event share them.
    """
    state = np.asarray(event_hash).astype(np.uint64)
    parts = []
    for step in np.arange(1, 3, dtype=np.uint64) * GOLDEN_GAMMA:
        mixed = finalise(state + step)
        uniform = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
        parts.append(np.asarray(size) * ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12)))
    return parts[0], parts[1]


def _kth(objects: Any, name: str, k: int) -> NDArray[Any]:
    """Field of the k-th object, NaN where it is not there, shape (n,)."""
    values = ak.fill_none(ak.pad_none(objects[name], k + 1)[:, k], np.nan)
    return np.asarray(ak.to_numpy(values), np.float64)


def primary(events: Any) -> dict[str, NDArray[Any]]:
    """Give the sixteen primary quantities of events that pass, NaN for a jet that is not there."""
    read = events.Jet
    kept = read[read.pt >= JET_PT]
    dropped = ak.sum(read.pt, axis=1) - ak.sum(kept.pt, axis=1)
    soft_x, soft_y = draw_soft(events.event_hash, events.soft_met)
    met_x = events.MET.pt * np.cos(events.MET.phi) + soft_x
    met_y = events.MET.pt * np.sin(events.MET.phi) + soft_y
    found = {
        "PRI_n_jets": events.n_jets - ak.num(read) + ak.num(kept),
        "PRI_jet_all_pt": events.jet_all_pt - dropped,
        "PRI_met": np.hypot(met_x, met_y),
        "PRI_met_phi": np.arctan2(met_y, met_x),
    }
    for name in ("pt", "eta", "phi"):
        found |= {
            f"PRI_lep_{name}": events.Lepton[name][:, 0],
            f"PRI_had_{name}": events.Tau[name][:, 0],
            f"PRI_jet_leading_{name}": _kth(kept, name, 0),
            f"PRI_jet_subleading_{name}": _kth(kept, name, 1),
        }
    return {name: np.asarray(ak.to_numpy(found[name]), np.float64) for name in PRIMARY}


def _unit(name: str) -> str:
    return UNITS.get(name.rpartition("_")[2], "")


@selection.quantities({**{name: text + _unit(name) for name, text in PRIMARY.items()}, **MEANINGS})
def observables(events: Any) -> dict[str, Any]:
    """Compute primary and derived quantities after the thresholds."""
    passes = ak.to_numpy((ak.num(events.Tau) == 1) & ak.any(events.Lepton.pt >= LEPTON_PT, axis=1))
    chosen = events[passes]
    found = primary(chosen)
    found |= derive(found)
    of_jets = {name for name in found if "jet_leading" in name or "jet_subleading" in name}
    of_jets |= {name for name in MEANINGS if "jet_jet" in name} | {"DER_lep_eta_centrality"}
    missing = {name: ak.nan_to_none(ak.Array(found[name])) for name in of_jets}
    return {"passes": passes, **found, **missing}


ANALYSIS = selection.build()
