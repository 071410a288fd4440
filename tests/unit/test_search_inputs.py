from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from taipan.config.sections.input_selection import InputSelection
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.data import TrainingSet
from taipan.search.eliminate import measure_groups, select_inputs
from taipan.search.importance import (
    EliminationStep,
    Value,
    choose_set,
    describe_selection,
    eliminate,
    permutation_importance,
)

NAMES = ("good_0", "noise_0", "good_1", "noise_1", "good_2", "noise_2")
INFORMATIVE = {name for name in NAMES if name.startswith("good")}


def make_set(n: int = 3000, seed: int = 0) -> TrainingSet:
    """Three informative and three noise inputs; a tenth of the weights negative."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    features = generator.normal(size=(n, 6)).astype(np.float32)
    for column, shift in ((0, 0.8), (2, 1.0), (4, 0.6)):
        features[:, column] += shift * labels
    identifiers = generator.integers(0, 2**63, n).astype(np.uint64)
    return TrainingSet(
        features=features,
        names=NAMES,
        labels=labels,
        weights=np.where(generator.random(n) < 0.1, -1.0, 1.0),
        folds=(identifiers % np.uint64(3)).astype(np.int64),
        samples=np.where(labels == 1, "S", "B"),
        identifiers=identifiers,
    )


@pytest.mark.parametrize("mode", ["shuffle", "retrain", "hybrid"])
def test_noise_is_dropped_and_what_informs_is_kept(mode: str) -> None:
    training = Training(
    networks=1,
    activation="relu",
        folds=3, hidden_layers=[8], dropout=0.0, learning_rate=1e-2, batch_size=256,
        epochs=8, patience=8, checkpoint_every=0, l2=0.001, schedule="constant",
    )  # fmt: skip
    settings = InputSelection(mode=mode, repeats=2, patience=1)
    steps = select_inputs(make_set(), training, [], settings, 1)
    dropped = [step.dropped for step in steps[1:]]
    assert set(dropped[:3]) == set(NAMES) - INFORMATIVE
    assert set(choose_set(steps, settings)) == INFORMATIVE


def test_elimination_is_patient_and_takes_the_smallest_good_set() -> None:
    losses = {3: 0.30, 2: 0.35, 1: 0.29}  # worse, then better: patience 1 never gets there

    def evaluate(kept: tuple[str, ...]) -> Value:
        return Value(losses[len(kept)], 0.01)

    def rank(kept: tuple[str, ...]) -> dict[str, float]:
        return {name: float(index) for index, name in enumerate(kept)}

    for patience, expected in ((1, ("a", "b", "c")), (2, ("c",))):
        settings = InputSelection(patience=patience)
        steps = eliminate(("a", "b", "c"), evaluate, rank, settings)
        assert choose_set(steps, settings) == expected
    assert [step.dropped for step in steps] == ["", "a", "b"]
    content = describe_selection(steps, settings, "brier")
    assert content["chosen"] == ["c"]
    assert content["steps"][1] == {"dropped": "a", "kept": ["b", "c"], "value": 0.35, "sigma": 0.01}


def test_set_within_its_errors_is_as_good() -> None:
    steps = [
        EliminationStep("", ("a", "b"), Value(0.300, 0.002)),
        EliminationStep("a", ("b",), Value(0.3025, 0.002)),
    ]
    assert choose_set(steps, InputSelection(max_sigma=1.0)) == ("b",)
    assert choose_set(steps, InputSelection(max_sigma=0.5)) == ("a", "b")


def test_importance_is_the_loss_of_area_without_the_feature() -> None:
    events = make_set(20_000)

    def score_with(fold: int, features: np.ndarray) -> np.ndarray:
        logit = features @ np.array([0.8, 0, 1.0, 0, 0.6, 0], dtype=np.float32) - 1.0
        return 1.0 / (1.0 + np.exp(-logit))

    scorer = SimpleNamespace(folds=3, score_with=score_with)
    found = permutation_importance(events, scorer, repeats=3, seed=1)
    assert list(found) == list(NAMES)
    for name in NAMES:
        if name in INFORMATIVE:
            assert found[name].mean > 10 * found[name].sigma
        else:
            assert found[name].mean == 0.0
    # Φ(d/√2) with d² = 2.0; without good_1 the score keeps its noise: d = 1/√2 for d² = 1
    assert found["good_1"].mean == pytest.approx(0.8413 - 0.6915, abs=0.02)
    assert found["good_1"].mean > found["good_0"].mean > found["good_2"].mean
    assert permutation_importance(events, scorer, repeats=3, seed=1) == found


def test_single_feature_cannot_be_eliminated() -> None:
    events = make_set(300)
    one = TrainingSet(**{**vars(events), "features": events.features[:, :1], "names": ("good_0",)})
    with pytest.raises(TaipanError, match="input_selection: 1 features; at least two are needed"):
        select_inputs(one, Training(folds=3), [], InputSelection(), 1)


def make_duplicates(n: int = 4000) -> TrainingSet:
    """Near duplicates `a` and `b`, a weak independent `c`, and `d` that follows `a` uselessly."""
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, n)
    truth = generator.normal(size=n) + 1.2 * labels
    columns = [
        truth,
        truth + 0.05 * generator.normal(size=n),
        generator.normal(size=n) + 0.6 * labels,
        0.3 * truth + generator.normal(size=n),
    ]
    identifiers = generator.integers(0, 2**63, n).astype(np.uint64)
    return TrainingSet(
        features=np.stack(columns, axis=1).astype(np.float32),
        names=("a", "b", "c", "d"),
        labels=labels,
        weights=np.ones(n),
        folds=(identifiers % np.uint64(3)).astype(np.int64),
        samples=np.where(labels == 1, "S", "B"),
        identifiers=identifiers,
    )


def test_only_training_without_a_group_says_what_duplicates_are_worth() -> None:
    training = Training(
        networks=1, activation="relu",
        folds=3, hidden_layers=[8], dropout=0.0, learning_rate=1e-2, batch_size=256,
        epochs=8, patience=8, checkpoint_every=0, l2=0.0, schedule="constant",
    )  # fmt: skip
    groups = {"a": ["a"], "both": ["a", "b"], "c": ["c"], "d": ["d"]}
    found = measure_groups(make_duplicates(), training, [], groups, 2, 1)
    lost = {name: item["retrain"].mean for name, item in found.items()}
    # without the pair the loss grows, without one of them it does not
    assert lost["both"] > 0.03
    assert abs(lost["a"]) < 0.005
    assert lost["both"] > 2.0 * lost["c"] > 0.01
    assert abs(lost["d"]) < 0.005
    # shuffling counts a duplicate that the other replaces
    assert found["a"]["shuffle"].mean > 3.0 * abs(lost["a"])
    assert found["both"]["shuffle"].mean > lost["both"]
