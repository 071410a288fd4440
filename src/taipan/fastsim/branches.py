"""Names and types of the branches, as in the reduced NanoAOD files of CERN Open Data 12350."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from taipan.fastsim.event_table import Collection, EventTable, FlatColumn, round_mantissa

_FLAG, _INT, _FLOAT = "bool", "int32", "float32"

_SCALARS = {
    "run": _INT,
    "luminosityBlock": "uint32",
    "event": "uint64",
    "HLT_IsoMu24_eta2p1": _FLAG,
    "HLT_IsoMu24": _FLAG,
    "HLT_IsoMu17_eta2p1_LooseIsoPFTau20": _FLAG,
    "PV_npvs": _INT,
    "PV_x": _FLOAT,
    "PV_y": _FLOAT,
    "PV_z": _FLOAT,
    "MET_pt": _FLOAT,
    "MET_phi": _FLOAT,
    "MET_sumet": _FLOAT,
    "MET_significance": _FLOAT,
    "MET_CovXX": _FLOAT,
    "MET_CovXY": _FLOAT,
    "MET_CovYY": _FLOAT,
}

_COLLECTIONS = {
    "Muon": {
        **dict.fromkeys(("pt", "eta", "phi", "mass"), _FLOAT),
        "charge": _INT,
        **dict.fromkeys(("pfRelIso03_all", "pfRelIso04_all"), _FLOAT),
        **dict.fromkeys(("tightId", "softId"), _FLAG),
        **dict.fromkeys(("dxy", "dxyErr", "dz", "dzErr"), _FLOAT),
        **dict.fromkeys(("jetIdx", "genPartIdx"), _INT),
    },
    "Tau": {
        **dict.fromkeys(("pt", "eta", "phi", "mass"), _FLOAT),
        **dict.fromkeys(("charge", "decayMode"), _INT),
        "relIso_all": _FLOAT,
        **dict.fromkeys(("jetIdx", "genPartIdx"), _INT),
        "idDecayMode": _FLAG,
        "idIsoRaw": _FLOAT,
        **dict.fromkeys(
            (
                *(f"idIso{name}" for name in ("VLoose", "Loose", "Medium", "Tight")),
                *(f"idAntiEle{name}" for name in ("Loose", "Medium", "Tight")),
                *(f"idAntiMu{name}" for name in ("Loose", "Medium", "Tight")),
            ),
            _FLAG,
        ),
    },
    "Jet": {
        **dict.fromkeys(("pt", "eta", "phi", "mass"), _FLOAT),
        "puId": _FLAG,
        "btag": _FLOAT,
    },
}

_GEN_PART = {
    **dict.fromkeys(("pt", "eta", "phi", "mass"), _FLOAT),
    **dict.fromkeys(("pdgId", "status"), _INT),
}


def _flatten(collections: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, columns in collections.items():
        # uproot writes the counter of a list as int32 (CMS: uint32).
        flat[f"n{name}"] = _INT
        flat.update({f"{name}_{column}": kind for column, kind in columns.items()})
    return flat


BRANCHES_COMMON: dict[str, str] = {**_SCALARS, **_flatten(_COLLECTIONS)}
"""Branches of every file with their NumPy types; lists have one value an object."""

BRANCHES_SIMULATION: dict[str, str] = _flatten({"GenPart": _GEN_PART})
"""Further branches of simulated files."""

BRANCHES_SIGNED: dict[str, str] = {"genWeight": _FLOAT}
"""Further branch of the sample with signed weights."""

# Bits of mantissa kept: 10 is a relative error of 0.05 %, below every resolution; directions and
# positions get 12.
_MANTISSA_BITS = 10
_FINE_BITS = 12
_FINE = ("eta", "phi", "PV_x", "PV_y", "PV_z", "genWeight")


def _convert(name: str, kind: str, values: FlatColumn) -> FlatColumn:
    if kind != _FLOAT:
        return values.astype(kind)
    fine = name in _FINE or name.endswith(("_eta", "_phi"))
    return round_mantissa(values, _FINE_BITS if fine else _MANTISSA_BITS)


def convert_types(table: EventTable) -> EventTable:
    """Convert all columns to the types of the files, in their order, floats rounded.

    Raises
    ------
    KeyError
        If a column is missing.
    """
    scalar_types = dict(_SCALARS)
    if "genWeight" in table.scalars:
        scalar_types |= BRANCHES_SIGNED
    collection_types: dict[str, Mapping[str, str]] = dict(_COLLECTIONS)
    if "GenPart" in table.collections:
        collection_types["GenPart"] = _GEN_PART
    scalars = {
        name: _convert(name, kind, table.scalars[name]) for name, kind in scalar_types.items()
    }
    collections = {
        name: Collection(
            table.collections[name].counts.astype(np.int64),
            {
                column: _convert(column, kind, table.collections[name].columns[column])
                for column, kind in columns.items()
            },
        )
        for name, columns in collection_types.items()
    }
    return EventTable(scalars, collections)
