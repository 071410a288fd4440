"""Flat columns of objects, against the same done event by event; reading them from files."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from taipan.analysis import Column
from taipan.columns.event_block import EventBlock, Lists, Objects, pair_up
from taipan.errors import TaipanError
from taipan.skim.columns import read_columns
from taipan.skim.storage import to_table

LISTS = [[5.0, 1.0], [], [2.0], [7.0, 3.0, 4.0], []]


def objects(lists: list[list[float]]) -> Objects:
    values = np.asarray([value for one in lists for value in one], dtype=">f4")
    return Objects({"pt": values}, np.asarray([len(one) for one in lists]))


def as_lists(chosen: Objects) -> list[list[float]]:
    return np.split(chosen["pt"], np.cumsum(chosen.counts)[:-1]) if len(chosen.counts) else []


def test_cuts_on_objects_and_events_are_those_of_a_loop() -> None:
    read = objects(LISTS)
    assert read["pt"].dtype == np.dtype("float32")  # byte order of the machine
    assert read.event.tolist() == [0, 0, 2, 3, 3, 3]
    hard = read["pt"] > 2.5
    assert read.any(hard).tolist() == [True, False, False, True, False]
    assert [list(one) for one in as_lists(read.where(hard))] == [[5], [], [], [7, 3, 4], []]
    later = read.of_events(np.asarray([False, True, True, True, False]))
    assert [list(one) for one in as_lists(later)] == [[], [2], [7, 3, 4]]
    both = later.where(later["pt"] < 4.0).of_events(np.asarray([False, True, True]))
    assert [list(one) for one in as_lists(both)] == [[2], [3]]
    assert both.lists("pt").counts.tolist() == [1, 1]
    assert len(read.of_events(np.zeros(5, dtype=bool))) == 0


def test_pairs_are_all_within_an_event() -> None:
    first, second = objects([[1, 2], [3], [4], []]), objects([[10], [], [20, 30], [40]])
    left, right = pair_up(first, second)
    pairs = list(zip(first["pt"][left].tolist(), second["pt"][right].tolist(), strict=True))
    assert pairs == [(1, 10), (2, 10), (4, 20), (4, 30)]


def test_lists_must_fit_and_be_where_they_are_declared() -> None:
    with pytest.raises(ValueError, match="lists of 3 values, but 2 given"):
        Lists(np.zeros(2), np.asarray([1, 2]))
    listed = Column("pt", "float32", "GeV", "momentum", jagged=True)
    single = Column("pt", "float32", "GeV", "momentum")
    with pytest.raises(TaipanError, match="'pt' must be a list of values an event"):
        to_table({"pt": np.zeros(2)}, [listed])
    with pytest.raises(TaipanError, match="'pt' must be one value an event"):
        to_table({"pt": Lists(np.zeros(2), np.ones(2, int))}, [single])
    flags = Column("flag", "bool", "", "flag", jagged=True)
    content = Lists(np.asarray([True, False, True]), np.asarray([1, 0, 2]))
    assert to_table({"flag": content}, [flags])["flag"].to_pylist() == [[True], [], [False, True]]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three baskets a branch, and the same events as an RNTuple."""
    generator = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("columns") / "file.root"
    counts = generator.poisson(1.5, 300)
    n = int(counts.sum())
    muons = {"pt": generator.exponential(20, n).astype("f4"), "tight": generator.random(n) < 0.5}
    record = ak.unflatten(ak.zip(muons), counts)
    events = {"event": np.arange(300, dtype=np.int64), "Muon": record}
    with uproot.recreate(path) as sink:
        sink.mktree("Events", {"event": "int64", "Muon": record.type.content})
        for start in (0, 100, 200):
            sink["Events"].extend({k: v[start : start + 100] for k, v in events.items()})
        flat = {"event": events["event"], **{f"Muon_{name}": record[name] for name in muons}}
        sink.mkrntuple("Tuple", ak.zip(flat, depth_limit=1))
    return path


@pytest.mark.parametrize("tree", ["Events", "Tuple"])
@pytest.mark.parametrize(("start", "stop"), [(0, 300), (50, 60), (99, 201), (100, 200), (7, 7)])
def test_columns_are_what_uproot_reads(file: Path, tree: str, start: int, stop: int) -> None:
    names = ("event", "Muon_pt", "Muon_tight")
    with uproot.open(file) as source:
        columns = read_columns(source[tree], names, start, stop)
        expected = source["Events"].arrays(names, entry_start=start, entry_stop=stop)
    assert list(columns) == list(names)
    np.testing.assert_array_equal(columns["event"], expected["event"].to_numpy())
    for name in names[1:]:
        column = columns[name]
        assert isinstance(column, Lists)
        np.testing.assert_array_equal(column.counts, ak.num(expected[name]).to_numpy())
        np.testing.assert_array_equal(column.values, ak.flatten(expected[name]).to_numpy())
    mask = np.arange(stop - start) % 3 == 0
    muons = EventBlock.from_columns(columns, mask).objects("Muon")
    np.testing.assert_array_equal(muons["pt"], ak.flatten(expected["Muon_pt"][mask]).to_numpy())
