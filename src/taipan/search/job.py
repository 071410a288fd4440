"""The folder of a search: what every worker knows, and the results that they leave there."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.atomic import read_json, write_json
from taipan.config.sections.observables import Categorical
from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.config.sections.tuning import Tuning
from taipan.nn.classes import Classes
from taipan.nn.data import TrainingSet

EVENTS, SEARCH, CHIEF = "events.npz", "search.json", "chief.json"
FIRST = 0  # number of the trial with the values of the configuration
_ARRAYS = ("features", "labels", "weights", "folds", "samples", "identifiers")
_OF_LOSS = "of_loss"


@dataclass(frozen=True)
class Search:
    """What every worker knows: events without those of fold 0, settings, seed, folder.

    `of_loss` are the physical weights of network 0's loss, shape (n,).
    """

    events: TrainingSet
    of_loss: NDArray[np.float64]
    training: Training
    tuning: Tuning
    conditions: tuple[OvertrainingCondition, ...]
    seed: int
    folder: Path


def write_search(search: Search) -> None:
    """Write events and settings for the workers."""
    arrays: dict[str, Any] = {name: getattr(search.events, name) for name in _ARRAYS}
    arrays[_OF_LOSS] = search.of_loss
    with (search.folder / EVENTS).open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    content = {
        "names": list(search.events.names),
        "may_be_missing": list(search.events.missing_flags),
        "categorical": {k: v.model_dump() for k, v in search.events.categorical.items()},
        "classes": asdict(search.events.classes),
        "training": search.training.model_dump(mode="json"),
        "tuning": search.tuning.model_dump(mode="json"),
        "conditions": [item.model_dump(mode="json") for item in search.conditions],
        "seed": search.seed,
    }
    write_json(search.folder / SEARCH, content)


def read_search(folder: Path) -> Search:
    """Read what :func:`write_search` wrote.

    Raises
    ------
    TaipanError
        If there is no search in the folder.
    """
    content = read_json(folder / SEARCH)
    with np.load(folder / EVENTS) as file:
        arrays = {name: file[name] for name in _ARRAYS}
        of_loss = file[_OF_LOSS]
    categorical = {k: Categorical.model_validate(v) for k, v in content["categorical"].items()}
    return Search(
        events=TrainingSet(
            names=tuple(content["names"]),
            may_be_missing=tuple(content["may_be_missing"]),
            categorical=categorical,
            classes=_read_classes(content["classes"]),
            **arrays,
        ),
        of_loss=of_loss,
        training=Training.model_validate(content["training"]),
        tuning=Tuning.model_validate(content["tuning"]),
        conditions=tuple(map(OvertrainingCondition.model_validate, content["conditions"])),
        seed=content["seed"],
        folder=folder,
    )


def _read_classes(content: dict[str, Any]) -> Classes:
    members = tuple((str(sample), int(label)) for sample, label in content["members"])
    names, signal = tuple(content["names"]), tuple(content["signal"])
    return Classes(names, signal, bool(content["softmax"]), members)


def name_tuners(worker: str, tuners: int) -> list[str]:
    """Name those that run trials at the same time in a process: the first one as the process."""
    return [worker, *(f"{worker}:{number}" for number in range(1, tuners))]


def name_worker(tuner: str) -> str:
    """Give the name of the process of a tuner."""
    return tuner.partition(":")[0]


def read_result(folder: Path, trial: int) -> dict[str, Any] | None:
    """Read the result of a completed trial; None if it was rejected or is not there."""
    path = result_path(folder, trial)
    result: dict[str, Any] = read_json(path) if path.exists() else {"status": "missing"}
    return result if result["status"] == "completed" else None


def result_path(folder: Path, trial: int) -> Path:
    """Give the file of the result of a trial."""
    return folder / "results" / f"{trial}.json"
