"""Events of pseudo-data on disk: the same events, the same random numbers, a block at a time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from taipan.analysis import Shift
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.coverage.bins import FitBins, SourceData
from taipan.coverage.draw import Universe
from taipan.coverage.event_store import EventStore, store_reach
from taipan.coverage.sample_events import SampleEvents, join_samples
from taipan.coverage.statistics import SimulationStatistics
from taipan.coverage.truth import Truth
from taipan.errors import TaipanError
from taipan.labels import is_score
from taipan.systematics.registry import make_systematic

NOTHING = SourceData({}, {}, None)


def make_part(sample: str, start: int, count: int, width: int = 1) -> SampleEvents:
    """Events whose numbers are known: x is half of the place, the weight one more."""
    rows = np.arange(start, start + count)
    return SampleEvents(
        sample,
        {
            "x": 0.5 * rows,
            "Jet_pt": np.repeat(rows[:, None], width, axis=1).astype(np.float32),
        },
        rows + 1.0,
        {"tilt": 2.0 * rows},
        rows % 3,
        sample.lower(),
        3.0 * rows,
    )


def make_universe() -> Universe:
    """Count x below 10 in two bins; a shift of one adds 2 to x."""
    push = make_systematic(kind="kinematic", shift="push", size=2.0, samples=["S", "B"])
    config: Any = SimpleNamespace(
        samples={"S": Sample(role="signal", datasets=["s"]), "B": Sample(datasets=["b"])},
        regions={"low": Region(cut="x < 10", role="signal")},
        systematics={"push": push},
    )
    shift = Shift(lambda columns, size: {**columns, "x": columns["x"] + size}, None, "")
    analysis: Any = SimpleNamespace(
        compute=lambda columns: {**columns, "passes": np.ones(len(columns["x"]), dtype=bool)},
        shifts={"push": shift},
        corrections=None,
        is_late=is_score,
    )
    bins = FitBins("x", {"low": np.array([0.0, 5.0, 10.0])}, frozenset())
    return Universe(analysis, config, bins, None)


def test_events_come_back_in_order_in_blocks(tmp_path: Path) -> None:
    """Blocks of a dataset whose rows make up two samples are read sample after sample."""
    with EventStore(tmp_path / "new" / "0.json", block=4) as store:
        for sample, start, count in (("S", 0, 3), ("B", 20, 1), ("S", 3, 3), ("B", 21, 0)):
            store.add(make_part(sample, start, count))
        store.add(make_part("S", 6, 5), np.array([0, 4]))
        assert (store.seen, store.kept) == (12, 9)
        for _ in range(2):
            found = list(store)
            assert [(item.sample, len(item.weights)) for item in found] == [
                ("S", 6), ("S", 2), ("B", 1),
            ]  # fmt: skip
            places = np.concatenate([item.columns["x"] * 2 for item in found])
            assert places.tolist() == [0, 1, 2, 3, 4, 5, 6, 10, 20]
            for item in found:
                rows = item.columns["x"] * 2
                np.testing.assert_array_equal(item.weights, rows + 1.0)
                np.testing.assert_array_equal(item.alternatives["tilt"], 2.0 * rows)
                np.testing.assert_array_equal(item.folds, rows % 3)
                np.testing.assert_array_equal(item.columns["Jet_pt"][:, 0], rows)
                assert item.uncorrected is not None
                np.testing.assert_array_equal(item.uncorrected, 3.0 * rows)
                assert item.dataset == item.sample.lower()
        assert not list((tmp_path / "new").iterdir())  # the file has no name


def test_objects_are_padded_to_the_largest_number() -> None:
    joined = join_samples([make_part("S", 0, 2, width=1), make_part("S", 2, 1, width=3)])
    expected = [[0, np.nan, np.nan], [1, np.nan, np.nan], [2, 2, 2]]
    np.testing.assert_array_equal(joined.columns["Jet_pt"], expected)
    assert joined.columns["Jet_pt"].dtype == np.float32


def test_pseudo_data_do_not_depend_on_the_blocks(tmp_path: Path) -> None:
    """Truth and statistics of the simulation are those of all events in memory."""
    universe = make_universe()
    events = [make_part("S", 0, 13), make_part("B", 0, 17)]
    truth = Truth(2.0, {"push": 0.3}, {})
    whole = universe.expected(events, truth, NOTHING)
    drawn = SimulationStatistics(universe, events, NOTHING).draw(np.random.default_rng(3))
    with EventStore(tmp_path / "0.json", block=5) as store:
        for start in (0, 5, 10):
            store.add(make_part("S", start, min(5, 13 - start)))
            store.add(make_part("B", start, 5))
        store.add(make_part("B", 15, 2))
        assert len(list(store)) > 4
        found = universe.expected(store, truth, NOTHING)
        again = SimulationStatistics(universe, store, NOTHING).draw(np.random.default_rng(3))
    assert drawn.keys() == again.keys()
    for name, item in drawn.items():
        np.testing.assert_array_equal(again[name].ratio, item.ratio)
        np.testing.assert_array_equal(again[name].error, item.error)
    np.testing.assert_array_equal(found["low"], whole["low"])  # whole numbers: exact


def test_what_a_truth_brings_near_is_stored_and_all_pass(tmp_path: Path) -> None:
    """x < 10 as it is are the first 20 events; a pull of -1 brings the next four."""
    universe = make_universe()
    truths = [Truth(1.0, {"push": pull}, {}) for pull in (0.0, -1.0, 1.0)]
    with EventStore(tmp_path / "0.json") as store:
        parts = [make_part("B", 0, 15), make_part("B", 15, 35)]
        passed = universe.expected(store_reach(universe, parts, truths, store), truths[0], NOTHING)
        assert (store.seen, store.kept) == (50, 24)
        assert passed["low"].tolist() == [55.0, 155.0]  # 1 + ... + 10, 11 + ... + 20
        near = universe.expected(store, truths[1], NOTHING)
    # twice the place is below 24, or 14 in the first bin
    assert near["low"].tolist() == [105.0, 195.0]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with (
        pytest.raises(TaipanError, match=r"cannot write into .*file"),
        EventStore(tmp_path / "file" / "0.json"),
    ):
        pass
