"""Several parameters of interest in one fit: the model, its results, and that they are right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from taipan.config.sections.fit import Fit
from taipan.inference import compile_model, fit, run_inference
from taipan.inference.batch import fit_many
from taipan.likelihood import LikelihoodError, build_workspace
from taipan.plotting.contours import contour_figure, contour_numbers
from tests.synthetic_templates import TRANSFER, make_config, make_histogram, settings

SEVERAL = {"mu_ggH": ["ggH"], "mu_qqH": ["qqH"]}


def make_model(**changes):
    # the two signals differ little in shape here: far from any bound
    wide = {"parameters_of_interest": SEVERAL, "poi_range": [-400.0, 400.0]}
    fit_settings = {**settings()["fit"], **wide, **changes}
    config = make_config(fit=fit_settings)
    return build_workspace(make_histogram(), config, "nn_score", TRANSFER)


@pytest.fixture(scope="module")
def several():
    workspace, record = make_model()
    return workspace, record, compile_model(workspace)


def list_factors(workspace):
    """Give channel, sample and name of each free factor."""
    return {
        (channel["name"], sample["name"], modifier["name"])
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
        if modifier["type"] == "normfactor"
    }


def test_each_signal_has_its_own_parameter(several):
    workspace, _, model = several
    factors = list_factors(workspace)
    assert ("signal", "ggH", "mu_ggH") in factors
    assert ("signal", "qqH", "mu_qqH") in factors
    assert not any(name == "mu" for _, _, name in factors)
    # what is subtracted in the source of the estimate scales with its signal
    assert ("signal", "ggH_same_sign", "mu_ggH") in factors
    pois = {item["name"]: item["config"]["poi"] for item in workspace["measurements"]}
    assert pois == {"synthetic": "mu_ggH", "synthetic_mu_qqH": "mu_qqH"}
    assert model.parameters.names[model.poi] == "mu_ggH"


def test_yields_follow_their_own_parameter(several):
    _, _, model = several
    names = model.parameters.names
    doubled = model.nominal(1.0)
    doubled[names.index("mu_qqH")] = 2.0
    before = dict(zip(model.samples, model.expected_by_sample(model.nominal(1.0)), strict=True))
    after = dict(zip(model.samples, model.expected_by_sample(doubled), strict=True))
    np.testing.assert_allclose(after["qqH"], 2.0 * before["qqH"])
    np.testing.assert_array_equal(after["ggH"], before["ggH"])


def test_result_has_each_parameter_and_their_contour(several):
    workspace, record, model = several
    result = run_inference(workspace, record, model=model)
    other = compile_model(workspace, measurement="synthetic_mu_qqH")
    alone = run_inference({**workspace, "measurements": workspace["measurements"][1:]}, record)
    assert result["poi"] == "mu_ggH"
    assert alone["poi"] == "mu_qqH"
    for kind in ("expected", "observed"):
        found = result["others"]["mu_qqH"][kind]
        for key in ("mu_hat", "sigma", "interval", "significance"):
            assert found[key] == pytest.approx(alone[kind][key], rel=1e-6, abs=1e-9), key
        assert found["limit"] == alone[kind]["limit"]
        assert {item["name"] for item in found["impacts"]} >= {"mu_ggH"}
    assert result["others"]["mu_qqH"]["expected"]["mu_hat"] == pytest.approx(1.0, abs=1e-6)
    (pair,) = result["contours"]
    assert pair["parameters"] == ["mu_ggH", "mu_qqH"]
    assert pair["observed"]["best"] == pytest.approx(
        [result["observed"]["mu_hat"], result["others"]["mu_qqH"]["observed"]["mu_hat"]]
    )
    # both ends of the interval of one parameter lie inside the 68 % contour of two
    points = np.array(pair["expected"]["contours"][0]["points"])
    low, high = result["expected"]["interval"]
    assert points[:, 0].min() < low < high < points[:, 0].max()
    assert other.parameters.names[other.poi] == "mu_qqH"


def test_figure_has_a_panel_for_each_pair(several):
    circle = [[np.cos(t), 2.0 * np.sin(t)] for t in np.linspace(0.0, 6.0, 12)]
    lines = [{"level": level, "points": circle, "at_bound": [False] * 12} for level in (0.68, 0.95)]
    pairs = [("mu_a", "mu_b"), ("mu_a", "mu_c"), ("mu_b", "mu_c")]
    fitted = [{"parameters": list(pair), "best": [0.0, 0.0], "contours": lines} for pair in pairs]
    result = {
        "observed": None,
        "contours": [{"expected": item, "observed": None} for item in fitted],
    }
    header = {"label": "CMS Open Data", "luminosity": 2.0, "energy": 8.0}
    numbers = contour_numbers(result, header)
    assert numbers["kind"] == "expected"
    figure = contour_figure(numbers)
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    assert labels == [
        (rf"$\mu_{{\mathrm{{{a[3:]}}}}}$", rf"$\mu_{{\mathrm{{{b[3:]}}}}}$") for a, b in pairs
    ]
    drawn = figure.axes[0].lines[0].get_xydata()
    np.testing.assert_allclose(drawn[:-1], circle)
    np.testing.assert_allclose(drawn[-1], circle[0])  # closed


@pytest.mark.parametrize("truth", [(0.0, 0.0), (1.0, 1.0), (2.0, 0.5)])
def test_both_are_unbiased_and_the_contour_covers(several, truth):
    """500 pseudo-experiments: means within 3 standard errors, 68.27 % within 2 of the binomial."""
    _, _, model = several
    names, size = model.parameters.names, 500
    pair = [names.index("mu_ggH"), names.index("mu_qqH")]
    values = model.parameters.initial.copy()
    values[pair] = truth
    rng = np.random.default_rng(7)
    data = np.tile(model.asimov(values), (size, 1))
    main = slice(0, model.n_bins)
    data[:, main] = rng.poisson(data[:, main])
    counted = model.auxiliary_factor > 0
    auxiliary = data[:, model.n_bins :]
    sigma = model.parameters.sigma[model.auxiliary]
    auxiliary[:, ~counted] += rng.normal(size=(size, int((~counted).sum()))) * sigma[~counted]
    auxiliary[:, counted] = rng.poisson(auxiliary[:, counted])
    free = fit_many(model, data, values)
    held = np.zeros(len(names), dtype=bool)
    held[pair] = True
    at_truth = fit_many(model, data, values, fixed=held)
    assert not free.failures
    assert not at_truth.failures
    estimates = free.values[:, pair]
    error = estimates.std(axis=0, ddof=1) / np.sqrt(size)
    np.testing.assert_array_less(np.abs(estimates.mean(axis=0) - truth), 3.0 * error)
    inside = 2.0 * (at_truth.nllr - free.nllr) < chi2.ppf(0.6827, 2)
    assert abs(inside.mean() - 0.6827) < 2.0 * np.sqrt(0.6827 * 0.3173 / size)


def test_one_parameter_is_as_before():
    one, _ = build_workspace(make_histogram(), make_config(), "nn_score", TRANSFER)
    assert [item["config"]["poi"] for item in one["measurements"]] == ["mu"]
    assert {name for _, _, name in list_factors(one)} == {"mu", "w_norm"}
    model = compile_model(one)
    assert "others" not in run_inference(
        one, build_workspace(make_histogram(), make_config(), "nn_score", TRANSFER)[1], model=model
    )


def test_first_of_several_is_shown_first():
    assert Fit.model_validate({"parameters_of_interest": SEVERAL}).pois == ["mu_ggH", "mu_qqH"]
    chosen = Fit.model_validate({"parameters_of_interest": SEVERAL, "poi": "mu_qqH"})
    assert chosen.pois == ["mu_qqH", "mu_ggH"]
    assert Fit().pois == ["mu"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mu_ggH": ["ggH"]}, "fit.parameters_of_interest: none scales the signal 'qqH'"),
        (
            {"mu_ggH": ["ggH"], "mu_qqH": ["qqH", "W"]},
            r"fit.parameters_of_interest.mu_qqH\[1\]: 'W' is not a sample with role signal",
        ),
        (
            {"a": ["ggH"], "b": ["qqH", "ggH"]},
            r"fit.parameters_of_interest.b\[1\]: 'ggH' is scaled by a already",
        ),
        ({"a": ["ggH", "qqH"], "b": []}, "fit.parameters_of_interest.b: an empty list"),
    ],
)
def test_signals_and_parameters_that_do_not_match(given, message):
    with pytest.raises(LikelihoodError, match=message):
        make_model(parameters_of_interest=given)


def test_first_parameter_that_is_none():
    with pytest.raises(LikelihoodError, match="fit.poi: 'mu' is not a parameter of"):
        make_model(poi="mu")


def test_parameter_of_a_systematic():
    with pytest.raises(LikelihoodError, match="the name is taken by fit.poi"):
        make_model(
            parameters_of_interest={"luminosity": ["ggH"], "mu_qqH": ["qqH"]},
        )


def test_free_normalisation_of_several_samples():
    free = {"z_norm": ["ZLL", "ZTT"], "w_norm": {"samples": ["W"], "regions": ["w_control"]}}
    workspace, _ = make_model(free_normalisations=free)
    factors = list_factors(workspace)
    assert {(c, s) for c, s, name in factors if name == "z_norm"} >= {
        ("signal", "ZLL"),
        ("signal", "ZTT"),
        ("w_control", "ZLL"),
        ("w_control", "ZTT"),
    }
    assert {c for c, _, name in factors if name == "w_norm"} == {"w_control"}
    best = fit(compile_model(workspace), compile_model(workspace).observed)
    assert np.all(np.isfinite(best.values))


def test_free_normalisation_that_meets_nothing():
    free = {"w_norm": {"samples": ["W"], "regions": ["ss_signal"]}}
    with pytest.raises(LikelihoodError, match="free_normalisations.w_norm: W: in no fitted region"):
        make_model(free_normalisations=free)
