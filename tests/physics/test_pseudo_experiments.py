"""Injected signal strengths come back, with pulls of unit width and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from taipan.inference import compile_model, pseudo_experiments
from taipan.inference.toys import draw_data
from taipan.likelihood import build_workspace
from tests.synthetic_templates import TRANSFER, make_config, make_histogram

N = 200
SEED = 20120704
"""The seed of the default configuration."""


@pytest.fixture(scope="module")
def model():
    workspace, _ = build_workspace(make_histogram(), make_config(), "nn_score", TRANSFER)
    return compile_model(workspace)


@pytest.mark.parametrize("mu", [0.0, 0.5, 1.0, 2.0])
def test_injected_signal_strength_is_recovered(mu, model):
    toys = pseudo_experiments(model, mu, N, np.random.default_rng(SEED))
    assert np.isfinite(toys["mu_hat"]).all()
    mean, spread = toys["mu_hat"].mean(), toys["mu_hat"].std(ddof=1)
    assert abs(mean - mu) < 2 * spread / np.sqrt(N)
    pull = (toys["mu_hat"] - mu) / toys["sigma"]
    # the standard deviation of a normal sample is known to 1/√(2N) = 4 %
    assert pull.std(ddof=1) == pytest.approx(1.0, abs=3 / np.sqrt(2 * N))
    assert spread == pytest.approx(toys["sigma"].mean(), rel=3 / np.sqrt(2 * N))


def test_profile_interval_covers(model):
    """1,000 pseudo-experiments: the interval covers as stated, one shrunk by 0.7 does not."""
    n, level = 1000, 0.6827
    toys = pseudo_experiments(model, 1.0, n, np.random.default_rng(SEED), intervals=True)
    allowed = 2 * np.sqrt(level * (1 - level) / n)
    assert abs(((toys["low"] <= 1.0) & (toys["high"] >= 1.0)).mean() - level) < allowed
    assert (toys["low"] < toys["mu_hat"]).all()
    assert (toys["high"] > toys["mu_hat"]).all()
    low, high = (toys["mu_hat"] + 0.7 * (toys[end] - toys["mu_hat"]) for end in ("low", "high"))
    assert abs(((low <= 1.0) & (high >= 1.0)).mean() - level) > allowed


def test_true_nuisances_away_from_nominal_bias_little(model):
    """True nuisances drawn from their constraints: the response is not linear, hence a bias."""
    toys = pseudo_experiments(model, 1.0, 1000, np.random.default_rng(SEED), randomise="parameters")
    pull = (toys["mu_hat"] - 1.0) / toys["sigma"]
    assert abs(pull.mean()) < 0.25
    assert pull.std(ddof=1) == pytest.approx(1.0, abs=3 / np.sqrt(2000))


def test_same_seed_same_experiments(model):
    first, second = (pseudo_experiments(model, 1.0, 5, np.random.default_rng(3)) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("randomise", ["auxiliary", "parameters"])
def test_what_is_randomised(randomise, model):
    rng = np.random.default_rng(11)
    truth = model.nominal(1.0)
    draws = np.stack([draw_data(model, truth, rng, randomise) for _ in range(2000)])
    auxiliary = draws[:, model.n_bins :]
    expected = model.expected_auxiliary(truth)
    if randomise == "parameters":
        assert (auxiliary == expected).all()
    else:
        sigma = model.parameters.sigma[model.auxiliary]
        pulls = (auxiliary - expected) / sigma
        np.testing.assert_allclose(pulls.mean(axis=0), 0.0, atol=4 / np.sqrt(2000))
        np.testing.assert_allclose(pulls.std(axis=0), 1.0, atol=4 / np.sqrt(4000))
    counts, rates = draws[:, : model.n_bins], model.expected(truth)
    variance = rates.copy()
    if randomise == "parameters":
        jacobian = model.jacobian(truth)
        variance += np.einsum("bi,i,bi->b", jacobian, model.parameters.sigma**2, jacobian)
    np.testing.assert_allclose(counts.std(axis=0), np.sqrt(variance), rtol=0.08)
    assert (counts == np.round(counts)).all()
