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
from taipan.nn.adversary.events import Opponent
from taipan.nn.data import Split, TrainingSet, check_split, split_networks
from taipan.nn.engine import Engine, prepare_tensorflow
from taipan.nn.export import export_network
from taipan.nn.fold import FoldPlan, make_engine, make_network, train_fold
from taipan.nn.model import average_networks
from taipan.nn.model_card import ModelCard, pick_reference
from taipan.nn.plan import LayerWeights
from taipan.nn.pretrained import (
    PretrainedFold,
    Start,
    describe_interface,
    read_starts,
    write_pretrained,
)
from taipan.nn.record import Trained, describe_network, write_record
from taipan.nn.sensitivity.linear import LinearEvents, split_events
from taipan.nn.weights.transform import order_events
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedNetworks:
    """The networks of all folds, in the order of :func:`~taipan.nn.data.split_networks`.

    Attributes
    ----------
    training_set
        Events in the order in which they were trained on.
    splits
        Events of each network.
    described
        Entry of each network in the record.
    weights
        Of each network, as :meth:`~taipan.nn.model.Network.get_weights` gives them.
    """

    training_set: TrainingSet
    splits: list[Split]
    described: list[dict[str, Any]]
    weights: list[LayerWeights]


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
    pretrained: Sequence[Path] = (),
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
    pretrained
        File of each fold with the networks to begin with (:func:`pretrain_network`); none to begin
        with random ones.

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
    code = json.dumps(dict(provenance or {}), sort_keys=True)
    plan = FoldPlan(settings, tuple(conditions), used=tuple(used), code=code)
    found = fit_networks(
        training_set, plan, seed, threads, transformed, checkpoints, opponents, linear, pretrained
    )
    _export(found, settings, models, provenance or {})
    about = Trained(found.training_set, settings, conditions, seed, provenance or {}, used)
    write_record(record, about, found.described, [item.describe() for item in opponents])
    if checkpoints is not None:
        shutil.rmtree(checkpoints, ignore_errors=True)


def fit_networks(
    training_set: TrainingSet,
    plan: FoldPlan,
    seed: int,
    threads: int = 1,
    transformed: NDArray[np.float64] | None = None,
    checkpoints: Path | None = None,
    opponents: Sequence[Opponent] = (),
    linear: LinearEvents | None = None,
    pretrained: Sequence[Path] = (),
) -> FittedNetworks:
    """Train the networks of k folds.

    Parameters
    ----------
    training_set, seed, threads, transformed, checkpoints, opponents, linear, pretrained
        As of :func:`train_network`.
    plan
        Settings, conditions and features.

    Raises
    ------
    TaipanError
        As :func:`train_network`.
    """
    settings = plan.settings
    training_set.validate(settings.folds)
    training_set, physical = order_events(training_set, settings, transformed)
    weights = training_set.training_weights()
    splits = split_networks(training_set.folds, training_set.identifiers, settings)
    for split in splits:
        check_split(training_set, weights, split)
        if linear is not None:
            for part in split_events(linear, split, settings.folds):
                part.check_bins(settings.sensitivity.bins, f"the training of {split.name}")
    starts = read_starts(pretrained, training_set, splits, settings)
    # Networks against an adversary are trained one by one: their repetitions may differ otherwise.
    workers = 1 if opponents else min(threads, len(splits))
    prepare_tensorflow(workers)
    # Built here, one after the other: Keras names layers by a counter of the process.
    engines: SimpleQueue[Engine] = SimpleQueue()
    for _ in range(workers):
        engines.put(make_engine(training_set, settings, opponents, linear))
    failed = Event()

    def train_one(
        split: Split, of_loss: NDArray[np.float64], start: Start | None
    ) -> tuple[dict[str, Any], LayerWeights]:
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
                start=start,
            )
            found = engine.network.get_weights()
        except BaseException:
            failed.set()
            raise
        finally:
            engines.put(engine)
        described = describe_network(trained, training_set, split, settings.fine_tuning())
        began = {} if start is None else {"pretrained": start.describe()}
        return {**described, "seed": own_seed, **began}, found

    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(train_one, splits, physical, starts))
    return FittedNetworks(training_set, splits, *map(list, zip(*results, strict=True)))


def _export(
    found: FittedNetworks,
    settings: Training,
    models: Sequence[Path],
    provenance: Mapping[str, str],
) -> None:
    """Write an ONNX file a fold, and name it in what is recorded of its networks."""
    events = found.training_set
    reference = pick_reference(events)
    members = [make_network(events, settings) for _ in range(settings.networks_of_fold)]
    score = average_networks(members)
    for fold, path in enumerate(models):
        own = [index for index, split in enumerate(found.splits) if split.fold == fold]
        for member, index in zip(members, own, strict=True):
            member.set_weights(found.weights[index])
        card = ModelCard(
            features=events.names,
            may_be_missing=events.missing_flags,
            fold=fold,
            folds=settings.folds,
            seed=found.described[own[0]]["seed"],
            provenance=dict(provenance),
            networks=settings.networks,
            classes=events.classes,
        )
        export_network(score, path, card, reference)
        written = {"model": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for index in own:
            found.described[index].update(written)


def _network_seed(seed: int, split: Split) -> int:
    further: tuple[int, ...] = () if split.turn == 1 else (split.turn,)
    if split.repeat > 1:
        further = (split.turn, split.repeat)
    return derive_seed(seed, "fold", split.fold, *further)


def _file_name(split: Split) -> str:
    of_turn = f"-{split.turn}" if split.turn > 1 else ""
    return f"fold{split.fold}{of_turn}" + (f"-seed{split.repeat}" if split.repeat > 1 else "")


def pretrain_network(
    training_set: TrainingSet,
    settings: Training,
    seed: int,
    networks: Sequence[Path],
    record: Path,
    provenance: Mapping[str, str] | None = None,
    threads: int = 1,
    transformed: NDArray[np.float64] | None = None,
    conditions: Sequence[OvertrainingCondition] = (),
    checkpoints: Path | None = None,
) -> None:
    """Train the networks of k folds for others to begin with, and write their weights.

    The folds are kept apart as in :func:`train_network`: an event that the other training has, too,
    is in the same fold there, so that no network that it is applied to has seen it.

    Parameters
    ----------
    training_set, settings, seed, record, provenance, threads, transformed, conditions, checkpoints
        As of :func:`train_network`.
    networks
        NumPy file of each fold (:mod:`taipan.nn.pretrained`), in the order of the folds.

    Raises
    ------
    TaipanError
        As :func:`train_network`.
    """
    if len(networks) != settings.folds:
        raise TaipanError(f"training: {len(networks)} files for {settings.folds} folds")
    code = json.dumps(dict(provenance or {}), sort_keys=True)
    plan = FoldPlan(settings, tuple(conditions), code=code)
    found = fit_networks(training_set, plan, seed, threads, transformed, checkpoints)
    interface = describe_interface(found.training_set, settings)
    for fold, path in enumerate(networks):
        own = [index for index, split in enumerate(found.splits) if split.fold == fold]
        weights = [found.weights[index] for index in own]
        write_pretrained(path, PretrainedFold(fold, interface, weights, provenance or {}))
    about = Trained(found.training_set, settings, conditions, seed, provenance or {})
    write_record(record, about, found.described)
    if checkpoints is not None:
        shutil.rmtree(checkpoints, ignore_errors=True)
