from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from taipan import metrics
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn import train
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.engine import Engine
from taipan.nn.export import ModelCard, export_network
from taipan.nn.model import BoundedLogit, FastDropout, Standardise, build_network, initialise
from taipan.nn.scorer import FoldScorer
from taipan.nn.standardisation import Standardisation

SETTINGS = Training(
    networks=1,
    activation="relu",
    folds=3,
    hidden_layers=[16, 16],
    batch_size=256,
    learning_rate=1e-2,
    epochs=12,
    patience=4,
)
NAMES = ("pt_1", "m_vis", "eta_1", "jpt_1")


def make_set(n: int = 3000, folds: int = 3, seed: int = 0) -> TrainingSet:
    """Signal shifted in m_vis and jpt_1; a tenth of the weights negative; half of jpt_1 missing."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    features = generator.normal(0.0, 1.0, (n, 4)) * [10, 20, 1, 30] + [40, 80, 0, 90]
    features[:, 1] += 30.0 * labels
    features[:, 3] += 30.0 * labels
    features[generator.random(n) < 0.5, 3] = np.nan
    weights = np.where(labels == 1, 0.02, 0.7) * np.where(generator.random(n) < 0.1, -1, 1)
    identifiers = generator.integers(0, 2**63, n).astype(np.uint64)
    arrays = {
        "features": features.astype(np.float32),
        "labels": labels,
        "weights": weights,
        "folds": (identifiers % np.uint64(folds)).astype(np.int64),
        "samples": np.where(labels == 1, "ggH", "ZTT"),
        "identifiers": identifiers,
    }
    for array in arrays.values():
        array.setflags(write=False)
    return TrainingSet(names=NAMES, may_be_missing=(False, False, False, True), **arrays)


@dataclass(frozen=True)
class Run:
    events: TrainingSet
    models: list[Path]
    record: Path

    def content(self) -> list[bytes]:
        return [path.read_bytes() for path in (*self.models, self.record)]


def run_training(
    folder: Path, events: TrainingSet, settings: Training, seed: int = 5, threads: int = 1
) -> Run:
    run = Run(events, [folder / f"{i}.onnx" for i in range(settings.folds)], folder / "record.json")
    train.train_network(events, settings, seed, run.models, run.record, {"code": "0123"}, threads)
    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_training(tmp_path_factory.mktemp("trained"), make_set(), SETTINGS)


def test_networks_separate_events_they_never_saw(trained: Run) -> None:
    events = trained.events
    scores = FoldScorer(trained.models, NAMES).score(events.features, events.folds)
    value = metrics.auc_with_uncertainty(events.labels, scores, events.weights)
    # Best possible: m_vis is shifted by 1.5 sigma and jpt_1, where present, by 1: about 0.877.
    assert 0.85 < value.value < 0.895
    assert value.sigma < 0.015


def test_same_seed_gives_the_same_bytes_in_one_process(trained: Run, tmp_path: Path) -> None:
    again = run_training(tmp_path, trained.events, SETTINGS)
    assert again.content() == trained.content()
    other = run_training(tmp_path / "other", trained.events, SETTINGS, seed=6)
    assert not set(other.content()) & set(trained.content())


def test_networks_trained_at_the_same_time_are_the_same(trained: Run, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"dropout": 0.2, "checkpoint_every": 3})
    alone, together = (
        run_training(tmp_path / name, trained.events, settings, threads=threads)
        for name, threads in (("alone", 1), ("together", 3))
    )
    assert together.content() == alone.content()


def test_one_failing_network_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No later fold waits for an engine that was not given back."""
    train_fold = train.train_fold

    def fail_in_fold_1(engine, training_set, weights, split, *rest, **more):  # type: ignore[no-untyped-def]
        if split.fold == 1:
            raise TaipanError("training of fold 1 diverged")
        return train_fold(engine, training_set, weights, split, *rest, **more)

    monkeypatch.setattr(train, "train_fold", fail_in_fold_1)
    with pytest.raises(TaipanError, match="fold 1 diverged"):
        run_training(tmp_path, make_set(), SETTINGS, threads=1)
    assert not (tmp_path / "record.json").exists()


def test_record_describes_every_network(trained: Run) -> None:
    record = json.loads(trained.record.read_text())
    assert record["features"] == list(NAMES)
    assert record["may_be_missing"] == [False, False, False, True]
    assert record["settings"] == SETTINGS.model_dump(mode="json")
    assert record["provenance"] == {"code": "0123"}
    events = trained.events
    for fold, network in enumerate(record["networks"]):
        assert network["fold"] == fold
        assert {len(values) for values in network["history"].values()} == {network["epochs"]}
        for part, mask in (
            ("train", (events.folds != fold) & (events.folds != (fold + 1) % 3)),
            ("validation", events.folds == (fold + 1) % 3),
            ("held_out", events.folds == fold),
        ):
            signal = events.weights[mask & (events.labels == 1)]
            described = network["events"][part]["signal"]
            assert described["events"] == len(signal)
            assert described["sumw"] == pytest.approx(signal.sum(), rel=1e-12)
            assert described["negative_fraction"] == pytest.approx(np.mean(signal < 0))
    assert record["samples"]["ggH"]["sumw_training"] == pytest.approx(1500.0, rel=1e-9)
    assert record["samples"]["ZTT"]["sumw_training"] == pytest.approx(1500.0, rel=1e-9)


def test_exported_weights_are_those_of_the_best_epoch(trained: Run) -> None:
    record = json.loads(trained.record.read_text())
    events, scorer = trained.events, FoldScorer(trained.models, NAMES)
    weights = events.training_weights()
    for fold, network in enumerate(record["networks"]):
        history = network["history"]["validation_brier"]
        best = network["best_epoch"]
        assert history[best] == min(history)
        assert network["epochs"] <= SETTINGS.epochs
        assert network["epochs"] == SETTINGS.epochs or network["epochs"] == best + 1 + 4
        mask = split_folds(events.folds, events.identifiers, fold, 3).validation
        scores = scorer.score_with(fold, events.features[mask])
        value = metrics.brier(events.labels[mask], scores, weights[mask])
        assert value == pytest.approx(history[best], abs=1e-6)


def test_network_never_sees_the_fold_it_is_applied_to(trained: Run, tmp_path: Path) -> None:
    """Spoiling every event of fold 0 leaves network 0 as it was."""
    events = trained.events
    features = events.features.copy()
    features[events.folds == 0, :3] *= 1.5
    spoilt = run_training(tmp_path, replace(events, features=features), SETTINGS)
    assert spoilt.models[0].read_bytes() == trained.models[0].read_bytes()
    assert spoilt.models[1].read_bytes() != trained.models[1].read_bytes()


def test_two_folds_train(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"folds": 2, "early_stopping_metric": "bounded_bce"})
    run = run_training(tmp_path, make_set(folds=2), settings)
    for network in json.loads(run.record.read_text())["networks"]:
        history = network["history"]["validation_bce"]
        assert network["best_epoch"] == int(np.argmin(history))
        assert network["events"]["validation"]["signal"]["events"] > 100


def test_graph_has_one_input_and_all_it_needs(trained: Run) -> None:
    model = onnx.load(trained.models[1])
    assert [item.name for item in model.graph.input] == ["features"]
    assert [item.name for item in model.graph.output] == ["score"]
    metadata = {item.key: item.value for item in model.metadata_props}
    assert json.loads(metadata["features"]) == list(NAMES)
    assert (metadata["fold"], metadata["folds"]) == ("1", "3")
    assert metadata["provenance.code"] == "0123"


def test_order_and_unit_of_the_inputs_matter(trained: Run) -> None:
    events, scorer = trained.events, FoldScorer(trained.models, NAMES)
    scores = scorer.score(events.features, events.folds)
    swapped = scorer.score(events.features[:, [1, 0, 2, 3]], events.folds)
    in_mev = scorer.score(events.features * np.float32(1000), events.folds)
    assert np.mean(np.abs(swapped - scores)) > 0.1
    assert np.mean(np.abs(in_mev - scores)) > 0.1


def test_number_of_models_must_be_the_number_of_folds(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match="1 model files for 3 folds"):
        train.train_network(make_set(), SETTINGS, 1, [tmp_path / "a.onnx"], tmp_path / "r.json")


def test_killed_training_goes_on_with_the_same_code_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the export: no epoch is trained again, unless the code has changed since."""
    events, settings = make_set(900), SETTINGS.model_copy(update={"epochs": 2, "patience": 2})
    models = [tmp_path / f"{i}.onnx" for i in range(3)]
    epochs: list[int] = []
    train_epoch = Engine.train_epoch

    def spy(self: Engine, *arguments: object) -> float:
        epochs.append(1)
        return train_epoch(self, *arguments)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "train_epoch", spy)
    monkeypatch.setattr(train, "export_network", kill)
    counts = []
    for code in ("a", "a", "b"):
        epochs.clear()
        with pytest.raises(KeyboardInterrupt):
            train.train_network(
                *(events, settings, 1, models, tmp_path / "record.json", {"code": code}),
                checkpoints=tmp_path / "checkpoints",
            )
        counts.append(len(epochs))
    assert counts == [6, 0, 6]


@pytest.mark.parametrize("folds", [2, 3])
def test_unusable_splits_are_found_before_the_first_epoch(
    folds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stops the last network is said before the first is trained."""
    epochs: list[int] = []
    monkeypatch.setattr(Engine, "train_epoch", lambda *_: epochs.append(1))
    events = make_set(900, folds)
    settings = SETTINGS.model_copy(update={"folds": folds})
    split = split_folds(events.folds, events.identifiers, folds - 1, folds)
    features = events.features.copy()
    features[split.training, 1] = 91.0
    message = rf"fold {folds - 1}: feature 'm_vis' is constant \(91\) in the training events"
    with pytest.raises(TaipanError, match=message):
        run_training(tmp_path, replace(events, features=features), settings)
    if folds == 2:  # a quarter of fold 0 stops network 1
        signal = split.validation & (events.labels == 1)
        kept = np.flatnonzero(~signal)
        message = "fold 1: sum of weights of signal in the validation events is 0, must be positive"
        with pytest.raises(TaipanError, match=message):
            run_training(tmp_path, events.take(kept), settings)
    assert not epochs


def test_diverged_training_names_fold_and_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "train_epoch", lambda *_: float("nan"))
    with pytest.raises(TaipanError, match="fold 0 diverged in epoch 0: loss is nan"):
        run_training(tmp_path, make_set(), SETTINGS)
    assert not list(tmp_path.iterdir())


def test_collapsed_training_names_fold_and_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "predict", lambda _, events: np.full(len(events.labels), 0.5))
    with pytest.raises(TaipanError, match=r"fold 0 collapsed in epoch 0: all scores are 0\.5"):
        run_training(tmp_path, make_set(), SETTINGS)


def test_learning_rate_that_overflows_is_caught(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"learning_rate": 1e38})
    with pytest.raises(TaipanError, match=r"fold 0 (diverged|collapsed) in epoch \d"):
        run_training(tmp_path, make_set(), settings)


def test_other_backends_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(TaipanError, match="KERAS_BACKEND is 'jax', training needs 'tensorflow'"):
        build_network((False,), SETTINGS)


def test_standardise_encodes_missing_values() -> None:
    layer = Standardise((False, True))
    layer.set_constants(Standardisation(np.array([50.0, 10.0]), np.array([0.1, 0.5])))
    features = np.array([[60.0, 14.0], [40.0, np.nan]], dtype=np.float32)
    np.testing.assert_allclose(layer(features), [[1.0, 2.0, 0.0], [-1.0, 0.0, 1.0]], atol=1e-6)


def test_logit_is_bounded_and_linear_at_zero() -> None:
    layer = BoundedLogit(6.0)
    values = np.array([-1e6, -0.01, 0.0, 0.01, 1e6], dtype=np.float32)
    np.testing.assert_allclose(layer(values), [-6.0, -0.01, 0.0, 0.01, 6.0], rtol=1e-5)


def test_dropout_drops_the_rate_and_keeps_the_mean() -> None:
    layer = FastDropout(0.25, seed=1)
    ones = np.ones((1001, 65), dtype=np.float32)  # 65,065 is no multiple of the 8 bytes of a draw
    first, second = np.asarray(layer(ones, training=True)), np.asarray(layer(ones, training=True))
    error = np.sqrt(0.25 * 0.75 / ones.size)
    assert np.mean(first == 0.0) == pytest.approx(0.25, abs=4 * error)
    assert np.max(first) == pytest.approx(1.0 / 0.75)
    assert np.mean((first == 0) & (second == 0)) == pytest.approx(0.0625, abs=0.005)
    np.testing.assert_array_equal(layer(ones, training=False), ones)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    network = build_network((False, True), SETTINGS)
    initialise(network, 3)
    first = network.body.get_weights()
    initialise(network, 4)
    assert np.any(network.body.get_weights()[0] != first[0])
    initialise(network, 3)
    for again, value in zip(network.body.get_weights(), first, strict=True):
        np.testing.assert_array_equal(again, value)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "elu", "tanh"])
def test_every_activation_exports(activation: str, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"activation": activation, "dropout": 0.0, "l2": 0.0})
    network = build_network((False, True), settings)
    initialise(network, 1)
    card = ModelCard(("a", "b"), (False, True), fold=0, folds=1, seed=1)
    generator = np.random.default_rng(0)
    reference = generator.normal(size=(500, 2)).astype(np.float32)
    reference[::3, 1] = np.nan
    path = tmp_path / "network.onnx"
    export_network(network.score, path, card, reference)
    scores = FoldScorer([path], ("a", "b")).score_with(0, reference)
    expected = np.asarray(network.score(reference))[:, 0]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert np.ptp(scores) > 0.05


def test_export_that_differs_from_keras_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taipan.nn import export

    network = build_network((False,), SETTINGS)
    initialise(network, 1)
    converted = export._convert(network.score, 1)
    initialise(network, 2)
    monkeypatch.setattr(export, "_convert", lambda *_: converted)
    card = ModelCard(("a",), (False,), fold=7, folds=8, seed=1)
    with pytest.raises(TaipanError, match="network of fold 7: ONNX and Keras scores differ by"):
        export_network(network.score, tmp_path / "n.onnx", card, np.ones((3, 1), dtype=np.float32))
    assert not list(tmp_path.iterdir())
