"""A cross section as the parameter of interest: in its unit, and free of its own prediction."""

from __future__ import annotations

import numpy as np
import pytest

from taipan.atomic import read_json, write_json
from taipan.inference import run_inference
from taipan.likelihood import build_workspace
from taipan.plotting.contours import contour_numbers
from taipan.plotting.inference import impact_numbers
from taipan.plotting.style import name_axis
from taipan.stages.plot_interests import plot_interests
from tests.synthetic_templates import TRANSFER, make_config, make_histogram, settings
from tests.toy_configuration import problems

PREDICTED = {"value": 500.0, "unit": "pb", "source": "by hand"}
RECORD = {
    "observable": "x",
    "blinded": False,
    "regions": {name: {"edges_after": [0.0, 1.0]} for name in ("r", "t")},
}
INTERESTS = {"sigma": {"prediction": 1.0, "size": 500.0, "unit": "pb", "source": "by hand"}}


def make_workspace():
    """Two counts: z (60 expected of 80 with the rest) with a rate of 10 %, and another signal."""

    def sample(name, count, *modifiers):
        return {"name": name, "data": [count], "modifiers": list(modifiers)}

    def free(name):
        return {"name": name, "type": "normfactor", "data": None}

    rate = {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 1.0 / 1.1}}
    parameters = [
        {"name": name, "bounds": [[-10.0, 20.0]], "inits": [1.0]} for name in ("sigma", "mu")
    ]
    return {
        "channels": [
            {"name": "r", "samples": [sample("b", 20.0), sample("z", 60.0, free("sigma"), rate)]},
            {"name": "t", "samples": [sample("c", 50.0), sample("h", 30.0, free("mu"))]},
        ],
        "observations": [{"name": "r", "data": [100.0]}, {"name": "t", "data": [95.0]}],
        "measurements": [
            {"name": name, "config": {"poi": name, "parameters": parameters}}
            for name in ("sigma", "mu")
        ],
        "version": "1.0.0",
    }


@pytest.fixture(scope="module")
def results():
    workspace = make_workspace()
    return (
        run_inference(workspace, RECORD, groups={"rate": "lumi"}),
        run_inference(workspace, {**RECORD, "interests": INTERESTS}, groups={"rate": "lumi"}),
    )


def test_result_is_in_picobarn_by_hand(results):
    """80 of z are found where 60 are predicted for 500 pb; 10 % and √100 are the uncertainties."""
    found = results[1]["observed"]
    assert found["mu_hat"] == pytest.approx(500.0 * 80.0 / 60.0)
    statistical = 500.0 * np.sqrt(100.0) / 60.0
    rate = found["mu_hat"] * np.log(1.1)
    assert found["sigma"] == pytest.approx(np.hypot(statistical, rate), rel=1e-6)
    parts = found["breakdown"]
    assert parts["statistical"] == pytest.approx(statistical, rel=1e-6)
    assert parts["lumi"] == pytest.approx(rate, rel=1e-6)
    expected = results[1]["expected"]
    assert expected["mu_hat"] == pytest.approx(500.0)
    assert expected["breakdown"]["statistical"] == pytest.approx(500.0 * np.sqrt(80.0) / 60.0)


def test_everything_of_the_parameter_has_the_unit_and_nothing_else(results):
    plain, scaled = results
    for kind in ("expected", "observed"):
        before, after = plain[kind], scaled[kind]
        assert after["interval"] == pytest.approx([500.0 * end for end in before["interval"]])
        assert after["limit"]["observed"] == pytest.approx(500.0 * before["limit"]["observed"])
        band = [500.0 * end for end in before["limit"]["expected_band"]]
        assert after["limit"]["expected_band"] == pytest.approx(band)
        assert after["limit"]["level"] == before["limit"]["level"]
        for one, other in zip(before["impacts"], after["impacts"], strict=True):
            assert other["postfit"] == pytest.approx([500.0 * v for v in one["postfit"]])
        for key in ("significance", "p_value", "nll", "correlation"):
            assert after[key] == before[key]
        rows = {item["name"]: item for item in after["parameters"]}
        assert rows["sigma"]["value"] == pytest.approx(after["mu_hat"])
        assert rows["sigma"]["initial"] == 500.0
        assert rows["mu"]["initial"] == 1.0
        assert scaled["others"]["mu"][kind] == plain["others"]["mu"][kind]
        (pair,) = (item[kind]["contours"][0]["points"] for item in plain["contours"])
        (other,) = (item[kind]["contours"][0]["points"] for item in scaled["contours"])
        np.testing.assert_allclose(np.array(other), np.array(pair) * [500.0, 1.0])


def test_each_parameter_has_a_profile_in_its_unit(results, tmp_path):
    plain, scaled = results
    for kind in ("expected", "observed"):
        before, after = (item["scans"]["sigma"][kind] for item in results)
        np.testing.assert_allclose(after["axes"][0], 500.0 * np.array(before["axes"][0]))
        assert after["rise"] == before["rise"]
        assert after["best"] == pytest.approx([scaled[kind]["mu_hat"]])
        assert scaled["scans"]["mu"][kind] == plain["scans"]["mu"][kind]
        # 2ΔlnL is 1 at the ends of the interval
        rises = np.interp(scaled[kind]["interval"], after["axes"][0], after["rise"])
        assert rises == pytest.approx([1.0, 1.0], abs=0.03)
    write_json(tmp_path / "fit.json", scaled)
    names = ["profile_sigma", "profile_mu", "impacts_mu", "breakdown_mu"]
    figures = {
        name: {kind: tmp_path / f"{name}.{kind}" for kind in ("pdf", "png", "json")}
        for name in names
    }
    header = {"label": "CMS Open Data", "luminosity": 2.0, "energy": 8.0}
    plot_interests(str(tmp_path / "fit.json"), ["sigma", "mu"], header, figures)
    assert read_json(tmp_path / "profile_sigma.json")["unit"] == "pb"
    assert read_json(tmp_path / "profile_sigma.json")["label"] == r"$\sigma$ (pb)"
    breakdown = read_json(tmp_path / "breakdown_mu.json")
    assert breakdown["total"] == scaled["others"]["mu"]["observed"]["sigma"]
    rows = {row["name"]: row for row in read_json(tmp_path / "impacts_mu.json")["rows"]}
    (impact,) = (
        item for item in scaled["others"]["mu"]["observed"]["impacts"] if item["name"] == "rate"
    )
    assert rows["rate"]["postfit"] == impact["postfit"]


def test_figures_say_the_unit(results):
    _, found = results
    header = {"label": "", "luminosity": 1.0, "energy": 8.0}
    shared = {"poi": found["poi"], "interests": found["interests"]}
    assert impact_numbers({**found["observed"], **shared}, header)["unit"] == "pb"
    (panel,) = contour_numbers(found, header)["panels"]
    assert panel["labels"] == [r"$\sigma$ (pb)", r"$\mu$"]
    named = {"sigma_ztt": {"label": "Z→ττ", "unit": "pb"}, "sigma": {"unit": "pb"}}
    assert name_axis({"interests": named}, "sigma_ztt") == r"Z→ττ, $\sigma_{\mathrm{ztt}}$ (pb)"
    assert name_axis({}, "mu_ggH") == r"$\mu_{\mathrm{ggH}}$"
    assert panel["predicted"] == [500.0, 1.0]


def build(**keys):
    sigma = {"samples": ["ZTT"], "cross_section": PREDICTED, **keys}
    wanted = {"mu": ["ggH", "qqH"], "sigma_ztt": sigma}
    config = make_config(fit={**settings()["fit"], "parameters_of_interest": wanted})
    workspace, record = build_workspace(make_histogram(), config, "nn_score", TRANSFER)
    acting = {
        (channel["name"], sample["name"], modifier["name"])
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }
    return workspace, record, acting


def test_uncertainty_of_the_prediction_does_not_act_on_what_is_measured():
    workspace, record, acting = build(of_prediction=["z_normalisation"], range=[0.0, 2000.0])
    assert ("signal", "ZTT", "sigma_ztt") in acting
    assert ("signal", "ZTT_same_sign", "sigma_ztt") in acting
    assert ("signal", "ZTT", "z_normalisation") not in acting
    assert ("signal", "ZTT_same_sign", "z_normalisation") not in acting
    assert ("signal", "ZLL", "z_normalisation") in acting
    assert ("signal", "ZTT", "luminosity") in acting
    _, _, before = build()
    assert ("signal", "ZTT", "z_normalisation") in before
    bounds = {
        item["name"]: item["bounds"][0]
        for item in workspace["measurements"][0]["config"]["parameters"]
    }
    assert bounds["sigma_ztt"] == [0.0, 4.0]  # of the prediction
    assert bounds["mu"] == [-20.0, 40.0]
    assert record["interests"] == {
        "sigma_ztt": {"prediction": 1.0, "size": 500.0, "unit": "pb", "source": "by hand"}
    }


THEORY = {"kind": "rate", "size": 0.04, "group": "theory", "samples": ["ZTT"]}


def measured(**keys):
    sigma = {"samples": ["ZTT"], "cross_section": PREDICTED, **keys}
    return {
        "fit": {"parameters_of_interest": {"mu": ["S"], "sigma": sigma}},
        "systematics": {"z_theory": THEORY},
    }


def test_rates_of_theory_are_named_by_the_author():
    path = "fit.parameters_of_interest.sigma"
    assert problems(measured()) == [
        "systematics.z_theory: a rate of group theory acts on ZTT, whose cross section is measured "
        f"({path}); name it in of_prediction or of_acceptance there"
    ]
    both = measured(of_prediction=["z_theory"], of_acceptance=["z_theory"])
    assert problems(both) == [f"{path}.of_acceptance: 'z_theory' is in of_prediction, too"]
    (line,) = problems(measured(of_prediction=["z_theory", "z_thoery"]))
    assert line.startswith(
        f"{path}.of_prediction[1]: 'z_thoery' is not a systematic; did you mean 'z_theory'?"
    )


@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        ({"samples": ["ZT"]}, ".samples[0]: 'ZT' is not a simulated sample; did you mean 'ZTT'?"),
        ({"samples": ["QCD"]}, ".samples[0]: 'QCD' is not a simulated sample"),
        ({"prediction": 2.0}, ".prediction: 2: with cross_section it is that, leave it out"),
        ({"range": [600, 900]}, ".range: [600, 900] must increase and contain the predicted"),
        ({"cross_section": None}, ".of_prediction: only with cross_section: 'sigma' is a factor"),
    ],
)
def test_cross_sections_that_mean_nothing(sigma, message):
    found = problems(measured(**{"of_prediction": ["z_theory"], **sigma}))
    assert any(line.startswith(f"fit.parameters_of_interest.sigma{message}") for line in found)
