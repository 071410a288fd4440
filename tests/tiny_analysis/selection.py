"""An analysis of two numbers an event, so that a script's results can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq

from taipan.analysis import Analysis, Column, Columns, Quantity
from taipan.skim.storage import to_table

COLUMNS = (
    Column("event_hash", "uint64", "", "identity; its remainder is the fold"),
    Column("genWeight", "float32", "", "generator weight"),
    Column("PV_npvs", "int32", "", "vertices"),
    Column("x", "float32", "", "feature"),
    Column("y", "float32", "", "region"),
)


def compute(columns: Columns) -> dict[str, Any]:
    """Take the columns as they are; every event passes."""
    return {
        "passes": np.ones(len(columns["x"]), dtype=bool),
        "x": columns["x"].astype(np.float64),
        "y": columns["y"].astype(np.float64),
    }


def _unused(*_: Any) -> Any:
    raise AssertionError("skimmed events need no selection")


ANALYSIS = Analysis(
    name="tiny",
    trigger_branches=(),
    branches=(),
    simulation_branches=(),
    optional_branches=(),
    columns=COLUMNS,
    quantities={name: Quantity(name, "", name, (name,)) for name in ("x", "y")},
    shifts={},
    preselect=_unused,
    select=_unused,
    compute=compute,
)


def write_events(path: Path, **columns: Any) -> str:
    """Write events of this analysis; a column that is not given is 0, the weight 1."""
    n = len(next(iter(columns.values())))
    defaults: Mapping[str, Any] = {"event_hash": np.arange(n), "genWeight": np.ones(n)}
    values = {
        column.name: np.asarray(
            columns.get(column.name, defaults.get(column.name, np.zeros(n))), column.dtype
        )
        for column in COLUMNS
    }
    table: pa.Table = to_table(values, COLUMNS)
    pq.write_table(table, path)
    return str(path)


def write_network(path: Path, fold: int, folds: int) -> str:
    """Write the network whose score is 1/(1 + e^-(x + fold))."""
    helper = onnx.helper
    bias = onnx.numpy_helper.from_array(np.array([fold], np.float32), "bias")
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["features", "bias"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["score"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["events", 1])],
        [helper.make_tensor_value_info("score", onnx.TensorProto.FLOAT, ["events", 1])],
        [bias],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    card = {"features": '["x"]', "fold": str(fold), "folds": str(folds), "networks": "1"}
    helper.set_model_props(model, card)
    path.write_bytes(model.SerializeToString())
    return str(path)
