"""Public models against pyhf with MINUIT and against cabinetry."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace

import iminuit
import jax
import numpy as np
import pyhf
import pytest

from taipan.inference import FitError, compile_model, fit
from taipan.inference.impacts import rank_parameters
from taipan.inference.minima import _descend
from taipan.inference.profile import Profile, significance, upper_limit
from taipan.inference.scan import scan
from tests.made_up_models import make_workspace
from tests.public_models import public_models, two_minima

MODELS = public_models()
LARGE = {"50": {"norms": 8, "shapes": 8, "regions": 2, "bins": 20}}
LARGE["200"] = {"norms": 80, "shapes": 60, "regions": 2, "bins": 35, "samples": 4}


@pytest.fixture(autouse=True)
def quiet():
    before = pyhf.get_backend()
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)
    pyhf.set_backend(*before)


def reference(workspace, *, codes=None, strategy=2):
    """pyhf's model and data, and its likelihood minimised by MINUIT with HESSE."""
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4))
    opened = pyhf.Workspace(workspace)
    settings = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
    settings |= {kind: {"interpcode": code} for kind, code in (codes or {}).items()}
    model = opened.model(modifier_settings=settings)
    data = np.array(opened.data(model))
    start = model.config.suggested_init()
    minuit = iminuit.Minuit(lambda x: -float(model.logpdf(x, data)[0]), start)
    minuit.errordef, minuit.tol, minuit.strategy = 0.5, 1e-4, strategy
    minuit.fixed = model.config.suggested_fixed()
    minuit.migrad()
    if not minuit.valid:
        minuit.reset()
        minuit.simplex().migrad()
    minuit.hesse()
    assert minuit.valid
    return model, data, minuit


@pytest.mark.parametrize("name", MODELS)
def test_estimates_and_errors_are_those_of_minuit(name):
    ours = compile_model(MODELS[name])
    best = fit(ours, ours.observed)
    _, _, minuit = reference(MODELS[name])
    free = ~ours.parameters.fixed
    errors = np.array(minuit.errors)[free]
    np.testing.assert_allclose((best.values - np.array(minuit.values))[free] / errors, 0, atol=1e-3)
    np.testing.assert_allclose(best.sigma[free], errors, rtol=5e-3)
    assert best.nll <= minuit.fval + 1e-9


@pytest.mark.parametrize(("kind", "code"), [("normsys", "code1"), ("histosys", "code0")])
def test_other_interpolations_are_those_of_pyhf(kind, code):
    for workspace in (MODELS["coupled_normsys"], MODELS["histosys"]):
        ours = compile_model(workspace, interpolation={kind: code})
        model, data, _ = reference(workspace, codes={kind: code})
        for shift in (-2.3, -0.6, 0.4, 1.2):
            values = np.where(ours.parameters.initial == 0.0, shift, ours.parameters.initial)
            nll, gradient, hessian = ours.evaluate(values, data)
            constant = ours.saturated_nll(data[None])[0]
            assert nll + constant == pytest.approx(-float(model.logpdf(values, data)[0]), rel=1e-10)
            step = 1e-6
            for i in range(len(values)):
                moved = values + step * (np.arange(len(values)) == i)
                after = ours.evaluate(moved, data)
                assert gradient[i] == pytest.approx((after[0] - nll) / step, rel=2e-3, abs=2e-2)
                slope = (after[1] - gradient) / step
                np.testing.assert_allclose(hessian[i], slope, rtol=2e-3, atol=2e-2)


@pytest.mark.parametrize("name", MODELS)
def test_impacts_are_those_of_cabinetry(name):
    import cabinetry

    workspace = MODELS[name]
    pyhf.set_backend("numpy")
    model, data = cabinetry.model_utils.model_and_data(workspace)
    options = {"custom_fit": True, "strategy": 2, "tolerance": 1e-4}
    wide = [
        (-20.0, 20.0) if low < 0 else (1e-10, 20.0) for low, _ in model.config.suggested_bounds()
    ]
    best = cabinetry.fit.fit(model, data, par_bounds=wide, **options)
    theirs = cabinetry.fit.ranking(model, data, fit_results=best, par_bounds=wide, **options)
    ours = compile_model(workspace)
    found = {i.name: i for i in rank_parameters(ours, ours.observed, fit(ours, ours.observed))}
    sigma = best.uncertainty[best.labels.index("mu")]
    for i, label in enumerate(theirs.labels):
        if label not in found:
            assert ours.parameters.fixed[ours.parameters.index(label)]
            continue
        # to 1 % of the impact; below a hundredth of σ to a hundredth of that
        for ours_, up, down in (
            (found[label].postfit, theirs.postfit_up[i], theirs.postfit_down[i]),
            (found[label].prefit, theirs.prefit_up[i], theirs.prefit_down[i]),
        ):
            if ours_ is not None:
                np.testing.assert_allclose(ours_, [up, down], rtol=1e-2, atol=1e-4 * sigma)


@pytest.mark.parametrize("name", MODELS)
def test_limit_and_significance_are_those_of_pyhf(name):
    workspace = MODELS[name]
    ours = compile_model(workspace)
    profile = Profile(ours, ours.observed)
    limit = upper_limit(profile, 0.95)
    model, data, _ = reference(workspace)
    bounds = model.config.suggested_bounds()
    bounds[model.config.poi_index] = (0.0, 20.0)
    if profile.mu_hat > 0:
        p_value = float(pyhf.infer.hypotest(0.0, data, model, test_stat="q0", par_bounds=bounds))
        _, ours_ = significance(profile)
        assert ours_ == pytest.approx(p_value, rel=1e-2)
    found = pyhf.infer.hypotest(
        limit.observed, data, model, par_bounds=bounds, return_expected_set=True
    )
    # CLs falls by some 6 % of itself for 1 % of the limit; the slope is measured beside it
    above = pyhf.infer.hypotest(1.01 * limit.observed, data, model, par_bounds=bounds)
    slope = np.log(float(found[0]) / float(above)) / 0.01
    assert abs(np.log(float(found[0]) / 0.05) / slope) < 0.01
    median = pyhf.infer.hypotest(
        limit.band[2], data, model, par_bounds=bounds, return_expected=True
    )[1]
    assert float(median) == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("size", LARGE)
def test_large_models_are_at_the_minimum_of_pyhfs_likelihood(size):
    """Differences of pyhf's likelihood at our result."""
    workspace = make_workspace(**LARGE[size])
    ours = compile_model(workspace)
    assert len(ours.parameters.names) > int(size)
    best = fit(ours, ours.observed)
    pyhf.set_backend("numpy")
    opened = pyhf.Workspace(workspace)
    model = opened.model()
    data = np.array(opened.data(model))

    def nll(values):
        return -float(model.logpdf(values, data)[0])

    assert best.nll == pytest.approx(nll(best.values), abs=1e-7)
    steps = np.diag(1e-3 * best.sigma)
    gradient = np.array(
        [(nll(best.values + s) - nll(best.values - s)) / (2 * s.sum()) for s in steps]
    )
    # distance to pyhf's minimum by Newton's method, in standard deviations
    np.testing.assert_allclose(best.covariance @ gradient / best.sigma, 0.0, atol=1e-3)
    # along the profile of μ, −ln L rises by (Δμ/σ)²/2
    along = best.covariance[:, ours.poi] / best.sigma[ours.poi]
    rise = nll(best.values + 0.05 * along) + nll(best.values - 0.05 * along) - 2 * best.nll
    assert rise / 0.05**2 == pytest.approx(1.0, rel=1e-2)


@pytest.fixture(scope="module")
def large():
    """Size → workspace, our model, its fit."""
    found = {}
    for size, settings in LARGE.items():
        workspace = make_workspace(**settings)
        model = compile_model(workspace)
        found[size] = (workspace, model, fit(model, model.observed))
    return found


def check_estimates(ours, best, values, errors, nll):
    assert not ours.parameters.fixed.any()
    np.testing.assert_allclose((best.values - values) / errors, 0.0, atol=1e-3)
    np.testing.assert_allclose(best.sigma, errors, rtol=2e-3)
    assert best.nll <= nll + 1e-9


def test_estimates_and_errors_of_a_large_model_are_those_of_minuit(large):
    workspace, ours, best = large["50"]
    _, _, minuit = reference(workspace, strategy=1)
    check_estimates(ours, best, np.array(minuit.values), np.array(minuit.errors), minuit.fval)


def test_estimates_and_errors_of_211_parameters_are_those_of_minuit(large):
    """With pyhf's likelihood on JAX: MIGRAD has its gradient, whose differences are the Hessian."""
    workspace, ours, best = large["200"]
    pyhf.set_backend("jax")
    opened = pyhf.Workspace(workspace)
    model = opened.model()
    data = pyhf.tensorlib.astensor(opened.data(model))
    compiled = jax.jit(jax.value_and_grad(lambda values: -model.logpdf(values, data)[0]))

    def gradient(values):
        return np.asarray(compiled(np.asarray(values))[1])

    start = np.array(model.config.suggested_init())
    minuit = iminuit.Minuit(lambda x: float(compiled(x)[0]), start, grad=gradient)
    minuit.errordef, minuit.tol, minuit.strategy = 0.5, 1e-5, 0
    minuit.migrad()
    assert minuit.valid
    values = np.array(minuit.values)
    steps = np.diag(1e-3 * best.sigma)
    hessian = np.array(
        [(gradient(values + s) - gradient(values - s)) / (2.0 * s.sum()) for s in steps]
    )
    errors = np.sqrt(np.diag(np.linalg.inv(0.5 * (hessian + hessian.T))))
    check_estimates(ours, best, values, errors, minuit.fval)


def test_impacts_of_a_large_model_are_those_of_cabinetry(large):
    """Four parameters: one of each kind with a large impact, and a statistical one."""
    import cabinetry

    workspace, ours, best = large["50"]
    found = {i.name: i for i in rank_parameters(ours, ours.observed, best)}
    kinds = ("norm", "shape", "staterror_r0", "staterror_r1")
    chosen = [next(name for name in found if name.startswith(kind)) for kind in kinds]
    assert next(iter(found)) in chosen
    pyhf.set_backend("numpy")
    model, data = cabinetry.model_utils.model_and_data(workspace)
    options = {"custom_fit": True, "strategy": 1, "tolerance": 1e-4}
    central = cabinetry.fit.fit(model, data, **options)
    poi = central.labels.index("mu")
    fixed = model.config.suggested_fixed()
    for name in chosen:
        place = central.labels.index(name)
        impact = found[name]
        assert impact.prefit is not None
        before = ours.parameters.sigma[ours.parameters.index(name)]
        for ours_, size in ((impact.postfit, central.uncertainty[place]), (impact.prefit, before)):
            theirs = []
            for step in (size, -size):
                start = central.bestfit.copy()
                start[place] += step
                held = [*fixed[:place], True, *fixed[place + 1 :]]
                again = cabinetry.fit.fit(
                    model, data, init_pars=start.tolist(), fix_pars=held, **options
                )
                theirs.append(again.bestfit[poi] - central.bestfit[poi])
            # to 1 % of the impact; below a hundredth of σ to a hundredth of that
            np.testing.assert_allclose(
                ours_, theirs, rtol=1e-2, atol=1e-4 * central.uncertainty[poi]
            )


def test_limit_and_significance_of_a_large_model_are_those_of_pyhf(large):
    workspace, ours, best = large["50"]
    profile = Profile(ours, ours.observed, best)
    limit = upper_limit(profile, 0.95)
    model, data, _ = reference(workspace, strategy=1)
    bounds = model.config.suggested_bounds()
    bounds[model.config.poi_index] = (0.0, 20.0)
    assert profile.mu_hat > 0
    q0 = float(pyhf.infer.hypotest(0.0, data, model, test_stat="q0", par_bounds=bounds))
    assert significance(profile)[1] == pytest.approx(q0, rel=1e-2)
    observed, band = pyhf.infer.hypotest(
        limit.observed, data, model, par_bounds=bounds, return_expected_set=True
    )
    above = pyhf.infer.hypotest(1.01 * limit.observed, data, model, par_bounds=bounds)
    slope = np.log(float(observed) / float(above)) / 0.01
    assert abs(np.log(float(observed) / 0.05) / slope) < 0.01  # of the limit
    assert min(float(value) for value in band) < 0.05 < max(float(value) for value in band)
    median = pyhf.infer.hypotest(
        limit.band[2], data, model, par_bounds=bounds, return_expected=True
    )[1]
    assert float(median) == pytest.approx(0.05, rel=0.05)


def test_deeper_of_two_minima_is_found():
    """pyhf's validation file has a variation with both templates below nominal."""
    ours = compile_model(two_minima())
    place = ours.parameters.index("c")
    best = fit(ours, ours.observed)
    local = _descend(ours, ours.observed, ours.parameters.initial, ours.parameters.fixed)
    assert local.values[place] < 0.0 < best.values[place]
    assert best.nllr < local.nll - 0.5
    shallow = replace(best, values=local.values, nllr=local.nll)
    with pytest.raises(FitError, match=r"lower at c = .* than at the best fit, a local minimum"):
        scan(ours, ours.observed, shallow, ["c"])
