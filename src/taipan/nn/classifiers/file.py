"""A classifier from ONNX files that were made before: nothing is trained."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from taipan.atomic import replacing
from taipan.config.sections.classifier import ModelFile
from taipan.errors import TaipanError
from taipan.limits import refuse_large
from taipan.nn.classes import Classes
from taipan.nn.classifiers.registry import ClassifierJob
from taipan.nn.model_card import ModelCard, pick_reference
from taipan.nn.record import Trained, write_record
from taipan.nn.scorer import check_graph, describe_difference

logger = logging.getLogger(__name__)

_PREFIX = "file_"
_PROBABILITIES = ("score", "scores", "probabilities", "probability")
"""Names of the output that counts, where a file has several."""
_SUM = 1e-3  # distance from one of the scores of all classes together


def train_classifier(keys: ModelFile, job: ClassifierJob) -> None:
    """Write the classifier of a file, or of one a fold, as those of the folds.

    Parameters
    ----------
    keys
        Section `classifier`.
    job
        Events, on which the files are tried, and files to write.

    Raises
    ------
    TaipanError
        If a file cannot be read, is not of these features, classes and folds, or gives something
        else than scores.
    """
    events, folds = job.training_set, job.settings.folds
    events.validate(folds)
    read = [read_classifier(path, events.names, events.classes) for path in keys.models]
    by_fold = order_folds(keys, [metadata for _, metadata in read], folds)
    reference = pick_reference(events)
    for fold, path in enumerate(job.models):
        model, metadata = read[by_fold[fold]]
        card = ModelCard(
            features=events.names,
            may_be_missing=events.missing_flags,
            fold=fold,
            folds=folds,
            seed=int(metadata.get("seed", "0")),
            provenance={**job.provenance, "file": Path(keys.models[by_fold[fold]]).name},
            networks=int(metadata.get("networks", "1")),
            classes=events.classes,
        )
        onnx.helper.set_model_props(model, card.metadata())
        content = model.SerializeToString(deterministic=True)
        check_scores(keys.models[by_fold[fold]], content, reference, events.classes)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    logger.info("%d files, trained on: %s; nothing is trained", len(read), keys.trained_on)
    about = Trained(events, job.settings, job.conditions, job.seed, job.provenance,
                    more={"classifier": keys.model_dump(mode="json")})  # fmt: skip
    write_record(job.record, about, [])


def order_folds(
    keys: ModelFile, metadata: Sequence[Mapping[str, str]], folds: int
) -> dict[int, int]:
    """Find the file of each fold: the one that says it never saw it.

    Parameters
    ----------
    keys
        Section `classifier`.
    metadata
        Of each file.
    folds
        Number of folds k.

    Returns
    -------
    dict
        Fold → place in the list of files.

    Raises
    ------
    TaipanError
        If a file says no fold, or the files are not those of all folds; names the file.
    """
    if keys.trained_on == "elsewhere":
        if len(keys.models) > 1:
            raise TaipanError(
                f"classifier.model: {len(keys.models)} files; one that was trained elsewhere is "
                "applied to all folds"
            )
        return dict.fromkeys(range(folds), 0)
    found: dict[int, int] = {}
    for i, (path, about) in enumerate(zip(keys.models, metadata, strict=True)):
        try:
            fold, count = int(about["fold"]), int(about["folds"])
        except (KeyError, ValueError):
            raise TaipanError(
                f"classifier.model: '{path}' does not say which fold it never saw; if it never saw "
                "an event of this analysis set classifier.trained_on: elsewhere"
            ) from None
        if count != folds or not 0 <= fold < folds:
            raise TaipanError(
                f"classifier.model: '{path}' is of fold {fold} of {count}; training.folds is "
                f"{folds}"
            )
        found[fold] = i
    missing = sorted(set(range(folds)) - set(found))
    if missing or len(metadata) != folds:
        raise TaipanError(
            f"classifier.model: {len(metadata)} files for {folds} folds, one for each is needed"
            + (f"; none is of fold {missing[0]}" if missing else "")
        )
    return found


def read_classifier(
    path: str, features: Sequence[str], classes: Classes
) -> tuple[Any, dict[str, str]]:
    """Read an ONNX file as a graph from `features` (n, f) to `score` (n, outputs).

    A file has one input of all features, or one for each that has its name. Of one without the
    names of the features in its metadata the order is taken to be that of `features`.

    Parameters
    ----------
    path
        The file.
    features
        Features of the analysis, in order.
    classes
        What the score is of.

    Returns
    -------
    model, metadata
        The graph, and the metadata of the file.

    Raises
    ------
    TaipanError
        If it cannot be read, its inputs are not the features, or its output not the scores.
    """
    refuse_large(path, "ONNX")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise TaipanError(f"classifier.model: cannot read {path}: {error.strerror}") from error
    try:
        check_graph(path, content)
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        model = onnx.load_model_from_string(content)
    except TaipanError as error:
        raise TaipanError(f"classifier.model: {error}") from error
    except Exception as error:  # of protobuf, onnx or onnxruntime
        text = f"classifier.model: {path} is not a readable ONNX model: {error}"
        raise TaipanError(text) from error
    metadata = {item.key: item.value for item in model.metadata_props}
    try:
        _check_metadata(path, metadata, features, classes)
        return _adapt(path, model, features, classes), metadata
    except TaipanError as error:
        raise TaipanError(f"classifier.model: {error}") from None


def _check_metadata(
    path: str, metadata: Mapping[str, str], features: Sequence[str], classes: Classes
) -> None:
    try:
        trained = tuple(json.loads(metadata.get("features", "[]")))
        names = tuple(json.loads(metadata.get("classes", "[]")))
    except (TypeError, ValueError) as error:
        raise TaipanError(f"{path}: metadata cannot be read ({error})") from error
    if trained and trained != tuple(features):
        raise TaipanError(f"{path}: {describe_difference(trained, tuple(features))}")
    if names and names != (classes.names if classes.softmax else ()):
        asked = ", ".join(classes.names) if classes.softmax else "none"
        raise TaipanError(f"{path}: gives scores of {', '.join(names)}; `classes` are {asked}")


def _adapt(path: str, original: Any, features: Sequence[str], classes: Classes) -> Any:
    """Give the model one input `features` and one output `score`."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    initialised = {item.name for item in original.graph.initializer}
    inputs = [item.name for item in original.graph.input if item.name not in initialised]
    ranks = [len(i.type.tensor_type.shape.dim) for i in original.graph.input
             if i.name not in initialised]  # fmt: skip
    _check_inputs(path, original, inputs, features)
    output = _find_output(path, original)
    columns = _columns(original, output)
    if columns not in (0, classes.outputs) and not (columns == 2 and not classes.softmax):
        needed = (
            f"a score of each of {', '.join(classes.names)}" if classes.softmax else "one score"
        )
        raise TaipanError(f"{path}: gives {columns} numbers for an event, {needed} is needed")
    model = onnx.compose.add_prefix(original, _PREFIX)
    graph = model.graph
    before: list[Any] = []
    constants: list[Any] = []
    if len(inputs) == 1 and len(features) != 1:
        before.append(helper.make_node("Identity", ["features"], [_PREFIX + inputs[0]]))
    else:
        before, constants = _pick_columns(inputs, ranks, features)
    constants += [
        helper.make_tensor("own_shape", onnx.TensorProto.INT64, [2], [-1, classes.outputs])
    ]
    after = [helper.make_node("Reshape", [_PREFIX + output, "own_shape"], ["score"])]
    if not classes.softmax and columns == 2:  # background and signal
        constants.append(helper.make_tensor("own_signal", onnx.TensorProto.INT64, [1], [1]))
        picked = helper.make_node("Gather", [_PREFIX + output, "own_signal"], ["picked"], axis=1)
        after = [picked, helper.make_node("Reshape", ["picked", "own_shape"], ["score"])]
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info("features", kind, ["events", len(features)]))
    graph.output.append(helper.make_tensor_value_info("score", kind, ["events", classes.outputs]))
    return model


def _check_inputs(path: str, model: Any, inputs: Sequence[str], features: Sequence[str]) -> None:
    types = {i.name: i.type.tensor_type for i in model.graph.input}
    for name in inputs:
        if types[name].elem_type != onnx.TensorProto.FLOAT:
            found = onnx.TensorProto.DataType.Name(types[name].elem_type)
            raise TaipanError(f"{path}: input '{name}' is of type {found}, FLOAT is needed")
    if len(inputs) == 1:
        dims = types[inputs[0]].shape.dim
        width = dims[1].dim_value if len(dims) == 2 else 1
        if inputs[0] in features and width == 1 and len(features) == 1:
            return
        if len(dims) != 2 or width not in (0, len(features)):
            raise TaipanError(
                f"{path}: input '{inputs[0]}' has {width} features, the analysis {len(features)} "
                f"({', '.join(features)})"
            )
        return
    if sorted(inputs) != sorted(features):
        raise TaipanError(f"{path}: {describe_difference(tuple(inputs), tuple(features))}")


def _pick_columns(
    inputs: Sequence[str], ranks: Sequence[int], features: Sequence[str]
) -> tuple[list[Any], list[Any]]:
    """Nodes that hand each input its column of `features`, and their constants."""
    helper, integer = onnx.helper, onnx.TensorProto.INT64
    nodes, constants = [], []
    for name, rank in zip(inputs, ranks, strict=True):
        place = features.index(name) if name in features else 0
        shape = [-1, 1] if rank == 2 else [-1]
        constants.append(helper.make_tensor(f"place_{name}", integer, [1], [place]))
        constants.append(helper.make_tensor(f"shape_{name}", integer, [len(shape)], shape))
        nodes.append(
            helper.make_node("Gather", ["features", f"place_{name}"], [f"column_{name}"], axis=1)
        )
        nodes.append(
            helper.make_node("Reshape", [f"column_{name}", f"shape_{name}"], [_PREFIX + name])
        )
    return nodes, constants


def _find_output(path: str, model: Any) -> str:
    names = [item.name for item in model.graph.output]
    chosen = names if len(names) == 1 else [name for name in names if name in _PROBABILITIES]
    kinds = {item.name: item.type.tensor_type.elem_type for item in model.graph.output}
    if len(chosen) != 1 or kinds[chosen[0]] != onnx.TensorProto.FLOAT:
        raise TaipanError(
            f"{path}: outputs {', '.join(names)}; one of numbers is needed, or one of several that "
            f"is called {' or '.join(_PROBABILITIES)}"
        )
    return str(chosen[0])


def _columns(model: Any, output: str) -> int:
    """Give how many numbers an event has in an output, 0 if the file does not say."""
    (found,) = (item for item in model.graph.output if item.name == output)
    dims = found.type.tensor_type.shape.dim
    return int(dims[1].dim_value) if len(dims) == 2 else 1


def check_scores(
    path: str, content: bytes, features: NDArray[np.float32], classes: Classes
) -> None:
    """Check that a classifier gives scores for some events.

    Parameters
    ----------
    path
        Its file, for messages.
    content
        Of :func:`read_classifier`.
    features
        Shape (m, f).
    classes
        What the scores are of.

    Raises
    ------
    TaipanError
        If it cannot be evaluated, a score is not within 0 to 1 or not finite, or those of all
        classes do not add up to one.
    """
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        scores = np.asarray(session.run(["score"], {"features": features})[0], dtype=np.float64)
    except Exception as error:  # onnxruntime has one unrelated class for each status code
        text = f"classifier.model: {path} cannot be evaluated: {error}"
        raise TaipanError(text) from error
    if scores.shape != (len(features), classes.outputs):
        raise TaipanError(
            f"classifier.model: {path} gives {scores.size} numbers for {len(features)} events, "
            f"{classes.outputs} for each are needed"
        )
    bad = np.argwhere(~((scores >= 0.0) & (scores <= 1.0)))
    if len(bad):
        value = scores[tuple(bad[0])]
        raise TaipanError(
            f"classifier.model: {path}: score of an event is {value:g}, it must be within 0 to 1"
        )
    total = scores.sum(axis=1)
    if classes.softmax and np.max(np.abs(total - 1.0), initial=0.0) > _SUM:
        raise TaipanError(
            f"classifier.model: {path}: the scores of an event add up to {total[0]:g}, of all "
            "classes it must be 1"
        )
