"""A small valid configuration, with its analysis and its catalogue, to be changed by tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from taipan.analysis import Analysis, Column, Quantity, Shift
from taipan.checks.configuration import check_config
from taipan.config.load import merge, validate_keys
from taipan.config.model import Config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError

ROOT = Path(__file__).parents[2]


def quantity(name, *requires):
    return Quantity(name, "", name, requires or ("Muon_pt",))


ANALYSIS = Analysis(
    name="toy",
    trigger_branches=(),
    branches=(),
    simulation_branches=(),
    optional_branches=(),
    columns=(Column("Muon_pt", "float32", "GeV", ""), Column("MET_pt", "float32", "GeV", "")),
    quantities={
        name: quantity(name) for name in ("pt_1", "mt_1", "q_1", "q_2", "iso_1", "gen_match", "m")
    }
    | {
        "broken": quantity("broken", "Muon_pt", "Tau_pt"),
        "z_true": Quantity("z_true", "", "z", ("Muon_pt",), simulation_only=True),
        "z_jet": Quantity("z_jet", "", "z", ("Muon_pt",), may_be_missing=True),
    },
    shifts={
        "tau": Shift(lambda columns, size: columns, "tau_pt", ""),
        "met": Shift(lambda columns, size: columns, None, ""),
    },
    preselect=lambda arrays, envelope: None,
    select=lambda arrays, envelope, is_data: (None, []),
    compute=lambda columns: {},
)
CITED = {"value": 1.0, "source": "test"}
CATALOGUE = {
    "name": "toys",
    "kind": "simulation",
    "description": "d",
    "licence": "l",
    "datasets": {
        "Data": {"files": ["d.root"], "is_data": True, "luminosity": CITED},
        "H": {"files": ["h.root"], "is_data": False, "cross_section": CITED},
        "Z": {"files": ["z.root"], "is_data": False, "cross_section": CITED},
        "Z2": {"files": ["z2.root"], "is_data": False, "cross_section": CITED},
    },
}
for _dataset in CATALOGUE["datasets"].values():
    _dataset["generated_events"] = 100
ESTIMATE = {
    "method": "same_sign",
    "regions": {"sr": "ss_sr", "cr": "ss_cr"},
    "numerator": "cr",
    "denominator": "ss_cr",
}
CONTENT = {
    "analysis": "toy",
    "title": "toy",
    "data": ["Data"],
    "samples": {
        "S": {"label": "S", "role": "signal", "datasets": ["H"]},
        "QCD": {"label": "QCD", "estimate": ESTIMATE},
        "ZLL": {"label": "ZLL", "datasets": ["Z"], "select": "gen_match == 0"},
        "ZTT": {"label": "ZTT", "datasets": ["Z"], "select": "gen_match == 1"},
    },
    "regions": {
        "sr": {"cut": "q_1 * q_2 < 0 and mt_1 < 30", "role": "signal"},
        "cr": {"cut": "q_1 * q_2 < 0 and mt_1 > 70", "role": "control"},
        "ss_sr": {"cut": "q_1 * q_2 > 0 and mt_1 < 30"},
        "ss_cr": {"cut": "q_1 * q_2 > 0 and mt_1 > 70"},
    },
    "features": ["pt_1", "m"],
    "observables": {
        "nn_score": {"label": "score", "binning": [0, 0.5, 1]},
        "m": {"label": "m", "binning": [0, 50, 100]},
    },
    "control_plots": {"pt_1": {"label": "pt", "binning": [0, 50, 100]}},
    "skim": {"envelope": {"tau_pt": 0.06}},
    "training": {"region": "sr"},
    "systematics": {
        "lumi": {"kind": "rate", "size": 0.026, "samples": ["S", "ZTT"]},
        "scale": {"kind": "rate", "up": 0.04, "down": -0.07, "samples": ["S"], "regions": ["sr"]},
        "qcd": {"kind": "rate", "size": 0.1, "samples": ["QCD"]},
        "tes": {"kind": "kinematic", "shift": "tau", "size": 0.03, "samples": ["ZTT"]},
        "met": {"kind": "kinematic", "shift": "met", "size": 0.1, "samples": ["ZTT"]},
        "pu": {"kind": "weight", "weight": "pileup", "samples": ["ZTT"]},
        "nlo": {"kind": "sample", "datasets": ["Z2"], "samples": ["ZTT"]},
        "left": {"kind": "control_residual", "region": "cr", "samples": ["ZTT"]},
    },
    "fit": {"observable": "nn_score", "reference": "m", "free_normalisations": {"z_norm": "ZTT"}},
}


def estimated(**keys):
    return {"samples": {"QCD": {"estimate": keys}}}


def make_config(change=None, tmp_path=None):
    content = merge(CONTENT, {"results": str(tmp_path or "results")})
    content = merge(content, change or {})
    regions = content["samples"]["QCD"]["estimate"]["regions"]
    for name in [name for name, source in regions.items() if source is None]:
        del regions[name]
    return validate_keys(Config, content)


def check(change=None, *, catalogue=None, analysis=ANALYSIS, tmp_path=None, writes=True):
    toys = Catalogue.model_validate(merge(CATALOGUE, catalogue or {}))
    check_config(make_config(change, tmp_path), toys, analysis, writes=writes)


def problems(change, **options):
    with pytest.raises(TaipanError) as error:
        check(change, **options)
    return str(error.value).splitlines()
