"""Weights learned from the features: refinement and neural resampling.

Imports TensorFlow: used by the stages that train alone.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.data import FloatArray, TrainingSet, uniform_hash
from taipan.nn.engine import Engine, prepare_tensorflow
from taipan.nn.model import build_network
from taipan.nn.standardisation import measure_spread
from taipan.nn.weights.transform import (
    Process,
    WeightMethod,
    transform_for_networks,
    transform_weights,
    untrained_method,
)
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)

_STOPPING_SHARE = 0.25  # of the events a network may see, to pick its best epoch


class WeightNetworks:
    """Trains the small networks that weights are taken from, each event by one that never saw it.

    A network knows the events that it is trained on and nothing else: they also give the constants
    that standardise its inputs.

    Parameters
    ----------
    training_set
        Gives names and kinds of the features.
    settings
        Section `training`; its part `refinement` sets the networks.
    seed
        Seed of all of them.
    """

    def __init__(self, training_set: TrainingSet, settings: Training, seed: int) -> None:
        own = settings.refinement.model_dump(exclude={"parts"})
        self._settings = settings.model_copy(
            update={**own, "loss": "crossentropy", "dropout": 0.0, "logit_bound": 6.0}
        )
        self._parts = settings.refinement.parts
        self._seed = seed
        names = training_set.names
        categorical = {names.index(name): item for name, item in training_set.categorical.items()}
        network = build_network(training_set.missing_flags, self._settings, categorical)
        self._engine = Engine(network, self._settings)
        self.diagnostics: list[dict[str, Any]] = []

    @property
    def method(self) -> WeightMethod:
        """The method of `training.negative_weights`: `refine` or `resample`."""
        methods: dict[str, WeightMethod] = {"refine": self.refine, "resample": self.resample}
        return methods[self._settings.negative_weights]

    def refine(self, process: Process) -> FloatArray:
        """Replace the sign of each weight by its mean given the features.

        A network learns the probability p that an event is positive, from events of weight |w|;
        the weight becomes |w|(2p - 1), cut at 0 (Nachman and Noll, arXiv:2505.03724).

        Parameters
        ----------
        process
            Events of one sample.
        """
        size = np.abs(process.weights)
        positive = (process.weights > 0.0).astype(np.int64)
        p, untrained = self._cross_fit(process, "sign", [(positive, size / size.mean())])
        raw = size * (2.0 * p - 1.0)
        new = np.maximum(raw, 0.0)
        self.diagnostics.append(
            {
                "sample": process.sample,
                "events": len(new),
                "events_without_network": untrained,
                "negative_fraction": metrics.negative_fraction(process.weights),
                "auc_of_sign": metrics.auc(positive, p, size),
                "brier": metrics.brier(positive, p, size),
                "brier_of_constant": float(np.average(positive, weights=size))
                * float(np.average(1 - positive, weights=size)),
                "smallest_mean_sign": float((2.0 * p - 1.0).min()),
                "clipped_fraction": float(np.mean(raw < 0.0)),
                "sumw_before": float(process.weights.sum()),
                "sumw_refined": float(raw.sum()),
                "sumw_clipped": float(new.sum()),
            }
        )
        self._log(process, "sumw_clipped")
        return new

    def resample(self, process: Process) -> FloatArray:
        """Keep fewer events, of positive weight, with mean and variance of the weights.

        Two networks learn E[w|x] and E[w²|x] as ratios to the events without weights. An event is
        kept with probability K = E[w|x]²/E[w²|x] and has the weight E[w²|x]/E[w|x]: the means of
        w and w² are those before (Nachman and Thaler, arXiv:2007.11586).

        Parameters
        ----------
        process
            Events of one sample.
        """
        means = {}
        ones = np.ones(len(process.weights))
        labels = np.zeros(len(ones), dtype=np.int64)
        for name, values in (("mean", process.weights), ("square", process.weights**2)):
            scale = float(values.mean())
            p, untrained = self._cross_fit(
                process, name, [(labels + 1, values / scale), (labels, ones)]
            )
            means[name] = scale * p / (1.0 - p)
        keep = means["mean"] ** 2 / means["square"]
        salt = np.uint64(derive_seed(self._seed, "keep", process.sample))
        kept = uniform_hash(process.identifiers ^ salt) < keep
        new = np.where(kept, means["square"] / means["mean"], 0.0)
        self.diagnostics.append(
            {
                "sample": process.sample,
                "events": len(new),
                "events_without_network": untrained,
                "events_kept": int(kept.sum()),
                "negative_fraction": metrics.negative_fraction(process.weights),
                "above_one_fraction": float(np.mean(keep > 1.0)),
                "sumw_before": float(process.weights.sum()),
                "sumw_learned": float(means["mean"].sum()),
                "sumw2_before": float(np.sum(process.weights**2)),
                "sumw2_learned": float(means["square"].sum()),
                "sumw_resampled": float(new.sum()),
            }
        )
        self._log(process, "sumw_resampled")
        return new

    def _log(self, process: Process, key: str) -> None:
        found = self.diagnostics[-1]
        if found["events_without_network"]:
            logger.warning(
                "%s: %d of %d training events have the mean of the others: too few to train on",
                process.sample,
                found["events_without_network"],
                found["events"],
            )
        logger.info(
            "%s: %d training events, Σw %.6g before and %.6g after, before it is scaled",
            process.sample,
            found["events"],
            found["sumw_before"],
            found[key],
        )

    def _cross_fit(
        self, process: Process, name: str, classes: list[tuple[NDArray[Any], FloatArray]]
    ) -> tuple[FloatArray, int]:
        """Give the probability of label 1 for each event, from a network that never saw it.

        `classes` holds labels and weights (n,) of the events, once or several times. Where the
        other parts are too small for a network and its best epoch, the probability is their mean;
        the number of these events is given, too.
        """
        seed = derive_seed(self._seed, process.sample, name, len(self.diagnostics))
        salt = np.uint64(derive_seed(seed, "parts"))
        drawn = uniform_hash(process.identifiers ^ salt) * self._parts
        parts = drawn.astype(np.int64)
        stopping = drawn - parts < _STOPPING_SHARE
        probabilities, untrained = np.empty(len(process.weights)), 0
        for part in range(self._parts):
            rows = np.flatnonzero(parts == part)
            if not len(rows):
                continue
            training, held = (parts != part) & ~stopping, (parts != part) & stopping
            if training.any() and held.any():
                self._engine.reset(derive_seed(seed, "part", part))
                self._fit(process, classes, training, held)
                probabilities[rows] = self._predict(process.features[rows])
            else:
                probabilities[rows] = self._mean_label(process, classes, parts != part)
                untrained += len(rows)
        return probabilities, untrained

    def _mean_label(
        self,
        process: Process,
        classes: list[tuple[NDArray[Any], FloatArray]],
        others: NDArray[np.bool_],
    ) -> float:
        total = sum(float(weights[others].sum()) for _, weights in classes)
        share = sum(float((labels * weights)[others].sum()) for labels, weights in classes)
        if not 0.0 < share <= total:
            raise TaipanError(
                f"training.negative_weights: '{self._settings.negative_weights}' cannot learn the "
                f"weights of sample '{process.sample}', which has {len(process.weights)} training "
                "events; allowed here: signed_bounded, cell"
            )
        return share / total

    def _predict(self, features: NDArray[np.float32]) -> FloatArray:
        zeros = np.zeros(len(features))
        return self._engine.predict(self._engine.load(features, zeros, zeros))

    def _fit(
        self,
        process: Process,
        classes: list[tuple[NDArray[Any], FloatArray]],
        training: NDArray[np.bool_],
        stopping: NDArray[np.bool_],
    ) -> None:
        def stack(mask: NDArray[np.bool_]) -> tuple[Any, Any, Any]:
            features = np.concatenate([process.features[mask]] * len(classes))
            labels = np.concatenate([labels[mask] for labels, _ in classes])
            return features, labels, np.concatenate([values[mask] for _, values in classes])

        engine, body = self._engine, self._engine.network.body
        # of these events alone; a feature that is constant in them says nothing
        constants = measure_spread(process.features[training], process.weights[training])
        engine.network.standardise.set_constants(constants)
        features, labels, weights = stack(training)
        loaded = engine.load(features, labels, weights)
        held, held_labels, held_weights = stack(stopping)
        held_loaded = engine.load(held, held_labels, held_weights)
        generator = np.random.default_rng(derive_seed(self._seed, "shuffle"))
        best, best_epoch, best_weights = np.inf, -1, body.get_weights()
        for epoch in range(self._settings.epochs):
            engine.train_epoch(loaded, generator.permutation(len(labels)).astype(np.int32))
            scores = engine.predict(held_loaded)
            # Σw of the held-out events is a constant, so its sign does not matter here.
            value = float(np.sum(held_weights * (scores - held_labels) ** 2))
            if value < best:
                best, best_epoch, best_weights = value, epoch, body.get_weights()
            if epoch - best_epoch >= self._settings.patience:
                break
        body.set_weights(best_weights)


def learn_weights(
    training_set: TrainingSet, settings: Training, seed: int, threads: int = 1
) -> tuple[FloatArray, list[dict[str, Any]]]:
    """Transform the weights of every network's training events by `refine` or `resample`.

    Parameters
    ----------
    training_set
        Events of all folds.
    settings
        Section `training` of the configuration.
    seed
        Seed of the networks.
    threads
        Threads of TensorFlow.

    Returns
    -------
    numpy.ndarray
        Shape (m, n), see :func:`~taipan.nn.weights.transform.transform_for_networks`.
    list of dict
        What was found for each network and sample.

    Raises
    ------
    TaipanError
        If a sample with negative weights has no positive Σw.
    """
    prepare_tensorflow(threads)
    networks = WeightNetworks(training_set, settings, seed)
    weights = transform_for_networks(training_set, settings, networks.method)
    return weights, networks.diagnostics


def weigh_training_events(
    training_set: TrainingSet, training: NDArray[np.bool_], settings: Training, seed: int
) -> FloatArray:
    """Give the physical weights of the loss of one network, by any method.

    Parameters
    ----------
    training_set
        The n events.
    training
        Shape (n,), the events that the network is trained on; they alone make the weights.
    settings
        Section `training` of the configuration.
    seed
        Seed of the networks of `refine` and `resample`.

    Returns
    -------
    numpy.ndarray
        Shape (n,); events that the network is not trained on have their signed weights.

    Raises
    ------
    TaipanError
        See :func:`~taipan.nn.weights.transform.transform_weights`.
    """
    name = settings.negative_weights
    if name == "signed_bounded":
        return np.asarray(training_set.weights, dtype=np.float64)
    if name in ("refine", "resample"):
        method = WeightNetworks(training_set, settings, seed).method
    else:
        method = untrained_method(settings)
    return transform_weights(training_set, training, name, method)
