"""Impacts without refits, and a breakdown whose squares add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from taipan.inference.compile import compile_model
from taipan.inference.errors import FitError
from taipan.inference.fit import fit
from taipan.inference.impacts import choose_method, divide_variance, find_impacts, read_impacts
from tests.made_up_models import make_workspace

S, B, N = 100.0, 1000.0, 1150.0
SIZE = 0.05


def counting() -> dict[str, Any]:
    """One bin: n = μ·S + B·(1 + 0.05·θ), a parabola to first order in 1/B."""
    change = {"hi_data": [B * (1 + SIZE)], "lo_data": [B * (1 - SIZE)]}
    channel = {
        "name": "signal",
        "samples": [
            {
                "name": "S",
                "data": [S],
                "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
            },
            {
                "name": "B",
                "data": [B],
                "modifiers": [{"name": "theta", "type": "histosys", "data": change}],
            },
        ],
    }
    settings = {"poi": "mu", "parameters": [{"name": "mu", "bounds": [[-50.0, 50.0]]}]}
    return {
        "channels": [channel],
        "observations": [{"name": "signal", "data": [N]}],
        "measurements": [{"name": "m", "config": settings}],
        "version": "1.0.0",
    }


def test_counting_experiment_in_closed_form() -> None:
    """μ̂ = (n − B(1 + 0.05θ))/S: θ moves it by −0.5, n by √n/S."""
    model = compile_model(counting())
    best = fit(model, model.observed)
    (impact,) = read_impacts(model, best)
    assert impact.name == "theta"
    assert impact.prefit == pytest.approx((-SIZE * B / S, SIZE * B / S), rel=1e-6)
    assert impact.postfit == pytest.approx(impact.prefit, rel=1e-6)  # one bin measures no θ
    parts = divide_variance(model, best, {"background": [model.parameters.index("theta")]})
    assert parts["background"] == pytest.approx(SIZE * B / S, rel=1e-6)
    assert parts["statistical"] == pytest.approx(np.sqrt(N) / S, rel=1e-6)
    assert parts["total"] == pytest.approx(np.hypot(SIZE * B, np.sqrt(N)) / S, rel=1e-6)


def test_both_methods_agree_where_the_likelihood_is_nearly_a_parabola() -> None:
    """With 60 bins of many events they differ by a few per cent of the largest impact."""
    model = compile_model(make_workspace())
    data = model.asimov(model.nominal(1.0))
    best = fit(model, data)
    refits = {item.name: item for item in find_impacts(model, data, best, "refits")}
    largest = max(abs(item.postfit[0]) for item in refits.values())
    fast = find_impacts(model, data, best, "covariance")
    assert {item.name for item in fast} == set(refits)
    for item in fast:
        mean = 0.5 * (refits[item.name].postfit[0] - refits[item.name].postfit[1])
        assert item.postfit[0] == pytest.approx(mean, abs=0.03 * largest)
    everything = list(range(len(model.parameters.names)))
    constrained = [i for i in everything if model.parameters.constrained[i]]
    parts = divide_variance(model, best, {"all": constrained})
    assert parts["total"] == pytest.approx(best.sigma[model.poi], rel=1e-12)
    assert np.hypot(parts["all"], parts["statistical"]) == pytest.approx(parts["total"], rel=1e-12)


def test_unknown_method_is_named() -> None:
    assert choose_method("covariance") == "covariance"
    with pytest.raises(FitError, match=r"impacts: 'toys' is not a method \(refits, covariance\)"):
        choose_method("toys")
