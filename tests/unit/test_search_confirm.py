from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taipan.config.sections.overtraining import Overtraining
from taipan.config.sections.training import Training
from taipan.config.sections.tuning import Tuning
from taipan.errors import TaipanError
from taipan.nn import fold
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.weights.learned import weigh_training_events
from taipan.search import confirm
from taipan.search.confirm import Candidate, combine_folds, decide
from taipan.search.job import Search

TRAINING = Training(
    networks=1, activation="relu", folds=4, hidden_layers=[16], dropout=0.0, learning_rate=1e-2,
    batch_size=64, epochs=4, patience=4, checkpoint_every=0, l2=0.0, schedule="constant",
)  # fmt: skip
NONE_LEARNT = TRAINING.model_copy(update={"learning_rate": 1e-9})


def make_search(folder: Path, **tuning) -> Search:
    """Events of folds 1 to 3, two of four features informative."""
    generator = np.random.default_rng(0)
    n = 1200
    labels = generator.integers(0, 2, n)
    features = generator.normal(size=(n, 4)).astype(np.float32)
    features[:, :2] += 0.7 * labels[:, None]
    events = TrainingSet(
        features=features,
        names=("a", "b", "c", "d"),
        labels=labels,
        weights=np.where(generator.random(n) < 0.1, -1.0, 1.0),
        folds=np.arange(n) % 3 + 1,
        samples=np.where(labels == 1, "S", "B"),
        identifiers=np.arange(n, dtype=np.uint64),
    )
    return Search(events, events.weights, TRAINING, Tuning(**tuning), (), 1, folder)


def candidate(name: str, settings: Training) -> Candidate:
    return Candidate(name, settings, (True,) * 4)


def test_better_trial_is_taken_and_a_worse_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = candidate("good", TRAINING), candidate("trial 3", NONE_LEARNT)
    search = make_search(tmp_path)
    decision = decide(search, bad, good, 1)
    assert decision.taken
    assert decision.comparison is not None
    assert decision.comparison.folds == (2, 3)
    assert decision.comparison.sigma > 5.0
    assert 0.02 < decision.comparison.gain < 0.2
    # trained before: goes on from the files
    monkeypatch.setattr(fold, "train_fold", None)
    other = decide(search, good, bad, 1)
    assert not other.taken
    assert other.comparison is not None
    assert other.comparison.gain == pytest.approx(-decision.comparison.gain, rel=1e-12)
    strict = replace(search, tuning=Tuning(min_sigma=1e3))
    assert not decide(strict, bad, good, 1).taken


def test_trial_that_remembers_its_events_is_not_taken(tmp_path: Path) -> None:
    """A large network on few events: better than one that learnt nothing, but overtrained."""
    large = TRAINING.model_copy(update={"hidden_layers": [256, 256], "epochs": 30, "patience": 30})
    conditions = tuple(Overtraining().conditions)
    search = replace(make_search(tmp_path, min_sigma=0.0), conditions=conditions)
    # every epoch counts while it trains, so that the network is overtrained as it can be
    loose = replace(search, conditions=())
    found = candidate("large", large.model_copy(update={"early_stopping_metric": "bounded_bce"}))
    for split in confirm.comparison_splits(loose):
        confirm._scores(loose, found, split)
    decision = decide(search, candidate("configuration", NONE_LEARNT), found, 1)
    assert not decision.taken
    assert decision.reason.startswith("large is overtrained: bce of fold 2 is 0.")
    assert decision.comparison is not None
    assert decide(loose, candidate("configuration", NONE_LEARNT), found, 1).taken


def test_network_of_the_configuration_is_not_compared_with_itself(tmp_path: Path) -> None:
    decision = decide(
        make_search(tmp_path), candidate("configuration", TRAINING), candidate("a", TRAINING), 1
    )
    assert not decision.taken
    assert decision.comparison is None
    assert not list(tmp_path.iterdir())


def test_trial_is_taken_as_it_is_without_folds_to_compare_on(tmp_path: Path) -> None:
    search = make_search(tmp_path, confirm_folds=0)
    decision = decide(search, candidate("configuration", TRAINING), candidate("a", NONE_LEARNT), 1)
    assert decision.taken
    assert decision.comparison is None


def test_trial_that_diverges_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = confirm._scores

    def scores(search: Search, found: Candidate, split):
        if found.name == "wild":
            raise TaipanError("training of fold 0 diverged")
        return original(search, found, split)

    monkeypatch.setattr(confirm, "_scores", scores)
    search = make_search(tmp_path, confirm_folds=1)
    known, wild = candidate("configuration", TRAINING), candidate("wild", NONE_LEARNT)
    decision = decide(search, known, wild, 1)
    assert not decision.taken
    assert "diverged" in decision.reason
    with pytest.raises(TaipanError, match="diverged"):
        decide(search, wild, known, 1)


def test_folds_are_those_that_ranked_no_trial(tmp_path: Path) -> None:
    search = make_search(tmp_path, confirm_folds=9)
    splits = confirm.comparison_splits(search)
    assert [set(search.events.folds[s.validation]) for s in splits] == [{2}, {3}]
    for split in splits:
        assert not np.any(split.training & split.validation)
        assert set(search.events.folds[split.training]) | {confirm._fold(search, split)} == {
            1,
            2,
            3,
        }
    two = replace(search, training=TRAINING.model_copy(update={"folds": 2}))
    one = replace(two, events=search.events.take(np.flatnonzero(search.events.folds == 1)))
    (only,) = confirm.comparison_splits(one)
    assert 0.15 < only.validation.mean() < 0.35
    assert np.array_equal(only.training, ~only.validation)


def test_error_of_folds_that_differ_is_their_spread() -> None:
    equal = combine_folds([2, 3], [0.01, 0.01], [0.003, 0.004])
    assert equal.gain == pytest.approx(0.01)
    assert equal.error == pytest.approx(0.0025)
    assert equal.sigma == pytest.approx(4.0)
    # χ² = 2·(0.02/0.004)² = 50 for one degree of freedom
    apart = combine_folds([2, 3], [-0.01, 0.03], [0.004, 0.004])
    assert apart.error == pytest.approx(0.004 / np.sqrt(2) * np.sqrt(50))
    assert combine_folds([2], [0.0], [0.0]).sigma == 0.0


@pytest.mark.parametrize("method", ["drop", "cell", "refine"])
def test_loss_of_the_comparison_has_weights_of_its_own_training_events(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fold 1, which stops network 0 and so has signed weights there, is trained on here."""
    refinement = {"parts": 2, "epochs": 2, "hidden_layers": [4]}
    settings = Training.model_validate(
        {**TRAINING.model_dump(), "negative_weights": method, "refinement": refinement}
    )
    search = make_search(tmp_path)
    events = search.events
    first = split_folds(events.folds, events.identifiers, 0, 4)
    of_network_0 = weigh_training_events(events, first.training, settings, 1)
    assert of_network_0[events.folds == 1].min() < 0.0
    search = replace(search, training=settings, of_loss=of_network_0)
    splits, used = [], []

    def spy(engine, training_set, weights, split, *arguments, of_loss, **options) -> None:
        splits.append(split)
        used.append(of_loss)

    monkeypatch.setattr(fold, "train_fold", spy)
    found = candidate("good", settings.model_copy(update={"learning_rate": 0.1}))
    decide(search, candidate("configuration", settings), found, 1)
    assert len(used) == 4  # two candidates, two folds
    signed = events.training_weights()
    for split, weights in zip(splits, used, strict=True):
        assert np.any(split.training[events.folds == 1])
        assert weights[split.training].min() >= 0.0
        for label in (0, 1):
            rows = split.training & (events.labels == label)
            assert weights[rows].sum() == pytest.approx(signed[rows].sum(), rel=1e-9)
        np.testing.assert_array_equal(weights[split.validation], signed[split.validation])
    for before, after in ((0, 2), (1, 3)):
        np.testing.assert_array_equal(used[before], used[after])
    if method == "drop":
        rows = splits[0].training
        np.testing.assert_array_equal(used[0][rows] == 0.0, events.weights[rows] < 0.0)
