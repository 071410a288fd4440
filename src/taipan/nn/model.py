"""The network as a Keras model: raw features in, score out.

Imports Keras: used by training alone.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Without this TensorFlow reports every session and the lack of a GPU as errors; what fails raises
# a Python exception anyway. Read at the first import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from taipan.config.sections.observables import Categorical
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.classes import BINARY, Classes
from taipan.nn.plan import LayerWeights
from taipan.nn.standardisation import Standardisation
from taipan.seeds import derive_seed


@dataclass(frozen=True)
class Network:
    """A model and the parts of it that training handles one by one.

    Parameters
    ----------
    score
        Raw features (n, f) → score (n, 1), or those of K classes (n, K): what is exported.
    standardise
        Its first layer, raw features → inputs of the body.
    body
        Standardised inputs → bounded logits (n, 1) or (n, K): the part that is trained.
    classes
        What the outputs stand for.
    summary
        Standardised inputs → shares (n, K) of the bins that the network itself makes (`inferno`);
        None if bins are made of the logit.
    """

    score: Any
    standardise: Standardise
    body: Any
    classes: Classes = BINARY
    summary: Any = None

    def get_weights(self) -> LayerWeights:
        """Copy the weights of all layers that have some, by the name of the layer."""
        return {layer.name: layer.get_weights() for layer in self._layers()}

    def set_weights(self, weights: LayerWeights) -> None:
        """Take over what :meth:`get_weights` gave of a network of the same layers."""
        layers = {layer.name: layer for layer in self._layers()}
        for name in layers.keys() | weights.keys():
            layers[name].set_weights(weights[name])

    def freeze(self, names: Collection[str]) -> None:
        """Let the training leave layers of the body as they are; before its engine is made."""
        for layer in self._layers()[1:]:
            layer.trainable = layer.name not in names

    def _layers(self) -> list[Any]:
        dense = [layer for layer in self.body.layers if isinstance(layer, keras.layers.Dense)]
        return [self.standardise, *dense]


@keras.saving.register_keras_serializable(package="taipan")
class Standardise(keras.layers.Layer):  # type: ignore[misc]
    """Standardise continuous features, encode categories and missing values.

    NaN becomes 0, the mean. For each feature that may be missing an indicator (0 or 1) is
    appended, then for each categorical feature an indicator of each category (none of them for
    a missing or unknown one). Features that are not used give zeros. A layer of its own: Keras'
    `Normalization` leaks its constants as extra inputs of the ONNX graph.

    Parameters
    ----------
    may_be_missing
        A flag for each of the f features.
    categories
        Column → values of the categorical features.
    """

    def __init__(
        self,
        may_be_missing: Sequence[bool],
        categories: Mapping[int, Sequence[float]] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.may_be_missing = tuple(bool(flag) for flag in may_be_missing)
        # keys come back as text from the configuration of a saved model
        self.categories = {int(key): tuple(item) for key, item in (categories or {}).items()}
        shape = (len(self.may_be_missing),)
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.inverse_sigma = self.add_weight(
            shape=shape, initializer="ones", trainable=False, name="inverse_sigma"
        )
        self.used = self.add_weight(shape=shape, initializer="ones", trainable=False, name="used")

    def set_constants(self, constants: Standardisation) -> None:
        """Take over mean and inverse sigma, shape (f,)."""
        self.mean.assign(constants.mean.astype("float32"))
        self.inverse_sigma.assign(constants.inverse_sigma.astype("float32"))

    def use(self, used: Sequence[bool]) -> None:
        """Choose the features that the network sees: f flags."""
        self.used.assign([float(flag) for flag in used])

    @property
    def width(self) -> int:
        """Number of columns that the layer gives."""
        continuous = len(self.may_be_missing) - len(self.categories)
        return continuous + sum(self.may_be_missing) + sum(map(len, self.categories.values()))

    def call(self, inputs: Any) -> Any:
        """Map raw features (n, f) to standardised features and indicators (n, width)."""
        missing = ops.isnan(inputs)
        values = (inputs - self.mean) * self.inverse_sigma
        standardised = ops.where(missing, ops.zeros_like(inputs), values) * self.used
        pieces = []
        columns = [i for i in range(len(self.may_be_missing)) if i not in self.categories]
        if columns:
            whole = len(columns) == len(self.may_be_missing)
            pieces.append(standardised if whole else ops.take(standardised, columns, axis=1))
        columns = [index for index, flag in enumerate(self.may_be_missing) if flag]
        if columns:
            indicators = ops.cast(missing, "float32") * self.used
            pieces.append(ops.take(indicators, columns, axis=1))
        for column, categories in self.categories.items():
            distance = ops.abs(ops.take(inputs, [column], axis=1) - np.array(categories, "float32"))
            same = ops.cast(distance < 0.5 * _spacing(categories), "float32")
            pieces.append(same * ops.take(self.used, [column], axis=0))
        return ops.concatenate(pieces, axis=1) if len(pieces) > 1 else pieces[0]

    def get_config(self) -> dict[str, Any]:
        """Give the arguments of the constructor."""
        own = {"may_be_missing": self.may_be_missing, "categories": self.categories}
        return {**super().get_config(), **own}


def _spacing(categories: Sequence[float]) -> float:
    """Smallest distance of two categories: nearer values than half of it are the same."""
    return float(np.min(np.diff(np.sort(categories))))


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
class MeanBin(keras.layers.Layer):  # type: ignore[misc]
    """Shares of K bins → logit of the mean bin, whose centres divide 0 to 1 into equal parts."""

    def call(self, inputs: Any) -> Any:
        """Map shares (n, K) that add up to 1 to logits (n, 1), at most ln(2K - 1) in size."""
        bins = inputs.shape[1]
        centres = ((np.arange(bins) + 0.5) / bins).astype("float32")
        mean = ops.sum(inputs * centres, axis=1, keepdims=True)
        return ops.log(mean) - ops.log(1.0 - mean)


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


def activation_of(name: str) -> Any:
    """Give the activation that a Keras layer takes."""
    return _gelu if name == "gelu" else name


def build_network(
    may_be_missing: Sequence[bool],
    settings: Training,
    categorical: Mapping[int, Categorical] | None = None,
    classes: Classes = BINARY,
) -> Network:
    """Build a network; :func:`initialise` gives it its weights.

    Parameters
    ----------
    may_be_missing
        For each of the f features, whether it may be NaN.
    settings
        Layers, activation, dropout, penalty and bound of the logit.
    categorical
        Column → categories of the features that are not continuous. An embedding is a table with
        a trained row of ⌈categories/2⌉ numbers for each category.
    classes
        With names there is a logit for each. Those are bounded by half of `logit_bound`, so that it
        bounds the logarithm of the ratio of any two scores, as it does for two classes.

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
    encoded = dict(sorted((categorical or {}).items()))
    categories = {column: item.values for column, item in encoded.items()}
    standardise = Standardise(flags, categories, name="standardise")
    inputs = keras.Input((standardise.width,), name="standardised")
    hidden = _embed(inputs, encoded)
    for index, units in enumerate(settings.hidden_layers):
        hidden = keras.layers.Dense(
            units,
            activation=activation_of(settings.activation),
            kernel_regularizer=keras.regularizers.L2(settings.l2) if settings.l2 else None,
            name=f"hidden_{index}",
        )(hidden)
        if settings.dropout:
            hidden = FastDropout(settings.dropout, seed=0, name=f"dropout_{index}")(hidden)
    summary = None
    if settings.loss == "inferno":
        outputs = keras.layers.Dense(settings.sensitivity.bins, name="summary")(hidden)
        shares = keras.layers.Activation("softmax", name="shares")(outputs)
        summary = keras.Model(inputs, shares, name="summary_of_body")
        logit = MeanBin(name="logit")(shares)
    else:
        logit = keras.layers.Dense(classes.outputs, name="logit")(hidden)
    if settings.logit_bound is not None and summary is None:
        bound = settings.logit_bound * (0.5 if classes.softmax else 1.0)
        logit = BoundedLogit(bound, name="bounded_logit")(logit)
    body = keras.Model(inputs, logit, name="body")

    features = keras.Input((len(flags),), name="features")
    score = _normalise(classes, body(standardise(features)))
    whole = keras.Model(features, score, name="taipan")
    return Network(whole, standardise, body, classes, summary)


def _normalise(classes: Classes, logits: Any) -> Any:
    """Turn logits into scores: a probability each, of all classes together one."""
    name = "softmax" if classes.softmax else "sigmoid"
    return keras.layers.Activation(name, name="score")(logits)


def average_networks(networks: Sequence[Network]) -> Any:
    """Build the model whose score is that of the mean logit of networks; shares their layers.

    Parameters
    ----------
    networks
        Of :func:`build_network`, for the same features. One alone gives its own model.
    """
    if len(networks) == 1:
        return networks[0].score
    features = keras.Input(networks[0].score.input_shape[1:], name="features")
    logits = []
    for index, network in enumerate(networks):
        raw = keras.Input(features.shape[1:])
        logit = network.body(network.standardise(raw))
        logits.append(keras.Model(raw, logit, name=f"network_{index}")(features))
    mean = keras.layers.Average(name="mean_logit")(logits)
    score = _normalise(networks[0].classes, mean)
    return keras.Model(features, score, name="score_of_mean_logit")


def _embed(inputs: Any, encoded: Mapping[int, Categorical]) -> Any:
    """Replace the indicators of features with an embedding by its row of numbers."""
    if not any(item.encoding == "embedding" for item in encoded.values()):
        return inputs
    start = inputs.shape[1] - sum(len(item.values) for item in encoded.values())
    pieces = [inputs[:, :start]]
    for column, item in encoded.items():
        stop = start + len(item.values)
        piece = inputs[:, start:stop]
        if item.encoding == "embedding":
            size, name = -(-len(item.values) // 2), f"embedding_{column}"
            piece = keras.layers.Dense(size, use_bias=False, name=name)(piece)
        pieces.append(piece)
        start = stop
    return keras.layers.Concatenate(name="embedded")(pieces)


def initialise(network: Network, seed: int) -> None:
    """Give the body new weights and dropout states that depend on `seed` alone.

    Glorot's uniform distribution for kernels (AISTATS 2010), zero for biases.
    """
    initialise_layers(network.body, seed)


def initialise_layers(model: Any, seed: int) -> None:
    """Do the same with the layers of any Keras model."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            draw = keras.initializers.GlorotUniform(seed=derive_seed(seed, layer.name))
            layer.kernel.assign(draw(layer.kernel.shape))
            if layer.bias is not None:
                layer.bias.assign(ops.zeros(layer.bias.shape))
        elif isinstance(layer, keras.layers.Dropout):
            state = layer.seed_generator.state
            state.assign([derive_seed(seed, layer.name), 0])
