"""Contours of two parameters against closed forms and a second likelihood."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chi2

from taipan.inference import FitError, fit
from taipan.inference.compile import compile_model
from taipan.inference.contour import ParameterPlane, contours_to_json, find_contours
from tests.histfactory_oracle import Oracle

SIGNAL, BACKGROUND, COUNTS = (10.0, 20.0), (50.0, 20.0), (63, 44)


def make_workspace(counts=COUNTS, shared=None, bounds=(-10.0, 20.0)):
    """Two bins of one signal each; `shared` is an uncertainty of both backgrounds."""
    channels = []
    for i, (signal, background) in enumerate(zip(SIGNAL, BACKGROUND, strict=True)):
        common = (
            []
            if shared is None
            else [
                {"name": "b", "type": "normsys", "data": {"hi": 1 + shared, "lo": 1 / (1 + shared)}}
            ]
        )
        scaled = [{"name": f"mu_{i}", "type": "normfactor", "data": None}]
        channels.append(
            {
                "name": f"r{i}",
                "samples": [
                    {"name": f"s{i}", "data": [signal], "modifiers": scaled},
                    {"name": "background", "data": [background], "modifiers": common},
                ],
            }
        )
    parameters = [{"name": f"mu_{i}", "bounds": [list(bounds)], "inits": [1.0]} for i in (0, 1)]
    return {
        "channels": channels,
        "observations": [{"name": f"r{i}", "data": [n]} for i, n in enumerate(counts)],
        "measurements": [{"name": "m", "config": {"poi": "mu_0", "parameters": parameters}}],
        "version": "1.0.0",
    }


def make_plane(workspace):
    model = compile_model(workspace)
    best = fit(model, model.observed)
    return ParameterPlane(model, model.observed, best, ["mu_0", "mu_1"])


def closed_form(points):
    """2ΔlnL of two independent Poisson counts, μ̂ = (n - b)/s."""
    rise = np.zeros(len(points))
    for signal, background, count, mu in zip(SIGNAL, BACKGROUND, COUNTS, points.T, strict=True):
        rate = signal * mu + background
        rise += 2.0 * (rate - count - count * np.log(rate / count))
    return rise


def test_points_lie_where_two_poisson_counts_say():
    one, two = find_contours(make_plane(make_workspace()))
    for contour, level in ((one, 0.6827), (two, 0.9545)):
        assert contour.level == level
        assert contour.points.shape == (48, 2)
        assert not contour.at_bound.any()
        np.testing.assert_allclose(closed_form(contour.points), chi2.ppf(level, 2), rtol=1e-3)
    assert chi2.ppf(0.6827, 2) == pytest.approx(2.2958, abs=1e-4)


def test_points_go_once_around_the_best_fit():
    (contour,) = find_contours(make_plane(make_workspace()), levels=[0.6827])
    centre = (np.array(COUNTS) - BACKGROUND) / SIGNAL
    x, y = (contour.points - centre).T
    turned = np.unwrap(np.arctan2(y, x))
    assert np.all(np.diff(turned) > 0.0)
    assert turned[-1] - turned[0] < 2.0 * np.pi


def test_other_parameters_are_refitted():
    """With a shared uncertainty the contour is oblique; a second likelihood gives its level."""
    workspace = make_workspace(shared=0.2)
    (contour,) = find_contours(make_plane(workspace), levels=[0.6827], directions=8)
    # covariance b₁b₂δ²/(s₁s₂) = 0.2 with δ = 20 %: coefficient 0.2/√(1.63 · 0.15)
    assert np.corrcoef(contour.points.T)[0, 1] > 0.3
    oracle = Oracle(workspace)
    places = [oracle.names.index(f"mu_{i}") for i in (0, 1)]
    lowest = minimise(oracle, {})
    for point in contour.points:
        rise = 2.0 * (minimise(oracle, dict(zip(places, point, strict=True))) - lowest)
        assert rise == pytest.approx(chi2.ppf(0.6827, 2), abs=2e-3)


def minimise(oracle, held):
    """Smallest −ln L over the one nuisance parameter, the signals free or held."""

    def nll(alpha):
        values = np.array(oracle.start)
        values[oracle.names.index("b")] = alpha
        for i, (s, b, n) in enumerate(zip(SIGNAL, BACKGROUND, COUNTS, strict=True)):
            values[oracle.names.index(f"mu_{i}")] = (n - b * 1.2**alpha) / s
        for place, value in held.items():
            values[place] = value
        return oracle.nll(values)

    return minimize_scalar(nll, bounds=(-4.0, 4.0), method="bounded").fun


def test_a_bound_stops_the_contour_and_is_told():
    plane = make_plane(make_workspace(bounds=(0.0, 20.0)))
    one, two = find_contours(plane)
    assert not one.at_bound.any()
    assert two.at_bound.any()
    assert two.points.min() == 0.0
    free = two.points[~two.at_bound]
    np.testing.assert_allclose(closed_form(free), chi2.ppf(0.9545, 2), rtol=1e-3)
    assert np.all(closed_form(two.points[two.at_bound]) < chi2.ppf(0.9545, 2))


def test_empty_bin_ends_the_contour_where_nothing_is_predicted():
    """No event seen: −ln L is linear in μ, and the edge is where s·μ + b = 0."""
    plane = make_plane(make_workspace(counts=(0, 44)))
    (contour,) = find_contours(plane, levels=[0.6827])
    edge = -BACKGROUND[0] / SIGNAL[0]
    assert contour.points[:, 0].min() == pytest.approx(edge, abs=2e-3)
    beyond = contour.points[contour.points[:, 0] > edge + 0.01]
    x, y = beyond.T
    rate = SIGNAL[1] * y + BACKGROUND[1]
    rise = 2.0 * SIGNAL[0] * (x - edge) + 2.0 * (rate - 44 - 44 * np.log(rate / 44))
    np.testing.assert_allclose(rise, chi2.ppf(0.6827, 2), rtol=2e-3)


def test_numbers_for_a_file():
    plane = make_plane(make_workspace())
    found = contours_to_json(plane, find_contours(plane, directions=4))
    assert found["parameters"] == ["mu_0", "mu_1"]
    assert found["best"] == pytest.approx([1.3, 1.2], abs=1e-6)
    assert [len(item["points"]) for item in found["contours"]] == [4, 4]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["mu_0", "mu_0"], "contour: 'mu_0' and 'mu_0' are the same parameter"),
        (["mu_0", "mu_2"], "parameter 'mu_2' is not in the model"),
    ],
)
def test_pair_that_is_none(names, message):
    plane = make_plane(make_workspace())
    with pytest.raises(FitError, match=message):
        ParameterPlane(plane.model, plane.data, plane.best, names)
