"""The control residual, on histograms of a few bins."""

from __future__ import annotations

import hist
import numpy as np
import pytest

from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.events.variations import template_variations
from taipan.systematics.control_residual import measure_residual
from taipan.systematics.registry import make_systematic
from taipan.templates.empty import empty_histogram
from taipan.templates.residual import add_residuals

EDGES = np.array([0.0, 1.0, 2.0, 3.0])
REGIONS = {
    "high": Region(label="high", cut="y > 0", role="signal"),
    "side": Region(label="side", cut="y < 0", role="control"),
}
SAMPLES = {
    "a": Sample(label="a", role="background", datasets=["A"]),
    "b": Sample(label="b", role="background", datasets=["B"]),
}


def test_error_of_the_ratio_has_data_samples_and_other_processes() -> None:
    """Data 150, others 30 ± 3 in each bin; the sample, 60 ± 4, is scaled by 120 / 60 = 2."""
    data = np.array([130.0, 150.0, 170.0])
    samples, others = np.full(3, 60.0), np.full(3, 30.0)
    found = measure_residual(
        (data, data), (samples, np.full(3, 16.0)), (others, np.full(3, 9.0)), EDGES, "side"
    )
    assert found.ratio == pytest.approx((100.0 / 120.0, 1.0, 140.0 / 120.0))
    # Poisson errors of as many data as are expected: 2 × 60 + 30
    variance = 4.0 * 16.0 + (120.0 + 30.0) + 9.0
    assert found.sigma == pytest.approx((np.sqrt(variance) / 120.0,) * 3)
    assert found.chi2 == pytest.approx(2.0 * (20.0**2) / variance)
    # the curve keeps the yield of the control region
    assert sum(found.curve) == pytest.approx(3.0)


def test_bins_with_too_few_simulated_events_are_joined_from_the_upper_edge() -> None:
    """10 effective events are wanted: the last bin has 8, the last two have 33 together."""
    data = (np.full(3, 100.0), np.full(3, 100.0))
    zero = (np.zeros(3), np.zeros(3))
    samples = (np.full(3, 100.0), np.array([100.0, 400.0, 1250.0]))
    assert samples[0][2] ** 2 / samples[1][2] == 8.0
    found = measure_residual(data, samples, zero, EDGES, "side")
    assert found.edges == (0.0, 1.0, 3.0)
    with pytest.raises(TaipanError, match="region 'side' has too few events"):
        measure_residual(data, (samples[0], np.full(3, 2500.0)), zero, EDGES, "side")


def test_residual_multiplies_yields_and_has_the_squares_of_the_factors() -> None:
    """Events beyond the edges count in the edge bins, in the measurement and in the templates."""
    observable = Observable(label="x", binning=EDGES.tolist())
    axes = (["a", "b", "data"], ["high", "side"], ["nominal", "r_up"])
    histogram = empty_histogram("x", observable, *axes)
    view = histogram.view(flow=True)
    view["value"][0, 1, 0] = [100.0, 300.0, 400.0, 300.0, 100.0]  # 400, 400, 400
    view["value"][1, 1, 0] = [10.0, 10.0, 20.0, 15.0, 5.0]  # 20, 20, 20
    view["value"][2, 1, 0] = [90.0, 270.0, 420.0, 380.0, 100.0]  # 360, 420, 480
    for process in range(3):
        view["variance"][process, 1, 0] = view["value"][process, 1, 0]
    view["value"][0, 0, 0] = [1.0, 2.0, 3.0, 4.0, 5.0]
    view["variance"][0, 0, 0] = [10.0, 20.0, 30.0, 40.0, 50.0]
    item = make_systematic(
        kind="control_residual", region="side", samples=["a"], regions=["high", "side"]
    )
    variations = template_variations({"r": item}, {})
    found, records = add_residuals({"x": histogram}, SAMPLES, REGIONS, variations, None)
    record = records["r"]["x"]
    # data less b are 340, 400 and 460 of 400 each
    assert record["ratio"] == pytest.approx((0.85, 1.0, 1.15))
    low, middle, high = record["curve"]
    assert (low, middle, high) == pytest.approx((0.85, 1.0, 1.15), abs=0.01)
    cell = found["x"][hist.loc("a"), hist.loc("high"), hist.loc("r_up"), :]
    factors = np.array([low, low, middle, high, high])
    np.testing.assert_allclose(cell.values(flow=True), [1, 2, 3, 4, 5] * factors)
    np.testing.assert_allclose(cell.variances(flow=True), [10, 20, 30, 40, 50] * factors**2)
