"""Networks of k folds trained on the fit: files, record, repetitions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from benchmarks.sensitivity_toys import TWO_GAUSSIANS, draw_two_gaussians, join

from taipan.config.sections.training import Sensitivity, Training
from taipan.errors import TaipanError
from taipan.nn.data import TrainingSet
from taipan.nn.model import MeanBin, build_network
from taipan.nn.scorer import FoldScorer
from taipan.nn.sensitivity.linear import LinearEvents
from taipan.nn.train import train_network

SETTINGS = Training(
    loss="sannt", folds=3, networks=1, hidden_layers=[8], dropout=0.0, epochs=12,
    batch_size=64, learning_rate=1e-2,
    sensitivity=Sensitivity(bins=6, steps=3, learning_rate=1e-2),
)  # fmt: skip


def draw(size: int = 300) -> tuple[TrainingSet, LinearEvents]:
    rng = np.random.default_rng(8)
    parts = [TWO_GAUSSIANS.linear(draw_two_gaussians(size, rng), fold) for fold in range(3)]
    events = join(parts)
    rows = events.nominal
    return (
        TrainingSet(
            rows.features,
            ("x1", "x2"),
            events.is_signal.astype(np.int64),
            events.yields,
            rows.folds,
            np.where(events.is_signal, "S", "B"),
            rows.identifiers,
        ),
        events,
    )


def train(folder: Path, settings: Training) -> tuple[list[Path], dict]:
    folder.mkdir()
    models = [folder / f"fold{i}.onnx" for i in range(3)]
    training_set, events = draw()
    record = folder / "training.json"
    train_network(training_set, settings, 5, models, record, linear=events)
    return models, json.loads(record.read_text(encoding="utf-8"))


@pytest.mark.parametrize("loss", ["sannt", "inferno", "shape_penalty"])
def test_files_and_record_are_those_of_any_training(tmp_path: Path, loss: str) -> None:
    """The first pass is the start; the step that is kept has the smallest σ of held-out events."""
    models, record = train(tmp_path / "one", SETTINGS.model_copy(update={"loss": loss}))
    for network in record["networks"]:
        history = network["history"]
        assert len(history["validation_objective"]) == 4
        best = network["best_epoch"]
        assert history["validation_objective"][best] == min(history["validation_objective"])
        assert min(history["train_objective"]) > 0.0
    scores = FoldScorer(models, ("x1", "x2")).score_with(0, np.array([[-2, -2], [2, 2]], "f4"))
    assert 0.0 < scores[1] < scores[0] < 1.0


def test_repetition_has_the_same_scores(tmp_path: Path) -> None:
    points = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    found = [
        FoldScorer(train(tmp_path / name, SETTINGS)[0], ("x1", "x2")).score_with(1, points)
        for name in ("one", "two")
    ]
    np.testing.assert_array_equal(*found)


def test_too_many_bins_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    keys = SETTINGS.sensitivity.model_copy(update={"bins": 40})
    with pytest.raises(TaipanError, match=r"training.sensitivity.bins: 40 bins for 300 effective"):
        train(tmp_path / "one", SETTINGS.model_copy(update={"sensitivity": keys}))
    assert not list((tmp_path / "one").iterdir())


def test_mean_bin_of_shares() -> None:
    """Centres of four bins are 1/8, 3/8, 5/8, 7/8."""
    shares = tf.constant([[0.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.0, 0.5], [0.0, 0.5, 0.5, 0.0]])
    scores = tf.sigmoid(MeanBin()(shares)).numpy()[:, 0]
    np.testing.assert_allclose(scores, [0.875, 0.5, 0.5], rtol=1e-6)


def test_network_of_inferno_makes_its_own_bins() -> None:
    network = build_network((False, False), SETTINGS.model_copy(update={"loss": "inferno"}))
    shares = network.summary(tf.random.stateless_normal((20, 2), seed=(1, 2))).numpy()
    assert shares.shape == (20, 6)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)
    assert build_network((False, False), SETTINGS).summary is None
