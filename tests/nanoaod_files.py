"""ROOT files for tests: a file of the embedded simulation under other names or in other storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

Columns = dict[str, Any]

TAU_27 = "HLT_IsoMu20_eta2p1_LooseChargedIsoPFTauHPS27_eta2p1_CrossL1"


def rewrite(
    source: Path,
    target: Path,
    change: Callable[[Columns], None] = lambda columns: None,
    *,
    runs: Mapping[str, Any] | None = None,
    ntuple: bool = False,
) -> None:
    """Copy a ROOT file with its branches edited by `change`, as TTree or RNTuple, with `Runs`."""
    arrays = uproot.open(source)["Events"].arrays(library="ak")
    columns = {name: arrays[name] for name in arrays.fields}
    change(columns)
    with uproot.recreate(target) as file:
        if ntuple:
            file.mkrntuple("Events", ak.zip(columns, depth_limit=1))
        else:
            _write_tree(file, columns)
        if runs is not None:
            file.mktree("Runs", {name: np.asarray(v).dtype for name, v in runs.items()})
            file["Runs"].extend({name: np.asarray(v) for name, v in runs.items()})


def _write_tree(file: Any, columns: Columns) -> None:
    branches: Columns = {}
    for collection in ("Muon", "Tau", "Jet", "GenPart"):
        members = [name for name in columns if name.startswith(f"{collection}_")]
        if members:
            branches[collection] = ak.zip({n.split("_", 1)[1]: columns.pop(n) for n in members})
        columns.pop(f"n{collection}", None)
    branches |= {name: ak.to_numpy(values) for name, values in columns.items()}
    types = {n: getattr(v, "dtype", None) or v.type.content for n, v in branches.items()}
    file.mktree("Events", types)
    file["Events"].extend(branches)


def _flavour(columns: Columns, collection: str, flavour: int) -> ak.Array:
    """``genPartFlav``: `flavour` where the reduced files point to a generated tau."""
    index = columns.pop(f"{collection}_genPartIdx")
    known = ak.mask(index, (index >= 0) & (index < ak.num(columns["GenPart_pdgId"])))
    genuine = ak.fill_none(abs(columns["GenPart_pdgId"][known]) == 15, False)
    columns[f"{collection}_genPartIdx"] = ak.zeros_like(index)  # points elsewhere: no help
    return ak.values_astype(ak.where(genuine, flavour, 1), np.uint8)


def _to_full(columns: Columns) -> None:
    """What every full NanoAOD of Run 2 and later has in common."""
    columns[TAU_27] = columns.pop("HLT_IsoMu17_eta2p1_LooseIsoPFTau20")
    columns["Tau_chargedIso"] = columns.pop("Tau_relIso_all") * columns["Tau_pt"]
    columns["Tau_neutralIso"] = ak.zeros_like(columns["Tau_pt"])
    tight = columns.pop("Tau_idIsoTight")
    columns["Tau_rawIso"] = ak.values_astype(ak.where(tight, 0.79, 0.81), np.float32)
    columns["Tau_idAntiMu"] = _mask(columns.pop("Tau_idAntiMuTight"), 3, 1)
    columns["Tau_idDecayModeOldDMs"] = columns.pop("Tau_idDecayMode")
    for name, flavour in (("Muon", 15), ("Tau", 5)):
        if "GenPart_pdgId" in columns:
            columns[f"{name}_genPartFlav"] = _flavour(columns, name, flavour)


def _mask(flags: ak.Array, passed: int, failed: int) -> ak.Array:
    return ak.values_astype(ak.where(flags, passed, failed), np.uint8)


def to_v7(columns: Columns) -> None:
    """Names of NanoAODv6 and v7 (2016 to 2018): bit masks, CSVv2, jets with a pile-up ID."""
    _to_full(columns)
    columns["Tau_idAntiEle"] = _mask(columns.pop("Tau_idAntiEleTight"), 0b1111, 0b0111)
    columns["Jet_btagCSVV2"] = columns.pop("Jet_btag")
    columns["Jet_puId"] = ak.values_astype(columns["Jet_puId"] * 7, np.int32)


def to_v15(columns: Columns) -> None:
    """Names of NanoAODv15: working points as numbers, PUPPI jets and MET."""
    _to_full(columns)
    columns["Tau_idDeepTau2018v2p5VSe"] = _mask(columns.pop("Tau_idAntiEleTight"), 6, 5)
    columns["Tau_idAntiMu"] = _mask(columns["Tau_idAntiMu"] > 2, 2, 1)
    columns["Jet_btagUParTAK4B"] = columns.pop("Jet_btag")
    real = columns.pop("Jet_puId") != 0  # PUPPI leaves no jets of pile-up
    for name in [name for name in columns if name.startswith("Jet_")]:
        columns[name] = columns[name][real]
    columns["nJet"] = ak.values_astype(ak.num(columns["Jet_pt"]), np.int32)
    for name in [name for name in columns if name.startswith("MET_")]:
        columns[f"PuppiMET_{name[4:]}"] = columns.pop(name)
        columns[f"PFMET_{name[4:]}"] = columns[f"PuppiMET_{name[4:]}"] * 0.5
