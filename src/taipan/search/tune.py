"""Search for the hyperparameters: one process, or a chief with workers.

The search looks at network 0 alone: it trains on what network 0 trains on and is judged by what
stops network 0 early. The events of fold 0, on which network 0 is tested and to which it is
applied, are not even handed to it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taipan.atomic import read_json, write_json, write_text
from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.config.sections.tuning import HYPERPARAMETERS, Tuning
from taipan.errors import TaipanError
from taipan.metrics.registry import EPOCH_METRICS
from taipan.nn.data import TrainingSet, check_split, split_folds
from taipan.nn.weights.transform import order_events
from taipan.provenance import hash_content
from taipan.search.job import Search, result_path, write_search

if TYPE_CHECKING:
    from taipan.search.confirm import Decision

logger = logging.getLogger(__name__)

_WITHOUT_EFFECT = {"trials", "workers", "address", "confirm_folds", "min_sigma"}  # on a trial
_HELD_OUT = 0  # the fold that the search never sees
_RESULTS = (
    "status",
    "objective",
    "epochs",
    "best_epoch",
    "overtrained_epochs",
    *(f"{part}_{metric}" for part in ("train", "validation") for metric in EPOCH_METRICS),
)


@dataclass(frozen=True)
class Trial:
    """A trial that ended: number, hyperparameters, result of the worker."""

    number: int
    values: Mapping[str, Any]
    result: Mapping[str, Any]

    @property
    def completed(self) -> bool:
        """Whether it has an epoch that is not overtrained."""
        return bool(self.result["status"] == "completed")


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    trials
        All trials.
    best
        The completed trial of the best score.
    decision
        Whether it replaces the configuration.
    training, features
        What the networks are to be trained with: of the best trial, or of the configuration.
    """

    trials: list[Trial]
    best: Trial
    decision: Decision
    training: Training
    features: tuple[str, ...]


def search_hyperparameters(
    training_set: TrainingSet,
    training: Training,
    tuning: Tuning,
    conditions: Sequence[OvertrainingCondition],
    seed: int,
    folder: Path,
    code: str = "",
    threads: int = 1,
    transformed: NDArray[np.float64] | None = None,
) -> SearchResult:
    """Run the search, or what is left of it.

    Parameters
    ----------
    training_set
        Events of all folds.
    training, tuning
        Sections of the configuration.
    conditions
        Conditions under which an epoch is overtrained.
    seed
        Seed of the search. The same seed gives the same trials: for any number of workers if the
        algorithm is `random`, for one worker otherwise.
    folder
        Receives a folder of this search, in which a search of the same events, settings, seed and
        code goes on: finished trials are kept, also if the number of trials is raised.
    code
        Version of the code.
    threads
        Cores that the workers share.
    transformed
        As in :func:`taipan.nn.train.train_network`.

    Returns
    -------
    SearchResult
        Trials in the order of their numbers, the best of them, and whether it replaces the
        configuration.

    Raises
    ------
    TaipanError
        If the training set is unusable, workers keep dying, or no trial is left that is not
        overtrained.
    """
    training_set.validate(training.folds)
    training_set, physical = order_events(training_set, training, transformed)
    kept = np.flatnonzero(training_set.folds != _HELD_OUT)
    events, of_loss = training_set.take(kept), physical[_HELD_OUT, kept]
    search = Search(events, of_loss, training, tuning, tuple(conditions), seed, folder)
    _check_splits(search)
    search = Search(**{**vars(search), "folder": folder / f"search-{_identify(search, code)}"})
    search.folder.mkdir(parents=True, exist_ok=True)
    write_search(search)
    workers = _count_workers(tuning)
    logger.info(
        "search: %s, %d trials, %d at a time, %d events",
        tuning.algorithm,
        tuning.trials,
        workers,
        len(events),
    )
    from taipan.search.chief import run_alone, run_workers

    oracle = run_alone(search, threads) if workers == 1 else run_workers(search, workers, threads)
    trials = _collect(oracle, search)
    for trial in trials:
        _log_trial(trial)
    if not any(trial.completed for trial in trials):
        raise TaipanError(
            f"tuning: all {len(trials)} trials are rejected (first: {trials[0].result['reason']}); "
            "smaller networks in tuning.space or weaker overtraining.conditions are needed"
        )
    return _confirm(search, trials, threads)


def _count_workers(tuning: Tuning) -> int:
    return min(tuning.workers, tuning.trials)


def trains_elsewhere(tuning: Tuning) -> bool:
    """Tell whether a search trains in other processes alone, so that this needs no TensorFlow."""
    return _count_workers(tuning) > 1


def _check_splits(search: Search) -> None:
    """Check all that would stop a training, before any starts."""
    from taipan.search.confirm import check_comparison

    events = search.events
    split = split_folds(events.folds, events.identifiers, _HELD_OUT, search.training.folds)
    check_split(events, events.training_weights(), split)
    check_comparison(search)


def _confirm(search: Search, trials: list[Trial], threads: int) -> SearchResult:
    from taipan.search.comparison import decide_apart
    from taipan.search.confirm import Candidate, decide
    from taipan.search.space import to_training

    best, names = best_trial(trials), search.events.names
    sets = search.tuning.space.feature_sets
    features = tuple(sets[best.values["feature_set"]]) if sets else names
    found = to_training(best.values, search.training)
    decision = (decide_apart if trains_elsewhere(search.tuning) else decide)(
        search,
        Candidate("configuration", search.training, (True,) * len(names)),
        Candidate(f"trial {best.number}", found, tuple(name in features for name in names)),
        threads,
    )
    if (found_gain := decision.comparison) is not None:
        for numbers in zip(found_gain.folds, found_gain.gains, found_gain.errors, strict=True):
            logger.info("fold %d: better by %.5f ± %.5f", *numbers)
    logger.info(
        "best trial %d %s: %s",
        best.number,
        "taken" if decision.taken else "not taken",
        decision.reason,
    )
    if decision.taken:
        return SearchResult(trials, best, decision, found, features)
    return SearchResult(trials, best, decision, search.training, names)


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Give the completed trial of the best score; the earliest of equal ones."""
    completed = [trial for trial in trials if trial.completed]
    return min(completed, key=lambda trial: (trial.result["score"], trial.number))


def describe_best(found: SearchResult, tuning: Tuning, seed: int, code: str) -> dict[str, Any]:
    """Describe the result of a search as the content of ``best_hps.json``.

    `training` holds the keys of the configuration's section of that name that a search may set.
    """
    comparison = found.decision.comparison
    return {
        "trial": found.best.number,
        "objective": tuning.objective,
        "value": found.best.result["objective"],
        "taken": found.decision.taken,
        "reason": found.decision.reason,
        "comparison": comparison.to_dict() if comparison else None,
        "training": found.training.model_dump(mode="json", include=set(_TUNED)),
        "features": list(found.features),
        "trials": len(found.trials),
        "rejected": sum(not trial.completed for trial in found.trials),
        "held_out_fold": _HELD_OUT,
        "seed": seed,
        "code": code,
    }


_TUNED = (
    "hidden_layers",
    "activation",
    "dropout",
    "l2",
    "batch_size",
    "learning_rate",
    "schedule",
)


def apply_best(
    path: Path | str, training: Training, features: Sequence[str], own: Collection[str] = ()
) -> tuple[Training, tuple[bool, ...]]:
    """Put the values found by the search in the place of those of the configuration.

    Those of the keys `own`, which a network has for itself, stay as they are.

    Returns
    -------
    training, used
        The section `training`, and for each feature whether the networks see it.

    Raises
    ------
    TaipanError
        If the file cannot be read or names other features.
    """
    best = read_json(path)
    unknown = [name for name in best["features"] if name not in features]
    if unknown:
        raise TaipanError(
            f"{path}: feature {unknown[0]!r} is not a feature ({', '.join(features)})"
        )
    found = {key: value for key, value in best["training"].items() if key not in own}
    settings = Training.model_validate({**training.model_dump(), **found})
    return settings, tuple(name in best["features"] for name in features)


def write_trials(path: Path | str, trials: Sequence[Trial]) -> None:
    """Write ``trials.csv``: a line a trial with its result, hyperparameters and reason."""
    text = io.StringIO()
    names = [name for name in HYPERPARAMETERS if any(name in trial.values for trial in trials)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", *_RESULTS, *names, "reason"])
    for trial in trials:
        results = [trial.result.get(key, "") for key in _RESULTS]
        values = [trial.values.get(name, "") for name in names]
        writer.writerow([trial.number, *results, *values, trial.result["reason"]])
    write_text(path, text.getvalue())


def write_results(
    search: tuple[Path | str, Path | str], trials: Sequence[Trial], best: Mapping[str, Any]
) -> None:
    """Write ``best_hps.json`` and ``trials.csv``."""
    write_trials(search[1], trials)
    write_json(search[0], dict(best))


def _collect(oracle: Any, search: Search) -> list[Trial]:
    trials = []
    for key, trial in oracle.trials.items():
        if trial.status in ("COMPLETED", "FAILED"):
            values = {k: v for k, v in trial.hyperparameters.values.items() if "/" not in k}
            result = read_json(result_path(search.folder, int(key)))
            trials.append(Trial(int(key), _shorten(values), result))
    return sorted(trials, key=lambda trial: trial.number)


def _shorten(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in values.items()}


def _log_trial(trial: Trial) -> None:
    values = ", ".join(f"{key} {value}" for key, value in trial.values.items())
    if trial.completed:
        logger.info(
            "trial %d: %.5f, epoch %d of %d, %d overtrained (%s)",
            trial.number,
            trial.result["objective"],
            trial.result["best_epoch"],
            trial.result["epochs"],
            trial.result["overtrained_epochs"],
            values,
        )
    else:
        logger.info("trial %d: rejected, %s (%s)", trial.number, trial.result["reason"], values)


def _identify(search: Search, code: str) -> str:
    """Hash of all that decides what a trial gives; not the numbers of trials and workers."""
    digest = hashlib.sha256()
    for name in ("features", "labels", "weights", "folds", "identifiers"):
        digest.update(np.ascontiguousarray(getattr(search.events, name)).tobytes())
    digest.update(np.ascontiguousarray(search.of_loss).tobytes())
    content = {
        "events": digest.hexdigest(),
        "names": search.events.names,
        **({"classes": asdict(search.events.classes)} if search.events.classes.softmax else {}),
        "categorical": {k: v.model_dump() for k, v in search.events.categorical.items()},
        "training": search.training.model_dump(mode="json", exclude={"networks"}),
        "tuning": search.tuning.model_dump(mode="json", exclude=_WITHOUT_EFFECT),
        "conditions": [item.model_dump(mode="json") for item in search.conditions],
        "seed": search.seed,
        "code": code,
    }
    return hash_content(content)
