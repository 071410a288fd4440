"""Training of the k networks in one process.

Imports TensorFlow: used by training alone.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.atomic import write_json
from taipan.config.model import Training
from taipan.errors import TaipanError
from taipan.nn import metrics
from taipan.nn.data import CLASSES, Split, TrainingSet, split_folds, standardisation
from taipan.nn.engine import Engine, Events, prepare_tensorflow
from taipan.nn.export import ModelCard, export_network
from taipan.nn.model import build_network
from taipan.nn.weights.guard import check_epoch, guard_unbounded, smallest_batch_sumw
from taipan.nn.weights.transform import loss_weights
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)

_LOG_EVERY = 10  # epochs between lines of the log
_SMALLEST_SPREAD = 1e-6  # all scores of a fold within this: the network says nothing
_REFERENCE_EVENTS = 1000  # events on which ONNX and Keras are compared


@dataclass(frozen=True)
class TrainedFold:
    """What is recorded of one network: best epoch and the history up to the last."""

    split: Split
    seed: int
    best_epoch: int
    history: Mapping[str, list[float]]


def train_network(
    training_set: TrainingSet,
    settings: Training,
    seed: int,
    models: Sequence[Path],
    record: Path,
    provenance: Mapping[str, str] | None = None,
    threads: int = 1,
    transformed: NDArray[np.float64] | None = None,
) -> None:
    """Train k networks and write them with their record.

    Network i is applied to fold i, stopped by fold (i+1) mod k and trained on the rest
    (:func:`~taipan.nn.data.split_folds`). Loss: binary cross-entropy of the bounded logit with
    signed weights, normalised once for all events. The weights of the epoch with the best
    validation metric are kept. Same events in any order, settings and seed: same bytes.

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
        Strings to write into the files.
    threads
        Threads of TensorFlow; results do not depend on it.
    transformed
        Shape (k, n), physical weights of the loss for the methods of negative weights that are
        stages of their own (:func:`~taipan.nn.weights.transform.loss_weights`).

    Raises
    ------
    TaipanError
        If the training set is unusable (see :meth:`~taipan.nn.data.TrainingSet.validate`), the
        number of files is not the number of folds, or a training diverges or collapses (names
        fold and epoch).
    """
    if len(models) != settings.folds:
        raise TaipanError(f"training: {len(models)} model files for {settings.folds} folds")
    training_set.validate(settings.folds)
    order = training_set.canonical_order()  # nothing depends on the order of the files
    training_set = training_set.take(order)
    weights = training_set.training_weights()
    physical = loss_weights(
        training_set, settings, None if transformed is None else transformed[:, order]
    )
    prepare_tensorflow(threads)
    engine = Engine(build_network(training_set.missing_flags, settings), settings)
    reference = _reference_events(training_set)
    networks = []
    for fold, path in enumerate(models):
        fold_seed = derive_seed(seed, "fold", fold)
        split = split_folds(training_set.folds, training_set.identifiers, fold, settings.folds)
        of_loss = training_set.training_weights(physical[fold])
        trained = _train_fold(engine, training_set, weights, of_loss, split, settings, fold_seed)
        card = ModelCard(
            features=training_set.names,
            may_be_missing=training_set.missing_flags,
            fold=fold,
            folds=settings.folds,
            seed=fold_seed,
            provenance=dict(provenance or {}),
        )
        export_network(engine.network, path, card, reference)
        networks.append(_describe_fold(trained, training_set, path, settings))
    write_json(
        record,
        {
            "features": list(training_set.names),
            "may_be_missing": list(training_set.missing_flags),
            "settings": settings.model_dump(mode="json"),
            "seed": seed,
            "provenance": dict(provenance or {}),
            "samples": _describe_samples(training_set, weights),
            "networks": networks,
        },
    )


def _train_fold(
    engine: Engine,
    training_set: TrainingSet,
    weights: NDArray[np.float64],
    of_loss: NDArray[np.float64],
    split: Split,
    settings: Training,
    seed: int,
) -> TrainedFold:
    """Train one network; leaves the weights of its best epoch in the engine's network.

    The loss has the weights `of_loss`; metrics have the signed `weights`.
    """
    _check_split(training_set, split)
    training, validation = np.flatnonzero(split.training), np.flatnonzero(split.validation)
    engine.reset(seed)
    engine.network.standardise.set_constants(
        standardisation(
            training_set.features[training], weights[training], training_set.names, split.fold
        )
    )
    loaded = {
        name: engine.load(training_set.features[rows], training_set.labels[rows], of_loss[rows])
        for name, rows in (("train", training), ("validation", validation))
    }
    in_loss = np.flatnonzero(of_loss[training])  # events without weight take no part
    rows = {"train": training, "validation": validation}
    generator = np.random.default_rng(derive_seed(seed, "shuffle"))
    history: dict[str, list[float]] = {}
    best_value, best_epoch, best_weights = np.inf, -1, engine.network.body.get_weights()
    for epoch in range(settings.epochs):
        order = generator.permutation(in_loss).astype(np.int32)
        values = {
            "loss": engine.train_epoch(loaded["train"], order),
            "smallest_batch_sumw": smallest_batch_sumw(
                of_loss[training], order, settings.batch_size
            ),
        }
        if not np.isfinite(values["loss"]):
            raise TaipanError(
                f"training of fold {split.fold} diverged in epoch {epoch}: "
                f"loss is {values['loss']}; lower training.learning_rate"
            )
        for name, events in loaded.items():
            labels, kept = training_set.labels[rows[name]], weights[rows[name]]
            scores = _checked_scores(engine, events, split.fold, epoch)
            if name == "train" and guard_unbounded(settings):
                check_epoch(values["loss"], engine.logits(events), split.fold, epoch)
            values[f"{name}_bce"] = metrics.bce(labels, scores, kept)
            values[f"{name}_brier"] = metrics.brier(labels, scores, kept)
            values[f"{name}_auc"] = metrics.auc(labels, scores, kept)
        for key, value in values.items():
            history.setdefault(key, []).append(value)
        key = settings.early_stopping_metric.removeprefix("bounded_")
        if values[f"validation_{key}"] < best_value:
            best_value, best_epoch = values[f"validation_{key}"], epoch
            best_weights = engine.network.body.get_weights()
        if epoch % _LOG_EVERY == 0:
            _log_epoch(split.fold, epoch, values)
        if epoch - best_epoch >= settings.patience:
            break
    engine.network.body.set_weights(best_weights)
    logger.info(
        "fold %d: %d epochs, best %d with validation %s %.5f, auc %.4f",
        split.fold,
        len(history["loss"]),
        best_epoch,
        settings.early_stopping_metric,
        best_value,
        history["validation_auc"][best_epoch],
    )
    return TrainedFold(split, seed, best_epoch, history)


def _log_epoch(fold: int, epoch: int, values: Mapping[str, float]) -> None:
    logger.info(
        "fold %d epoch %d: loss %.5f, bce %.5f train %.5f validation, auc %.4f train "
        "%.4f validation",
        fold,
        epoch,
        values["loss"],
        values["train_bce"],
        values["validation_bce"],
        values["train_auc"],
        values["validation_auc"],
    )


def _checked_scores(engine: Engine, events: Events, fold: int, epoch: int) -> NDArray[np.float64]:
    scores = engine.predict(events)
    if not np.all(np.isfinite(scores)):
        raise TaipanError(
            f"training of fold {fold} diverged in epoch {epoch}: "
            f"{int(np.sum(~np.isfinite(scores)))} scores are not finite"
        )
    spread = float(np.ptp(scores))
    if spread < _SMALLEST_SPREAD:
        raise TaipanError(
            f"training of fold {fold} collapsed in epoch {epoch}: all scores are "
            f"{float(scores[0]):.6g} (spread {spread:.3g})"
        )
    return scores


def _check_split(training_set: TrainingSet, split: Split) -> None:
    """Check both classes in the training and validation parts, which two folds cut further."""
    for part, mask in (("training", split.training), ("validation", split.validation)):
        for label, class_name in enumerate(CLASSES):
            total = float(training_set.weights[mask & (training_set.labels == label)].sum())
            if total <= 0.0:
                raise TaipanError(
                    f"training of fold {split.fold}: sum of weights of {class_name} in the {part} "
                    f"events is {total:.6g}, must be positive"
                )


def _reference_events(training_set: TrainingSet) -> NDArray[np.float32]:
    """Pick events for the check of the export: evenly spread, and each pattern of missing ones."""
    spread = np.linspace(0, len(training_set) - 1, _REFERENCE_EVENTS).astype(np.int64)
    _, patterns = np.unique(np.isnan(training_set.features), axis=0, return_index=True)
    chosen = np.unique(np.concatenate([spread, patterns]))
    all_missing = np.where(training_set.missing_flags, np.nan, training_set.features[:1])
    return np.vstack([training_set.features[chosen], all_missing]).astype(np.float32)


def _describe_fold(
    trained: TrainedFold, training_set: TrainingSet, path: Path, settings: Training
) -> dict[str, Any]:
    split = trained.split
    parts = {"train": split.training, "validation": split.validation, "held_out": split.held_out}
    return {
        "fold": split.fold,
        "seed": trained.seed,
        "model": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "epochs": len(trained.history["loss"]),
        "best_epoch": trained.best_epoch,
        "stopped_early": len(trained.history["loss"]) < settings.epochs,
        "events": {
            part: {
                class_name: metrics.describe_weights(
                    training_set.weights[mask & (training_set.labels == label)]
                )
                for label, class_name in enumerate(CLASSES)
            }
            for part, mask in parts.items()
        },
        "history": dict(trained.history),
    }


def _describe_samples(
    training_set: TrainingSet, weights: NDArray[np.float64]
) -> dict[str, dict[str, Any]]:
    described = {}
    for sample in np.unique(training_set.samples):
        chosen = training_set.samples == sample
        described[str(sample)] = {
            **metrics.describe_weights(training_set.weights[chosen]),
            "sumw_training": float(weights[chosen].sum()),
        }
    return described
