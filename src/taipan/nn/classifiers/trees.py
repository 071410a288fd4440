"""Trees of XGBoost as an ONNX graph: one operator with all of them, then sigmoid or softmax."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from taipan.atomic import replacing
from taipan.nn.classes import Classes
from taipan.nn.model_card import ModelCard

_OPSET, _TREE_OPSET, _IR = 17, 3, 8  # read by every onnxruntime since 1.12 (2022)


@dataclass(frozen=True)
class Tree:
    """A tree: arrays of shape (nodes,), the first is the root.

    Attributes
    ----------
    feature, threshold
        An event goes left if its feature is below the threshold; of a leaf the threshold is the
        answer.
    left, right
        Numbers of the children, -1 for a leaf.
    missing_left
        Whether an event without the feature goes left.
    output
        Logit to which the answer is added.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    output: int


@dataclass(frozen=True)
class Forest:
    """Trees with the share with which each counts, and the number of logits."""

    trees: tuple[tuple[Tree, float], ...]
    outputs: int

    @classmethod
    def mean(cls, forests: Sequence[Forest]) -> Forest:
        """Give the forest whose logits are the mean of those of some."""
        share = 1.0 / len(forests)
        trees = tuple((tree, size * share) for item in forests for tree, size in item.trees)
        return cls(trees, forests[0].outputs)


def read_forest(booster: Any, classes: Classes) -> Forest:
    """Take the trees out of a booster of XGBoost.

    Parameters
    ----------
    booster
        Trained; its answers start from zero.
    classes
        What the margins are of.
    """
    content = json.loads(bytes(booster.save_raw("json")))
    model = content["learner"]["gradient_booster"]["model"]
    trees = [
        (
            Tree(
                np.asarray(item["split_indices"], np.int64),
                np.asarray(item["split_conditions"], np.float32),
                np.asarray(item["left_children"], np.int64),
                np.asarray(item["right_children"], np.int64),
                np.asarray(item["default_left"], bool),
                int(output),
            ),
            1.0,
        )
        for item, output in zip(model["trees"], model["tree_info"], strict=True)
    ]
    return Forest(tuple(trees), classes.outputs)


def write_forest(
    forest: Forest, path: Path, card: ModelCard, reference: NDArray[np.float32]
) -> NDArray[np.floating[Any]]:
    """Write a forest as an ONNX file; give the scores that it has for some events.

    Parameters
    ----------
    forest
        Raw features (n, f), NaN for missing → logits.
    path
        File to write.
    card
        Metadata.
    reference
        Shape (m, f).

    Returns
    -------
    numpy.ndarray
        Shape (m, outputs).
    """
    helper = onnx.helper
    kind = onnx.TensorProto.FLOAT
    shape = ["events", forest.outputs]
    squash = {"axis": 1} if card.classes.softmax else {}
    name = "Softmax" if card.classes.softmax else "Sigmoid"
    graph = helper.make_graph(
        [
            helper.make_node(
                "TreeEnsembleRegressor",
                ["features"],
                ["logit"],
                name="trees",
                domain="ai.onnx.ml",
                **_attributes(forest),
            ),
            helper.make_node(name, ["logit"], ["score"], name="score_of_logit", **squash),
        ],
        "taipan",
        [helper.make_tensor_value_info("features", kind, ["events", len(card.features)])],
        [helper.make_tensor_value_info("score", kind, shape)],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _TREE_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="taipan", ir_version=_IR)
    helper.set_model_props(model, card.metadata())
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    scores = np.asarray(session.run(["score"], {"features": reference})[0])
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return scores


def _attributes(forest: Forest) -> dict[str, Any]:
    """Attributes of `TreeEnsembleRegressor` (ONNX operators, ai.onnx.ml 3)."""
    nodes: dict[str, list[Any]] = {
        key: []
        for key in (
            "treeids",
            "nodeids",
            "featureids",
            "values",
            "modes",
            "truenodeids",
            "falsenodeids",
            "missing_value_tracks_true",
        )
    }
    targets: dict[str, list[Any]] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for number, (tree, share) in enumerate(forest.trees):
        is_leaf = tree.left < 0
        size = len(is_leaf)
        nodes["treeids"] += [number] * size
        nodes["nodeids"] += range(size)
        nodes["featureids"] += np.where(is_leaf, 0, tree.feature).tolist()
        nodes["values"] += np.where(is_leaf, 0.0, tree.threshold).tolist()
        nodes["modes"] += ["LEAF" if leaf else "BRANCH_LT" for leaf in is_leaf]
        nodes["truenodeids"] += np.where(is_leaf, 0, tree.left).tolist()
        nodes["falsenodeids"] += np.where(is_leaf, 0, tree.right).tolist()
        nodes["missing_value_tracks_true"] += (tree.missing_left & ~is_leaf).astype(int).tolist()
        leaves = np.flatnonzero(is_leaf)
        targets["treeids"] += [number] * len(leaves)
        targets["nodeids"] += leaves.tolist()
        targets["ids"] += [tree.output] * len(leaves)
        targets["weights"] += (tree.threshold[leaves].astype(np.float64) * share).tolist()
    return {
        **{f"nodes_{key}": values for key, values in nodes.items()},
        **{f"target_{key}": values for key, values in targets.items()},
        "n_targets": forest.outputs,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }
