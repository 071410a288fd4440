"""A worker of the search: runs trials that the chief hands out.

``python -m taipan.search.worker FOLDER`` joins the search in FOLDER; the environment names the
chief as keras-tuner has it (``KERASTUNER_ORACLE_IP``, ``KERASTUNER_ORACLE_PORT``,
``KERASTUNER_TUNER_ID``), or FOLDER/chief.json does. Imports TensorFlow.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.atomic import read_json, write_json
from taipan.config.sections.tuning import Tuning
from taipan.errors import TaipanError
from taipan.import_path import drop_folder
from taipan.metrics.registry import EPOCH_METRICS
from taipan.nn.conditions import HIGHER_IS_BETTER
from taipan.nn.data import split_folds
from taipan.scripting import configure_logging
from taipan.search.job import (
    CHIEF,
    FIRST,
    Search,
    name_tuners,
    read_result,
    read_search,
    result_path,
)
from taipan.search.process import follow_parent
from taipan.seeds import derive_seed

if TYPE_CHECKING:
    from taipan.nn.history import History
    from taipan.nn.plan import Fitted


def make_tuner(search: Search, oracle: Any, name: str = "") -> Any:
    """Make a tuner of keras-tuner that runs trials of a search.

    Parameters
    ----------
    search
        The search.
    oracle
        Its oracle, or one that stands for that of the chief.
    name
        Of the tuner; that of the environment if empty.
    """
    from keras_tuner.engine.base_tuner import BaseTuner
    from keras_tuner.errors import FailedTrialError, FatalRuntimeError

    class Tuner(BaseTuner):  # type: ignore[misc]
        """Runs a trial with the compiled engine."""

        def pre_create_trial(self) -> None:
            time.sleep(0.02)  # an idle worker asks again and again

        def run_trial(self, trial: Any) -> dict[str, float]:
            root, epochs = _hyperband(self.oracle, trial)
            try:
                result = run_trial(search, trial.hyperparameters.values, root, epochs)
            except TaipanError as error:
                result = {"status": "rejected", "reason": str(error)}
            except Exception as error:
                raise FatalRuntimeError(f"trial {trial.trial_id}: {error}") from error
            write_json(result_path(search.folder, int(trial.trial_id)), result)
            if result["status"] == "rejected":
                raise FailedTrialError(result["reason"])
            return {"score": result["score"]}

        def save(self) -> None:
            """Nothing: the oracle has it all."""

        def reload(self) -> None:
            """Nothing: the oracle is read by who owns it."""

    tuner = Tuner(oracle, directory=str(search.folder), project_name="oracle")
    tuner.tuner_id = name or tuner.tuner_id
    return tuner


def _hyperband(oracle: Any, trial: Any) -> tuple[int, int | None]:
    """Trial that a trial goes on from (itself but in Hyperband), and its last epoch."""
    values = trial.hyperparameters.values
    epochs = values.get("tuner/epochs")
    while "tuner/trial_id" in trial.hyperparameters.values:
        trial = oracle.get_trial(trial.hyperparameters.values["tuner/trial_id"])
    return int(trial.trial_id), None if epochs is None else int(epochs)


def run_trial(
    search: Search, values: dict[str, Any], trial: int, epochs: int | None = None
) -> dict[str, Any]:
    """Train network 0 with the values of a trial.

    Parameters
    ----------
    search
        Events and settings.
    values
        Hyperparameters by name.
    trial
        Number of the trial; its seed derives from it.
    epochs
        Last epoch of this round of Hyperband; the next goes on from its checkpoint.

    Returns
    -------
    dict
        `status` (`completed` or `rejected`), `score` (to be minimised), `objective` (its value),
        `validation` and `train` metrics, `epochs`, `best_epoch`, `overtrained_epochs`.

    Raises
    ------
    TaipanError
        If the training diverges or collapses.
    """
    from taipan.nn.fold import FoldPlan, make_engine, train_fold
    from taipan.search.space import FEATURES, from_training, to_training

    settings = to_training(values, search.training)
    events, sets = search.events, search.tuning.space.feature_sets
    chosen = sets[values[FEATURES]] if sets else events.names
    used = tuple(name in chosen for name in events.names)
    plan = FoldPlan(settings, search.conditions, search.tuning.objective, used)
    split = split_folds(events.folds, events.identifiers, 0, settings.folds)
    checkpoint = search.folder / "checkpoints" / f"{trial}.npz"
    hooks = [_beat(search.folder)]
    if epochs is not None:
        limit = epochs
        hooks.append(lambda _, h: "round of Hyperband" if len(h["loss"]) >= limit else None)
    elif (
        trial != FIRST
        and from_training(search.training, search.tuning.space, events.names)  # trial 0 is it
        and (first := read_result(search.folder, FIRST)) is not None
    ):
        hooks.append(fall_behind(first["running_best"], search.tuning))
    fitted = train_fold(
        make_engine(events, settings),
        events,
        events.training_weights(),
        split,
        plan,
        derive_seed(search.seed, "trial", trial),
        hooks,
        checkpoint,
        events.training_weights(search.of_loss),
    )
    if epochs is None:
        checkpoint.unlink(missing_ok=True)
    return _describe(fitted, search.tuning.objective)


def fall_behind(first: list[float | None], tuning: Tuning) -> Callable[[Any, History], str | None]:
    """End a trial that learns less than half as fast as the first one.

    After e = `tuning.first_check`, 2 e, 4 e, ... epochs its best epoch must be as good as the
    best of the first e/2, e, 2 e, ... epochs of the first trial.
    """
    checks, epoch = set(), tuning.first_check
    while 0 < epoch <= 2 * len(first):
        checks.add(epoch)
        epoch *= 2

    def check(_: Any, history: History) -> str | None:
        epochs = len(history["loss"])
        if epochs not in checks:
            return None
        best, other = running_best(history, tuning.objective)[-1], first[max(epochs // 2, 1) - 1]
        if other is None or (best is not None and best <= other):
            return None
        return f"behind trial {FIRST} after {epochs} epochs"

    return check


def running_best(history: Mapping[str, list[float]], objective: str) -> list[float | None]:
    """Give the best score until each epoch, None where all epochs so far are overtrained."""
    sign = -1.0 if objective in HIGHER_IS_BETTER else 1.0
    best: float | None = None
    found = []
    for value, bad in zip(history[f"validation_{objective}"], history["overtrained"], strict=True):
        if not bad and (best is None or sign * value < best):
            best = sign * value
        found.append(best)
    return found


def _beat(folder: Path) -> Callable[[Any, History], str | None]:
    """Leave a sign of life after each epoch."""
    path = folder / "alive" / os.environ.get("KERASTUNER_TUNER_ID", "tuner0")
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return lambda *_: path.touch()


def _describe(fitted: Fitted, objective: str) -> dict[str, Any]:
    history, best = fitted.history, fitted.best_epoch
    sign = -1.0 if objective in HIGHER_IS_BETTER else 1.0
    described: dict[str, Any] = {
        "status": "rejected" if fitted.overtrained else "completed",
        "reason": "every epoch is overtrained" if fitted.overtrained else fitted.reason,
        "score": sign * fitted.value,
        "objective": fitted.value,
        "epochs": len(history["loss"]),
        "best_epoch": best,
        "overtrained_epochs": int(sum(history["overtrained"])),
        "running_best": running_best(history, objective),
    }
    for part in ("train", "validation"):
        for metric in EPOCH_METRICS:
            described[f"{part}_{metric}"] = history[f"{part}_{metric}"][best]
    return described


def _follow_chief(path: Path) -> None:
    """End some seconds after the chief has taken its address away: nothing would answer."""
    while path.exists():
        time.sleep(1.0)
    time.sleep(5.0)
    os._exit(0)


def _search_or_end(tuner: Any) -> None:
    """Run trials; end the process if one fails, so that the chief hands its trials out again."""
    try:
        tuner.search()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def main(folder: Path, threads: int, tuners: int = 1) -> None:
    """Work for the search in a folder until its chief has no more trials.

    Parameters
    ----------
    folder
        Of the search.
    threads
        Threads of TensorFlow.
    tuners
        Trials at the same time. They share what TensorFlow takes: half a gigabyte and more.

    Raises
    ------
    TaipanError
        If there is no search in the folder.
    """
    follow_parent()
    from taipan.nn.engine import prepare_tensorflow
    from taipan.search.oracle import make_oracle

    if "KERASTUNER_ORACLE_IP" not in os.environ:
        chief = read_json(folder / CHIEF)
        threading.Thread(target=_follow_chief, args=(folder / CHIEF,), daemon=True).start()
        os.environ["KERASTUNER_ORACLE_IP"] = chief["address"]
        os.environ["KERASTUNER_ORACLE_PORT"] = str(chief["port"])
        os.environ["KERASTUNER_TUNER_ID"] = f"{socket.gethostname()}-{os.getpid()}"
    search = read_search(folder)
    prepare_tensorflow(threads)
    made = [
        make_tuner(search, make_oracle(search.tuning, search.training, search.seed, {}), name)
        for name in name_tuners(os.environ["KERASTUNER_TUNER_ID"], tuners)
    ]
    if tuners == 1:
        made[0].search()
        return
    at_work = [threading.Thread(target=_search_or_end, args=(tuner,)) for tuner in made]
    for thread in at_work:
        thread.start()
    for thread in at_work:
        thread.join()


if __name__ == "__main__":
    drop_folder()
    if len(sys.argv) < 2:
        sys.exit(
            "python -m taipan.search.worker FOLDER [THREADS [TRIALS AT THE SAME TIME]]: "
            "the folder of a search is missing"
        )
    warnings.simplefilter("ignore", DeprecationWarning)  # keras-tuner asks for currentThread
    configure_logging()
    try:
        main(Path(sys.argv[1]), *map(int, sys.argv[2:4] or ["1"]))
    except TaipanError as error:
        sys.exit(json.dumps(str(error), ensure_ascii=False))
