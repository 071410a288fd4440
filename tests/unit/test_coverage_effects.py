"""Slopes of pseudo-data beside those of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from taipan.coverage.effects import LEAST_P_VALUE, Effect, measure_effects
from taipan.inference import CompiledModel, compile_model

NUMBER = 2000


def make_workspace() -> dict[str, Any]:
    """Signal over a background with a rate (10 %) and a shape that raises the last bin."""
    background = {
        "name": "background",
        "data": [400.0, 200.0, 100.0],
        "modifiers": [
            {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
            {
                "name": "slope",
                "type": "histosys",
                "data": {"hi_data": [390.0, 200.0, 110.0], "lo_data": [410.0, 200.0, 90.0]},
            },
        ],
    }
    signal = {
        "name": "signal",
        "data": [5.0, 10.0, 40.0],
        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
    }
    return {
        "channels": [{"name": "signal", "samples": [signal, background]}],
        "observations": [{"name": "signal", "data": [405.0, 210.0, 140.0]}],
        "measurements": [{"name": "fit", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def measure(model: CompiledModel, drawn: tuple[str, ...]) -> dict[str, Effect]:
    """Draw pseudo-data in which only some systematics act, and compare the slopes."""
    rng = np.random.default_rng(4)
    truths, counts = [], []
    for _ in range(NUMBER):
        pulls = {"rate": float(rng.normal()), "slope": float(rng.normal())}
        values = model.nominal(mu := float(rng.uniform(0.0, 3.0)))
        for name in drawn:
            values[model.parameters.index(name)] = pulls[name]
        truths.append({"mu": mu, "pulls": pulls, "factors": {}, "others": {}})
        counts.append(rng.poisson(model.expected(values)))
    owners = {"rate": "rate", "slope": "slope"}
    return {item.name: item for item in measure_effects(model, np.array(counts), truths, owners)}


def test_slopes_of_the_model_come_back() -> None:
    model = compile_model(make_workspace())
    for effect in measure(model, ("rate", "slope")).values():
        assert effect.found == pytest.approx(effect.expected, abs=4.0 * effect.error)
        assert effect.p_value > LEAST_P_VALUE
        assert effect.ndf == 3


def test_effect_is_what_the_change_moves_the_estimate_by() -> None:
    model = compile_model(make_workspace())
    effect = measure(model, ("rate", "slope"))["slope"]
    # by hand: F⁻¹ of (mu, rate, slope) at mu = 1, its first row times J·Δ/n
    signal, shape = np.array([5.0, 10.0, 40.0]), np.array([-10.0, 0.0, 10.0])
    rate = np.array([400.0, 200.0, 100.0]) * 0.5 * np.log(1.1 / 0.9)
    slopes, total = np.array([signal, rate, shape]), np.array([405.0, 210.0, 140.0])
    covariance = np.linalg.inv((slopes / total) @ slopes.T + np.diag([0.0, 1.0, 1.0]))
    expected = covariance[0] @ (slopes / total) @ shape / np.sqrt(covariance[0, 0])
    assert effect.expected == pytest.approx(expected, rel=5e-3)


def test_systematic_that_moves_no_pseudo_event_is_found() -> None:
    found = measure(compile_model(make_workspace()), ("rate",))["slope"]
    assert found.found == pytest.approx(0.0, abs=4.0 * found.error)
    assert abs(found.expected) > 10.0 * found.error
    assert found.p_value < LEAST_P_VALUE


def test_too_few_pseudo_experiments_have_no_slopes() -> None:
    model = compile_model(make_workspace())
    truth = {"mu": 1.0, "pulls": {"rate": 0.0, "slope": 0.5}, "factors": {}, "others": {}}
    assert measure_effects(model, np.ones((7, 3)), [truth] * 7, {}) == []
