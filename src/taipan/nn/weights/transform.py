"""From the signed weights of a sample to weights for a network's loss."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.data import FloatArray, TrainingSet, split_networks
from taipan.nn.weights.cells import cell_points, resample_cells

logger = logging.getLogger(__name__)

STORED = ("refine", "resample", "cell")
"""Methods whose weights are made by a rule of their own."""
BIASED = ("abs", "drop")
"""Methods that converge to another density, whatever the number of events."""


@dataclass(frozen=True)
class Process:
    """Events of one sample that one network is trained on, in an order that is always the same.

    Parameters
    ----------
    sample
        Name of the sample.
    features
        Shape (n, f), float32, NaN where a quantity is missing.
    weights
        Shape (n,), signed, with a positive sum.
    identifiers
        Shape (n,), uint64, see :class:`~taipan.nn.data.TrainingSet`.
    """

    sample: str
    features: NDArray[np.float32]
    weights: FloatArray
    identifiers: NDArray[np.uint64]


WeightMethod = Callable[[Process], FloatArray]


def transform_weights(
    training_set: TrainingSet, training: NDArray[np.bool_], name: str, method: WeightMethod
) -> FloatArray:
    """Transform the weights of one network's training events, sample by sample.

    Each sample's Σw is kept: what a method returns is scaled to it. A sample without negative
    weights is left alone, and so are all events that the network is not trained on.

    Parameters
    ----------
    training_set
        Events with signed weights.
    training
        Shape (n,), the events that the network is trained on.
    name
        Name of the method, for errors.
    method
        Gives the new weights, shape (m,), of a sample of m events.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float64; the same for each event whatever the order of the events.

    Raises
    ------
    TaipanError
        If a sample with negative weights has Σw <= 0, or nothing is left of it; names method and
        sample.
    """
    weights = np.array(training_set.weights, dtype=np.float64)
    order = training_set.canonical_order()
    order = order[training[order]]
    for sample in np.unique(training_set.samples[order]):
        rows = order[training_set.samples[order] == sample]
        signed = weights[rows]
        if not np.any(signed < 0.0):
            continue
        total = float(signed.sum())
        if not total > 0.0:
            raise TaipanError(
                f"training.negative_weights: '{name}' cannot give sample '{sample}' positive "
                f"weights, because its Σw is {total:.6g} in {len(rows)} training events; allowed "
                "here: signed_bounded"
            )
        process = Process(
            str(sample), training_set.features[rows], signed, training_set.identifiers[rows]
        )
        new = method(process)
        if not new.sum() > 0.0:
            raise TaipanError(
                f"training.negative_weights: '{name}' leaves Σw = {new.sum():.6g} of sample "
                f"'{sample}' ({len(rows)} training events, before {total:.6g})"
            )
        weights[rows] = new * (total / float(new.sum()))
    return weights


def transform_for_networks(
    training_set: TrainingSet, settings: Training, method: WeightMethod
) -> FloatArray:
    """Transform the weights of the training events of each network.

    Each network's weights are made of its own training events alone, so that none of its inputs
    knows the events that it is applied to.

    Parameters
    ----------
    training_set
        Events of all folds.
    settings
        Section `training` of the configuration.
    method
        See :func:`transform_weights`.

    Returns
    -------
    numpy.ndarray
        Shape (m, n): physical weights of the n events for each of the m networks, in the order of
        :func:`~taipan.nn.data.split_networks`; those of the events that a network is not trained
        on are the original ones.
    """
    name = settings.negative_weights
    splits = split_networks(training_set.folds, training_set.identifiers, settings)
    transformed = np.empty((len(splits), len(training_set)))
    for index, split in enumerate(splits):
        transformed[index] = transform_weights(training_set, split.training, name, method)
    return transformed


def untrained_method(settings: Training) -> WeightMethod:
    """Give the method of `training.negative_weights`: `cell`, `abs` or `drop`."""
    cells = settings.cells

    def resample(process: Process) -> FloatArray:
        points = cell_points(process.features, process.weights, cells.components)
        return resample_cells(points, process.weights, cells.max_radius)

    methods: dict[str, WeightMethod] = {
        "cell": resample,
        "abs": lambda process: np.abs(process.weights),
        "drop": lambda process: np.maximum(process.weights, 0.0),
    }
    return methods[settings.negative_weights]


def transform_cells(training_set: TrainingSet, settings: Training) -> FloatArray:
    """Transform by cell resampling (:mod:`taipan.nn.weights.cells`); shape (m, n)."""
    return transform_for_networks(training_set, settings, untrained_method(settings))


def loss_weights(
    training_set: TrainingSet, settings: Training, stored: NDArray[Any] | None = None
) -> FloatArray:
    """Give the physical weights that the loss of each network is made with.

    Parameters
    ----------
    training_set
        Events of all folds.
    settings
        Section `training` of the configuration.
    stored
        Shape (m, n), weights of the methods `refine`, `resample` and `cell`.

    Returns
    -------
    numpy.ndarray
        Shape (m, n), for the m networks in the order of :func:`~taipan.nn.data.split_networks`.

    Raises
    ------
    TaipanError
        If `stored` is missing for a method that needs it, or has another shape.
    """
    method = settings.negative_weights
    shape = (settings.network_count, len(training_set))
    if method in BIASED:
        logger.warning(
            "training.negative_weights is '%s': the networks learn another density than that of "
            "the events, and more events do not cure it; for comparison only",
            method,
        )
        return transform_for_networks(training_set, settings, untrained_method(settings))
    if method in STORED:
        if stored is None or stored.shape != shape:
            found = "none" if stored is None else f"shape {stored.shape}"
            raise TaipanError(
                f"training.negative_weights: '{method}' needs weights of shape {shape}, got {found}"
            )
        return np.asarray(stored, dtype=np.float64)
    return np.broadcast_to(np.asarray(training_set.weights, dtype=np.float64), shape)


def order_events(
    training_set: TrainingSet, settings: Training, stored: NDArray[Any] | None = None
) -> tuple[TrainingSet, FloatArray]:
    """Put events in their canonical order and give the physical weights of each network's loss.

    Nothing that is trained on the result depends on the order of the files.

    Parameters
    ----------
    training_set, settings, stored
        As in :func:`loss_weights`.

    Returns
    -------
    training_set, physical
        The events, and their weights of shape (m, n) in the same order.

    Raises
    ------
    TaipanError
        See :func:`loss_weights`.
    """
    physical = loss_weights(training_set, settings, stored)
    order = training_set.canonical_order()
    return training_set.take(order), physical[:, order]
