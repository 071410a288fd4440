from __future__ import annotations

import csv
import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taipan.config.model import OvertrainingCondition, SearchSpace, Training, Tuning
from taipan.errors import TaipanError
from taipan.nn import tune, tune_worker
from taipan.nn.data import TrainingSet

CONDITIONS = [OvertrainingCondition(metric="bce"), OvertrainingCondition(metric="auc")]
TRAINING = Training(
    folds=3,
    hidden_layers=[16],
    dropout=0.1,
    batch_size=128,
    epochs=4,
    patience=4,
    checkpoint_every=2,
)
SPACE = SearchSpace(
    layers=[1, 2], units=[8, 16], batch_size=[64, 128], activation=["relu"], schedule=["constant"]
)
TUNING = Tuning(trials=3, workers=1, first_check=0, confirm_folds=0, space=SPACE)


def make_set(n: int = 600, seed: int = 0) -> TrainingSet:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    features = generator.normal(size=(n, 4)).astype(np.float32)
    features[:, :2] += 0.7 * labels[:, None]
    identifiers = generator.integers(0, 2**63, n).astype(np.uint64)
    return TrainingSet(
        features=features,
        names=("a", "b", "c", "d"),
        labels=labels,
        weights=np.where(generator.random(n) < 0.1, -1.0, 1.0),
        folds=(identifiers % np.uint64(3)).astype(np.int64),
        samples=np.where(labels == 1, "S", "B"),
        identifiers=identifiers,
    )


def search(folder: Path, tuning: Tuning = TUNING, **changes) -> list[tune.Trial]:
    return run_search(folder, tuning, **changes).trials


def run_search(folder: Path, tuning: Tuning = TUNING, **changes) -> tune.SearchResult:
    settings = {
        "training_set": make_set(),
        "training": TRAINING,
        "conditions": CONDITIONS,
        "seed": 3,
        **changes,
    }
    return tune.search_hyperparameters(**settings, tuning=tuning, folder=folder)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> list[tune.Trial]:
    return search(tmp_path_factory.mktemp("search"))


def count_trials(monkeypatch: pytest.MonkeyPatch, fail_at: int | None = None) -> list[int]:
    """Numbers of the trials that run; the search dies in one of them."""
    numbers: list[int] = []
    original = tune_worker.run_trial

    def run(found, values, trial, epochs=None):
        if trial == fail_at:
            raise KeyboardInterrupt
        numbers.append(trial)
        return original(found, values, trial, epochs)

    monkeypatch.setattr(tune_worker, "run_trial", run)
    return numbers


def test_same_seed_gives_the_same_trials_and_best(done, tmp_path: Path) -> None:
    again = search(tmp_path / "again")
    assert again == done
    assert tune.best_trial(again) == tune.best_trial(done)
    two = TUNING.model_copy(update={"trials": 2})
    other = search(tmp_path / "other", two, seed=4)
    assert other[1].values != done[1].values


def test_first_trial_is_the_configuration(done) -> None:
    assert {k: done[0].values[k] for k in ("layers", "units", "dropout", "l2")} == {
        "layers": 1,
        "units": 16,
        "dropout": TRAINING.dropout,
        "l2": TRAINING.l2,
    }
    assert len({json.dumps(dict(t.values)) for t in done}) == 3


def test_score_is_the_best_epoch_that_is_not_overtrained(done) -> None:
    for trial in done:
        assert trial.completed
        assert trial.result["objective"] == trial.result["validation_brier"]
        assert trial.result["best_epoch"] < trial.result["epochs"] == 4
    best = tune.best_trial(done)
    assert best.result["score"] == min(t.result["score"] for t in done)


def test_search_never_sees_the_fold_it_is_tested_on(done, tmp_path: Path) -> None:
    events = make_set()
    spoilt = events.features.copy()
    spoilt[events.folds == 0] *= 3.0
    weights = np.where(events.folds == 0, 5.0 * events.weights, events.weights)
    assert search(tmp_path, training_set=replace(events, features=spoilt, weights=weights)) == done
    (stored,) = tmp_path.glob("search-*/events.npz")
    with np.load(stored) as file:
        assert set(np.unique(file["folds"])) == {1, 2}
    spoilt[events.folds == 1] *= 1.1
    one = TUNING.model_copy(update={"trials": 1})
    assert search(tmp_path / "b", one, training_set=replace(events, features=spoilt)) != done[:1]


def test_killed_search_keeps_its_finished_trials(
    done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        first = count_trials(patch, fail_at=1)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path)
    with monkeypatch.context() as patch:
        second = count_trials(patch)
        assert search(tmp_path) == done
    assert (first, second) == ([0], [1, 2])


def test_search_killed_between_two_files_goes_on(
    done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial was written, the state that names it was not; and the other way round."""
    from taipan.nn.tune_oracle import Durable

    class KilledError(BaseException):
        pass

    saves = 0
    original = Durable.save

    def save(self) -> None:
        nonlocal saves
        saves += 1
        if saves in killed_at:
            raise KilledError
        original(self)

    monkeypatch.setattr(Durable, "save", save)
    # each trial saves when it starts and when it ends
    killed_at = {3, 6}
    for _ in range(2):
        with pytest.raises(KilledError):
            search(tmp_path)
    numbers = count_trials(monkeypatch)
    assert search(tmp_path) == done
    assert numbers[-1] == 2
    assert len(numbers) <= 2


def test_more_trials_go_on_from_fewer(
    done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = search(tmp_path, TUNING.model_copy(update={"trials": 1}))
    assert few == done[:1]
    numbers = count_trials(monkeypatch)
    assert search(tmp_path) == done
    assert numbers == [1, 2]


def test_workers_give_the_same_and_one_may_be_killed(done, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill() -> None:
        """Kill the first worker that shows a sign of life."""
        deadline = time.monotonic() + 100
        while not killed and time.monotonic() < deadline:
            for path in tmp_path.glob("search-*/alive/worker*"):
                log = path.parents[1] / "logs" / f"{path.name}.log"
                for process in Path("/proc").glob("[0-9]*"):
                    try:
                        same = (process / "fd/1").resolve() == log
                    except OSError:
                        continue
                    if same and not killed:
                        killed.append(int(process.name))
                        os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.02)

    thread = threading.Thread(target=kill)
    thread.start()
    found = search(tmp_path, TUNING.model_copy(update={"workers": 2}))
    thread.join()
    assert len(killed) == 1
    assert found == done
    assert (next(tmp_path.glob("search-*")) / "logs/worker2.log").exists()


def test_workers_that_keep_dying_end_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taipan.nn import tune_chief

    monkeypatch.setattr(tune_chief.sys, "executable", "/bin/false")
    with pytest.raises(TaipanError, match="workers keep dying; worker"):
        search(tmp_path, TUNING.model_copy(update={"workers": 2}))


@pytest.mark.parametrize("algorithm", ["bayesian", "hyperband"])
def test_other_algorithms(algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = 4 if algorithm == "bayesian" else 6  # the fourth is the first of the Gaussian process
    update = {"algorithm": algorithm, "trials": trials, "objective": "auc"}
    tuning = TUNING.model_copy(update=update)
    found = search(tmp_path, tuning)
    assert len(found) == trials
    best = tune.best_trial(found)
    assert best.result["objective"] == max(t.result["objective"] for t in found)
    epochs = [trial.result["epochs"] for trial in found]
    if algorithm == "hyperband":
        assert min(epochs) < max(epochs) <= TRAINING.epochs
    if algorithm == "bayesian":
        assert search(tmp_path / "again", tuning) == found


def test_trial_without_a_valid_epoch_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taipan.nn.conditions.Comparison.exceeds", lambda *_: True)
    strict = [OvertrainingCondition(metric="ks_signal")]
    with pytest.raises(TaipanError, match=r"tuning: all 2 trials are rejected \(first: every epo"):
        search(tmp_path, TUNING.model_copy(update={"trials": 2}), conditions=strict)


def test_diverged_trial_is_rejected_with_its_reason(tmp_path: Path) -> None:
    space = SPACE.model_copy(update={"learning_rate": (1e37, 1e38)})
    tuning = TUNING.model_copy(update={"trials": 1, "space": space})
    with pytest.raises(TaipanError, match="training of fold 0 (diverged|collapsed)"):
        search(tmp_path, tuning)


def test_bad_events_are_refused_before_anything_starts(tmp_path: Path) -> None:
    features = make_set().features.copy()
    features[:, 3] = 1.0
    with pytest.raises(TaipanError, match="feature 'd' is constant"):
        search(tmp_path, training_set=replace(make_set(), features=features))
    assert not list(tmp_path.iterdir())


def test_files_of_a_search(tmp_path: Path) -> None:
    space = SPACE.model_copy(update={"feature_sets": {"good": ["a", "b"], "bad": ["c", "d"]}})
    tuning = TUNING.model_copy(update={"space": space, "trials": 4})
    found = search(tmp_path / "search", tuning)
    names = make_set().names
    best = tune.describe_best(found, TRAINING, tuning, names, 3, "abc")
    paths = tmp_path / "best_hps.json", tmp_path / "trials.csv"
    tune.write_results(paths, found, best)
    rows = list(csv.DictReader(paths[1].read_text().splitlines()))
    assert [int(row["trial"]) for row in rows] == list(range(4))
    assert {row["feature_set"] for row in rows} == {"good", "bad"}
    assert float(rows[best["trial"]]["objective"]) == best["value"]
    settings, used = tune.apply_best(paths[0], TRAINING, names)
    assert best["features"] == ["a", "b"]
    assert used == (True, True, False, False)
    row = rows[best["trial"]]
    assert settings.hidden_layers == [int(row["units"])] * int(row["layers"])
    assert settings.learning_rate == float(row["learning_rate"])
    assert (settings.folds, settings.epochs) == (TRAINING.folds, TRAINING.epochs)
    with pytest.raises(TaipanError, match="feature 'a' is not a feature"):
        tune.apply_best(paths[0], TRAINING, ("b", "c"))


def test_trials_have_the_weights_of_the_loss_of_network_0(done, tmp_path: Path) -> None:
    events = make_set()
    one = TUNING.model_copy(update={"trials": 1})
    refined = TRAINING.model_copy(update={"negative_weights": "refine"})
    stored = np.stack([np.abs(events.weights), *2 * [events.weights]])

    def run(name: str, **changes) -> list[tune.Trial]:
        return search(tmp_path / name, one, training=refined, **changes)

    with pytest.raises(TaipanError, match="'refine' needs weights of shape"):
        run("none")
    first = run("a", transformed=stored)
    assert first != done[:1]
    assert run("b", transformed=stored[[0, 0, 0]]) == first
    assert run("c", transformed=stored[[1, 0, 0]]) == done[:1]
    order = np.random.default_rng(0).permutation(len(events))
    assert run("d", training_set=events.take(order), transformed=stored[:, order]) == first
