"""Impacts and uncertainties of yields of one bin, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from taipan.inference.compile import compile_model
from taipan.inference.fit import fit
from taipan.inference.impacts import rank_parameters
from taipan.inference.model import CompiledModel
from taipan.inference.yields import prefit_yields


def one_bin(modifier: dict[str, Any]) -> CompiledModel:
    """Signal 10, background 50 with a modifier, data 80."""
    strength = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": [10.0], "modifiers": [strength]},
        {"name": "background", "data": [50.0], "modifiers": [modifier]},
    ]
    parameters = [{"name": "mu", "bounds": [[-10.0, 20.0]], "inits": [1.0]}]
    return compile_model(
        {
            "channels": [{"name": "region", "samples": samples}],
            "observations": [{"name": "region", "data": [80.0]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
            "version": "1.0.0",
        }
    )


def test_impact_is_the_change_of_the_signal_strength() -> None:
    """μ̂ = 3. With 55 or 45 background events it is 2.5 or 3.5; one bin constrains nothing."""
    rate = {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    model = one_bin(rate)
    best = fit(model, model.observed)
    assert best.values[model.poi] == pytest.approx(3.0, abs=1e-4)
    (impact,) = rank_parameters(model, model.observed, best)
    assert impact.name == "rate"
    assert impact.prefit == pytest.approx((-0.5, 0.5), abs=1e-3)
    assert impact.postfit == pytest.approx((-0.5, 0.5), abs=1e-3)


def test_uncertainty_before_the_fit_is_that_of_the_simulation() -> None:
    """60 ± 5 events at μ = 1: the parameter of the statistics has a width of 0.1, not of 1."""
    model = one_bin({"name": "staterror_region", "type": "staterror", "data": [5.0]})
    found = prefit_yields(model, model.observed, {"region": [0.0, 1.0]})["region"]
    assert found["total"] == pytest.approx([60.0])
    assert found["total_sigma"] == pytest.approx([5.0])
    assert found["sum_sigma"] == pytest.approx(5.0)
    assert found["samples"] == {
        "signal": pytest.approx([10.0]),
        "background": pytest.approx([50.0]),
    }
