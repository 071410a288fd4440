"""Histograms of generator weights of a few events: sums, blocks, and templates, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taipan.analysis import Column
from taipan.config.model import Config
from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents
from taipan.events.variations import template_variations
from taipan.events.weights import EventWeights
from taipan.normalisation import Normalisation
from taipan.skim.storage import EventWriter, iterate_events, to_table
from taipan.skim.weight_lists import list_columns
from taipan.skim.weight_means import WeightMeans
from taipan.systematics.base import Systematic
from taipan.systematics.registry import make_systematic
from taipan.templates.build import add_parts
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_blocks
from taipan.templates.members import add_members, member_histogram
from tests.tiny_analysis import ANALYSIS

REGIONS = {
    "high": Region(label="high", cut="y > 0", role="signal"),
    "low": Region(label="low", cut="y < 0", role="control"),
}
SAMPLES = {"sig": Sample(label="sig", role="signal", datasets=["S", "T"])}
OBSERVABLES = {"x": Observable(label="x", binning=[0.0, 1.0, 2.0])}
BRANCH = "LHEScaleWeight"


def settings(item: Systematic) -> FillSettings:
    variations = template_variations({"v": item}, SAMPLES)
    return FillSettings(SAMPLES, REGIONS, ("x",), OBSERVABLES, {}, variations)


def block(name: str, x: list[float], y: list[float], lists: Any) -> DatasetEvents:
    n = len(x)
    columns = {"x": np.array(x), "y": np.array(y)}
    weights = EventWeights(np.full(n, 2.0), {})
    events = DatasetEvents(name, False, columns, weights, np.zeros(n, dtype=np.int64))
    return replace(events, weight_lists={BRANCH: tuple(np.array(lists, np.float32).T)})


def scales(**keys: Any) -> Systematic:
    return make_systematic(kind="scale_weights", samples=["sig"], members=[0, 1], **keys)


FIRST = block("S", [0.5, 1.5], [1.0, 1.0], [[2.0, 0.5], [4.0, 0.25]])
SECOND = block("S", [0.5, 9.0, 0.5], [1.0, 1.0, -1.0], [[1.0, 1.0], [3.0, 3.0], [8.0, 0.5]])
OTHER = block("T", [0.5], [1.0], [[0.5, 1.0]])
NOTHING = block("T", [], [], np.zeros((0, 2)))


def test_members_add_up_over_blocks_in_each_bin_and_region() -> None:
    """Each event weighs 2; the event beyond the edges is in the overflow."""
    found, control = fill_blocks([FIRST, SECOND], ANALYSIS, settings(scales()), None)
    histogram = found[member_histogram("x", BRANCH, "S")]
    view = histogram.view(flow=True)
    assert [axis.name for axis in histogram.axes] == ["process", "region", "member", "x"]
    assert view[0, 0].tolist() == [[0.0, 6.0, 8.0, 6.0], [0.0, 3.0, 0.5, 6.0]]
    assert view[0, 1].tolist() == [[0.0, 16.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    assert list(found["x"].axes["variation"]) == ["nominal"]
    assert control == {}


def test_blocks_with_other_numbers_of_members_are_refused() -> None:
    other = block("S", [0.5], [1.0], [[1.0, 1.0, 1.0]])
    with pytest.raises(TaipanError, match="LHEScaleWeight has 3 weights in some events and 2 in"):
        fill_blocks([FIRST, other], ANALYSIS, settings(scales()), None)


def templates(item: Systematic, *blocks: list[DatasetEvents], means: Any = None) -> hist.Hist:
    plan = settings(item)
    parts = [fill_blocks(part, ANALYSIS, plan, None)[0] for part in blocks]
    config = Config.from_plain({"samples": SAMPLES, "regions": REGIONS, "systematics": {"v": item}})
    norms = {
        name: Normalisation(
            *(name, False, 1.0, 1, 1.0, 1.0), weight_means={BRANCH: WeightMeans("", 2, values)}
        )
        for name, values in (means or {"S": (2.0, 0.5), "T": (1.0, 1.0)}).items()
    }
    total = add_parts(parts, config, OBSERVABLES, plan.variations)
    return add_members(total, parts, config, plan.variations, norms)["x"]


def cell(histogram: hist.Hist, region: str, label: str) -> list[float]:
    view = histogram[hist.loc("sig"), hist.loc(region), hist.loc(label), :]
    return [float(x) for x in view.values(flow=True)]


def test_datasets_are_added_with_means_of_their_own_before_the_envelope() -> None:
    """S: (6, 8, 6)/2 and (3, ½, 6)/½; T: 1 and 2 in the first bin; nominal 6, 2, 2."""
    found = templates(scales(), [FIRST, SECOND], [OTHER])
    assert cell(found, "high", "nominal") == [0.0, 6.0, 2.0, 2.0]
    assert cell(found, "high", "v_up") == [0.0, 8.0, 4.0, 12.0]
    assert cell(found, "high", "v_down") == [0.0, 4.0, 1.0, 2.0]
    assert cell(found, "low", "v_up") == [0.0, 8.0, 0.0, 0.0]


def test_full_keeps_the_cross_section_and_a_region_may_be_left_alone() -> None:
    """The envelope of (7, 8, 6), (5, ½, 6) and the nominal; nothing in `low`."""
    item = scales(normalisation="full", regions=["high"])
    found = templates(item, [FIRST, SECOND], [OTHER])
    assert cell(found, "high", "v_up") == [0.0, 7.0, 8.0, 6.0]
    assert cell(found, "high", "v_down") == [0.0, 5.0, 0.5, 2.0]
    assert cell(found, "low", "v_up") == [0.0] * 4


def test_shape_keeps_the_yield_of_each_region() -> None:
    """(6, 8, 6) has 20 and (3, ½, 6) has 9½; the nominal (4, 2, 2) has 8."""
    found = templates(scales(normalisation="shape"), [FIRST, SECOND], [NOTHING])
    up = [max(4.0, 6 * 0.4, 3 * 8 / 9.5), max(2.0, 8 * 0.4), max(2.0, 6 * 0.4, 6 * 8 / 9.5)]
    down = [min(4.0, 6 * 0.4, 3 * 8 / 9.5), min(2.0, 0.5 * 8 / 9.5), 2.0]
    assert cell(found, "high", "v_up")[1:] == pytest.approx(up)
    assert cell(found, "high", "v_down")[1:] == pytest.approx(down)
    assert cell(found, "low", "v_up") == cell(found, "low", "nominal") == [0.0, 2.0, 0.0, 0.0]
    bad = block("S", [0.5], [1.0], [[-1.0, 1.0]])
    with pytest.raises(TaipanError, match=r"systematics.v, sig, high: the yield of member 0 is -2"):
        templates(scales(normalisation="shape"), [bad], [NOTHING])


def test_dataset_without_selected_events_adds_nothing() -> None:
    found = templates(scales(), [FIRST], [NOTHING])
    assert cell(found, "high", "v_up") == [0.0, 2.0, 4.0, 0.0]


def test_statistics_are_those_of_the_nominal_events() -> None:
    """Two events of 2 make 8; twice the yield has four times that."""
    means = {"S": (1.0, 1.0), "T": (1.0, 1.0)}
    found = templates(scales(), [FIRST], [NOTHING], means=means)
    view = found[hist.loc("sig"), hist.loc("high"), hist.loc("v_up"), :].variances(flow=True)
    assert view.tolist() == [0.0, 4.0 * 2.0**2, 4.0 * 4.0**2, 0.0]


def test_blocks_do_not_depend_on_row_groups(tmp_path: Path) -> None:
    """Ten events in files with groups of 3 and of 4 rows, read four at a time."""
    columns = (Column("a", "int32", "", ""), Column("w", "float32", "", "", jagged=True))
    for name, low, high, size in (("a", 0, 6, 3), ("b", 6, 10, 4)):
        numbers = np.arange(low, high, dtype=np.int32)
        lists = pa.array([[float(i), i + 0.5] for i in numbers], pa.list_(pa.float32()))
        table = pa.table({"a": pa.array(numbers), "w": lists})
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=size)
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    blocks = list(iterate_events(files, columns, 4))
    assert [item["a"].tolist() for item in blocks] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert blocks[1]["w"].tolist() == [[4.0, 4.5], [5.0, 5.5], [6.0, 6.5], [7.0, 7.5]]


def test_members_are_columns_and_a_chunk_that_was_left_out_has_none(tmp_path: Path) -> None:
    """Two members of four events, as many columns; the file between them has no events."""
    plain = (Column("a", "int32", "", ""),)
    members = list_columns({BRANCH: 2})
    assert [column.name for column in members] == [f"{BRANCH}_0", f"{BRANCH}_1"]
    files = [tmp_path / f"{i}.parquet" for i in range(3)]
    for low, file in ((0, files[0]), (2, files[2])):
        a = np.arange(low, low + 2)
        content = {"a": a, f"{BRANCH}_0": 1.0 + a, f"{BRANCH}_1": 0.5 * a}
        columns = (*plain, *members)
        with EventWriter(file, columns, {}, [column.name for column in members]) as writer:
            writer.write(to_table(content, columns))
    with EventWriter(files[1], plain, {}):
        pass
    blocks = list(iterate_events(files, (*plain, *members), 3))
    assert [item["a"].tolist() for item in blocks] == [[0, 1, 2], [3]]
    assert [item[f"{BRANCH}_1"].tolist() for item in blocks] == [[0.0, 0.5, 1.0], [1.5]]
    (nothing,) = iterate_events(files[1:2], (*plain, *members), 3)
    assert nothing[f"{BRANCH}_0"].shape == (0,)
    group = pq.ParquetFile(files[0]).metadata.row_group(0)
    assert [group.column(i).compression for i in range(3)] == ["ZSTD", "LZ4", "LZ4"]


def test_samples_and_observables_of_a_dataset_have_cells_of_their_own() -> None:
    """Events above x = 1 are of one sample, those below of another; each event weighs 2."""
    samples = {
        "near": SAMPLES["sig"].model_copy(update={"select": "x < 1"}),
        "far": SAMPLES["sig"].model_copy(update={"select": "x > 1"}),
    }
    item = make_systematic(kind="scale_weights", samples=["near", "far"], members=[0, 1])
    observables = {**OBSERVABLES, "y": Observable(label="y", binning=[0.0, 2.0])}
    variations = template_variations({"v": item}, samples)
    plan = FillSettings(samples, REGIONS, ("x",), observables, {}, variations)
    found, _ = fill_blocks([FIRST], ANALYSIS, plan, None)
    x, y = (found[member_histogram(name, BRANCH, "S")] for name in ("x", "y"))
    assert list(x.axes["process"]) == ["near", "far"]
    assert x.view(flow=True)[:2, 0, 0].tolist() == [[0.0, 4.0, 0.0, 0.0], [0.0, 0.0, 8.0, 0.0]]
    assert y.view(flow=True)[:2, 0, 1].tolist() == [[0.0, 1.0, 0.0], [0.0, 0.5, 0.0]]
