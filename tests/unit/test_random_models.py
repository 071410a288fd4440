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
from tests.histfactory_oracle import Oracle
from tests.random_models import make_random_workspace

PARTS = 8
MODELS = 2000


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
    logging.disable(logging.CRITICAL)
    rng = np.random.default_rng([7, part])
    refused = []
    for number in range(MODELS // PARTS):
        workspace = make_random_workspace(rng)
        try:
            found = check_model(workspace, rng)
        except FitError as error:
            assert len(str(error)) > 20
            assert "\n" not in str(error)
            found = str(error)
        if found:
            refused.append((number, found))
    logging.disable(logging.NOTSET)
    assert len(refused) < 0.1 * MODELS / PARTS, refused


def check_model(workspace, rng):
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    z, _ = significance(profile)
    limit = upper_limit(profile, 0.95)
    oracle = Oracle(workspace)
    reference = Reference(oracle, model, rng)
    free = reference.lowest(profile.best.values, profile.best.nll)
    null_values, null_nllr = profile.conditional(0.0)
    constant = profile.best.nll - profile.best.nllr
    null = reference.lowest(null_values, null_nllr + constant, mu=0.0)
    mu_hat = profile.mu_hat
    assert z == pytest.approx(
        np.sqrt(max(2.0 * (null - free), 0.0)) if mu_hat > 0 else 0.0, abs=2e-3
    )
    # CLs at the limit
    values, nllr = profile.conditional(limit.observed)
    at = reference.lowest(values, nllr + constant, mu=limit.observed)
    q = max(2.0 * (at - (null if mu_hat < 0.0 else free)), 0.0)
    asimov = np.maximum(oracle.rates(reference.to_oracle(null_values)), 0.0)
    centre = reference.to_oracle(null_values)
    truth = oracle.nll(centre, asimov, centre)
    alone = Profile(model, model.asimov(null_values))
    values, nllr = alone.conditional(limit.observed)
    constant = float(model.saturated_nll(alone.data[None])[0])
    beyond = reference.lowest(
        values, nllr + constant, mu=limit.observed, counts=asimov, centre=centre
    )
    q_asimov = 2.0 * (beyond - truth)
    root_q, root_a = np.sqrt(q), np.sqrt(q_asimov)
    shift = root_q - root_a if root_q <= root_a else (q - q_asimov) / (2.0 * root_a)
    cls = norm.sf(shift + root_a) / norm.sf(shift)
    # dCLs/dmu·mu is at least of the order of CLs: 1e-3 of the limit
    assert cls == pytest.approx(0.05, rel=5e-3)
    return ""


class Reference:
    """MINUIT from several starts; must not get below what Taipan found."""

    def __init__(self, oracle, model, rng):
        self.oracle, self.rng = oracle, rng
        self.place = [model.parameters.names.index(n) for n in oracle.names]

    def to_oracle(self, values):
        return values[self.place]

    def lowest(self, values, nll, *, mu=None, counts=None, centre=None):
        oracle = self.oracle
        here = self.to_oracle(values)
        assert oracle.nll(here, counts, centre) == pytest.approx(nll, abs=1e-5)
        nominal = np.array(oracle.start)
        flipped, random = here.copy(), here.copy()
        flipped[oracle.alphas] *= -1.0
        random[oracle.alphas] = self.rng.normal(0.0, 1.5, len(oracle.alphas))
        starts = [nominal, flipped, random]
        found = oracle.minimise(mu=mu, counts=counts, centre=centre, starts=starts)
        assert nll < found + 2e-4
        return min(found, nll)
