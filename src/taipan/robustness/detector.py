"""A network that tells attacked events from clean ones, and what attacks are worth against it.

After CONSERVAttack (arXiv:2603.13970): 128, 64 and 32 units, clean events against those that were
fooled. Its clean efficiency is given for signal and for background: a network that takes all
background for attacked would look perfect if only clean signal were asked. An event and what an
attack made of it are in the same fold, and the events that a detector is judged on come from
another run of the attack. Imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.observables import Categorical
from taipan.config.sections.training import Training
from taipan.nn.data import TrainingSet, uniform_hash
from taipan.nn.fold import FoldPlan, make_engine
from taipan.nn.train import FittedNetworks, fit_networks
from taipan.robustness.attacked import AttackedEvents, Flags
from taipan.robustness.model import share

Array = NDArray[np.float64]

FEWEST_FOOLED = 60
"""Fooled events without which no detector is trained."""
CLASSES = ("background", "signal")
SETTINGS = Training(
    folds=3,
    networks=1,
    hidden_layers=[128, 64, 32],
    activation="relu",
    dropout=0.0,
    l2=1e-4,
    batch_size=256,
    learning_rate=1e-3,
    epochs=60,
    patience=10,
    checkpoint_every=0,
)
"""The detector; `folds` parts of the events, each judged by a network that never saw it."""


@dataclass(frozen=True)
class Detection:
    """What a detector finds, of the events of a class.

    Attributes
    ----------
    clean_efficiency
        Share of the weight of clean events that it leaves.
    rejection
        Share of the weight of fooled events that it finds.
    fooled
        Share of the weight of right events that the attack fools.
    corrected
        The same of those that are fooled and not found.
    """

    clean_efficiency: float
    rejection: float
    fooled: float
    corrected: float


def train_detector(
    events: AttackedEvents,
    names: Sequence[str],
    categorical: Mapping[str, Categorical],
    seed: int,
    threads: int = 1,
    settings: Training = SETTINGS,
) -> tuple[Flags, Flags]:
    """Train a detector on the first run of an attack, and ask it about the second.

    Parameters
    ----------
    events
        Events of both classes.
    names, categorical
        Features.
    seed, threads
        Seed of the folds and networks; threads of TensorFlow.
    settings
        Section `training` of the detector.

    Returns
    -------
    clean, second
        Whether it takes the clean events, and those of the second run, for attacked: shape
        ``(n,)``. Each is judged by a network that was not trained on it, nor on what the attack
        made of it.
    """
    n = len(events.weights)
    folds = (uniform_hash(np.arange(n, dtype=np.uint64) + np.uint64(seed)) * settings.folds).astype(
        np.int64
    )
    rows = np.concatenate([np.arange(n), np.flatnonzero(events.fooled_first)])
    labels = np.concatenate([np.zeros(n, np.int64), np.ones(len(rows) - n, np.int64)])
    features = np.concatenate([events.clean, events.first[rows[n:]]]).astype(np.float32)
    training_set = TrainingSet(
        features,
        tuple(names),
        labels,
        np.ones(len(rows)),
        folds[rows],
        labels.astype(str),
        rows.astype(np.uint64),
        tuple(np.isnan(np.concatenate([features, events.second])).any(axis=0).tolist()),
        dict(categorical),
    )
    found = fit_networks(training_set, FoldPlan(settings), seed, threads)
    return _ask(found, settings, events.clean, folds), _ask(found, settings, events.second, folds)


def _ask(
    found: FittedNetworks, settings: Training, events: Array, folds: NDArray[np.int64]
) -> Flags:
    """Say which events the network of their fold takes for attacked."""
    engine = make_engine(found.training_set, settings)
    flagged = np.zeros(len(events), dtype=bool)
    for split, weights in zip(found.splits, found.weights, strict=True):
        engine.network.set_weights(weights)
        rows = np.flatnonzero(folds == split.fold)
        none = np.zeros(len(rows))
        loaded = engine.load(events[rows].astype(np.float32), none, none)
        flagged[rows] = engine.predict(loaded) >= 0.5
    return flagged


def measure_detection(
    events: AttackedEvents, clean: Flags, attacked: Flags
) -> dict[str, Detection]:
    """Measure a detector on the events of each class.

    Parameters
    ----------
    events
        Events of both classes.
    clean, attacked
        Which clean events, and which of the second run, it takes for attacked; shape ``(n,)``.
    """
    result = {}
    for name, chosen in zip(CLASSES, (~events.is_signal, events.is_signal), strict=True):
        fooled = events.fooled_second & chosen
        right = events.right & chosen
        result[name] = Detection(
            share(events.weights, ~clean, chosen),
            share(events.weights, attacked, fooled),
            share(events.weights, fooled, right),
            share(events.weights, fooled & ~attacked, right),
        )
    return result
