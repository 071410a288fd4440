"""What is minimised, by the name in `training.loss`. Imports TensorFlow.

A loss is given the bins of the nominal events and of the shifted rows, and gives a number. Those
of an uncertainty are logarithms, so that their gradient does not depend on the unit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from taipan.config.sections.training import Sensitivity
from taipan.nn.sensitivity.fisher import (
    SMALLEST_NOISE,
    BinCounts,
    information,
    profiled_variance,
    statistical_variance,
)
from taipan.nn.sensitivity.loaded import LoadedEvents


def log_sigma(counts: BinCounts, events: LoadedEvents) -> Any:
    """Give ln σ of the parameter of interest, all others profiled."""
    return 0.5 * tf.math.log(profiled_variance(information(counts) + events.known))


def log_statistical_sigma(counts: BinCounts, events: LoadedEvents) -> Any:
    """Give ln σ of the parameter of interest, all others known."""
    return 0.5 * tf.math.log(statistical_variance(information(counts) + events.known))


def shape_change(counts: BinCounts, events: LoadedEvents) -> Any:
    """Give the mean over bins of Σ (relative change of a bin by a constrained parameter)².

    arXiv:1907.11674, with the slope in the place of the difference.
    """
    yields = tf.maximum(counts.yields, SMALLEST_NOISE)
    relative = counts.slopes / yields[:, None] * events.constrained
    return tf.reduce_mean(tf.reduce_sum(relative**2, axis=1))


def cross_entropy(logits: Any, events: LoadedEvents) -> Any:
    """Give the cross-entropy of logits (n,), both classes with the same total."""
    losses = tf.nn.softplus(logits) - events.labels * logits
    return tf.cast(tf.reduce_sum(events.balanced * losses), tf.float64)


FitLoss = Callable[[Any, BinCounts, LoadedEvents, Sensitivity], Any]
"""Logits (n,), counts, events and settings → a scalar."""


def sannt(logits: Any, counts: BinCounts, events: LoadedEvents, settings: Sensitivity) -> Any:
    """Give ln σ (arXiv:2502.13047)."""
    return log_sigma(counts, events)


def shape_penalty(
    logits: Any, counts: BinCounts, events: LoadedEvents, settings: Sensitivity
) -> Any:
    """Give the cross-entropy and λ times the change of shape (arXiv:1907.11674)."""
    return cross_entropy(logits, events) + settings.strength * shape_change(counts, events)


def inferno(logits: Any, counts: BinCounts, events: LoadedEvents, settings: Sensitivity) -> Any:
    """Give ln σ (arXiv:1806.04743); the bins are outputs of the network."""
    return log_sigma(counts, events)


FIT_LOSSES: dict[str, FitLoss] = {
    "sannt": sannt,
    "inferno": inferno,
    "shape_penalty": shape_penalty,
}
