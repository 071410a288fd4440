"""Yields that are polynomials of parameters: read, divided into samples, fitted."""

from __future__ import annotations

import numpy as np
import pyhf
import pytest

from taipan.config.polynomials import Expressions
from taipan.config.sections.fit import Fit, find_unscaled
from taipan.errors import TaipanError
from taipan.inference import compile_model, fit, run_inference
from taipan.likelihood import LikelihoodError, build_workspace
from taipan.likelihood.polynomial_parts import divide_sample, make_tie
from tests.synthetic_templates import TRANSFER, make_config, make_histogram, settings
from tests.toy_configuration import check, problems

BOUNDS = (-5.0, 5.0)


def read(text, names=("c", "d"), **expressions):
    return Expressions(expressions, names, "fit.expressions").resolve(text, "fit.scale.s")


def make_workspace(text, signal, background, observed, *, errors=None, start=1.0, bounds=BOUNDS):
    """One region with one signal scaled by a polynomial of c, and a background."""
    scale = read(text, ("c",))
    modifiers = [] if errors is None else [{"name": "g", "type": "staterror", "data": errors}]
    rate = {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    shape = {"hi_data": [1.2 * n for n in signal], "lo_data": [0.8 * n for n in signal]}
    tilt = {"name": "tilt", "type": "histosys", "data": shape}
    parts = divide_sample({"name": "s", "data": signal, "modifiers": modifiers}, scale)
    if errors is None:
        full = {"name": "s", "data": signal, "modifiers": [rate, tilt]}
        parts = divide_sample(full, scale)
    tie, tied = make_tie("c", bounds)
    squares = any(power > 1 for monomial in scale.terms for _, power in monomial)
    names = ["c", "c_again"] if squares else ["c"]
    flat = {"name": "b", "data": background, "modifiers": []}
    return {
        "channels": [{"name": "r", "samples": [*parts, flat]}, *([tie] if squares else [])],
        "observations": [{"name": "r", "data": observed}, *([tied] if squares else [])],
        "measurements": [
            {
                "name": "m",
                "config": {
                    "poi": "c",
                    "parameters": [
                        {"name": name, "bounds": [list(bounds)], "inits": [start]} for name in names
                    ],
                },
            }
        ],
        "version": "1.0.0",
    }


def test_expressions_are_multiplied_out():
    found = read("2*(c + d)**2 - c*d/4 + 1")
    assert found.terms == {(("c", 2),): 2.0, (("c", 1), ("d", 1)): 3.75, (("d", 2),): 2.0, (): 1.0}
    assert found.evaluate({"c": 2.0, "d": 3.0}) == 2 * 25 - 1.5 + 1
    assert found.slope("c", {"c": 2.0, "d": 3.0}) == 4 * 5 - 0.75


def test_expressions_use_each_other():
    assert read("mu*d", mu="width*c", width="1 + c").terms == {
        (("c", 1), ("d", 1)): 1.0,
        (("c", 2), ("d", 1)): 1.0,
    }


@pytest.mark.parametrize(
    ("text", "expressions", "message"),
    [
        ("kapa*d", {}, r"fit.scale.s: 'kapa' is not a parameter of interest or an expression"),
        ("dd", {}, r"did you mean 'd'\? \(c, d\)"),
        ("x", {"x": "y", "y": "c + x"}, r"fit.expressions.x: x → y → x: an expression uses itself"),
        ("x", {"x": "x + 1"}, "fit.expressions.x: x → x: an expression uses itself"),
        ("sqrt(c)", {}, r"'sqrt\(c\)': HistFactory cannot hold it; a yield is a sum of products"),
        ("c**3", {}, r"'c \*\* 3': HistFactory cannot hold it"),
        ("c*c*c", {}, r"'c' to the power 3: at most 2 is held"),
        ("1/c", {}, "'1 / c': HistFactory cannot divide by c"),
        ("c/0", {}, "HistFactory cannot divide by zero"),
        ("c < 1", {}, "'c < 1': HistFactory cannot hold it"),
        ("True*c", {}, "'True': HistFactory cannot hold it"),
        ("c -", {}, "'c -' cannot be read: invalid syntax"),
        ("c - c", {}, "'c - c' is zero, whatever the parameters are"),
        ("((1+c)*(1+d)*(1+e)*(1+f)*(1+g)*(1+h))**2", {}, "more than 64 terms"),
    ],
)
def test_expressions_that_cannot_be_held(text, expressions, message):
    names = ("c", "d", "e", "f", "g", "h") if "64" in message else ("c", "d")
    with pytest.raises(TaipanError, match=message):
        read(text, names, **expressions)


@pytest.mark.parametrize("text", ["c", "c**2", "1 + 0.3*c + 0.1*c**2", "c**2 - 0.5*c", "2 - c"])
def test_yields_and_their_derivatives_are_those_of_the_polynomial(text):
    signal = np.array([10.0, 20.0])
    workspace = make_workspace(text, signal.tolist(), [100.0, 50.0], [110.0, 70.0])
    model = compile_model(workspace)
    scale = read(text, ("c",))
    c = model.parameters.index("c")
    alphas = [model.parameters.index(name) for name in ("rate", "tilt")]
    for value in (-1.3, 0.0, 0.7, 2.5):
        values = model.parameters.initial.copy()
        values[c] = value
        expected = np.array([100.0, 50.0]) + scale.evaluate({"c": value}) * signal
        np.testing.assert_allclose(model.expected(values)[:2], expected, rtol=1e-12)
        _, gradient, hessian = model.evaluate(values, model.observed)
        numbers = np.array([110.0, 70.0])
        slope = scale.slope("c", {"c": value}) * signal
        bend = 2.0 * scale.terms.get((("c", 2),), 0.0) * signal
        assert gradient[c] == pytest.approx(((1 - numbers / expected) * slope).sum())
        assert hessian[c, c] == pytest.approx(
            ((1 - numbers / expected) * bend + numbers / expected**2 * slope**2).sum()
        )
        values[alphas] = 1.0  # +1σ of both: each term of the polynomial follows
        moved = np.array([100.0, 50.0]) + scale.evaluate({"c": value}) * 1.1 * 1.2 * signal
        np.testing.assert_allclose(model.expected(values)[:2], moved, rtol=1e-12)


def test_square_is_found_where_it_is_by_hand():
    """n = b + s·κ²: κ̂ = √((n − b)/s), σ = √n/(2·s·κ̂), and the interval is that of n."""
    workspace = make_workspace("c**2", [40.0], [60.0], [160.0], errors=[1e-9], bounds=(0.0, 5.0))
    model = compile_model(workspace)
    best = fit(model, model.observed)
    kappa = np.sqrt(100.0 / 40.0)
    assert best.values[model.poi] == pytest.approx(kappa, rel=1e-8)
    assert best.sigma[model.poi] == pytest.approx(np.sqrt(160.0) / (2 * 40.0 * kappa), rel=1e-6)
    record = {
        "observable": "x",
        "blinded": False,
        "regions": {"r": {"edges_after": [0.0, 1.0]}},
        "auxiliary": ["tie_c"],
        "parts": {"s_times_c2": "s", "tie": "", "tie_plus_c": "", "tie_minus_c": ""},
    }
    found = run_inference(workspace, record)["observed"]
    for end, sign in zip(found["interval"], (-1, 1), strict=True):
        n = 60.0 + 40.0 * end**2  # 2ΔlnL = 1 of a Poisson count of 160
        assert 2 * (n - 160.0 + 160.0 * np.log(160.0 / n)) == pytest.approx(1.0, abs=1e-4)
        assert np.sign(end - kappa) == sign
    # one bin, one parameter: neither the bin that ties nor the copy counts
    assert found["goodness"]["degrees"] == 0
    assert [item["name"] for item in found["parameters"]] == ["c", "g[0]"]
    assert list(found["postfit"]) == ["r"]
    assert list(found["postfit"]["r"]["samples"]) == ["b", "s"]
    assert found["postfit"]["r"]["samples"]["s"] == pytest.approx([100.0])


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_other_tools_fit_the_same_square():
    """pyhf knows nothing of copies: its own fit finds both equal, and at the same place."""
    workspace = make_workspace(
        "1 + 0.4*c + 0.2*c**2", [40.0, 10.0], [60.0, 30.0], [125.0, 44.0], errors=[2.0, 1.0]
    )
    model = compile_model(workspace)
    best = fit(model, model.observed)
    opened = pyhf.Workspace(workspace)
    theirs = opened.model()
    places = [theirs.config.par_names.index(name) for name in ("c", "c_again")]
    start = best.values.copy()
    start[places] = best.values[model.poi] + 0.2
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3, strategy=1))
    try:
        values, twice = pyhf.infer.mle.fit(
            opened.data(theirs), theirs, start.tolist(), return_fitted_val=True
        )
    finally:
        pyhf.set_backend("numpy")
    c, again = (values[place] for place in places)
    assert c == pytest.approx(again, abs=1e-3)
    assert c == pytest.approx(best.values[model.poi], abs=1e-3)
    assert twice == pytest.approx(2.0 * best.nll, abs=1e-5)


@pytest.mark.parametrize("text", ["c**2", "1 + 0.3*c + 0.1*c**2", "2 - 0.5*c"])
def test_statistical_uncertainty_is_that_of_the_sample(text):
    workspace = make_workspace(text, [100.0, 50.0], [10.0, 10.0], [110.0, 60.0], errors=[5.0, 4.0])
    model = compile_model(workspace)
    widths = [model.parameters.sigma[model.parameters.index(f"g[{i}]")] for i in (0, 1)]
    assert widths == pytest.approx([5.0 / 100.0, 4.0 / 50.0])


def test_statistics_that_no_factor_can_hold():
    workspace = make_workspace("c - 1 + 0*c", [100.0], [10.0], [60.0], errors=[5.0], start=2.0)
    with pytest.raises(Exception, match="staterror 'g' of .* has the uncertainty"):
        compile_model(workspace)


KAPPA = {
    "parameters_of_interest": {
        "kappa_F": {"range": [0.0, 9.0]},
        "kappa_V": {"range": [0.0, 9.0]},
    },
    "scale": {"ggH": "kappa_F**2", "qqH": "both"},
    "expressions": {"both": "kappa_V*kappa_F"},
}


def build(fit_settings, **changes):
    config = make_config(fit={**settings()["fit"], **fit_settings}, **changes)
    return build_workspace(make_histogram(), config, "nn_score", TRANSFER)


def test_signals_follow_their_expressions():
    workspace, record = build(KAPPA)
    model = compile_model(workspace)
    plain, _ = build({"parameters_of_interest": {"a": ["ggH"], "b": ["qqH"]}})
    other = compile_model(plain)
    values, known = model.parameters.initial.copy(), other.parameters.initial.copy()
    values[[model.parameters.index(name) for name in ("kappa_F", "kappa_V")]] = 1.7, 0.6
    known[[other.parameters.index(name) for name in ("a", "b")]] = 1.7**2, 1.7 * 0.6
    for region, bins in other.regions.items():
        found, wanted = model.expected(values)[model.regions[region]], other.expected(known)[bins]
        np.testing.assert_allclose(found, wanted, rtol=1e-10)
    pois = [item["config"]["poi"] for item in workspace["measurements"]]
    assert pois == ["kappa_F", "kappa_V"]
    assert record["auxiliary"] == ["tie_kappa_F"]
    assert record["parts"]["ggH_times_kappa_F2"] == "ggH"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": {"ggH": "kappa_F*kappa_V"}}, "none scales the signal 'qqH'"),
        ({"scale": {"ggH": "kappa_F", "qqH": "kappa_X"}}, "fit.scale.qqH: 'kappa_X' is not a"),
        (
            {"scale": {"ggH": "kappa_F", "qqH": "kappa_V", "QCD": "kappa_V"}},
            "fit.scale.QCD: 'QCD' is not a simulated sample",
        ),
        ({"expressions": {"both": "a", "a": "both"}}, "both → a → both: an expression uses itself"),
        (
            {"expressions": {"both": "kappa_V", "kappa_V": "2"}},
            "'kappa_V' is a parameter of interest already",
        ),
        (
            {"parameters_of_interest": {"kappa_F": {}, "kappa_V": {}, "x": {}}},
            "fit.parameters_of_interest.x: scales nothing",
        ),
        (
            {"parameters_of_interest": {"kappa_F": {"range": [-3.0, 9.0]}, "kappa_V": {}},
             "scale": {"ggH": "kappa_F**2", "qqH": "kappa_V"}},
            "only the square of 'kappa_F' is in the model, which does not know its sign",
        ),
        (
            {"parameters_of_interest": {"kappa_F": {"range": [0.0, 9.0], "prediction": 0.0},
                                        "kappa_V": {}},
             "scale": {"ggH": "kappa_F**2", "qqH": "kappa_V"}},
            "kappa_F.prediction: 0: no yield changes with a small change of 'kappa_F'",
        ),
        (
            {"parameters_of_interest": {"kappa_F": {"range": [2.0, 9.0]}, "kappa_V": {}}},
            r"kappa_F.range: \[2, 9\] must increase and contain the predicted kappa_F, 1",
        ),
        (
            {"parameters_of_interest": {"kappa_F": {}, "kappa_F_again": ["qqH"]},
             "scale": {"ggH": "kappa_F"}, "expressions": {}},
            "the name 'kappa_F_again' stands for the square of 'kappa_F'",
        ),
    ],
)  # fmt: skip
def test_parameters_and_expressions_that_do_not_match(change, message):
    with pytest.raises(LikelihoodError, match=message):
        build({**KAPPA, **change})


@pytest.mark.parametrize("keys", [{"scale": {"S": "mu**2"}}, {"prediction": 0.5}])
def test_bins_are_chosen_for_factors_of_one(keys):
    prediction = {"prediction": keys.get("prediction", 1.0), "range": [0.0, 5.0]}
    own = {} if "scale" in keys else {"samples": ["S"]}
    fit_keys = {"parameters_of_interest": {"mu": {**own, **prediction}}}
    fit_keys |= {"scale": keys["scale"]} if "scale" in keys else {}
    found = problems({"fit": fit_keys, "templates": {"binning": {"method": "merge"}}})
    assert any(
        line.startswith("templates.binning.method: 'merge' chooses bins for") for line in found
    )
    check({"fit": fit_keys})


def test_expression_without_parameters_of_interest():
    (line,) = find_unscaled(Fit.model_validate({"scale": {"s": "mu"}}), ["s"])
    assert line == "fit.scale: needs fit.parameters_of_interest, which names the parameters"


def test_expected_result_is_for_the_predicted_values():
    """A coefficient of new physics is expected to be 0, and the yields are those of the rest."""
    several = {"c": {"prediction": 0.0, "range": [-4.0, 4.0]}}
    blinded = {"parameters_of_interest": several, "unblind": False}
    workspace, _ = build({**blinded, "scale": {"ggH": "1 + 0.9*c + 0.4*c**2", "qqH": "1"}})
    nominal, _ = build({"unblind": False})
    here, there = (item["observations"][0]["data"] for item in (workspace, nominal))
    assert here == pytest.approx(there)
    doubled, _ = build({**blinded, "scale": {"ggH": "2 + c", "qqH": "1"}})
    signal = next(item for item in nominal["channels"][0]["samples"] if item["name"] == "ggH")
    more = np.array(there) + np.array(signal["data"])
    assert doubled["observations"][0]["data"] == pytest.approx(more)
    # by hand: s·(1 + c) + b with one count; σ(c) at 0 is √n/s
    small = make_workspace("1 + c", [40.0], [60.0], [90.0], errors=[1e-9], start=0.0)
    record = {
        "observable": "x",
        "blinded": True,
        "regions": {"r": {"edges_after": [0.0, 1.0]}},
        "interests": {"c": {"prediction": 0.0, "size": 1.0, "unit": "", "source": ""}},
    }
    found = run_inference(small, record)["expected"]
    assert found["mu_hat"] == pytest.approx(0.0, abs=1e-6)
    assert found["sigma"] == pytest.approx(10.0 / 40.0, rel=1e-6)
    assert found["prefit"]["r"]["total"] == pytest.approx([100.0])
