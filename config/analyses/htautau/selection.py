"""H→ττ→μτ_h on CMS 2012 Open Data: selection, event quantities and kinematic shifts.

The selection is that of the public CMS outreach analysis of the same nine samples (CERN Open Data
record 12350): the μ+τ_h cross trigger, a tight muon, a tight hadronic tau, the pair with the muon
of highest pT and then the best isolated tau. It differs in two ways: objects below the thresholds
are kept as far as a kinematic variation can lift them, and jets within ΔR = 0.5 of the selected
muon or tau are not counted as jets (the tau itself is in the jet collection of these files).

Energies, momenta and masses are in GeV, angles in rad.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Column, Columns, Quantity, Shift, SkimColumns
from taipan.columns.event_block import EventBlock, Lists, Objects, pair_up
from taipan.columns.identity import hash_columns, hash_event_numbers
from taipan.columns.kinematics import (
    cartesian,
    delta_phi,
    delta_r,
    invariant_mass,
    transverse_mass,
)
from taipan.columns.shifts import (
    CONE,
    SOFT_JET_PT,
    shift_jets,
    shift_muons,
    shift_tau_modes,
    shift_taus,
    shift_unclustered,
    smear_jets,
)

from .branches import ALTERNATIVES

Array = NDArray[Any]

TRIGGER = "HLT_IsoMu17_eta2p1_LooseIsoPFTau20"
MUON_PT, MUON_ETA = 17.0, 2.1
TAU_PT, TAU_ETA = 20.0, 2.3
JET_PT, JET_ETA = 30.0, 4.7
TAU_PDG_ID = 15
TAU_MODES = {"1prong": (0,), "1prong_pi0": (1, 2), "3prong": (10,)}
JET_ETA_RANGES = {"barrel": (0.0, 1.3), "endcap": (1.3, 3.0), "forward": (3.0, JET_ETA)}
"""|η| of the calorimeters' parts (arXiv:1607.03663)."""

_MUON = ("pt", "eta", "phi", "mass", "charge", "pfRelIso03_all")
_TAU = ("pt", "eta", "phi", "mass", "charge", "relIso_all", "decayMode")
_TAU_ID = ("idDecayMode", "idIsoTight", "idAntiEleTight", "idAntiMuTight")
_JET = ("pt", "eta", "phi", "mass", "btag")
_EVENT = ("run", "luminosityBlock", "event", "PV_npvs", "MET_pt", "MET_phi")
_MISSING_JET = -900.0
"""Flat ntuples write -999 for a jet that is not there."""


def preselect(arrays: Columns, envelope: Mapping[str, float]) -> Array:
    """Trigger decision and at least one muon and one tau, from the first-stage branches."""
    passed: Array = (arrays[TRIGGER] != 0) & (arrays["nMuon"] > 0) & (arrays["nTau"] > 0)
    return passed


def select(
    events: EventBlock, envelope: Mapping[str, float], is_data: bool
) -> tuple[SkimColumns, list[tuple[str, Array]]]:
    """Apply the loosened selection.

    Parameters
    ----------
    events
        Events that pass `preselect`.
    envelope
        Relative loosening of each threshold.
    is_data
        True for collision data, which have no generator record.

    Returns
    -------
    columns
        Skim columns of the surviving events.
    cuts
        In order, (name of cut, mask over the events handed in); each mask includes those before.
    """
    muons, taus, jets = (events.objects(name) for name in ("Muon", "Tau", "Jet"))
    good_muon = (
        muons["tightId"]
        & (muons["pt"] > MUON_PT / (1.0 + envelope["muon_pt"]))
        & (np.abs(muons["eta"]) < MUON_ETA)
    )
    good_tau = (
        (taus["pt"] > TAU_PT / (1.0 + envelope["tau_pt"]))
        & (np.abs(taus["eta"]) < TAU_ETA)
        & (taus["charge"] != 0)
    )
    for flag in _TAU_ID:
        good_tau = good_tau & taus[flag]
    has_muon = muons.any(good_muon)
    has_tau = has_muon & taus.any(good_tau)
    muons, taus = muons.where(good_muon), taus.where(good_tau)
    muon, tau = pair_up(muons, taus)
    separated = (
        delta_r(muons["eta"][muon], muons["phi"][muon], taus["eta"][tau], taus["phi"][tau]) > CONE
    )
    has_pair = np.zeros(len(has_tau), dtype=bool)
    has_pair[muons.event[muon[separated]]] = True

    muons, taus, jets = (objects.of_events(has_pair) for objects in (muons, taus, jets))
    jets = jets.where(
        (jets["pt"] > SOFT_JET_PT) & (np.abs(jets["eta"]) < JET_ETA) & (jets["puId"] != 0)
    )
    n = np.count_nonzero(has_pair)
    columns: dict[str, Array | Lists] = {
        **{f"Muon_{name}": muons.lists(name) for name in _MUON},
        **{f"Tau_{name}": taus.lists(name) for name in _TAU},
        **{f"Jet_{name}": jets.lists(name) for name in _JET},
        **events.scalars(_EVENT, has_pair),
        "n_jets_unstored": np.zeros(n, dtype=np.int32),
        "genWeight": events["genWeight"][has_pair]
        if "genWeight" in events
        else np.ones(n, dtype=np.float32),
        "event_hash": hash_event_numbers(*(events[name][has_pair] for name in _EVENT[:3])),
    }
    for name, objects in (("Muon", muons), ("Tau", taus)):
        genuine = (
            np.zeros(len(objects), dtype=bool)
            if is_data
            else _genuine(objects, events.objects("GenPart").of_events(has_pair))
        )
        columns[f"{name}_genuine"] = Lists(genuine, objects.counts)
    return columns, [("muon", has_muon), ("tau", has_tau), ("pair", has_pair)]


def _genuine(objects: Objects, particles: Objects) -> Array:
    """Whether each object is matched to the visible decay of a generated tau."""
    index = objects["genPartIdx"]
    matched = (index >= 0) & (index < particles.counts[objects.event])
    genuine = np.zeros(len(objects), dtype=bool)
    particle = particles.starts[objects.event[matched]] + index[matched]
    genuine[matched] = np.abs(particles["pdgId"][particle]) == TAU_PDG_ID
    return genuine


def read_flat(arrays: Columns, is_data: bool) -> SkimColumns:
    """Turn an already skimmed flat ntuple into skim columns.

    The files hold one pair and the two leading jets of each event, selected at nominal thresholds,
    and no event number; the event's identity is a hash of its stored kinematics.

    Parameters
    ----------
    arrays
        Branch → array of shape (n,).
    is_data
        True for collision data.

    Returns
    -------
    dict
        Skim columns.
    """
    n = len(arrays["pt_1"])
    stored = np.stack([arrays[f"jpt_{i}"] > _MISSING_JET for i in (1, 2)], axis=1)
    counts = stored.sum(axis=1)

    def single(values: Array) -> Lists:
        return Lists(values, np.ones(n, dtype=np.int64))

    def jets(name: str) -> Lists:
        values = np.stack([arrays[f"{name}_{i}"] for i in (1, 2)], axis=1)
        return Lists(values[stored].astype(np.float32), counts)

    genuine = np.zeros(n, dtype=bool) if is_data else arrays["gen_match"].astype(bool)
    flat = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "m", "charge": "q"}
    return {
        **{f"Muon_{name}": single(arrays[f"{branch}_1"]) for name, branch in flat.items()},
        **{f"Tau_{name}": single(arrays[f"{branch}_2"]) for name, branch in flat.items()},
        "Muon_pfRelIso03_all": single(arrays["iso_1"]),
        "Tau_relIso_all": single(arrays["iso_2"]),
        "Tau_decayMode": single(arrays["dm_2"]),
        "Muon_genuine": single(genuine),
        "Tau_genuine": single(genuine),
        **{f"Jet_{name}": jets(f"j{flat.get(name, name)}") for name in _JET},
        "run": arrays["run"].astype(np.uint32),
        "luminosityBlock": np.zeros(n, dtype=np.uint32),
        "event": np.zeros(n, dtype=np.uint64),
        "PV_npvs": arrays["npv"],
        "MET_pt": arrays["pt_met"],
        "MET_phi": arrays["phi_met"],
        "n_jets_unstored": (arrays["njets"] - counts).astype(np.int32),
        "genWeight": np.ones(n, dtype=np.float32),
        "event_hash": hash_columns([arrays[name] for name in _FLAT_IDENTITY]),
    }


_FLAT_IDENTITY = (
    *("run", "pt_1", "eta_1", "phi_1", "pt_2", "eta_2", "phi_2", "pt_met", "phi_met"),
)
_FLAT_BRANCHES = (
    *("run", "npv", "njets", "pt_met", "phi_met", "gen_match", "iso_1", "iso_2", "dm_2"),
    *(f"{name}_{leg}" for leg in (1, 2) for name in ("pt", "eta", "phi", "m", "q")),
    *(f"j{name}_{i}" for i in (1, 2) for name in ("pt", "eta", "phi", "m", "btag")),
)


def _choose_pair(columns: Columns) -> tuple[Array, Array, Array]:
    """Return the indices of muon and tau, shape (n,), and whether the event has a pair."""
    muon_pt, tau_pt = columns["Muon_pt"], columns["Tau_pt"]
    distance = delta_r(
        columns["Muon_eta"][:, :, None],
        columns["Muon_phi"][:, :, None],
        columns["Tau_eta"][:, None, :],
        columns["Tau_phi"][:, None, :],
    )
    valid = (muon_pt > MUON_PT)[:, :, None] & (tau_pt > TAU_PT)[:, None, :] & (distance > CONE)
    rows = np.arange(len(muon_pt))
    muon = np.argmax(np.where(valid.any(axis=2), muon_pt, -1.0), axis=1)
    partners = valid[rows, muon]
    tau = np.argmin(np.where(partners, columns["Tau_relIso_all"], np.inf), axis=1)
    return muon, tau, partners.any(axis=1)


def compute(columns: Columns) -> dict[str, Array]:
    """Compute every quantity of every event.

    Parameters
    ----------
    columns
        Skim columns, objects padded with NaN.

    Returns
    -------
    dict
        Quantity → array of shape (n,), and ``passes``: whether the event has a pair above the
        nominal thresholds. Quantities of events that do not pass are meaningless.
    """
    out = _pair_quantities(columns)
    out.update(_jet_quantities(columns, out))
    return out


def recompute(
    columns: Columns, known: Mapping[str, Array], unchanged: frozenset[str]
) -> dict[str, Array]:
    """Compute every quantity of events after a shift, jets only where they changed.

    Parameters
    ----------
    columns
        Shifted skim columns.
    known
        Quantities of the same events before the shift.
    unchanged
        Columns that the shift left as they were.
    """
    if not {f"Jet_{name}" for name in _JET} <= unchanged:
        return compute(columns)
    out = _pair_quantities(columns)
    for name in _JET_QUANTITIES:
        out[name] = known[name]
    angles = ("eta_1", "phi_1", "eta_2", "phi_2")  # jets near the pair are not counted
    other = np.flatnonzero(np.any([out[name] != known[name] for name in angles], axis=0))
    if len(other):
        needed = (*(f"Jet_{name}" for name in _JET), "n_jets_unstored")
        rows = {name: columns[name][other] for name in needed}
        jets = _jet_quantities(rows, {name: out[name][other] for name in angles})
        for name, values in jets.items():
            out[name] = out[name].copy()
            out[name][other] = values
    return out


def _pair_quantities(columns: Columns) -> dict[str, Array]:
    """Compute everything but the jets."""
    muon, tau, passes = _choose_pair(columns)
    rows = np.arange(len(muon))
    out: dict[str, Array] = {"passes": passes, "npv": columns["PV_npvs"]}
    legs = (("Muon", muon, 1, "pfRelIso03_all"), ("Tau", tau, 2, "relIso_all"))
    for collection, index, leg, isolation in legs:
        for name, short in (("pt", "pt"), ("eta", "eta"), ("phi", "phi"), ("mass", "m")):
            value = columns[f"{collection}_{name}"][rows, index]
            # float64: m² = E² - p² loses half the digits of a light pair at high momentum
            out[f"{short}_{leg}"] = value.astype(np.float64)
        out[f"q_{leg}"] = columns[f"{collection}_charge"][rows, index]
        out[f"iso_{leg}"] = columns[f"{collection}_{isolation}"][rows, index]
    out["dm_2"] = columns["Tau_decayMode"][rows, tau]
    genuine = columns["Muon_genuine"][rows, muon] * columns["Tau_genuine"][rows, tau]
    out["gen_match"] = np.nan_to_num(genuine)
    met, phi_met = (columns[name].astype(np.float64) for name in ("MET_pt", "MET_phi"))
    first = cartesian(out["pt_1"], out["eta_1"], out["phi_1"], out["m_1"])
    second = cartesian(out["pt_2"], out["eta_2"], out["phi_2"], out["m_2"])
    px, py = first[0] + second[0], first[1] + second[1]
    mt_pair = transverse_mass(out["pt_1"], out["phi_1"], out["pt_2"], out["phi_2"])
    out["met"], out["phi_met"] = met, phi_met
    out["mt_1"] = transverse_mass(out["pt_1"], out["phi_1"], met, phi_met)
    out["mt_2"] = transverse_mass(out["pt_2"], out["phi_2"], met, phi_met)
    out["mt_tot"] = np.sqrt(out["mt_1"] ** 2 + out["mt_2"] ** 2 + mt_pair**2)
    out["m_vis"] = invariant_mass(first, second)
    out["pt_vis"] = np.hypot(px, py)
    out["pt_tt"] = np.hypot(px + met * np.cos(phi_met), py + met * np.sin(phi_met))
    out["delta_r"] = delta_r(out["eta_1"], out["phi_1"], out["eta_2"], out["phi_2"])
    out["delta_eta"] = np.abs(out["eta_1"] - out["eta_2"])
    out["delta_phi"] = np.abs(delta_phi(out["phi_1"], out["phi_2"]))
    return out


def _jet_quantities(columns: Columns, pair: Mapping[str, Array]) -> dict[str, Array]:
    """Count jets away from the pair and describe the two leading ones (NaN if absent)."""
    pt, eta, phi = columns["Jet_pt"], columns["Jet_eta"], columns["Jet_phi"]
    clean = pt > JET_PT
    for leg in (1, 2):
        distance = delta_r(eta, phi, pair[f"eta_{leg}"][:, None], pair[f"phi_{leg}"][:, None])
        clean &= distance > CONE
    out = {"njets": clean.sum(axis=1) + columns["n_jets_unstored"]}
    n = len(pt)
    if pt.shape[1] < 2:
        pad = ((0, 0), (0, 2 - pt.shape[1]))
        clean = np.pad(clean, pad)
        pt = np.pad(pt, pad, constant_values=np.nan)
    order = np.argsort(np.where(clean, -pt, np.inf), axis=1, kind="stable")
    momenta = []
    for rank in (0, 1):
        index = order[:, rank]
        present = clean[np.arange(n), index]
        values = {}
        for name, short in (
            ("pt", "jpt"),
            ("eta", "jeta"),
            ("phi", "jphi"),
            ("mass", "jm"),
            ("btag", "jbtag"),
        ):
            column = columns[f"Jet_{name}"]
            if column.shape[1] < 2:
                column = np.pad(column, ((0, 0), (0, 2 - column.shape[1])), constant_values=np.nan)
            values[short] = np.where(
                present, column[np.arange(n), index].astype(np.float64), np.nan
            )
        out.update({f"{short}_{rank + 1}": value for short, value in values.items()})
        momenta.append(cartesian(values["jpt"], values["jeta"], values["jphi"], values["jm"]))
    out["mjj"] = invariant_mass(momenta[0], momenta[1])
    out["ptjj"] = np.hypot(momenta[0][0] + momenta[1][0], momenta[0][1] + momenta[1][1])
    out["jdeta"] = np.abs(out["jeta_1"] - out["jeta_2"])
    return out


_JET_QUANTITIES = (
    *(f"{name}_{rank}" for name in ("jpt", "jeta", "jphi", "jm", "jbtag") for rank in (1, 2)),
    *("njets", "mjj", "ptjj", "jdeta"),
)

COLUMNS = (
    Column("run", "uint32", "", "run number"),
    Column("luminosityBlock", "uint32", "", "luminosity block"),
    Column("event", "uint64", "", "event number"),
    Column("event_hash", "uint64", "", "hash of the event's identity; decides the fold"),
    Column("genWeight", "float32", "", "generator weight, 1 in data"),
    Column("PV_npvs", "int32", "", "reconstructed primary vertices"),
    Column("MET_pt", "float32", "GeV", "missing transverse momentum"),
    Column("MET_phi", "float32", "rad", "azimuth of the missing transverse momentum"),
    Column("n_jets_unstored", "int32", "", "jets above 30 GeV that the source does not list"),
    *(
        Column(f"{collection}_{name}", "float32", unit, f"{collection} {meaning}", jagged=True)
        for collection in ("Muon", "Tau", "Jet")
        for name, unit, meaning in (
            ("pt", "GeV", "transverse momentum"),
            ("eta", "", "pseudorapidity"),
            ("phi", "rad", "azimuth"),
            ("mass", "GeV", "mass"),
        )
    ),
    Column("Muon_charge", "int32", "e", "muon charge", jagged=True),
    Column("Muon_pfRelIso03_all", "float32", "", "muon relative isolation, ΔR < 0.3", jagged=True),
    Column("Muon_genuine", "bool", "", "muon from a generated tau", jagged=True),
    Column("Tau_charge", "int32", "e", "tau charge", jagged=True),
    Column("Tau_relIso_all", "float32", "", "tau relative isolation", jagged=True),
    Column("Tau_decayMode", "int32", "", "tau decay mode", jagged=True),
    Column("Tau_genuine", "bool", "", "tau matched to a generated tau", jagged=True),
    Column("Jet_btag", "float32", "", "b-tag discriminator", jagged=True),
)

_PAIR = (
    *("Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge", "Muon_pfRelIso03_all"),
    *("Tau_pt", "Tau_eta", "Tau_phi", "Tau_mass", "Tau_charge", "Tau_relIso_all"),
    *("Muon_genuine", "Tau_genuine", "Tau_decayMode"),
)
_MET = (*_PAIR, "MET_pt", "MET_phi")
_JETS = (*_PAIR, "n_jets_unstored", *(f"Jet_{name}" for name in _JET))


def _quantities() -> dict[str, Quantity]:
    found = []
    for leg, name in ((1, "muon"), (2, "tau")):
        found += [
            Quantity(f"pt_{leg}", "GeV", f"{name} transverse momentum", _PAIR),
            Quantity(f"eta_{leg}", "", f"{name} pseudorapidity", _PAIR),
            Quantity(f"phi_{leg}", "rad", f"{name} azimuth", _PAIR),
            Quantity(f"m_{leg}", "GeV", f"{name} mass", _PAIR),
            Quantity(f"q_{leg}", "e", f"{name} charge", _PAIR),
            Quantity(f"iso_{leg}", "", f"{name} relative isolation", _PAIR),
            Quantity(f"mt_{leg}", "GeV", f"transverse mass of {name} and MET", _MET),
            Quantity(f"jpt_{leg}", "GeV", f"jet {leg} transverse momentum", _JETS, True),
            Quantity(f"jeta_{leg}", "", f"jet {leg} pseudorapidity", _JETS, True),
            Quantity(f"jphi_{leg}", "rad", f"jet {leg} azimuth", _JETS, True),
            Quantity(f"jm_{leg}", "GeV", f"jet {leg} mass", _JETS, True),
            Quantity(f"jbtag_{leg}", "", f"jet {leg} b-tag discriminator", _JETS, True),
        ]
    found += [
        Quantity("dm_2", "", "tau decay mode", _PAIR),
        Quantity(
            "gen_match",
            "",
            "1 if both legs come from generated taus",
            _PAIR,
            simulation_only=True,
        ),
        Quantity("m_vis", "GeV", "invariant mass of muon and tau", _PAIR),
        Quantity("pt_vis", "GeV", "transverse momentum of muon and tau", _PAIR),
        Quantity("delta_r", "", "ΔR of muon and tau", _PAIR),
        Quantity("delta_eta", "", "|Δη| of muon and tau", _PAIR),
        Quantity("delta_phi", "rad", "|Δφ| of muon and tau", _PAIR),
        Quantity("met", "GeV", "missing transverse momentum", ("MET_pt",)),
        Quantity("phi_met", "rad", "azimuth of the MET", ("MET_phi",)),
        Quantity("pt_tt", "GeV", "transverse momentum of muon, tau and MET", _MET),
        Quantity("mt_tot", "GeV", "total transverse mass of muon, tau and MET", _MET),
        Quantity("njets", "", "jets with pT > 30 GeV away from the pair", _JETS),
        Quantity("mjj", "GeV", "invariant mass of the two leading jets", _JETS, True),
        Quantity("ptjj", "GeV", "transverse momentum of the two leading jets", _JETS, True),
        Quantity("jdeta", "", "|Δη| of the two leading jets", _JETS, True),
        Quantity("npv", "", "reconstructed primary vertices", ("PV_npvs",)),
    ]
    return {quantity.name: quantity for quantity in found}


ANALYSIS = Analysis(
    name="htautau",
    trigger_branches=(TRIGGER, "nMuon", "nTau"),
    branches=(
        *(*_EVENT, "Muon_tightId"),
        *(f"Muon_{name}" for name in _MUON),
        *(f"Tau_{name}" for name in (*_TAU, *_TAU_ID)),
        *(f"Jet_{name}" for name in (*_JET, "puId")),
    ),
    simulation_branches=("Muon_genPartIdx", "Tau_genPartIdx", "GenPart_pdgId"),
    optional_branches=("genWeight",),
    columns=COLUMNS,
    quantities=_quantities(),
    shifts={
        "tau_pt": Shift(shift_taus, "tau_pt", "tau energy, propagated to the MET"),
        "muon_pt": Shift(shift_muons, "muon_pt", "muon momentum, propagated to the MET"),
        "jet_pt": Shift(shift_jets, None, "jet energy, propagated to the MET"),
        **{
            f"tau_pt_{name}": Shift(
                partial(shift_tau_modes, modes=modes),
                "tau_pt",
                f"energy of taus of decay mode {', '.join(map(str, modes))}",
            )
            for name, modes in TAU_MODES.items()
        },
        **{
            f"jet_pt_{name}": Shift(
                partial(shift_jets, eta=eta), None, f"energy of jets with {eta[0]} ≤ |η| < {eta[1]}"
            )
            for name, eta in JET_ETA_RANGES.items()
        },
        "jet_resolution": Shift(smear_jets, None, "jet pT smeared (one-sided)", power=0.5),
        "met_unclustered": Shift(shift_unclustered, None, "unclustered part of the MET"),
    },
    preselect=preselect,
    select=select,
    compute=compute,
    flat=read_flat,
    recompute=recompute,
    flat_branches=_FLAT_BRANCHES,
    alternatives=ALTERNATIVES,
    fingerprint=("MET_pt", "MET_phi"),
)
