from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.config.sections.overtraining import Overtraining, OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.config.sections.tuning import SearchSpace, Tuning
from taipan.errors import TaipanError
from taipan.nn.data import TrainingSet
from taipan.search import tune
from taipan.search import worker as tune_worker

CONDITIONS = [OvertrainingCondition(metric="bce"), OvertrainingCondition(metric="auc")]
TRAINING = Training(
    networks=1,
    activation="relu",
    l2=1e-2,
    folds=3,
    hidden_layers=[16],
    dropout=0.1,
    batch_size=128,
    learning_rate=1e-3,
    schedule="constant",
    epochs=4,
    patience=4,
    checkpoint_every=2,
)
SPACE = SearchSpace(
    layers=[1, 2],
    units=[8, 16],
    batch_size=[64, 128],
    activation=["relu"],
    schedule=["constant"],
    l2=(2e-3, 2e-2),
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


def made_up_trial(found, values: dict[str, Any], trial: int, epochs: int | None = None):
    """Result of a trial by its number and feature set, where no training is needed."""
    score = 0.2 + 0.001 * (5 * (trial + 2) % 13) + 0.1 * (values.get("feature_set") == "bad")
    n = epochs or found.training.epochs
    metrics = {f"{part}_{m}": score for part in ("train", "validation") for m in ("brier", "bce")}
    return {
        "status": "completed", "reason": "", "score": score, "objective": score, "epochs": n,
        "best_epoch": n - 1, "overtrained_epochs": 0, "running_best": n * [score], **metrics,
        "train_auc": 0.8, "validation_auc": 0.8,
    }  # fmt: skip


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune_worker, "run_trial", made_up_trial)


@pytest.fixture(scope="module")
def made_up_done(tmp_path_factory: pytest.TempPathFactory) -> list[tune.Trial]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune_worker, "run_trial", made_up_trial)
        return search(tmp_path_factory.mktemp("made_up"))


def count_trials(monkeypatch: pytest.MonkeyPatch, fail_at: int | None = None) -> list[int]:
    """Numbers of the trials that run; the search dies in one of them."""
    numbers: list[int] = []

    def run(found, values, trial, epochs=None):
        if trial == fail_at:
            raise KeyboardInterrupt
        numbers.append(trial)
        return made_up_trial(found, values, trial, epochs)

    monkeypatch.setattr(tune_worker, "run_trial", run)
    return numbers


def test_same_seed_gives_the_same_trials_and_best(done, tmp_path: Path) -> None:
    again = search(tmp_path / "again")
    assert again == done
    assert tune.best_trial(again) == tune.best_trial(done)


@pytest.mark.usefixtures("made_up")
def test_another_seed_gives_other_trials(made_up_done, tmp_path: Path) -> None:
    assert search(tmp_path / "same") == made_up_done
    other = search(tmp_path / "other", seed=4)
    assert other[0].values == made_up_done[0].values
    assert other[1].values != made_up_done[1].values


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


def test_interrupted_search_keeps_its_finished_trials(
    made_up_done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        first = count_trials(patch, fail_at=1)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path)
    with monkeypatch.context() as patch:
        second = count_trials(patch)
        assert search(tmp_path) == made_up_done
    assert (first, second) == ([0], [1, 2])


def search_that_hangs(folder: Path) -> None:
    """Search with made-up trials of which the third never ends; for a process of its own."""

    def hang(found, values, trial, epochs=None):
        if trial == 2:
            (folder / "hangs").touch()
            time.sleep(1000)
        return made_up_trial(found, values, trial, epochs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune_worker, "run_trial", hang)
        search(folder)


def test_killed_search_keeps_its_finished_trials(
    made_up_done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL of the process of the search while its third trial runs."""
    call = f"search_that_hangs(Path({str(tmp_path)!r}))"
    program = f"from tests.unit.test_search_tune import *; {call}"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    wait_for(lambda: (tmp_path / "hangs").exists() or process.poll() is not None)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    numbers = count_trials(monkeypatch)
    assert search(tmp_path) == made_up_done
    assert numbers == [2]


def wait_for(condition: Callable[[], Any], seconds: float = 200.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_search_killed_between_two_files_goes_on(
    made_up_done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial was written, the state that names it was not; and the other way round."""
    from taipan.search.oracle import Durable

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
    numbers = count_trials(monkeypatch)
    # each trial saves when it starts and when it ends
    killed_at = {3, 6}
    for _ in range(2):
        with pytest.raises(KilledError):
            search(tmp_path)
    before = len(numbers)
    assert search(tmp_path) == made_up_done
    assert numbers[-1] == 2
    assert len(numbers) - before <= 2


def test_more_trials_go_on_from_fewer(
    made_up_done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = count_trials(monkeypatch)
    few = search(tmp_path, TUNING.model_copy(update={"trials": 1}))
    assert few == made_up_done[:1]
    assert search(tmp_path) == made_up_done
    assert numbers == [0, 1, 2]


def test_worker_is_killed_and_another_process_joins(
    done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chief's one worker is killed in its first trial; a process joins by chief.json."""
    from taipan.search import chief as tune_chief

    joined: list[subprocess.Popen[bytes]] = []

    def signs_of_life(name: str) -> list[Path]:
        return list(tmp_path.glob(f"search-*/alive/{name}"))

    def disturb() -> None:
        wait_for(lambda: signs_of_life("worker0"))
        (folder,) = tmp_path.glob("search-*")
        worker = find_writer(folder / "logs/worker0.log")
        os.kill(worker, signal.SIGSTOP)  # so that the other one has something left to do
        command = [sys.executable, "-m", "taipan.search.worker", str(folder)]
        joined.append(subprocess.Popen(command))
        wait_for(lambda: signs_of_life(f"*-{joined[0].pid}"))
        os.kill(worker, signal.SIGKILL)

    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setattr(tune_chief, "run_alone", lambda s, n: tune_chief.run_workers(s, 1, n))
    thread = threading.Thread(target=disturb)
    thread.start()
    assert search(tmp_path) == done
    thread.join()
    assert joined[0].wait(timeout=60) == 0
    assert len(list(tmp_path.glob("search-*/logs/worker1.log"))) == 1


def test_killed_worker_and_killed_chief_lose_no_finished_trial(
    done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at a time: their process is killed after a trial has ended, the chief after another."""

    def finished() -> dict[int, bytes]:
        found = {}
        for path in tmp_path.glob("search-*/oracle/trial_*/trial.json"):
            if json.loads(path.read_text())["status"] == "COMPLETED":
                number = int(path.parent.name.removeprefix("trial_"))
                found[number] = (path.parents[2] / f"results/{number}.json").read_bytes()
        return found

    def logs() -> list[Path]:
        return list(tmp_path.glob("search-*/logs/worker*.log"))

    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    tuning = TUNING.model_copy(update={"workers": 2, "trials": 6})
    call = f"search(Path({str(tmp_path)!r}), TUNING.model_copy(update=dict(workers=2, trials=6)))"
    program = f"from tests.unit.test_search_tune import *; {call}"
    chief = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    wait_for(lambda: finished() or chief.poll() is not None)
    os.kill(find_writer(min(logs())), signal.SIGKILL)
    first = finished()
    wait_for(lambda: len(logs()) == 2 and len(finished()) > len(first))
    chief.kill()
    chief.wait()
    second = finished()
    assert 1 <= len(first) < len(second) < 6
    assert {number: second[number] for number in first} == first
    # orphans end by themselves, and nothing they still write counts
    wait_for(lambda: not any(has_writer(path) for path in logs()))
    numbers: list[int] = []
    run_trial = tune_worker.run_trial

    def count(found, values, trial, epochs=None):
        numbers.append(trial)
        return run_trial(found, values, trial, epochs)

    monkeypatch.setattr(tune_worker, "run_trial", count)
    trials = search(tmp_path, tuning.model_copy(update={"workers": 1}))
    assert sorted(numbers) == sorted(set(range(6)) - set(second))
    assert {number: finished()[number] for number in second} == second
    assert trials[:3] == done


def has_writer(path: Path) -> bool:
    try:
        find_writer(path)
    except AssertionError:
        return False
    return True


def find_writer(path: Path) -> int:
    """Number of the process whose standard output is a file."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "fd/1").resolve() == path:
                return int(process.name)
        except OSError:
            continue
    raise AssertionError(path)


def test_workers_that_keep_dying_end_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TaipanError, match="workers keep dying; worker"):
        search(tmp_path, TUNING.model_copy(update={"workers": 2}))


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize("algorithm", ["bayesian", "hyperband"])
def test_other_algorithms(algorithm: str, tmp_path: Path) -> None:
    trials = 4 if algorithm == "bayesian" else 6  # the fourth is the first of the Gaussian process
    update = {"algorithm": algorithm, "trials": trials}
    tuning = TUNING.model_copy(update=update)
    found = search(tmp_path, tuning)
    assert len(found) == trials
    best = tune.best_trial(found)
    assert best.result["objective"] == min(t.result["objective"] for t in found)
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


def test_large_network_on_few_events_is_not_taken(tmp_path: Path) -> None:
    """512-512-512 on 500 events, the only trial, in a search as it comes, against 16 units."""
    events = make_set(500)
    ranges = {"dropout": (0.0, 0.0), "l2": (0.0, 0.0), "learning_rate": (1e-3, 1e-3)}
    space = SPACE.model_copy(update={"layers": [3], "units": [512], "batch_size": [64], **ranges})
    configured = TRAINING.model_copy(
        update={"folds": 4, "epochs": 12, "patience": 12, "learning_rate": 1e-2, "batch_size": 64}
    )
    found = run_search(
        tmp_path,
        Tuning(trials=1, workers=1, space=space),
        training_set=replace(events, folds=(events.identifiers % np.uint64(4)).astype(np.int64)),
        training=configured,
        conditions=Overtraining().conditions,
    )
    (trial,) = found.trials
    assert (trial.values["layers"], trial.values["units"]) == (3, 512)
    assert trial.result["overtrained_epochs"] >= 4
    assert trial.result["best_epoch"] < 12 - 4  # the last ones are overtrained
    assert not found.decision.taken
    assert found.training == configured


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


def test_splits_of_the_comparison_are_checked_before_anything_starts(tmp_path: Path) -> None:
    """Fold 2 stops the comparison's networks, which train on fold 1; that of a trial does not."""
    events = make_set()
    tuning = TUNING.model_copy(update={"confirm_folds": 1})
    for fold, message in ((1, "tuning: comparison on fold 2: .*"), (2, "")):
        features = events.features.copy()
        features[events.folds == fold, 3] = 1.0
        expected = rf"^{message}training of fold 0: feature 'd' is constant \(1\)"
        with pytest.raises(TaipanError, match=expected):
            search(tmp_path, tuning, training_set=replace(events, features=features))
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("made_up")
def test_files_of_a_search(tmp_path: Path) -> None:
    space = SPACE.model_copy(update={"feature_sets": {"good": ["a", "b"], "bad": ["c", "d"]}})
    tuning = TUNING.model_copy(update={"space": space, "trials": 4})
    found = run_search(tmp_path / "search", tuning)
    names = make_set().names
    best = tune.describe_best(found, tuning, 3, "abc")
    paths = tmp_path / "best_hps.json", tmp_path / "trials.csv"
    tune.write_results(paths, found.trials, best)
    rows = list(csv.DictReader(paths[1].read_text().splitlines()))
    assert [int(row["trial"]) for row in rows] == list(range(4))
    assert {row["feature_set"] for row in rows} == {"good", "bad"}
    assert float(rows[best["trial"]]["objective"]) == best["value"]
    settings, used = tune.apply_best(paths[0], TRAINING, names)
    kept, _ = tune.apply_best(paths[0], TRAINING, names, ["learning_rate"])
    assert kept.learning_rate == TRAINING.learning_rate != settings.learning_rate
    assert kept.model_copy(update={"learning_rate": settings.learning_rate}) == settings
    assert best["features"] == ["a", "b"]
    assert used == (True, True, False, False)
    row = rows[best["trial"]]
    assert settings.hidden_layers == [int(row["units"])] * int(row["layers"])
    assert settings.learning_rate == float(row["learning_rate"])
    assert (settings.folds, settings.epochs) == (TRAINING.folds, TRAINING.epochs)
    with pytest.raises(TaipanError, match="feature 'a' is not a feature"):
        tune.apply_best(paths[0], TRAINING, ("b", "c"))


def test_trial_that_falls_behind_the_first_ends(tmp_path: Path) -> None:
    space = SPACE.model_copy(update={"learning_rate": (1e-8, 2e-2)})
    found = search(
        tmp_path,
        TUNING.model_copy(update={"first_check": 4, "trials": 2, "space": space}),
        training=TRAINING.model_copy(update={"learning_rate": 2e-2, "epochs": 8, "patience": 8}),
    )
    assert found[1].values["learning_rate"] < 1e-4  # learns nothing
    assert [trial.result["epochs"] for trial in found] == [8, 4]
    assert found[1].result["reason"] == "behind trial 0 after 4 epochs"
    assert found[1].completed


def test_no_trial_is_compared_with_a_first_one_that_is_not_the_configuration(
    tmp_path: Path,
) -> None:
    """Such a first trial is one of many: whether it has ended depends on the workers."""
    space = SPACE.model_copy(update={"learning_rate": (1e-8, 2e-2), "activation": ["elu"]})
    found = search(
        tmp_path,
        TUNING.model_copy(update={"first_check": 4, "trials": 4, "space": space}),
        training=TRAINING.model_copy(update={"epochs": 8, "patience": 8}),
        seed=2,
    )
    assert found[0].values["activation"] != TRAINING.activation
    assert [trial.result["epochs"] for trial in found] == 4 * [8]


@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
def test_others_wait_for_the_first_trial_only_if_compared_with_it(tmp_path: Path) -> None:
    from taipan.search.oracle import make_oracle
    from taipan.search.space import from_training

    first = from_training(TRAINING, SPACE, ("a",))
    for first_check, status in ((2, "IDLE"), (0, "RUNNING")):
        tuning = TUNING.model_copy(update={"first_check": first_check})
        oracle = make_oracle(tuning, TRAINING, 1, first)
        oracle._set_project_dir(str(tmp_path / status), "oracle")
        trial = oracle.create_trial("a")
        assert trial.status == "RUNNING"
        assert oracle.create_trial("b").status == status
        oracle.update_trial(trial.trial_id, {"score": 1.0})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
        assert oracle.create_trial("b").status == "RUNNING"
        assert oracle.create_trial("a").status == "RUNNING"


def test_trial_must_learn_half_as_fast_as_the_first() -> None:
    tuning = TUNING.model_copy(update={"first_check": 2})
    check = tune_worker.fall_behind([None, 0.5, 0.4, 0.3, 0.2], tuning)

    def reason(*values: float, overtrained: float = 0.0) -> str | None:
        n = len(values)
        history = {"loss": n * [0.0], "validation_brier": list(values)}
        return check(None, {**history, "overtrained": n * [overtrained]})

    assert reason(0.9, 0.8) is None  # the first had no valid epoch until its first
    assert reason(0.9, 0.8, 0.7) is None  # not an epoch of a check
    assert reason(0.9, 0.8, 0.7, 0.5) is None
    assert reason(0.4, 0.8, 0.7, 0.6) is None
    assert reason(0.9, 0.8, 0.7, 0.51) == "behind trial 0 after 4 epochs"
    assert reason(*4 * [0.1], overtrained=1.0) == "behind trial 0 after 4 epochs"
    assert reason(*8 * [0.31]) == "behind trial 0 after 8 epochs"
    assert reason(*16 * [0.9]) is None  # the first ended after 5 epochs


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
