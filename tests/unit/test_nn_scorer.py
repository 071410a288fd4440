from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from taipan.errors import TaipanError
from taipan.nn.scorer import FoldScorer

NAMES = ("pt_1", "m_vis")


def write_network(
    path: Path, fold: int, folds: int, metadata: bool = True, networks: str | None = "1"
) -> Path:
    """Write a network whose score is sigmoid(pt_1 + 10 m_vis + fold)."""
    helper = onnx.helper
    kernel = onnx.numpy_helper.from_array(np.array([[1.0], [10.0]], np.float32), "kernel")
    bias = onnx.numpy_helper.from_array(np.array([fold], np.float32), "bias")
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["features", "kernel", "bias"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["score"]),
        ],
        "test",
        [helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["events", 2])],
        [helper.make_tensor_value_info("score", onnx.TensorProto.FLOAT, ["events", 1])],
        [kernel, bias],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if metadata:
        properties = {"features": '["pt_1", "m_vis"]', "fold": str(fold), "folds": str(folds)}
        if networks is not None:
            properties["networks"] = networks
        helper.set_model_props(model, properties)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    return [write_network(tmp_path / f"{fold}.onnx", fold, 3) for fold in range(3)]


def test_each_event_is_scored_by_the_network_of_its_fold(models: list[Path]) -> None:
    generator = np.random.default_rng(0)
    n = 60_000  # more than two batches in each fold
    features = generator.normal(size=(n, 2)).astype(np.float32) * np.float32(0.1)
    folds = generator.integers(0, 3, n)
    features.setflags(write=False)
    folds.setflags(write=False)
    scores = FoldScorer(models[::-1], NAMES).score(features, folds)
    expected = 1.0 / (1.0 + np.exp(-(features[:, 0] + 10.0 * features[:, 1] + folds)))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_no_events_give_no_scores(models: list[Path]) -> None:
    scorer = FoldScorer(models, NAMES, threads=2)
    empty = np.empty((0, 2), dtype=np.float32)
    assert scorer.score(empty, np.empty(0, dtype=int)).shape == (0,)


def test_order_of_features_is_checked(models: list[Path]) -> None:
    message = r"0\.onnx: features are in another order: number 0 is 'm_vis', trained with 'pt_1'"
    with pytest.raises(TaipanError, match=message):
        FoldScorer(models, ("m_vis", "pt_1"))


def test_names_of_features_are_checked(models: list[Path]) -> None:
    with pytest.raises(TaipanError, match=r"not given: \['m_vis'\]; given but not known: \['met'"):
        FoldScorer(models, ("pt_1", "met"))


def test_missing_and_repeated_folds_are_named(models: list[Path], tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match=r"networks for folds \[0, 2\] of trainings with \[3\]"):
        FoldScorer([models[0], models[2]], NAMES)
    with pytest.raises(TaipanError, match=r"1\.onnx: a second network for fold 1"):
        FoldScorer([models[1], models[1]], NAMES)
    other = write_network(tmp_path / "other.onnx", 2, 5)
    with pytest.raises(TaipanError, match=r"trainings with \[3, 5\] folds"):
        FoldScorer([*models[:2], other], NAMES)
    with pytest.raises(TaipanError, match=r"networks for folds \[0, 1, 4\]"):
        FoldScorer([*models[:2], write_network(tmp_path / "four.onnx", 4, 3)], NAMES)
    with pytest.raises(TaipanError, match=r"networks for folds \[\]"):
        FoldScorer([], NAMES)


def test_number_of_networks_of_a_fold_is_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    assert FoldScorer([write_network(path, 0, 1, networks="3")], NAMES).networks == 3
    assert FoldScorer([write_network(path, 0, 1, networks=None)], NAMES).networks == 1
    for wrong in ("0", "-1", "5", "1000000000"):
        with pytest.raises(TaipanError, match=rf"n\.onnx: {wrong} networks of one fold of 1"):
            FoldScorer([write_network(path, 0, 1, networks=wrong)], NAMES)
    files = [write_network(tmp_path / f"{i}.onnx", i, 2, networks=str(i + 1)) for i in range(2)]
    with pytest.raises(TaipanError, match=r"folds with different numbers of networks: \[1, 2\]"):
        FoldScorer(files, NAMES)


def test_unreadable_files_are_named(models: list[Path], tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match=r"cannot read .*absent\.onnx"):
        FoldScorer([tmp_path / "absent.onnx"], NAMES)
    (tmp_path / "broken.onnx").write_bytes(models[0].read_bytes()[:100])
    with pytest.raises(TaipanError, match=r"broken\.onnx is not a readable ONNX model"):
        FoldScorer([tmp_path / "broken.onnx"], NAMES)
    plain = write_network(tmp_path / "plain.onnx", 0, 1, metadata=False)
    with pytest.raises(TaipanError, match=r"plain\.onnx: no metadata of a trained network"):
        FoldScorer([plain], NAMES)


def test_bad_input_is_named(models: list[Path]) -> None:
    scorer = FoldScorer(models, NAMES)
    features = np.zeros((4, 2), dtype=np.float32)
    with pytest.raises(TaipanError, match="fold of event 2 is 3, allowed are 0 to 2"):
        scorer.score(features, np.array([0, 1, 3, 0]))
    with pytest.raises(TaipanError, match=r"4 events but folds of shape \(3,\)"):
        scorer.score(features, np.zeros(3, dtype=int))
    with pytest.raises(TaipanError, match=r"features have shape \(4, 1\), expected \(n, 2\)"):
        scorer.score(features[:, :1], np.zeros(4, dtype=int))
