"""A linear model as tensors. Imports TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from taipan.nn.sensitivity.linear import LinearEvents


@dataclass(frozen=True)
class LoadedEvents:
    """Tensors of the events of one part.

    Attributes
    ----------
    inputs, moved_inputs
        Standardised inputs (n, g) of the nominal events and (m, g) of the shifted rows.
    columns
        Shape (n, 2 + P): yield, variance and slopes.
    moved_slopes, moved_by
        Shape (m,): d(yield)/d(parameter) and the number of the parameter.
    labels, balanced
        Shape (n,): 1 for signal, and weights of the cross-entropy, ½ in total for each class.
    constrained
        Shape (P,), float64: 1 for parameters with a constraint, 0 for free ones.
    known
        Shape (P, P), float64: information of the constraints and of the control regions.
    """

    inputs: Any
    moved_inputs: Any
    columns: Any
    moved_slopes: Any
    moved_by: Any
    labels: Any
    balanced: Any
    constrained: Any
    known: Any

    @property
    def count(self) -> int:
        """Number of parameters P."""
        return int(self.known.shape[0])


def load(events: LinearEvents, standardise: Callable[[NDArray[np.float32]], Any]) -> LoadedEvents:
    """Make tensors of a linear model.

    Parameters
    ----------
    events
        The model; the features of no shifted row at all may have any width.
    standardise
        Raw features (n, f) → inputs (n, g).
    """
    inputs = standardise(events.nominal.features)
    moved = events.shifted.features.reshape(len(events.shifted), events.nominal.features.shape[1])
    columns = np.column_stack([events.yields, events.variances, events.slopes])
    return LoadedEvents(
        inputs,
        standardise(moved) if len(moved) else inputs[:0],
        tf.constant(columns.astype(np.float32)),
        tf.constant(events.moved_slopes.astype(np.float32)),
        tf.constant(events.moved_by.astype(np.int32)),
        tf.constant(events.is_signal.astype(np.float32)),
        tf.constant(balance(events).astype(np.float32)),
        tf.constant((events.prior > 0.0).astype(np.float64)),
        tf.constant(known_information(events)),
    )


def known_information(events: LinearEvents) -> NDArray[np.float64]:
    """Give the information that does not depend on a score: constraints, control regions."""
    noise = events.control_yields + events.control_variances
    slopes = events.control_slopes
    return np.asarray(np.diag(events.prior) + slopes.T @ (slopes / noise[:, None]))


def balance(events: LinearEvents) -> NDArray[np.float64]:
    """Give signed weights (n,) that add up to ½ for the signal and for the background."""
    weights = np.empty(len(events.yields))
    for chosen in (events.is_signal, ~events.is_signal):
        weights[chosen] = 0.5 * events.yields[chosen] / events.yields[chosen].sum()
    return weights
