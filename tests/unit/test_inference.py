from __future__ import annotations

import json
import warnings

import iminuit
import numpy as np
import pyhf
import pytest
from scipy.stats import chi2, norm

from taipan.inference import FitError, compile_model, fit, run_inference
from taipan.inference.goodness import channel_compatibility
from taipan.inference.minimise import minimise
from taipan.inference.profile import Profile, cut_off, interval, significance, upper_limit
from taipan.inference.result import describe_parameters
from taipan.inference.yields import postfit_yields
from taipan.likelihood import build_workspace
from tests.synthetic_templates import EDGES, TRANSFER, make_config, make_histogram


def workspace_of(samples, observed, *, parameters=()):
    """Workspace of one region `sr`; samples: name → (data, modifiers)."""
    return {
        "channels": [
            {
                "name": "sr",
                "samples": [
                    {"name": name, "data": data, "modifiers": modifiers}
                    for name, (data, modifiers) in samples.items()
                ],
            }
        ],
        "observations": [{"name": "sr", "data": observed}],
        "measurements": [
            {
                "name": "m",
                "config": {
                    "poi": "mu",
                    "parameters": [
                        {"name": "mu", "bounds": [[-20.0, 40.0]], "inits": [1.0]},
                        *parameters,
                    ],
                },
            }
        ],
        "version": "1.0.0",
    }


MU = {"name": "mu", "type": "normfactor", "data": None}
ONE_REGION = {
    "observable": "x",
    "blinded": False,
    "regions": {"sr": {"edges_after": [0.0, 1.0, 2.0]}},
}


def small_workspace(observed=(58.0, 66.0)):
    """Two bins with one modifier of each kind."""
    background = [
        {"name": "rate", "type": "normsys", "data": {"hi": 1.12, "lo": 0.9}},
        {"name": "shape", "type": "normsys", "data": {"hi": 0.97, "lo": 1.05}},
        {
            "name": "shape",
            "type": "histosys",
            "data": {"hi_data": [54.0, 48.5], "lo_data": [47.0, 54.0]},
        },
        {"name": "stat", "type": "staterror", "data": [2.0, 3.0]},
    ]
    other = [
        {"name": "count", "type": "shapesys", "data": [1.0, 1.5]},
        {"name": "rate", "type": "normsys", "data": {"hi": 1.3, "lo": 0.8}},
        {"name": "stat", "type": "staterror", "data": [0.5, 0.4]},
    ]
    signal = [MU, {"name": "stat", "type": "staterror", "data": [0.1, 0.2]}]
    return workspace_of(
        {
            "bkg": ([50.0, 52.0], background),
            "oth": ([6.0, 4.0], other),
            "sig": ([4.0, 9.0], signal),
        },
        list(observed),
    )


def pyhf_model(workspace):
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
        wrapped = pyhf.Workspace(workspace)
        model = wrapped.model()
    return model, np.array(wrapped.data(model))


def minuit(workspace):
    """Reference: pyhf's likelihood minimised by MINUIT's MIGRAD and HESSE.

    Without bounds, which none of these fits meets: MINUIT's change of variables for bounded
    parameters makes its numerical second derivatives wrong by up to 5 %.
    """
    model, data = pyhf_model(workspace)
    fitter = iminuit.Minuit(
        lambda values: -float(model.logpdf(values, data)[0]), model.config.suggested_init()
    )
    fitter.errordef = 0.5
    fitter.fixed = model.config.suggested_fixed()
    fitter.tol = 1e-4
    fitter.strategy = 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter.migrad()
        fitter.hesse()
    assert fitter.valid
    return fitter, model.config.poi_index


@pytest.fixture(scope="module")
def htautau():
    """Workspace, record and compiled model of the synthetic analysis, with fluctuated data."""
    rng = np.random.default_rng(5)
    plain, _ = build_workspace(make_histogram(), make_config(), "nn_score", TRANSFER)
    counts = {
        c["name"]: np.sum([s["data"] for s in c["samples"]], axis=0) for c in plain["channels"]
    }
    n_bins = len(EDGES) - 1
    data = {
        "signal": rng.poisson(counts["signal"]).astype(float),
        "w_control": np.full(n_bins, rng.poisson(counts["w_control"][0]) // n_bins, dtype=float),
    }
    workspace, record = build_workspace(make_histogram(data), make_config(), "nn_score", TRANSFER)
    return workspace, record, compile_model(workspace)


@pytest.fixture(scope="module")
def small():
    return compile_model(small_workspace())


def test_likelihood_is_pyhfs_everywhere(htautau, small):
    rng = np.random.default_rng(1)
    for workspace, ours in ((htautau[0], htautau[2]), (small_workspace(), small)):
        model, data = pyhf_model(workspace)
        parameters = ours.parameters
        assert list(parameters.names) == model.config.par_names
        unit = np.where(parameters.sigma > 0, parameters.sigma, 0.3)
        for spread in (0.5, 1.0, 2.5):
            values = np.clip(rng.normal(parameters.initial, spread * unit), 1e-3, None)
            values = np.where(parameters.initial == 0, rng.normal(0, spread, len(values)), values)
            nllr, _, _ = ours.evaluate(values, data)
            nll = nllr + ours.saturated_nll(data[None])[0]
            assert nll == pytest.approx(-float(model.logpdf(values, data)[0]), rel=1e-10)
        np.testing.assert_allclose(
            ours.asimov(values), np.array(model.expected_data(values)), rtol=1e-10
        )


@pytest.mark.parametrize("which", ["small", "htautau"])
def test_derivatives_are_those_of_the_likelihood(which, htautau, small):
    model = small if which == "small" else htautau[2]
    rng = np.random.default_rng(3)
    values = model.parameters.initial + 0.05 * rng.normal(size=len(model.parameters.names))
    _, gradient, hessian = model.evaluate(values, model.observed)
    step = 1e-5
    for i in range(len(values)):
        shift = step * np.eye(len(values))[i]
        up, down = (model.evaluate(values + s, model.observed) for s in (shift, -shift))
        assert gradient[i] == pytest.approx((up[0] - down[0]) / (2 * step), rel=1e-4, abs=1e-3)
        slope = (up[1] - down[1]) / (2 * step)
        np.testing.assert_allclose(hessian[i], slope, rtol=1e-5, atol=1e-5 * abs(slope).max())


@pytest.mark.parametrize("which", ["small", "htautau"])
def test_estimates_and_errors_are_those_of_minuit(which, htautau, small):
    workspace, model = (small_workspace(), small) if which == "small" else (htautau[0], htautau[2])
    fitter, poi = minuit(workspace)
    best = fit(model, model.observed)
    errors = np.array(fitter.errors)
    free = ~model.parameters.fixed
    distance = (best.values - np.array(fitter.values))[free] / errors[free]
    np.testing.assert_allclose(distance, 0.0, atol=1e-3)
    # HESSE differentiates numerically; with 35 parameters that is good to some per cent
    np.testing.assert_allclose(
        best.sigma[free], errors[free], rtol=2e-3 if small is model else 5e-2
    )
    assert best.sigma[model.poi] == pytest.approx(errors[poi], rel=2e-3)
    assert best.nll <= fitter.fval + 1e-9


def test_interval_is_that_of_minos(small):
    fitter, poi = minuit(small_workspace())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter.minos(poi)
    profile = Profile(small, small.observed)
    low, high = interval(profile)
    merror = fitter.merrors[f"x{poi}"]
    assert (low - fitter.values[poi]) == pytest.approx(merror.lower, rel=2e-3)
    assert (high - fitter.values[poi]) == pytest.approx(merror.upper, rel=2e-3)
    assert profile.rise(low) == pytest.approx(1.0, abs=1e-4)
    assert profile.rise(high) == pytest.approx(1.0, abs=1e-4)


def test_interval_ends_at_the_bounds_of_the_parameter():
    workspace = small_workspace()
    workspace["measurements"][0]["config"]["parameters"][0]["bounds"] = [[0.9, 1.1]]
    model = compile_model(workspace)
    ends = interval(Profile(model, model.observed))
    assert ends == (0.9, 1.1)
    assert cut_off(model, ends) == (True, True)


def test_an_end_that_a_bound_cuts_off_is_marked_in_the_result():
    """A bound looked like the end of an interval."""
    workspace = small_workspace()
    plain = run_inference(workspace, ONE_REGION)["observed"]
    low, high = plain["interval"]
    assert plain["interval_at_bound"] == [False, False]
    bounds = [[low - 1.0, plain["mu_hat"] + 0.5 * (high - plain["mu_hat"])]]
    workspace["measurements"][0]["config"]["parameters"][0]["bounds"] = bounds
    cut = run_inference(workspace, ONE_REGION)["observed"]
    assert cut["interval"] == pytest.approx([low, bounds[0][1]], rel=1e-4)
    assert cut["interval_at_bound"] == [False, True]


@pytest.mark.parametrize("observed", [(58.0, 66.0), (60.0, 75.0)])
def test_significance_is_pyhfs(observed):
    workspace = small_workspace(observed)
    model, data = pyhf_model(workspace)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = float(pyhf.infer.hypotest(0.0, data, model, test_stat="q0"))
    ours = compile_model(workspace)
    z, p_value = significance(Profile(ours, ours.observed))
    assert p_value == pytest.approx(reference, rel=1e-3)
    assert p_value == pytest.approx(norm.sf(z), rel=1e-12)


def test_deficit_has_no_significance():
    model = compile_model(small_workspace((40.0, 45.0)))
    profile = Profile(model, model.observed)
    assert profile.mu_hat < 0
    assert significance(profile) == (0.0, 0.5)


@pytest.mark.parametrize("observed", [(58.0, 66.0), (50.0, 50.0)])
def test_limit_is_pyhfs(observed):
    workspace = small_workspace(observed)
    ours = compile_model(workspace)
    limit = upper_limit(Profile(ours, ours.observed), 0.95)
    model, data = pyhf_model(workspace)
    scan = np.linspace(0.3 * limit.band[0], 1.1 * limit.band[4], 25)
    bounds = model.config.suggested_bounds()
    bounds[model.config.poi_index] = (0.0, 40.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference, expected = pyhf.infer.intervals.upper_limits.upper_limit(
            data, model, scan, level=0.05, par_bounds=bounds
        )
    assert limit.observed == pytest.approx(float(reference), rel=0.01)
    np.testing.assert_allclose(limit.band, np.array(expected, dtype=float), rtol=0.01)


def test_limit_of_the_analysis_has_cls_of_5_percent(htautau):
    workspace, _, ours = htautau
    limit = upper_limit(Profile(ours, ours.observed), 0.95)
    model, data = pyhf_model(workspace)
    bounds = model.config.suggested_bounds()
    bounds[model.config.poi_index] = (0.0, 40.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        observed, band = pyhf.infer.hypotest(
            limit.observed, data, model, par_bounds=bounds, return_expected_set=True
        )
    # CLs falls by about 6 % of itself for 1 % of the limit
    assert float(observed) == pytest.approx(0.05, rel=0.02)
    assert min(float(value) for value in band) < 0.05 < max(float(value) for value in band)
    assert list(limit.band) == sorted(limit.band)


def test_counting_experiment_has_its_closed_form():
    signal, background, count = 10.0, 100.0, 125.0
    model = compile_model(workspace_of({"b": ([background], []), "s": ([signal], [MU])}, [count]))
    profile = Profile(model, model.observed)
    assert profile.mu_hat == pytest.approx((count - background) / signal, rel=1e-9)
    assert profile.sigma == pytest.approx(np.sqrt(count) / signal, rel=1e-6)
    z = np.sqrt(2 * (count * np.log(count / background) - (count - background)))
    assert significance(profile)[0] == pytest.approx(z, rel=1e-9)
    shown = postfit_yields(model, model.observed, {"sr": [0.0, 1.0]}, profile.best)["sr"]
    assert shown["total"] == pytest.approx([count])
    assert shown["total_sigma"] == pytest.approx([np.sqrt(count)], rel=1e-6)
    assert shown["samples"]["s"] == pytest.approx([count - background])


def test_asimov_data_give_back_their_parameters(htautau):
    model = htautau[2]
    for mu in (0.0, 1.0, 3.0):
        best = fit(model, model.asimov(model.nominal(mu)))
        np.testing.assert_allclose(best.values, model.nominal(mu), atol=1e-6)
        described = describe_parameters(model, model.asimov(model.nominal(mu)), best)
        pulls = [p["pull"] for p in described if p["constrained"]]
        np.testing.assert_allclose(pulls, 0.0, atol=1e-6)
        constraints = [p["constraint"] for p in described if p["constrained"]]
        assert max(constraints) <= 1.0 + 1e-7


def test_pull_follows_the_auxiliary_measurement(small):
    data = small.observed.copy()
    index = list(small.auxiliary).index(small.parameters.index("rate"))
    data[small.n_bins + index] = 1.5
    best = fit(small, data)
    (rate,) = [p for p in describe_parameters(small, data, best) if p["name"] == "rate"]
    assert rate["pull"] == pytest.approx(rate["value"] - 1.5)


def test_result_has_the_promised_layout(htautau):
    workspace, record, model = htautau
    result = run_inference(workspace, record, model=model)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert set(result) == {"observable", "poi", "blinded", "expected", "observed"}
    for key in ("expected", "observed"):
        one = result[key]
        assert set(one) - {"goodness", "compatibility"} == {
            "mu_hat", "sigma", "interval", "interval_at_bound", "significance", "p_value", "limit",
            "converged", "nll", "parameters", "correlation", "prefit", "postfit", "impacts",
            "impacts_by",
            "breakdown",
            "breakdown_of_variance",
        }  # fmt: skip
        assert ("goodness" in one) is ("compatibility" in one) is (key == "observed")
        assert one["interval_at_bound"] == [False, False]
        assert set(one["breakdown"]) == {"total", "statistical", "experimental", "MC statistics"}
        assert one["breakdown"]["total"] == one["sigma"]
        assert one["impacts_by"] == "refits"
        parts = one["breakdown_of_variance"]
        assert set(parts) == set(one["breakdown"])
        assert parts["total"] == pytest.approx(one["sigma"], rel=1e-9)
        squares = sum(value**2 for name, value in parts.items() if name != "total")
        assert squares == pytest.approx(parts["total"] ** 2, rel=1e-9)
        assert len(one["impacts"]) == sum(p["sigma"] > 0 for p in one["parameters"]) - 1
        assert one["interval"][0] < one["mu_hat"] < one["interval"][1]
        assert set(one["limit"]) == {"level", "observed", "expected", "expected_band"}
        for stage in ("prefit", "postfit"):
            for region, edges in (("signal", EDGES), ("w_control", [0.0, 1.0])):
                shown = one[stage][region]
                assert shown["edges"] == edges
                np.testing.assert_allclose(
                    np.sum(list(shown["samples"].values()), axis=0), shown["total"], rtol=1e-12
                )
                assert len(shown["data"]) == len(shown["total_sigma"]) == len(edges) - 1
                assert min(shown["total_sigma"]) > 0
        matrix = np.array(one["correlation"]["matrix"])
        np.testing.assert_allclose(np.diag(matrix), 1.0, rtol=1e-9)
        assert len(one["correlation"]["names"]) == len(matrix) == len(one["parameters"])
    names = [p["name"] for p in result["expected"]["parameters"]]
    assert "staterror_signal[3]" in names
    assert result["expected"]["mu_hat"] == pytest.approx(1.0, abs=1e-6)
    # data and fit constrain the prediction better than the auxiliary measurements alone
    observed = result["observed"]
    before = observed["prefit"]["signal"]["total_sigma"]
    assert (np.array(observed["postfit"]["signal"]["total_sigma"]) < before).all()
    total = np.sum(observed["postfit"]["signal"]["total"])
    assert total == pytest.approx(np.sum(observed["postfit"]["signal"]["data"]), rel=1e-3)


def test_result_says_how_well_the_fit_describes_the_data(htautau):
    workspace, record, model = htautau
    observed = run_inference(workspace, record, model=model)["observed"]
    best = fit(model, model.observed)
    expected, n = model.expected(best.values), model.observed[: model.n_bins]
    pulls = [
        p["pull"] for p in describe_parameters(model, model.observed, best) if p["constrained"]
    ]
    deviance = 2.0 * (expected - n + n * np.log(n / expected)).sum() + np.square(pulls).sum()
    found = observed["goodness"]
    assert set(found) == {"statistic", "degrees", "p_value"}
    assert found["statistic"] == pytest.approx(deviance, rel=1e-6)
    assert found["degrees"] == 14 - 2  # bins, less mu and w_norm
    assert found["p_value"] == pytest.approx(chi2.sf(deviance, 12), rel=1e-6)
    assert 0.001 < found["p_value"] < 0.999  # the data were drawn from the model


def test_result_says_whether_the_regions_agree(htautau):
    """The control region holds 0.03 % of signal: its strength lies far beyond the bounds of mu."""
    workspace, record, model = htautau
    found = run_inference(workspace, record, model=model)["observed"]["compatibility"]
    assert list(found["regions"]) == ["signal", "w_control"]
    assert found["degrees"] == 1
    (value, sigma), (far, wide) = found["regions"]["signal"], found["regions"]["w_control"]
    assert value == pytest.approx(fit(model, model.observed).values[model.poi], abs=0.5 * sigma)
    assert wide > 40.0
    assert found["statistic"] == pytest.approx((far / wide) ** 2, rel=0.2)
    assert found["p_value"] == pytest.approx(chi2.sf(found["statistic"], 1), rel=1e-9)
    assert run_inference(small_workspace(), ONE_REGION)["observed"]["compatibility"] is None
    # more data in the control region than bounds of -20 and 40 could take up
    data = model.observed.copy()
    data[model.regions["w_control"]] *= 1.2
    moved = channel_compatibility(workspace, model, data, fit(model, data))
    value, sigma = moved.regions["w_control"]
    assert value > far + 100.0
    assert moved.statistic == pytest.approx((value / sigma) ** 2, rel=0.2)


def test_result_is_the_same_twice(htautau):
    workspace, record, model = htautau
    again = compile_model(workspace)
    first, second = (run_inference(workspace, record, model=m) for m in (model, again))
    assert json.dumps(first) == json.dumps(second)


def test_blinded_record_gives_no_observed_result(htautau):
    workspace, record, model = htautau
    result = run_inference(workspace, {**record, "blinded": True}, model=model)
    assert result["observed"] is None
    assert result["blinded"] is True


def test_record_of_another_workspace_is_refused(htautau):
    workspace, record, model = htautau
    regions = {"signal": {"edges_after": [0.0, 1.0]}, "w_control": {"edges_after": [0.0, 1.0]}}
    with pytest.raises(FitError, match="region signal do not belong to the workspace's 13 bins"):
        run_inference(workspace, {**record, "regions": regions}, model=model)


def test_negative_signal_beyond_the_empty_bin_is_finite():
    workspace = workspace_of({"b": ([40.0, 0.8], []), "s": ([1.0, 1.0], [MU])}, [40.0, 0.0])
    model = compile_model(workspace)
    for mu in (-19.0, -0.81, -0.8, 5.0):
        nll, gradient, hessian = model.evaluate(np.array([mu]), model.observed)
        assert np.isfinite(nll)
        assert np.isfinite(gradient).all()
        assert np.isfinite(hessian).all()
    best = fit(model, model.observed)
    # the empty bin pulls down until it predicts nothing, the other one stops it there
    assert best.values[0] == pytest.approx(-0.8, abs=1e-3)
    assert best.at_bound[0]


def test_parameter_at_its_bound_is_reported():
    free = {"name": "norm", "type": "normfactor", "data": None}
    workspace = workspace_of(
        {"b": ([50.0, 5.0], []), "w": ([20.0, 1.0], [free]), "s": ([1.0, 9.0], [MU])},
        [30.0, 14.0],
        parameters=[{"name": "norm", "bounds": [[0.0, 10.0]], "inits": [1.0]}],
    )
    model = compile_model(workspace)
    best = fit(model, model.observed)
    (norm_,) = [p for p in describe_parameters(model, model.observed, best) if p["name"] == "norm"]
    assert norm_["at_bound"] is True
    assert norm_["value"] == 0.0


def test_degenerate_parameters_are_named():
    free = {"name": "norm", "type": "normfactor", "data": None}
    workspace = workspace_of(
        {"b": ([50.0, 40.0], []), "s": ([5.0, 9.0], [MU, free])},
        [56.0, 50.0],
        parameters=[{"name": "norm", "bounds": [[0.0, 10.0]], "inits": [1.0]}],
    )
    model = compile_model(workspace)
    with pytest.raises(FitError, match=r"not positive definite: .*(mu|norm)"):
        fit(model, model.observed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], r"data has shape \(\d+,\), the model needs"),
        (lambda data: np.where(np.arange(len(data)) == 1, np.nan, data), "entry 1 is not finite"),
        (lambda data: np.where(np.arange(len(data)) == 1, -3.0, data), r"bin 1 is negative \(-3\)"),
    ],
)
def test_unusable_data_are_named(change, message, small):
    with pytest.raises(FitError, match=message):
        fit(small, change(small.observed))


def test_function_without_minimum_says_how_far_the_fit_came():
    def falling(values):
        return float(values.sum()), np.ones(1), np.zeros((1, 1))

    best = minimise(falling, np.zeros(1), np.full(1, -5.0), np.full(1, 5.0), np.zeros(1, bool))
    assert best.values[0] == -5.0
    assert best.at_bound[0]

    def rising(values):
        return -float(values.sum()), -np.ones(1), np.zeros((1, 1))

    best = minimise(rising, np.zeros(1), np.full(1, -5.0), np.full(1, 5.0), np.zeros(1, bool))
    assert best.values[0] == 5.0
    assert best.at_bound[0]
    with pytest.raises(FitError, match="not finite at the starting point"):
        minimise(
            lambda values: (np.nan, values, np.eye(1)),
            np.zeros(1), np.full(1, -5.0), np.full(1, 5.0), np.zeros(1, bool),
        )  # fmt: skip

    def kink(values):
        return float(np.abs(values[0] - 0.3)), np.sign(values - 0.3), np.zeros((1, 1))

    with pytest.raises(FitError, match="no minimum found: estimated distance"):
        minimise(kink, np.zeros(1), np.full(1, -5.0), np.full(1, 5.0), np.zeros(1, bool))


def test_bad_workspace_is_named():
    workspace = small_workspace()
    workspace["measurements"][0]["config"]["poi"] = "kappa"
    with pytest.raises(FitError, match="pyhf refuses the workspace: .*kappa"):
        compile_model(workspace)
    empty = workspace_of({"b": ([50.0, 0.0], []), "s": ([5.0, 0.0], [MU])}, [56.0, 0.0])
    with pytest.raises(FitError, match="region [a-z]+, bin 1: nominal expectation is 0"):
        compile_model(empty)


def test_backend_of_pyhf_is_left_as_it_was():
    pyhf.set_backend("numpy", "minuit")
    before = pyhf.get_backend()
    compile_model(workspace_of({"b": ([50.0], []), "s": ([5.0], [MU])}, [56.0]))
    assert pyhf.get_backend() == before


def test_arguments_are_not_changed(small):
    data, start = small.observed.copy(), small.nominal(1.0)
    for array in (data, start):
        array.setflags(write=False)
    before = json.dumps(small_workspace())
    workspace = small_workspace()
    compile_model(workspace)
    assert json.dumps(workspace) == before
    fit(small, data, start=start, fixed={0: 0.1})
