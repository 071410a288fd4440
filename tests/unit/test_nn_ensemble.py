"""Several networks of a fold: who stops which, what their score is, who saw what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taipan import metrics
from taipan.config.sections.overtraining import Overtraining
from taipan.nn.data import split_folds, split_networks
from taipan.nn.engine import Engine
from taipan.nn.export import ModelCard, export_network
from taipan.nn.model import average_networks, build_network, initialise
from taipan.nn.overtraining import check_scorer
from taipan.nn.scorer import FoldScorer
from taipan.nn.train import train_network
from taipan.nn.weights.transform import order_events, transform_for_networks
from tests.unit.test_nn_train import NAMES, SETTINGS, Run, make_set, run_training

FOLDS, NETWORKS = 4, 3
ENSEMBLE = SETTINGS.model_copy(
    update={"folds": FOLDS, "networks": NETWORKS, "dropout": 0.1, "epochs": 6}
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("ensemble")
    return run_training(folder, make_set(2400, FOLDS), ENSEMBLE, threads=2)


def logit(scores: np.ndarray) -> np.ndarray:
    return np.log(scores / (1.0 - scores))


def test_score_is_that_of_the_mean_logit(tmp_path: Path) -> None:
    networks = [build_network((False, True), SETTINGS) for _ in range(3)]
    for seed, network in enumerate(networks):
        initialise(network, seed)
    features = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    features[::3, 1] = np.nan
    single = np.stack([np.asarray(item.score(features))[:, 0] for item in networks])
    mean = 1.0 / (1.0 + np.exp(-logit(single.astype(np.float64)).mean(axis=0)))
    model = average_networks(networks)
    np.testing.assert_allclose(np.asarray(model(features))[:, 0], mean, atol=1e-6)
    card = ModelCard(("a", "b"), (False, True), fold=0, folds=1, seed=1, networks=3)
    export_network(model, tmp_path / "n.onnx", card, features)
    scorer = FoldScorer([tmp_path / "n.onnx"], ("a", "b"))
    assert scorer.networks == 3
    np.testing.assert_allclose(scorer.score_with(0, features), mean, atol=1e-5)
    assert np.abs(single - mean).max() > 0.05
    assert average_networks(networks[:1]) is networks[0].score


def test_every_network_is_stopped_by_another_fold(trained: Run) -> None:
    record = json.loads(trained.record.read_text(encoding="utf-8"))
    networks, events = record["networks"], trained.events
    assert [(n["fold"], n["network"]) for n in networks] == [
        (fold, turn) for fold in range(FOLDS) for turn in (1, 2, 3)
    ]
    assert len({n["seed"] for n in networks}) == len(networks)
    splits = split_networks(events.folds, events.identifiers, ENSEMBLE)
    for network, split in zip(networks, splits, strict=True):
        fold, stop = network["fold"], (network["fold"] + network["network"]) % FOLDS
        for part, mask, wanted in (
            ("held_out", split.held_out, events.folds == fold),
            ("validation", split.validation, events.folds == stop),
            ("train", split.training, ~np.isin(events.folds, [fold, stop])),
        ):
            np.testing.assert_array_equal(mask, wanted)
            counted = network["events"][part]
            assert counted["signal"]["events"] + counted["background"]["events"] == wanted.sum()
    assert {n["model"] for n in networks} == {path.name for path in trained.models}


def test_first_network_is_the_one_that_is_trained_alone(trained: Run, tmp_path: Path) -> None:
    alone = ENSEMBLE.model_copy(update={"networks": 1})
    record = json.loads(run_training(tmp_path, trained.events, alone).record.read_text())
    first = json.loads(trained.record.read_text())["networks"][::NETWORKS]
    for network, same in zip(record["networks"], first, strict=True):
        assert network["history"] == same["history"]
        assert network["seed"] == same["seed"]


def test_seeds_are_averaged_on_the_same_events(trained: Run, tmp_path: Path) -> None:
    """Two seeds of two networks: those of the first are the ones that are trained without."""
    events = trained.events
    settings = ENSEMBLE.model_copy(update={"networks": 2, "seeds": 2, "epochs": 2})
    both, once = (
        run_training(tmp_path / name, events, settings.model_copy(update={"seeds": number}))
        for name, number in (("both", 2), ("once", 1))
    )
    record, first = (json.loads(run.record.read_text())["networks"] for run in (both, once))
    assert [(n["fold"], n["network"], n["repeat"]) for n in record] == [
        (fold, turn, repeat) for fold in range(FOLDS) for turn in (1, 2) for repeat in (1, 2)
    ]
    assert len({n["seed"] for n in record}) == len(record) == settings.network_count == 16
    assert [n["history"] for n in record[::2]] == [n["history"] for n in first]
    for left, right in zip(record[::2], record[1::2], strict=True):
        assert left["events"] == right["events"]
        assert left["history"] != right["history"]
    # the gate asks how many folds stop the networks of one, which the seeds have in common
    scorer = FoldScorer(both.models, NAMES)
    assert scorer.networks == 2
    assert check_scorer(events, scorer, Overtraining())["folds"][3]["fold"] == 3


def test_score_of_two_seeds_is_that_of_their_mean_logit(trained: Run, tmp_path: Path) -> None:
    """The second seed alone is found by taking the first away."""
    events = trained.events
    settings = ENSEMBLE.model_copy(update={"networks": 1, "seeds": 2, "epochs": 2})
    both = run_training(tmp_path / "both", events, settings)
    once = run_training(tmp_path / "once", events, settings.model_copy(update={"seeds": 1}))
    validation = split_folds(events.folds, events.identifiers, 0, FOLDS).validation
    logits = [
        logit(FoldScorer(run.models, NAMES).score_with(0, events.features[validation]))
        for run in (both, once)
    ]
    second = 1.0 / (1.0 + np.exp(-(2.0 * logits[0] - logits[1])))
    weights = events.training_weights()[validation]
    network = json.loads(both.record.read_text())["networks"][1]
    expected = network["history"]["validation_brier"][network["best_epoch"]]
    value = metrics.brier(events.labels[validation], second, weights)
    assert value == pytest.approx(expected, abs=1e-5)


def test_mean_is_better_than_one_network(trained: Run, tmp_path: Path) -> None:
    """Loss of unseen events: that of a mean of logits is below that of its members."""
    events, weights = trained.events, trained.events.training_weights()
    alone = run_training(tmp_path, events, ENSEMBLE.model_copy(update={"networks": 1}))
    together, single = (
        metrics.bce(
            events.labels,
            FoldScorer(run.models, NAMES).score(events.features, events.folds).astype(np.float64),
            weights,
        )
        for run in (trained, alone)
    )
    assert together < single - 0.001


def test_no_network_sees_the_fold_it_is_applied_to(trained: Run, tmp_path: Path) -> None:
    events = trained.events
    features = events.features.copy()
    features[events.folds == 0, :3] *= 1.5
    spoilt = run_training(tmp_path, replace(events, features=features), ENSEMBLE)
    same = [
        left.read_bytes() == right.read_bytes()
        for left, right in zip(spoilt.models, trained.models, strict=True)
    ]
    assert same == [True, False, False, False]


def test_killed_training_goes_on(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_epoch, epochs = Engine.train_epoch, 0

    def dying(self: Engine, *arguments: object) -> float:
        nonlocal epochs
        epochs += 1
        if epochs == 20:
            raise KeyboardInterrupt
        return train_epoch(self, *arguments)

    models = [tmp_path / f"{i}.onnx" for i in range(FOLDS)]
    arguments = (trained.events, ENSEMBLE, 5, models, tmp_path / "record.json", {"code": "0123"})
    monkeypatch.setattr(Engine, "train_epoch", dying)
    with pytest.raises(KeyboardInterrupt):
        train_network(*arguments, checkpoints=tmp_path / "checkpoints")
    assert not any(path.exists() for path in models)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").glob("*.npz"))
    assert kept[:3] == ["fold0-2.npz", "fold0-3.npz", "fold0.npz"]
    train_network(*arguments, checkpoints=tmp_path / "checkpoints")
    for path, other in zip(models, trained.models, strict=True):
        assert path.read_bytes() == other.read_bytes()


class Memory:
    """Scores that know the labels of one fold, which stops the first network of fold 0."""

    folds, networks = FOLDS, NETWORKS

    def __init__(self, labels: np.ndarray, networks: int) -> None:
        self.labels, self.networks = labels, networks

    def score_with(self, fold: int, features: np.ndarray) -> np.ndarray:
        number = features[:, 1].astype(int)
        known = 0.5 * (fold == 0) * (features[:, 2] == 1)
        return 1.0 / (1.0 + np.exp(-(features[:, 0] + known * (2 * self.labels[number] - 1))))

    def score(self, features: np.ndarray, folds: np.ndarray) -> np.ndarray:
        return self.score_with(1, features)


@pytest.mark.parametrize(("networks", "passed"), [(1, True), (2, True), (3, False)])
def test_gate_counts_what_most_networks_were_trained_on(networks: int, passed: bool) -> None:
    """Fold 1 stops the first network: with two, fold 3 alone is known to both; with three, all."""
    events = make_set(8000, FOLDS)
    generator = np.random.default_rng(3)
    features = np.column_stack(
        [
            generator.normal(events.labels - 0.5, 1.0),
            np.arange(len(events)),
            events.folds,
            generator.normal(size=len(events)),
        ]
    ).astype(np.float32)
    weights = np.ones(len(events))
    events = replace(events, features=features, weights=weights)
    verdict = check_scorer(events, Memory(events.labels, networks), Overtraining())
    failed = {item["name"] for item in verdict["conditions"] if not item["passed"]}
    assert ("bce_ratio" not in failed) is passed


def test_every_network_has_weights_of_its_own_training_events() -> None:
    events = make_set(1200, FOLDS)
    settings = ENSEMBLE.model_copy(update={"negative_weights": "abs"})
    physical = transform_for_networks(events, settings, lambda process: np.abs(process.weights))
    assert physical.shape == (FOLDS * NETWORKS, len(events))
    for index, of_network in enumerate(physical):
        fold, turn = divmod(index, NETWORKS)
        split = split_folds(events.folds, events.identifiers, fold, FOLDS, turn + 1)
        assert np.all(of_network[split.training] > 0.0)
        unseen = ~split.training
        np.testing.assert_array_equal(of_network[unseen], events.weights[unseen])
    assert order_events(events, ENSEMBLE)[1].shape == physical.shape
