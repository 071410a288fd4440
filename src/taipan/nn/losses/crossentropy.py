"""Binary cross-entropy, whose best score is the probability of the signal."""

from __future__ import annotations

from typing import Any


def loss(logits: Any, labels: Any, weights: Any) -> Any:
    """Give Σ w·BCE / b: divided by the number of events, as Σw may vanish or be negative."""
    import tensorflow as tf  # the names of the losses are known without it

    return tf.reduce_mean(weights * (tf.nn.softplus(logits) - labels * logits))


def class_loss(logits: Any, labels: Any, weights: Any) -> Any:
    """Give Σ w·CE / b of logits (b, K) and labels 0 to K - 1, by softmax."""
    import tensorflow as tf

    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), logits)
    return tf.reduce_mean(weights * losses)
