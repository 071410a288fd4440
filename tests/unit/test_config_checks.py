"""Checks over more than one key: a valid configuration is changed, one message is expected."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from taipan.analysis import Analysis, Column, Quantity, Shift
from taipan.checks.configuration import check_config
from taipan.checks.coverage import check_strengths
from taipan.checks.fit import fitted_regions
from taipan.config.load import merge, validate_keys
from taipan.config.model import Config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.skim.envelope import derive_envelope

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


def test_valid_configuration_passes():
    check()


CUT_BASED = {
    "features": [],
    "observables": {"nn_score": {"label": "m", "binning": [0, 1]}, "m": {"binning": [0, 50]}},
    "training": {"region": "nowhere"},
    "fit": {"observable": "m", "reference": None},
}


def test_analysis_without_a_network_needs_nothing_of_the_training():
    content = merge(CONTENT, CUT_BASED)
    del content["observables"]["nn_score"]
    config = Config.model_validate(content)
    check_config(config, Catalogue.model_validate(CATALOGUE), ANALYSIS)
    with pytest.raises(TaipanError, match="training.region: 'nowhere' is not a region"):
        check({"training": {"region": "nowhere"}})


def test_observable_of_a_region_is_fitted_and_known():
    check({"regions": {"cr": {"observable": "m"}, "sr": {"observable": "nn_score"}}})
    check({"regions": {"cr": {"observable": "yield"}}})
    assert problems({"regions": {"cr": {"observable": "mass"}}}) == [
        "regions.cr.observable: 'mass' is not an observable (yield, nn_score, m)"
    ]
    (line,) = problems({"regions": {"ss_sr": {"observable": "m"}}})
    assert line == (
        "regions.ss_sr.observable: 'm': a region with role estimate is not fitted (signal, control)"
    )
    lines = problems({"regions": {"sr": {"observable": "m"}}})
    assert lines == [
        "fit.observable: 'nn_score' is fitted in no region; each has an observable of its own (m)"
    ]


def test_score_without_a_network_is_refused():
    assert problems({"features": [], "templates": {"binning": {"method": "merge"}}}) == [
        "observables.nn_score: without `features` there is no network to give it",
        "templates.binning.method: 'merge' sets a fold of the network's events aside; without "
        "`features` there is none (none)",
    ]


def test_fitted_regions_are_signal_and_control():
    assert list(fitted_regions(Config.model_validate(CONTENT))) == ["sr", "cr"]


MESSAGES = {
    "sample called data": (
        {"samples": {"data": {"label": "d", "datasets": ["Z2"]}}},
        "samples.data: a sample may not be called data, total, signal, background",
    ),
    "sample and region share a name": (
        {"samples": {"sr": {"label": "d", "datasets": ["Z2"]}}},
        "samples.sr: 'sr' is also the name of a region; names must be unique",
    ),
    "no signal sample": (
        {"samples": {"S": {"role": "background"}}},
        "samples: no sample has role signal; at least one is needed",
    ),
    "no background sample": (
        {"samples": {name: {"role": "signal"} for name in ("QCD", "ZLL", "ZTT")}},
        "samples: no sample has role background; at least one is needed",
    ),
    "unknown loss": (
        {"training": {"loss": "bec"}},
        "training.loss: 'bec' is not a loss; did you mean 'bce'? (",
    ),
    "more networks than folds that can stop them": (
        {"training": {"folds": 4, "networks": 4}},
        "training.networks: 4 networks a fold, each stopped by other events of the training.folds "
        "= 4 folds; allowed are 1 to 3",
    ),
    "more networks than quarters of the other fold": (
        {"training": {"folds": 2, "networks": 5}},
        "training.networks: 5 networks a fold, each stopped by other events of the training.folds "
        "= 2 folds; allowed are 1 to 4",
    ),
    "theory uncertainty as a domain": (
        {
            "training": {"adversary": {"control_sample": {"simulation": ["pdf"]}}},
            "systematics": {
                "pdf": {"kind": "rate", "size": 0.1, "samples": ["S"], "group": "theory"}
            },
        },
        "training.adversary.control_sample.simulation[0]: 'pdf' is a theory uncertainty (rate): "
        "a score decorrelated from a choice between two generators or theories hides their "
        "difference and does not reduce the uncertainty that it stands for (arXiv:2109.08159); "
        "allowed: S, ZLL, ZTT",
    ),
    "alternative simulation as a domain": (
        {"training": {"adversary": {"control_sample": {"simulation": ["ZTT", "Z2"]}}}},
        "training.adversary.control_sample.simulation[1]: 'Z2' is the alternative simulation of "
        "systematics.nlo: a score decorrelated from a choice between two generators or theories",
    ),
    "alternative sample's systematic as a domain": (
        {"training": {"adversary": {"control_sample": {"simulation": ["nlo"]}}}},
        "training.adversary.control_sample.simulation[0]: 'nlo' is an alternative simulation (kind",
    ),
    "experimental systematic as a domain": (
        {"training": {"adversary": {"control_sample": {"simulation": ["tes"]}}}},
        "training.adversary.control_sample.simulation[0]: 'tes' is a systematic: the domains are "
        "data and simulation, a variation has its own templates in the fit; allowed: S, ZLL, ZTT",
    ),
    "simulated dataset as a domain": (
        {"training": {"adversary": {"control_sample": {"simulation": ["H"]}}}},
        "training.adversary.control_sample.simulation[0]: 'H' is a simulated dataset, not a "
        "sample; allowed: S, ZLL, ZTT",
    ),
    "estimated sample as simulation of the adversary": (
        {"training": {"adversary": {"control_sample": {"simulation": ["QCD"]}}}},
        "training.adversary.control_sample.simulation[0]: 'QCD' is estimated from data and "
        "subtracted from them (S, ZLL, ZTT)",
    ),
    "sample of the adversary twice": (
        {"training": {"adversary": {"control_sample": {"simulation": ["ZTT", "ZTT"]}}}},
        "training.adversary.control_sample.simulation[1]: 'ZTT' is listed twice",
    ),
    "unknown sample of the adversary": (
        {"training": {"adversary": {"control_sample": {"simulation": ["ZT"]}}}},
        "training.adversary.control_sample.simulation[0]: 'ZT' is not a simulated sample; did you",
    ),
    "unknown region of the adversary": (
        {"training": {"adversary": {"control_sample": {"region": "crr"}}}},
        "training.adversary.control_sample.region: 'crr' is not a region; did you mean 'cr'? (cr, ",
    ),
    "default region of the adversary that is not there": (
        {"training": {"adversary": {"enabled": True}}},
        "training.adversary.control_sample.region: 'control' is not a region (cr, ss_sr, ss_cr)",
    ),
    "signal region of the adversary": (
        {"training": {"adversary": {"enabled": True, "control_sample": {"region": "sr"}}}},
        "training.adversary.control_sample.region: 'sr' is a signal region; allowed: cr, ss_sr, ss",
    ),
    "region of the adversary without QCD estimate": (
        {"training": {"adversary": {"enabled": True, "control_sample": {"region": "ss_cr"}}}},
        "training.adversary.control_sample.region: 'ss_cr' is none of "
        "samples.QCD.estimate.regions, so 'QCD' cannot be subtracted from its data",
    ),
    "neutral feature that is none": (
        {"training": {"adversary": {"control_sample": {"neutral": ["mt_1"]}}}},
        "training.adversary.control_sample.neutral[0]: 'mt_1' is not a continuous feature",
    ),
    "condition that is no quantity": (
        {"training": {"adversary": {"condition_on": ["pt_9"]}}},
        "training.adversary.condition_on[0]: 'pt_9' is not a quantity that data have; did you mea",
    ),
    "warm-up without end": (
        {
            "training": {
                "epochs": 5,
                "adversary": {
                    "enabled": True,
                    "warmup_epochs": 5,
                    "control_sample": {"region": "cr"},
                },
            }
        },
        "training.adversary.warmup_epochs: 5 is not below training.epochs (5); no epoch would be",
    ),
    "decorrelation from an unknown quantity": (
        {
            "training": {
                "decorrelate": [
                    {"variable": "mm", "region": "srr", "method": "disco", "strength": 1.0}
                ]
            }
        },
        "training.decorrelate[0].variable: 'mm' is not a quantity that data have; did you mean 'm'",
    ),
    "decorrelation in an unknown region": (
        {
            "training": {
                "decorrelate": [
                    {"variable": "m", "region": "srr", "method": "disco", "strength": 1.0}
                ]
            }
        },
        "training.decorrelate[0].region: 'srr' is not a region; did you mean 'sr'? (sr, cr, ss_sr",
    ),
    "decorrelation twice": (
        {
            "training": {
                "decorrelate": [
                    {"variable": "m", "region": "sr", "method": "disco", "strength": x}
                    for x in (1, 2)
                ]
            }
        },
        "training.decorrelate[1]: 'm' in 'sr' by disco is listed twice",
    ),
    "strength of the scan twice": (
        {"adversary_scan": {"values": [0.0, 5.0, 5.0]}},
        "adversary_scan.values[2]: 5 is listed twice",
    ),
    "systematic named like the parameter of interest": (
        {"systematics": {"mu": {"kind": "rate", "size": 0.1, "samples": ["S"]}}},
        "systematics.mu: 'mu' is already the fit parameter of fit.poi",
    ),
    "free normalisation named like the parameter of interest": (
        {"fit": {"free_normalisations": {"mu": "ZLL"}}},
        "fit.free_normalisations.mu: 'mu' is already the fit parameter of fit.poi",
    ),
    "systematic named like a free normalisation": (
        {"systematics": {"z_norm": {"kind": "rate", "size": 0.1, "samples": ["S"]}}},
        "systematics.z_norm: 'z_norm' is already the fit parameter of fit.free_normalisations.z_",
    ),
    "systematic named like the transfer factor": (
        {"systematics": {"qcd_os_ss": {"kind": "rate", "size": 0.1, "samples": ["S"]}}},
        "systematics.qcd_os_ss: 'qcd_os_ss' is already the fit parameter of samples.QCD.estimate",
    ),
    "observable that may be missing": (
        {"observables": {"z_jet": {"label": "z", "binning": [0, 1]}}},
        "observables.z_jet: 'z_jet' is missing for some events, which a fit would count in its "
        "last bin; only control_plots may have it",
    ),
    "feature from the generator record": (
        {"features": ["pt_1", "z_true"]},
        "features[1]: 'z_true' comes from the generator record, which data do not have; only "
        "samples.*.select may use it",
    ),
    "cut on the generator record": (
        {"regions": {"ss_sr": {"cut": "q_1 * q_2 > 0 and z_true > 1"}}},
        "regions.ss_sr.cut: 'z_true' comes from the generator record, which data do not have; only",
    ),
    "fold of the bin edges beyond the last": (
        {"templates": {"binning": {"method": "merge", "fold": 5}}},
        "templates.binning.fold: 5 is not one of the training.folds = 5 folds (0 to 4)",
    ),
    "fewer fine bins than bins": (
        {"templates": {"binning": {"method": "merge", "bins": 12, "fine_bins": 10}}},
        "templates.binning.fine_bins: 10 is below templates.binning.bins (12)",
    ),
    "bin edges of two signal regions": (
        {
            "templates": {"binning": {"method": "merge"}},
            "regions": {"cr": {"role": "signal"}},
        },
        "templates.binning.method: 'merge' chooses edges for one region with role signal; there "
        "are sr, cr",
    ),
    "luminosity mask that is not there": (
        {"skim": {"lumi_mask": "absent.json"}},
        "skim.lumi_mask: 'absent.json' is not a file",
    ),
    "name of a statistical parameter": (
        {"systematics": {"staterror_sr": {"kind": "rate", "size": 0.1, "samples": ["S"]}}},
        "systematics.staterror_sr: 'staterror_sr': names with staterror_ belong to the statistical",
    ),
    "unknown data": (
        {"data": ["Datta"]},
        "data[0]: 'Datta' is not a dataset of collision data in catalogue 'toys'; did you mean "
        "'Data'? (Data)",
    ),
    "simulation as data": ({"data": ["Data", "H"]}, "data[1]: 'H' is not a dataset of collision"),
    "data twice": ({"data": ["Data", "Data"]}, "data[1]: 'Data' is a duplicate of data[0]"),
    "unknown dataset": (
        {"samples": {"S": {"datasets": ["H", "HH"]}}},
        "samples.S.datasets[1]: 'HH' is not a simulated dataset of catalogue 'toys'; did you mean "
        "'H'? (H, Z, Z2)",
    ),
    "data as simulation": (
        {"samples": {"S": {"datasets": ["Data"]}}},
        "samples.S.datasets[0]: 'Data' is not a simulated dataset",
    ),
    "dataset twice": (
        {"samples": {"S": {"datasets": ["H", "H"]}}},
        "samples.S.datasets[1]: 'H' is a duplicate of samples.S.datasets[0]",
    ),
    "events of an unknown dataset": (
        {"fastsim": {"events": {"HH": 5}}},
        "fastsim.events.HH: 'HH' is not a simulated dataset of catalogue 'toys'; did you mean "
        "'H'? (H, Z, Z2)",
    ),
    "events of data": (
        {"fastsim": {"events": {"Data": 5}}},
        "fastsim.events.Data: 'Data' is not a simulated dataset",
    ),
    "select with bad syntax": (
        {"samples": {"ZLL": {"select": "gen_match = 0"}}},
        "samples.ZLL.select: 'gen_match = 0' cannot be parsed",
    ),
    "select with an unknown quantity": (
        {"samples": {"S": {"select": "gen_mach == 0"}}},
        "samples.S.select: 'gen_mach' is not a quantity; did you mean 'gen_match'? (broken, gen_",
    ),
    "select of a data-driven sample": (
        {"samples": {"QCD": {"select": "m > 0"}}},
        "samples.QCD.select: a sample estimated from data takes no `select`",
    ),
    "events counted twice": (
        {"samples": {"ZTT": {"select": None}}},
        "samples.ZTT.datasets: 'Z' also belongs to sample 'ZLL': its events would count twice",
    ),
    "cut with a forbidden part": (
        {"regions": {"ss_sr": {"cut": "exp(m) > 1"}}},
        "regions.ss_sr.cut: 'exp(m) > 1': 'exp(m)' is not allowed",
    ),
    "cut with an unknown quantity": (
        {"regions": {"ss_cr": {"cut": "q_1 * q_2 > 0 and mt_2 > 70"}}},
        "regions.ss_cr.cut: 'mt_2' is not a quantity; did you mean 'mt_1'?",
    ),
    "cut that is a number": (
        {"regions": {"new": {"cut": "q_1 * q_2"}}},
        "regions.new.cut: 'q_1 * q_2' is not a condition (compare it with a number)",
    ),
    "no signal region": (
        {"regions": {"sr": {"role": "control"}}},
        "regions: no region has role signal; at least one is needed",
    ),
    "overlapping fitted regions": (
        {"regions": {"cr": {"cut": "q_1 * q_2 < 0 and mt_1 > 20"}}},
        "regions.cr.cut: 'q_1 * q_2 < 0 and mt_1 > 20' is not shown to be disjoint from region "
        "'sr' ('q_1 * q_2 < 0 and mt_1 < 30'); both are fitted, so their cuts must confine one "
        "term to ranges without overlap (such as m < 110 and m > 110)",
    ),
    "cut that nothing passes": (
        {"regions": {"cr": {"cut": "q_1 * q_2 < 0 and mt_1 > 70 and 60 > mt_1"}}},
        "regions.cr.cut: 'q_1 * q_2 < 0 and mt_1 > 70 and 60 > mt_1' is true for no event: it "
        "asks for a range without any value",
    ),
    "categories of something that is no feature": (
        {"categorical": {"pt_2": {"values": [0, 1]}}},
        "categorical.pt_2: 'pt_2' is not a feature; did you mean 'pt_1'? (pt_1, m)",
    ),
    "category listed twice": (
        {"categorical": {"m": {"values": [0, 1, 1]}}},
        "categorical.m.values: 1 is listed twice",
    ),
    "two overtraining conditions on one metric": (
        {"overtraining": {"conditions": [{"metric": "bce"}, {"metric": "bce"}]}},
        "overtraining.conditions[1].metric: 'bce' already has a condition; one for each metric is",
    ),
    "empty range of the search": (
        {"tuning": {"space": {"dropout": [0.5, 0.1]}}},
        "tuning.space.dropout: [0.5, 0.1] is an empty range; the first must not be larger",
    ),
    "logarithmic range from zero": (
        {"tuning": {"space": {"learning_rate": [0, 0.1]}}},
        "tuning.space.learning_rate: 0 is not allowed, the range is logarithmic (number, > 0)",
    ),
    "search with a dropout of everything": (
        {"tuning": {"space": {"dropout": [0.0, 1.0]}}},
        "tuning.space.dropout: 1 is not allowed (number, < 1)",
    ),
    "choice listed twice": (
        {"tuning": {"space": {"units": [8, 16, 8]}}},
        "tuning.space.units[2]: 8 is listed twice",
    ),
    "feature set without features": (
        {"tuning": {"space": {"feature_sets": {"none": []}}}},
        "tuning.space.feature_sets.none: empty; at least one of the features is needed",
    ),
    "feature set with a typing error": (
        {"tuning": {"space": {"feature_sets": {"few": ["pt1"]}}}},
        "tuning.space.feature_sets.few[0]: 'pt1' is not a feature; did you mean 'pt_1'? (pt_1, m)",
    ),
    "training in an unknown region": (
        {"training": {"region": "srr"}},
        "training.region: 'srr' is not a region; did you mean 'sr'? (sr, cr, ss_sr, ss_cr)",
    ),
    "unknown same-sign partner": (
        estimated(regions={"cr": "ss"}),
        "samples.QCD.estimate.regions.cr: 'ss' is not a region",
    ),
    "same-sign partner with the same events": (
        {"regions": {"ss_cr": {"cut": "mt_1 > 70"}}},
        "samples.QCD.estimate.regions.cr: 'ss_cr' is not shown to be disjoint from 'cr'",
    ),
    "no same-sign partner": (
        estimated(regions={"cr": None}),
        "samples.QCD.estimate.regions.cr: missing; the estimate needs the source of every fitted "
        "or trained region",
    ),
    "no same-sign partner of the trained region": (
        {"training": {"region": "ss_sr"}},
        "samples.QCD.estimate.regions.ss_sr: missing; the estimate needs the source of every",
    ),
    "estimate in an unknown region": (
        estimated(regions={"crr": "ss_cr"}),
        "samples.QCD.estimate.regions.crr: 'crr' is not a region; did you mean 'cr'?",
    ),
    "transfer factor of an unknown region": (
        estimated(numerator="os"),
        "samples.QCD.estimate.numerator: 'os' is not a region",
    ),
    "transfer factor of one region": (
        estimated(numerator="ss_cr"),
        "samples.QCD.estimate.denominator: 'ss_cr' is also the numerator",
    ),
    "unknown feature": (
        {"features": ["pt_1", "pt_2"]},
        "features[1]: 'pt_2' is not a quantity; did you mean 'pt_1'? (broken, gen_match, iso_1, ",
    ),
    "feature twice": (
        {"features": ["pt_1", "m", "pt_1"]},
        "features[2]: 'pt_1' is a duplicate of features[0]",
    ),
    "feature that the skim cannot give": (
        {"features": ["broken"]},
        "features[0]: 'broken' cannot be computed from the skim: it needs the column 'Tau_pt' "
        "(MET_pt, Muon_pt)",
    ),
    "the score as its own feature": (
        {"features": ["nn_score"]},
        "features[0]: 'nn_score' is not a quantity",
    ),
    "unknown observable": (
        {"observables": {"m_sv": {"label": "m", "binning": [0, 1]}}},
        "observables.m_sv: 'm_sv' is not a quantity (nn_score, broken, ",
    ),
    "unknown control plot": (
        {"control_plots": {"m_sv": {"label": "m", "binning": [0, 1]}}},
        "control_plots.m_sv: 'm_sv' is not a quantity",
    ),
    "edges out of order": (
        {"observables": {"m": {"binning": [0, 50, 50, 100]}}},
        "observables.m.binning[2]: 50 after 50; edges must be strictly increasing",
    ),
    "score beyond 1": (
        {"observables": {"nn_score": {"binning": [0, 0.5, 1.1]}}},
        "observables.nn_score.binning: 0 to 1.1 is not within 0 to 1",
    ),
    "unknown threshold": (
        {"skim": {"envelope": {"jet_pt": 0.1}}},
        "skim.envelope.jet_pt: 'jet_pt' is not a threshold of the analysis module; did you mean "
        "'tau_pt'? (tau_pt)",
    ),
    "range of the parameter of interest without 1": (
        {"fit": {"poi_range": [2.0, 5.0]}},
        "fit.poi_range: [2, 5] must increase and contain 1",
    ),
    "range of the parameter of interest that decreases": (
        {"fit": {"poi_range": [5.0, -5.0]}},
        "fit.poi_range: [5, -5] must increase and contain 1",
    ),
    "unknown fit observable": (
        {"fit": {"observable": "mm"}},
        "fit.observable: 'mm' is not an observable; did you mean 'm'? (nn_score, m)",
    ),
    "unknown reference": (
        {"fit": {"reference": "mm"}},
        "fit.reference: 'mm' is not an observable; did you mean 'm'? (nn_score, m)",
    ),
    "reference that is the observable": (
        {"fit": {"reference": "nn_score"}},
        "fit.reference: 'nn_score' is already fit.observable; set it to null for none",
    ),
    "free normalisation of an unknown sample": (
        {"fit": {"free_normalisations": {"w_norm": "W"}}},
        "fit.free_normalisations.w_norm: 'W' is not a sample (S, QCD, ZLL, ZTT)",
    ),
    "two free normalisations of a sample": (
        {"fit": {"free_normalisations": {"z2_norm": "ZTT"}}},
        "fit.free_normalisations.z2_norm: the normalisation of 'ZTT' is already free (z_norm)",
    ),
    "batches that do not divide": (
        {"coverage": {"experiments": 1000, "batches": 3}},
        "coverage.batches: 3 does not divide coverage.experiments (1000)",
    ),
    "injected signal strengths beyond the fit's": (
        {"coverage": {"mu_range": [0.0, 99.0]}},
        "coverage.mu_range: [0, 99] must be increasing, not negative, and within fit.poi_range",
    ),
    "results in the root folder": ({"results": "/"}, "results: '/' is the root of the file syst"),
    "results of blanks": ({"results": "  "}, "results: '' is not a folder"),
}
SYSTEMATICS = {
    "unknown sample": (
        "lumi",
        {"samples": ["S", "ZTTT"]},
        ".samples[1]: 'ZTTT' is not a sample; did you mean 'ZTT'? (S, QCD, ZLL, ZTT)",
    ),
    "sample twice": ("lumi", {"samples": ["S", "S"]}, ".samples[1]: 'S' is a duplicate of "),
    "unknown region": ("scale", {"regions": ["sig"]}, ".regions[0]: 'sig' is not a region"),
    "no regions": ("scale", {"regions": []}, ".regions: an empty list changes nothing"),
    "kinematic on a data-driven sample": (
        "tes",
        {"samples": ["QCD"]},
        ".samples[0]: 'QCD' is estimated from data; a kinematic systematic reaches it through the "
        "simulation that is subtracted (only kind rate is allowed)",
    ),
    "weight on a data-driven sample": ("pu", {"samples": ["QCD"]}, ".samples[0]: 'QCD' is esti"),
    "sample on a data-driven sample": ("nlo", {"samples": ["QCD"]}, ".samples[0]: 'QCD' is esti"),
    "rate without a size": (
        "lumi",
        {"size": None},
        ": kind rate takes either size, or up and down; given: none",
    ),
    "rate with size and up": (
        "lumi",
        {"up": 0.1},
        ": kind rate takes either size, or up and down; given: size, up",
    ),
    "rate with size, up and down": (
        "lumi",
        {"up": 0.1, "down": -0.1},
        ": kind rate takes either size, or up and down; given: size, up, down",
    ),
    "rate without down": (
        "scale",
        {"down": None},
        ": kind rate takes either size, or up and down; given: up",
    ),
    "rate of zero": ("scale", {"up": 0, "down": 0}, ": up and down are 0; the systematic changes"),
    "rate with a shift": (
        "lumi",
        {"shift": "tau"},
        ".shift: 'shift' is not a key (kind, group, samples, regions, prune, ",
    ),
    "rate symmetrized": (
        "lumi",
        {"symmetrize": True},
        ".symmetrize: 'symmetrize' is not a key",
    ),
    "kinematic without a shift": (
        "tes",
        {"shift": None},
        ".shift: null is not allowed (text)",
    ),
    "kinematic without a size": (
        "tes",
        {"size": None},
        ".size: null is not allowed (number, > 0, < 1)",
    ),
    "kinematic with datasets": (
        "tes",
        {"datasets": ["Z2"]},
        ".datasets: 'datasets' is not a key",
    ),
    "unknown shift": ("tes", {"shift": "taus"}, ".shift: 'taus' is not a shift; did you mean 'ta"),
    "kinematic beyond the envelope": (
        "tes",
        {"size": 0.07},
        ".size: 0.07 exceeds skim.envelope.tau_pt (0.06), the largest variation the skim keeps "
        "events for; a larger envelope re-runs the skim",
    ),
    "weight without a weight": ("pu", {"weight": None}, ".weight: null is not allowed (text)"),
    "weight with a size": ("pu", {"size": 0.1}, ".size: 'size' is not a key"),
    "unknown weight": ("pu", {"weight": "pile"}, ".weight: 'pile' is not a weight; did you mean "),
    "sample without datasets": (
        "nlo",
        {"datasets": None},
        ".datasets: null is not allowed (list of text)",
    ),
    "sample with no datasets": (
        "nlo",
        {"datasets": []},
        ".datasets: an empty list replaces nothing",
    ),
    "unknown alternative": ("nlo", {"datasets": ["Z3"]}, ".datasets[0]: 'Z3' is not a simulated "),
    "alternative twice": ("nlo", {"datasets": ["Z2", "Z2"]}, ".datasets[1]: 'Z2' is a duplicate"),
    "unknown alternative down": ("nlo", {"down": ["Z3"]}, ".down[0]: 'Z3' is not a simulated "),
    "alternative up and down": ("nlo", {"down": ["Z2"]}, ".down[0]: 'Z2' is also one of "),
    "alternative from data": ("nlo", {"datasets": ["Data"]}, ".datasets[0]: 'Data' is not a simu"),
    "alternative that is the sample": (
        "nlo",
        {"datasets": ["Z"]},
        ".datasets: those of 'ZTT' itself; the systematic changes nothing",
    ),
    "residual without a region": (
        "left",
        {"region": None},
        ".region: null is not allowed (name",
    ),
    "residual of the signal region": (
        "left",
        {"region": "sr"},
        ".region: 'sr' may share events with a signal region, whose data are not looked at for "
        "this (cr, ss_sr, ss_cr)",
    ),
    "residual of no region": ("left", {"region": "crr"}, ".region: 'crr' is not a region; did "),
    "residual with a size": (
        "left",
        {"size": 0.1},
        ".size: 'size' is not a key",
    ),
    "residual of QCD": (
        "left",
        {"samples": ["QCD"]},
        ".samples[0]: 'QCD' is estimated from data; a control_residual systematic reaches it",
    ),
    "residual smoothed": (
        "left",
        {"smooth": "lowess"},
        ".smooth: 'smooth' is not a key",
    ),
    "residual symmetrised": (
        "left",
        {"symmetrize": True},
        ".symmetrize: 'symmetrize' is not a key",
    ),
    "rate with a region": (
        "lumi",
        {"region": "cr"},
        ".region: 'region' is not a key; did you mean 'regions'?",
    ),
    "one-sided weight": (
        "pu",
        {"one_sided": True},
        ".one_sided: 'one_sided' is not a key",
    ),
    "one-sided and symmetrised": (
        "tes",
        {"one_sided": True, "symmetrize": True},
        ": one_sided: true is for a shift without symmetrize",
    ),
    "decorrelated twice": (
        "tes",
        {"decorrelate": ["sample", "region", "sample"]},
        ".decorrelate[2]: 'sample' is a duplicate of systematics.tes.decorrelate[0]",
    ),
    "rate smoothed": (
        "lumi",
        {"smooth": "lowess"},
        ".smooth: 'smooth' is not a key",
    ),
}
MEASURE = {"sample": "ZTT", "region": "cr", "quantity": "pt_1", "binning": [0, 1, 2]}
WEIGHTS = {
    "name of the built-in weight": (
        {"pileup": {"measure": MEASURE}},
        "weights.pileup: the name is taken by a built-in weight (pileup)",
    ),
    "used by no systematic": (
        {"w": {"measure": MEASURE}, "idle": {"measure": MEASURE}},
        "weights.idle: no systematic uses it; name it in systematics.*.weight, or leave it out",
    ),
    "file that is not there": (
        {"w": {"file": "absent.json"}},
        "weights.w.file: 'absent.json' is not a file (seen from /",
    ),
    "quantity that is none": (
        {"w": {"measure": {**MEASURE, "quantity": "pt_9"}}},
        "weights.w.measure.quantity: 'pt_9' is not a quantity that every event of data has; did "
        "you mean 'pt_1'? (pt_1, mt_1, ",
    ),
    "quantity that may be missing": (
        {"w": {"measure": {**MEASURE, "quantity": "z_jet"}}},
        "weights.w.measure.quantity: 'z_jet' is not a quantity that every event of data has",
    ),
    "quantity of the generator record": (
        {"w": {"measure": {**MEASURE, "quantity": "z_true"}}},
        "weights.w.measure.quantity: 'z_true' is not a quantity that every event of data has",
    ),
    "edges out of order": (
        {"w": {"measure": {**MEASURE, "binning": [0, 2, 1]}}},
        "weights.w.measure.binning[2]: 1 after 2; edges must be strictly increasing",
    ),
    "unknown region": (
        {"w": {"measure": {**MEASURE, "region": "crr"}}},
        "weights.w.measure.region: 'crr' is not a region; did you mean 'cr'? (sr, cr, ss_sr, "
        "ss_cr)",
    ),
    "unknown denominator": (
        {"w": {"measure": {**MEASURE, "sample": "QCD", "denominator": "ss"}}},
        "weights.w.measure.denominator: 'ss' is not a region",
    ),
    "unknown sample": (
        {"w": {"measure": {**MEASURE, "sample": "ZTTT"}}},
        "weights.w.measure.sample: 'ZTTT' is not a sample; did you mean 'ZTT'? (S, QCD, ZLL, ZTT)",
    ),
    "simulated sample with a denominator": (
        {"w": {"measure": {**MEASURE, "denominator": "ss_cr"}}},
        "weights.w.measure.denominator: 'ss_cr'; a sample estimated from data needs it, a "
        "simulated one takes none",
    ),
    "data-driven sample without a denominator": (
        {"w": {"measure": {**MEASURE, "sample": "QCD"}}},
        "weights.w.measure.denominator: None; a sample estimated from data needs it",
    ),
}


DECORRELATION = {
    "signal region": (
        {"regions": ["cr", "sr"]},
        "regions[1]: 'sr' may share events with a signal region, whose data are not looked at for "
        "this (cr, ss_sr, ss_cr)",
    ),
    "unknown region": ({"regions": ["crr"]}, "regions[0]: 'crr' is not a region; did you mean"),
    "region twice": ({"regions": ["cr", "cr"]}, "regions[1]: 'cr' is listed twice"),
    "efficiency twice": ({"efficiencies": [0.5, 0.5]}, "efficiencies[1]: 0.5 is listed twice"),
    "unknown variable": ({"variables": ["mm"]}, "variables[0]: 'mm' is not a quantity that data"),
    "unknown condition": (
        {"condition_on": ["mm"]},
        "condition_on[0]: 'mm' is not a quantity that every event of data has",
    ),
    "own name": (
        {"compare": {"network": "results/htautau/models"}},
        "compare.network: the name is taken by the networks of this run",
    ),
}


@pytest.mark.parametrize("case", DECORRELATION)
def test_decorrelation(case):
    change, expected = DECORRELATION[case]
    found = problems({"decorrelation": change})
    assert len(found) == 1
    assert found[0].startswith(f"decorrelation.{expected}")


@pytest.mark.parametrize("case", MESSAGES)
def test_message(case):
    change, expected = MESSAGES[case]
    found = [line for line in problems(change) if line.startswith(expected)]
    assert len(found) == 1


@pytest.mark.parametrize("case", SYSTEMATICS)
def test_systematic(case):
    name, change, expected = SYSTEMATICS[case]
    lines = problems({"systematics": {name: change}})
    found = [line for line in lines if line.startswith(f"systematics.{name}{expected}")]
    assert len(found) == 1


USES_W = {"kind": "weight", "weight": "w", "samples": ["ZTT"]}


def test_measured_weight_passes():
    check({"weights": {"w": {"measure": MEASURE}}, "systematics": {"uses_w": USES_W}})


@pytest.mark.parametrize("case", WEIGHTS)
def test_weight(case):
    weights, expected = WEIGHTS[case]
    systematics = {"uses_w": USES_W} if "w" in weights else {}
    (line,) = problems({"weights": weights, "systematics": systematics})
    assert line.startswith(expected)


def test_file_that_is_no_correction(tmp_path):
    file = tmp_path / "weights.json"
    file.write_text("{}")
    change = {"weights": {"w": {"file": str(file)}}, "systematics": {"uses_w": USES_W}}
    (line,) = problems(change)
    assert line.startswith(f"weights.w.file: {file}: not a correctionlib file: ")


def test_weight_of_a_data_driven_sample_has_no_other_sample():
    measure = {**MEASURE, "sample": "QCD", "denominator": "ss_cr"}
    change = {
        "weights": {"w": {"measure": measure}},
        "systematics": {"uses_w": {**USES_W, "samples": ["ZTT", "QCD"]}},
    }
    assert problems(change) == [
        "systematics.uses_w.samples: ZTT, QCD: 'QCD' is estimated from data; a weight of the "
        "events it is made of has no other sample"
    ]


def test_fastsim_has_all_its_data():
    second = {"files": ["d2.root"], "is_data": True, "luminosity": CITED}
    assert problems(None, catalogue={"datasets": {"Data2": second}}) == [
        "data: 'Data2' is missing; fastsim.luminosity is that of all its data (Data, Data2)"
    ]


def test_all_problems_are_reported_a_line_each():
    lines = problems({"features": ["a"], "fit": {"poi_range": [2.0, 5.0]}, "data": ["X"]})
    assert [line.split(":")[0] for line in lines] == ["data[0]", "features[0]", "fit.poi_range"]


def test_pileup_systematic_needs_the_correction():
    lines = problems({"pileup": {"enabled": False}})
    assert lines == ["systematics.pu.weight: 'pileup' needs pileup.enabled: true"]


def test_envelope_that_is_not_given_follows_from_the_sizes():
    content = {**CONTENT, "skim": {"envelope": {}}}
    config, shifts = Config(**content), ANALYSIS.shifts
    check_config(config, Catalogue.model_validate(CATALOGUE), ANALYSIS)
    assert config.systematics["tes"].size == 0.03
    found = derive_envelope(config.skim.envelope, shifts, config.systematics.values())
    assert found == {"tau_pt": pytest.approx(0.06)}
    assert derive_envelope({"tau_pt": 0.5}, shifts, config.systematics.values()) == {"tau_pt": 0.5}
    assert derive_envelope({}, shifts, []) == {"tau_pt": 0.0}
    assert derive_envelope({}, {}, config.systematics.values()) == {}


def test_size_equal_to_the_envelope_passes():
    check({"systematics": {"tes": {"size": 0.06}}})


def test_no_events_to_simulate():
    lines = problems(None, catalogue={"datasets": {"H": {"generated_events": None}}})
    assert lines == [
        "samples.S.datasets[0]: 'H' has no generated_events in catalogue 'toys', so it cannot be "
        "normalised"
    ]
    check(
        {"fastsim": {"events": {"H": 5}}},
        catalogue={"datasets": {"H": {"generated_events": None}}},
    )


def test_alternative_without_events_to_simulate():
    lines = problems(None, catalogue={"datasets": {"Z2": {"generated_events": None}}})
    assert lines == [
        "systematics.nlo.datasets[0]: 'Z2' has no generated_events in catalogue 'toys', so it "
        "cannot be normalised"
    ]


SKIMS = {"kind": "skims"}
FLAT = dataclasses.replace(ANALYSIS, flat=lambda arrays, is_data: None)


@pytest.fixture
def skims(tmp_path):
    folder = tmp_path / "skims"
    folder.mkdir()
    for dataset in CATALOGUE["datasets"].values():
        (folder / dataset["files"][0]).touch()
    return folder


def test_skims_pass(skims, tmp_path):
    change = {"skims": str(skims), "results": str(tmp_path / "results")}
    check(change, catalogue=SKIMS, analysis=FLAT)


def test_flat_ntuples_have_no_luminosity_blocks(skims, tmp_path):
    mask = tmp_path / "mask.json"
    mask.write_text("{}")
    change = {"skims": str(skims), "skim": {"lumi_mask": str(mask)}}
    (line,) = problems(change, catalogue=SKIMS, analysis=FLAT, tmp_path=tmp_path / "results")
    assert line == (
        f"skim.lumi_mask: '{mask}': flat ntuples have no luminosity blocks; set it to null"
    )


def test_regions_of_a_sample_are_fitted_ones():
    def lines(**changes):
        return problems({"samples": changes})

    check({"samples": {"ZLL": {"regions": ["cr"]}}})
    assert lines(ZLL={"regions": ["cr", "ss_cr", "cr"]}) == [
        "samples.ZLL.regions[1]: 'ss_cr' is not a fitted region (sr, cr)",
        "samples.ZLL.regions[2]: 'cr' is listed twice",
    ]
    assert lines(S={"regions": ["cr"]}) == [
        "training.region: 'sr': no sample with role signal counts there (samples.*.regions of S)",
        "samples: no sample with role signal counts in a region with role signal (sr; "
        "samples.*.regions)",
    ]
    with pytest.raises(TaipanError, match="a sample estimated from data takes no `regions`"):
        check({"samples": {"QCD": {"regions": ["sr"]}}})


SAME_FILE = "its events would count twice (list each file once)"


def test_file_listed_twice_is_refused_under_any_name(skims):
    """Events of such a file once counted twice."""
    (skims / "link.root").symlink_to(skims / "d.root")
    (skims / "hard.root").hardlink_to(skims / "z.root")
    for dataset, second, found in (
        ("Data", "d.root", "is listed twice"),
        ("Data", "link.root", "is the same file as 'd.root'"),
        ("Z", "hard.root", "is the same file as 'z.root'"),
        ("Z", "h.root", "is a file of dataset 'H', too"),
    ):
        own = CATALOGUE["datasets"][dataset]["files"]
        content = merge(SKIMS, {"datasets": {dataset: {"files": [*own, second]}}})
        line = f"datasets.{dataset}.files[1]: '{second}' in catalogue 'toys' {found}; {SAME_FILE}"
        assert line in problems({"skims": str(skims)}, catalogue=content, analysis=FLAT)
    # an alternative replaces the sample's own dataset, so it may have its file
    content = merge(SKIMS, {"datasets": {"Z2": {"files": ["z.root"]}}})
    check({"skims": str(skims)}, catalogue=content, analysis=FLAT)


def test_file_of_two_datasets_of_data_is_refused(skims):
    both = {**CATALOGUE["datasets"]["Data"], "files": ["d.root"]}
    content = merge(SKIMS, {"datasets": {"Data2": both}})
    (line,) = problems(
        {"skims": str(skims), "data": ["Data", "Data2"]}, catalogue=content, analysis=FLAT
    )
    assert line == (
        "datasets.Data2.files[0]: 'd.root' in catalogue 'toys' is a file of dataset 'Data', too; "
        + SAME_FILE
    )


def test_numbers_far_beyond_any_quantity_are_refused():
    """An edge at -1e300 passed the check."""
    edges = {"control_plots": {"pt_1": {"binning": [-1e300, 50, 100]}}}
    with pytest.raises(TaipanError, match="≥ -1e\\+09"):
        check(edges)
    (line,) = problems({"fit": {"poi_range": [-1e300, 5]}})
    assert line == "fit.poi_range[0]: -1e+300 is too large (at most 1e+09 in size)"


def test_running_period_must_be_that_of_data_with_a_luminosity(skims):
    own = {"files": ["link.root"], "is_data": True, "generated_events": 100, "same_period": "Data"}
    (skims / "link.root").touch()
    change = {"skims": str(skims), "data": ["Data", "Other"]}
    content = merge(SKIMS, {"datasets": {"Other": own}})
    check(change, catalogue=content, analysis=FLAT)
    for period in ("Other", "Z", "nothing"):
        bad = merge(content, {"datasets": {"Other": {"same_period": period}}})
        (line,) = problems(change, catalogue=bad, analysis=FLAT)
        assert line.startswith(
            f"datasets.Other.same_period: '{period}' is not a dataset of collision data with a "
            "luminosity"
        )


def test_remote_file_listed_twice_is_refused():
    files = {"files": ["z.root", "z.root"], "entries": {"z.root": 100}}
    catalogue = {
        "kind": "nanoaod",
        "mirrors": ["https://example.org/data/"],
        "datasets": {"Z": files},
    }
    lines = problems({"remote": {"access": "stream"}}, catalogue=catalogue)
    assert [line for line in lines if "is listed twice" in line] == [
        f"datasets.Z.files[1]: 'z.root' in catalogue 'toys' is listed twice; {SAME_FILE}"
    ]


def test_two_samples_are_not_estimated_from_the_same_data():
    """Each was all of data minus simulation: QCD counted twice."""
    lines = problems({"samples": {"QCD2": {"label": "QCD", "estimate": ESTIMATE}}})
    assert lines == [
        "samples.QCD2.estimate: sample 'QCD' is estimated from data, too; each is all of data "
        "minus simulation, which would count twice (one sample at most)"
    ]


def test_folder_of_the_files_is_needed():
    text = "; catalogue 'toys' of kind {} needs the folder of its files"
    (line,) = problems(None, catalogue=SKIMS, analysis=FLAT)
    assert line == "skims: missing" + text.format("skims")
    (line,) = problems(None, catalogue={"kind": "nanoaod"})
    assert line == "files: missing" + text.format("nanoaod")


def test_folder_that_is_not_there():
    (line,) = problems({"skims": "nowhere/at/all"}, catalogue=SKIMS, analysis=FLAT)
    assert line.startswith("skims: 'nowhere/at/all' is not a folder (seen from /")


def test_file_that_is_not_there(skims, tmp_path):
    (skims / "h.root").unlink()
    (line,) = problems({"skims": str(skims)}, catalogue=SKIMS, analysis=FLAT, tmp_path=tmp_path)
    assert line == f"skims: '{skims}' has no file h.root (dataset H)"


def test_file_of_an_alternative_dataset_that_is_not_there(skims, tmp_path):
    """Only the data and the samples were looked at."""
    (skims / "z2.root").unlink()
    (line,) = problems({"skims": str(skims)}, catalogue=SKIMS, analysis=FLAT, tmp_path=tmp_path)
    assert line == f"skims: '{skims}' has no file z2.root (dataset Z2)"


NANOAOD = {"kind": "nanoaod"}
MIRROR = "https://example.org/files"


def test_remote_folder_belongs_to_the_mirrors():
    (line,) = problems({"files": MIRROR}, catalogue=NANOAOD)
    assert line == f"files: '{MIRROR}' is not a folder; remote.mirrors takes base URLs"


def test_remote_files_are_not_looked_at(tmp_path):
    stream = {"remote": {"access": "stream", "mirrors": [MIRROR]}}
    check(stream, catalogue=NANOAOD)
    fetch = {"access": "fetch", "mirrors": [MIRROR]}
    check({"remote": fetch, "files": str(tmp_path / "later")}, catalogue=NANOAOD)
    (line,) = problems({"remote": fetch}, catalogue=NANOAOD)
    assert line.startswith("files: missing; catalogue 'toys'")
    (tmp_path / "file").touch()
    (line,) = problems({"remote": fetch, "files": str(tmp_path / "file")}, catalogue=NANOAOD)
    assert line.startswith(f"files: '{tmp_path / 'file'}' is not a folder")


def test_remote_access_needs_a_mirror():
    (line,) = problems({"remote": {"access": "stream"}}, catalogue=NANOAOD)
    assert line == (
        "remote.mirrors: missing; catalogue 'toys' names none, so remote.access 'stream' needs "
        "base URLs (http, https, root)"
    )


def test_fastsim_is_not_remote():
    (line,) = problems({"remote": {"access": "fetch", "mirrors": [MIRROR]}})
    assert line == "remote.access: 'fetch': a simulation is made on the spot (local)"


def test_alternative_dataset_of_unknown_length_is_no_single_job():
    """It was planned as one chunk, however long its file."""
    stream = {"remote": {"access": "stream", "mirrors": [MIRROR]}}
    check(stream, catalogue=NANOAOD)
    unknown = {**NANOAOD, "datasets": {"Z2": {"generated_events": None}}}
    (line,) = problems(stream, catalogue=unknown)
    assert line.startswith("datasets.Z2.entries: missing in catalogue 'toys'; a mapping of each")


def test_skipping_needs_countable_events():
    skip = {"skim": {"on_bad_file": "skip"}, "remote": {"access": "stream", "mirrors": [MIRROR]}}
    (line,) = problems({"skim": {"on_bad_file": "skip"}})
    assert line == (
        "skim.on_bad_file: 'skip' is for catalogues of kind nanoaod; 'toys' is of kind simulation "
        "(fail)"
    )
    check(skip, catalogue=NANOAOD)
    unknown = {**NANOAOD, "datasets": {"Data": {"generated_events": None}}}
    found = problems(skip, catalogue=unknown)
    (line,) = [line for line in found if line.startswith("skim.")]
    assert line == (
        "skim.on_bad_file: 'skip' needs generated_events of dataset 'Data' in catalogue 'toys', "
        "to tell how much is lost (fail)"
    )


def test_module_without_a_reader_of_flat_ntuples(skims):
    (line,) = problems({"skims": str(skims)}, catalogue=SKIMS)
    assert line == "catalogue: analysis 'toy' cannot read flat ntuples (kind skims)"


def test_data_without_luminosity(skims):
    change = {"kind": "skims", "datasets": {"Data": {"luminosity": None}}}
    (line,) = problems({"skims": str(skims)}, catalogue=change, analysis=FLAT)
    assert line == "data[0]: 'Data' has no luminosity in catalogue 'toys'"


@pytest.mark.parametrize("inside", ["", "out", "out/deeper", "../skims"])
def test_results_inside_the_input(skims, inside):
    results = str(skims / inside)
    change = {"skims": str(skims), "results": results}
    (line,) = problems(change, catalogue=SKIMS, analysis=FLAT)
    assert line == (f"results: '{results}' is inside the folder of the input (skims: '{skims}')")


def test_results_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    results = str(tmp_path / "file" / "results")
    (line,) = problems({"results": results})
    assert line == f"results: '{results}' cannot be written: {tmp_path / 'file'} is a file"


def test_results_in_a_folder_without_permission(tmp_path, monkeypatch):
    """The permission is denied by patching: the tests may run as a user who may write anywhere."""
    monkeypatch.setattr("taipan.checks.configuration.os.access", lambda path, mode: False)
    results = str(tmp_path / "results")
    (line,) = problems({"results": results})
    assert line == f"results: '{results}' cannot be written: {tmp_path} is not writable"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/{x}", "'a/{x}'"),
        ("a b", "'a b'"),
        ("a\tb", r"'a\tb'"),
        ("a\n.. raw:: html", r"'a\n.. raw:: html'"),
        ("a\x1b[2J", r"'a\x1b[2J'"),
        ("<img src=x>", "'<img src=x>'"),
        ("-results", "'-results'"),
        ("a*", "'a*'"),
        ('a"b', "'a\"b'"),
    ],
)
def test_results_have_a_name_that_rules_and_reports_can_hold(name, shown):
    """`{x}` was a wildcard without a value, and markup was run by a report."""
    (line,) = problems({"results": name})
    assert line == (
        f"results: {shown} is not allowed (letters, digits and / . _ - + , = @ : ~; no space, and "
        "no - at the beginning)"
    )


def test_names_that_results_may_have(tmp_path):
    for name in ("results/run-2_a+b,c=1@x:y.z", "Ergebnisse/Übung", str(tmp_path)):
        check({"results": name})


def test_name_of_results_that_no_file_system_holds():
    (line,) = problems({"results": f"results/{'a' * 256}"})
    assert line.startswith("results: 'results/aaa")
    assert line.endswith("… is too long (names of 255 bytes)")


def test_input_that_the_system_does_not_let_us_see(tmp_path, monkeypatch):
    """`pathlib` raises where it may not look, or the name is too long: a traceback."""
    (line,) = problems({"skims": "a" * 300}, catalogue=SKIMS, analysis=FLAT)
    assert line.startswith("skims: 'aaa")
    assert "is not a folder (seen from" in line
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    (line,) = problems({"skims": str(loop)}, catalogue=SKIMS, analysis=FLAT)
    assert line.startswith(f"skims: '{loop}' is not a folder")
    (line,) = problems({"skim": {"lumi_mask": "b" * 300}})
    assert "is not a file (seen from" in line


def test_dry_run_needs_no_permission_to_write(tmp_path, monkeypatch):
    """Permissions are those of a patch: the tests may run as a user who may do anything."""
    results = {"results": str(tmp_path / "results")}
    monkeypatch.setattr(
        "taipan.checks.configuration.os.access", lambda path, mode: not mode & os.W_OK
    )
    check(results, writes=False)
    (line,) = problems(results)
    assert line.endswith(f"cannot be written: {tmp_path} is not writable")
    monkeypatch.setattr("taipan.checks.configuration.os.access", lambda path, mode: False)
    with pytest.raises(TaipanError, match=f"cannot be read: {tmp_path} is not readable"):
        check(results, writes=False)


def test_range_of_the_fit_is_not_refused_for_a_coverage_that_nobody_asks_for():
    check({"fit": {"poi_range": [0.0, 5.0]}})
    check({"fit": {"poi_range": [0.0, 2.0]}})
    config = make_config({"fit": {"poi_range": [0.0, 5.0]}})
    assert list(check_strengths(config)) == [
        "coverage.mu_range: [0, 3] must be increasing, not negative, and within fit.poi_range "
        "[0, 5]"
    ]
    (line,) = problems({"fit": {"poi_range": [0.0, 5.0]}, "coverage": {"mu_range": [0.0, 2.0]}})
    assert line.startswith("coverage.mu_range: [0, 2] must be")


def test_message_says_where_the_files_come_from():
    catalogue = {**SKIMS, "record": 12350}
    (line,) = problems(None, catalogue=catalogue, analysis=FLAT)
    number = sum(len(dataset["files"]) for dataset in CATALOGUE["datasets"].values())
    assert line == (
        "skims: missing; catalogue 'toys' of kind skims needs the folder of its files; "
        f"datasets/toys.yaml says where its {number} files come from (record 12350 of the "
        "CERN Open Data portal)"
    )
