"""Uncertainties per bin of yields that are negative, zero, or the rest of a cancellation."""

from __future__ import annotations

import copy
import json
import warnings
from typing import Any

import numpy as np
import pyhf
import pytest

from taipan.bin_statistics import find_groups, list_restored, list_uncounted
from taipan.cli.main import main
from taipan.export.hs3 import to_hs3
from taipan.inference import FitError, compile_model, fit
from taipan.inference.profile import Profile, interval
from taipan.likelihood import build_workspace
from taipan.likelihood.asimov import expected_sigma
from taipan.likelihood.merge import BinYields, find_merging
from tests.hs3_evaluator import negative_log_likelihood
from tests.public_models import MU, public_models
from tests.synthetic_templates import (
    TRANSFER,
    change_same_sign,
    make_config,
    make_histogram,
    nominal,
)

SIGNAL, BACKGROUND = 30.0, 900.0


def make_workspace(
    members: list[tuple[float, float]], kind: str = "staterror", **setting: Any
) -> dict[str, Any]:
    """One bin of signal and background, and samples that share an uncertainty."""
    samples = [
        {"name": "signal", "data": [SIGNAL], "modifiers": [MU]},
        {"name": "bkg", "data": [BACKGROUND], "modifiers": []},
    ]
    for i, (value, error) in enumerate(members):
        modifier = {"name": "stat", "type": kind, "data": [error]}
        samples.append({"name": f"part{i}", "data": [value], "modifiers": [modifier]})
    observed = SIGNAL + BACKGROUND + sum(value for value, _ in members)
    parameters: list[dict[str, Any]] = [{"name": "mu", "bounds": [[-20.0, 20.0]], "inits": [1.0]}]
    if setting:
        parameters.append({"name": "stat", **setting})
    return {
        "channels": [{"name": "sr", "samples": samples}],
        "observations": [{"name": "sr", "data": [observed]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


def sigma_of(workspace: dict[str, Any]) -> float:
    model = compile_model(workspace)
    best = fit(model, model.observed)
    assert best.values[model.poi] == pytest.approx(1.0, abs=1e-6)
    return float(best.sigma[model.poi])


@pytest.mark.parametrize("kind", ["staterror", "shapesys"])
def test_uncertainty_of_a_negative_sample_reaches_the_signal_strength(kind):
    """σ(μ) was √850/30 = 0.972: pyhf holds γ at 1 where the yield is not positive."""
    workspace = make_workspace([(-80.0, 14.0)], kind)
    assert sigma_of(workspace) == pytest.approx(np.sqrt(850.0 + 14.0**2) / 30.0, rel=1e-6)
    (note,) = compile_model(workspace).notes
    assert "region sr, bin 0" in note
    assert "'stat' of part0" in note
    assert "-80" in note


@pytest.mark.parametrize(
    "members",
    [
        [(100.0, 9.0), (-80.0, 14.0)],  # the sum is positive
        [(30.0, 9.0), (-80.0, 14.0)],  # and negative
        [(30.0, 9.0), (-80.0, 14.0), (0.0, 3.0)],  # one of zero counts with the others
        [(-30.0, 9.0), (-80.0, 14.0)],
    ],
)
def test_samples_of_both_signs_that_share_a_factor_count_all_their_uncertainties(members):
    workspace = make_workspace(members)
    variance = workspace["observations"][0]["data"][0] + sum(error**2 for _, error in members)
    assert sigma_of(workspace) == pytest.approx(np.sqrt(variance) / SIGNAL, rel=1e-6)


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ([(0.0, 14.0)], "staterror"),
        ([(80.0, 10.0), (-80.0, 10.0)], "staterror"),
        ([(80.0, 10.0), (-75.0, 10.0)], "staterror"),  # 5 ± 14: no factor near 1
        ([(75.0, 10.0), (-80.0, 10.0)], "staterror"),
        ([(1e-9, 14.0)], "staterror"),  # γ ends at 10, that is at 1e-8
        ([(-1e-9, 14.0)], "staterror"),
        ([(0.0, 14.0)], "shapesys"),
        ([(1e-9, 14.0)], "shapesys"),
    ],
)
def test_uncertainty_that_no_factor_can_hold_is_refused_by_name(members, kind):
    workspace = make_workspace(members, kind)
    with pytest.raises(
        FitError, match=f"region sr, bin 0: {kind} 'stat' of part0.* uncertainty 14"
    ):
        compile_model(workspace)
    notes = compile_model(workspace, lenient=True).notes
    assert any("a factor cannot hold it" in note for note in notes)


def test_uncertainty_that_changes_no_digit_is_accepted():
    """Empty templates filled with 1e-9 ± 1e-5 are common in files of others."""
    workspace = make_workspace([(1e-9, 1e-5)])
    assert sigma_of(workspace) == pytest.approx(np.sqrt(930.0) / SIGNAL, rel=1e-9)


def test_negative_yield_may_vary_beyond_zero():
    """-10 ± 14: pyhf's γ ends at 1e-10, 0.7σ above the estimate."""
    workspace = make_workspace([(-10.0, 14.0)])
    model = compile_model(workspace)
    low, high = interval(Profile(model, model.observed))
    expected = np.sqrt(920.0 + 14.0**2) / SIGNAL
    assert (high - low) / 2.0 == pytest.approx(expected, rel=5e-3)
    assert high - 1.0 == pytest.approx(1.0 - low, rel=2e-2)


def test_settings_of_the_measurement_stay():
    held = compile_model(make_workspace([(-80.0, 14.0)], fixed=True))
    assert held.parameters.fixed[held.parameters.index("stat[0]")]
    best = fit(held, held.observed)
    assert best.sigma[held.poi] == pytest.approx(np.sqrt(850.0) / SIGNAL, rel=1e-9)
    narrow = compile_model(make_workspace([(-10.0, 14.0)], bounds=[[0.5, 1.5]]))
    place = narrow.parameters.index("stat[0]")
    assert (narrow.parameters.lower[place], narrow.parameters.upper[place]) == (0.5, 1.5)


def test_positive_yields_are_pyhfs():
    """Widths, bounds and held bins of the public models, as pyhf has them."""
    for workspace in public_models().values():
        assert not [*list_uncounted(find_groups(workspace)), *list_restored(find_groups(workspace))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            config = pyhf.Workspace(workspace).model().config
        model = compile_model(workspace)
        for name in config.auxdata_order:
            where = config.par_slice(name)
            expected = config.param_set(name).width()
            assert model.parameters.sigma[where] == pytest.approx(expected, rel=1e-12)
        assert model.parameters.fixed.tolist() == config.suggested_fixed()
        bounds = np.array(config.suggested_bounds())
        np.testing.assert_array_equal(model.parameters.lower, bounds[:, 0])
        np.testing.assert_array_equal(model.parameters.upper, bounds[:, 1])


def test_hs3_counts_the_uncertainty_of_a_negative_sample():
    workspace = make_workspace([(30.0, 9.0), (-80.0, 14.0)])
    document = to_hs3(workspace)
    model = compile_model(workspace)
    names = [name.replace("[", "_").replace("]", "") for name in model.parameters.names]
    for gamma in (1.0, 0.7, 1.6):
        values = model.nominal(1.0)
        values[names.index("stat_0")] = gamma
        relative, _, _ = model.evaluate(values, model.observed)
        ours = relative + float(model.saturated_nll(model.observed[None])[0])
        found = negative_log_likelihood(document, dict(zip(names, values.tolist(), strict=True)))
        assert found == pytest.approx(ours, rel=1e-9)
    (point,) = document["parameter_points"]
    assert "const" not in {item["name"]: item for item in point["parameters"]}["stat_0"]


def test_command_says_what_pyhf_leaves_out(tmp_path, capsys):
    path, out = tmp_path / "w.json", tmp_path / "out.json"
    path.write_text(json.dumps(make_workspace([(-80.0, 14.0)])))
    assert main(["fit", str(path), "--out", str(out)]) == 0
    assert "note: region sr, bin 0: staterror 'stat'" in capsys.readouterr().out
    assert json.loads(out.read_text())["sigma"] == pytest.approx(np.sqrt(1046.0) / 30.0, rel=1e-6)


def sigma_of_pyhf(workspace: dict[str, Any]) -> float:
    """σ(μ) of MINUIT's Hessian at pyhf's own best fit; strategy 1 stops 9 % short of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyhf.set_backend("numpy", "minuit")
        try:
            opened = pyhf.Workspace(workspace)
            model = opened.model()
            fitted = pyhf.infer.mle.fit(
                opened.data(model), model, return_uncertainties=True, strategy=2
            )
        finally:
            pyhf.set_backend("numpy")
    return float(np.asarray(fitted)[model.config.poi_index, 1])


def test_statistics_of_a_negative_estimate_reach_sigma_of_pyhf_too():
    """Data minus simulation below zero: the bins of our own workspace are safe in any tool."""
    estimate = -0.02 * nominal("QCD", "signal")
    histogram = change_same_sign(make_histogram(), "signal", estimate)
    config = make_config(systematics={"luminosity": make_config().systematics["luminosity"]})
    sigmas = {}
    for scale in (1.0, 400.0):
        changed = copy.deepcopy(histogram)
        process = list(changed.axes[0]).index("QCD")
        region = list(changed.axes[1]).index("signal")
        changed.view()["variance"][process, region] *= scale
        workspace, _ = build_workspace(changed, config, "nn_score", TRANSFER)
        (channel,) = [c for c in workspace["channels"] if c["name"] == "signal"]
        samples = {sample["name"]: sample for sample in channel["samples"]}
        net = sum(
            np.array(s["data"]) for n, s in samples.items() if n == "QCD" or "_same_sign" in n
        )
        assert (net < 0.0).all()
        model = compile_model(workspace)
        assert not model.notes
        data = model.asimov(model.nominal(1.0))
        ours = float(fit(model, data).sigma[model.poi])
        asimov = copy.deepcopy(workspace)
        for item in asimov["observations"]:
            item["data"] = data[model.regions[item["name"]]].tolist()
        assert sigma_of_pyhf(asimov) == pytest.approx(ours, rel=3e-3)
        assert expected_sigma(workspace) == pytest.approx(ours, rel=1e-4)
        sigmas[scale] = ours
    assert sigmas[400.0] > 1.05 * sigmas[1.0]


def test_signal_that_cancels_to_zero_joins_its_neighbour():
    """Weights of both signs: Σw = 0 with Σw² = 8 has an uncertainty, and no factor for it."""
    nominal_yields = {
        "background": BinYields(np.array([900.0, 400.0, 100.0]), np.array([900.0, 400.0, 100.0])),
        "signal": BinYields(np.array([5.0, 0.0, 20.0]), np.array([5.0, 8.0, 20.0])),
    }
    merging = find_merging(
        "sr", [0.0, 1.0, 2.0, 3.0], nominal_yields, backgrounds=["background"],
        min_effective_events=10.0,
    )  # fmt: skip
    assert merging.starts == (0, 2)
    assert "total signal is 0 with Σw² = 8" in merging.merged[0].reasons[0]
