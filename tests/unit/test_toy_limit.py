"""CLs of toys against the Poisson distribution in closed form, and against pyhf."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pyhf
import pytest
from scipy.stats import poisson

from taipan.inference import toy_limit as module
from taipan.inference.compile import compile_model
from taipan.inference.profile import BAND, Profile
from taipan.inference.toy_limit import toy_limit

SIGNAL, BACKGROUND = 5.0, 12.0


def counting_model(observed: float) -> dict[str, Any]:
    """One bin with a known background."""
    modifiers = [{"name": "mu", "type": "normfactor", "data": None}]
    samples = [
        {"name": "signal", "data": [SIGNAL], "modifiers": modifiers},
        {"name": "background", "data": [BACKGROUND], "modifiers": []},
    ]
    # with a lower bound, μ̂ is that of the counts wherever these are
    parameters = [{"name": "mu", "bounds": [[-2.3, 20.0]], "inits": [1.0]}]
    return {
        "channels": [{"name": "region", "samples": samples}],
        "observations": [{"name": "region", "data": [observed]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


Toys = dict[bytes, np.ndarray]


def draw_in_proportion(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[float, Any], np.ndarray]
) -> Toys:
    """Let toys come in the proportion of their probability, `make(rate, auxiliary)` in turn.

    Returns
    -------
    dict
        Parameters → the toys made of them.
    """
    made: Toys = {}
    turns: dict[bytes, Any] = {}

    def draw(model: Any, truth: np.ndarray, rng: Any) -> np.ndarray:
        key = truth.tobytes()
        if key not in made:
            made[key] = make(float(model.expected(truth)[0]), model.expected_auxiliary(truth))
            turns[key] = itertools.cycle(made[key])
        return np.asarray(next(turns[key]))

    monkeypatch.setattr(module, "draw_data", draw)
    return made


def closed_form(mu: float, observed: float) -> float:
    """P(n ≤ observed | μ)/P(n ≤ observed | 0): fewer events are further from the signal."""
    rates = (mu * SIGNAL + BACKGROUND, BACKGROUND)
    above, below = (poisson.cdf(observed, rate) for rate in rates)
    return float(above / below)


def solve(function: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if function(middle) > 0.0 else (low, middle)
    return low


@pytest.mark.parametrize("observed", [8.0, 12.0, 16.0])
def test_limit_of_a_counting_experiment_is_that_of_the_poisson_distribution(
    observed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CLs, not the probability of the signal hypothesis: that has no share of the background."""
    number = 2000
    shares = (np.arange(number) + 0.5) / number
    draw_in_proportion(monkeypatch, lambda rate, _: poisson.ppf(shares, rate)[:, None])
    profile = Profile(compile_model(counting_model(observed)), np.array([observed]))
    found = toy_limit(profile, 0.95, number, np.random.default_rng(1))
    # counts that give no more signal than is tested; beyond, the statistic is zero
    relevant = found.tested * SIGNAL + BACKGROUND > observed
    assert relevant.sum() >= 7
    expected = np.array([closed_form(mu, observed) for mu in found.tested])
    precise = relevant & (expected > 0.01)
    np.testing.assert_allclose(found.cls[precise], expected[precise], rtol=0.02)
    exact = solve(lambda mu: closed_form(mu, observed) - 0.05, 0.0, 20.0)
    assert found.limit.observed == pytest.approx(exact, rel=0.03)
    for n, limit in zip(BAND, found.limit.band, strict=True):
        # the counts at this quantile of the background, as the statistic sees them
        counts = poisson.ppf({-2.0: 0.0228, -1.0: 0.1587, 0.0: 0.5, 1.0: 0.8413, 2.0: 0.9772}[n],
                             BACKGROUND)  # fmt: skip
        if np.isnan(limit):
            continue
        at = solve(lambda mu, c=counts: closed_form(mu, c) - 0.05, 0.0, 20.0)  # type: ignore[misc]
        assert limit == pytest.approx(at, rel=0.06), n
    assert list(found.limit.band) == sorted(found.limit.band)


def uncertain_model() -> dict[str, Any]:
    """One bin whose background is measured in another one (Poisson)."""
    workspace = counting_model(11.0)
    change = {"name": "rate", "type": "shapesys", "data": [BACKGROUND / 16.0**0.5]}
    workspace["channels"][0]["samples"][1]["modifiers"] = [change]
    return workspace


def grid(rate: float, auxiliary: float, size: int) -> list[list[float]]:
    """Counts and auxiliary counts, each as often among `size` toys as it is likely, shuffled."""
    found: list[list[float]] = []
    for count, measured in itertools.product(range(45), range(40)):
        weight = poisson.pmf(count, rate) * poisson.pmf(measured, auxiliary)
        found += [[float(count), float(measured)]] * round(weight * size)
    np.random.default_rng(2).shuffle(found)
    return found


def test_toys_have_the_cls_of_pyhf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same toys, every count in its proportion, with the statistic q̃ of pyhf; to 3 %."""
    size = 800
    workspace = uncertain_model()
    model = compile_model(workspace)
    profile = Profile(model, model.observed)
    toys_of = draw_in_proportion(
        monkeypatch, lambda rate, auxiliary: np.array(grid(rate, float(auxiliary[0]), size))
    )
    # of the grid a little is lost by rounding
    number = int(0.9 * size)
    found = toy_limit(profile, 0.95, number, np.random.default_rng(1))
    place = int(np.argmin(np.abs(found.cls - 0.1)))
    mu = float(found.tested[place])

    theirs = pyhf.Model({"channels": workspace["channels"]}, poi_name="mu", validate=False)
    arguments = (
        theirs.config.suggested_init(),
        theirs.config.suggested_bounds(),
        theirs.config.suggested_fixed(),
    )
    known: dict[tuple[float, ...], float] = {}

    def statistic(data: np.ndarray) -> float:
        key = tuple(data.tolist())
        if key not in known:
            found = pyhf.infer.test_statistics.qmu_tilde(mu, list(key), theirs, *arguments)
            known[key] = float(found)
        return known[key]

    observed = statistic(model.observed)
    shares = []
    for strength in (mu, 0.0):
        toys = toys_of[profile.conditional(strength)[0].tobytes()]
        assert number < len(toys) < 1.1 * number  # those that were used, in a random order
        shares.append(np.mean([statistic(toy) >= observed - 1e-6 for toy in toys[:number]]))
    assert 0.01 < shares[0] < shares[1] < 0.9
    assert found.cls[place] == pytest.approx(shares[0] / shares[1], rel=0.03)


@pytest.mark.parametrize("mu", [0.5, 1.0, 2.0])
def test_statistic_of_counts_is_that_of_its_definition(mu: float) -> None:
    """q̃ compares with μ̂ between 0 and μ, with 0 below, and is zero above.

    -ln L of n counts is r - n ln r but for a constant; μ̂ is where r = n.
    """
    profile = Profile(compile_model(counting_model(12.0)), np.array([12.0]))
    counts = np.array([5.0, 8.0, 11.0, 13.0, 14.0, 15.0, 20.0, 30.0])
    toys = module._Toys(profile, counts[:, None])
    found = toys.statistic(mu, profile.conditional(mu)[0])
    tested = mu * SIGNAL + BACKGROUND
    for n, value in zip(counts, found, strict=True):
        best = max(n, BACKGROUND)
        expected = 0.0 if n > tested else 2.0 * (tested - best - n * np.log(tested / best))
        assert value == pytest.approx(expected, rel=1e-6, abs=1e-6), n


def test_ratio_of_the_shares_of_toys_that_are_as_far() -> None:
    """Two of four with signal, three of four without; no toy at all is beyond 9."""
    signal, null = np.array([0.0, 1.0, 5.0, 6.0]), np.array([2.0, 5.0, 7.0, 8.0])
    assert module._cls(5.0, signal, null) == pytest.approx(2.0 / 3.0)
    assert module._cls(9.0, signal, null) == 0.0


@pytest.mark.parametrize("observed", [0.3, 1.0, 250.0])
def test_toy_with_the_statistic_of_the_data_but_for_rounding_is_as_far(observed: float) -> None:
    """Rounding grows with the statistic, and is absolute for one below 1."""
    rounding = module.SAME_STATISTIC * max(1.0, observed)
    toys = observed - rounding * np.array([-2.0, 0.0, 0.9, 1.1, 1.9])
    assert module._as_far(toys, observed).tolist() == [True, True, True, False, False]
