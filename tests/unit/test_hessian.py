"""Second derivatives from sums over groups, against products over all entries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from taipan.inference import hessian as module
from taipan.inference.compile import compile_model
from taipan.inference.model import CompiledModel
from tests.made_up_models import make_workspace

Array = npt.NDArray[np.float64]


def make_sparse() -> dict[str, Any]:
    """Shapes in one of six regions only, and two parameters that multiply the same entries."""
    workspace = make_workspace(norms=3, shapes=5, regions=6, bins=4)
    for place, channel in enumerate(workspace["channels"]):
        for sample in channel["samples"]:
            kept = [m for m in sample["modifiers"] if m["type"] != "histosys" or place == 0]
            sample["modifiers"] = kept
            if sample["name"] == "bkg1":
                kept.append({"name": "free", "type": "normfactor", "data": None})
    return workspace


@pytest.fixture(scope="module", params=["dense", "sparse"])
def model(request: pytest.FixtureRequest) -> CompiledModel:
    is_sparse = request.param == "sparse"
    dense = make_workspace(norms=8, shapes=9, regions=2, bins=5)
    return compile_model(make_sparse() if is_sparse else dense)


def draw(model: CompiledModel, rows: int) -> Array:
    parameters = model.parameters
    unit = np.where(parameters.sigma > 0, parameters.sigma, 0.2) * ~parameters.fixed
    noise = np.random.default_rng(3).normal(size=(rows, len(unit)))
    return np.asarray(parameters.initial + 0.7 * unit * noise)


def test_shapes_of_a_few_entries_are_sparse(model: CompiledModel) -> None:
    is_sparse = len(model.regions) == 6
    assert isinstance(model.hessians.entries.up, np.ndarray) is not is_sparse


def test_likelihood_and_derivatives_are_those_of_all_entries(
    model: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, data = draw(model, 4), np.repeat(model.observed[None], 4, axis=0)
    wanted = model.evaluate_many(values, data)
    monkeypatch.setattr(module, "LARGE", 0)
    assert model.hessians.is_faster
    for found, expected in zip(model.evaluate_many(values, data), wanted, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12 * scale)


def test_bend_is_the_block_of_the_curvature(model: CompiledModel) -> None:
    yields, (values,) = model.yields, draw(model, 1)
    weights = np.random.default_rng(5).normal(size=model.n_bins)
    found = model.hessians.bend(values, weights)
    whole = yields.weighted_curvature(yields.derivatives(values[None]), values[None], weights[None])
    assert found is not None
    expected = whole[0][np.ix_(yields.alphas, yields.alphas)]
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12 * np.abs(expected).max())


def test_factor_that_is_not_positive_is_left_to_all_entries(
    model: CompiledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polynomials of large steps may fall below zero; logarithms do not exist there."""
    (values,) = draw(model, 1)
    wanted = model.evaluate(values, model.observed)
    norm = model.yields._norm

    def flipped(alpha: Array) -> tuple[Array, ...]:
        return tuple(-item for item in norm(alpha))

    monkeypatch.setattr(module, "LARGE", 0)
    hessians = module.Hessians(replace(model.yields, _norm=flipped), model.hessians.entries)
    assert hessians.evaluate(values) is None
    assert hessians.bend(values, np.ones(model.n_bins)) is None
    found = replace(model, hessians=hessians).evaluate(values, model.observed)
    np.testing.assert_allclose(found[2], wanted[2], rtol=1e-12, atol=1e-9)
