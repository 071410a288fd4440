"""Events of an opponent as tensors, for one network.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from taipan.nn.adversary.events import Opponent
from taipan.nn.adversary.networks import DECILES
from taipan.nn.data import Split, split_folds
from taipan.nn.engine import Engine


@dataclass(frozen=True)
class LoadedOpponent:
    """Events of one part.

    Attributes
    ----------
    tensors
        Standardised inputs (n, g), targets (n,), weights (n,) and conditions (n, c).
    targets, weights
        The same as arrays.
    """

    tensors: tuple[Any, Any, Any, Any]
    targets: NDArray[Any]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        """Give the number of events."""
        return len(self.targets)


def load_opponent(
    engine: Engine, item: Opponent, weights: NDArray[np.float64], of_network: Split, folds: int
) -> tuple[LoadedOpponent, LoadedOpponent]:
    """Load the training and the validation events of one network.

    Constants (deciles, means and variances) are those of the training events.

    Parameters
    ----------
    engine
        Its network's standardisation must be set.
    item
        The opponent.
    weights
        Shape (n,), of the loss.
    of_network
        Which folds the network sees.
    folds
        Number of folds.
    """
    events = item.events
    split = split_folds(events.folds, events.identifiers, of_network.fold, folds, of_network.turn)
    parts = [np.flatnonzero(mask) for mask in (split.training, split.validation)]
    train = parts[0]
    features = np.array(events.features)
    columns = list(item.neutral)
    features[:, columns] = engine.network.standardise.mean.numpy()[columns]
    targets = events.targets
    if item.method == "adversary":
        inner = np.arange(1, DECILES) / DECILES
        size = np.abs(weights[train])
        edges = np.quantile(targets[train], inner, weights=size, method="inverted_cdf")
        targets = np.searchsorted(edges, targets, side="right").astype(np.float32)
    elif item.method == "disco":
        targets = _standardised(targets[:, None], train)[:, 0]
    conditions = _standardised(events.conditions, train)
    loaded = []
    for rows in parts:
        tensors = engine.load(features[rows], targets[rows], weights[rows])
        shown = (tensors.inputs, tensors.labels, tensors.weights, tf.constant(conditions[rows]))
        loaded.append(LoadedOpponent(shown, targets[rows], weights[rows]))
    return loaded[0], loaded[1]


def _standardised(values: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.float32]:
    """Scale columns to mean 0 and variance 1 in some rows; 0 where they are missing."""
    mean = np.nanmean(values[rows], axis=0)
    sigma = np.nanstd(values[rows], axis=0)
    scaled = (values - mean) / np.where(sigma > 0.0, sigma, 1.0)
    return np.asarray(np.nan_to_num(scaled), dtype=np.float32)
