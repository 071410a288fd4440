"""Gradients in reverse mode, and fits that share one matrix, against the exact derivatives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from taipan.inference.batch import fit_many
from taipan.inference.chord import MAX_CHORDS, Metric, follow_chords
from taipan.inference.compile import compile_model
from taipan.inference.fit import fit
from taipan.inference.minima import find_minimum
from taipan.inference.minimise import MAX_EDM, newton_step
from taipan.inference.model import CompiledModel
from taipan.inference.stacked import descend_many
from tests.made_up_models import make_workspace

Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return compile_model(make_workspace(norms=8, shapes=9, regions=2, bins=8))


def draw(model: CompiledModel, rows: int, width: float = 0.7) -> Array:
    parameters = model.parameters
    unit = np.where(parameters.sigma > 0, parameters.sigma, 0.2) * ~parameters.fixed
    noise = np.random.default_rng(3).normal(size=(rows, len(unit)))
    return np.asarray(parameters.initial + width * unit * noise)


def test_yields_and_gradient_are_those_of_all_slopes(model: CompiledModel) -> None:
    values = draw(model, 5)
    weights = np.random.default_rng(4).normal(size=(5, model.n_bins))
    rates, forward, usable = model.gradients.evaluate(values)
    assert usable.all()
    np.testing.assert_allclose(rates, model.yields.total(values), rtol=1e-13)
    slopes = model.yields.derivatives(values).slopes
    expected = (slopes @ weights[:, :, None])[:, :, 0]
    found = model.gradients.pull_back(forward, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-10 * np.abs(expected).max())


def test_gradient_of_sparse_shapes_is_the_same() -> None:
    """Shapes that act on one sample of one of many regions are kept as sparse matrices."""
    model = compile_model(make_workspace(norms=2, shapes=4, regions=8, bins=3))
    workspace = make_workspace(norms=2, shapes=4, regions=8, bins=3)
    for place, channel in enumerate(workspace["channels"]):
        for sample in channel["samples"]:
            kept = [m for m in sample["modifiers"] if m["type"] != "histosys" or place == 0]
            sample["modifiers"] = kept
    sparse = compile_model(workspace)
    assert not isinstance(sparse.gradients.entries.up, np.ndarray)
    assert isinstance(model.gradients.entries.up, np.ndarray)
    values = draw(sparse, 3)
    weights = np.ones((3, sparse.n_bins))
    _, forward, _ = sparse.gradients.evaluate(values)
    expected = sparse.yields.derivatives(values).slopes.sum(axis=2)
    found = sparse.gradients.pull_back(forward, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-9)


def test_factor_below_zero_is_left_to_the_exact_yields() -> None:
    """A polynomial between factors 12 and 1/12 dips below zero, where it has no logarithm."""
    workspace = make_workspace(norms=3, shapes=1, regions=1, bins=3)
    for sample in workspace["channels"][0]["samples"]:
        for modifier in sample["modifiers"]:
            if modifier["type"] == "normsys" and modifier["name"] == "norm001":
                modifier["data"] = {"hi": 1.001, "lo": 400.0}
    model = compile_model(workspace)
    values = np.repeat(model.nominal(1.0)[None], 41, axis=0)
    values[:, model.parameters.index("norm001")] = np.linspace(0.0, 1.0, 41)
    rates, _, usable = model.gradients.evaluate(values)
    assert not usable.all()
    assert usable.any()
    exact = model.yields.total(values)
    assert not np.allclose(rates, exact)
    np.testing.assert_allclose(model.rates(values), exact, rtol=1e-12)


def test_metric_holds_what_each_row_holds() -> None:
    """The inverse of the matrix of the others, by its closed form."""
    rng = np.random.default_rng(5)
    root = rng.normal(size=(6, 9))
    matrix, gradient = root @ root.T, rng.normal(size=(3, 6))
    held = np.zeros((3, 6), dtype=np.bool_)
    held[:, 5] = True
    held[1, 2] = held[2, 0] = held[2, 3] = True
    found = Metric(matrix, held).apply(np.arange(3), gradient)
    for row in range(3):
        free = ~held[row]
        expected = np.linalg.solve(matrix[np.ix_(free, free)], gradient[row, free])
        np.testing.assert_allclose(found[row, free], expected, rtol=1e-9)
        assert not found[row, ~free].any()


@pytest.mark.parametrize("offset", [0.3, 1.0])
def test_chords_end_at_the_minima(model: CompiledModel, offset: float) -> None:
    """Every parameter held in turn: converged, and no Newton step is left to take."""
    best = fit(model, model.observed)
    moving = np.flatnonzero(best.sigma > 0)
    start = np.repeat(best.values[None], len(moving), axis=0)
    place = np.arange(len(moving))
    start[place, moving] += offset * best.sigma[moving]
    held = np.broadcast_to(model.parameters.fixed, start.shape).copy()
    held[place, moving] = True
    data = np.broadcast_to(model.observed, (len(start), len(model.observed)))
    found = follow_chords(model, data, start, held)
    assert found.converged.all()
    np.testing.assert_array_equal(found.values[held], start[held])
    nllr, gradient, hessian = model.evaluate_many(found.values, data)
    np.testing.assert_allclose(found.nllr, nllr, atol=1e-9)
    # with μ held the likelihood still rises along it; else it is at its minimum
    slope = found.slope * best.sigma[model.poi]
    np.testing.assert_allclose(slope, gradient[:, model.poi] * best.sigma[model.poi], atol=1e-4)
    is_poi = moving == model.poi
    assert (np.abs(slope) > 0.1 * offset).tolist() == is_poi.tolist()
    for row in range(len(start)):
        step, damped = newton_step(hessian[row], gradient[row], ~held[row])
        assert not damped
        assert abs(gradient[row] @ step) < MAX_EDM


def test_fits_of_toys_are_those_of_newton(model: CompiledModel, monkeypatch: Any) -> None:
    """Estimates to 10⁻⁵ σ, and the same σ, with the chords switched off."""
    rng = np.random.default_rng(6)
    truth = model.nominal(1.0)
    data = np.repeat(model.asimov(truth)[None], 12, axis=0)
    data[:, : model.n_bins] = rng.poisson(data[:, : model.n_bins])
    held = np.broadcast_to(model.parameters.fixed, (12, len(truth)))
    start = np.repeat(truth[None], 12, axis=0)
    found = descend_many(model, data, start, held)
    monkeypatch.setattr("taipan.inference.chord.MAX_CHORDS", 0)
    assert MAX_CHORDS > 0
    exact = descend_many(model, data, start, held)
    assert found.converged.all()
    assert exact.converged.all()
    np.testing.assert_allclose(found.sigma, exact.sigma, rtol=1e-5)
    away = np.abs(found.values - exact.values)[:, model.poi] / exact.sigma
    assert away.max() < 1e-5
    np.testing.assert_allclose(found.nllr, exact.nllr, atol=1e-9)


def test_point_between_two_minima_is_none() -> None:
    """Up and down are the same, and the data far away: θ = 0 has no slope, but is a ridge."""
    both = {"hi_data": [130.0, 105.0], "lo_data": [130.0, 105.0]}
    samples = [
        {
            "name": "S",
            "data": [50.0, 5.0],
            "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
        },
        {
            "name": "B",
            "data": [100.0, 100.0],
            "modifiers": [{"name": "theta", "type": "histosys", "data": both}],
        },
    ]
    model = compile_model(
        {
            "channels": [{"name": "r", "samples": samples}],
            "observations": [{"name": "r", "data": [150.0, 105.0]}],
            "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
            "version": "1.0.0",
        }
    )
    strengths = np.array([0.0, 0.3, 0.5])
    start = np.stack([model.nominal(mu) for mu in strengths])
    held = np.zeros(start.shape, dtype=np.bool_)
    held[:, model.poi] = True
    fits = fit_many(model, model.observed, start, fixed=held, sigma=False)
    expected = [
        find_minimum(model, model.observed, fixed={model.poi: float(mu)}).nll for mu in strengths
    ]
    np.testing.assert_allclose(fits.nllr, expected, atol=1e-6)
    assert 2.0 * fits.nllr[0] == pytest.approx(2.44, abs=0.01)  # 21.9 on the ridge


def test_held_value_outside_the_bounds_is_kept(model: CompiledModel) -> None:
    lower = model.parameters.lower.copy()
    lower[model.poi] = 0.5
    bounded = replace(model, parameters=replace(model.parameters, lower=lower))
    start = model.nominal(0.4)
    held = np.zeros(len(start), dtype=np.bool_)
    held[model.poi] = True
    found = follow_chords(bounded, model.observed[None], start[None], held[None])
    assert found.converged.all()
    assert found.values[0, model.poi] == 0.4
    nllr, _, _ = model.evaluate(found.values[0], model.observed)
    assert found.nllr[0] == pytest.approx(nllr, abs=1e-8)


def test_no_chord_where_a_parameter_acts_on_nothing(model: CompiledModel) -> None:
    """The matrix is singular, so the fit is left to Newton's method."""
    start = model.nominal(0.0)[None]
    held = np.zeros((1, start.shape[1]), dtype=np.bool_)
    matrix = np.eye(start.shape[1])
    matrix[3, 3] = 0.0
    with pytest.raises(np.linalg.LinAlgError, match="acts on nothing"):
        Metric(matrix, held)
