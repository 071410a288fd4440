"""Injected signal strengths come back, with pulls of unit width and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from taipan.inference import compile_model, pseudo_experiments
from taipan.inference.batch import fit_many
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


def test_estimates_follow_the_injected_signal_strength(model):
    """A straight line of slope 1 through the origin, from 1,000 pseudo-experiments a strength."""
    rng = np.random.default_rng(SEED)
    strengths, n = np.array([0.0, 0.5, 1.0, 2.0]), 1000
    found = [pseudo_experiments(model, float(mu), n, rng)["mu_hat"] for mu in strengths]
    means = np.array([item.mean() for item in found])
    errors = np.array([item.std(ddof=1) for item in found]) / np.sqrt(n)
    (slope, offset), covariance = np.polyfit(strengths, means, 1, w=1.0 / errors, cov="unscaled")
    assert abs(slope - 1.0) < 3.0 * np.sqrt(covariance[0, 0])
    assert abs(offset) < 3.0 * np.sqrt(covariance[1, 1])
    assert np.square((means - slope * strengths - offset) / errors).sum() < 9.21  # 1 % of χ²(2)
    assert np.sqrt(covariance[0, 0]) < 0.1  # a slope that is 30 % off is seen


def test_pulls_of_all_constrained_parameters_are_unit_gaussians(model):
    """(estimate − truth)/σ, where the auxiliary measurements fluctuate around the truth.

    With auxiliary measurements that stay nominal a parameter that the data do not constrain does
    not move, and its pull has no width.
    """
    n = 1000
    truth = model.nominal(1.0)
    rng = np.random.default_rng(SEED)
    data = np.stack([draw_data(model, truth, rng) for _ in range(n)])
    fits = fit_many(model, data, truth)
    assert not fits.failures
    chosen = model.parameters.constrained & ~model.parameters.fixed
    free = ~model.parameters.fixed
    pulls = np.empty((n, int(chosen.sum())))
    for row in range(n):
        hessian = model.evaluate(fits.values[row], data[row])[2][np.ix_(free, free)]
        sigma = np.sqrt(np.diag(np.linalg.inv(hessian)))[chosen[free]]
        pulls[row] = (fits.values[row] - truth)[chosen] / sigma
    assert pulls.shape[1] > 30
    # the largest of 35 unit Gaussians is beyond 3.5 once in 60 samples
    assert np.abs(pulls.mean(axis=0)).max() < 3.5 / np.sqrt(n)
    assert np.abs(pulls.std(axis=0, ddof=1) - 1.0).max() < 3.5 / np.sqrt(2 * n)


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


@pytest.mark.parametrize("randomise", ["auxiliary", "parameters"])
def test_bias_is_that_of_maximum_likelihood_to_second_order(randomise, model):
    """Estimates of a model that is not linear are biased; by how much follows without toys.

    For independent sources of fluctuation the mean of a function of the data is, to second order,
    the sum over the sources of the mean at ±1σ. The sources are the counts of each bin, and each
    auxiliary measurement or, where that stays nominal, the true parameter. Then the expectation of
    the derivative of ln L at the truth is not zero, so that the bias is larger: 0.14 σ here.
    """
    n = 1000
    truth = model.nominal(1.0)
    data, nominal = [], model.asimov(truth)
    sources = [(b, float(np.sqrt(count))) for b, count in enumerate(model.expected(truth))]
    constrained = model.parameters.constrained & ~model.parameters.fixed
    for position, i in enumerate(model.auxiliary):
        if not constrained[i]:
            continue
        if randomise == "auxiliary":
            sources.append((model.n_bins + position, float(model.parameters.sigma[i])))
            continue
        for sign in (1.0, -1.0):
            values = truth + sign * model.parameters.sigma[i] * (np.arange(len(truth)) == i)
            data.append(np.concatenate([model.expected(values), nominal[model.n_bins :]]))
    for place, width in sources:
        data += [nominal + s * width * (np.arange(len(nominal)) == place) for s in (1.0, -1.0)]
    fits = fit_many(model, np.array(data), truth)
    shift = fits.values[:, model.poi] - 1.0
    toys = pseudo_experiments(model, 1.0, n, np.random.default_rng(SEED), randomise=randomise)
    found = toys["mu_hat"] - 1.0
    for values, expected in (
        (found, 0.5 * shift.sum()),
        (found / toys["sigma"], 0.5 * (shift / fits.sigma).sum()),
    ):
        assert abs(values.mean() - expected) < 3.0 * values.std(ddof=1) / np.sqrt(n)
    pull = found / toys["sigma"]
    assert abs(pull.mean()) < (3.0 / np.sqrt(n) if randomise == "auxiliary" else 0.25)
    assert pull.std(ddof=1) == pytest.approx(1.0, abs=3 / np.sqrt(2 * n))


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
