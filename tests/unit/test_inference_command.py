"""``taipan fit``, and what it computes beside the fit."""

from __future__ import annotations

import copy
import json
import re

import numpy as np
import pytest

from taipan.cli.main import main
from taipan.coverage.bins import FitBins
from taipan.coverage.score import higgsml_score, measure_coverage, shrink, summarise_experiments
from taipan.coverage.truth import draw_truth
from taipan.errors import TaipanError
from taipan.export.hs3 import to_hs3
from taipan.inference import FitError, compile_model, fit
from taipan.inference.batch import fit_many
from taipan.inference.blinding import prepare
from taipan.inference.combine import combine_workspaces
from taipan.inference.goodness import channel_compatibility, goodness_of_fit
from taipan.inference.impacts import break_down, default_groups, rank_parameters
from taipan.inference.profile import Profile, upper_limit
from taipan.inference.robust import combine_robustly
from taipan.inference.scan import scan
from taipan.inference.toy_limit import toy_limit
from taipan.inference.toys import draw_data, pseudo_experiments
from taipan.systematics.registry import make_systematic
from tests.conftest import ROOT
from tests.made_up_models import make_workspace
from tests.public_models import MU, public_models

MODELS = public_models()


@pytest.fixture(scope="module")
def made_up():
    workspace = make_workspace(norms=3, shapes=3, regions=2, bins=6, samples=3)
    model = compile_model(workspace)
    return workspace, model, fit(model, model.observed)


def write(folder, workspace):
    path = folder / "workspace.json"
    path.write_text(json.dumps(workspace))
    return str(path)


def changed(name, change):
    workspace = copy.deepcopy(MODELS[name])
    change(workspace)
    return workspace


# hepdata-validator leaves the files that it has read to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_command_writes_what_it_promises(tmp_path, capsys):
    workspace = make_workspace(norms=2, shapes=2, regions=2, bins=4, samples=3)
    out = tmp_path / "result.json"
    arguments = [
        "fit", write(tmp_path, workspace), "--asimov", "--impacts", "--limit", "--gof",
        "--compatibility", "--scan", "mu", "--scan", "mu,norm000", "--out", str(out), "--hs3",
        str(tmp_path / "hs3.json"), "--tables", str(tmp_path), "--hepdata",
        str(tmp_path / "hepdata.tar.gz"), "--plots", str(tmp_path / "plots"),
    ]  # fmt: skip
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    result = json.loads(out.read_text())
    assert result["mu_hat"] == pytest.approx(1.0, abs=1e-6)
    assert result["mode"] == "asimov"
    assert result["goodness"]["statistic"] == pytest.approx(0.0, abs=1e-6)
    assert result["compatibility"]["statistic"] == pytest.approx(0.0, abs=1e-6)
    for text in ("mu", "CLs limit, 95 %, asymptotic", "impact +1σ", "σ, statistical", "postfit"):
        assert text in printed
    assert "norm000" in (tmp_path / "impacts.csv").read_text()
    assert r"\begin{tabular}" in (tmp_path / "yields_postfit.tex").read_text()
    assert (tmp_path / "hepdata.tar.gz").stat().st_size > 1000
    for name in ("impacts", "scan_mu", "scan_mu_norm000"):
        assert (tmp_path / "plots" / f"{name}.png").stat().st_size > 5000


def test_prediction_of_the_fitted_model_is_its_postfit(made_up, tmp_path):
    workspace, _, _ = made_up
    path, out = write(tmp_path, workspace), tmp_path / "result.json"
    assert main(["fit", path, "--yields", path, "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert list(result["predicted"]) == list(result["postfit"]) == ["r0", "r1"]
    for region, after in result["postfit"].items():
        predicted = result["predicted"][region]
        assert predicted["samples"] == after["samples"]
        for key in ("edges", "data", "total", "total_sigma", "sum_sigma"):
            assert predicted[key] == pytest.approx(after[key], rel=1e-12)


def test_validation_region_is_predicted_from_the_fit_of_the_others(made_up, tmp_path):
    """Signal strength and systematics as fitted, statistical factors of its own as before."""
    workspace, model, _ = made_up
    path, out, whole = write(tmp_path, workspace), tmp_path / "result.json", tmp_path / "all.json"
    whole.write_text(json.dumps(workspace))
    arguments = ["fit", path, "--regions", "r0", "--yields", str(whole), "--out", str(out)]
    assert main(arguments) == 0
    result = json.loads(out.read_text())
    fitted, validation = result["predicted"]["r0"], result["predicted"]["r1"]
    assert fitted["total"] == pytest.approx(result["postfit"]["r0"]["total"], rel=1e-12)
    assert fitted["total_sigma"] == pytest.approx(result["postfit"]["r0"]["total_sigma"], rel=1e-9)
    names = model.parameters.names
    values = dict(zip(names, model.parameters.initial, strict=True))
    values |= {item["name"]: item["value"] for item in result["parameters"]}
    point = np.array([values[name] for name in names])
    bins = model.regions["r1"]
    assert validation["data"] == model.observed[bins].tolist()
    assert validation["total"] == pytest.approx(model.expected(point)[bins], rel=1e-9)
    # the covariance of what was fitted, and the auxiliary widths of what was not
    sigma = dict(zip(names, model.parameters.sigma, strict=True))
    sigma |= {item["name"]: item["sigma"] for item in result["parameters"]}
    correlation = np.eye(len(names))
    places = [names.index(name) for name in result["correlation"]["names"]]
    correlation[np.ix_(places, places)] = result["correlation"]["matrix"]
    width = np.array([sigma[name] for name in names])
    jacobian = model.jacobian(point)[bins]
    covariance = jacobian @ (correlation * np.outer(width, width)) @ jacobian.T
    assert validation["total_sigma"] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)
    assert validation["sum_sigma"] == pytest.approx(np.sqrt(covariance.sum()), rel=1e-6)
    # the fit of r0 knows more of r1 than the auxiliary measurements alone
    before = np.sqrt(np.diag(jacobian @ np.diag(width_before(model) ** 2) @ jacobian.T))
    assert (np.array(validation["total_sigma"]) < before).all()


def width_before(model):
    """Auxiliary widths; the signal strength, free before the fit, counts with its bounds."""
    width = model.parameters.sigma.copy()
    width[model.poi] = 30.0
    return width


def test_interval_at_a_bound_is_marked_in_the_table(tmp_path, capsys):
    model = compile_model(MODELS["histosys"])
    best = fit(model, model.observed)
    bound = float(best.values[model.poi] + 0.5 * best.sigma[model.poi])
    workspace = changed(
        "histosys",
        lambda w: w["measurements"][0]["config"]["parameters"][0].update(bounds=[[-5.0, bound]]),
    )
    out = tmp_path / "result.json"
    assert main(["fit", write(tmp_path, workspace), "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["interval"][1] == bound
    assert result["interval_at_bound"] == [False, True]
    assert f"[{result['interval'][0]:.4g}, {bound:.4g} (bound)]" in capsys.readouterr().out


def test_layout_of_the_result_is_documented(made_up, tmp_path):
    """The page named in the code described no layout."""
    path, out = write(tmp_path, made_up[0]), tmp_path / "result.json"
    options = ["--impacts", "--limit", "--gof", "--compatibility", "--scan", "mu", "--toys", "60"]
    assert main(["fit", path, *options, "--yields", path, "--out", str(out)]) == 0
    page = (ROOT / "docs/inference.md").read_text(encoding="utf-8")
    layout = page.partition("## `RESULT.json`")[2].partition("```text\n")[2].partition("```")[0]
    words = set(re.findall(r"\w+", layout))
    result = json.loads(out.read_text())
    assert set(result) <= words
    for key in ("correlation", "limit", "limit_toys", "goodness", "compatibility", "toys"):
        assert set(result[key]) <= words
    lists = (result["parameters"], result["impacts"], result["scans"])
    regions = (result[key]["r0"] for key in ("prefit", "postfit", "predicted"))
    for item in (*(rows[0] for rows in lists), *regions):
        assert set(item) <= words


def test_toys_of_the_command_have_a_seed(tmp_path):
    path = write(tmp_path, MODELS["two_channels_shapesys"])
    found = []
    for seed in ("1", "1", "2"):
        out = tmp_path / "out.json"
        assert main(["fit", path, "--toys", "20", "--seed", seed, "--out", str(out)]) == 0
        found.append(json.loads(out.read_text())["toys"]["mu_hat"])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("workspace", "message"),
    [
        (
            changed(
                "histosys",
                lambda w: w["channels"][0]["samples"][1].update(data=[float("nan"), 150.0]),
            ),
            "region sr, sample bkg: yields[0] is nan",
        ),
        (
            changed("histosys", lambda w: w["channels"][0]["samples"][0].update(data=[0.0, 0.0])),
            "'mu' scales no yield in any region (sr)",
        ),
        (
            changed(
                "coupled_normsys",
                lambda w: w["channels"][1]["samples"].append(
                    {"name": "sig", "data": [0.0, 0.0], "modifiers": [MU]}
                ),
            ),
            "region control: the signal is zero in every bin",
        ),
        (
            changed(
                "histosys",
                lambda w: w["channels"][0]["samples"][1]["modifiers"].append(
                    {"name": "idle", "type": "normsys", "data": {"hi": 1.0, "lo": 1.0}}
                ),
            ),
            "parameter 'idle' changes no expected yield",
        ),
        (
            changed(
                "two_bins_uncorrelated",
                lambda w: w["measurements"][0]["config"]["parameters"][0].update(
                    bounds=[[-0.01, 10.0]]
                ),
            ),
            "mu = -0.01 (bounds -0.01, 10): the best fit lies beyond the bound",
        ),
        (
            changed(
                "histosys",
                lambda w: w["channels"][0]["samples"][0]["modifiers"].append(
                    {"name": "twin", "type": "normfactor", "data": None}
                ),
            ),
            "not positive definite",
        ),
    ],
    ids=["nan", "no signal", "zero in a region", "idle", "bound", "degenerate"],
)  # fmt: skip
def test_fits_that_fail_say_so_and_leave_nothing(workspace, message, tmp_path, capsys):
    out = tmp_path / "out.json"
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(workspace))
    assert main(["fit", str(path), "--out", str(out)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_lenient_accepts_with_a_note(tmp_path, capsys):
    workspace = changed(
        "histosys",
        lambda w: w["channels"][0]["samples"][1]["modifiers"].append(
            {"name": "idle", "type": "normsys", "data": {"hi": 1.0, "lo": 1.0}}
        ),
    )
    assert main(["fit", write(tmp_path, workspace), "--lenient"]) == 0
    assert "note: parameter 'idle' changes no expected yield" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--asimov", "--mode", "control"], "--asimov contradicts --mode control"),
        (["--toys", "-1"], "--toys: -1"),
        (["--level", "1"], "--level: 1.0 is not between 0 and 1"),
        (["--interpolation", "code1"], "'code1' is not KIND=CODE"),
        (["--interpolation", "histosys=code2"], "interpolation histosys: 'code2' is not offered"),
        (["--measurement", "x"], "measurement 'x' is not in the workspace (validation)"),
        (["--regions", "x"], "region x is not in the workspace (sr)"),
        (["--scan", "x"], "parameter 'x' is not in the model"),
    ],
)
def test_wrong_options_are_named(options, message, tmp_path, capsys):
    assert main(["fit", write(tmp_path, MODELS["histosys"]), *options]) == 1
    assert message in capsys.readouterr().err


def test_many_fits_are_the_single_ones(made_up):
    _, model, _ = made_up
    rng = np.random.default_rng(4)
    data = np.stack([draw_data(model, model.nominal(1.0), rng) for _ in range(5)])
    fits = fit_many(model, data, model.nominal(1.0))
    for row in range(5):
        alone = fit(model, data[row])
        np.testing.assert_allclose(fits.values[row], alone.values, atol=1e-6)
        assert fits.sigma[row] == pytest.approx(alone.sigma[model.poi], rel=1e-6)
        assert fits.nllr[row] == pytest.approx(alone.nllr, abs=1e-8)


def test_intervals_of_toys_are_those_of_single_fits(made_up):
    _, model, _ = made_up
    toys = pseudo_experiments(model, 1.0, 4, np.random.default_rng(5), intervals=True)
    rng = np.random.default_rng(5)
    for toy in toys:
        profile = Profile(model, draw_data(model, model.nominal(1.0), rng))
        for end in (toy["low"], toy["high"]):
            assert profile.rise(float(end)) == pytest.approx(1.0, abs=2e-3)


def test_breakdown_is_that_of_fits_with_parameters_held(made_up):
    _, model, best = made_up
    groups = default_groups(model, {"staterror_r0": ["staterror"]}, {"norm000": "theory"})
    assert set(groups) == {"experimental", "MC statistics", "theory"}
    parts = break_down(model, model.observed, best, groups)
    held = fit(model, model.observed, fixed={i: best.values[i] for i in groups["theory"]})
    expected = np.sqrt(best.sigma[model.poi] ** 2 - held.sigma[model.poi] ** 2)
    assert parts["theory"] == pytest.approx(expected, rel=1e-4)
    everything = [i for members in groups.values() for i in members]
    stat = fit(model, model.observed, fixed={i: best.values[i] for i in everything})
    assert parts["statistical"] == pytest.approx(stat.sigma[model.poi], rel=1e-6)
    assert parts["total"] == best.sigma[model.poi]
    with pytest.raises(FitError, match="groups: ghost is not a parameter"):
        default_groups(model, {}, {"ghost": "theory"})


def test_impacts_follow_the_covariance(made_up):
    _, model, best = made_up
    impacts = rank_parameters(model, model.observed, best)
    sizes = [max(map(abs, item.postfit)) for item in impacts]
    assert sizes == sorted(sizes, reverse=True)
    for item in impacts[:3]:
        i = model.parameters.index(item.name)
        linear = best.covariance[i, model.poi] / best.sigma[i]
        assert 0.5 * (item.postfit[0] - item.postfit[1]) == pytest.approx(linear, rel=0.05)


def test_scan_crosses_one_at_the_ends_of_the_interval(made_up):
    _, model, best = made_up
    profile = Profile(model, model.observed, best)
    sigma = profile.sigma
    found = (
        scan(model, model.observed, best, ["mu"], [np.array([best.values[0], 0.0])])
        if model.poi == 0
        else scan(model, model.observed, best, ["mu"])
    )
    assert found.rise.min() == pytest.approx(0.0, abs=1e-6)
    points = [profile.mu_hat - sigma, profile.mu_hat + sigma]
    found = scan(model, model.observed, best, ["mu"], [np.array(points)])
    np.testing.assert_allclose(found.rise, [profile.rise(p) for p in points], atol=1e-6)
    plane = scan(model, model.observed, best, ["mu", "norm000"])
    assert plane.rise.shape == (21, 21)
    assert plane.rise[10, 10] == pytest.approx(0.0, abs=1e-6)
    for names in ([], ["mu", "mu"], ["mu", "norm000", "norm001"]):
        with pytest.raises(FitError, match="one or two different parameters"):
            scan(model, model.observed, best, names)


def test_saturated_fit_of_a_counting_experiment_is_perfect():
    workspace = changed("two_bins_uncorrelated", lambda w: None)
    model = compile_model(workspace)
    best = fit(model, model.observed)
    found = goodness_of_fit(model, model.observed, best)
    mu, gammas = best.values[model.poi], best.values[1:]
    expected = model.expected(best.values)
    n, tau = model.observed[:2], model.auxiliary_factor
    deviance = 2 * (expected - n + n * np.log(n / expected)).sum()
    rates = gammas * tau
    deviance += 2 * (rates - tau + tau * np.log(tau / rates)).sum()
    assert found.statistic == pytest.approx(deviance, rel=1e-6)
    assert found.degrees == 1
    assert np.isfinite(mu)


def test_goodness_of_toys_is_uniform(made_up):
    _, model, best = made_up
    rng = np.random.default_rng(6)
    data = draw_data(model, best.values, rng)
    again = fit(model, data)
    found = goodness_of_fit(model, data, again, toys=100, rng=rng)
    assert found.degrees == model.n_bins - 1
    assert abs(found.p_value - found.p_value_toys) < 0.2


def test_regions_that_disagree_are_noticed(made_up):
    workspace, model, _ = made_up
    values = model.nominal(1.0)
    agreeing = model.asimov(values)
    best = fit(model, agreeing)
    found = channel_compatibility(workspace, model, agreeing, best)
    assert found.p_value > 0.99
    data = agreeing.copy()
    signal = model.expected_by_sample(values)[model.samples.index("signal")]
    data[model.regions["r1"]] += 8.0 * signal[model.regions["r1"]]
    found = channel_compatibility(workspace, model, data, fit(model, data))
    assert found.regions["r1"][0] - found.regions["r0"][0] == pytest.approx(8.0, rel=0.15)
    assert found.p_value < 0.02
    assert found.degrees == 1


def test_toy_limit_is_near_the_asymptotic_one():
    workspace = changed("two_channels_shapesys", lambda w: None)
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    found = toy_limit(profile, 0.95, 400, np.random.default_rng(7))
    guess = upper_limit(profile, 0.95)
    assert found.limit.observed == pytest.approx(guess.observed, rel=0.1)
    assert found.limit.band[2] == pytest.approx(guess.band[2], rel=0.15)
    assert np.isnan(found.limit.band[:2]).all()  # 400 toys cannot tell
    assert list(found.limit.band[2:]) == sorted(found.limit.band[2:])


def test_control_mode_does_not_see_the_signal_region():
    workspace = copy.deepcopy(MODELS["coupled_shapefactor"])
    model = compile_model(workspace)
    first = prepare(workspace, model, "control", mu=0.0)
    assert first.values is not None
    np.testing.assert_allclose(first.data[model.regions["control"]], [200.0, 300.0], rtol=1e-6)
    np.testing.assert_allclose(first.data[model.regions["signal"]], [200.0, 210.0], rtol=1e-6)
    workspace["observations"][0]["data"] = [9999.0, 1.0]
    other = compile_model(workspace)
    second = prepare(workspace, other, "control", mu=0.0)
    np.testing.assert_array_equal(first.data, second.data)
    held = prepare(workspace, other, "background")
    assert held.fixed == {other.poi: 0.0}


def test_combination_correlates_what_is_said_and_nothing_else():
    one = MODELS["coupled_normsys"]
    alone = compile_model(one)
    sigma = fit(alone, alone.observed).sigma[alone.poi]
    free = compile_model(combine_workspaces({"a": one, "b": one}, {}))
    tied = compile_model(combine_workspaces({"a": one, "b": one}, {"n": ["n"]}))
    best, common = fit(free, free.observed), fit(tied, tied.observed)
    assert set(free.parameters.names) == {"mu", "a_n", "b_n"}
    assert set(tied.parameters.names) == {"mu", "n"}
    assert best.sigma[free.poi] == pytest.approx(sigma / np.sqrt(2.0), rel=1e-4)
    assert len(free.auxiliary) == 2
    assert len(tied.auxiliary) == 1
    assert abs(common.sigma[tied.poi] / best.sigma[free.poi] - 1.0) > 0.02
    with pytest.raises(FitError, match="no parameter 'ghost'"):
        combine_workspaces({"a": one, "b": one}, {"g": ["ghost"]})
    with pytest.raises(FitError, match="it takes two workspaces"):
        combine_workspaces({"a": one}, {})


def test_unknown_correlation_enlarges_the_uncertainty():
    block = np.array([[1.0, 0.3], [0.3, 2.0]])
    slopes = np.array([[1.0], [1.0]])
    single = combine_robustly([np.array([1.0, 2.0])], [block], [slopes])
    assert single.factor == 1.0
    two = combine_robustly([np.array([1.0]), np.array([2.0])], [np.eye(1), np.eye(1)])
    assert two.values[0] == pytest.approx(1.5)
    # fully correlated, the average of two equal measurements is as uncertain as each: a factor of 2
    assert two.factor == pytest.approx(2.0, abs=0.1)
    with pytest.raises(FitError, match="not positive definite"):
        combine_robustly([np.array([1.0])], [np.array([[-1.0]])])


def test_hs3_keeps_yields_and_relative_uncertainties():
    document = to_hs3(MODELS["histfactory_example"])
    (channel,) = document["distributions"][:1]
    assert channel["type"] == "histfactory_dist"
    background = channel["samples"][1]
    assert background["data"] == {"contents": [100.0, 0.0], "errors": [5.0, 0.0]}
    kinds = [modifier["type"] for modifier in background["modifiers"]]
    assert kinds == ["normfactor", "shapesys", "normsys"]
    assert background["modifiers"][1]["constraint"] == "Gauss"
    assert background["modifiers"][1]["data"]["vals"] == pytest.approx([0.05, 0.1])
    assert document["distributions"][1]["sigma"] == 0.1
    assert document["analyses"][0]["parameters_of_interest"] == ["mu"]
    shapesys = to_hs3(MODELS["two_bins_uncorrelated"])["distributions"][0]["samples"][1]
    assert shapesys["modifiers"][0]["data"]["vals"] == pytest.approx([3 / 50, 7 / 52])


def test_higgsml_score_has_its_values():
    assert higgsml_score(1.0, 0.6827, 1000) == pytest.approx(-np.log(1.001))
    sigma = np.sqrt(0.6827 * 0.3173 / 1000)
    below = higgsml_score(0.5, 0.6827 - 3 * sigma, 1000)
    assert below == pytest.approx(-np.log(0.501 * 2.0), rel=1e-6)
    assert higgsml_score(0.5, 0.6827 + 4 * sigma, 1000) == pytest.approx(-np.log(0.501 * 9.0))


def test_shrunk_intervals_fail_the_coverage():
    rng = np.random.default_rng(9)
    n = 1000
    truth = rng.uniform(0.0, 3.0, n)
    mu_hat = rng.normal(truth, 1.0)
    ends = [(mu_hat - width, mu_hat + width) for width in (1.0, 1.95996)]
    report = summarise_experiments(truth, mu_hat, np.ones(n), ends)
    assert report["passed"] is True
    assert report["has_power"] is True
    assert report["pull_width"][0] == pytest.approx(1.0, abs=3 * report["pull_width"][1])
    assert report["slope"][0] == pytest.approx(1.0, abs=3 * report["slope"][1])
    low, high = shrink(mu_hat, *ends[0])
    np.testing.assert_allclose(high - low, 1.4)
    assert measure_coverage(truth, low, high, 0.6827).fraction == pytest.approx(0.516, abs=0.05)


def test_pseudo_data_are_binned_like_templates():
    binning = FitBins("x", {"sr": np.array([0.0, 1.0, 3.0])}, frozenset({"cr"}))
    values = np.array([-5.0, 0.5, 1.0, 3.0, 9.0, np.nan])
    weights = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    assert binning.fill("sr", values, weights).tolist() == [3.0, 60.0]  # flow in the edge bins
    assert binning.fill("cr", values, weights).tolist() == [63.0]


def test_truth_is_drawn_from_the_priors():
    rate = make_systematic(kind="rate", size=0.1, samples=["W"])
    rng = np.random.default_rng(10)
    truths = [draw_truth({"a": rate}, (0.5, 2.5), rng) for _ in range(2000)]
    mu = np.array([item.mu for item in truths])
    pulls = np.array([item.pulls["a"] for item in truths])
    assert 0.5 <= mu.min() <= mu.max() <= 2.5
    assert mu.mean() == pytest.approx(1.5, abs=0.05)
    assert pulls.mean() == pytest.approx(0.0, abs=0.1)
    assert pulls.std() == pytest.approx(1.0, abs=0.05)
    sample = make_systematic(kind="sample", datasets=["Z2"], samples=["ZTT"])
    with pytest.raises(TaipanError, match="coverage: systematics.nlo is of kind 'sample'"):
        draw_truth({"nlo": sample}, (0.0, 1.0), rng)


def test_rates_of_pseudo_data_are_exponential():
    rate = make_systematic(kind="rate", up=0.044, down=-0.069, samples=["ggH"])
    assert rate.yield_factor(0.0) == 1.0
    assert rate.yield_factor(1.0) == pytest.approx(1.044)
    assert rate.yield_factor(-1.0) == pytest.approx(0.931)
    assert rate.yield_factor(-2.0) == pytest.approx(0.931**2)
