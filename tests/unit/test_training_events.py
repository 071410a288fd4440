"""Events of the training, their labels and weights, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents
from taipan.events.weights import EventWeights
from taipan.nn.collect import CollectSettings, collect_training_set, collect_weights
from taipan.nn.data import split_folds
from tests.made_up_estimates import measured, same_sign
from tests.tiny_analysis import ANALYSIS

FACTOR = 1.5
SETTINGS = CollectSettings(
    "high",
    ("x",),
    {
        "sig": Sample(label="sig", role="signal", datasets=["S"]),
        "bkg": Sample(label="bkg", role="background", datasets=["B"]),
        "jets": Sample(label="jets", role="background", estimate=same_sign(high="low")),
    },
    {
        "high": Region(label="high", cut="y > 0", role="signal"),
        "low": Region(label="low", cut="y < 0"),
    },
)

ESTIMATE = measured(SETTINGS.samples, FACTOR)


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
    found = collect_training_set(DATASETS, ANALYSIS, SETTINGS, ESTIMATE)
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


def cut(events: DatasetEvents, sizes: tuple[int, ...]) -> list[DatasetEvents]:
    """Divide the events of a dataset."""
    ends = np.cumsum(sizes)
    return [
        replace(
            events,
            columns={name: values[stop - size : stop] for name, values in events.columns.items()},
            weights=events.weights and events.weights.take(slice(stop - size, stop)),
            folds=events.folds[stop - size : stop],
        )
        for size, stop in zip(sizes, ends, strict=True)
    ]


def test_training_events_do_not_depend_on_the_blocks_that_are_read() -> None:
    whole = collect_training_set(DATASETS, ANALYSIS, SETTINGS, ESTIMATE)
    blocks = [part for events in DATASETS for part in cut(events, (1, 0, 2))]
    found = collect_training_set(iter(blocks), ANALYSIS, SETTINGS, ESTIMATE)
    first, second = (item.take(item.canonical_order()) for item in (whole, found))
    assert len(second) == 7
    for name in ("features", "labels", "weights", "folds", "samples", "identifiers"):
        np.testing.assert_array_equal(getattr(second, name), getattr(first, name))
    weights = collect_weights(iter(blocks), ANALYSIS, SETTINGS, ESTIMATE)
    assert sorted(weights["high"]["jets"]) == pytest.approx([-4.5, -0.375, 1.5])


def test_weights_of_the_regions_are_those_of_their_samples() -> None:
    found = collect_weights(DATASETS, ANALYSIS, SETTINGS, ESTIMATE)
    assert found["high"]["sig"].tolist() == [0.5, -0.5]
    assert sorted(found["high"]["jets"]) == pytest.approx([-4.5, -0.375, 1.5])
    assert found["low"]["bkg"].tolist() == [3.0]
    assert "jets" not in found["low"]


@pytest.mark.parametrize("number", [3, 4, 5])
def test_every_network_of_a_fold_is_stopped_by_another_fold(number: int) -> None:
    """Network j of fold i stops by fold (i + j) mod k and is trained on those that are left."""
    folds = np.arange(number)
    identifiers = np.arange(number, dtype=np.uint64)
    for fold in range(number):
        for turn in range(1, number):
            split = split_folds(folds, identifiers, fold, number, turn)
            stops = (fold + turn) % number
            assert np.flatnonzero(split.held_out).tolist() == [fold]
            assert np.flatnonzero(split.validation).tolist() == [stops]
            left = sorted(set(range(number)) - {fold, stops})
            assert np.flatnonzero(split.training).tolist() == left
            assert split.turn == turn
    for turn in (0, number):
        with pytest.raises(TaipanError, match=f"network {turn} of a fold, {number} folds: allowed"):
            split_folds(folds, identifiers, 0, number, turn)


def test_with_two_folds_a_quarter_of_the_other_fold_stops_each_network() -> None:
    """Four networks, four quarters that share no event."""
    rng = np.random.default_rng(3)
    folds = rng.integers(0, 2, 8000)
    identifiers = rng.integers(0, 2**63, 8000).astype(np.uint64)
    quarters = []
    for turn in (1, 2, 3, 4):
        split = split_folds(folds, identifiers, 1, 2, turn)
        assert (split.held_out == (folds == 1)).all()
        assert (split.training ^ split.validation ^ split.held_out).all()
        assert split.validation.sum() == pytest.approx(1000, abs=130)
        quarters.append(split.validation)
    assert (np.sum(quarters, axis=0) == (folds == 0)).all()


def test_expected_events_of_a_part_are_those_of_the_whole() -> None:
    """Four of seven events hold Σw = 0.5 + 2 - 4.5 + 1.5 = -0.5, of which the signal has 0.5."""
    found = collect_training_set(DATASETS, ANALYSIS, SETTINGS, ESTIMATE)
    chosen = np.isin(found.features[:, 0], [0.0, 10.0, 11.0, 21.0])
    signal, background = found.totals(chosen)
    assert signal == pytest.approx(0.5 * 7.0 / 4.0)
    assert background == pytest.approx(-1.0 * 7.0 / 4.0)
