"""Squared distance of score and label, bounded for every event, whatever its sign."""

from __future__ import annotations

from typing import Any


def loss(logits: Any, labels: Any, weights: Any) -> Any:
    """Give Σ w·(s − y)² / b, the Brier score (Mon. Weather Rev. 78, 1)."""
    import tensorflow as tf  # the names of the losses are known without it

    return tf.reduce_mean(weights * (tf.nn.sigmoid(logits) - labels) ** 2)
