"""Other classifiers than networks: boosted trees, and ONNX files that were made before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from taipan import metrics
from taipan.checks.classifier import check_classifier
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.config.sections.classifier import (
    BoostedTrees,
    Classifier,
    ModelFile,
    NetworkClassifier,
)
from taipan.config.sections.overtraining import Overtraining, OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.config.slices import slice_config
from taipan.errors import TaipanError
from taipan.nn.classes import BINARY, Classes
from taipan.nn.classifiers import file
from taipan.nn.classifiers.registry import ClassifierJob, find_classifier
from taipan.nn.classifiers.trees import Forest, Tree, read_forest, write_forest
from taipan.nn.classifiers.xgboost import derivatives
from taipan.nn.data import TrainingSet
from taipan.nn.model_card import ModelCard
from taipan.nn.overtraining import judge_overtraining
from taipan.nn.scorer import FoldScorer
from tests.three_gaussians import CLASSES, draw_events, make_set, posterior
from tests.toy_configuration import make_config, problems

ROOT = Path(__file__).parents[2]
SETTINGS = Training(networks=1, folds=2, epochs=5, patience=10)
KEYS = BoostedTrees(rounds=80, depth=3, learning_rate=0.15, min_child_weight=200.0)


def job(folder: Path, events: TrainingSet, settings: Training = SETTINGS) -> ClassifierJob:
    folder.mkdir(parents=True, exist_ok=True)
    models = [folder / f"{fold}.onnx" for fold in range(settings.folds)]
    conditions = [OvertrainingCondition(metric="bce", max_ratio=1.05)]
    return ClassifierJob(events, settings, 7, models, folder / "record.json", conditions=conditions)


def train(keys: BoostedTrees, work: ClassifierJob) -> FoldScorer:
    pytest.importorskip("xgboost")
    find_classifier("xgboost")(keys, work)
    return FoldScorer(work.models, work.training_set.names)


def binary(events: TrainingSet) -> TrainingSet:
    """Signal against the two others."""
    return replace(events, classes=BINARY, labels=(events.labels == 0).astype(np.int64))


def test_derivatives_are_those_of_the_signed_loss() -> None:
    """By differences of Σ w·CE; the second one of several classes is its bound 2 p (1 - p)."""
    margins, labels, w = np.array([[0.3, -0.2, 0.1]]), np.array([1]), np.array([-2.0])

    def loss(z: np.ndarray) -> float:
        return float(w[0] * (np.log(np.exp(z).sum()) - z[0, 1]))

    def softmax(z: np.ndarray) -> np.ndarray:
        return np.exp(z) / np.exp(z).sum()

    gradient, bound = derivatives(softmax(margins), labels, w)
    for k in range(3):
        step = np.zeros((1, 3))
        step[0, k] = 1e-5
        slope = (loss(margins + step) - loss(margins - step)) / 2e-5
        assert gradient[0, k] == pytest.approx(slope, rel=1e-6)
        p = softmax(margins)[0, k]
        assert bound[0, k] == pytest.approx(-4.0 * p * (1.0 - p))
    gradient, second = derivatives(np.array([0.25]), np.array([1]), np.array([-2.0]))
    assert (gradient[0], second[0]) == (1.5, -0.375)


def test_forest_by_hand_with_missing_values(tmp_path: Path) -> None:
    """Two trees: x < 1 gives 1 (missing: right) else 3; a leaf of 2 that counts half."""
    tree = Tree(
        np.array([0, 0, 0]),
        np.array([1.0, 1.0, 3.0], np.float32),
        np.array([1, -1, -1]),
        np.array([2, -1, -1]),
        np.array([False, False, False]),
        0,
    )
    leaf = Tree(*(np.array([v]) for v in (0, np.float32(2.0), -1, -1, False)), 0)
    card = ModelCard(("x",), (True,), 0, 1, 0)
    events = np.array([[0.5], [1.0], [np.nan]], np.float32)
    found = write_forest(Forest(((tree, 1.0), (leaf, 0.5)), 1), tmp_path / "a.onnx", card, events)
    assert found[:, 0] == pytest.approx(1.0 / (1.0 + np.exp([-2.0, -4.0, -4.0])), abs=1e-6)
    left = replace(tree, missing_left=np.array([True, False, False]))
    found = write_forest(Forest(((left, 1.0),), 1), tmp_path / "b.onnx", card, events)
    assert found[2, 0] == pytest.approx(1.0 / (1.0 + np.exp(-1.0)), abs=1e-6)


@pytest.mark.parametrize("several", [False, True])
def test_boosted_trees_score_as_xgboost_does(several: bool, tmp_path: Path) -> None:
    """Their ONNX file against XGBoost's own answer to events with missing values."""
    xgboost = pytest.importorskip("xgboost")
    events = make_set(3000, seed=2)
    features = events.features.copy()
    features[::7, 1] = np.nan
    events = replace(events, features=features, may_be_missing=(False, True))
    if not several:
        events = binary(events)
    outputs = {"num_class": 3} if several else {}
    matrix = xgboost.DMatrix(features, missing=np.nan)
    booster = xgboost.Booster({"max_depth": 4, "base_score": 0.0, **outputs}, [matrix])
    weights = np.ones(3000)
    margin = np.zeros((3000, 3) if several else 3000)
    for round_ in range(20):
        powers = np.exp(margin)
        scores = powers / powers.sum(axis=1, keepdims=True) if several else powers / (1 + powers)
        gradient, hessian = derivatives(scores, events.labels, weights)
        booster.boost(matrix, round_, grad=gradient, hess=hessian)
        margin = booster.predict(matrix, output_margin=True)
    powers = np.exp(margin.astype(np.float64))
    expected = powers / powers.sum(axis=1, keepdims=True) if several else powers / (1 + powers)
    card = ModelCard(("x", "y"), (False, True), 0, 1, 0, classes=events.classes)
    forest = read_forest(booster, events.classes)
    found = write_forest(forest, tmp_path / "trees.onnx", card, features)
    assert np.max(np.abs(found.reshape(expected.shape) - expected)) < 1e-5
    scorer = FoldScorer([tmp_path / "trees.onnx"], ("x", "y"))
    assert scorer.score_with(0, features).ravel() == pytest.approx(found.ravel(), abs=1e-6)


def test_boosted_trees_learn_signed_weights_and_pass_the_gate(tmp_path: Path) -> None:
    """A quarter of negative weights: near the best scores; dropping those events is far off."""
    events = make_set(24_000, seed=3, negative=0.25)
    work = job(tmp_path / "signed", events)
    scorer = train(KEYS, work)
    features, labels = draw_events(20_000, 79)
    ones = np.ones(len(labels))
    best = metrics.bce(labels, posterior(features), ones)
    found = metrics.bce(labels, scorer.score_with(0, features), ones)
    assert found < best * 1.07
    kept = events.take(np.flatnonzero(events.weights > 0.0))
    dropped = train(KEYS, job(tmp_path / "dropped", kept))
    assert metrics.bce(labels, dropped.score_with(0, features), ones) > best * 1.10
    record = json.loads((tmp_path / "signed/record.json").read_text())
    assert record["classifier"]["rounds"] == 80
    network = record["networks"][0]
    assert len(network["history"]["validation_auc"]) == network["epochs"] > network["best_epoch"]
    # n_eff of a fold is 3,000: trees remember 0.03 of the area there
    limits = Overtraining(conditions=[], max_auc_gap=0.05)
    verdict = judge_overtraining(events, work.models, limits)
    assert verdict["passed"], [item for item in verdict["conditions"] if not item["passed"]]
    again = job(tmp_path / "again", events)
    train(KEYS, again)
    assert [p.read_bytes() for p in again.models] == [p.read_bytes() for p in work.models]


def linear(path: Path, width: int, outputs: int = 1, **metadata: str) -> str:
    """A file whose logits are sums of the inputs with rising slopes."""
    slopes = np.arange(1, width * outputs + 1, dtype=np.float32).reshape(width, outputs) / 10
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["data", "slopes"], ["z"]),
            helper.make_node(*("Softmax" if outputs > 1 else "Sigmoid", ["z"], ["p"])),
        ],
        "linear",
        [helper.make_tensor_value_info("data", kind, ["n", width])],
        [helper.make_tensor_value_info("p", kind, ["n", outputs])],
        [onnx.numpy_helper.from_array(slopes, "slopes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return str(path)


def by_name(path: Path, names: tuple[str, ...]) -> str:
    """A file with an input for each feature: sigmoid of the first minus the second."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Sub", list(names[:2]), ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["p"]),
        ],
        "by_name",
        [helper.make_tensor_value_info(name, kind, ["n", 1]) for name in names],
        [helper.make_tensor_value_info("p", kind, ["n", 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return str(path)


def apply(keys: ModelFile, work: ClassifierJob) -> FoldScorer:
    find_classifier("file")(keys, work)
    return FoldScorer(work.models, work.training_set.names)


def test_classifier_of_a_file_gives_its_scores_in_every_fold(tmp_path: Path) -> None:
    events = binary(make_set(300))
    path = linear(tmp_path / "own.onnx", 2)
    keys = ModelFile(model=path, trained_on="elsewhere")
    scorer = apply(keys, job(tmp_path / "out", events))
    x = events.features.astype(np.float64)
    expected = 1.0 / (1.0 + np.exp(-(0.1 * x[:, 0] + 0.2 * x[:, 1])))
    assert scorer.score(events.features, events.folds) == pytest.approx(expected, abs=1e-6)
    record = json.loads((tmp_path / "out/record.json").read_text())
    assert record["networks"] == []
    assert record["classifier"]["trained_on"] == "elsewhere"
    several = apply(
        ModelFile(model=linear(tmp_path / "three.onnx", 2, 3), trained_on="elsewhere"),
        job(tmp_path / "three", make_set(300)),
    )
    assert several.score_with(1, events.features).shape == (300, 3)
    assert several.classes.names == CLASSES.names


def test_inputs_by_name_are_taken_in_the_order_of_the_file(tmp_path: Path) -> None:
    events = binary(make_set(300))
    path = by_name(tmp_path / "named.onnx", ("y", "x"))
    scorer = apply(ModelFile(model=path, trained_on="elsewhere"), job(tmp_path / "out", events))
    x, y = events.features.T.astype(np.float64)
    expected = 1.0 / (1.0 + np.exp(-(y - x)))
    assert scorer.score_with(0, events.features) == pytest.approx(expected, abs=1e-6)


def test_folds_of_files_are_those_that_they_say(tmp_path: Path) -> None:
    """The file of fold 1 comes first; each is applied to the fold that it never saw."""
    events = binary(make_set(300))
    about = {"features": '["x", "y"]', "folds": "2"}
    first = linear(tmp_path / "a.onnx", 2, **about, fold="1")
    second = by_name(tmp_path / "b.onnx", ("x", "y"))
    model = onnx.load(second)
    onnx.helper.set_model_props(model, {**about, "fold": "0"})
    onnx.save(model, second)
    scorer = apply(ModelFile(model=[first, second]), job(tmp_path / "out", events))
    x, y = events.features.T.astype(np.float64)
    z = np.where(events.folds == 1, 0.1 * x + 0.2 * y, x - y)
    assert scorer.score(events.features, events.folds) == pytest.approx(
        1.0 / (1.0 + np.exp(-z)), abs=1e-6
    )


def refusal(path: str, classes: Classes = BINARY, features: tuple[str, ...] = ("x", "y")) -> str:
    with pytest.raises(TaipanError) as error:
        file.read_classifier(path, features, classes)
    return str(error.value)


def test_files_of_other_inputs_are_refused(tmp_path: Path) -> None:
    three = linear(tmp_path / "three.onnx", 3)
    assert refusal(three) == (
        f"classifier.model: {three}: input 'data' has 3 features, the analysis 2 (x, y)"
    )
    named = by_name(tmp_path / "named.onnx", ("x", "z"))
    assert "trained on features that are not given: ['z']; given but not known: ['y']" in refusal(
        named
    )
    other = linear(tmp_path / "other.onnx", 2, features='["y", "x"]')
    assert "features are in another order: number 0 is 'x', trained with 'y'" in refusal(other)
    of_classes = linear(tmp_path / "classes.onnx", 2, 3, classes='["a", "b", "c"]')
    assert refusal(of_classes, CLASSES).endswith(
        "gives scores of a, b, c; `classes` are signal, ztt, other"
    )
    (tmp_path / "text.onnx").write_text("no model")
    assert "is not a readable ONNX model" in refusal(str(tmp_path / "text.onnx"))
    assert "cannot read" in refusal(str(tmp_path / "nowhere.onnx"))


def test_files_that_give_no_scores_or_no_fold_are_refused(tmp_path: Path) -> None:
    events = binary(make_set(300))
    path = linear(tmp_path / "plain.onnx", 2)
    with pytest.raises(TaipanError, match="does not say which fold it never saw"):
        apply(ModelFile(model=path), job(tmp_path / "out", events))
    model = onnx.load(path)
    model.graph.node[1].op_type = "Exp"
    onnx.save(model, tmp_path / "exp.onnx")
    keys = ModelFile(model=str(tmp_path / "exp.onnx"), trained_on="elsewhere")
    with pytest.raises(TaipanError, match="it must be within 0 to 1"):
        apply(keys, job(tmp_path / "out", events))
    keys = ModelFile(model=path, trained_on="elsewhere")
    with pytest.raises(TaipanError, match="gives 1 numbers for an event, a score of each of sig"):
        apply(keys, job(tmp_path / "out", make_set(300)))
    assert not (tmp_path / "out/0.onnx").exists()


def test_configuration_of_a_classifier_is_checked(tmp_path: Path) -> None:
    keys = {"model": linear(tmp_path / "a.onnx", 3), "trained_on": "elsewhere"}
    change = {"classifier": keys, "tuning": {"enabled": False}}
    assert [line.partition(": ")[2] for line in problems(change)] == [
        f"{keys['model']}: input 'data' has 3 features, the analysis 2 (pt_1, m)"
    ]
    keys["model"] = linear(tmp_path / "b.onnx", 2)
    assert list(check_classifier(make_config(change))) == []
    (line,) = problems({**change, "tuning": {"enabled": True}})
    assert line == "tuning.enabled: true is for networks; classifier.kind is 'file' (network)"
    assert make_config({"classifier": "xgboost"}).classifier == BoostedTrees()
    with pytest.raises(TaipanError, match="classifier.kind: 'forest' is not allowed"):
        make_config({"classifier": "forest"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", NetworkClassifier()),
        ("classifier: xgboost", BoostedTrees()),
        ("classifier: {kind: xgboost, rounds: 7}", BoostedTrees(rounds=7)),
        ("classifier: {model: a.onnx}", ModelFile(model="a.onnx")),
    ],
)
def test_classifier_of_an_overlay_is_read_in_its_short_forms(
    text: str, expected: Classifier, tmp_path: Path
) -> None:
    """Over the defaults of a run, as Snakemake and `taipan config check` read it."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(text)
    found = read_config([overlay], ROOT)
    assert found.classifier == expected
    plain = slice_config(found, "classifier")
    assert Config.from_plain(plain).classifier == expected
