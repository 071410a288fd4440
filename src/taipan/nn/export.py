"""Writing a trained network as ONNX: the file that is published and that scores events.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from numpy.typing import NDArray

from taipan.atomic import replacing
from taipan.errors import TaipanError
from taipan.nn.model_card import ModelCard

OPSET = 17  # read by every onnxruntime since 1.12 (2022)
_TOLERANCE = 1e-5


def export_network(score: Any, path: Path, card: ModelCard, reference: NDArray[np.float32]) -> None:
    """Write a Keras model of the score to an ONNX file after checking that both score alike.

    The bytes depend on the weights and the card alone.

    Parameters
    ----------
    score
        Trained model, raw features (n, f) → score (n, 1), or those of K classes (n, K).
    path
        File to write.
    card
        Metadata.
    reference
        Shape (m, f): events, some with missing features, on which the two are compared.

    Raises
    ------
    TaipanError
        If a score differs by more than 1e-5 or the graph has inputs besides `features`.
    """
    model = _convert(score, len(card.features))
    onnx.helper.set_model_props(model, card.metadata())
    content = model.SerializeToString(deterministic=True)
    _compare(score, content, card, reference)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _convert(score: Any, n_features: int) -> Any:
    signature = [tf.TensorSpec((None, n_features), tf.float32, name="features")]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # np.object in tf2onnx 1.17
        file = Path(folder) / "network.onnx"
        score.export(
            file, format="onnx", verbose=False, input_signature=signature, opset_version=OPSET
        )
        converted = onnx.load(file)
    return _canonical(converted)


def _canonical(model: Any) -> Any:
    """Copy a model with names that depend on the graph alone, and no trace of the converter.

    The converter numbers names over the life of the process and orders branches by them, which
    would make the bytes of a network depend on what was exported before it.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    if len(graph.input) != 1 or len(graph.output) != 1:
        found = [item.name for item in graph.input]
        raise TaipanError(f"exported network has inputs {found}, expected only 'features'")
    ordered_nodes = _in_order(graph)
    del graph.node[:]
    graph.node.extend(ordered_nodes)
    names = {graph.input[0].name: "features", graph.output[0].name: "score"}
    ordered = sorted(graph.initializer, key=lambda tensor: _first_use(graph, tensor.name))
    names.update({tensor.name: f"constant_{index}" for index, tensor in enumerate(ordered)})
    for index, node in enumerate(graph.node):
        node.name = f"{node.op_type.lower()}_{index}"
        for output in node.output:
            names.setdefault(output, f"tensor_{index}")
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for item in (*graph.initializer, *graph.input, *graph.output):
        item.name = names[item.name]
    for item in (*graph.input, *graph.output):
        item.type.tensor_type.shape.dim[0].ClearField("dim_value")
        item.type.tensor_type.shape.dim[0].dim_param = "events"
    initialisers = sorted(graph.initializer, key=lambda tensor: int(tensor.name.split("_")[1]))
    del graph.initializer[:]
    graph.initializer.extend(initialisers)
    del graph.value_info[:]
    graph.name = "taipan"
    result.producer_name = "taipan"
    result.producer_version = ""
    result.doc_string = graph.doc_string = ""
    onnx.checker.check_model(result)
    return result


def _in_order(graph: Any) -> list[Any]:
    """List the nodes that the output needs, each after its inputs, in the order of those."""
    makers = {output: node for node in graph.node for output in node.output}
    listed: list[Any] = []
    done: set[str] = set()
    waiting = [(graph.output[0].name, False)]
    while waiting:
        name, inputs_listed = waiting.pop()
        if name not in makers or name in done:
            continue
        if inputs_listed:
            listed.append(makers[name])
            done.update(makers[name].output)
        else:
            waiting.append((name, True))
            waiting.extend((item, False) for item in reversed(makers[name].input))
    return listed


def _first_use(graph: Any, name: str) -> tuple[int, int]:
    for index, node in enumerate(graph.node):
        for position, item in enumerate(node.input):
            if item == name:
                return index, position
    return len(graph.node), 0


def _compare(score: Any, content: bytes, card: ModelCard, reference: NDArray[np.float32]) -> None:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    exported = np.asarray(session.run(["score"], {"features": reference})[0])
    expected = np.asarray(score(reference, training=False))
    difference = float(np.max(np.abs(exported - expected), initial=0.0))
    if not difference <= _TOLERANCE:
        raise TaipanError(
            f"network of fold {card.fold}: ONNX and Keras scores differ by {difference:.3g} on "
            f"{len(reference)} reference events, allowed is {_TOLERANCE:g}"
        )
