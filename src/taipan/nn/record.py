"""The record of a training: what was trained on what, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.atomic import write_json
from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.nn.classes import Classes
from taipan.nn.data import Split, TrainingSet
from taipan.nn.plan import Fitted


@dataclass(frozen=True)
class Trained:
    """What a training started from.

    Attributes
    ----------
    training_set
        Its events.
    settings, conditions
        Section `training` and the conditions of `overtraining`.
    seed
        Seed of the training.
    provenance
        Strings to write into the record.
    used
        For each feature whether it is seen; all if empty.
    more
        Further entries of the record.
    """

    training_set: TrainingSet
    settings: Training
    conditions: Sequence[OvertrainingCondition]
    seed: int
    provenance: Mapping[str, str] = field(default_factory=dict)
    used: Sequence[bool] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def write_record(
    path: Path,
    about: Trained,
    networks: Sequence[Mapping[str, Any]],
    opponents: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the record of a training (``docs/training.md``).

    Parameters
    ----------
    path
        JSON file.
    about
        What it started from.
    networks
        Of :func:`describe_network`, with seed, file and checksum.
    opponents
        What the networks were trained against.
    """
    events = about.training_set
    write_json(
        path,
        {
            "features": list(events.names),
            "may_be_missing": list(events.missing_flags),
            "used": [bool(flag) for flag in about.used] or [True] * len(events.names),
            "settings": about.settings.model_dump(mode="json"),
            "conditions": [item.model_dump(mode="json") for item in about.conditions],
            "seed": about.seed,
            "provenance": dict(about.provenance),
            "samples": _describe_samples(events, events.training_weights()),
            **_describe_members(events.classes),
            **about.more,
            "opponents": list(opponents),
            "networks": list(networks),
        },
    )


def describe_network(
    trained: Fitted, training_set: TrainingSet, split: Split, settings: Training
) -> dict[str, Any]:
    """Describe how one network was trained, and on what, as plain values."""
    parts = {"train": split.training, "validation": split.validation, "held_out": split.held_out}
    epochs = len(trained.history["loss"])
    return {
        "fold": split.fold,
        "network": split.turn,
        "repeat": split.repeat,
        "epochs": epochs,
        "best_epoch": trained.best_epoch,
        "stopped_early": epochs < settings.epochs,
        "reason": trained.reason,
        "overtrained": trained.overtrained,
        "events": {
            part: {
                class_name: metrics.describe_weights(
                    training_set.weights[mask & (training_set.labels == label)]
                )
                for label, class_name in enumerate(training_set.classes.names)
            }
            for part, mask in parts.items()
        },
        "history": dict(trained.history),
    }


def _describe_members(classes: Classes) -> dict[str, Any]:
    """Class → its samples; nothing for signal and background."""
    if not classes.softmax:
        return {}
    listed = enumerate(classes.names)
    return {
        "classes": {name: [s for s, label in classes.members if label == k] for k, name in listed}
    }


def _describe_samples(
    training_set: TrainingSet, weights: NDArray[np.float64]
) -> dict[str, dict[str, Any]]:
    described = {}
    for sample in np.unique(training_set.samples):
        chosen = training_set.samples == sample
        described[str(sample)] = {
            **metrics.describe_weights(training_set.weights[chosen]),
            "sumw_training": float(weights[chosen].sum()),
        }
    return described
