"""Parts of the published folder: events chosen, efficiencies by hand, networks refused."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from taipan.atomic import replacing_folder, write_json
from taipan.cli.main import main
from taipan.commands.run_events import read_run
from taipan.config.load import read_config
from taipan.config.slices import hash_config
from taipan.errors import TaipanError
from taipan.publish.networks import check_opset
from taipan.publish.performance import Performance
from taipan.publish.reference import MOST_EVENTS, InputRanges, ReferenceEvents

ROOT = Path(__file__).parents[2]


def make_rows(process: str, count: int, first: int = 0, **columns: Any) -> dict[str, Any]:
    numbers = np.arange(first, first + count)
    return {
        "dataset": np.full(count, "mc", dtype=object),
        "process": np.full(count, process, dtype=object),
        "region": np.full(count, "signal", dtype=object),
        "event_hash": numbers.astype(np.uint64),
        "fold": (numbers % 2).astype(np.int32),
        "x": np.linspace(0.0, 1.0, count),
        "score": np.full(count, 0.5),
        "weight": np.ones(count),
        **columns,
    }


def test_every_process_has_its_share_of_the_reference_events() -> None:
    """A rare process keeps all of its events; an event of two regions is there once."""
    reference = ReferenceEvents(["x"], ["score"])
    reference.add(make_rows("rare", 50))
    for _ in range(2):
        for start in range(0, 5000, 1000):
            reference.add(make_rows("common", 1000, 100 + start))
    table = reference.table()
    assert len(table["event_hash"]) == MOST_EVENTS == len(np.unique(table["event_hash"]))
    assert np.sum(table["process"] == "rare") == 50


def test_choice_of_reference_events_does_not_depend_on_blocks() -> None:
    whole, parts = ReferenceEvents(["x"], ["score"]), ReferenceEvents(["x"], ["score"])
    rows = make_rows("W", 3000)
    whole.add(rows)
    for part in (slice(2000, 3000), slice(0, 2000)):
        parts.add({name: values[part] for name, values in rows.items()})
    assert whole.to_csv() == parts.to_csv()


def test_numbers_in_the_table_are_exactly_those_of_the_run() -> None:
    values = np.random.default_rng(1).normal(size=500).astype(np.float32)
    values[3] = np.nan
    reference = ReferenceEvents(["x"], ["score"])
    reference.add(make_rows("W", 500, x=values.astype(np.float64)))
    rows = list(csv.DictReader(reference.to_csv().splitlines()))
    found = {int(row["event_hash"]): row["x"] for row in rows}
    assert found[3] == ""
    read = [np.float32(float(found[i] or "nan")) for i in range(500)]
    np.testing.assert_array_equal(np.array(read, dtype=np.float32), values)


def test_ranges_leave_missing_values_out() -> None:
    ranges = InputRanges(["x", "never"])
    ranges.add({"x": np.array([np.nan, 3.0, -1.0]), "never": np.full(3, np.nan)})
    ranges.add({"x": np.array([2.0, 7.0, 0.0]), "never": np.full(3, np.nan)})
    assert ranges.of("x") == (-1.0, 7.0)
    assert ranges.of("never") == (0.0, 0.0)


def test_efficiencies_by_hand() -> None:
    """Background of weights 3, -1, 2, of which the last two pass: ε = 1/4.

    σ² = ((3/4)²·(1 + 4) + (1/4)²·9)/4² = 3.375/16.
    """
    performance = Performance(["score"], ["s"], ["signal"])
    performance.add(make_rows("s", 10, score=np.arange(10) / 10 + 0.05))
    background = {"score": np.array([0.1, 0.6, 0.9]), "weight": np.array([3.0, -1.0, 2.0])}
    performance.add(make_rows("b", 3, **background))
    points = performance.working_points()["score"]
    half = next(item for item in points if item["signal_efficiency"] == 0.5)
    assert half["threshold"] == pytest.approx(0.55, abs=1.1e-3)
    assert half["efficiency"]["signal"]["s"]["value"] == pytest.approx(0.5)
    found = half["efficiency"]["signal"]["b"]
    assert found["value"] == pytest.approx(0.25)
    assert found["sigma"] == pytest.approx((3.375 / 16) ** 0.5)
    shapes = [row for row in performance.shapes() if row[2] == "b" and float(row[7])]
    assert [float(row[5]) for row in shapes] == [3.0, -1.0, 2.0]


def write_model(path: Path, opset: int, inputs: tuple[str, ...]) -> Path:
    helper = onnx.helper
    shaped = [helper.make_tensor_value_info(name, 1, ["n", 1]) for name in inputs]
    out = helper.make_tensor_value_info("score", 1, ["n", 1])
    node = helper.make_node("Sigmoid", [inputs[0]], ["score"])
    graph = helper.make_graph([node], "g", shaped, [out])
    versions = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=8), path)
    return path


def test_networks_of_another_opset_or_with_more_inputs_are_refused(tmp_path: Path) -> None:
    check_opset(write_model(tmp_path / "a.onnx", 17, ("features",)))
    with pytest.raises(TaipanError, match=r"b\.onnx: opset \[16\], 17 is allowed"):
        check_opset(write_model(tmp_path / "b.onnx", 16, ("features",)))
    with pytest.raises(TaipanError, match=r"inputs \['features', 'mean'\], only 'features'"):
        check_opset(write_model(tmp_path / "c.onnx", 17, ("features", "mean")))


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder"
    with replacing_folder(target) as made:
        (made / "a").touch()
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["a"]
    with pytest.raises(FileNotFoundError), replacing_folder(target) as made:
        (made / "b" / "missing").write_text("")
    assert [path.name for path in target.iterdir()] == ["a"]
    with replacing_folder(target) as made:
        (made / "c").touch()
    assert [path.name for path in target.iterdir()] == ["c"]
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


def test_an_old_folder_comes_back_if_the_new_one_cannot_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "a").touch()
    replace = Path.replace

    def refuse(source: Path, to: Path) -> Path:
        if source.name == "new":
            raise PermissionError(13, "Permission denied")
        return replace(source, to)

    monkeypatch.setattr(Path, "replace", refuse)
    with (
        pytest.raises(TaipanError, match="cannot write .*folder: Permission denied"),
        replacing_folder(target),
    ):
        pass
    assert [path.name for path in target.iterdir()] == ["a"]


def test_a_folder_of_somebody_else_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").touch()
    arguments = ["publish", "results/none", "--out", str(tmp_path)]
    assert main(arguments) == 1
    assert "exists; --force replaces it" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 1
    assert "was not made by taipan publish" in capsys.readouterr().err
    assert (tmp_path / "mine").exists()


def test_default_analysis_is_that_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash was of the absolute folder: `export events` refused runs with a correction file."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    config = read_config([], Path())
    assert any("corrections/" in item.file for item in config.weights.values() if item.file)
    results = tmp_path / "results"
    write_json(results / "normalisation.json", {})
    write_json(results / "summary.json", {"provenance": {"config": hash_config(config)}})
    assert read_run([], Path(), None, results)[2] == results
    write_json(results / "summary.json", {"provenance": {"config": "another"}})
    with pytest.raises(TaipanError, match="made with the configuration another, this one is"):
        read_run([], Path(), None, results)
