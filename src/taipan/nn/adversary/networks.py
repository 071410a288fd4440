"""Adversaries and what they cost a network: losses with signed weights.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from taipan.config.sections.adversary import Adversary
from taipan.nn.classes import Classes
from taipan.nn.model import BoundedLogit, activation_of

DECILES = 10
_SCALE = 3.0  # half the default bound of the logit: the adversary's input is of order one
_LARGEST_DISTANCES = 256  # events of a batch in a distance correlation, whose cost is quadratic
_SMALLEST_VARIANCE = 1e-6  # below it a distance variance of signed weights says nothing


def build_adversary(
    name: str, seen: int, outputs: int, settings: Adversary, bound: float | None
) -> Any:
    """Build an adversary; `initialise_layers` gives it its weights.

    Parameters
    ----------
    name
        Prefix of the names of its layers.
    seen
        Number of inputs s.
    outputs
        1 for two domains, or the number of deciles.
    settings
        Layers and activation.
    bound
        Bound of its logits, None for none.

    Returns
    -------
    keras.Model
        What it sees (n, s) → logits (n, outputs).
    """
    inputs = keras.Input((seen,), name=f"{name}_seen")
    hidden = inputs
    for index, units in enumerate(settings.hidden_layers):
        hidden = keras.layers.Dense(
            units, activation=activation_of(settings.activation), name=f"{name}_hidden_{index}"
        )(hidden)
    logits = keras.layers.Dense(outputs, name=f"{name}_logits")(hidden)
    if bound is not None:
        logits = BoundedLogit(bound, name=f"{name}_bounded")(logits)
    return keras.Model(inputs, logits, name=name)


def make_optimizer(settings: Adversary) -> Any:
    """Make the adversary's own optimiser."""
    kinds = {
        "adam": keras.optimizers.Adam,
        "nadam": keras.optimizers.Nadam,
        "sgd": keras.optimizers.SGD,
    }
    return kinds[settings.optimizer](settings.learning_rate)


def view_of(body: Any, settings: Adversary) -> tuple[Any, int]:
    """Give the part of a network that adversaries see, and the number of its outputs.

    Parameters
    ----------
    body
        Standardised inputs → logits (n, k): one, or that of each class.
    settings
        `sees`: the logits, or the last layer of hidden units.

    Returns
    -------
    model, width
        Model with the outputs logits (n, k) and what adversaries see (n, width).
    """
    logit = body.outputs[0]
    if settings.sees == "score":
        return keras.Model(body.inputs, [logit, logit / _SCALE]), int(logit.shape[1])
    layers = [layer for layer in body.layers if layer.name.startswith("hidden_")]
    hidden = max(layers, key=lambda layer: int(layer.name.removeprefix("hidden_"))).output
    return keras.Model(body.inputs, [logit, hidden]), int(hidden.shape[1])


def scalar_logit(logits: Any, classes: Classes) -> Any:
    """Give the logit of the score of the signal, shape (b,), of logits (b, 1) or (b, K)."""
    if not classes.softmax:
        return logits[:, 0]
    others = [label for label in range(len(classes)) if label not in classes.signal]
    signal, rest = (
        tf.reduce_logsumexp(tf.gather(logits, list(labels), axis=1), axis=1)
        for labels in (classes.signal, others)
    )
    return signal - rest


def domain_loss(logits: Any, targets: Any, weights: Any) -> Any:
    """Binary cross-entropy of logits (b, 1) with signed weights (b,): Σ w·BCE / b."""
    logit = logits[:, 0]
    return tf.reduce_mean(weights * (tf.nn.softplus(logit) - targets * logit))


def decile_loss(logits: Any, targets: Any, weights: Any) -> Any:
    """Cross-entropy of logits (b, K) of K classes with signed weights: Σ w·CE / b."""
    classes = tf.cast(targets, tf.int32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    return tf.reduce_mean(weights * losses)


def batch_distance_correlation(scores: Any, values: Any, weights: Any) -> Any:
    """Squared distance correlation of two quantities with signed weights.

    dCov²/√(dVar² dVar²) of weighted, doubly centred distances (Székely, Rizzo, Bakirov, Ann.
    Stat. 35, 2769; arXiv:2001.05310). With negative weights a distance variance may come out below
    zero in a batch; it is then taken as 10⁻⁶.

    Parameters
    ----------
    scores, values, weights
        Shape (b,); of more than 256 events the first 256 are used.
    """
    x, y, w = (item[:_LARGEST_DISTANCES] for item in (scores, values, weights))
    w = w / tf.maximum(tf.reduce_sum(w), 1e-3 * tf.reduce_sum(tf.abs(w)))
    a, b = (_centred_distances(item, w) for item in (x, y))
    pairs = w[:, None] * w[None, :]
    covariance, var_a, var_b = (tf.reduce_sum(pairs * p * q) for p, q in ((a, b), (a, a), (b, b)))
    size = tf.maximum(var_a, _SMALLEST_VARIANCE) * tf.maximum(var_b, _SMALLEST_VARIANCE)
    return covariance / tf.sqrt(size)


def _centred_distances(values: Any, weights: Any) -> Any:
    # the root keeps the gradient finite where two values are the same
    distances = tf.sqrt((values[:, None] - values[None, :]) ** 2 + 1e-12)
    rows = tf.reduce_sum(distances * weights[None, :], axis=1, keepdims=True)
    return distances - rows - tf.transpose(rows) + tf.reduce_sum(weights[:, None] * rows)


def reverse_gradient(values: Any, strength: Any) -> Any:
    """Pass values on; the gradient that comes back is multiplied by -strength.

    Ganin and Lempitsky, ICML 2015 (arXiv:1409.7495).
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def identity(inputs: Any) -> tuple[Any, Any]:
        return tf.identity(inputs), lambda upstream: -strength * upstream

    return identity(values)
