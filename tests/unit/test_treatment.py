"""Smoothing, pruning, decorrelation and repair of templates, each recorded."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from taipan.inference import compile_model, fit
from taipan.likelihood import LikelihoodError, build_workspace
from taipan.likelihood.asimov import expected_sigma
from taipan.likelihood.merge import BinYields
from taipan.likelihood.projection import project
from taipan.likelihood.repair import repair_counts, repair_values
from taipan.likelihood.smooth import make_lowess, smooth_353qh, smooth_variation
from tests.synthetic_templates import (
    TRANSFER,
    change_same_sign,
    make_config,
    make_histogram,
    nominal,
    settings,
)


def build(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return build_workspace(make_histogram(), make_config(**changes), "nn_score", TRANSFER)


def modifiers(workspace: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    return {
        (channel["name"], sample["name"], modifier["name"], modifier["type"])
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }


@pytest.mark.parametrize("method", ["lowess", "353QH"])
def test_smoothing_takes_noise_away_and_keeps_yield_and_trend(method: Any) -> None:
    rng = np.random.default_rng(1)
    values = 400.0 * np.exp(-0.15 * np.arange(15.0))
    truth = values * (1.0 + 0.01 * (np.arange(15.0) - 5.0))
    before, after = [], []
    for _ in range(50):
        noisy = truth * (1.0 + rng.normal(0.0, 0.03, 15))
        counts = BinYields(values, values)
        smoothed = smooth_variation(counts, noisy, method, range(16)).values
        assert smoothed.sum() == pytest.approx(noisy.sum(), rel=1e-12)
        scale = truth.sum() / noisy.sum()
        before.append(noisy * scale / truth - 1.0)
        after.append(smoothed * scale / truth - 1.0)
    assert np.std(after) < 0.75 * np.std(before)
    assert np.abs(np.mean(after, axis=0)).max() < 0.025  # no bias beyond the noise


def test_smoothing_by_known_numbers() -> None:
    # a straight line stays one; a spike between equal neighbours goes
    line = np.linspace(1.0, 2.0, 9)
    places = np.arange(9.0)
    np.testing.assert_allclose(make_lowess(places, np.ones(9)) @ line, line, rtol=1e-12)
    np.testing.assert_allclose(smooth_353qh(line), line, rtol=1e-12)
    spike = np.array([1.0, 1.0, 1.0, 1.0, 5.0, 1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(smooth_353qh(spike), np.ones(9))
    weights = np.where(spike > 2.0, 0.0, 1.0)  # a bin that is not known takes no part
    np.testing.assert_allclose(make_lowess(places, weights) @ spike, np.ones(9))


def test_smoothing_enters_the_model_and_the_record() -> None:
    histogram = make_histogram()
    view = histogram.view()["value"]
    up = list(histogram.axes[2]).index("tau_energy_scale_up")
    view[6, 0, up] *= 1.0 + 0.05 * (-1.0) ** np.arange(13)
    systematics = settings()["systematics"]
    systematics["tau_energy_scale"]["smooth"] = "lowess"
    rough, _ = build_workspace(histogram, make_config(), "nn_score", TRANSFER)
    smooth, record = build_workspace(
        histogram, make_config(systematics=systematics), "nn_score", TRANSFER
    )
    (entry,) = [
        item
        for item in record["treatment"]["smoothed"]
        if (item["sample"], item["region"]) == ("ZTT", "signal")
    ]
    assert entry["method"] == "lowess"
    assert 0.02 < entry["largest_change"] < 0.15
    shapes = []
    for workspace in (rough, smooth):
        (sample,) = [s for s in workspace["channels"][0]["samples"] if s["name"] == "ZTT"]
        (found,) = [
            m["data"]["hi_data"]
            for m in sample["modifiers"]
            if (m["name"], m["type"]) == ("tau_energy_scale", "histosys")
        ]
        shapes.append(np.diff(np.array(found) / nominal("ZTT", "signal"), 2))
    assert np.abs(shapes[1]).max() < 0.3 * np.abs(shapes[0]).max()


def test_pruning_is_recorded_with_its_effect() -> None:
    templates = {"prune_rate": 0.01, "prune_shape": 0.01}
    workspace, record = build(templates=templates)
    complete, untouched = build()
    assert untouched["treatment"]["pruned"] == []
    assert untouched["treatment"]["expected_sigma"] is None
    gone = modifiers(complete) - modifiers(workspace)
    assert modifiers(workspace) < modifiers(complete)
    for item in record["treatment"]["pruned"]:
        assert 0.0 < item["size"] < 0.01
        kind = "normsys" if item["part"] == "rate" else "histosys"
        gone.remove((item["region"], item["sample"], item["systematic"], kind))
    assert gone == set()
    sigmas = record["treatment"]["expected_sigma"]
    assert sigmas["without_pruning"] == pytest.approx(expected_sigma(complete), rel=1e-12)
    assert sigmas["with_pruning"] == pytest.approx(expected_sigma(workspace), rel=1e-12)
    assert sigmas["with_pruning"] < sigmas["without_pruning"]
    assert json.loads(json.dumps(record)) == record


def test_a_systematic_may_be_exempt_from_pruning() -> None:
    systematics = settings()["systematics"]
    systematics["qqh_scale"]["prune"] = False
    workspace, _ = build(templates={"prune_rate": 0.01}, systematics=systematics)
    assert ("signal", "qqH", "qqh_scale", "normsys") in modifiers(workspace)


def test_expected_sigma_is_that_of_the_fit() -> None:
    workspace, _ = build()
    model = compile_model(workspace)
    best = fit(model, model.asimov(model.nominal(1.0)))
    assert expected_sigma(workspace) == pytest.approx(best.sigma[model.poi], rel=1e-5)


@pytest.mark.parametrize(
    ("scheme", "names"),
    [
        (["sample"], {"tau_energy_scale_ZTT", "tau_energy_scale_ggH", "tau_energy_scale_qqH"}),
        (["region"], {"tau_energy_scale_signal", "tau_energy_scale_w_control"}),
        (["shape"], {"tau_energy_scale_rate", "tau_energy_scale_shape"}),
    ],
)
def test_decorrelation_gives_parameters_of_their_own(scheme: list[str], names: set[str]) -> None:
    systematics = settings()["systematics"]
    systematics["tau_energy_scale"]["decorrelate"] = scheme
    workspace, record = build(systematics=systematics)
    found = {name for _, _, name, _ in modifiers(workspace) if name.startswith("tau_energy")}
    assert found == names
    owners = record["treatment"]["parameters"]
    assert {name for name, owner in owners.items() if owner == "tau_energy_scale"} == names
    if scheme == ["sample"]:  # what is subtracted from same-sign data follows its sample
        qcd = {name for _, sample, name, _ in modifiers(workspace) if sample == "QCD"}
        assert names <= qcd
    compile_model(workspace)


def test_name_of_a_decorrelated_parameter_may_not_be_taken() -> None:
    systematics = settings()["systematics"]
    systematics["tau_energy_scale"]["decorrelate"] = ["sample"]
    systematics["tau_energy_scale_ZTT"] = {"kind": "rate", "size": 0.1, "samples": ["W"]}
    with pytest.raises(LikelihoodError, match="parameter 'tau_energy_scale_ZTT' exists already"):
        build(systematics=systematics)


def test_negative_bins_are_repaired_at_the_same_total() -> None:
    values = np.array([10.0, -2.0, 5.0, 3.0])
    repaired, scale = repair_values(values)
    np.testing.assert_allclose(repaired, np.array([10.0, 0.0, 5.0, 3.0]) * 16.0 / 18.0)
    assert scale == pytest.approx(16.0 / 18.0)
    counts, _ = repair_counts(BinYields(values, np.arange(4.0)))
    np.testing.assert_allclose(counts.values, repaired)
    assert counts.variances.tolist() == [0.0, 1.0, 2.0, 3.0]
    unchanged, scale = repair_values(np.array([-3.0, 1.0]))
    assert scale == 1.0
    assert unchanged.tolist() == [-3.0, 1.0]


def test_repair_replaces_merging() -> None:
    factor = np.ones(13)
    factor[5] = -0.5
    histogram = change_same_sign(make_histogram(), "signal", nominal("QCD", "signal") * factor)
    config = make_config(templates={"negative_bins": "merge"})
    merged = build_workspace(histogram, config, "nn_score", TRANSFER)[1]
    workspace, repaired = build_workspace(histogram, make_config(), "nn_score", TRANSFER)
    assert len(merged["regions"]["signal"]["merged"]) == 1
    assert merged["treatment"]["repaired"] == []
    (entry,) = [i for i in repaired["treatment"]["repaired"] if i["label"] == "nominal"]
    assert (entry["sample"], entry["region"], entry["bins"]) == ("QCD", "signal", (5,))
    assert repaired["regions"]["signal"]["samples"]["QCD"]["yield"] == pytest.approx(
        merged["regions"]["signal"]["samples"]["QCD"]["yield"], rel=1e-12
    )
    compile_model(workspace)


def test_mirrored_variation_below_zero_is_repaired_and_merges_nothing() -> None:
    """Up doubles the bin and more, so its mirror image is negative there."""
    histogram = make_histogram()
    axes = [list(axis) for axis in histogram.axes[:3]]
    cell = axes[0].index("ZTT"), axes[1].index("signal")
    up, down = (axes[2].index(f"tau_energy_scale_{side}") for side in ("up", "down"))
    view = histogram.view()
    start = view["value"][*cell, axes[2].index("nominal")]
    view["value"][*cell, up] = start
    view["value"][*cell, up, -1] = 2.5 * start[-1]
    view["value"][:, :, down] = view["variance"][:, :, down] = 0.0
    workspace, record = build_workspace(histogram, make_config(), "nn_score", TRANSFER)
    assert record["regions"]["signal"]["merged"] == []
    (entry,) = [i for i in record["treatment"]["repaired"] if i["sample"] == "ZTT"]
    assert (entry["label"], entry["bins"]) == ("tau_energy_scale_down", (len(start) - 1,))
    assert entry["contents"] == (pytest.approx(-0.5 * start[-1]),)
    (sample,) = [s for s in workspace["channels"][0]["samples"] if s["name"] == "ZTT"]
    (rate,) = [
        m["data"]
        for m in sample["modifiers"]
        if (m["name"], m["type"]) == ("tau_energy_scale", "normsys")
    ]
    assert rate["lo"] == pytest.approx(1.0 - 1.5 * start[-1] / start.sum())
    (shape,) = [
        m["data"]["lo_data"]
        for m in sample["modifiers"]
        if (m["name"], m["type"]) == ("tau_energy_scale", "histosys")
    ]
    assert shape[-1] == 0.0
    assert sum(shape) == pytest.approx(start.sum(), rel=1e-12)


def test_projection_scales_statistics_and_not_systematics() -> None:
    arguments = (make_histogram(), make_config(), "nn_score", TRANSFER)
    here, there = (project(*arguments, factor) for factor in (1.0, 10.0))
    assert here["sigma"] == pytest.approx(expected_sigma(build_workspace(*arguments)[0]), rel=1e-12)
    ratio = here["sigma_statistical"] / there["sigma_statistical"]
    assert ratio == pytest.approx(np.sqrt(10.0), rel=1e-3)
    assert here["sigma"] / np.sqrt(10.0) < there["sigma"] < here["sigma"]
    with pytest.raises(LikelihoodError, match="factor 0 must be positive"):
        project(*arguments, 0.0)
