"""Checks of systematics, weights and the judging of the score: one message is expected."""

from __future__ import annotations

import pytest

from taipan.checks.configuration import check_config
from taipan.config.model import Config
from taipan.datasets import Catalogue
from taipan.skim.envelope import derive_envelope
from tests.toy_configuration import (
    ANALYSIS,
    CATALOGUE,
    CONTENT,
    check,
    problems,
)

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
    "rate of events that do not exist": (
        "lumi",
        {"select": "nothing == 1"},
        ".select: 'nothing' is not a quantity",
    ),
    "rate of no event": (
        "lumi",
        {"select": "m > 2 and m < 1"},
        ".select: 'm > 2 and m < 1' is true",
    ),
    "rate of selected events of an estimate": (
        "lumi",
        {"samples": ["S", "QCD"], "select": "m > 1"},
        ".select: 'QCD' is estimated from data, which have no events to select (leave the sample "
        "out, or `select`)",
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
        ".size: null is not allowed (number, > 0, < 10)",
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
