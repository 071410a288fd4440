"""Likelihood unfolding: truth bins as parameters, the penalty on curvature, two tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from taipan.checks.unfolding import check_unfolding
from taipan.columns.expressions import parse_expression, provably_disjoint
from taipan.config.load import merge
from taipan.config.model import Config
from taipan.config.truth_bins import expand_truth_bins
from taipan.inference import compile_model, fit
from taipan.inference.unfolding import describe_spectrum
from taipan.likelihood.curvature_penalty import make_curvature_region
from taipan.plotting.spectra import spectrum_figure, spectrum_numbers
from tests.toy_configuration import ANALYSIS, CONTENT

TWO = np.array([[80.0, 15.0], [10.0, 60.0]])
"""Events counted in each bin (row) of each truth bin (column), where its strength is 1."""
FOUR = np.array(
    [
        [60.0, 25.0, 5.0, 0.0],
        [25.0, 70.0, 28.0, 4.0],
        [6.0, 30.0, 65.0, 25.0],
        [0.0, 5.0, 24.0, 55.0],
    ]
)


def make_workspace(response, counts, background, curvature=None):
    strengths = [f"mu_{i}" for i in range(response.shape[1])]
    samples = [{"name": "b", "data": [float(background)] * len(response), "modifiers": []}]
    samples += [
        {
            "name": f"s{i}",
            "data": response[:, i].tolist(),
            "modifiers": [{"name": name, "type": "normfactor", "data": None}],
        }
        for i, name in enumerate(strengths)
    ]
    channels = [{"name": "r", "samples": samples}]
    observations = [{"name": "r", "data": [float(count) for count in counts]}]
    if curvature is not None:
        channel, observation = make_curvature_region("s", strengths, curvature)
        channels.append(channel)
        observations.append(observation)
    parameters = [{"name": name, "bounds": [[-10.0, 10.0]], "inits": [1.0]} for name in strengths]
    return {
        "channels": channels,
        "observations": observations,
        "measurements": [
            {"name": name, "config": {"poi": name, "parameters": parameters}} for name in strengths
        ],
        "version": "1.0.0",
    }


def unfold(workspace, predicted=None, data=None):
    model = compile_model(workspace)
    numbers = model.observed if data is None else data(model)
    best = fit(model, numbers)
    strengths = [item["name"] for item in workspace["measurements"]]
    return describe_spectrum(model, numbers, best, strengths, predicted)


def test_spectrum_is_that_of_the_inverse_response():
    """As many bins as truth bins: R⁻¹·(n - b), with the covariance R⁻¹·diag(n)·R⁻ᵀ of counts."""
    counts, inverse = np.array([130.0, 95.0]), np.linalg.inv(TWO)
    found = unfold(make_workspace(TWO, counts, 20.0))
    assert found["values"] == pytest.approx(inverse @ (counts - 20.0), rel=1e-7)
    covariance = inverse @ np.diag(counts) @ inverse.T
    np.testing.assert_allclose(found["covariance"], covariance, rtol=1e-6)
    assert found["sigma"] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)
    scaled = unfold(make_workspace(TWO, counts, 20.0), predicted=[30.0, 4.0])
    assert scaled["values"] == pytest.approx(found["values"] * np.array([30.0, 4.0]))
    expected = covariance * np.outer([30.0, 4.0], [30.0, 4.0])
    np.testing.assert_allclose(scaled["covariance"], expected, rtol=1e-6)


@pytest.mark.parametrize("curvature", [None, 0.1])
def test_unfolding_of_the_simulation_gives_its_truth(curvature):
    workspace = make_workspace(FOUR, [1.0] * 4, 10.0, curvature)
    for truth in (np.ones(4), np.array([0.7, 0.9, 1.1, 1.3])):  # on a line: no curvature
        found = unfold(workspace, data=lambda model, t=truth: model.asimov(t))
        assert found["values"] == pytest.approx(truth, abs=1e-6)


def test_penalty_is_the_square_of_the_second_differences():
    """−ln L of the counts plus ½·Σ(second difference/size)², minimised without this package."""
    counts, size = np.array([130.0, 120.0, 190.0, 70.0]), 0.2
    found = unfold(make_workspace(FOUR, counts, 10.0, size))
    free = unfold(make_workspace(FOUR, counts, 10.0))

    def loss(strengths):
        rates = FOUR @ strengths + 10.0
        return (rates - counts * np.log(rates)).sum() + 0.5 * (
            (np.diff(strengths, 2) / size) ** 2
        ).sum()

    best = minimize(loss, np.ones(4), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12,
                    "maxiter": 20_000, "maxfev": 20_000}).x  # fmt: skip
    assert found["values"] == pytest.approx(best, abs=2e-4)
    bend, bent = (np.abs(np.diff(item["values"], 2)).sum() for item in (found, free))
    assert bend < 0.5 * bent
    # Hessian by hand: Σ R·R·n/λ² + Dᵀ·D/size²
    rates = FOUR @ best + 10.0
    differences = np.diff(np.eye(4), 2, axis=0)
    hessian = FOUR.T @ np.diag(counts / rates**2) @ FOUR + differences.T @ differences / size**2
    np.testing.assert_allclose(found["covariance"], np.linalg.inv(hessian), rtol=2e-3, atol=1e-6)


def test_unfolding_adds_no_information():
    counts = np.array([140.0, 125.0, 180.0, 70.0])
    test = unfold(make_workspace(FOUR, counts, 10.0))["bottom_line"]
    rates = FOUR.sum(axis=1) + 10.0
    counted = 2.0 * (rates - counts + counts * np.log(counts / rates)).sum()
    assert test["counted"]["chi2"] == pytest.approx(counted)
    assert test["counted"]["degrees"] == test["unfolded"]["degrees"] == 4
    # as many bins as truth bins: the same but for the shape of −ln L
    assert test["unfolded"]["chi2"] == pytest.approx(counted, rel=0.1)
    assert test["passed"] == (test["unfolded"]["chi2"] <= 1.05 * counted + 0.05)


def test_penalty_narrows_a_spectrum():
    """A peak that is drawn to a line has a smaller uncertainty than the counts give it."""
    counts = FOUR @ np.array([1.0, 1.0, 1.0, 1.0]) + 10.0
    mild = unfold(make_workspace(FOUR, counts, 10.0, 1.0))
    assert mild["bottom_line"]["passed"]
    peak = FOUR @ np.array([1.0, 1.25, 0.75, 1.0]) + 10.0
    free, strong = (unfold(make_workspace(FOUR, peak, 10.0, size)) for size in (None, 0.01))
    assert free["bottom_line"]["passed"]
    assert strong["sigma"][1] < 0.5 * free["sigma"][1]


def unfolded(**keys):
    wanted = {"quantity": "z_true", "edges": [0, 10, 20], **keys}
    fit_keys = {"unfolding": {"ZTT": wanted}, "parameters_of_interest": {"mu": ["S"]}}
    rate = {"kind": "rate", "size": 0.1, "samples": ["ZTT", "ZLL"]}
    return expand_truth_bins(merge(CONTENT, {"fit": fit_keys, "systematics": {"lumi": rate}}))


def test_a_sample_is_divided_everywhere():
    content = unfolded()
    config = Config.model_validate(content)
    names = ["ZTT_bin0", "ZTT_bin1", "ZTT_outside"]
    assert list(config.samples) == ["S", "QCD", "ZLL", *names]
    assert config.samples["ZTT_bin1"].role == "signal"
    assert config.samples["ZTT_outside"].role == "background"
    assert config.systematics["lumi"].samples == [*names, "ZLL"]
    assert config.fit.pois == ["mu", "mu_ZTT_bin0", "mu_ZTT_bin1"]
    assert config.fit.drawn_in_pairs == ["mu"]
    assert expand_truth_bins(content) == content  # what was written down can be read again
    before = "(gen_match == 1) and "
    assert config.samples["ZTT_bin1"].select == f"{before}z_true >= 10 and z_true < 20"


def test_parts_are_told_apart_in_a_stack():
    """All had the colour of the sample, and their labels had no unit."""
    content = merge(CONTENT, {"samples": {"ZTT": {"colour": "#204060"}}})
    truth = {"quantity": "z_true", "edges": [0, 10, 20], "unit": "GeV"}
    samples = expand_truth_bins(merge(content, {"fit": {"unfolding": {"ZTT": truth}}}))["samples"]
    assert samples["ZTT_bin1"]["label"].endswith(", 10 to 20 GeV")
    colours = [samples[f"ZTT_{part}"]["colour"] for part in ("bin0", "bin1", "outside")]
    assert colours == ["#204060", "#7488 9c".replace(" ", ""), "#c7cfd7"]


def test_each_event_is_in_one_part():
    config = Config.model_validate(unfolded())
    events = {"gen_match": np.ones(6), "z_true": np.array([-1.0, 0.0, 9.9, 10.0, 20.0, np.nan])}
    cuts = [parse_expression(s.select or "") for n, s in config.samples.items() if "ZTT" in n]
    taken = np.array([cut.evaluate(events) for cut in cuts])
    assert taken.tolist() == [
        [False, True, True, False, False, False],
        [False, False, False, True, False, False],
        [True, False, False, False, True, True],
    ]
    assert all(provably_disjoint(cuts[i], cuts[j]) for i in range(3) for j in range(3) if i != j)


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        ("a > 1 and b < 2", "not (a > 0 and b < 3)", True),
        ("a > 1 and a < 2", "not (a > 1 and a < 2)", True),
        ("a >= 1 and a < 2", "not (a > 1 and a < 2)", False),
        ("a > 1 and a <= 2", "not (a > 1 and a < 2)", False),
        ("a > 1 and a < 9", "not (a > 2 and a < 9)", False),
        ("a > 1", "not (a > 0 and b > 0)", False),
        ("a > 1 and b > 3", "c > 0 and not (a > 0 and b > 0)", True),
        ("a > 1", "not (a > 0 or b > 0)", False),
        ("a > 1", "not (a != 0)", False),
    ],
)
def test_what_is_denied_is_apart_from_what_implies_it(first, second, apart):
    cuts = parse_expression(first), parse_expression(second)
    assert provably_disjoint(*cuts) is apart
    assert provably_disjoint(*reversed(cuts)) is apart


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"quantity": "m"}, "ZTT.quantity: 'm' is not a quantity of the generator"),
        ({"edges": [0, 20, 10]}, "ZTT.edges[2]: 10 is not above 20; edges must increase"),
        ({"curvature": 0.1}, "ZTT.curvature: 0.1: 2 truth bins have no curvature (three at least)"),
        ({"cross_sections": [1.0]}, "ZTT.cross_sections: 1 numbers for 2 truth bins"),
    ],
)
def test_truth_bins_that_mean_nothing(keys, message):
    (line,) = check_unfolding(Config.model_validate(unfolded(**keys)), ANALYSIS)
    assert line.startswith(f"fit.unfolding.{message}")


def test_unfolding_of_no_sample():
    content = merge(
        CONTENT, {"fit": {"unfolding": {"Z": {"quantity": "z_true", "edges": [0, 1, 2]}}}}
    )
    (line,) = check_unfolding(Config.model_validate(expand_truth_bins(content)), ANALYSIS)
    assert line.startswith("fit.unfolding.Z: 'Z' is not a sample")


def test_figure_shows_the_spectrum_and_its_correlations():
    found = unfold(make_workspace(TWO, [130.0, 95.0], 20.0), predicted=[30.0, 4.0])
    item = {"quantity": "pt", "unit": "GeV", "edges": [0.0, 10.0, 30.0], "predicted_unit": "pb"}
    result = {"observed": {}, "unfolding": {"Z": {**item, "expected": found, "observed": found}}}
    header = {"label": "CMS Open Data", "luminosity": 2.0, "energy": 8.0}
    numbers = spectrum_numbers(result, header)
    figure = spectrum_figure(numbers)
    left, right = figure.axes[:2]
    (points,) = (item[0] for item in left.containers)
    heights = np.array(found["values"]) / [10.0, 20.0]
    np.testing.assert_allclose(points.get_xydata(), np.stack([[5.0, 20.0], heights], axis=1))
    covariance = np.array(found["covariance"])
    rho = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert numbers["spectra"][0]["correlation"][0][1] == pytest.approx(rho)
    assert f"{100 * rho:.0f}".replace("-", "−") in {text.get_text() for text in right.texts}
    assert left.get_ylabel() == "Cross section / width (pb / GeV)"
