"""Training of the networks of k folds in one process.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.overtraining import OvertrainingCondition
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.adversary.engine import AdversarialEngine
from taipan.nn.adversary.events import Opponent
from taipan.nn.data import Split, TrainingSet, check_split, split_networks
from taipan.nn.engine import Engine, prepare_tensorflow
from taipan.nn.export import export_network
from taipan.nn.loop import Hook, fit_network
from taipan.nn.model import Network, average_networks, build_network
from taipan.nn.model_card import ModelCard, pick_reference
from taipan.nn.plan import Fitted, Loaded, Plan
from taipan.nn.record import Trained, describe_network, write_record
from taipan.nn.reference import fit_reference
from taipan.nn.sensitivity.engine import SensitivityEngine
from taipan.nn.sensitivity.linear import LinearEvents, split_events
from taipan.nn.weights.transform import order_events
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)


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


def train_network(
    training_set: TrainingSet,
    settings: Training,
    seed: int,
    models: Sequence[Path],
    record: Path,
    provenance: Mapping[str, str] | None = None,
    threads: int = 1,
    transformed: NDArray[np.float64] | None = None,
    conditions: Sequence[OvertrainingCondition] = (),
    used: Sequence[bool] = (),
    checkpoints: Path | None = None,
    opponents: Sequence[Opponent] = (),
    linear: LinearEvents | None = None,
) -> None:
    """Train the networks of k folds and write them with their record.

    Network j of fold i is applied to fold i, stopped by fold (i+j) mod k and trained on the rest
    (:func:`~taipan.nn.data.split_folds`); the score is that of the mean logit of the networks of a
    fold. Loss: binary cross-entropy of the bounded logit with
    signed weights, normalised once for all events. The weights of the epoch with the best
    validation metric among those not overtrained are kept. Same events in any order, settings and
    seed: same bytes, whether or not the training was interrupted.

    Parameters
    ----------
    training_set
        Events of all folds.
    settings
        Section `training` of the configuration.
    seed
        Seed of this training.
    models
        ONNX file of each fold, in the order of the folds.
    record
        JSON file for settings, counts and histories.
    provenance
        Strings to write into the files; a checkpoint of others is not used.
    threads
        Networks that are trained at a time, if there are no opponents; results do not depend on
        it.
    transformed
        Shape (m, n), physical weights of the loss of m networks, for the methods of negative
        weights that are stages of their own (:func:`~taipan.nn.weights.transform.loss_weights`).
    conditions
        Conditions under which an epoch is overtrained.
    used
        For each feature, whether the networks see it; all if empty.
    checkpoints
        Folder of checkpoints, from which a killed training goes on; removed at the end.
    opponents
        What the networks are trained against; none for the plain training.
    linear
        Events as the fit sees them, for a loss of the fit.

    Raises
    ------
    TaipanError
        If the training set is unusable (see :meth:`~taipan.nn.data.TrainingSet.validate` and
        :func:`~taipan.nn.data.check_split`, for all folds before the first is trained), the
        number of files is not the number of folds, or a training diverges or collapses (names
        fold and epoch).
    """
    if len(models) != settings.folds:
        raise TaipanError(f"training: {len(models)} model files for {settings.folds} folds")
    training_set.validate(settings.folds)
    training_set, physical = order_events(training_set, settings, transformed)
    weights = training_set.training_weights()
    splits = split_networks(training_set.folds, training_set.identifiers, settings)
    for split in splits:
        check_split(training_set, weights, split)
        if linear is not None:
            for part in split_events(linear, split, settings.folds):
                part.check_bins(settings.sensitivity.bins, f"the training of {split.name}")
    # Networks against an adversary are trained one by one: their repetitions may differ otherwise.
    workers = 1 if opponents else min(threads, len(splits))
    prepare_tensorflow(workers)
    code = json.dumps(dict(provenance or {}), sort_keys=True)
    plan = FoldPlan(settings, tuple(conditions), used=tuple(used), code=code)
    reference = pick_reference(training_set)
    # Built here, one after the other: Keras names layers by a counter of the process.
    engines: SimpleQueue[Engine] = SimpleQueue()
    for _ in range(workers):
        engines.put(make_engine(training_set, settings, opponents, linear))
    failed = Event()

    def train_one(
        split: Split, of_loss: NDArray[np.float64]
    ) -> tuple[dict[str, Any], list[list[NDArray[Any]]]]:
        if failed.is_set():  # in a network that began earlier, whose error is reported
            raise CancelledError
        own_seed = _network_seed(seed, split)
        engine = engines.get()
        try:
            trained = train_fold(
                engine,
                training_set,
                weights,
                split,
                plan,
                own_seed,
                checkpoint=checkpoints / f"{_file_name(split)}.npz" if checkpoints else None,
                of_loss=training_set.training_weights(of_loss),
            )
            found = engine.network.get_weights()
        except BaseException:
            failed.set()
            raise
        finally:
            engines.put(engine)
        described = describe_network(trained, training_set, split, settings)
        return {**described, "seed": own_seed}, found

    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(train_one, splits, physical))
    members = [make_network(training_set, settings) for _ in range(settings.networks)]
    score = average_networks(members)
    for fold, path in enumerate(models):
        of_fold = [item for split, item in zip(splits, results, strict=True) if split.fold == fold]
        for member, (_, values) in zip(members, of_fold, strict=True):
            member.set_weights(values)
        card = ModelCard(
            features=training_set.names,
            may_be_missing=training_set.missing_flags,
            fold=fold,
            folds=settings.folds,
            seed=of_fold[0][0]["seed"],
            provenance=dict(provenance or {}),
            networks=settings.networks,
            classes=training_set.classes,
        )
        export_network(score, path, card, reference)
        written = {"model": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for described, _ in of_fold:
            described.update(written)
    about = Trained(training_set, settings, conditions, seed, provenance or {}, used)
    written_networks = [found for found, _ in results]
    write_record(record, about, written_networks, [item.describe() for item in opponents])
    if checkpoints is not None:
        shutil.rmtree(checkpoints, ignore_errors=True)


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
    network = make_network(training_set, settings)
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
        settings=plan.settings,
        conditions=plan.conditions,
        totals=training_set.class_totals(~split.held_out),
        metric=plan.metric,
        code=plan.code,
    )
    for item in engine.trainings(loop, split):
        path, used = checkpoint, hooks
        if item.preliminary:
            used = ()
            path = checkpoint.with_suffix(".baseline.npz") if checkpoint else None
        fitted = fit_network(engine, train, unseen, item, used, path)
    return fitted


def _network_seed(seed: int, split: Split) -> int:
    further = () if split.turn == 1 else (split.turn,)
    return derive_seed(seed, "fold", split.fold, *further)


def _file_name(split: Split) -> str:
    return f"fold{split.fold}" + (f"-{split.turn}" if split.turn > 1 else "")
