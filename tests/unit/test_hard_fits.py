"""Fits at the edges of what a likelihood is: empty bins, bounds, and very many events."""

from __future__ import annotations

import copy
import json
import math
import warnings

import numpy as np
import pyhf
import pytest

from taipan.cli.main import main
from taipan.inference import FitError, compile_model, fit, minima
from taipan.inference.batch import fit_many
from taipan.inference.blinding import refuse_bounds
from taipan.inference.goodness import goodness_of_fit
from taipan.inference.impacts import rank_parameters
from taipan.inference.profile import (
    Profile,
    _levels_off,
    interval,
    significance,
    upper_limit,
)
from taipan.inference.scan import scan
from taipan.inference.stacked import descend_many
from taipan.inference.toy_limit import toy_limit
from taipan.inference.toys import pseudo_experiments
from tests.histfactory_oracle import Oracle

MU = {"name": "mu", "type": "normfactor", "data": None}


def workspace_of(samples, observed, bounds=(-10.0, 10.0)):
    """One region; samples: name → (data, modifiers)."""
    listed = [{"name": n, "data": d, "modifiers": m} for n, (d, m) in samples.items()]
    poi = {"name": "mu", "bounds": [list(bounds)], "inits": [1.0]}
    return {
        "channels": [{"name": "sr", "samples": listed}],
        "observations": [{"name": "sr", "data": observed}],
        "measurements": [{"name": "fit", "config": {"poi": "mu", "parameters": [poi]}}],
        "version": "1.0.0",
    }


def histosys(name, up, down):
    return {"name": name, "type": "histosys", "data": {"hi_data": up, "lo_data": down}}


def normsys(name, up, down):
    return {"name": name, "type": "normsys", "data": {"hi": up, "lo": down}}


def staterror(errors):
    return {"name": "staterror_sr", "type": "staterror", "data": errors}


def shape(up, down, high, low):
    return [histosys("shape", up, down), normsys("shape", high, low)]


def zero_yield_sample_a():
    """The background of the second bin can be varied below zero, on both sides."""
    return workspace_of(
        {
            "signal": (
                [10.45, 3.816],
                [MU, *shape([10.3857, 3.529], [10.4407, 3.9597], 1.108, 0.86),
                 staterror([0.1909, 0.0762])],
            ),
            "a": (
                [0.405, 0.002],
                [*shape([0.4282, 0.0019], [0.3908, 0.0019], 1.043, 0.968),
                 staterror([0.2493, 0.0019])],
            ),
            "b": ([0.379, 0.0], [staterror([0.2678, 0.0])]),
            "c": (
                [4.747, 0.0],
                [*shape([4.9231, -0.2697], [4.7705, -0.366], 1.058, 0.91),
                 staterror([1.5995, 0.0])],
            ),
            "d": (
                [0.382, 0.163],
                [*shape([0.3741, 0.1671], [0.3948, 0.1591], 1.056, 0.941),
                 staterror([0.1187, 0.0781])],
            ),
        },
        [21.0, 6.0],
    )  # fmt: skip


def zero_yield_sample_b():
    """The same with other numbers."""
    return workspace_of(
        {
            "signal": (
                [11.365, 4.15],
                [MU, *shape([11.296, 3.8383], [11.3558, 4.3068], 1.108, 0.86),
                 staterror([0.2077, 0.0829])],
            ),
            "a": (
                [0.39, 0.002],
                [*shape([0.4121, 0.0018], [0.3761, 0.0018], 1.043, 0.968),
                 staterror([0.2399, 0.0018])],
            ),
            "b": ([0.426, 0.0], [staterror([0.3012, 0.0])]),
            "c": (
                [3.915, 0.0],
                [*shape([4.0603, -0.2225], [3.9344, -0.3019], 1.058, 0.91),
                 staterror([1.3192, 0.0])],
            ),
            "d": (
                [0.351, 0.15],
                [*shape([0.3434, 0.1534], [0.3625, 0.1461], 1.056, 0.941),
                 staterror([0.109, 0.0717])],
            ),
        },
        [16.0, 6.0],
    )  # fmt: skip


def zero_observed(bounds=(0.0, 20.0), background=0.8):
    return workspace_of(
        {"signal": ([3.0], [MU]), "bkg": ([background], [normsys("norm", 1.15, 0.85)])},
        [0.0],
        bounds,
    )


def large_counts(factor=1.0):
    events = factor * np.array([3.0e7, 2.1e7, 1.2e7, 6.0e6])
    tilt = np.array([0.01, 0.01 / 3.0, -0.01 / 3.0, -0.01])
    signal = factor * np.array([3.0e4, 6.3e4, 7.2e4, 6.0e4])
    data = np.round(events * (1.0 + 0.004 - 0.1 * tilt) + 0.75 * signal)
    return workspace_of(
        {
            "signal": (signal.tolist(), [MU]),
            "bkg": (
                events.tolist(),
                [
                    normsys("norm", 1.02, 0.98),
                    histosys(
                        "tilt", (events * (1.0 - tilt)).tolist(), (events * (1.0 + tilt)).tolist()
                    ),
                ],
            ),
        },
        data.tolist(),
    )


# Significances of pyhf with MINUIT.
@pytest.mark.parametrize(
    ("workspace", "mu_hat", "sigma", "z"),
    [
        (zero_yield_sample_a(), 1.4782, 0.4281, 7.2296),
        (zero_yield_sample_b(), 1.1308, 0.3451, 6.7701),
    ],
    ids=["a", "b"],
)
def test_significance_with_a_zero_yield_sample_is_that_of_minuit(workspace, mu_hat, sigma, z):
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    assert profile.mu_hat == pytest.approx(mu_hat, abs=2e-4)
    assert profile.sigma == pytest.approx(sigma, abs=2e-4)
    assert significance(profile)[0] == pytest.approx(z, abs=1e-4)
    values, _ = profile.conditional(0.0)
    assert model.expected(values).min() > 0.05
    assert 1.5 < upper_limit(profile, 0.95).observed < 3.0


def test_every_conditional_fit_of_a_zero_yield_sample_is_the_deepest():
    model = compile_model(zero_yield_sample_a())
    best = fit(model, model.observed)
    (found,) = [scan(model, model.observed, best, ["mu"], [np.array([0.0, 0.5, 3.0])])]
    assert np.sqrt(found.rise[0]) == pytest.approx(7.2296, abs=1e-4)
    assert all(abs(v) < 0.5 for item in rank_parameters(model, model.observed, best)
               for v in item.postfit)  # fmt: skip
    # a start at which the second bin is negative
    start = best.values.copy()
    start[model.parameters.index("shape")] = 2.5
    start[model.poi] = 0.0
    fixed = np.arange(len(start)) == model.poi
    fits = fit_many(model, model.observed, start, fixed=fixed)
    assert 2.0 * (fits.nllr[0] - best.nllr) == pytest.approx(7.2296**2, abs=2e-3)


def test_infinite_significance_is_refused_with_its_bin():
    """No background at all where events are seen: there is no likelihood without signal."""
    workspace = workspace_of(
        {"signal": ([5.0, 4.0], [MU]), "bkg": ([20.0, 0.0], [normsys("norm", 1.1, 0.9)])},
        [22.0, 3.0],
    )
    model = compile_model(workspace)
    with pytest.raises(FitError, match=r"region sr, bin 1: nothing is predicted where .* are 3"):
        significance(Profile(model, model.observed))


def test_zero_observed_events_give_the_interval_in_closed_form():
    """−ln L rises by s for each unit of μ, so 2ΔlnL = 1 at 1/(2s); a bound is a result."""
    model = compile_model(zero_observed())
    profile = Profile(model, model.observed)
    low, high = interval(profile)
    assert (profile.mu_hat, low) == (0.0, 0.0)
    assert high == pytest.approx(1.0 / 6.0, abs=1e-5)
    assert profile.sigma == pytest.approx(1.0 / 6.0, abs=1e-9)
    assert profile.best.at_bound[model.poi]
    assert significance(profile) == (0.0, 0.5)
    # q̃_μ = 2sμ; Asimov data are the background fitted to no event at all
    limit = upper_limit(profile, 0.95).observed
    assert 0.5 < limit < 1.5


def test_limit_of_zero_observed_events_by_toys_is_exact():
    """CLs = P(0 | s + b)/P(0 | b) = exp(−μs), whatever the background."""
    model = compile_model(zero_observed())
    toys = toy_limit(Profile(model, model.observed), 0.95, 2000, np.random.default_rng(3))
    assert toys.limit.observed == pytest.approx(math.log(20.0) / 3.0, rel=0.03)


def test_zero_observed_events_without_a_bound_end_where_nothing_is_predicted():
    """−ln L = λ + θ²/2 with λ = sμ + b(1 + 0.15·θ) ≥ 0: the minimum is λ = 0 with θ = 0."""
    model = compile_model(zero_observed(bounds=(-10.0, 20.0)))
    best = fit(model, model.observed)
    norm, mu_hat = best.values[model.parameters.index("norm")], best.values[model.poi]
    assert (norm, mu_hat) == pytest.approx((0.0, -0.8 / 3.0), abs=1e-5)
    assert model.expected(best.values)[0] == pytest.approx(0.0, abs=1e-7)
    low, high = interval(Profile(model, model.observed, best))
    # below, the background has to grow by one σ; above, λ is free to rise
    assert low == pytest.approx(-0.8 * 1.15 / 3.0, abs=1e-3)
    assert mu_hat < high < mu_hat + 0.5


@pytest.mark.parametrize("extra", [[], ["--toys", "50"], ["--gof", "--toys", "20"]])
def test_command_takes_a_signal_strength_at_its_bound(extra, tmp_path, capsys):
    out = tmp_path / "out.json"
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(zero_observed()))
    options = ["--limit", "--impacts", "--scan", "mu", "--out", str(out), *extra]
    assert main(["fit", str(path), *options]) == 0
    printed = capsys.readouterr()
    assert "(at its bound)" in printed.out
    assert not printed.err
    result = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert result["interval"] == pytest.approx([0.0, 1.0 / 6.0], abs=1e-5)
    assert result["interval_at_bound"] == [True, False]
    assert result["breakdown"]["total"] == pytest.approx(1.0 / 6.0)


def test_toys_at_a_bound_have_finite_pulls(tmp_path, capsys):
    """pyhf's two uncorrelated bins with fewer events than background: pulls were -inf."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = pyhf.simplemodels.uncorrelated_background([5.0, 10.0], [50.0, 60.0], [7.0, 8.0])
        workspace = pyhf.Workspace.build(model, [55.0, 68.0, *model.config.auxdata])
    path, out = tmp_path / "workspace.json", tmp_path / "out.json"
    path.write_text(json.dumps(workspace))
    assert main(["fit", str(path), "--toys", "50", "--out", str(out)]) == 0
    toys = json.loads(out.read_text())["toys"]
    assert toys["n"] == 50
    assert min(toys["sigma"]) > 0.0
    assert abs(toys["pull_mean"]) < 1.0
    assert 0.3 < toys["pull_width"] < 1.5
    capsys.readouterr()


def test_a_signal_strength_beyond_its_upper_bound_is_named():
    workspace = zero_observed(bounds=(0.0, 1.0))
    workspace["observations"][0]["data"] = [30.0]
    model = compile_model(workspace)
    with pytest.raises(FitError, match=r"^mu = 1 \(bounds 0, 1\): the best fit lies beyond"):
        refuse_bounds(model, fit(model, model.observed))


@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_large_counts_are_fitted(factor):
    """3·10⁷ and 3·10⁹ events in a bin, against the solution of the linearised χ²."""
    workspace = large_counts(factor)
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    events = np.array(workspace["channels"][0]["samples"][1]["data"])
    signal = np.array(workspace["channels"][0]["samples"][0]["data"])
    tilt = np.array([0.01, 0.01 / 3.0, -0.01 / 3.0, -0.01])
    assert profile.mu_hat == pytest.approx(0.75, abs=0.1)
    # Fisher information at the minimum, normsys being exponential to first order
    derivatives = np.stack([signal, events * np.log(1.02 / 0.98) / 2.0, -events * tilt])
    information = derivatives / model.expected(profile.best.values) @ derivatives.T
    information += np.diag([0.0, 1.0, 1.0])
    assert profile.sigma == pytest.approx(np.sqrt(np.linalg.inv(information)[0, 0]), rel=5e-3)
    low, high = interval(profile)
    assert high - low == pytest.approx(2.0 * profile.sigma, rel=1e-2)
    assert goodness_of_fit(model, model.observed, profile.best).statistic < 5.0


@pytest.mark.parametrize("extra", [[], ["--asimov"]])
def test_command_takes_a_thousand_million_events_a_bin(extra, tmp_path, capsys):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(large_counts(100.0)))
    assert main(["fit", str(path), "--impacts", "--limit", "--gof", *extra]) == 0
    capsys.readouterr()


def test_rounding_does_not_grow_with_the_counts():
    """Terms of the likelihood vanish at the data: 10¹² events are as exact as ten."""
    model = compile_model(large_counts(1e5))
    data = model.asimov(model.nominal(1.0))
    assert model.evaluate(model.nominal(1.0), data)[0] == 0.0
    best = fit(model, data)
    assert best.nllr < 1e-10
    assert best.values == pytest.approx(model.nominal(1.0), abs=1e-5)


def test_two_equally_deep_minima_that_disagree_are_refused():
    """A shift of either sign explains the data, and each wants another signal strength."""
    workspace = workspace_of(
        {
            "signal": ([10.0, 0.0], [MU]),
            "bkg": ([100.0, 1000.0], [histosys("bent", [130.0, 1600.0], [70.0, 1600.0])]),
        },
        [120.0, 2200.0],
        (-50.0, 50.0),
    )
    model = compile_model(workspace)
    with pytest.raises(FitError, match="two minima are equally deep and disagree on mu"):
        fit(model, model.observed)
    one_sided = copy.deepcopy(workspace)
    one_sided["channels"][0]["samples"][1]["modifiers"][0]["data"]["lo_data"][1] = 1590.0
    deeper = compile_model(one_sided)
    best = fit(deeper, deeper.observed)
    assert best.values[deeper.parameters.index("bent")] == pytest.approx(2.0, abs=0.1)


def test_toys_of_less_than_nothing_are_refused_with_their_bin():
    model = compile_model(zero_observed(bounds=(-10.0, 20.0)))
    with pytest.raises(FitError, match=r"toys with mu = -0.3: region sr, bin 0 would expect -0.1"):
        pseudo_experiments(model, -0.3, 1, np.random.default_rng(1))


def several_regions_without_events():
    """Six empty bins in three regions; one variation has up and down on the same side."""
    same_side = [
        histosys("shape", [0.1872, 0.435], [0.1136, 0.3986]), normsys("shape", 0.9725, 0.868)
    ]  # fmt: skip
    regions = {
        "a": {
            "signal": ([0.1032, 0.2029, 0.2611], [MU, ("a", [0.01825, 0.03589, 0.04619])]),
            "bkg": (
                [0.5265, 0.506, 0.5344],
                [normsys("shape", 1.036, 1.023), ("a", [0.2524, 0.2426, 0.2562])],
            ),
        },
        "b": {"bkg": ([0.3197], [normsys("shape", 0.9587, 0.9841), ("b", [0.1205])])},
        "c": {"bkg": ([0.1516, 0.419], [*same_side, ("c", [0.06882, 0.1902])])},
    }
    workspace = workspace_of({}, [], (-30.0, 30.0))
    workspace["channels"], workspace["observations"] = [], []
    for region, samples in regions.items():
        listed = []
        for name, (data, modifiers) in samples.items():
            made = [
                item
                if isinstance(item, dict)
                else {"name": f"stat_{item[0]}", "type": "staterror", "data": item[1]}
                for item in modifiers
            ]
            listed.append({"name": name, "data": data, "modifiers": made})
        workspace["channels"].append({"name": region, "samples": listed})
        workspace["observations"].append({"name": region, "data": [0.0] * len(listed[0]["data"])})
    return workspace


def test_a_minimum_beyond_the_floor_of_an_empty_bin_is_not_missed():
    """The starts that led there ended a little below zero events, and were passed over."""
    workspace = several_regions_without_events()
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    values, nllr = profile.conditional(-2.15)
    oracle = Oracle(workspace)
    place = [model.parameters.names.index(name) for name in oracle.names]
    other = values[place].copy()
    other[oracle.alphas] *= -1.0
    deepest = oracle.minimise(mu=-2.15, starts=[np.array(oracle.start), values[place], other])
    constants = float(model.saturated_nll(model.observed[None])[0])
    assert nllr == pytest.approx(deepest - constants, abs=1e-4)
    assert profile.rise(-2.15) == pytest.approx(2.0401, abs=1e-3)
    low, _ = interval(profile)
    assert low == pytest.approx(-2.1174, abs=2e-3)  # -2.098 by the other minimum


def test_a_background_of_free_size_in_an_empty_bin_is_held_with_the_signal():
    """One of the two could grow as the other falls; both are at zero, and neither can fall."""
    workspace = workspace_of(
        {
            "signal": ([3.0], [MU]),
            "bkg": ([0.8], [{"name": "size", "type": "normfactor", "data": None}]),
        },
        [0.0],
        (0.0, 10.0),
    )
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    assert profile.best.values == pytest.approx([0.0, 0.0], abs=1e-9)
    assert profile.sigma == pytest.approx(1.0 / 6.0, abs=1e-9)
    assert interval(profile) == pytest.approx((0.0, 1.0 / 6.0), abs=1e-5)
    # Asimov data have no events, so q = q_A = 2sμ, and CLs = Φ(−√q)/Φ(0) = 0.05 at √q = 1.95996
    assert upper_limit(profile, 0.95).observed == pytest.approx(1.95996**2 / 6.0, abs=1e-4)
    # without the bound on the signal nothing tells them apart
    workspace["measurements"][0]["config"]["parameters"][0]["bounds"] = [[-10.0, 10.0]]
    free = compile_model(workspace)
    with pytest.raises(FitError, match="no minimum found"):
        fit(free, free.observed)


def test_asimov_data_have_no_events_where_only_rounding_is_predicted():
    """A size of 10⁻²⁵ fitted to an empty control region made data that nothing can explain."""
    workspace = workspace_of({"signal": ([3.0], [MU])}, [0.0])
    size = {"name": "size", "type": "normfactor", "data": None}
    workspace["channels"][0]["samples"].append({"name": "bkg", "data": [0.8], "modifiers": [size]})
    control = {"name": "bkg", "data": [20.0], "modifiers": [size]}
    workspace["channels"].append({"name": "cr", "samples": [control]})
    workspace["observations"].append({"name": "cr", "data": [0.0]})
    model = compile_model(workspace)
    data = model.asimov(np.array([0.0, 2.4e-25])[[model.poi, 1 - model.poi]])
    assert data.tolist() == [0.0, 0.0]
    limit = upper_limit(Profile(model, model.observed), 0.95).observed
    assert limit == pytest.approx(1.95996**2 / 6.0, abs=1e-4)


def bent_a_little(observed):
    """Up and down are 0.1 Poisson errors above the nominal background, in one bin."""
    return workspace_of(
        {
            "signal": ([0.0, 100.0], [MU]),
            "bkg": ([10000.0, 10000.0], [histosys("bent", [10010.0, 1e4], [10010.0, 1e4])]),
        },
        observed,
    )


@pytest.mark.parametrize(("events", "starts"), [(10010.0, 1), (9700.0, 1), (10300.0, 4)])
def test_further_starts_follow_the_residuals_of_a_variation_bent_a_little(
    events, starts, monkeypatch
):
    """Only data above the background gain by moving it, to either side: two minima from 3σ on."""
    model = compile_model(bent_a_little([events, 10050.0]))
    assert (len(model.shape.bent), model.shape.strongly) == (1, 0)
    rows = []

    def counted(model, data, start, held, **options):
        rows.append(len(start))
        return descend_many(model, data, start, held, **options)

    monkeypatch.setattr(minima, "descend_many", counted)
    best = fit(model, model.observed)
    assert max(rows) == starts
    assert best.values[model.poi] == pytest.approx(0.5, abs=1e-6)
    # −ln L has the curvature 1 + (1 − n/λ)·d²λ/dα² there, with d²λ/dα² = 15/8·20
    pull = abs(best.values[model.parameters.index("bent")])
    assert (pull > 0.1) == (1.0 + (1.0 - events / 1e4) * 15.0 / 8.0 * 20.0 < 0.0)


@pytest.mark.parametrize(
    "option", [["--limit"], ["--impacts"], ["--compatibility"], ["--toys", "5"]]
)
def test_what_a_background_fit_cannot_give_is_refused_not_left_out(option, tmp_path, capsys):
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(zero_observed()))
    assert main(["fit", str(path), "--mode", "background", *option]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"taipan: error: {option[0]}: ")
    assert printed.err.count("\n") == 1
    assert "--mode background" in printed.err
    assert not printed.out


def test_a_limit_is_given_where_only_the_outer_band_does_not_exist(tmp_path, capsys):
    """γ of 0.28 ± scales the signal, too: √(2ΔlnL) never exceeds 1/0.28 = 3.57, however large μ.

    The expected limit at +2σ needs √(2ΔlnL) = Φ⁻¹(1 - 0.05·Φ(2)) + 2 = 3.66.
    """
    workspace = workspace_of(
        {
            "signal": ([20.0], [MU, staterror([5.6])]),
            "bkg": ([180.0], [staterror([55.7])]),
        },
        [180.0],  # as expected without signal, so the limit is the median one
        (0.0, 50.0),
    )
    path, out = tmp_path / "workspace.json", tmp_path / "out.json"
    path.write_text(json.dumps(workspace))
    assert main(["fit", str(path), "--limit", "--out", str(out)]) == 0
    limit = json.loads(out.read_text(), parse_constant=pytest.fail)["limit"]
    assert limit["band"][-1] is None
    assert sorted(limit["band"][:4]) == limit["band"][:4]
    assert limit["observed"] == pytest.approx(limit["band"][2], rel=1e-3)
    assert "expected" in capsys.readouterr().out


def test_limit_of_a_signal_that_is_most_of_the_sample(monkeypatch):
    """Without signal μ = 1 is 300 standard deviations away: no fit is asked for there.

    The starts of such fits ended at different minima, which ended the run.
    """

    def fit_nearby(model, data, **options):
        without_signal = data[: model.n_bins].sum() < 0.5 * model.observed[: model.n_bins].sum()
        if without_signal and any(mu > 0.5 for mu in options["fixed"].values()):
            raise FitError("the starts disagree")
        return minima.find_minimum(model, data, **options)

    monkeypatch.setattr("taipan.inference.profile.find_minimum", fit_nearby)
    shape = np.exp(-0.5 * ((np.arange(20) - 9.5) / 3.0) ** 2)
    signal, background = 9000.0 * shape, np.full(20, 30.0)
    up = signal * (1.0 + 0.01 * np.linspace(-1.0, 1.0, 20))

    def rate(name, size):
        data = {"hi": 1.0 + size, "lo": 1.0 - size}
        return {"name": name, "type": "normsys", "data": data}

    tilt = {"hi_data": up.tolist(), "lo_data": (2.0 * signal - up).tolist()}
    workspace = workspace_of(
        {
            "Z": (
                signal.tolist(),
                [
                    {"name": "mu", "type": "normfactor", "data": None},
                    rate("luminosity", 0.012),
                    rate("identification", 0.01),
                    {"name": "scale", "type": "histosys", "data": tilt},
                    {"name": "s", "type": "staterror", "data": (0.01 * signal).tolist()},
                ],
            ),
            "other": (
                background.tolist(),
                [
                    rate("luminosity", 0.012),
                    {"name": "b", "type": "staterror", "data": (0.2 * background).tolist()},
                ],
            ),
        },
        np.round(signal + background).tolist(),
    )
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    limit = upper_limit(profile, 0.95)
    # CLs is CLs+b there: the limit lies where √q is that of 5 % in one tail
    assert profile.root_rise(limit.observed, profile.mu_hat) == pytest.approx(1.64485, abs=1e-3)
    assert 1.01 < limit.observed < 1.06
    assert limit.band[2] < 0.01


@pytest.mark.parametrize(
    ("limit", "comes_to_rest"),
    [(-2.0, True), (-0.1, True), (0.001, False), (0.5, False), (3.0, False)],
)
def test_a_function_that_crosses_zero_later_is_not_taken_to_level_off(limit, comes_to_rest):
    """Values c - a/μ at signal strengths half as large again cross zero if c is positive."""
    strengths = 1.5 ** np.arange(40)
    values = list(limit - 7.0 / strengths)
    crossing = int(np.argmax(np.array(values) > 0.0)) or len(values)
    found = [n for n in range(2, crossing + 1) if _levels_off(values[:n])]
    assert bool(found) is comes_to_rest
    assert not _levels_off(list(-3.0 + 0.01 * strengths[:11]))  # as far from a plateau


def test_a_plateau_of_the_expected_limit_is_seen_after_few_fits(monkeypatch):
    """A signal known to 80 % of its size is never excluded, however large; forty steps
    said so of each part of the band."""
    fits = []

    def count(model, data, **options):
        fits.append(options["fixed"])
        return minima.find_minimum(model, data, **options)

    poi = {"name": "mu", "type": "normfactor", "data": None}
    signal = ([5.0], [poi, histosys("size", [9.0], [1.0])])
    model = compile_model(workspace_of({"s": signal, "b": ([50.0], [])}, [50.0]))
    monkeypatch.setattr("taipan.inference.profile.find_minimum", count)
    with pytest.raises(FitError, match="too flat"):
        upper_limit(Profile(model, model.observed), 0.95)
    assert len(fits) < 40


def test_a_signal_far_too_large_is_pulled_to_nothing_if_that_is_cheaper():
    """Asimov data of a limit: 1.5 events, a statistical factor measured at 2.7, and 100 predicted.

    The deepest minimum is where a variation of 25 % a standard deviation takes the signal away, at
    -3.9 of them; the nearer one, with the factor at its bound, is 11 above it in -ln L.
    """
    own = [*shape([14.35], [8.74], 0.97, 0.99), staterror([5.384])]
    both = [histosys("shape", [0.51], [0.52]), staterror([0.166])]
    workspace = workspace_of(
        {"signal": ([11.7], [MU, *own]), "background": ([0.57], both)}, [25.0], (0.0, 50.0)
    )
    model = compile_model(workspace)
    null = Profile(model, model.observed).conditional(0.0)[0]
    asimov = model.asimov(null)
    found = Profile(model, asimov).conditional(8.0)
    oracle = Oracle(workspace)
    place = [model.parameters.names.index(name) for name in oracle.names]
    centre = np.array(oracle.start)
    for index, value in zip(model.auxiliary, asimov[model.n_bins :], strict=True):
        centre[place.index(index)] = value
    starts = []
    for pull in (-4.0, -2.0, 0.0, 2.0, 4.0):
        starts.append(np.array(oracle.start))
        starts[-1][oracle.alphas] = pull
    lowest = oracle.minimise(mu=8.0, counts=asimov[: model.n_bins], centre=centre, starts=starts)
    saturated = float(model.saturated_nll(asimov[None])[0])
    assert found[1] + saturated == pytest.approx(lowest, abs=1e-4)
    assert found[0][model.parameters.names.index("shape")] == pytest.approx(-3.9, abs=0.1)


def test_no_event_is_no_excess_whatever_the_rounding_of_a_signal_of_zero():
    """Both bins are empty: −ln L rises with μ, and a template below zero holds μ̂ at 10⁻⁷."""
    workspace = workspace_of(
        {
            "signal": (
                [1.35, 1.35],
                [MU, histosys("a", [1.55, 1.23], [1.2, 1.46]), normsys("b", 1.08, 0.94)],
            ),
            "background": (
                [0.13, 0.0],
                [histosys("a", [0.137, -0.0034], [0.138, -0.0034]), normsys("b", 1.1, 0.86)],
            ),
        },
        [0.0, 0.0],
    )
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    assert abs(profile.mu_hat) < 1e-6
    assert significance(profile) == (0.0, 0.5)
