"""Training of one network of a fold.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.nn.adversary.engine import AdversarialEngine
from taipan.nn.adversary.events import Opponent
from taipan.nn.data import Split, TrainingSet, check_split
from taipan.nn.engine import Engine, prepare_tensorflow
from taipan.nn.loop import Hook, fit_network
from taipan.nn.model import Network, build_network
from taipan.nn.plan import Fitted, Loaded, Plan
from taipan.nn.pretrained import Start
from taipan.nn.reference import fit_reference
from taipan.nn.sensitivity.engine import SensitivityEngine
from taipan.nn.sensitivity.linear import LinearEvents

_BUILDING = Lock()
"""Networks are built one after the other: Keras names layers by a counter of the process."""


@dataclass(frozen=True)
class FoldPlan:
    """What a training needs to know besides the events, the same for every fold.

    Parameters
    ----------
    settings
        Section `training` of the configuration.
    conditions
        Conditions under which an epoch is overtrained.
    metric
        Metric of the validation events that picks the epoch; that of the settings if empty.
    used
        For each feature, whether the networks see it; all if empty.
    code
        Version of the code: a checkpoint of another one is not used.
    """

    settings: Training
    conditions: Sequence[OvertrainingCondition] = ()
    metric: str = ""
    used: Sequence[bool] = ()
    code: str = ""


def make_engine(
    training_set: TrainingSet,
    settings: Training,
    opponents: Sequence[Opponent] = (),
    linear: LinearEvents | None = None,
) -> Engine:
    """Build a network for the features of a training set, and its engine.

    Parameters
    ----------
    training_set
        Gives names and kinds of the features.
    settings
        Section `training` of the configuration.
    opponents
        What the network is trained against; none for the plain training.
    linear
        Events as the fit sees them. Without them a loss of the fit is its beginning alone, the
        cross-entropy: so the search has it.
    """
    prepare_tensorflow()
    with _BUILDING:
        network = make_network(training_set, settings)
        network.freeze(settings.pretrain.freeze)
        if opponents:
            return AdversarialEngine(network, settings, opponents)
        if linear is not None:
            return SensitivityEngine(network, settings, linear)
        return Engine(network, settings)


def make_network(training_set: TrainingSet, settings: Training) -> Network:
    """Build a network for the features of a training set.

    Parameters
    ----------
    training_set, settings
        As of :func:`make_engine`.
    """
    names = training_set.names
    categorical = {names.index(name): item for name, item in training_set.categorical.items()}
    flags, classes = training_set.missing_flags, training_set.classes
    return build_network(flags, settings, categorical, classes)


def train_fold(
    engine: Engine,
    training_set: TrainingSet,
    weights: NDArray[np.float64],
    split: Split,
    plan: FoldPlan,
    seed: int,
    hooks: Sequence[Hook] = (),
    checkpoint: Path | None = None,
    of_loss: NDArray[np.float64] | None = None,
    start: Start | None = None,
) -> Fitted:
    """Train one network of a fold; leaves the weights of its best epoch in the engine's network.

    Parameters
    ----------
    engine
        Of :func:`make_engine`; what it was used for before does not matter.
    training_set
        Events; those of the fold itself are not looked at.
    weights
        Signed training weights of all events, shape (n,), for the metrics.
    split
        Events of this network.
    plan
        Settings, conditions, metric and features.
    seed
        Seed of this network.
    hooks, checkpoint
        As in :func:`~taipan.nn.loop.fit_network`.
    of_loss
        Training weights of the loss, shape (n,), where they are not the signed ones. An event of
        weight 0 takes no part in the training.
    start
        Weights to begin with, those of the standardisation among them, in place of random ones.

    Raises
    ------
    TaipanError
        If a class is missing in a part, a feature is constant in it, or the training diverges or
        collapses.
    """
    constants = check_split(training_set, weights, split)
    training, validation = np.flatnonzero(split.training), np.flatnonzero(split.validation)
    engine.reset(seed)
    standardise = engine.network.standardise
    standardise.use(plan.used or (True,) * len(training_set.names))
    standardise.set_constants(constants)
    if start is not None:
        engine.network.set_weights(start.weights)
    in_loss = weights if of_loss is None else of_loss
    score_reference = fit_reference(
        training_set.features[training],
        training_set.labels[training],
        weights[training],
        training_set.classes,
    )
    train, unseen = (
        Loaded(
            engine.load(training_set.features[rows], training_set.labels[rows], in_loss[rows]),
            training_set.labels[rows],
            weights[rows],
            in_loss[rows],
            score_reference(training_set.features[rows]),
        )
        for rows in (training, validation)
    )
    loop = Plan(
        name=split.name,
        seed=seed,
        settings=plan.settings if start is None else plan.settings.fine_tuning(),
        conditions=plan.conditions,
        totals=training_set.class_totals(~split.held_out),
        metric=plan.metric,
        identity="" if start is None else f"{start.sha256} {start.number}",
        code=plan.code,
    )
    for item in engine.trainings(loop, split):
        path, used = checkpoint, hooks
        if item.preliminary:
            used = ()
            path = checkpoint.with_suffix(".baseline.npz") if checkpoint else None
        fitted = fit_network(engine, train, unseen, item, used, path)
    return fitted
