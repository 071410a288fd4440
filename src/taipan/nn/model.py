"""The network as a Keras model: raw features in, score out.

Imports Keras: used by training alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Without this TensorFlow reports every session and the lack of a GPU as errors; what fails raises
# a Python exception anyway. Read at the first import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from keras import ops

from taipan.config.model import Training
from taipan.errors import TaipanError
from taipan.nn.data import Standardisation
from taipan.seeds import derive_seed


@dataclass(frozen=True)
class Network:
    """A model and the parts of it that training handles one by one.

    Parameters
    ----------
    score
        Raw features (n, f) → score (n, 1): the model that is exported.
    standardise
        Its first layer, raw features → inputs of the body.
    body
        Standardised inputs → bounded logit (n, 1): the part that is trained.
    """

    score: Any
    standardise: Standardise
    body: Any


@keras.saving.register_keras_serializable(package="taipan")
class Standardise(keras.layers.Layer):  # type: ignore[misc]
    """Standardise features and encode missing ones.

    NaN becomes 0, the mean. For each feature that may be missing an indicator (0 or 1) is
    appended. A layer of its own: Keras' `Normalization` leaks its constants as extra inputs of the
    ONNX graph.

    Parameters
    ----------
    may_be_missing
        A flag for each of the f features.
    """

    def __init__(self, may_be_missing: Sequence[bool], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.may_be_missing = tuple(bool(flag) for flag in may_be_missing)
        shape = (len(self.may_be_missing),)
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.inverse_sigma = self.add_weight(
            shape=shape, initializer="ones", trainable=False, name="inverse_sigma"
        )

    def set_constants(self, constants: Standardisation) -> None:
        """Take over mean and inverse sigma, shape (f,)."""
        self.mean.assign(constants.mean.astype("float32"))
        self.inverse_sigma.assign(constants.inverse_sigma.astype("float32"))

    def call(self, inputs: Any) -> Any:
        """Map raw features (n, f) to standardised features and indicators (n, f + missing)."""
        missing = ops.isnan(inputs)
        values = (inputs - self.mean) * self.inverse_sigma
        standardised = ops.where(missing, ops.zeros_like(inputs), values)
        columns = [index for index, flag in enumerate(self.may_be_missing) if flag]
        if not columns:
            return standardised
        indicators = ops.take(ops.cast(missing, "float32"), columns, axis=1)
        return ops.concatenate([standardised, indicators], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Give the arguments of the constructor."""
        return {**super().get_config(), "may_be_missing": self.may_be_missing}


@keras.saving.register_keras_serializable(package="taipan")
class BoundedLogit(keras.layers.Layer):  # type: ignore[misc]
    """z → c·tanh(z/c): the cross-entropy of an event of weight w is then at least -|w|·(c + ln 2).

    Without a bound, a network that isolates one event of negative weight gains without limit.

    Parameters
    ----------
    bound
        Largest logit c.
    """

    def __init__(self, bound: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.bound = float(bound)

    def call(self, inputs: Any) -> Any:
        """Bound logits of any shape."""
        return self.bound * ops.tanh(inputs / self.bound)

    def get_config(self) -> dict[str, Any]:
        """Give the arguments of the constructor."""
        return {**super().get_config(), "bound": self.bound}


@keras.saving.register_keras_serializable(package="taipan")
class FastDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Dropout that draws eight random bits for each unit, not a float.

    On a CPU the random numbers of `keras.layers.Dropout` cost more than the rest of the network.
    The rate is rounded to a multiple of 1/256 and the scale of the kept units is its own.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Set units (n, u) to zero at random while training."""
        threshold = min(round(self.rate * 256), 255)
        if not training or threshold == 0:
            return inputs
        shape = tf.shape(inputs)
        size = shape[0] * shape[1]
        bits = tf.random.stateless_uniform(
            [(size + 7) // 8],
            tf.cast(self.seed_generator.next(), tf.int32),
            minval=None,
            maxval=None,
            dtype=tf.uint64,
            alg="philox",  # the same numbers on every device
        )
        draws = tf.reshape(tf.reshape(tf.bitcast(bits, tf.uint8), [-1])[:size], shape)
        kept = tf.cast(draws >= tf.constant(threshold, tf.uint8), tf.float32)
        return inputs * (kept * (256.0 / (256.0 - threshold)))


def _gelu(inputs: Any) -> Any:
    """Exact GELU (arXiv:1606.08415) by erf: ONNX has no erfc, which Keras' own comes out as."""
    return 0.5 * inputs * (1.0 + ops.erf(inputs * 0.5**0.5))


def build_network(may_be_missing: Sequence[bool], settings: Training) -> Network:
    """Build a network; :func:`initialise` gives it its weights.

    Parameters
    ----------
    may_be_missing
        For each of the f features, whether it may be NaN.
    settings
        Layers, activation, dropout, penalty and bound of the logit.

    Returns
    -------
    Network
        Models that share their layers.

    Raises
    ------
    TaipanError
        If Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise TaipanError(
            f"KERAS_BACKEND is '{keras.backend.backend()}', training needs 'tensorflow'"
        )
    flags = tuple(may_be_missing)
    standardise = Standardise(flags, name="standardise")
    inputs = keras.Input((len(flags) + sum(flags),), name="standardised")
    hidden = inputs
    for index, units in enumerate(settings.hidden_layers):
        hidden = keras.layers.Dense(
            units,
            activation=_gelu if settings.activation == "gelu" else settings.activation,
            kernel_regularizer=keras.regularizers.L2(settings.l2) if settings.l2 else None,
            name=f"hidden_{index}",
        )(hidden)
        if settings.dropout:
            hidden = FastDropout(settings.dropout, seed=0, name=f"dropout_{index}")(hidden)
    logit = keras.layers.Dense(1, name="logit")(hidden)
    if settings.logit_bound is not None:
        logit = BoundedLogit(settings.logit_bound, name="bounded_logit")(logit)
    body = keras.Model(inputs, logit, name="body")

    features = keras.Input((len(flags),), name="features")
    score = keras.layers.Activation("sigmoid", name="score")(body(standardise(features)))
    return Network(keras.Model(features, score, name="taipan"), standardise, body)


def initialise(network: Network, seed: int) -> None:
    """Give the body new weights and dropout states that depend on `seed` alone.

    Glorot's uniform distribution for kernels (AISTATS 2010), zero for biases.
    """
    for layer in network.body.layers:
        if isinstance(layer, keras.layers.Dense):
            draw = keras.initializers.GlorotUniform(seed=derive_seed(seed, layer.name))
            layer.kernel.assign(draw(layer.kernel.shape))
            layer.bias.assign(ops.zeros(layer.bias.shape))
        elif isinstance(layer, keras.layers.Dropout):
            state = layer.seed_generator.state
            state.assign([derive_seed(seed, layer.name), 0])
