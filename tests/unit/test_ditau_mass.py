"""The mass of a pair of taus: closed forms, an independent integral, toys of isotropic decays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from taipan.ditau.covariance import is_positive_definite, parametrised_covariance
from taipan.ditau.decays import TAU_MASS, fraction_density, smallest_fraction
from taipan.ditau.mass import CHUNK, DitauMass, Leg, ditau_mass
from taipan.ditau.neutrinos import Missing, NeutrinoFit
from taipan.kinematics import cartesian, invariant_mass
from tests.ditau_toys import Pairs, draw_pairs, select_leg

Array = NDArray[Any]


@pytest.fixture(scope="module")
def z_pairs() -> Pairs:
    return draw_pairs(91.2, 60_000)


@pytest.fixture(scope="module")
def heavy_pairs() -> Pairs:
    return draw_pairs(125.0, 60_000, seed=2)


def collinear_pairs(n: int, noise: float) -> tuple[Leg, Leg, Missing, Array]:
    """Visible momenta with neutrinos exactly along them, a covariance, and the true mass."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0.3, 0.95, (2, n))
    phi = rng.uniform(-np.pi, np.pi, n)
    legs = [
        Leg(decay, rng.uniform(20, 80, n), rng.normal(0, 1, n), angle, np.full(n, mass))
        for decay, angle, mass in (
            ("leptonic", phi, 0.10565837),
            ("hadronic", phi + rng.uniform(1.8, 2.8, n), 0.8),
        )
    ]
    momenta = [cartesian(leg.pt, leg.eta, leg.phi, leg.mass) for leg in legs]
    scale = 1.0 / x - 1.0
    missing = [sum(momenta[i][axis] * scale[i] for i in (0, 1)) for axis in (0, 1)]
    variance = np.full(n, noise**2)
    true = invariant_mass(*momenta) / np.sqrt(x[0] * x[1])
    return legs[0], legs[1], Missing(*missing, variance, np.zeros(n), variance), true


def test_collinear_neutrinos_with_perfect_missing_momentum_give_the_mass() -> None:
    first, second, missing, true = collinear_pairs(2000, noise=1e-3)
    found = ditau_mass(first, second, missing)
    np.testing.assert_allclose(found.collinear, true, rtol=1e-9)
    np.testing.assert_allclose(found.mean, true, rtol=1e-3)
    assert found.chi2.max() < 1e-4  # of numbers of 10⁹ and more
    assert (found.width / found.mean).max() < 1e-3


def test_width_is_the_error_propagated_from_the_missing_momentum() -> None:
    noise = 0.2
    first, second, missing, true = collinear_pairs(500, noise)
    found = ditau_mass(first, second, missing)
    moved = [
        ditau_mass(first, second, Missing(*at, missing.xx, missing.xy, missing.yy)).collinear
        for at in ((missing.x + noise, missing.y), (missing.x, missing.y + noise))
    ]
    expected = np.hypot(*(mass - true for mass in moved))
    inside = expected < 0.02 * true  # linear there
    assert inside.mean() > 0.8
    np.testing.assert_allclose(found.width[inside], expected[inside], rtol=0.1)


def brute_force(first: Leg, second: Leg, missing: Missing, power: int) -> tuple[float, float]:
    """Mean and width of one event on a grid of 1,500 × 1,500 midpoints in x₁ and x₂."""
    one, two = (cartesian(*(v[0] for v in (leg.pt, leg.eta, leg.phi, leg.mass)))
                for leg in (first, second))  # fmt: skip
    steps = (np.arange(1500) + 0.5) / 1500
    low = [float(smallest_fraction(leg.mass)[0]) for leg in (first, second)]
    x, y = np.meshgrid(*(b + (1 - b) * steps for b in low), indexing="ij", sparse=True)
    inverse = np.linalg.inv([[missing.xx[0], missing.xy[0]], [missing.xy[0], missing.yy[0]]])
    dx = missing.x[0] - one[0] * (1 / x - 1) - two[0] * (1 / y - 1)
    dy = missing.y[0] - one[1] * (1 / x - 1) - two[1] * (1 / y - 1)
    chi2 = inverse[0, 0] * dx**2 + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
    mass = float(invariant_mass(one, two)) / np.sqrt(x * y)
    weight = np.exp(-0.5 * (chi2 - chi2.min())) * mass**-power
    weight = weight * (5 / 3 - 3 * x**2 + 4 / 3 * x**3)
    mean = float((weight * mass).sum() / weight.sum())
    return mean, float(np.sqrt((weight * (mass - mean) ** 2).sum() / weight.sum()))


@pytest.mark.parametrize("power", [0, 4])
def test_mean_and_width_are_those_of_a_dense_grid(heavy_pairs: Pairs, power: int) -> None:
    pairs = heavy_pairs
    rng = np.random.default_rng(5)
    for i in range(12):
        row = slice(i, i + 1)
        first, second = (select_leg(leg, row) for leg in (pairs.first, pairs.second))
        xx, yy = rng.uniform(60, 300, (2, 1))
        xy = rng.uniform(-0.8, 0.8) * np.sqrt(xx * yy)
        missing = Missing(pairs.missing.x[row], pairs.missing.y[row], xx, xy, yy)
        found = ditau_mass(first, second, missing, power=power)
        mean, width = brute_force(first, second, missing, power)
        assert found.mean[0] == pytest.approx(mean, rel=2e-3)
        assert found.width[0] == pytest.approx(width, rel=2e-2)


def test_minimum_of_chi2_is_the_smallest_on_a_grid() -> None:
    rng = np.random.default_rng(6)
    n = 200
    first, second = ((rng.normal(0, 40, n), rng.normal(0, 40, n)) for _ in (1, 2))
    covariance = (rng.uniform(100, 300, n), rng.uniform(-90, 90, n), rng.uniform(100, 300, n))
    missing = Missing(rng.normal(0, 60, n), rng.normal(0, 60, n), *covariance)
    ends = (np.full(n, 4.0), np.full(n, 2.0))
    fit = NeutrinoFit.of(first, second, missing, ends)
    a, b, chi2 = fit.minimum()
    np.testing.assert_allclose(fit.chi2(a, b), chi2, atol=1e-9)
    assert ((a >= 0) & (a <= 4) & (b >= 0) & (b <= 2)).all()
    grid = np.stack([fit.chi2(s, t) for s in np.linspace(0, 4, 81) for t in np.linspace(0, 2, 41)])
    assert (chi2 <= grid.min(axis=0) + 1e-9).all()
    assert np.median(grid.min(axis=0) - chi2) < 0.02


@pytest.mark.parametrize("angle", [0.5, 1.5, 2.6])
def test_chi2_without_neutrinos_is_a_mixture_of_chi2_distributions(angle: float) -> None:
    """The best a and b are a projection on the cone of the two legs, so χ² is a "chi-bar-square".

    With angle θ between them, 0, 1 and 2 degrees of freedom have weights θ/2π, ½ and ½ - θ/2π.
    """
    n, noise = 20_000, 12.0
    rng = np.random.default_rng(7)
    legs = [
        Leg("leptonic", np.full(n, 40.0), np.zeros(n), np.full(n, phi), np.full(n, 0.1))
        for phi in (0.3, 0.3 + angle)
    ]
    x, y = noise * rng.standard_normal((2, n))
    variance = np.full(n, noise**2)
    chi2 = ditau_mass(*legs, Missing(x, y, variance, np.zeros(n), variance)).chi2
    share = angle / (2 * np.pi)
    for cut in (1e-9, 0.5, 1.0, 2.0, 4.0):
        expected = 0.5 * stats.chi2.sf(cut, 1) + (0.5 - share) * stats.chi2.sf(cut, 2)
        found = (chi2 > cut).mean()
        assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


def test_fractions_of_isotropic_decays_have_the_density(z_pairs: Pairs) -> None:
    lepton, hadrons = z_pairs.fractions
    x = np.linspace(0, 1, 2001)
    cumulative = np.cumsum(fraction_density("leptonic", x))
    cumulative = cumulative / cumulative[-1]
    distance = stats.kstest(lepton[:5000], lambda v: np.interp(v, x, cumulative))
    assert distance.pvalue > 0.01
    assert np.trapezoid(np.asarray(fraction_density("leptonic", x)), x) == pytest.approx(
        1, abs=1e-6
    )
    # hadrons of 0.8 GeV are flat from (0.8 / 1.777)²: mean 0.60; over all masses from 0.2 to 1.3
    masses = np.linspace(0.2, 1.3, 1101)
    expected = (0.5 * (1 + (masses / TAU_MASS) ** 2)).mean()
    assert hadrons.mean() == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(("name", "mass"), [("z_pairs", 91.2), ("heavy_pairs", 125.0)])
def test_toys_have_little_bias_and_a_better_resolution_than_others(
    name: str, mass: float, request: pytest.FixtureRequest
) -> None:
    pairs = request.getfixturevalue(name)
    found = ditau_mass(pairs.first, pairs.second, pairs.missing)
    assert len(pairs) > 5000
    assert np.median(found.mean) / mass == pytest.approx(1.0, abs=0.08)
    momenta = [cartesian(leg.pt, leg.eta, leg.phi, leg.mass) for leg in (pairs.first, pairs.second)]
    visible = spread(invariant_mass(*momenta))
    assert spread(found.mean) < 0.9 * visible
    assert spread(found.mean) < 0.5 * spread(found.collinear)


def spread(values: Array) -> float:
    """Half the width of the central 68 % over the median."""
    low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
    return float((high - low) / 2 / middle)


def test_the_two_masses_are_told_apart_better_than_by_the_visible_mass(
    z_pairs: Pairs, heavy_pairs: Pairs
) -> None:
    def separation(low: Array, high: Array) -> float:
        return float(stats.mannwhitneyu(high, low).statistic / (len(low) * len(high)))

    samples = (z_pairs, heavy_pairs)
    found = [ditau_mass(s.first, s.second, s.missing).mean for s in samples]
    momenta = [
        [cartesian(leg.pt, leg.eta, leg.phi, leg.mass) for leg in (s.first, s.second)]
        for s in samples
    ]
    assert separation(*found) > separation(*(invariant_mass(*pair) for pair in momenta)) + 0.04


def unphysical() -> tuple[Leg, Leg, Missing]:
    rng = np.random.default_rng(8)
    n = 4000
    phi = rng.uniform(-np.pi, np.pi, n)
    other = np.where(np.arange(n) % 4 == 0, phi, np.where(np.arange(n) % 4 == 1, phi + np.pi, -phi))
    first = Leg("leptonic", rng.uniform(17, 400, n), rng.normal(0, 1, n), phi, np.full(n, 0.10566))
    second = Leg(
        "hadronic", rng.uniform(20, 400, n), rng.normal(0, 1, n), other, rng.uniform(0, 3, n)
    )
    met, angle = rng.exponential(200, n) * (rng.random(n) > 0.1), rng.uniform(-np.pi, np.pi, n)
    scale = 10.0 ** rng.uniform(-2, 4, n)
    xx, yy = scale * rng.uniform(0.5, 2, (2, n))
    xy = rng.uniform(-0.99, 0.99, n) * np.sqrt(xx * yy)
    return first, second, Missing(met * np.cos(angle), met * np.sin(angle), xx, xy, yy)


def test_events_without_a_physical_solution_are_finite() -> None:
    first, second, missing = unphysical()
    with np.errstate(all="raise", under="ignore"):
        found = ditau_mass(first, second, missing)
    momenta = [cartesian(leg.pt, leg.eta, leg.phi, leg.mass) for leg in (first, second)]
    visible = invariant_mass(*momenta)
    for values in (found.mean, found.width, found.chi2, found.collinear):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert (found.mean >= visible * (1 - 1e-9)).all()
    assert (found.collinear >= visible * (1 - 1e-9)).all()
    assert (found.chi2 > 1e3).mean() > 0.1  # some are far from every decay


def test_event_with_a_missing_input_has_no_mass() -> None:
    first, second, missing = unphysical()
    pt = first.pt.copy()
    pt[7] = np.nan
    variance = missing.xx.copy()
    variance[9] = np.nan
    found = ditau_mass(
        Leg(first.decay, pt, first.eta, first.phi, first.mass),
        second,
        Missing(missing.x, missing.y, variance, missing.xy, missing.yy),
    )
    assert list(np.flatnonzero(np.isnan(found.mean))) == [7, 9]
    assert list(np.flatnonzero(np.isnan(found.collinear))) == [7]


def test_an_event_does_not_depend_on_those_beside_it(z_pairs: Pairs) -> None:
    n = 2 * CHUNK + 10
    first, second = (select_leg(leg, slice(n)) for leg in (z_pairs.first, z_pairs.second))
    whole = ditau_mass(first, second, rows_of(z_pairs.missing, slice(n)))
    last = slice(n - 3, n)
    few = ditau_mass(
        *(select_leg(leg, last) for leg in (first, second)), rows_of(z_pairs.missing, last)
    )
    for name in DitauMass.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(whole, name)[last], getattr(few, name))


def rows_of(missing: Missing, rows: slice) -> Missing:
    return Missing(*(getattr(missing, name)[rows] for name in ("x", "y", "xx", "xy", "yy")))


def test_covariance_of_jets_points_along_them() -> None:
    vertices = np.array([0.0, 4.0, 4.0])
    jet = (np.array([100.0, 100.0, np.nan]), np.array([10.0, 10.0, np.nan]),
           np.array([0.0, np.pi / 4, np.nan]))  # fmt: skip
    xx, xy, yy = parametrised_covariance(8.0, 3.0, vertices, [jet])
    np.testing.assert_allclose(xx, [64 + 100, 64 + 36 + 50, 64 + 36])
    np.testing.assert_allclose(xy, [0, 50, 0], atol=1e-9)
    np.testing.assert_allclose(yy, [64, 64 + 36 + 50, 64 + 36])


def test_matrices_without_inverse_are_known() -> None:
    xx = np.array([4.0, 4.0, 0.0, -1.0, np.nan, 4.0])
    xy = np.array([1.0, 2.0, 0.0, 0.0, 0.0, -2.1])
    yy = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    assert list(is_positive_definite((xx, xy, yy))) == [True, False, False, False, False, False]
