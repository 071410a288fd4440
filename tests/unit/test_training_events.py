"""Events of the training, their labels and weights, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from taipan.config.model import Region, Sample
from taipan.events.load import DatasetEvents
from taipan.events.weights import EventWeights
from taipan.nn.collect import CollectSettings, collect_training_set, collect_weights
from tests.tiny_analysis import ANALYSIS

FACTOR = 1.5
SETTINGS = CollectSettings(
    "high",
    ("x",),
    {
        "sig": Sample(label="sig", role="signal", datasets=["S"]),
        "bkg": Sample(label="bkg", role="background", datasets=["B"]),
        "jets": Sample(label="jets", role="background", estimate="same_sign"),
    },
    {
        "high": Region(label="high", cut="y > 0", role="signal", same_sign="low"),
        "low": Region(label="low", cut="y < 0"),
    },
)


def dataset(name: str, weights: list[float] | None, first: float) -> DatasetEvents:
    """Three events: two in the region, one in its partner; x counts up from `first`."""
    columns = {
        "event_hash": np.array([10, 21, 32], np.uint64),
        "x": first + np.arange(3.0),
        "y": np.array([1.0, -1.0, 1.0]),
    }
    found = None if weights is None else EventWeights(np.array(weights), {})
    return DatasetEvents(name, weights is None, columns, found, np.array([0, 1, 2]))


DATASETS = [
    dataset("S", [0.5, 0.25, -0.5], 0.0),
    dataset("B", [2.0, 3.0, 4.0], 10.0),
    dataset("Data", None, 20.0),
]


def test_estimate_is_data_of_the_partner_less_simulation_of_the_partner() -> None:
    """Data count with the factor, simulation with minus the factor times its weight."""
    found = collect_training_set(DATASETS, ANALYSIS, SETTINGS, FACTOR)
    rows = {
        (str(sample), float(x)): (float(weight), int(label), int(fold), int(identity))
        for sample, x, weight, label, fold, identity in zip(
            found.samples, found.features[:, 0], found.weights, found.labels, found.folds,
            found.identifiers, strict=True,
        )
    }  # fmt: skip
    assert rows == {
        ("sig", 0.0): (0.5, 1, 0, 10),
        ("sig", 2.0): (-0.5, 1, 2, 32),
        ("bkg", 10.0): (2.0, 0, 0, 10),
        ("bkg", 12.0): (4.0, 0, 2, 32),
        ("jets", 1.0): (-1.5 * 0.25, 0, 1, 21),
        ("jets", 11.0): (-1.5 * 3.0, 0, 1, 21),
        ("jets", 21.0): (1.5, 0, 1, 21),
    }
    assert len(found) == len(rows)


def test_weights_of_the_regions_are_those_of_their_samples() -> None:
    found = collect_weights(DATASETS, ANALYSIS, SETTINGS, FACTOR)
    assert found["high"]["sig"].tolist() == [0.5, -0.5]
    assert sorted(found["high"]["jets"]) == pytest.approx([-4.5, -0.375, 1.5])
    assert found["low"]["bkg"].tolist() == [3.0]
    assert "jets" not in found["low"]
