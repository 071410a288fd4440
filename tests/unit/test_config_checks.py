"""Checks over more than one key: a valid configuration is changed, one message is expected."""

from __future__ import annotations

import pytest

from taipan.checks.configuration import check_config
from taipan.checks.coverage import check_strengths
from taipan.checks.fit import fittable_regions
from taipan.config.load import merge
from taipan.config.model import Config
from taipan.coverage.truth import strength_ranges
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from tests.toy_configuration import (
    ANALYSIS,
    CATALOGUE,
    CONTENT,
    ESTIMATE,
    check,
    estimated,
    make_config,
    problems,
)


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


def test_fittable_regions_are_signal_and_control():
    assert list(fittable_regions(Config.model_validate(CONTENT))) == ["sr", "cr"]


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
        {"training": {"loss": "brie"}},
        "training.loss: 'brie' is not a loss; did you mean 'brier'? (",
    ),
    "loss of the fit for boosted trees": (
        {"training": {"loss": "sannt"}, "classifier": "xgboost", "tuning": {"enabled": False}},
        "training.loss: 'sannt' is for networks; classifier.kind is 'xgboost' (crossentropy, "
        "brier)",
    ),
    "loss of the fit for several classes": (
        {"training": {"loss": "sannt"}, "classes": {"a": ["S"], "b": ["ZLL"], "c": ["ZTT"]}},
        "training.loss: 'sannt' has one score; with `classes` there are several (crossentropy, "
        "brier)",
    ),
    "loss of the fit against an adversary": (
        {"training": {"loss": "sannt", "adversary": {"enabled": True}}},
        "training.loss: 'sannt' cannot be trained against an adversary "
        "(training.adversary.enabled: false)",
    ),
    "loss of the fit where nothing is fitted": (
        {"training": {"loss": "shape_penalty", "region": "ss_sr"}},
        "training.region: 'ss_sr' is not fitted, so that training.loss: 'shape_penalty' cannot be "
        "the uncertainty of the fit there (sr, cr)",
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
        "samples.*.select and systematics.*.select may use it",
    ),
    "cut on the generator record": (
        {"regions": {"ss_sr": {"cut": "q_1 * q_2 > 0 and z_true > 1"}}},
        "regions.ss_sr.cut: 'z_true' comes from the generator record, which data do not have; only",
    ),
    "fold of the bin edges beyond the last": (
        {"templates": {"binning": {"method": "merge", "fold": 5}}},
        "templates.binning.fold: 5 is not one of the training.folds = 5 folds (0 to 4)",
    ),
    "edges that look for a small uncertainty, with the events of the templates": (
        {"templates": {"binning": {"method": "dynamic", "fold": None}}},
        "templates.binning.fold: null, but the method 'dynamic' looks for a small σ(μ), and would "
        "find fluctuations of the events that fill the templates (0 to 4, or the method quantile)",
    ),
    "fewer fine bins than bins": (
        {"templates": {"binning": {"method": "merge", "bins": 12, "fine_bins": 10}}},
        "templates.binning.fine_bins: 10 is below templates.binning.bins (12)",
    ),
    "bin edges of no region": (
        {
            "templates": {"binning": {"method": "merge"}},
            "regions": {"sr": {"optimise_binning": False}},
        },
        "templates.binning.method: 'merge' has no edges to choose: each region with role signal "
        "has its `binning`, is a single bin or says `optimise_binning: false` (none)",
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
    "too few pseudo-experiments to calibrate": (
        {"coverage": {"calibrate": True, "experiments": 120}},
        "coverage.experiments: 120; coverage.calibrate needs at least 200",
    ),
    "calibration with a shift of some regions": (
        {
            "coverage": {"calibrate": True},
            "systematics": {
                "tes": {
                    "kind": "kinematic",
                    "shift": "tau_pt",
                    "samples": ["Z"],
                    "regions": ["sr"],
                    "size": 0.01,
                }
            },
        },
        "coverage: systematics.tes.regions: a shift of some regions only cannot be applied to "
        "events (coverage.calibrate: false)",
    ),
    "results in the root folder": ({"results": "/"}, "results: '/' is the root of the file syst"),
    "results of blanks": ({"results": "  "}, "results: '' is not a folder"),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_message(case):
    change, expected = MESSAGES[case]
    found = [line for line in problems(change) if line.startswith(expected)]
    assert len(found) == 1


def test_all_problems_are_reported_a_line_each():
    lines = problems({"features": ["a"], "fit": {"poi_range": [2.0, 5.0]}, "data": ["X"]})
    assert [line.split(":")[0] for line in lines] == ["data[0]", "features[0]", "fit.poi_range"]


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


def test_numbers_far_beyond_any_quantity_are_refused():
    """An edge at -1e300 passed the check."""
    edges = {"control_plots": {"pt_1": {"binning": [-1e300, 50, 100]}}}
    with pytest.raises(TaipanError, match="≥ -1e\\+09"):
        check(edges)
    (line,) = problems({"fit": {"poi_range": [-1e300, 5]}})
    assert line == "fit.poi_range[0]: -1e+300 is too large (at most 1e+09 in size)"


def test_two_samples_are_not_estimated_from_the_same_data():
    """Each was all of data minus simulation: QCD counted twice."""
    lines = problems({"samples": {"QCD2": {"label": "QCD", "estimate": ESTIMATE}}})
    assert lines == [
        "samples.QCD2.estimate: sample 'QCD' is estimated from data, too; each is all of data "
        "minus simulation, which would count twice (one sample at most)"
    ]


def test_cross_sections_are_drawn_near_their_prediction():
    """μ from 0 to 3; a cross section, whose range begins at 0, within 20 %."""
    cross_section = {"value": 1000.0, "unit": "pb", "source": "here"}
    interests = {
        "mu": {"samples": ["ggH", "qqH"]},
        "sigma": {"samples": ["ZTT"], "cross_section": cross_section, "range": [0, 4000]},
    }
    config = make_config({"fit": {"parameters_of_interest": interests}})
    assert strength_ranges(config) == {"mu": (0.0, 3.0), "sigma": (0.8, 1.2)}
    assert not list(check_strengths(config))
    given = make_config(
        {"fit": {"parameters_of_interest": interests}, "coverage": {"ranges": {"sigma": [0.5, 2]}}}
    )
    assert strength_ranges(given)["sigma"] == (0.5, 2.0)


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


def test_style_of_figures_is_read_before_anything_runs(tmp_path):
    check({"plotting": {"style": "grayscale"}})
    (line,) = problems({"plotting": {"style": "grayscales"}})
    assert line.startswith("plotting.style: grayscales: neither a file nor a style of matplotlib")
    style = tmp_path / "my.mplstyle"
    style.write_text("font.sice: 20\n", encoding="utf-8")
    (line,) = problems({"plotting": {"style": str(style)}})
    assert line.startswith(f"plotting.style: {style}, line 1: 'font.sice' is not a setting")
