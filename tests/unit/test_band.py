"""The band of a control plot is that of the model of a fit, which a control plot has not."""

from __future__ import annotations

from typing import Any

import hist
import numpy as np
import pytest

from taipan.config.model import Config
from taipan.estimates.base import EstimatePart, FactorChange
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.variations import template_variations
from taipan.inference.compile import compile_model
from taipan.inference.yields import prefit_yields
from taipan.likelihood.workspace import build_workspace
from taipan.templates.band import control_variations, find_band_sources, measure_band
from tests.made_up_estimates import measured
from tests.synthetic_templates import (
    EDGES,
    SAMPLES,
    TRANSFER,
    make_config,
    make_histogram,
    settings,
)


def configure(**changes: Any) -> Config:
    """Give the synthetic analysis without pruning, some of its systematics changed."""
    systematics = settings()["systematics"]
    for name, keys in changes.items():
        systematics[name] = {**systematics.get(name, {}), **keys}
    nothing = {"prune_rate": 0.0, "prune_shape": 0.0}
    return make_config(systematics=systematics, templates=nothing)


def estimate_of(config: Config) -> MeasuredEstimate:
    return measured(config.samples, TRANSFER["value"], TRANSFER["relative_uncertainty"])


def total_of_model(config: Config, region: str) -> np.ndarray:
    """Uncertainty of the model of the fit before the fit, shape (n,)."""
    bins = {name: range(len(EDGES) - 1) for name in ("signal", "w_control")}
    workspace, _ = build_workspace(make_histogram(), config, "nn_score", TRANSFER, bins=bins)
    model = compile_model(workspace)
    found = prefit_yields(model, model.observed, {region: EDGES})
    return np.asarray(found[region]["total_sigma"])


def total_of_band(histogram: hist.Hist, config: Config, region: str) -> np.ndarray:
    """Statistical and systematic uncertainty of the prediction, shape (n,)."""
    band = measure_band(histogram, region, config, estimate_of(config))
    cut = histogram[{"region": hist.loc(region), "variation": hist.loc("nominal")}]
    statistics = np.sum([cut[{"process": hist.loc(name)}].variances() for name in SAMPLES], axis=0)
    return np.sqrt(np.square(band) + statistics)


CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "a parameter for each sample": {
        "jet_energy_scale": {"decorrelate": ["sample"]},
        "luminosity": {"decorrelate": ["sample"]},
    },
    "yield and shape apart": {"tau_energy_scale": {"decorrelate": ["shape"]}},
    "large": {"tau_fake_rate": {"size": 0.5}},
    "of one region": {"pileup": {"regions": ["signal"]}, "luminosity": {"regions": ["signal"]}},
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_band_is_that_of_the_model(what: str) -> None:
    config = configure(**CHANGES[what])
    found = total_of_band(make_histogram(), config, "signal")
    assert found == pytest.approx(total_of_model(config, "signal"), rel=0.02)


def test_systematics_of_one_source() -> None:
    """A rate of 10 % of a simulated sample alone; nothing else is uncertain."""
    config = make_config(
        systematics={"tt": {"kind": "rate", "size": 0.1, "samples": ["TT"], "regions": ["signal"]}}
    )
    histogram, factor = make_histogram(), TRANSFER["value"]
    estimate = measured(config.samples, factor, 1e-9)
    values = histogram.values()
    row = list(SAMPLES).index("TT")
    expected = 0.1 * np.abs(values[row, 0, 0] - factor * values[row, 2, 0])  # is subtracted, too
    assert measure_band(histogram, "signal", config, estimate) == pytest.approx(expected, rel=1e-5)
    assert not measure_band(histogram, "w_control", config, estimate).max() > 1e-4


def test_factor_of_the_estimate() -> None:
    config = make_config(systematics={})
    histogram = make_histogram()
    qcd = histogram.values()[list(SAMPLES).index("QCD"), 1, 0]
    found = measure_band(histogram, "w_control", config, estimate_of(config))
    assert found == pytest.approx(TRANSFER["relative_uncertainty"] * np.abs(qcd))


def test_rate_of_the_estimate_is_that_of_what_is_left() -> None:
    config = make_config(systematics={"qcd": {"kind": "rate", "size": 0.4, "samples": ["QCD"]}})
    histogram = make_histogram()
    qcd = histogram.values()[list(SAMPLES).index("QCD"), 0, 0]
    found = measure_band(histogram, "signal", config, measured(config.samples, 1.06, 1e-9))
    assert found == pytest.approx(0.4 * np.abs(qcd), rel=1e-5)


def test_parts_of_an_estimate_share_their_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts with one parameter add up before they are squared; one acts on simulation alone."""
    config = make_config(systematics={})
    histogram, estimate = make_histogram(), estimate_of(config)
    parts = (
        EstimatePart("ss_signal", 2.0, {"a": FactorChange.of_size(0.1)}),
        EstimatePart(
            "ss_w_control",
            3.0,
            {"a": FactorChange.of_size(0.2), "b": FactorChange((1.0, 1.0), (1.5, 0.9), 0.5)},
        ),
    )
    monkeypatch.setattr(MeasuredEstimate, "parts", lambda self, region: parts)
    values = histogram.values()
    data, simulated = values[-1, :, 0], values[:-1, :, 0].sum(axis=0)
    shared = 2.0 * 0.1 * (data[2] - simulated[2]) + 3.0 * 0.2 * (data[3] - simulated[3])
    alone = -3.0 * 0.5 * (1.5 - 0.9) * simulated[3]
    found = measure_band(histogram, "signal", config, estimate)
    assert found == pytest.approx(np.hypot(shared, alone))


def test_the_band_says_what_is_in_it() -> None:
    residual = {"kind": "control_residual", "region": "w_control", "samples": ["W"]}
    config = configure(residual=residual, w_extrapolation={"regions": ["signal"]})
    signal = find_band_sources("signal", config, estimate_of(config))
    assert {"luminosity", "pileup", "w_extrapolation", "qcd_os_ss"} <= set(signal.systematics)
    assert signal.left_out == ("residual",)
    control = find_band_sources("w_control", config, estimate_of(config))
    assert "w_extrapolation" not in control.systematics
    others = control_variations(template_variations(config.systematics, config.samples))
    assert {item.name for item in others} >= {"pileup_up", "tau_energy_scale_down"}
    assert "residual_up" not in {item.name for item in others}


def test_regions_without_variations_have_statistics_alone() -> None:
    regions = {**settings()["regions"], "aside": {"cut": "mt > 200"}}
    config = make_config(regions=regions)
    sources = find_band_sources("aside", config, estimate_of(config))
    assert sources.systematics == ()
    assert sources.left_out == ()
    histogram = make_histogram()
    assert not measure_band(histogram, "aside", config, estimate_of(config)).any()
