"""What is written into the ONNX file of a classifier beside the graph, and how it is checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from taipan.nn.classes import BINARY, Classes
from taipan.nn.data import TrainingSet

_REFERENCE_EVENTS = 1000  # events on which an ONNX file and what it was made of are compared


@dataclass(frozen=True)
class ModelCard:
    """What is written into the ONNX file beside the graph."""

    features: tuple[str, ...]
    may_be_missing: tuple[bool, ...]
    fold: int
    folds: int
    seed: int
    provenance: Mapping[str, str] = field(default_factory=dict)
    networks: int = 1
    classes: Classes = BINARY

    def metadata(self) -> dict[str, str]:
        """Give the metadata of the ONNX file; lists as JSON."""
        own = {
            "features": json.dumps(self.features),
            "may_be_missing": json.dumps(self.may_be_missing),
            "fold": str(self.fold),
            "folds": str(self.folds),
            "seed": str(self.seed),
            "networks": str(self.networks),
        }
        if self.classes.softmax:
            own["classes"] = json.dumps(self.classes.names)
            own["signal"] = json.dumps(self.classes.signal)
        return {**{f"provenance.{key}": text for key, text in self.provenance.items()}, **own}


def pick_reference(training_set: TrainingSet) -> NDArray[np.float32]:
    """Pick events for the check of an export: evenly spread, and each pattern of missing ones.

    Parameters
    ----------
    training_set
        Events to pick from.

    Returns
    -------
    numpy.ndarray
        Raw features, shape (m, f).
    """
    spread = np.linspace(0, len(training_set) - 1, _REFERENCE_EVENTS).astype(np.int64)
    _, patterns = np.unique(np.isnan(training_set.features), axis=0, return_index=True)
    chosen = np.unique(np.concatenate([spread, patterns]))
    all_missing = np.where(training_set.missing_flags, np.nan, training_set.features[:1])
    return np.vstack([training_set.features[chosen], all_missing]).astype(np.float32)
