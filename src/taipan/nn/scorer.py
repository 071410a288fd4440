"""Scoring events with exported networks, each event by the one that never saw it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.limits import refuse_large, refuse_size
from taipan.nn.classes import BINARY, Classes

_MEMORY = 2 * 1024**3  # bytes
_PLAIN_ATTRIBUTES = frozenset(
    getattr(onnx.AttributeProto, name)
    for name in ("FLOAT", "INT", "STRING", "TENSOR", "FLOATS", "INTS", "STRINGS")
)
_DOMAINS = frozenset(("", "ai.onnx", "ai.onnx.ml"))
"""Operators of ONNX itself: the second name of the first, and trees."""
_BATCH = 1024  # hidden layers of a batch stay in the cache: twice as fast as 65536


def open_scorer(
    paths: Sequence[Path | str], features: Sequence[str], threads: int = 1
) -> FoldScorer | None:
    """Open the networks of a training; None where the analysis trains none.

    Parameters are those of :class:`FoldScorer`.
    """
    return FoldScorer(paths, features, threads) if paths else None


class FoldScorer:
    """The networks of the k folds of a training.

    Parameters
    ----------
    paths
        ONNX files of all k folds, in any order.
    features
        Names of the features that will be passed, in order.
    threads
        Threads of a network (0: as many as there are cores).

    Raises
    ------
    TaipanError
        If a file cannot be read or was not written by this package, its features are not those
        asked for, or the files are not exactly one for each fold.

    Attributes
    ----------
    classes
        What the scores are of: signal, or classes with names.
    """

    def __init__(
        self, paths: Sequence[Path | str], features: Sequence[str], threads: int = 1
    ) -> None:
        self.features = tuple(features)
        self._sessions: dict[int, Any] = {}
        counts, networks = set(), set()
        found: set[Classes] = set()
        for path in paths:
            session = _open(path, threads)
            found.add(_read_classes(path, session))
            fold, count, of_fold = _identify(path, session, self.features)
            if fold in self._sessions:
                raise TaipanError(f"{path}: a second network for fold {fold}")
            self._sessions[fold] = session
            counts.add(count)
            networks.add(of_fold)
        folds = len(self._sessions)
        if len(found) > 1:
            listed = " and ".join(sorted(", ".join(item.names) for item in found))
            raise TaipanError(f"folds with different classes: {listed}")
        if len(networks) > 1:
            raise TaipanError(f"folds with different numbers of networks: {sorted(networks)}")
        if counts != {folds} or sorted(self._sessions) != list(range(folds)):
            raise TaipanError(
                f"networks for folds {sorted(self._sessions)} of trainings with {sorted(counts)} "
                "folds; expected one network for each fold of one training"
            )
        self.folds = folds
        self.networks = networks.pop()
        self.classes = found.pop()

    def __call__(self, features: NDArray[Any], folds: NDArray[Any]) -> NDArray[Any]:
        """Do as :meth:`score`."""
        return self.score(features, folds)

    def score(
        self, features: NDArray[np.float32], folds: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        """Score each event by the network of its fold, which never saw that fold.

        Parameters
        ----------
        features
            Shape (n, f), float32, raw features, NaN for missing.
        folds
            Shape (n,), fold of each event in [0, k).

        Returns
        -------
        numpy.ndarray
            Scores in (0, 1), shape (n,), float32; (n, K) for K classes with names.

        Raises
        ------
        TaipanError
            If the shapes do not fit or a fold is out of range.
        """
        if folds.shape != features.shape[:1]:
            raise TaipanError(f"{len(features)} events but folds of shape {folds.shape}")
        outside = np.flatnonzero((folds < 0) | (folds >= self.folds))
        if len(outside):
            raise TaipanError(
                f"fold of event {outside[0]} is {folds[outside[0]]}, "
                f"allowed are 0 to {self.folds - 1}"
            )
        scores = np.empty(self._shape(len(features)), dtype=np.float32)
        for fold in range(self.folds):
            chosen = np.flatnonzero(folds == fold)
            scores[chosen] = self.score_with(fold, features[chosen])
        return scores

    def score_with(self, fold: int, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score all events by the network of one fold.

        Parameters
        ----------
        fold
            Index of the network.
        features
            Shape (n, f), float32, raw features, NaN for missing.

        Returns
        -------
        numpy.ndarray
            Scores in (0, 1), shape (n,), float32; (n, K) for K classes with names.

        Raises
        ------
        TaipanError
            If the shape does not fit.
        """
        if features.ndim != 2 or features.shape[1] != len(self.features):
            raise TaipanError(
                f"features have shape {features.shape}, expected (n, {len(self.features)})"
            )
        scores = np.empty(self._shape(len(features)), dtype=np.float32)
        for start in range(0, len(features), _BATCH):
            batch = np.ascontiguousarray(features[start : start + _BATCH], dtype=np.float32)
            scores[start : start + len(batch)] = self._run(fold, batch)
        return scores

    def _shape(self, events: int) -> tuple[int, ...]:
        return (events, len(self.classes)) if self.classes.softmax else (events,)

    def _run(self, fold: int, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score of each event of a batch, shape (n,) or (n, K)."""
        try:
            output = np.asarray(self._sessions[fold].run(["score"], {"features": batch})[0])
        except Exception as error:  # onnxruntime has one unrelated class for each status code
            raise TaipanError(f"network of fold {fold} cannot be evaluated: {error}") from error
        expected = (len(batch), self.classes.outputs)
        if output.shape != expected:
            raise TaipanError(
                f"network of fold {fold} gives shape {output.shape}, expected {expected}"
            )
        return output if self.classes.softmax else output[:, 0]


def read_model_card(path: Path | str) -> dict[str, str]:
    """Metadata of an exported network, such as its features, fold and provenance.

    Raises
    ------
    TaipanError
        If the file cannot be read or is not one of this package's networks.
    """
    return dict(_open(path, 1).get_modelmeta().custom_metadata_map)


def read_parameters(path: Path | str, content: bytes) -> tuple[dict[str, Any], str]:
    """Numbers of an exported network, and what it does with them.

    Parameters
    ----------
    path
        Name of the file, for messages.
    content
        Its content.

    Returns
    -------
    parameters, graph
        Name → array of weights, and a hash of the operators that use them.

    Raises
    ------
    TaipanError
        If it is too large, or no network that this package would evaluate.
    """
    refuse_size(path, "ONNX", len(content))
    try:
        check_graph(path, content)
        graph = onnx.load_model_from_string(content).graph
        found = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    except TaipanError:
        raise
    except Exception as error:  # of protobuf, NumPy or onnx
        raise TaipanError(f"{path} is not a readable ONNX model: {error}") from error
    parts = (*graph.node, *graph.input, *graph.output)
    digest = hashlib.sha256(b"\0".join(part.SerializeToString() for part in parts))
    return found, digest.hexdigest()


def evaluate_graph(
    content: bytes, features: NDArray[np.float32], tensors: Sequence[str], threads: int = 1
) -> list[NDArray[np.float32]]:
    """Evaluate tensors of a network that is in memory.

    Parameters
    ----------
    content
        ONNX model with these tensors as outputs.
    features
        Shape (n, f), raw features, NaN for missing.
    tensors
        Their names; `score` is the score.
    threads
        Threads of the network.

    Returns
    -------
    list of numpy.ndarray
        Each of shape (n, m).
    """
    session = _start("the network", content, threads)
    batches = [features[start : start + _BATCH] for start in range(0, len(features), _BATCH)]
    found = [
        session.run(list(tensors), {"features": np.ascontiguousarray(batch, dtype=np.float32)})
        for batch in batches
    ]
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _open(path: Path | str, threads: int) -> Any:
    return _start(path, read_network(path), threads)


def read_network(path: Path | str) -> bytes:
    """Read the file of a network.

    Raises
    ------
    TaipanError
        If it cannot be read, or is too large.
    """
    refuse_large(path, "ONNX")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error


def _start(path: Path | str, content: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 4  # what goes wrong is raised, too
    _limit_memory()
    try:
        check_graph(path, content)
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except TaipanError:
        raise
    except Exception as error:  # onnxruntime has one unrelated class for each status code
        raise TaipanError(f"{path} is not a readable ONNX model: {error}") from error


@cache
def _limit_memory() -> None:
    """Let the networks of this process have 2 GiB at most, whatever their files ask for."""
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    settings = onnxruntime.OrtArenaCfg(_MEMORY, -1, -1, -1)
    onnxruntime.create_and_register_allocator(place, settings)


def check_graph(path: Path | str, content: bytes) -> None:
    """Refuse what a network of this package never has: other files, own operators, loops.

    Parameters
    ----------
    path
        Name of the file, for messages.
    content
        Its content.

    Raises
    ------
    TaipanError
        If the graph has such a thing; names it.
    """
    model = onnx.load_model_from_string(content)
    graph = model.graph
    foreign = sorted({node.domain for node in graph.node} - _DOMAINS)
    if foreign or model.functions:
        names = foreign or [item.name for item in model.functions]
        raise TaipanError(f"{path}: operators of {names[0]!r}, only those of ONNX are allowed")
    outside = [item.name for item in graph.initializer if item.data_location]
    if outside or graph.sparse_initializer:
        names = outside or [item.values.name for item in graph.sparse_initializer]
        raise TaipanError(f"{path}: the numbers of {names[0]!r} are not in the file itself")
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type not in _PLAIN_ATTRIBUTES or attribute.t.data_location:
                kind = onnx.AttributeProto.AttributeType.Name(attribute.type)
                raise TaipanError(f"{path}: {node.op_type} has an attribute {kind}, not allowed")


def _identify(path: Path | str, session: Any, features: tuple[str, ...]) -> tuple[int, int, int]:
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        trained = tuple(json.loads(metadata["features"]))
        fold, folds = int(metadata["fold"]), int(metadata["folds"])
        networks = int(metadata.get("networks", "1"))  # files of before have none
    except (KeyError, ValueError) as error:
        raise TaipanError(f"{path}: no metadata of a trained network ({error})") from error
    if not 1 <= networks <= max(folds - 1, 4):
        raise TaipanError(f"{path}: {networks} networks of one fold of {folds}")
    if trained != features:
        raise TaipanError(f"{path}: {describe_difference(trained, features)}")
    return fold, folds, networks


def _read_classes(path: Path | str, session: Any) -> Classes:
    """Give the classes of a network: those named in its file, or signal and background."""
    metadata = session.get_modelmeta().custom_metadata_map
    if "classes" not in metadata:
        return BINARY
    try:
        names = tuple(str(name) for name in json.loads(metadata["classes"]))
        signal = tuple(int(label) for label in json.loads(metadata["signal"]))
    except (KeyError, TypeError, ValueError) as error:
        raise TaipanError(f"{path}: no metadata of classes ({error})") from error
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise TaipanError(f"{path}: classes {list(names)}; at least two different ones are needed")
    if not set(signal) < set(range(len(names))) or not signal:
        raise TaipanError(f"{path}: signal classes {list(signal)} of {len(names)} classes")
    return Classes(names, signal, softmax=True)


def describe_difference(trained: tuple[str, ...], asked: tuple[str, ...]) -> str:
    """Say in what two lists of features differ: those of a file, and those that are given."""
    missing = [name for name in trained if name not in asked]
    extra = [name for name in asked if name not in trained]
    if missing or extra:
        return f"trained on features that are not given: {missing}; given but not known: {extra}"
    pairs = enumerate(zip(trained, asked, strict=False))
    position = next((index for index, (left, right) in pairs if left != right), 0)
    return (
        f"features are in another order: number {position} is {asked[position]!r}, "
        f"trained with {trained[position]!r}"
    )
