"""How one network is trained, on what, and what the training leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.config.sections.training import Training

LayerWeights = Mapping[str, Sequence[NDArray[Any]]]
"""Arrays of each layer of a network by its name, such as ``hidden_0``: kernel and bias."""
OBJECTIVE = "objective"
"""Metric that an engine gives itself, by :meth:`~taipan.nn.engine.Engine.measure`."""


@dataclass(frozen=True)
class TensorEvents:
    """Events as tensors: standardised inputs (n, g), labels (n,), training weights (n,)."""

    inputs: Any
    labels: Any
    weights: Any


@dataclass(frozen=True)
class Loaded:
    """Events of one part as tensors of the engine and arrays of shape (n,).

    `weights` are the signed training weights, for metrics; `of_loss` those of the loss;
    `reference` the scores by :func:`~taipan.nn.reference.fit_reference`, `reference_values` their
    metrics, which are the same in every epoch.
    """

    events: TensorEvents
    labels: NDArray[np.integer[Any]]
    weights: NDArray[np.float64]
    of_loss: NDArray[np.float64]
    reference: NDArray[np.float64] | None = None
    reference_values: dict[str, tuple[float, NDArray[np.float64]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How one network is trained.

    Parameters
    ----------
    name
        Name in messages, such as ``fold 0``.
    seed
        Seed of the weights, the dropout and the order of events.
    settings
        Section `training` of the configuration.
    conditions
        Conditions under which an epoch is overtrained.
    totals
        Expected signal and background events (for σ(μ)); for classes with names of each.
    metric
        Metric of the validation events that picks the epoch; that of the settings if empty.
    identity
        Hash of what else the training depends on.
    code
        Version of the code.
    preliminary
        Whether it only makes the start of another training.
    """

    name: str
    seed: int
    settings: Training
    conditions: Sequence[OvertrainingCondition] = ()
    totals: tuple[float, ...] = (1.0, 1.0)
    metric: str = ""
    identity: str = ""
    code: str = ""
    preliminary: bool = False

    @property
    def key(self) -> str:
        """Metric that picks the epoch, as named in the history."""
        return self.metric or self.settings.early_stopping_metric.removeprefix("bounded_")


@dataclass(frozen=True)
class Fitted:
    """What a training leaves, besides the weights in the engine's network.

    Attributes
    ----------
    best_epoch
        Epoch (from 0) whose weights were kept.
    value
        Validation metric of that epoch.
    overtrained
        True if every epoch was overtrained: then the kept one is merely the best of them.
    reason
        Why the training ended; empty if it ran through all epochs.
    history
        Name → a number an epoch.
    """

    best_epoch: int
    value: float
    overtrained: bool
    reason: str
    history: Mapping[str, list[float]]
