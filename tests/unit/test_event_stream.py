"""Events in blocks: the same weights, folds and histograms as all at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from taipan.atomic import write_json
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents, divide_estimate, load_dataset, select_fold
from taipan.events.stream import stream_dataset
from taipan.events.weights import VertexWeights
from taipan.normalisation import Normalisation, to_dict
from taipan.skim.storage import iterate_events, read_events
from taipan.templates.fill import fill_blocks, fill_dataset
from tests.htautau import ANALYSIS
from tests.unit.test_templates import score, settings

NORM = Normalisation("DYJetsToLL", False, 0.37, 4000, 4000.0, 1.0)
RATIO = tuple(np.linspace(1.5, 0.5, 40))


@pytest.fixture
def parts(skim_file: Path, tmp_path: Path) -> list[Path]:
    """The skim in files of 700 events."""
    table = pq.read_table(skim_file)
    paths = []
    for start in range(0, len(table), 700):
        paths.append(tmp_path / f"{start}.parquet")
        pq.write_table(table.slice(start, 700), paths[-1])
    return paths


def stream(
    paths: list[Path],
    folder: Path,
    norm: Normalisation = NORM,
    *,
    has_vertices: bool = True,
    **more: Any,
) -> list[DatasetEvents]:
    write_json(folder / "norm.json", to_dict({"DYJetsToLL": norm}))
    write_json(folder / "pileup.json", {"enabled": has_vertices, "ratio": RATIO})
    arguments = (folder / "norm.json", folder / "pileup.json", ANALYSIS, 3)
    return list(stream_dataset("DYJetsToLL", paths, *arguments, **more))


@pytest.mark.parametrize("step", [1, 333, 700, 100_000])
def test_blocks_hold_every_event_once_and_in_order(
    skim_file: Path, parts: list[Path], step: int
) -> None:
    columns = [c for c in ANALYSIS.columns if c.name in ("event_hash", "PV_npvs")]
    whole = read_events([skim_file], columns)
    step = max(step, len(whole["event_hash"]) // 50)
    blocks = list(iterate_events(parts, columns, step))
    sizes = [len(block["event_hash"]) for block in blocks]
    assert set(sizes[:-1]) <= {step}
    for name, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([b[name] for b in blocks]), values)


@pytest.mark.parametrize("drop_fold", [None, 1])
def test_weights_and_folds_are_those_of_the_whole(
    skim_file: Path, parts: list[Path], tmp_path: Path, drop_fold: int | None
) -> None:
    """The vertex weights keep Σw over all events, not over a block."""
    whole = load_dataset([skim_file], ANALYSIS, NORM, VertexWeights(RATIO), folds=3)
    if drop_fold is not None:
        whole = select_fold(whole, drop_fold, inside=False)
    blocks = stream(parts, tmp_path, drop_fold=drop_fold, block=500)
    assert len(blocks) > 2
    assert whole.weights is not None
    weights = [block.weights for block in blocks if block.weights is not None]
    np.testing.assert_array_equal(np.concatenate([b.folds for b in blocks]), whole.folds)
    np.testing.assert_array_equal(
        np.concatenate([w.nominal for w in weights]), whole.weights.nominal
    )
    np.testing.assert_array_equal(
        np.concatenate([w.alternatives["pileup"] for w in weights]),
        whole.weights.alternatives["pileup"],
    )
    for name in ("pt_1", "event_hash"):
        if name in whole.columns:
            joined = np.concatenate([b.columns[name] for b in blocks])
            np.testing.assert_array_equal(joined, whole.columns[name])


def test_events_that_need_no_others_are_weighed_by_themselves(
    skim_file: Path, parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without vertex weights no column of all events is read, so memory stays that of a block."""
    whole = load_dataset([skim_file], ANALYSIS, NORM, None, folds=3)
    assert whole.weights is not None

    def refuse(*_: Any) -> None:
        raise AssertionError("all events were read")

    monkeypatch.setattr("taipan.events.stream.read_events", refuse)
    blocks = stream(parts, tmp_path, has_vertices=False, block=500)
    assert max(len(block.folds) for block in blocks) == 500
    weights = [block.weights for block in blocks if block.weights is not None]
    assert all(not item.alternatives for item in weights)
    found = np.concatenate([item.nominal for item in weights])
    np.testing.assert_array_equal(found, whole.weights.nominal)
    np.testing.assert_array_equal(np.concatenate([b.folds for b in blocks]), whole.folds)
    data = stream(parts, tmp_path, replace(NORM, is_data=True), block=500)
    assert sum(len(block.folds) for block in data) == len(whole.folds)
    assert all(block.weights is None for block in data)


def test_collision_events_are_all_streamed_and_divided_for_the_estimate(
    skim_file: Path, parts: list[Path], tmp_path: Path
) -> None:
    norm = replace(NORM, is_data=True)
    whole = divide_estimate(load_dataset([skim_file], ANALYSIS, norm, None, 3), 1, inside=False)
    blocks = stream(parts, tmp_path, norm=norm, drop_fold=1, block=500)
    assert sum(len(block.folds) for block in blocks) == len(whole.folds)
    weights = np.concatenate([block.estimate for block in blocks if block.estimate is not None])
    np.testing.assert_array_equal(weights, whole.estimate)
    assert (weights[whole.folds == 1] == 0.0).all()
    assert weights.sum() == pytest.approx(len(weights))
    assert all(block.estimate is None for block in stream(parts, tmp_path, norm=norm))


def test_histograms_are_those_of_the_whole(
    skim_file: Path, parts: list[Path], tmp_path: Path, analysis_config: Config
) -> None:
    whole = load_dataset([skim_file], ANALYSIS, NORM, VertexWeights(RATIO), folds=3)
    fill = settings(analysis_config)
    expected = fill_dataset(whole, ANALYSIS, fill, score)
    found = fill_blocks(stream(parts, tmp_path, block=500), ANALYSIS, fill, score)
    same = fill_blocks(stream(parts, tmp_path), ANALYSIS, fill, score)
    for kind in (0, 1):
        assert found[kind].keys() == expected[kind].keys()
        for name, histogram in expected[kind].items():
            assert same[kind][name] == histogram  # one block: to the bit
            for part in (..., "value", "variance"):
                if (part is ...) != name.endswith(".shifts"):
                    continue
                values = histogram.view(flow=True)[part]
                np.testing.assert_allclose(
                    found[kind][name].view(flow=True)[part], values, rtol=1e-12,
                    atol=1e-12 * np.abs(values).max(),
                )  # fmt: skip


def test_no_events_is_one_empty_block(skim_file: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    pq.write_table(pq.read_table(skim_file).slice(0, 0), empty)
    (block,) = stream([empty], tmp_path)
    assert len(block.folds) == 0


def test_no_block_is_an_error(analysis_config: Config) -> None:
    with pytest.raises(TaipanError, match="no events were given"):
        fill_blocks([], ANALYSIS, settings(analysis_config), score)
