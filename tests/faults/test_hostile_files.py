"""Files made to do harm end in an error that names them, within bounded memory and time."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper

from taipan.events.corrections import write_corrections
from taipan.skim.storage import schema_of
from tests.htautau import ANALYSIS

ROOT = Path(__file__).parents[2]
PEAK_MIB = 1500
FLIPS = 40  # damaged copies of each good file
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # which need address space


def read(kind: str, folder: Path) -> dict[str, str]:
    """Read every file of a folder in a process of little memory; how each ended."""
    names = sorted(path.name for path in folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.read_hostile", kind, str(folder), *names],
        cwd=ROOT, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, timeout=1200,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{kind}: status {done.returncode}\n{done.stderr[-3000:]}"
    result = json.loads(done.stdout)
    assert result["peak_mib"] < PEAK_MIB
    outcomes: dict[str, str] = result["outcomes"]
    return outcomes


def assert_refused(outcomes: dict[str, str]) -> None:
    assert outcomes
    for name, outcome in outcomes.items():
        assert outcome.startswith("refused: "), f"{name}: {outcome}"


def damage(good: Path, folder: Path, seed: int = 1) -> None:
    """Write damaged copies of a file: cut at several places, single bits turned."""
    content = good.read_bytes()
    draw = random.Random(seed)
    for part in (0.0, 0.01, 0.3, 0.7, 0.999):
        (folder / f"cut_{part}{good.suffix}").write_bytes(content[: int(part * len(content))])
    for index in range(FLIPS):
        damaged = bytearray(content)
        for _ in range(1 + index % 4):
            damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        (folder / f"flip_{index}{good.suffix}").write_bytes(bytes(damaged))


def assert_no_harm(outcomes: dict[str, str]) -> None:
    """Cut files are refused; a turned bit is, or changes a value, which no format can show."""
    for name, outcome in outcomes.items():
        allowed = ("refused: ",) if name.startswith("cut") else ("refused: ", "read")
        assert outcome.startswith(allowed), f"{name}: {outcome}"


def test_root(root_file: Path, tmp_path: Path) -> None:
    damage(root_file, tmp_path)
    content = bytearray(root_file.read_bytes())
    for name, place in (("fEND", 12), ("fSeekKeys", 8), ("fSeekInfo", 37), ("fNbytesInfo", 41)):
        absurd = bytearray(content)
        absurd[place : place + 4] = b"\x7f\xff\xff\xff"
        (tmp_path / f"header_{name}.root").write_bytes(bytes(absurd))
    assert_no_harm(read("root", tmp_path))


def test_parquet(skim_file: Path, tmp_path: Path) -> None:
    damage(skim_file, tmp_path)
    outcomes = read("parquet", tmp_path)
    assert_no_harm(outcomes)
    caught = sum(outcome != "read" for outcome in outcomes.values())
    assert caught > 0.6 * len(outcomes)  # pages carry checksums, their headers do not


def test_parquet_bombs(skim_file: Path, tmp_path: Path) -> None:
    """A constant column of 20 million rows in 1 kB, and other types."""
    schema = schema_of(ANALYSIS.columns)
    first = schema[0]
    values = pa.array(np.zeros(20_000_000, first.type.to_pandas_dtype()))
    pq.write_table(pa.table({first.name: values}), tmp_path / "bomb.parquet", compression="zstd")
    good = pq.read_table(skim_file)
    text = pa.array(["x"] * len(good))
    for name, column in (("text", text), ("gaps", pa.nulls(len(good), first.type))):
        pq.write_table(good.set_column(0, first.name, column), tmp_path / f"{name}.parquet")
    (tmp_path / "not_parquet.parquet").write_bytes(b"PAR1" + b"\xff" * 64 + b"PAR1")
    outcomes = read("parquet", tmp_path)
    assert_refused(outcomes)
    assert "times as much" in outcomes["bomb.parquet"]
    assert "missing values" in outcomes["gaps.parquet"]
    assert "expected" in outcomes["text.parquet"]


def _npy(shape: tuple[int, ...], kind: str = "<f8") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def test_histograms(tmp_path: Path) -> None:
    def archive(name: str, axis: dict[str, Any], values: bytes, **more: bytes) -> None:
        head = {
            "uhi_schema": 1,
            "axes": [axis],
            "storage": {"type": "double", "values": "h_storage_values.npy"},
        }
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as target:
            target.writestr("h.json", json.dumps(head))
            target.writestr("h_storage_values.npy", values)
            for entry, content in more.items():
                target.writestr(entry, content)

    axis = {"type": "regular", "lower": 0.0, "upper": 1.0, "bins": 4, "underflow": True,
            "overflow": True, "circular": False}  # fmt: skip
    archive("many_bins.zip", {**axis, "bins": 10**11}, _npy((6,)) + bytes(48))
    archive("negative.zip", {**axis, "bins": -5}, _npy((6,)) + bytes(48))
    archive("long_array.zip", axis, _npy((10**13,)))
    archive("pickle.zip", axis, _npy((6,), "|O") + b"cos\nsystem\n(S'true'\ntR.")
    archive("bomb.zip", axis, bytes(2**26))
    archive("no_axes.zip", {}, b"")
    with zipfile.ZipFile(tmp_path / "deep.zip", "w") as target:
        target.writestr("h.json", "[" * 200_000)
    outcomes = read("histograms", tmp_path)
    assert_refused(outcomes)
    assert "bins" in outcomes["many_bins.zip"]


def test_json(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 1_000_000, encoding="utf-8")
    (tmp_path / "deep_object.json").write_text('{"a":' * 500_000, encoding="utf-8")
    (tmp_path / "digits.json").write_text("9" * 1_000_000, encoding="utf-8")
    (tmp_path / "binary.json").write_bytes(bytes(range(256)))
    (tmp_path / "empty.json").write_bytes(b"")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(10 * 1024**3)  # takes no room on the disk
    outcomes = read("json", tmp_path)
    assert_refused(outcomes)
    assert "at most 128 MiB" in outcomes["large.json"]


def test_lumi_mask(tmp_path: Path) -> None:
    for name, content in (
        ("deep", "[" * 1_000_000), ("text", '"x"'), ("numbers", "[1, 2]"),
        ("ranges", '{"1": [[1]]}'), ("run", '{"x": [[1, 2]]}'),
    ):  # fmt: skip
        (tmp_path / f"{name}.json").write_text(content, encoding="utf-8")
    assert_refused(read("lumi_mask", tmp_path))


WORKSPACE: dict[str, Any] = {
    "channels": [{"name": "c", "samples": [
        {"name": "s", "data": [1.0], "modifiers": [
            {"name": "mu", "type": "normfactor", "data": None},
            {"name": "a", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}]}]}],
    "observations": [{"name": "c", "data": [1.0]}],
    "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    "version": "1.0.0",
}  # fmt: skip


def test_workspaces(tmp_path: Path) -> None:
    """Every part of a workspace in turn replaced by something else."""
    bad = [None, -1, 1e308, "x", [], {}, [[1.0]], True, ["x"], 10**400, {"a": {"b": [None]}}]
    paths: list[tuple[Any, ...]] = []

    def walk(value: Any, path: tuple[Any, ...]) -> None:
        if path:
            paths.append(path)
        items = value.items() if isinstance(value, dict) else ()
        for key, item in enumerate(value) if isinstance(value, list) else items:
            walk(item, (*path, key))

    walk(WORKSPACE, ())
    draw = random.Random(1)
    for index, path in enumerate(paths):
        for number, value in enumerate(draw.sample(bad, 4)):
            content = json.loads(json.dumps(WORKSPACE))
            place = content
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            (tmp_path / f"flip_{index}_{number}.json").write_text(json.dumps(content))
    assert_no_harm(read("workspace", tmp_path))


def network(folder: Path, name: str, nodes: list[Any], constants: list[Any], **more: Any) -> None:
    """Write a network of three features with the metadata of ours."""
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
        constants,
    )  # fmt: skip
    domains = [helper.make_opsetid("", 17), *more.get("domains", [])]
    model = helper.make_model(graph, opset_imports=domains, functions=more.get("functions", []))
    model.ir_version = 8
    card = {"features": '["a", "b", "c"]', "fold": "0", "folds": "1", "networks": "1"}
    helper.set_model_props(model, card)
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def _weights(location: str | None = None) -> Any:
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [3, 1], [1.0, 1.0, 1.0])
    if location is not None:
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", "12")):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    return tensor


def test_networks(tmp_path: Path) -> None:
    node = helper.make_node
    multiply = node("MatMul", ["features", "w"], ["score"])
    network(tmp_path, "good", [multiply], [_weights()])
    assert read("onnx", tmp_path) == {"good.onnx": "read"}
    damage(tmp_path / "good.onnx", tmp_path)
    (tmp_path / "good.onnx").unlink()
    assert_no_harm(read("onnx", tmp_path))


def test_hostile_networks(tmp_path: Path) -> None:
    """Numbers from other files, own operators, endless loops, more memory than there is."""
    node = helper.make_node
    multiply = node("MatMul", ["features", "w"], ["score"])
    for name, location in (("above", "../secret"), ("root", "/etc/passwd"), ("here", "LICENSE")):
        network(tmp_path, name, [multiply], [_weights(location)])
    custom = node("MatMul", ["features", "w"], ["score"], domain="evil")
    domains = [helper.make_opsetid("evil", 1)]
    network(tmp_path, "custom", [custom], [_weights()], domains=domains)
    large = helper.make_tensor("shape", TensorProto.INT64, [2], [10**6, 10**5])
    fill = [
        node("ConstantOfShape", ["shape"], ["zeros"]),
        node("ReduceSum", ["zeros"], ["total"], keepdims=1),
        node("MatMul", ["features", "w"], ["product"]),
        node("Add", ["product", "total"], ["score"]),
    ]
    network(tmp_path, "memory", fill, [large, _weights()])
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("go", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, [])],
    )  # fmt: skip
    forever = helper.make_tensor("forever", TensorProto.BOOL, [], [True])
    network(tmp_path, "loop", [node("Loop", ["", "forever"], [], body=body), multiply],
            [forever, _weights()])  # fmt: skip
    wide = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [1.0] * 6)
    network(tmp_path, "two_scores", [multiply], [wide])
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(10 * 1024**3)
    outcomes = read("onnx", tmp_path)
    assert_refused(outcomes)
    for name in ("above", "root", "here"):
        assert "not in the file itself" in outcomes[f"{name}.onnx"]
    assert "evil" in outcomes["custom.onnx"]
    assert "Loop" in outcomes["loop.onnx"]


def test_correction_files(tmp_path: Path) -> None:
    """Deep, large, packed bombs; and a good one, cut and with turned bits."""
    values = {"w": ("pt", [0.0, 20.0, 40.0], np.array([0.9, 1.2]))}
    good = tmp_path / "good.json"
    good.write_text(json.dumps(write_corrections(values)), encoding="utf-8")
    assert read("corrections", tmp_path) == {"good.json": "read"}
    damage(good, tmp_path)
    good.unlink()
    assert_no_harm(read("corrections", tmp_path))
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / "deep.json").write_text("[" * 1_000_000, encoding="utf-8")
    text = json.dumps(write_corrections(values))
    nested = '{"nodetype": "transform", "input": "pt", "rule": 1.0, "content": ' * 100_000
    deep = text.replace('"data": ', '"data": ' + nested)
    (hostile / "deep_nodes.json").write_text(deep + "}" * 100_000, encoding="utf-8")
    (hostile / "bomb.json.gz").write_bytes(gzip.compress(bytes(2**28)))
    (hostile / "not_packed.json.gz").write_text(text, encoding="utf-8")
    (hostile / "binary.json").write_bytes(bytes(range(256)))
    with (hostile / "large.json").open("wb") as file:
        file.truncate(10 * 1024**3)  # takes no room on the disk
    outcomes = read("corrections", hostile)
    assert_refused(outcomes)
    for name in ("large.json", "bomb.json.gz"):
        assert "at most 128 MiB" in outcomes[name]


def _aliases(depth: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth)]
    return "\n".join(lines)


YAML: dict[str, Callable[[], str]] = {
    "aliases": lambda: _aliases(12),
    "deep": lambda: "a: " + "[" * 100_000,
    "itself": lambda: "a: &a [*a]",
    "python": lambda: "a: !!python/object/apply:os.system ['true']",
    "large": lambda: "a: 1\n" * 4_000_000,
}


def test_yaml(tmp_path: Path) -> None:
    for name, text in YAML.items():
        (tmp_path / f"{name}.yaml").write_text(text(), encoding="utf-8")
    assert_refused(read("yaml", tmp_path))
