"""Factors, repairs and divisions of templates, and weights at their limits, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from taipan.errors import TaipanError
from taipan.estimates.ratio import measure_transfer_factor
from taipan.events.load import DatasetEvents, divide_estimate, select_fold
from taipan.events.weights import EventWeights, VertexWeights, measure_vertex_weights, weigh_events
from taipan.likelihood.binning import _quantiles
from taipan.likelihood.repair import repair_pair, repair_values
from taipan.likelihood.table import TemplatePair
from taipan.likelihood.treatment import rate_size, split_variation
from taipan.systematics.registry import make_systematic


def test_transfer_factor_and_its_error() -> None:
    """0.6 ± 0.3 over 0.8 ± 0.2: relative errors of ½ and ¼ in quadrature."""
    found = measure_transfer_factor((0.6, 0.09), (0.8, 0.04), ("above", "below"))
    assert found.value == pytest.approx(0.75)
    assert found.stat == pytest.approx(0.75 * math.sqrt(0.25 + 0.0625))
    assert found.numerator == pytest.approx((0.6, 0.3))
    assert found.denominator == pytest.approx((0.8, 0.2))
    assert found.to_dict()["relative_uncertainty"] == pytest.approx(math.sqrt(0.3125))


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_transfer_factor_of_nothing_is_refused_by_region(value: float) -> None:
    with pytest.raises(TaipanError, match=r"data minus simulation is .* in region 'above'"):
        measure_transfer_factor((value, 1.0), (5.0, 1.0), ("above", "below"))
    with pytest.raises(TaipanError, match=r"data minus simulation is .* in region 'below'"):
        measure_transfer_factor((5.0, 1.0), (value, 1.0), ("above", "below"))


@pytest.mark.parametrize(
    ("values", "repaired", "scale"),
    [
        ([0.5, -0.1, 0.2], [0.6 / 0.7 * 0.5, 0.0, 0.6 / 0.7 * 0.2], 0.6 / 0.7),
        ([0.5, 0.0, 0.2], [0.5, 0.0, 0.2], 1.0),
        ([1.0, -1.0], [1.0, -1.0], 1.0),  # there is nothing to scale to
        ([1.0, -3.0], [1.0, -3.0], 1.0),
    ],
)
def test_negative_bins_are_taken_from_the_others(
    values: list[float], repaired: list[float], scale: float
) -> None:
    found, factor = repair_values(np.array(values))
    assert found.tolist() == pytest.approx(repaired)
    assert factor == pytest.approx(scale)


def test_what_is_subtracted_again_counts_in_the_repair() -> None:
    """10 and 1 of data with 2 subtracted in each bin: 8 and -1 are left, so 7 and 0."""
    pair = TemplatePair(np.array([10.0, 1.0]), np.array([3.0, 2.0]))
    found, done = repair_pair(("QCD", "sr"), "jes", pair, np.array([2.0, 2.0]))
    assert found.up.tolist() == pytest.approx([9.0, 2.0])
    assert found.down.tolist() == [3.0, 2.0]
    (entry,) = done
    assert (entry.sample, entry.region, entry.label) == ("QCD", "sr", "jes_up")
    assert (entry.bins, entry.contents, entry.scale) == ((1,), (-1.0,), 0.875)


def test_variation_is_divided_into_yield_and_shape() -> None:
    nominal = np.array([2.0, 6.0])
    found = split_variation(nominal, TemplatePair(np.array([3.0, 7.0]), np.array([0.5, 5.5])))
    assert (found.up, found.down) == pytest.approx((1.25, 0.75))
    assert found.shape_up.tolist() == pytest.approx([2.4, 5.6])
    assert found.shape_down.tolist() == pytest.approx([2.0 / 3.0, 22.0 / 3.0])
    # of a yield that vanishes there is no shape
    gone = split_variation(nominal, TemplatePair(nominal, np.array([-1.0, 1.0])))
    assert gone.down == 0.0
    assert gone.shape_down.tolist() == nominal.tolist()


@pytest.mark.parametrize(
    ("up", "down", "size"), [(1.1, 0.8, 0.2), (1.3, 0.9, 0.3), (0.9, 0.95, 0.1), (1.05, 1.2, 0.2)]
)
def test_size_of_a_rate_is_that_of_its_larger_side(up: float, down: float, size: float) -> None:
    assert rate_size(up, down) == pytest.approx(size)


def columns(weights: list[float], vertices: list[int]) -> dict[str, np.ndarray]:
    return {"genWeight": np.array(weights, np.float32), "PV_npvs": np.array(vertices, int)}


def test_vertex_weights_keep_a_small_sum_and_refuse_none() -> None:
    """Σw = 0.5; weights ½ and 2 on events of 0.25 each keep it by a factor of 0.8."""
    found = weigh_events(columns([0.5, 0.5], [0, 1]), 0.5, VertexWeights((0.5, 2.0)))
    assert found.nominal.tolist() == pytest.approx([0.1, 0.4])
    assert found.alternatives["pileup"].tolist() == [0.25, 0.25]
    for weights in ([1.0, -0.25], [1.0, -1.0]):  # times ½ and 2: 0 and -1.5
        with pytest.raises(TaipanError, match="after vertex weights; it must be positive"):
            weigh_events(columns(weights, [0, 1]), 1.0, VertexWeights((0.5, 2.0)))
    assert len(weigh_events(columns([], []), 1.0, VertexWeights((0.5,))).nominal) == 0


def test_vertices_of_one_event_and_of_little_weight() -> None:
    """Data 1 : 0 : 0; simulation 1 : 0 : 3 of Σw = 0.4, and no vertices where neither has any."""
    found = measure_vertex_weights(
        np.array([0]), np.array([0, 2, 2]), np.array([0.1, 0.2, 0.1]), 10.0
    )
    assert found.ratio == pytest.approx((4.0, 1.0, 0.0))
    for data, weights in ((np.array([], int), [1.0]), (np.array([1]), [0.0])):
        with pytest.raises(TaipanError, match="no data or no simulated events"):
            measure_vertex_weights(data, np.array([1]), np.array(weights), 10.0)


def test_fold_of_little_weight_and_of_one_event() -> None:
    folds = np.array([0, 1, 1])
    weights = EventWeights(np.array([0.25, 0.25, 0.5]), {})
    simulated = DatasetEvents("S", False, {}, weights, folds)
    found = select_fold(simulated, 0, inside=True).weights
    assert found is not None
    assert found.nominal.tolist() == pytest.approx([1.0])
    data = DatasetEvents("D", True, {}, None, folds)
    estimate = divide_estimate(data, 0, inside=True).estimate
    assert estimate is not None
    assert estimate.tolist() == [3.0, 0.0, 0.0]
    with pytest.raises(TaipanError, match="D: no event in the chosen folds"):
        divide_estimate(data, 2, inside=True)
    nothing = DatasetEvents("D", True, {}, None, np.array([], int))
    empty = divide_estimate(nothing, 0, inside=True).estimate
    assert empty is not None
    assert len(empty) == 0


@pytest.mark.parametrize(
    ("given", "factors"),
    [
        ({"size": 0.1}, (1.1, 0.9)),
        ({"size": 0.3}, (1.3, 0.7)),
        ({"up": 0.1, "down": -0.3}, (1.1, 0.7)),
        ({"up": -0.2, "down": 0.05}, (0.8, 1.05)),
    ],
)
def test_factors_of_a_rate_at_one_standard_deviation(
    given: dict[str, float], factors: tuple[float, float]
) -> None:
    """A size is up and down alike."""
    rate = make_systematic(kind="rate", samples=["a"], **given)
    assert (rate.yield_factor(1.0), rate.yield_factor(-1.0)) == pytest.approx(factors)


def test_bins_of_equal_signal() -> None:
    """Half of the signal lies in the last of five fine bins; a negative bin counts nothing."""
    assert _quantiles(np.array([1.0, 1.0, 1.0, 1.0, 4.0]), 2) == [0, 4]
    assert _quantiles(np.array([4.0, 1.0, 1.0, 1.0, 1.0]), 2) == [0, 1]
    assert _quantiles(np.array([2.0, -9.0, 2.0, 2.0, 2.0]), 4) == [0, 1, 3, 4]
