"""A fold less at the same expected yield, on five events."""

from __future__ import annotations

import numpy as np
import pytest

from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents, divide_estimate, select_fold
from taipan.events.weights import EventWeights

FOLDS = np.array([0, 1, 2, 0, 1])
X = np.arange(5.0)


def simulated(weights: list[float]) -> DatasetEvents:
    alternatives = {"up": 2.0 * np.array(weights)}
    return DatasetEvents("S", False, {"x": X}, EventWeights(np.array(weights), alternatives), FOLDS)


@pytest.mark.parametrize(
    ("inside", "x", "weights"),
    [
        (True, [0.0, 3.0], [4.0, 16.0]),  # 1 + 4 of 20: times 4
        (False, [1.0, 2.0, 4.0], [8.0 / 3.0, 4.0, 40.0 / 3.0]),  # 15 of 20: times 4/3
    ],
)
def test_part_of_the_simulation_has_the_yield_of_the_whole(
    inside: bool, x: list[float], weights: list[float]
) -> None:
    """By Σw, not by the number of events; all weights of an event alike."""
    found = select_fold(simulated([1.0, 2.0, 3.0, 4.0, 10.0]), 0, inside=inside)
    assert found.weights is not None
    assert found.columns["x"].tolist() == x
    assert found.weights.nominal.tolist() == pytest.approx(weights)
    assert found.weights.alternatives["up"].tolist() == pytest.approx([2.0 * w for w in weights])
    assert found.weights.nominal.sum() == pytest.approx(20.0)
    assert ((found.folds == 0) == inside).all()


def test_part_without_weight_is_refused() -> None:
    with pytest.raises(TaipanError, match=r"S: Σw = 0\.0 of the events in the chosen folds"):
        select_fold(simulated([1.0, 2.0, 3.0, -1.0, 5.0]), 0, inside=True)


@pytest.mark.parametrize(
    ("inside", "weights"), [(True, [2.5, 0, 0, 2.5, 0]), (False, [0, 5 / 3, 5 / 3, 0, 5 / 3])]
)
def test_part_of_the_data_makes_the_whole_estimate(inside: bool, weights: list[float]) -> None:
    found = divide_estimate(DatasetEvents("D", True, {"x": X}, None, FOLDS), 0, inside=inside)
    assert found.columns["x"].tolist() == X.tolist()  # what is observed is whole
    assert found.estimate is not None
    assert found.estimate.tolist() == pytest.approx(weights)
