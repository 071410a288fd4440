"""Hidden units of an exported network: how active they are, and the network without some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from taipan.errors import TaipanError
from taipan.nn.scorer import check_graph, evaluate_graph, read_network

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class HiddenLayer:
    """Units between two matrices of a network.

    Attributes
    ----------
    tensor
        What they give, shape ``(n, units)``.
    matrix, bias
        Constants that follow: shapes ``(units, m)`` and ``(m,)``.
    units
        Their number.
    member
        Which of the networks of a fold they are of, from 0.
    """

    tensor: str
    matrix: str
    bias: str
    units: int
    member: int


class HiddenUnits:
    """The hidden layers of the network of a fold.

    Parameters
    ----------
    path
        ONNX file that this package wrote.

    Raises
    ------
    TaipanError
        If it cannot be read, or has no hidden layers, as trees have none.

    Attributes
    ----------
    layers
        In the order of the file: of several networks of a fold one after the other.
    """

    def __init__(self, path: Path | str) -> None:
        content = read_network(path)
        check_graph(path, content)
        self._model = onnx.load_model_from_string(content)
        self.layers = list(_list_layers(self._model.graph))
        if not self.layers:
            raise TaipanError(f"{path}: no hidden layers; trees have none")

    def activations(self, features: NDArray[np.float32]) -> list[Array]:
        """Give what the units of each layer give, shapes ``(n, units)``.

        Parameters
        ----------
        features
            Shape ``(n, f)``.
        """
        tensors = [layer.tensor for layer in self.layers]
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors)
        found = evaluate_graph(model.SerializeToString(), features, tensors)
        return [item.astype(np.float64) for item in found]

    def prune(self, kept: Sequence[Flags], means: Sequence[Array]) -> bytes:
        """Give the network without some units: each gives its mean in place of itself.

        Parameters
        ----------
        kept
            For each layer whether a unit is kept, shape ``(units,)``.
        means
            Mean of each unit, shape ``(units,)``.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        constants = {item.name: item for item in model.graph.initializer}
        for layer, flags, mean in zip(self.layers, kept, means, strict=True):
            matrix = numpy_helper.to_array(constants[layer.matrix])
            bias = numpy_helper.to_array(constants[layer.bias])
            added = (mean * ~flags) @ matrix
            _replace(constants[layer.matrix], np.where(flags[:, None], matrix, 0.0))
            _replace(constants[layer.bias], bias + added)
        return bytes(model.SerializeToString())


def _replace(constant: Any, values: Array) -> None:
    constant.CopyFrom(numpy_helper.from_array(values.astype(np.float32), constant.name))


def _list_layers(graph: Any) -> list[HiddenLayer]:
    """Find matrices whose input comes from another matrix, and the bias that is added after."""
    constants = {item.name: list(item.dims) for item in graph.initializer}
    member_of: dict[str, int] = {}
    members, found = 0, []
    for node in graph.node:
        known = [member_of[name] for name in node.input if name in member_of]
        is_matrix = node.op_type == "MatMul" and len(constants.get(node.input[1], ())) == 2
        if is_matrix and known:
            units = constants[node.input[1]][0]
            bias = _find_bias(graph, node.output[0], constants)
            found.append(HiddenLayer(node.input[0], node.input[1], bias, units, known[0]))
        elif is_matrix:
            known = [members]
            members += 1
        if known:
            member_of |= dict.fromkeys(node.output, known[0])
    return found


def _find_bias(graph: Any, tensor: str, constants: dict[str, list[int]]) -> str:
    for node in graph.node:
        if node.op_type == "Add" and tensor in node.input:
            others = [name for name in node.input if name in constants]
            if others:
                return str(others[0])
    raise TaipanError(f"the network has a matrix without a bias after it ({tensor})")


def relative_activation(activations: Array, weights: Array) -> Array:
    """Mean size of the activation of each unit over the largest of its layer.

    The relative neural activity of arXiv:2210.04371.

    Parameters
    ----------
    activations
        Shape ``(n, units)``.
    weights
        Shape ``(n,)``, signed.

    Returns
    -------
    ndarray
        From 0 to 1, shape ``(units,)``.
    """
    size = np.maximum(weights @ np.abs(activations), 0.0)
    return np.asarray(size / max(float(size.max()), 1e-300))
