from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from taipan import metrics
from taipan.config.sections.observables import Categorical
from taipan.config.sections.overtraining import Overtraining, OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.conditions import ScoredPart, find_fired
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.engine import Engine
from taipan.nn.export import ModelCard, export_network
from taipan.nn.fold import FoldPlan, make_engine, train_fold
from taipan.nn.history import choose_epoch, learning_rate, stop_reason
from taipan.nn.model import build_network, initialise
from taipan.nn.overtraining import judge_overtraining
from taipan.nn.plan import TensorEvents
from taipan.nn.reference import fit_reference
from taipan.nn.scorer import FoldScorer
from taipan.nn.train import train_network

BCE = OvertrainingCondition(metric="bce", max_ratio=1.01, min_sigma=2.0)
AUC = OvertrainingCondition(metric="auc", max_ratio=1.01, min_sigma=2.0)
SETTINGS = Training(
    networks=1,
    activation="relu",
    folds=3,
    hidden_layers=[16],
    batch_size=256,
    learning_rate=1e-2,
    epochs=12,
    patience=12,
)


def make_set(n: int, seed: int = 0, features: int = 6) -> TrainingSet:
    """One weakly informative feature, the rest noise; a tenth of the weights negative."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    values = generator.normal(size=(n, features)).astype(np.float32)
    values[:, 0] += 0.8 * labels
    identifiers = generator.integers(0, 2**63, n).astype(np.uint64)
    return TrainingSet(
        features=values,
        names=tuple(f"x{i}" for i in range(features)),
        labels=labels,
        weights=np.where(generator.random(n) < 0.1, -1.0, 1.0),
        folds=(identifiers % np.uint64(3)).astype(np.int64),
        samples=np.where(labels == 1, "S", "B"),
        identifiers=identifiers,
    )


@cache
def engine_of(names: tuple[str, ...], settings: str) -> Engine:
    """Compile each engine once: what it was used for before does not matter."""
    events = make_set(300, features=len(names))
    return make_engine(events, Training.model_validate_json(settings))


def train_one(events: TrainingSet, plan: FoldPlan, seed: int = 5, **options):
    if events.categorical or any(events.missing_flags):
        engine = make_engine(events, plan.settings)
    else:
        engine = engine_of(events.names, plan.settings.model_dump_json())
    split = split_folds(events.folds, events.identifiers, 0, 3)
    fitted = train_fold(engine, events, events.training_weights(), split, plan, seed, **options)
    return engine, fitted, split


def history(values: list[float], overtrained: list[int]) -> dict[str, list[float]]:
    return {
        "loss": values,
        "validation_bce": values,
        "overtrained": [float(x) for x in overtrained],
    }


LARGE = SETTINGS.model_copy(
    update={
        "hidden_layers": [512, 512, 512],
        "dropout": 0.0,
        "l2": 0.0,
        "learning_rate": 1e-3,
        "batch_size": 64,
        "epochs": 12,
        "patience": 12,
        "overtraining_patience": 4,
    }
)


@pytest.fixture(scope="module")
def large():
    """A network of 530,000 weights on 500 events."""
    events = make_set(500)
    return events, *train_one(events, FoldPlan(LARGE, (BCE, AUC)))


def test_gate_does_not_pass_exported_large_networks(tmp_path: Path) -> None:
    """Trained, exported and judged as in the workflow: the best epochs remember their events."""
    events = make_set(500)
    models = [tmp_path / f"{i}.onnx" for i in range(3)]
    train_network(events, LARGE, 1, models, tmp_path / "record.json", conditions=(BCE, AUC))
    verdict = judge_overtraining(events, models, Overtraining())
    assert not verdict["passed"]
    failed = {item["name"]: item["value"] for item in verdict["conditions"] if not item["passed"]}
    assert {"bce_ratio", "auc_ratio", "auc_gap"} <= set(failed)
    assert failed["bce_ratio"] > 1.1


def test_large_network_on_few_events_is_flagged_and_not_selected(large) -> None:
    """The last epochs remember their events; no condition fires for the weights that are left."""
    events, engine, fitted, split = large
    flags = fitted.history["overtrained"]
    assert fitted.reason == "4 overtrained epochs"
    assert flags[-4:] == [1.0] * 4
    assert fitted.history["train_bce"][-1] < 0.7 * fitted.history["validation_bce"][-1]
    assert not fitted.overtrained
    weights = events.training_weights()
    rows = np.flatnonzero(split.training)
    reference = fit_reference(events.features[rows], events.labels[rows], weights[rows])
    kept = []
    for mask in (split.training, split.validation):
        scores = np.asarray(engine.network.score(events.features[mask]))[:, 0].astype(float)
        own = reference(events.features[mask])
        kept.append(ScoredPart(scores, events.labels[mask], weights[mask], reference=own))
    assert find_fired((BCE, AUC), *kept) == []


def test_restored_weights_reproduce_their_metric(large) -> None:
    events, engine, fitted, split = large
    rows = np.flatnonzero(split.validation)
    weights = events.training_weights()[rows]
    scores = np.asarray(engine.network.score(events.features[rows]))[:, 0].astype(float)
    stored = fitted.history["validation_brier"][fitted.best_epoch]
    assert metrics.brier(events.labels[rows], scores, weights) == pytest.approx(stored, abs=1e-6)
    assert fitted.value == stored


def test_killed_training_goes_on_exactly(tmp_path: Path) -> None:
    """With dropout and a schedule that looks back; killed between two checkpoints."""
    update = {"checkpoint_every": 3, "schedule": "plateau", "patience": 6, "dropout": 0.2}
    plan = FoldPlan(SETTINGS.model_copy(update=update), (BCE, AUC))
    events = make_set(1500)
    engine, whole, _ = train_one(events, plan)
    weights = engine.network.body.get_weights()
    path = tmp_path / "fold0.npz"

    class KilledError(Exception):
        pass

    def kill(_: Engine, so_far: dict[str, list[float]]) -> None:
        if len(so_far["loss"]) == 8:
            raise KilledError

    with pytest.raises(KilledError):
        train_one(events, plan, hooks=[kill], checkpoint=path)
    epochs: list[int] = []
    again, resumed, _ = train_one(
        events, plan, checkpoint=path, hooks=[lambda _, h: epochs.append(len(h["loss"]))]
    )
    assert epochs[0] == 7  # six were in the checkpoint
    assert resumed == whole
    for left, right in zip(weights, again.network.body.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    finished: list[int] = []
    _, once_more, _ = train_one(
        events, plan, checkpoint=path, hooks=[lambda _, h: finished.append(1)]
    )
    assert once_more == whole
    assert not finished


@pytest.fixture(scope="module")
def short():
    """Three epochs from seed 5, and their plan."""
    plan = FoldPlan(SETTINGS.model_copy(update={"epochs": 3, "checkpoint_every": 1}))
    events = make_set(900)
    return plan, events, train_one(events, plan)[1]


@pytest.mark.parametrize("damage", ["truncated", "seed", "events", "weights of the loss"])
def test_checkpoint_of_another_training_is_not_used(damage: str, short, tmp_path: Path) -> None:
    plan, events, expected = short
    path = tmp_path / "fold0.npz"
    other = make_set(900, seed=1) if damage == "events" else events
    of_loss = np.abs(events.training_weights()) if damage == "weights of the loss" else None
    train_one(other, plan, seed=6 if damage == "seed" else 5, checkpoint=path, of_loss=of_loss)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:500])
    assert train_one(events, plan, checkpoint=path)[1] == expected


def test_checkpoint_of_another_version_of_the_code_is_not_used(short, tmp_path: Path) -> None:
    """A training that was killed does not go on from epochs of code that has changed since."""
    plan, events, _ = short
    path = tmp_path / "fold0.npz"

    def epochs(code: str) -> int:
        found: list[int] = []
        train_one(
            events,
            replace(plan, code=code),
            checkpoint=path,
            hooks=[lambda *_: found.append(1)],
        )
        return len(found)

    assert [epochs(code) for code in ("a", "a", "b", "b", "a")] == [3, 0, 3, 0, 3]


def test_events_without_weight_in_the_loss_take_no_part(
    short, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, events, signed = short
    of_loss = np.maximum(events.training_weights(), 0.0)
    orders = []
    train_epoch = Engine.train_epoch

    def spy(self: Engine, loaded: TensorEvents, order: np.ndarray) -> float:
        orders.append(order)
        return train_epoch(self, loaded, order)

    monkeypatch.setattr(Engine, "train_epoch", spy)
    _, fitted, split = train_one(events, plan, of_loss=of_loss)
    expected = np.flatnonzero(of_loss[split.training])
    assert 0 < len(expected) < split.training.sum()
    assert len(orders) == 3
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), expected)
    key = "smallest_batch_sumw"
    assert min(fitted.history[key]) > min(signed.history[key])


def test_metrics_have_signed_weights_whatever_the_loss(short) -> None:
    plan, events, _ = short
    weights = events.training_weights()
    engine, fitted, split = train_one(events, plan, of_loss=np.abs(weights))
    rows = np.flatnonzero(split.training)
    scores = np.asarray(engine.network.score(events.features[rows]))[:, 0].astype(float)
    stored = fitted.history["train_brier"][fitted.best_epoch]
    assert metrics.brier(events.labels[rows], scores, weights[rows]) == pytest.approx(
        stored, abs=1e-6
    )


def test_unbounded_training_is_stopped_in_the_epoch_that_runs_away() -> None:
    """Weights that favour one label for nothing: the loss falls below 0."""
    settings = SETTINGS.model_copy(update={"logit_bound": None, "learning_rate": 0.1, "l2": 0.0})
    events = make_set(900)
    of_loss = np.where(events.labels == 1, 1.0, -0.9)
    with pytest.raises(TaipanError, match="training of fold 0: the signed loss is .* below 0"):
        train_one(events, FoldPlan(settings), of_loss=of_loss)


def test_hook_can_end_the_training() -> None:
    _, fitted, _ = train_one(
        make_set(900),
        FoldPlan(SETTINGS),
        hooks=[lambda _, h: "enough" if len(h["loss"]) == 3 else None],
    )
    assert fitted.reason == "enough"
    assert len(fitted.history["loss"]) == 3


def test_training_in_rounds_is_one_training(tmp_path: Path) -> None:
    """What Hyperband does: a hook ends a round, the next goes on from its checkpoint."""
    events, plan = make_set(900), FoldPlan(SETTINGS.model_copy(update={"epochs": 7}))
    path = tmp_path / "fold0.npz"
    for epochs in (2, 5, 99):
        _, fitted, _ = train_one(
            events,
            plan,
            checkpoint=path,
            hooks=[lambda _, h, n=epochs: "round" if len(h["loss"]) >= n else None],
        )
    assert fitted == train_one(events, plan)[1]


def test_features_that_are_not_used_change_nothing() -> None:
    events = make_set(900)
    engine, _, _ = train_one(events, FoldPlan(SETTINGS, used=(True, True, False, True, True, True)))
    spoilt = events.features.copy()
    spoilt[:, 2] = 100.0
    scores = [np.asarray(engine.network.score(x)) for x in (events.features, spoilt)]
    np.testing.assert_array_equal(*scores)
    spoilt[:, 0] = 100.0
    assert np.ptp(np.asarray(engine.network.score(spoilt)) - scores[0]) > 0.1


def test_best_epoch_is_the_best_that_is_not_overtrained() -> None:
    values = [0.6, 0.5, 0.4, 0.3, 0.45]
    assert choose_epoch(history(values, [0, 0, 1, 1, 0]), "bce", "best_value", ()).epoch == 4
    choice = choose_epoch(history(values, [1] * 5), "bce", "best_value", ())
    assert (choice.epoch, choice.overtrained) == (3, True)


def test_two_patiences_count_apart() -> None:
    settings = SETTINGS.model_copy(update={"patience": 4, "overtraining_patience": 2, "epochs": 9})
    for values, flags, expected in (
        ([0.5, 0.4], [0, 0], None),
        ([0.5, 0.4, 0.3, 0.2], [0, 0, 1, 1], "2 overtrained epochs"),
        ([0.5, 0.6, 0.6, 0.6], [0, 1, 0, 1], None),
        ([0.5, 0.6, 0.6, 0.4, 0.6], [0, 0, 0, 1, 0], "4 epochs without improvement"),
        ([0.9 - 0.1 * i for i in range(9)], [0] * 9, ""),
    ):
        assert stop_reason(history(values, flags), settings, "bce") == expected


def test_best_fit_is_not_misled_by_a_lucky_epoch() -> None:
    x = np.arange(1, 41)
    curve = 0.5 + 0.3 / x + 2e-4 * (x - 20.0) ** 2
    lucky = curve.copy()
    lucky[12] -= 0.03
    flags = [0] * 40
    expected = int(np.argmin(curve))
    assert choose_epoch(history(lucky.tolist(), flags), "bce", "best_value", ()).epoch == 12
    found = choose_epoch(history(lucky.tolist(), flags), "bce", "best_fit", ()).epoch
    assert abs(found - expected) <= 3
    noise = np.random.default_rng(0).random(40).tolist()  # no curve describes it
    assert choose_epoch(history(noise, flags), "bce", "best_fit", ()).epoch == np.argmin(noise)


def test_best_fit_evaluates_conditions_on_the_curves() -> None:
    """Noise makes single epochs fire; the curves cross the limit once, at epoch 20."""
    x = np.arange(1, 41)
    unseen = 0.5 + 0.5 / x
    train = unseen / (1.0 + 0.02 * x / 20.0)
    content = history(unseen.tolist(), [1] * 40) | {
        "train_bce": train.tolist(),
        "error_bce": [1e-4] * 40,
    }
    condition = OvertrainingCondition(metric="bce", max_ratio=1.02, min_sigma=2.0)
    choice = choose_epoch(content, "bce", "best_fit", (condition,))
    assert not choice.overtrained
    assert choice.epoch in (18, 19, 20)


def test_best_fit_trains() -> None:
    settings = SETTINGS.model_copy(update={"selection": "best_fit", "epochs": 15, "patience": 15})
    _, fitted, _ = train_one(make_set(1500), FoldPlan(settings, (BCE, AUC)))
    assert set(fitted.history) >= {"error_bce", "error_auc"}
    assert fitted.value == fitted.history["validation_brier"][fitted.best_epoch]


def test_learning_rate_schedules() -> None:
    cosine = SETTINGS.model_copy(update={"schedule": "cosine", "epochs": 10})
    rates = [learning_rate({"loss": [0.0] * n}, cosine, "bce") for n in range(10)]
    assert rates[0] == SETTINGS.learning_rate
    assert rates[5] == pytest.approx(0.5 * SETTINGS.learning_rate)
    assert rates == sorted(rates, reverse=True)
    plateau = SETTINGS.model_copy(update={"schedule": "plateau", "patience": 6})
    values = [0.5, 0.4, 0.41, 0.42, 0.43, 0.44]  # waits two epochs each time
    found = [learning_rate(history(values[:n], [0] * n), plateau, "bce") for n in range(1, 7)]
    assert found == pytest.approx([SETTINGS.learning_rate * f for f in (1, 1, 1, 0.5, 0.5, 0.25)])


def test_engine_takes_the_learning_rate_over() -> None:
    plan = FoldPlan(SETTINGS.model_copy(update={"schedule": "cosine", "epochs": 4}))
    _, fitted, _ = train_one(make_set(900), plan)
    assert fitted.history["learning_rate"] == pytest.approx(
        [0.01, 0.00853553, 0.005, 0.00146447], rel=1e-5
    )


def test_every_metric_can_pick_the_epoch() -> None:
    for metric in ("auc", "sigma_mu"):
        settings = SETTINGS.model_copy(update={"epochs": 3})
        _, fitted, _ = train_one(make_set(900), FoldPlan(settings, (), metric))
        values = fitted.history[f"validation_{metric}"]
        assert fitted.value == (max(values) if metric == "auc" else min(values))


@pytest.mark.parametrize("encoding", ["one_hot", "embedding"])
def test_categories_are_encoded_and_exported(encoding: str, tmp_path: Path) -> None:
    """A feature whose categories 0, 1, 10 have no order: only 1 is signal-like."""
    events = make_set(3000, features=3)
    generator = np.random.default_rng(7)
    features = events.features.copy()
    features[:, 1] = generator.choice([0.0, 1.0, 10.0], 3000)
    features[:, 0] = generator.normal(size=3000)
    labels = (features[:, 1] == 1.0).astype(int) ^ (generator.random(3000) < 0.1)
    features[::50, 1] = np.nan
    categorical = {"x1": Categorical(values=[0, 1, 10], encoding=encoding)}
    events = TrainingSet(
        **{**vars(events), "features": features, "labels": labels, "categorical": categorical},
    )
    events = TrainingSet(**{**vars(events), "may_be_missing": (False, True, False)})
    events.validate(3)
    settings = SETTINGS.model_copy(update={"hidden_layers": [8], "dropout": 0.0, "l2": 0.001})
    settings = settings.model_copy(update={"schedule": "constant"})
    engine, fitted, _ = train_one(events, FoldPlan(settings))
    assert fitted.history["validation_auc"][fitted.best_epoch] > 0.85
    names = {layer.name for layer in engine.network.body.layers}
    assert ("embedding_1" in names) is (encoding == "embedding")
    card = ModelCard(events.names, events.missing_flags, fold=0, folds=1, seed=1)
    export_network(engine.network.score, tmp_path / "n.onnx", card, features[:200])
    one_each = np.array([[0, c, 0] for c in (0, 1, 10, 5, np.nan)], dtype=np.float32)
    scores = FoldScorer([tmp_path / "n.onnx"], events.names).score_with(0, one_each)
    assert scores[1] > 0.7
    assert max(scores[0], scores[2]) < 0.3


def test_unknown_category_is_named() -> None:
    events = make_set(300)
    features = events.features.copy()
    features[:, 1] = np.arange(300) % 3
    categorical = {"x1": Categorical(values=[0, 1])}
    events = TrainingSet(**{**vars(events), "features": features, "categorical": categorical})
    message = r"feature 'x1' has the value 2, which is not in categorical.x1.values \(0, 1\)"
    with pytest.raises(TaipanError, match=message):
        events.validate(3)


def test_one_hot_of_a_network_without_other_inputs() -> None:
    network = build_network((False,), SETTINGS, {0: Categorical(values=[1, 2])})
    initialise(network, 1)
    standardised = np.asarray(network.standardise(np.array([[1.0], [2.0], [3.0]], dtype="float32")))
    np.testing.assert_array_equal(standardised, [[1, 0], [0, 1], [0, 0]])
