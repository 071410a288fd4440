"""Squared distance of score and label, bounded for every event, whatever its sign."""

from __future__ import annotations

from typing import Any


def loss(logits: Any, labels: Any, weights: Any) -> Any:
    """Give Σ w·(s − y)² / b, the Brier score (Mon. Weather Rev. 78, 1)."""
    import tensorflow as tf  # the names of the losses are known without it

    return tf.reduce_mean(weights * (tf.nn.sigmoid(logits) - labels) ** 2)


def class_loss(logits: Any, labels: Any, weights: Any) -> Any:
    """Give Σ w·Σ_k (p_k − y_k)² / b of logits (b, K) and labels 0 to K - 1, by softmax."""
    import tensorflow as tf

    own = tf.one_hot(tf.cast(labels, tf.int32), logits.shape[-1])
    return tf.reduce_mean(weights * tf.reduce_sum((tf.nn.softmax(logits) - own) ** 2, axis=1))
