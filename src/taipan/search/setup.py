"""What a training starts from: the configuration, or what the search found in its place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from taipan.config.model import Config
from taipan.config.sections.training import Training
from taipan.nn.data import TrainingSet
from taipan.nn.inputs import TrainingInputs
from taipan.nn.weights.store import read_loss_weights
from taipan.search.tune import apply_best


@dataclass(frozen=True)
class TrainingFiles:
    """Files that the networks are trained with.

    Attributes
    ----------
    inputs
        Events of the training, and what was measured for them.
    weights
        Parquet file of the weights of the loss, or none: the signed weights, or what
        `training.negative_weights` makes of them without a stage of its own.
    best
        Values found by the search, which replace those of `training`; None without a search.
    shapes
        JSON file of the rule ``measure_shapes``, or none: needed for a loss of the fit.
    """

    inputs: TrainingInputs
    weights: Sequence[str] = ()
    best: str | None = None
    shapes: Sequence[str] = ()


@dataclass(frozen=True)
class Setup:
    """Settings of a training.

    Attributes
    ----------
    training
        Section `training`.
    used
        For each feature whether the networks see it.
    transformed
        Weights of the loss in place of the signed ones, if a stage made some.
    """

    training: Training
    used: tuple[bool, ...]
    transformed: NDArray[Any] | None


def set_up_training(
    files: TrainingFiles | None,
    training_set: TrainingSet,
    config: Config,
    own: Collection[str] = (),
) -> Setup:
    """Read what the search and the stages of the weights left for a training.

    Parameters
    ----------
    files
        None for a training by the configuration alone, with signed weights.
    training_set
        Its events.
    config
        Sections `features` and `training`.
    own
        Keys of `training` that the network has for itself: the search does not replace them.

    Raises
    ------
    TaipanError
        If a file cannot be read, or is of other features or events.
    """
    training, used = config.training, (True,) * len(config.features)
    if files is None:
        return Setup(training, used, None)
    if files.best is not None:
        training, used = apply_best(files.best, training, config.features, own)
    transformed = read_loss_weights(files.weights, training_set, training.network_count)
    return Setup(training, used, transformed)
