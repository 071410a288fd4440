"""Importances, attributions and hidden units, on toys whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from taipan import metrics
from taipan.errors import TaipanError
from taipan.explaining.attribution import integrate_gradients
from taipan.explaining.conditional import exchange_conditionally
from taipan.explaining.pruning import (
    measure_units,
    suggest_threshold,
    try_pruning,
)
from taipan.explaining.text import write_explanation
from taipan.explaining.units import HiddenUnits, relative_activation
from taipan.nn.classes import BINARY
from taipan.nn.data import TrainingSet
from taipan.nn.scorer import FoldScorer
from taipan.plotting.redraw import draw_again
from taipan.search.importance import permutation_importance, shuffle

NAMES = ("x1", "x2", "x3", "noise", "x5")


def make_events(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Make x1 and x2 near duplicates, x3 weak and independent, x5 a bad copy of x1."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    way = 2.0 * labels - 1.0
    z = rng.normal(0.59 * way)
    x1, x2 = z + rng.normal(0, 0.15, n), z + rng.normal(0, 0.15, n)
    x3, x5 = rng.normal(0.3 * way), z + rng.normal(0, 1.2, n)
    return np.stack([x1, x2, x3, rng.normal(size=n), x5], axis=1).astype(np.float32), labels


def fit_line(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fit the best line; it is the best network here."""
    filled = np.concatenate([features, np.ones((len(features), 1))], axis=1).astype(np.float64)
    return np.asarray(np.linalg.lstsq(filled, labels - 0.5)[0][:-1])


def auc_of(slopes: np.ndarray, features: np.ndarray, labels: np.ndarray) -> float:
    scores = 1.0 / (1.0 + np.exp(-4.0 * features.astype(np.float64) @ slopes))
    return float(metrics.auc(labels, scores, np.ones(len(labels))))


def measure_toy() -> dict[str, dict[str, float]]:
    features, labels = make_events(40_000)
    fresh, own = make_events(40_000, seed=2)
    slopes = fit_line(features, labels)
    whole = auc_of(slopes, fresh, own)
    assert whole == pytest.approx(0.825, abs=0.01)
    found = {}
    groups = {name: [i] for i, name in enumerate(NAMES)} | {"x1, x2": [0, 1]}
    for name, columns in groups.items():
        rng = np.random.default_rng(3)
        left = [i for i in range(5) if i not in columns]
        again = fit_line(features[:, left], labels)
        found[name] = {
            "shuffled": whole - auc_of(slopes, shuffle(fresh, columns, rng), own),
            "conditional": whole - auc_of(slopes, exchange_conditionally(fresh, columns, rng), own),
            "dropped": whole - auc_of(again, fresh[:, left], own),
        }
    return found


def test_importances_of_duplicates_are_ordered_as_published() -> None:
    """Shuffling overstates a duplicate many times, dropping it alone understates the pair."""
    found = measure_toy()
    for name in ("x1", "x2"):
        item = found[name]
        assert item["shuffled"] > 5.0 * item["conditional"] > 0.0
        assert item["shuffled"] > 10.0 * item["dropped"]
    pair = found["x1, x2"]
    assert pair["dropped"] == pytest.approx(0.074, abs=0.01)
    assert pair["dropped"] > 10.0 * found["x1"]["dropped"]
    assert pair["shuffled"] > 2.0 * pair["dropped"]
    # independent: all that is shuffled is exchanged, too
    x3 = found["x3"]
    assert x3["conditional"] == pytest.approx(x3["shuffled"], rel=0.1)
    assert x3["conditional"] > x3["dropped"] == pytest.approx(0.027, abs=0.008)
    for kind in ("shuffled", "conditional", "dropped"):
        alone = {name: found[name][kind] for name in NAMES}
        # the bad copy is worth as little as noise, though alone it has an AUC of 0.70
        assert max(abs(alone["noise"]), abs(alone["x5"])) < 0.002
        assert min(alone["x1"], alone["x3"]) > 0.5 * abs(alone["noise"])


def test_exchanged_values_keep_what_the_others_say_and_what_is_missing() -> None:
    features, _ = make_events(5000)
    features[::7, 1] = np.nan
    features[:, 3] = np.round(features[:, 3])
    changed = exchange_conditionally(features, [1], np.random.default_rng(1))
    known = np.isfinite(features[:, 1])
    assert np.array_equal(np.isfinite(changed[:, 1]), known)
    assert not np.array_equal(changed[known, 1], features[known, 1])
    before, after = (np.corrcoef(f[known, 0], f[known, 1])[0, 1] for f in (features, changed))
    assert after == pytest.approx(before, abs=0.01)
    whole = exchange_conditionally(features, [3], np.random.default_rng(1))
    assert set(whole[:, 3]) == set(features[:, 3])  # counts stay counts
    assert np.array_equal(np.delete(whole, 3, axis=1), np.delete(features, 3, axis=1), True)


def test_attributions_are_complete() -> None:
    """Their sum is f(x) − f(baseline), the axiom of integrated gradients."""
    features, _ = make_events(300)
    features[::5, 2] = np.nan

    def score(events: np.ndarray) -> np.ndarray:
        filled = np.where(np.isfinite(events), events, 0.0).astype(np.float64)
        z = 1.5 * filled[:, 0] - filled[:, 1] * filled[:, 2] + 0.7 * np.tanh(filled[:, 4])
        return np.asarray(1.0 / (1.0 + np.exp(-z)))

    found = integrate_gradients(score, features, held=[4], steps=64)
    assert np.abs(found.difference).max() > 0.3
    assert np.abs(found.gap).max() < 2e-3
    assert not found.values[:, 3].any()  # the network does not see it
    assert not found.values[:, 4].any()  # held
    assert not found.values[::5, 2].any()  # missing
    rough = integrate_gradients(score, features, held=[4], steps=2)
    assert np.abs(rough.gap).max() > 3.0 * np.abs(found.gap).max()


def test_attributions_of_a_line_are_its_terms() -> None:
    features, _ = make_events(200)
    slopes = np.array([0.1, -0.2, 0.05, 0.0, 0.3])
    found = integrate_gradients(lambda events: events.astype(np.float64) @ slopes, features)
    exact = slopes * (features - features.mean(axis=0))
    assert found.values == pytest.approx(exact, abs=1e-4)


def write_hidden(path: Path, fold: int, members: int = 2) -> Path:
    """Write networks of 5 features with 4 hidden units: x1, x3, −x3 and a constant 1.5."""
    matrix = np.zeros((5, 4), np.float32)
    matrix[0, 0], matrix[2, 1], matrix[2, 2] = 1.0, 0.1, -0.1
    last = np.array([[2.0], [3.0], [-3.0], [0.5]], np.float32)
    bias = np.array([3.0, 0.0, 0.0, 1.5], np.float32)
    constants, nodes, outputs = [], [], []
    for i in range(members):
        arrays = {"m": matrix, "b": bias, "l": last, "c": np.array([-7.0], np.float32)}
        constants += [numpy_helper.from_array(v, f"{k}{i}") for k, v in arrays.items()]
        nodes += [
            helper.make_node("MatMul", ["features", f"m{i}"], [f"p{i}"]),
            helper.make_node("Add", [f"p{i}", f"b{i}"], [f"q{i}"]),
            helper.make_node("Relu", [f"q{i}"], [f"h{i}"]),
            helper.make_node("MatMul", [f"h{i}", f"l{i}"], [f"r{i}"]),
            helper.make_node("Add", [f"r{i}", f"c{i}"], [f"z{i}"]),
        ]
        outputs.append(f"z{i}")
    nodes += [
        helper.make_node("Sum", outputs, ["z"]),
        helper.make_node("Sigmoid", ["z"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes, "toy",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["events", 5])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["events", 1])],
        constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    about = {"features": json.dumps(NAMES), "fold": str(fold), "folds": "2", "networks": "1"}
    helper.set_model_props(model, about)
    onnx.save(model, path)
    return path


def make_set(n: int) -> TrainingSet:
    features, labels = make_events(n)
    numbers = np.arange(n)
    samples = np.where(labels == 1, "signal", "background")
    return TrainingSet(
        features, NAMES, labels, np.ones(n), (numbers // 2) % 2, samples, numbers.astype(np.uint64)
    )


def test_units_of_every_network_of_a_fold_are_found(tmp_path: Path) -> None:
    units = HiddenUnits(write_hidden(tmp_path / "fold0.onnx", 0))
    assert [(layer.units, layer.member) for layer in units.layers] == [(4, 0), (4, 1)]
    features, _ = make_events(10)
    first, second = units.activations(features)
    assert first[:, 0] == pytest.approx(np.maximum(features[:, 0] + 3.0, 0.0), rel=1e-5)
    assert first[:, 3] == pytest.approx(1.5)
    assert np.array_equal(first, second)


def test_activity_is_relative_to_the_largest_of_the_layer_with_signed_weights() -> None:
    activations = np.array([[1.0, -2.0], [3.0, 0.0], [5.0, 9.0]])
    weights = np.array([1.0, 1.0, -0.5])
    # 1 + 3 − 2.5 and 2 + 0 − 4.5, which is below zero
    assert relative_activation(activations, weights) == pytest.approx([1.0, 0.0])
    assert relative_activation(activations, np.ones(3)) == pytest.approx([9 / 11, 1.0])


def test_quiet_and_constant_units_can_go_and_others_not(tmp_path: Path) -> None:
    events = make_set(4000)
    models = [str(write_hidden(tmp_path / f"fold{i}.onnx", i)) for i in range(2)]
    folds = measure_units(models, events, np.random.default_rng(1))
    activity = folds[0].activity[0]
    assert activity[0] == 1.0
    assert activity[1] < 0.1  # x3 is small beside x1 + 3
    scores = FoldScorer(models, NAMES).score(events.features, events.folds)
    found = try_pruning(folds, events, scores.astype(float), BINARY, [0.0, 0.3, 0.6, 1.0])
    lost = {item["threshold"]: item["auc_loss"][0] for item in found}
    removed = {item["threshold"]: item["removed"] for item in found}
    assert removed[0.1] == 0.5
    assert removed[0.8] == 0.75  # the constant one, too: it is active, and says nothing
    assert lost[0.8] == pytest.approx(lost[0.1], abs=1e-9)
    assert lost[0.1] == pytest.approx(0.02, abs=0.012)  # that of x3
    assert suggest_threshold(found) is None
    small = [
        {"threshold": t, "auc_loss": [v, 0.0]} for t, v in ((0.1, 0.001), (0.2, 0.1), (0.3, 0))
    ]
    assert suggest_threshold(small) == 0.1


def test_a_tree_has_no_hidden_units(tmp_path: Path) -> None:
    path = write_hidden(tmp_path / "fold0.onnx", 0)
    model = onnx.load(path)
    del model.graph.node[3:]
    onnx.save(model, path)
    with pytest.raises(TaipanError, match="no hidden layers; trees have none"):
        HiddenUnits(path)


def test_the_page_suggests_what_was_tried() -> None:
    content: dict[str, Any] = {
        "importances": {"a": {"shuffled": [0.1, 0.01], "conditional": [0.02, 0.001]}},
        "attributions": {"a": {"background": [0.1, 0.0], "signal": [0.2, 0.0]}},
        "largest_gap": 0.0004,
        "held": [],
        "units": 8,
        "quiet_share": 0.5,
        "quiet": 0.2,
        "sigma": 2.0,
        "suggested": 0.1,
        "tried": [{"threshold": 0.1, "removed": 0.5, "auc_loss": [0.001, 0.0002], "sigma": 2.01}],
    }
    page = write_explanation(content)
    assert "| a | +0.0200 ± 0.0010 | +0.1000 ± 0.0100 | 0.100 | 0.200 |" in page
    assert "remove the units below 0.1. The network is then 50 % smaller" in page
    assert "No unit can be removed" in write_explanation({**content, "suggested": None})


def test_figures_show_the_numbers_and_the_suggestion() -> None:
    pair = {"shuffled": [0.1, 0.01], "conditional": [0.02, 0.001]}
    numbers: dict[str, Any] = {
        "header": {"label": "Toy", "luminosity": 1.0, "energy": None},
        "importances": {"a": pair, "b": {**pair, "conditional": [0.05, 0.001]}},
        "attributions": {
            "a": {"background": [0.1, 0.01], "signal": [0.2, 0.01]},
            "b": {"background": [0.3, 0.01], "signal": [0.4, 0.01]},
        },
        "quiet": 0.2,
        "layers": [{"signal": [1.0, 0.1, 0.3], "background": [0.2, 0.05, 0.5]}],
        "sigma": 2.0,
        "suggested": 0.2,
        "tried": [
            {"threshold": 0.1, "removed": 0.25, "auc_loss": [0.0, 0.0001], "sigma": 2.0},
            {"threshold": 0.2, "removed": 0.5, "auc_loss": [0.001, 0.0002], "sigma": 2.02},
        ],
    }
    for name in ("importances", "attributions"):
        axes = draw_again(name, numbers).axes[0]
        assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]  # b on top
    (layer,) = draw_again("activity", numbers).axes
    signal = next(line for line in layer.lines if line.get_label() == "signal")
    assert list(signal.get_ydata()) == [1.0, 0.3, 0.1]  # the most active of both classes first
    upper, lower = draw_again("pruning", numbers).axes
    assert list(lower.lines[0].get_ydata()) == pytest.approx([0.0, 1.0])
    (suggested,) = [line for line in upper.lines if line.get_label() == "Suggested"]
    assert list(suggested.get_xdata()) == [50.0, 50.0]


def test_importance_of_networks_may_exchange_among_like_events(tmp_path: Path) -> None:
    events = make_set(3000)
    models = [write_hidden(tmp_path / f"fold{i}.onnx", i) for i in range(2)]
    scorer = FoldScorer(models, NAMES)
    shuffled = permutation_importance(events, scorer, 2, 1)
    alike = permutation_importance(events, scorer, 2, 1, exchange_conditionally)
    assert shuffled["x1"].mean > 5.0 * alike["x1"].mean > 0.0
    assert shuffled["noise"].mean == alike["noise"].mean == 0.0
