"""Figures of the systematic uncertainties: which are shown, as filled and as fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.likelihood import build_workspace
from taipan.plotting.fit import fit_numbers
from taipan.plotting.systematic_numbers import FittedModel, systematic_numbers
from taipan.plotting.systematics import systematic_figure
from tests.synthetic_templates import (
    TRANSFER,
    make_config,
    make_histogram,
    nominal,
    variation_factor,
)
from tests.unit.test_plotting import HEADER, SCORE, fit_result, texts


def systematics(config: Config) -> dict[tuple[str, str], dict[str, Any]]:
    numbers = systematic_numbers(
        make_histogram(),
        ("nn_score", config.observables["nn_score"]),
        config.samples,
        config.regions,
        config.systematics,
        HEADER,
    )
    systematic_figure(numbers)
    return {
        (panel["systematic"], panel["class"]): panel
        for panel in numbers["panels"]
        if panel["region"] == "signal"
    }


def test_systematic_templates_are_those_of_the_fit() -> None:
    panels = systematics(make_config())
    # tau_energy_scale acts on ZTT among the backgrounds; the others stay
    panel = panels["tau_energy_scale", "background"]
    rest = sum(nominal(name, "signal") for name in ("QCD", "W", "TT", "ZLL"))
    ztt = nominal("ZTT", "signal")
    same_sign = TRANSFER["value"] * nominal("ZTT", "ss_signal")
    assert panel["nominal"] == pytest.approx(rest + ztt)
    for key, sign in (("up", 1.0), ("down", -1.0)):
        factor = variation_factor("tau_energy_scale", "ZTT", sign)
        signals = sum(
            TRANSFER["value"]
            * nominal(name, "ss_signal")
            * (variation_factor("tau_energy_scale", name, sign) - 1.0)
            for name in ("ggH", "qqH")
        )
        moved = rest + ztt * factor - same_sign * (factor - 1.0) - signals
        assert panel[key] == pytest.approx(moved)
    assert panel["sides"] == "both"


def test_fitted_templates_are_shown_with_those_filled() -> None:
    config = make_config(templates={"prune_rate": 0.012, "prune_shape": 0.012})
    workspace, record = build_workspace(make_histogram(), config, "nn_score", TRANSFER)
    arguments = (
        make_histogram(),
        ("nn_score", config.observables["nn_score"]),
        config.samples,
        config.regions,
        config.systematics,
        HEADER,
    )
    surviving, everything = (
        systematic_numbers(*arguments, FittedModel(workspace, record, shown))["panels"]
        for shown in (False, True)
    )
    assert len(everything) > len(surviving)
    panel = by_place(surviving)["tau_energy_scale", "signal", "background"]
    assert panel["fitted"]["up"] == pytest.approx(panel["up"], rel=1e-3)
    assert panel["fitted"]["nominal"] == pytest.approx(panel["nominal"], rel=1e-3)
    systematic_figure({**systematic_numbers(*arguments), "panels": everything})


def by_place(panels: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(p["systematic"], p["region"], p["class"]): p for p in panels}


def test_every_fitted_systematic_is_shown_in_every_region() -> None:
    """Rates and control regions were left out, although the fit has them."""
    config = make_config(templates={"prune_rate": 0.004})
    workspace, record = build_workspace(make_histogram(), config, "nn_score", TRANSFER)
    numbers = systematic_numbers(
        make_histogram(),
        ("nn_score", config.observables["nn_score"]),
        config.samples,
        config.regions,
        config.systematics,
        HEADER,
        FittedModel(workspace, record),
    )
    panels = by_place(numbers["panels"])
    owners = record["treatment"]["parameters"]
    expected = {
        (owners[modifier["name"]], channel["name"], role)
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
        if modifier["name"] in owners
        for role in ("signal" if sample["name"] in ("ggH", "qqH") else "background",)
    }
    assert set(panels) == expected
    assert {"luminosity", "qcd_os_ss", "w_extrapolation", "tau_energy_scale"} <= {
        name for name, _, _ in expected
    }
    assert not any(name == "qqh_scale" for name, _, _ in expected)  # 0.3 %: pruned
    # 2.6 % of the simulation but W, less what is subtracted of it from same-sign data
    for region in ("signal", "w_control"):
        panel = panels["luminosity", region, "background"]
        moved = sum(nominal(name, region) for name in ("TT", "ZLL", "ZTT")) - TRANSFER[
            "value"
        ] * sum(nominal(name, f"ss_{region}") for name in ("ggH", "qqH", "TT", "ZLL", "ZTT"))
        total = sum(nominal(name, region) for name in ("QCD", "W", "TT", "ZLL", "ZTT"))
        if region == "w_control":
            moved, total = moved.sum(keepdims=True), total.sum(keepdims=True)
        assert panel["up"] is panel["down"] is None
        assert panel["fitted"]["nominal"] == pytest.approx(total)
        assert panel["fitted"]["up"] == pytest.approx(total + 0.026 * moved)
        assert panel["fitted"]["down"] == pytest.approx(total - 0.026 * moved)
    assert panels["luminosity", "w_control", "background"]["edges"] == [0.0, 1.0]
    varied = panels["tau_energy_scale", "w_control", "background"]
    assert varied["up"] == pytest.approx(varied["fitted"]["up"], rel=1e-3)
    assert len(varied["up"]) == 1
    figure = systematic_figure(numbers)
    # what acts on the control region alone stands beside the signal region
    drawn, acting = texts(figure), {(name, role) for name, _, role in expected}
    left_out = {(name, role) for name, role in acting if f"{name}: {role}" not in drawn}
    # signals are subtracted for the estimate, which moves by less than 0.02 %
    assert {name for name, _ in left_out} <= set(note(figure))
    assert {role for _, role in left_out} <= {"background"}
    assert len(figure.axes) == len(acting) - len(left_out)
    assert "luminosity: background, rate" in drawn
    # the bin of the control region stands at the right of every panel
    assert all(axes.get_xlim() == pytest.approx((0.0, 1.09)) for axes in figure.axes)
    assert "luminosity: signal, rate" in drawn
    assert "qcd_os_ss: signal" not in drawn
    assert "qcd_os_ss" in note(figure)
    everything = systematic_numbers(
        make_histogram(),
        ("nn_score", config.observables["nn_score"]),
        config.samples,
        config.regions,
        config.systematics,
        HEADER,
        FittedModel(workspace, record, everything=True),
    )
    shown = by_place(everything["panels"])
    assert shown["qqh_scale", "signal", "signal"]["fitted"] is None
    assert "qqh_scale (pruned)" in note(systematic_figure(everything))


def note(figure: Figure) -> list[str]:
    """Names below the columns."""
    beginning = "no effect (< 0.02 %): "
    notes = [text.get_text() for text in figure.findobj(Text)]
    found = [" ".join(text.split()) for text in notes if text.startswith(beginning)]
    return [name for text in found for name in text.removeprefix(beginning).split(", ")]


def test_panel_that_would_be_empty_is_left_out() -> None:
    """Its row stood there with the line of nominal alone."""
    shape = {"region": "signal", "class": "background", "edges": [0.0, 1.0, 2.0], "sides": "both"}
    shape |= {"nominal": [4.0, 2.0], "nominal_sigma": [0.2, 0.2]}
    panels = [
        {**shape, "systematic": "moves", "up": [4.0, 2.0], "down": [4.0, 2.0007]},
        {**shape, "systematic": "stays", "up": [4.0, 2.0], "down": [4.0, 2.0003]},
    ]
    numbers = {
        "header": HEADER, "label": "Score", "unit": "", "edges": [0.0, 1.0, 2.0],
        "regions": {"signal": "SR"}, "control": [], "panels": panels,
    }  # fmt: skip
    figure = systematic_figure(numbers)
    assert len(figure.axes) == 1
    assert figure.axes[0].get_xlabel() == "Score"
    assert note(figure) == ["stays"]
    alone = systematic_figure({**numbers, "panels": panels[1:]})
    assert note(alone) == ["stays"]


def test_panels_of_several_regions_say_whose_they_are() -> None:
    shape = {"class": "background", "edges": [0.0, 1.0], "sides": "both", "systematic": "moves"}
    shape |= {"nominal": [4.0], "nominal_sigma": [0.2], "up": [4.1], "down": [3.9]}
    numbers = {
        "header": HEADER, "label": "Score", "unit": "", "edges": [0.0, 1.0], "control": [],
        "regions": {"a": "one jet", "b": "two jets"},
        "panels": [{**shape, "region": region} for region in ("a", "b")],
    }  # fmt: skip
    drawn = texts(systematic_figure(numbers))
    assert "moves: one jet background" in drawn
    assert "moves: two jets background" in drawn


def test_parts_of_a_decorrelated_systematic_are_added() -> None:
    """Several modifiers act on QCD then; the last one was shown alone."""
    plain = make_config()
    name = "jet_energy_scale"
    changed = plain.systematics[name].model_copy(update={"decorrelate": ["sample"]})
    config = plain.model_copy(update={"systematics": {**plain.systematics, name: changed}})
    found = []
    for settings in (plain, config):
        workspace, record = build_workspace(make_histogram(), settings, "nn_score", TRANSFER)
        numbers = systematic_numbers(
            make_histogram(),
            ("nn_score", settings.observables["nn_score"]),
            settings.samples,
            settings.regions,
            settings.systematics,
            HEADER,
            FittedModel(workspace, record),
        )
        found.append(by_place(numbers["panels"])[name, "signal", "background"]["fitted"])
    change, split = (np.array(item["up"]) - item["nominal"] for item in found)
    np.testing.assert_allclose(split, change, atol=0.01 * np.abs(change).max())


def test_subtracted_simulation_is_shown_with_the_estimate() -> None:
    config = make_config()
    result = fit_result()
    before = fit_numbers(result, "prefit", SCORE, config.samples, config.regions, HEADER)
    for stage in ("prefit", "postfit"):
        samples = result["observed"][stage]["signal"]["samples"]
        samples["QCD"] = [30.0, 20.0]
        samples["W_same_sign"] = [-5.0, -2.0]
    after = fit_numbers(result, "prefit", SCORE, config.samples, config.regions, HEADER)
    assert after["panels"][0]["samples"]["QCD"] == [25.0, 18.0]
    assert "W_same_sign" not in after["panels"][0]["samples"]
    assert after["panels"][0]["total"] == before["panels"][0]["total"]


def test_one_sided_systematic_is_mirrored() -> None:
    panel = systematics(make_config())["pileup", "signal"]
    assert panel["sides"] == "mirrored"
    middle = 0.5 * (np.array(panel["up"]) + np.array(panel["down"]))
    assert middle == pytest.approx(np.array(panel["nominal"]))
    assert not np.allclose(panel["up"], panel["nominal"])


def test_symmetrised_systematic_is_half_the_difference() -> None:
    config = make_config()
    name = "jet_energy_scale"
    changed = config.systematics[name].model_copy(update={"symmetrize": True})
    symmetrised = config.model_copy(update={"systematics": {name: changed}})
    before, after = systematics(config)[name, "signal"], systematics(symmetrised)[name, "signal"]
    half = 0.5 * (np.array(before["up"]) - np.array(before["down"]))
    assert after["sides"] == "averaged"
    assert after["up"] == pytest.approx(np.array(before["nominal"]) + half)
    assert after["up"] != pytest.approx(before["up"])


def test_missing_variation_is_named() -> None:
    config = make_config()
    extra = config.systematics["tau_energy_scale"]
    with pytest.raises(TaipanError, match="variation 'electron_scale_up' is missing"):
        systematic_numbers(
            make_histogram(),
            ("nn_score", SCORE),
            config.samples,
            config.regions,
            {"electron_scale": extra},
            HEADER,
        )
