"""Significance and limit of random models against MINUIT on a likelihood of its own."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pyhf
import pytest
from scipy.stats import norm

from taipan.inference import FitError, compile_model
from taipan.inference.profile import Profile, significance, upper_limit
from tests.histfactory_oracle import NOWHERE, Oracle
from tests.random_models import make_random_workspace

# benchmarks/random_models.py compares 2,000.
PARTS, MODELS = 8, 40


def test_oracle_is_pyhfs_likelihood():
    rng = np.random.default_rng(3)
    compared = 0
    for _ in range(60):
        workspace = make_random_workspace(rng)
        oracle = Oracle(workspace)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = pyhf.Workspace(workspace).model()
            data = pyhf.Workspace(workspace).data(model)
            values = rng.normal(oracle.start, 0.1)
            place = {name: i for i, name in enumerate(oracle.names)}
            order = [place[name] for name in model.config.par_names]
            theirs = -float(model.logpdf(values[order], data)[0])
            rates = model.expected_actualdata(values[order])
        if (rates <= 0.0).any():
            continue
        compared += 1
        constants = sum(not np.isfinite(w) or w <= 0.0 for _, w in oracle.gammas)
        assert constants == 0
        assert oracle.nll(values) == pytest.approx(theirs, rel=1e-9)
    assert compared > 40


@pytest.mark.parametrize("part", range(PARTS))
def test_random_models_agree_with_minuit_or_are_refused_by_name(part):
    logging.disable(logging.CRITICAL)  # undone by the fixture own_logger
    refused = compare_models(np.random.default_rng([7, part]), MODELS)
    assert all("\n" not in message for message in refused)
    assert len(refused) <= 0.06 * MODELS, refused


def compare_models(rng, models):
    """Compare so many models; give the messages of those that are refused but have a likelihood."""
    refused = []
    for _ in range(models):
        workspace = make_random_workspace(rng)
        try:
            check_model(workspace, rng)
        except FitError as error:
            if str(error).endswith("so it is infinite"):
                check_background_is_impossible(workspace, rng)
            else:
                refused.append(str(error))
    return refused


def check_background_is_impossible(workspace, rng):
    """No nuisance parameters are found for which the likelihood without signal is not zero."""
    oracle = Oracle(workspace)
    for pull in (0.0, *[1.5] * 50):
        values = np.array(oracle.start)
        values[oracle.alphas] = pull * rng.normal(size=len(oracle.alphas))
        values[oracle.names.index("mu")] = 0.0
        assert oracle.nll(values) >= NOWHERE


def check_model(workspace, rng):
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    z, _ = significance(profile)
    limit = upper_limit(profile, 0.95)
    reference = Reference(Oracle(workspace), model, rng)
    null_values, _ = profile.conditional(0.0)
    free = reference.lowest(profile.best.values, profile.best.nllr, model.observed)
    null = reference.lowest(*profile.conditional(0.0), model.observed, mu=0.0)
    at = reference.lowest(*profile.conditional(limit.observed), model.observed, mu=limit.observed)
    expected = np.sqrt(max(2.0 * (null - free), 0.0)) if profile.mu_hat > 0.0 else 0.0
    assert z == pytest.approx(expected, rel=1e-3, abs=2e-3)
    asimov = model.asimov(null_values)
    truth = reference.lowest(null_values, 0.0, asimov, mu=0.0)
    found = Profile(model, asimov).conditional(limit.observed)
    q = max(2.0 * (at - (null if profile.mu_hat < 0.0 else free)), 0.0)
    q_asimov = 2.0 * (reference.lowest(*found, asimov, mu=limit.observed) - truth)
    root_q, root_a = np.sqrt(q), np.sqrt(q_asimov)
    shift = root_q - root_a if root_q <= root_a else (q - q_asimov) / (2.0 * root_a)
    # near the limit CLs falls faster than 1/μ, so this holds the limit to 10⁻³
    assert norm.sf(shift + root_a) / norm.sf(shift) == pytest.approx(0.05, rel=2e-3)


class Reference:
    """MINUIT from several starts; it must not get below what Taipan found."""

    def __init__(self, oracle, model, rng):
        self.oracle, self.model, self.rng = oracle, model, rng
        self.place = [model.parameters.names.index(n) for n in oracle.names]

    def lowest(self, values, nllr, data, *, mu=None):
        """−ln L of the deepest minimum; `values` and `nllr` are what Taipan found."""
        oracle, here = self.oracle, values[self.place]
        counts = data[: self.model.n_bins]
        # the only auxiliary measurements are those of α and γ, by parameter
        centre = np.array(oracle.start)
        measured = dict(zip(self.model.auxiliary, data[self.model.n_bins :], strict=True))
        for i, place in enumerate(self.place):
            centre[i] = measured.get(place, centre[i])
        nll = nllr + float(self.model.saturated_nll(data[None])[0])
        assert oracle.nll(here, counts, centre) == pytest.approx(nll, abs=1e-5)
        flipped, random = here.copy(), here.copy()
        flipped[oracle.alphas] *= -1.0
        random[oracle.alphas] = self.rng.normal(0.0, 1.5, len(oracle.alphas))
        starts = [np.array(oracle.start), flipped, random]
        found = oracle.minimise(mu=mu, counts=counts, centre=centre, starts=starts)
        assert nll < found + 1e-4
        return min(found, nll)
