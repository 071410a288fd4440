"""Figures: the numbers they show, and files that depend on nothing else."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest

from taipan.atomic import read_json
from taipan.config.sections.observables import Observable
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.plotting.control import control_figure, control_numbers
from taipan.plotting.cutflow import cutflow_figure, cutflow_numbers
from taipan.plotting.fit import fit_figure, fit_numbers
from taipan.plotting.parameters import (
    breakdown_figure,
    breakdown_numbers,
    correlation_figure,
    correlation_numbers,
    pull_figure,
    pull_numbers,
)
from taipan.plotting.stack import (
    describe_samples,
    divides_by_width,
    is_stacked,
    poisson_interval,
    ratio_to,
    signal_factor,
)
from taipan.plotting.style import (
    add_header,
    house_style,
    make_printable,
    new_figure,
    save_figure,
    shrink_to_fit,
    write_result,
)
from taipan.plotting.training import (
    learning_figure,
    learning_numbers,
    roc_figure,
    roc_numbers,
    score_figure,
    score_numbers,
)
from tests.made_up_estimates import same_sign
from tests.synthetic_templates import (
    EDGES,
    make_config,
)

HEADER = {"label": "Taipan fastsim", "luminosity": 2.0, "energy": 8.0}
SCORE = Observable(label="Score", binning=EDGES)


def outputs(folder: Path, name: str = "figure") -> dict[str, str]:
    return {kind: str(folder / f"{name}.{kind}") for kind in ("pdf", "png", "json")}


def texts(figure: Any) -> str:
    """Everything that is written in the axes and legends of a figure."""
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    found += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    found += [axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes]
    return "\n".join([*found, *(text.get_text() for text in figure.texts)])


# --- numbers -------------------------------------------------------------------------------------


def test_poisson_interval_is_garwood() -> None:
    low, high = poisson_interval(np.array([0.0, 1.0, 3.0, 100.0]))
    # table of the Particle Data Group's convention at 68.27 %
    assert low == pytest.approx([0.0, 0.173, 1.367, 90.02], abs=2e-2)
    assert high == pytest.approx([1.841, 3.300, 5.918, 111.03], abs=2e-2)


def test_ratio_has_no_value_where_nothing_is_predicted() -> None:
    ratio = ratio_to([2.0, 3.0, 1.0], [4.0, 0.0, -1.0])
    assert ratio[0] == 0.5
    assert np.isnan(ratio[1:]).all()


@pytest.mark.parametrize(
    ("signal", "background", "factor"),
    [(28.7, 13484.0, 50), (1.0, 10.0, 2), (1.0, 1.0, 1), (0.0, 10.0, 1), (1.0, 0.0, 1)],
)
def test_signal_is_scaled_to_a_round_factor(signal: float, background: float, factor: int) -> None:
    assert signal_factor(signal, background) == factor


def test_signal_above_a_fifth_of_the_background_is_stacked() -> None:
    assert not is_stacked(20.0, 100.0)
    assert is_stacked(20.1, 100.0)
    assert is_stacked(1.0, 0.0)
    assert not is_stacked(0.0, -1.0)
    assert is_stacked(0.0, 100.0, "stack")
    assert not is_stacked(100.0, 1.0, "line")


@pytest.mark.parametrize(("wish", "stacked"), [("auto", False), ("stack", True), ("line", False)])
def test_signals_are_drawn_as_the_configuration_says(wish: str, stacked: bool) -> None:
    numbers = control(plotting={"signal": wish})
    assert numbers["signals"] == wish
    legend = [text.get_text() for text in control_figure(numbers).legends[0].get_texts()]
    assert ("signal" in legend) == stacked
    assert ("Signal × 50" in legend) != stacked
    config = make_config()
    known = (config.samples, config.regions, HEADER, None, wish)
    fit = fit_numbers(fit_result(), "prefit", SCORE, *known)
    assert ("ggH" in texts(fit_figure(fit))) == stacked


def test_edge_bins_that_hold_what_lies_beyond_say_so() -> None:
    """The fit adds under- and overflow to the edge bins; a score has neither."""
    assert "hold what lies beyond" not in texts(fit_figure(fitted("prefit")))
    config, result = make_config(), {**fit_result(), "observable": "m_vis"}
    mass = Observable(label="Mass", unit="GeV", binning=EDGES)
    numbers = fit_numbers(result, "prefit", mass, config.samples, config.regions, HEADER)
    assert [panel["edges_hold_outside"] for panel in numbers["panels"]] == [True, False]
    written = texts(fit_figure(numbers))
    assert "The first and the last bin hold what lies beyond, too." in written
    assert "Prefit uncertainty (stat. + syst.)" in written


def test_density_only_for_bins_of_different_width_with_a_unit() -> None:
    assert divides_by_width([0.0, 1.0, 3.0], "GeV")
    assert not divides_by_width([0.0, 1.0, 2.0], "GeV")
    assert not divides_by_width([0.0, 1.0, 3.0], "")


def test_sample_without_a_label_is_shown_by_its_name() -> None:
    described = describe_samples({"W": Sample(datasets=["WJets"])})
    assert described["W"]["label"] == "W"


# --- control plots -------------------------------------------------------------------------------


def control_histogram() -> dict[str, hist.Hist]:
    """Three bins of one quantity; its overflow holds events without a value."""
    histogram = hist.Hist(
        hist.axis.StrCategory(["S", "QCD", "Z", "data"], name="process"),
        hist.axis.StrCategory(["signal", "control"], name="region"),
        hist.axis.StrCategory(["nominal"], name="variation"),
        hist.axis.Variable([0.0, 10.0, 20.0, 50.0], name="mass"),
        storage=hist.storage.Weight(),
    )
    for process, values, weight in (
        ("S", [15.0] * 4, 0.1),
        ("QCD", [5.0, 15.0], -2.0),
        ("Z", [5.0] * 20 + [15.0] * 30 + [30.0] * 2 + [np.nan] * 7, 2.0),
        ("data", [5.0] * 35 + [15.0] * 60 + [np.nan] * 11, 1.0),
    ):
        histogram.fill(process, "signal", "nominal", np.array(values), weight=weight)
    return {"mass": histogram}


def control(blinded: bool = False, name: str = "signal", **changes: Any) -> dict[str, Any]:
    config = make_config(
        samples={
            "S": {"label": "signal", "role": "signal", "datasets": ["A"]},
            "QCD": {"label": "QCD", "estimate": same_sign(signal="control")},
            "Z": {"label": "Z", "datasets": ["B"]},
        },
        regions={
            "signal": {"cut": "mt < 30", "role": "signal"},
            "control": {"cut": "mt > 70"},
        },
        control_plots={
            "mass": {"label": "Mass", "unit": "GeV", "binning": [0.0, 10.0, 20.0, 50.0]}
        },
        **{"systematics": {}, **changes},
    )
    return control_numbers(control_histogram(), config, name, HEADER, blinded=blinded)


def test_control_numbers_add_up() -> None:
    panel = control()["panels"][0]
    assert panel["total"] == pytest.approx([40.0 - 2.0, 60.0 - 2.0 + 0.4, 4.0])
    assert panel["total_sigma"] == pytest.approx(
        np.sqrt([4.0 * 20 + 4.0, 4.0 * 30 + 4.0 + 4 * 0.01, 8.0])
    )
    assert panel["data"] == [35.0, 60.0, 0.0]


def test_events_without_a_value_are_counted_and_not_folded() -> None:
    numbers = control()
    assert numbers["panels"][0]["outside"] == {"prediction": pytest.approx(14.0), "data": 11.0}
    assert "not shown: predicted 14, data 11" in texts(control_figure(numbers))
    numbers["panels"][0]["outside"]["prediction"] = -0.2
    assert "not shown: predicted 0, data 11" in texts(control_figure(numbers))


def test_an_estimate_that_is_not_drawn_is_named() -> None:
    """In its source, where data are far above the prediction, the legend listed QCD."""
    numbers = control(name="control")
    assert numbers["not_estimated"] == "QCD"
    figure = control_figure(numbers)
    assert "QCD: not estimated in this region, but in the data" in texts(figure)
    listed = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "QCD" not in listed
    assert "Z" in listed
    drawn = control()
    assert "not_estimated" not in drawn
    figure = control_figure(drawn)
    assert "QCD" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "not estimated" not in texts(figure)


def test_blinded_region_leaves_no_trace_of_the_data(tmp_path: Path) -> None:
    numbers = control(blinded=True)
    assert numbers["panels"][0]["data"] is None
    assert numbers["panels"][0]["outside"]["data"] is None
    figure = control_figure(numbers)
    assert "blinded" in texts(figure)
    assert not any(axes.containers for axes in figure.axes)  # no error bars
    save_figure(figure, outputs(tmp_path), numbers)


def test_stack_draws_density_ratio_and_negative_bins() -> None:
    figure = control_figure(control())
    main, ratio = figure.axes
    assert main.get_ylabel() == "Events / GeV"
    assert ratio.get_xlabel() == "Mass (GeV)"
    points = main.containers[0][0].get_ydata()
    assert points == pytest.approx([3.5, 6.0, 0.0])
    assert ratio.containers[0][0].get_ydata() == pytest.approx([35 / 38, 60 / 58.4, 0.0])
    assert main.get_ylim()[0] == pytest.approx(-0.2 * 1.15)  # the negative QCD is seen


def test_missing_control_histogram_is_named() -> None:
    config = make_config(control_plots={"met": {"label": "x", "binning": [0, 1]}})
    with pytest.raises(TaipanError, match=r"control_plots\.met: no histogram \(mass\)"):
        control_numbers(control_histogram(), config, "signal", HEADER)


def test_the_band_of_a_control_plot_has_systematics_and_says_so() -> None:
    assert "Stat. uncertainty" in texts(control_figure(control()))
    rate = {"kind": "rate", "size": 0.1, "samples": ["Z"]}
    residual = {"kind": "control_residual", "region": "control", "samples": ["Z"]}
    numbers = control(systematics={"rate": rate, "residual": residual})
    (panel,) = numbers["panels"]
    statistics = np.array([84.0, 124.04, 8.0])
    assert panel["total_stat"] == pytest.approx(np.sqrt(statistics))
    assert panel["total_sigma"] == pytest.approx(np.sqrt(statistics + np.array([16.0, 36.0, 0.16])))
    assert numbers["in_band"] == ["rate"]
    written = texts(control_figure(numbers))
    assert "Stat. + syst. uncertainty" in written
    assert "Not in the band, as only fitted quantities have it: residual" in written


# --- fit -----------------------------------------------------------------------------------------


def fit_result(blinded: bool = False) -> dict[str, Any]:
    """A small result with the layout of ``docs/fit.md``."""

    def parameter(name: str, value: float, sigma: float, pull: float | None) -> dict[str, Any]:
        constrained = pull is not None
        return {
            "name": name, "value": value, "sigma": sigma, "initial": 0.0, "pull": pull,
            "constrained": constrained, "constraint": 0.8 if constrained else None,
            "at_bound": False,
        }  # fmt: skip

    def yields(mu: float) -> dict[str, Any]:
        ztt, signal = np.array([80.0, 40.0]), np.array([1.0, 2.0])
        return {
            "w_control": {
                "edges": [0.0, 1.0], "data": [500.0], "total": [510.0], "total_sigma": [20.0],
                "samples": {"W": [510.0]},
            },
            "signal": {
                "edges": [0.0, 0.4, 1.0], "data": [75.0, 44.0],
                "total": (ztt + mu * signal).tolist(), "total_sigma": [8.0, 4.0],
                "samples": {"ZTT": ztt.tolist(), "ggH": (mu * signal).tolist()},
            },
        }  # fmt: skip

    part = {
        "mu_hat": -2.5,
        "sigma": 1.5,
        "prefit": yields(1.0),
        "postfit": yields(-2.5),
        "parameters": [
            parameter("trigger", 0.3, 0.8, 0.3),
            parameter("mu", -2.5, 1.5, None),
            parameter("luminosity", -0.1, 0.9, -0.1),
            parameter("staterror_signal[0]", 1.1, 0.1, 1.0),
            parameter("frozen", 1.0, 0.0, None),
        ],
        "correlation": {
            "names": ["trigger", "mu", "luminosity", "staterror_signal[0]"],
            "matrix": [
                [1.0, -0.4, 0.1, 0.0],
                [-0.4, 1.0, 0.2, 0.3],
                [0.1, 0.2, 1.0, 0.0],
                [0.0, 0.3, 0.0, 1.0],
            ],
        },
    }
    return {
        "observable": "nn_score", "poi": "mu", "blinded": blinded, "expected": part,
        "observed": None if blinded else part,
    }  # fmt: skip


def fitted(stage: str, blinded: bool = False) -> dict[str, Any]:
    config = make_config()
    return fit_numbers(fit_result(blinded), stage, SCORE, config.samples, config.regions, HEADER)


def test_fit_panels_follow_the_configuration_and_keep_the_yields() -> None:
    numbers = fitted("postfit")
    assert [panel["region"] for panel in numbers["panels"]] == ["signal", "w_control"]
    signal = numbers["panels"][0]
    assert list(signal["samples"]) == ["ggH", "ZTT"]
    assert signal["total"] == pytest.approx([77.5, 35.0])
    assert signal["samples"]["ggH"] == pytest.approx([-2.5, -5.0])
    assert signal["signal"] == pytest.approx([1.0, 2.0])  # at signal strength 1
    assert numbers["panels"][1]["single_bin"]
    assert "-2.50 \\pm 1.50" in texts(fit_figure(numbers))


def test_prefit_is_drawn_at_signal_strength_one() -> None:
    numbers = fitted("prefit")
    assert numbers["mu"] == 1.0
    assert numbers["panels"][0]["total"] == pytest.approx([81.0, 42.0])
    figure = fit_figure(numbers)
    assert figure.axes[0].get_yscale() == "log"
    # 120 background events on 3 signal events: 5 × 3 < 120 / 5 < 10 × 3
    assert "Signal (μ = 1) × 5" in texts(figure)


def test_large_signal_is_part_of_the_stack_and_has_no_factor() -> None:
    result = fit_result()
    for part in ("prefit", "postfit"):
        content = result["observed"][part]["signal"]
        content["samples"]["ggH"] = [30.0, 20.0]
        content["total"] = [110.0, 60.0]
    config = make_config()
    numbers = fit_numbers(result, "prefit", SCORE, config.samples, config.regions, HEADER)
    figure = fit_figure(numbers)
    written = texts(figure)
    assert "×" not in written
    assert "ggH" in written
    small = fit_figure(fitted("prefit"))
    # the total, the signal's line and ZTT against the total, ZTT and ggH in the stack
    assert "ggH" not in texts(small)
    filled = [patch for patch in figure.axes[0].patches if patch.get_fill()]
    heights = [np.nanmax(patch.get_data().values) for patch in filled]
    assert max(heights[:2]) == pytest.approx(110.0)


def test_figures_name_another_parameter_of_interest() -> None:
    result = {**fit_result(), "poi": "ttbar_norm"}
    config = make_config()
    arguments = (SCORE, config.samples, config.regions, HEADER)
    assert r"$\mathrm{ttbar\_norm} = -2.50" in texts(
        fit_figure(fit_numbers(result, "postfit", *arguments))
    )
    assert "Signal (ttbar_norm = 1) × 5" in texts(
        fit_figure(fit_numbers(result, "prefit", *arguments))
    )


def test_label_of_a_region_is_no_wider_than_its_panel() -> None:
    figure = new_figure(2.0, 2.0)
    axes = figure.add_subplot()
    long, short = axes.text(0.0, 0.5, "150 < m < 250 GeV, same sign"), axes.text(0.0, 0.2, "SS")
    size = short.get_size()
    for text in (long, short):
        shrink_to_fit(text, axes)
    assert 0.8 < long.get_window_extent().width / axes.get_window_extent().width < 0.92
    assert short.get_size() == size


def test_names_of_few_parameters_leave_room_for_the_header() -> None:
    header = {**HEADER, "label": "CMS Open Data", "energy": 13.0}
    numbers = {"names": ["mu", "a"], "matrix": [[1.0, 0.1], [0.1, 1.0]], "header": header}
    figure = correlation_figure({**numbers, "observable": "nn_score", "kind": "expected"})
    left, right = (item.get_window_extent() for item in figure.axes[0].texts[-2:])
    assert left.x1 < right.x0


@pytest.mark.parametrize(
    ("value", "sigma", "text"),
    [
        (0.9979, 0.0197, r"0.998 \pm 0.020"),
        (4.6, 5.68, r"4.60 \pm 5.68"),
        (0.0, 0.0, r"0.00 \pm 0.00"),
    ],
)
def test_results_on_figures_have_two_digits_of_the_uncertainty(
    value: float, sigma: float, text: str
) -> None:
    assert write_result(value, sigma) == text


@pytest.mark.parametrize(
    ("label", "energy", "left", "right"),
    [
        ("CMS Open Data", 8.0, r"$\bf{CMS}$ $\it{Open\ Data}$   Prefit", "2 fb$^{-1}$ (8 TeV)"),
        ("Taipan", None, r"$\bf{Taipan}$   Prefit", "2 fb$^{-1}$"),
        ("", 13.0, "   Prefit", "2 fb$^{-1}$ (13 TeV)"),
    ],
)
def test_header_claims_what_is_configured(
    label: str, energy: float | None, left: str, right: str
) -> None:
    axes = new_figure(4.0, 3.0).add_subplot()
    header = {"label": label, "luminosity": 2.0, "energy": energy}
    add_header(axes, axes, header, "Prefit")
    assert [text.get_text() for text in axes.texts] == [left, right]


def test_blinded_fit_shows_no_data() -> None:
    numbers = fitted("postfit", blinded=True)
    assert numbers["kind"] == "expected"
    assert all(panel["data"] is None for panel in numbers["panels"])
    assert "Data\n" not in texts(fit_figure(numbers)).replace("Data / pred.", "")


def test_unknown_region_and_sample_of_a_fit_are_named() -> None:
    config = make_config()
    arguments = (config.samples, config.regions, HEADER)
    result = fit_result()
    result["observed"]["prefit"]["signal"]["samples"]["WW"] = [1.0, 1.0]
    with pytest.raises(TaipanError, match="'WW' is not a sample"):
        fit_numbers(result, "prefit", SCORE, *arguments)
    result = fit_result()
    result["observed"]["prefit"]["top"] = {"samples": {}}
    with pytest.raises(TaipanError, match="'top' is not a region"):
        fit_numbers(result, "prefit", SCORE, *arguments)


def test_pulls_are_sorted_into_systematic_statistical_and_free() -> None:
    numbers = pull_numbers(fit_result(), HEADER)
    assert [item["name"] for item in numbers["systematic"]] == ["luminosity", "trigger"]
    assert [item["name"] for item in numbers["statistical"]] == ["staterror_signal[0]"]
    assert [item["name"] for item in numbers["free"]] == ["mu"]  # a frozen one is not
    figure = pull_figure(numbers)
    assert figure.axes[0].containers[0][0].get_xdata() == pytest.approx([-0.1, 0.3])
    assert "mu = −2.500 ± 1.500" in texts(figure)
    measured = {**fit_result(), "interests": {"mu": {"unit": "pb"}}}
    assert "mu = −2.500 ± 1.500 pb" in texts(pull_figure(pull_numbers(measured, HEADER)))


def test_parts_of_the_uncertainty_are_sorted_and_drawn_to_scale() -> None:
    result = fit_result()
    result["observed"]["breakdown"] = {"total": 1.5, "statistical": 0.9, "theory": 1.2}
    numbers = breakdown_numbers(result, HEADER)
    assert list(numbers["parts"]) == ["theory", "statistical"]
    figure = breakdown_figure(numbers)
    widths = [patch.get_width() for patch in figure.axes[0].patches]
    assert widths == [1.2, 0.9]
    assert figure.axes[0].lines[0].get_xdata()[0] == 1.5
    assert "total 1.5" in texts(figure)


def test_correlation_starts_with_the_parameter_of_interest() -> None:
    numbers = correlation_numbers(fit_result(), HEADER)
    assert numbers["names"] == ["mu", "luminosity", "trigger"]
    assert np.asarray(numbers["matrix"]) == pytest.approx(
        np.array([[1.0, 0.2, -0.4], [0.2, 1.0, 0.1], [-0.4, 0.1, 1.0]])
    )
    assert "−40" in texts(correlation_figure(numbers))


# --- systematics ---------------------------------------------------------------------------------


# --- training ------------------------------------------------------------------------------------


def verdict() -> dict[str, Any]:
    """Two folds: 10 training and 5 held-out events of each class, weight 1."""

    def histogram(counts: list[int]) -> dict[str, list[float]]:
        total = sum(counts)
        return {
            "sumw": [count / total for count in counts],
            "sumw2": [count / total**2 for count in counts],
        }

    def fold(index: int) -> dict[str, Any]:
        part = {"train": histogram([6, 4]), "held_out": histogram([2 + index, 3 - index])}
        roc = {
            "signal_efficiency": [0.0, 0.5, 1.0],
            "background_efficiency": [0.0, 0.1 + 0.1 * index, 1.0],
        }
        return {
            "fold": index,
            "auc": {key: {"value": 0.8 + 0.1 * index, "sigma": 0.1} for key in part},
            "histograms": {"background": part, "signal": part},
            "roc": dict.fromkeys(part, roc),
        }

    return {
        "passed": True,
        "edges": [0.0, 0.5, 1.0],
        "conditions": [
            {"name": f"{test}_probability_{name}", "fold": index, "value": 0.2 + 0.1 * index}
            for name in ("background", "signal")
            for index in (0, 1)
            for test in ("ks", "chi2")
        ],
        "folds": [fold(0), fold(1)],
    }


def test_score_errors_add_for_disjoint_events_and_not_for_shared_ones() -> None:
    numbers = score_numbers(verdict(), HEADER)
    signal = numbers["scores"]["signal"]
    assert signal["train"]["values"] == pytest.approx([0.6, 0.4])
    assert signal["train"]["sigma"] == pytest.approx(np.sqrt([6.0, 4.0]) / 10)
    # the ten held-out events of both folds, five in each bin
    assert signal["held_out"]["values"] == pytest.approx([0.5, 0.5])
    assert signal["held_out"]["sigma"] == pytest.approx(np.sqrt([5.0, 5.0]) / 10)
    assert numbers["smallest_ks"] == {"background": 0.2, "signal": 0.2}
    assert numbers["smallest_chi2"] == {"background": 0.2, "signal": 0.2}
    assert numbers["largest_gap"]["sigma"] == pytest.approx(0.1 * np.sqrt(2.0))
    ratio = score_figure(numbers).axes[1].containers[0]
    assert ratio[0].get_ydata() == pytest.approx([5 / 6, 5 / 4])


def test_roc_gives_mean_and_range_of_the_folds() -> None:
    numbers = roc_numbers(verdict(), HEADER)
    part = numbers["background_rejection"]["held_out"]
    assert part["mean"] == pytest.approx([1.0, 0.85, 0.0])
    assert (part["low"][1], part["high"][1]) == pytest.approx((0.8, 0.9))
    assert part["auc"] == pytest.approx(0.85)
    assert part["auc_spread"] == pytest.approx(0.1 / np.sqrt(2))
    assert roc_figure(numbers).axes[0].get_xlabel() == "Signal efficiency"


@pytest.mark.parametrize(("setting", "metric"), [("brier", "brier"), ("bounded_bce", "bce")])
def test_learning_curves_show_the_metric_that_stops_the_training(setting: str, metric: str) -> None:
    history = {
        f"{part}_{name}": [3.0, 2.0, 2.5]
        for part in ("train", "validation")
        for name in ("brier", "bce", "auc")
    }
    record = {
        "settings": {"early_stopping_metric": setting},
        "networks": [{"fold": 0, "network": 1, "best_epoch": 1, "history": history}],
    }
    numbers = learning_numbers(record, HEADER)
    assert numbers["metrics"] == [metric, "auc"]
    best = learning_figure(numbers).axes[0].lines[2]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (2, 2.0)  # epochs count from 1


# --- cutflow -------------------------------------------------------------------------------------


def cutflow() -> tuple[dict[str, Any], dict[str, Any]]:
    flow = {
        "Z": {
            "dataset": "Z",
            "cuts": [
                {"name": "all", "events": 100, "sumw": 60.0, "sumw2": 100.0},
                {"name": "pair", "events": 50, "sumw": 15.0, "sumw2": 50.0},
            ],
        }
    }
    scale = {"Z": {"is_data": False, "scale": 0.5, "generated_events": 100, "sumw": 60.0}}
    return flow, scale


def test_efficiency_is_in_signed_weights_not_events() -> None:
    flow, scale = cutflow()
    cuts = cutflow_numbers(flow, scale, HEADER)["datasets"]["Z"]["cuts"]
    assert [cut["name"] for cut in cuts] == ["all", "pair"]
    assert cuts[1]["efficiency"] == pytest.approx(0.25)
    assert cuts[1]["expected"] == pytest.approx(7.5)


def test_skimmed_input_starts_from_the_generated_events() -> None:
    flow, scale = cutflow()
    scale["Z"] |= {"generated_events": 1000, "sumw": 600.0}
    numbers = cutflow_numbers(flow, scale, HEADER)
    cuts = numbers["datasets"]["Z"]["cuts"]
    assert [cut["name"] for cut in cuts] == ["generated", "all", "pair"]
    assert [cut["efficiency"] for cut in cuts] == pytest.approx([1.0, 0.1, 0.025])
    assert "50 (2.5 %)" in texts(cutflow_figure(numbers))


def test_cutflow_without_normalisation_or_weight_is_refused() -> None:
    flow, scale = cutflow()
    with pytest.raises(TaipanError, match="dataset 'Z' is missing"):
        cutflow_numbers(flow, {}, HEADER)
    flow["Z"]["cuts"][0]["sumw"] = -1.0
    with pytest.raises(TaipanError, match="Σw of 'all' is -1, must be positive"):
        cutflow_numbers(flow, scale, HEADER)


# --- files ---------------------------------------------------------------------------------------


def test_a_figure_can_be_made_again_from_the_numbers_beside_it(tmp_path: Path) -> None:
    numbers = fitted("postfit")
    before = copy.deepcopy(numbers)
    save_figure(fit_figure(numbers), outputs(tmp_path), numbers)
    assert numbers == before
    again = read_json(tmp_path / "figure.json")
    save_figure(fit_figure(again), outputs(tmp_path, "again"), again)
    for kind in ("pdf", "png", "json"):
        first, second = tmp_path / f"figure.{kind}", tmp_path / f"again.{kind}"
        assert first.read_bytes() == second.read_bytes()


def test_bytes_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    program = (
        "import sys; from tests.unit.test_plotting import *;"
        "save_figure(fit_figure(fitted('postfit')), outputs(Path(sys.argv[1])), {})"
    )
    digests = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", program, str(folder)],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
        )
        files = [(folder / f"figure.{kind}").read_bytes() for kind in ("pdf", "png")]
        digests.append([hashlib.sha256(content).hexdigest() for content in files])
    assert digests[0] == digests[1]
    assert b"CreationDate" not in (tmp_path / "1/figure.pdf").read_bytes()


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match=r"figure\.json"):
        save_figure(new_figure(1.0, 1.0), outputs(tmp_path), {"value": float("nan")})


# --- texts of others -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["$", "a $x_{$", r"$\frac{$", r"$\nothing$", "cost 5$, 6$", "$$", "\x1b[31m", r"$\left($"],
)
def test_label_that_is_no_mathematics_is_drawn_as_it_is_written(text: str, tmp_path: Path) -> None:
    """It ended a run at its last figure, with a traceback."""
    outputs = {kind: tmp_path / f"f.{kind}" for kind in ("pdf", "png", "json")}
    with house_style():
        figure = new_figure(2, 2)
        axes = figure.add_subplot()
        axes.plot([0, 1], label=text)
        axes.set_xlabel(text)
        axes.set_title(f"{text} $m_{{vis}}$")
        figure.legend()
    save_figure(figure, outputs, [])
    shown = axes.get_xlabel()
    assert shown == text.replace("\x1b", r"\x1b")
    assert all(path.stat().st_size > 500 for kind, path in outputs.items() if kind != "json")


def test_label_with_mathematics_stays() -> None:
    figure = new_figure(2, 2)
    axes = figure.add_subplot()
    axes.set_xlabel(r"$m_{\tau\tau}$ (GeV)")
    make_printable(figure)
    assert axes.xaxis.label.get_parse_math()
    assert axes.get_xlabel() == r"$m_{\tau\tau}$ (GeV)"
