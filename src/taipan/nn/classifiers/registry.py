"""The classifiers by name: every file of this folder that defines ``train_classifier``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.nn.adversary.events import Opponent
from taipan.nn.data import TrainingSet
from taipan.nn.sensitivity.linear import LinearEvents
from taipan.rooms import import_room


@dataclass(frozen=True)
class ClassifierJob:
    """What a classifier is trained on, and the files that it leaves.

    Attributes
    ----------
    training_set, settings, seed, models, record, provenance, threads
        As of :func:`~taipan.nn.train.train_network`.
    transformed, conditions, used, checkpoints, opponents, linear, pretrained
        The same.
    """

    training_set: TrainingSet
    settings: Training
    seed: int
    models: Sequence[Path]
    record: Path
    provenance: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    transformed: NDArray[np.float64] | None = None
    conditions: Sequence[OvertrainingCondition] = ()
    used: Sequence[bool] = ()
    checkpoints: Path | None = None
    opponents: Sequence[Opponent] = ()
    linear: LinearEvents | None = None
    pretrained: Sequence[Path] = ()


TrainClassifier = Callable[[Any, ClassifierJob], None]
"""Keys of the section `classifier` and the job → ONNX file of each fold, and the record."""


def find_classifier(kind: str) -> TrainClassifier:
    """Give what trains a classifier, or takes it from where it is.

    Parameters
    ----------
    kind
        `classifier.kind`, which the configuration has checked.
    """
    modules = [sys.modules[name] for name in import_room("taipan.nn.classifiers")]
    kinds: dict[str, TrainClassifier] = {
        module.__name__.rpartition(".")[2]: module.train_classifier
        for module in modules
        if hasattr(module, "train_classifier")
    }
    return kinds[kind]
