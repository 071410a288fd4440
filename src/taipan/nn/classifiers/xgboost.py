"""Boosted trees of XGBoost, on the folds, signed weights and conditions of the networks.

XGBoost refuses weights below zero, so it is given none: the first and second derivative of the
signed loss are handed to it for each event. A leaf answers -Σg/(Σh + λ) of its events, negative
ones included, which is what their density asks for; `min_child_weight` keeps leaves out whose Σh
is not clearly positive. A round is what an epoch is to a network: after each the metrics, the
overtraining conditions and the rules of stopping are the same.
"""

from __future__ import annotations

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.sections.classifier import BoostedTrees
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.classes import Classes
from taipan.nn.classifiers.registry import ClassifierJob
from taipan.nn.classifiers.trees import Forest, read_forest, write_forest
from taipan.nn.conditions import ScoredPart
from taipan.nn.data import Split, TrainingSet, check_split, split_networks
from taipan.nn.history import History, choose_epoch, stop_reason
from taipan.nn.measure import measure_epoch
from taipan.nn.model_card import ModelCard, pick_reference
from taipan.nn.plan import Fitted, Plan
from taipan.nn.record import Trained, describe_network, write_record
from taipan.nn.weights.transform import order_events
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)

FloatArray = NDArray[np.float64]
_BINS = 256  # of a feature, in which splits are looked for
_ROUNDING = 1e-5  # of an ONNX score against XGBoost's own


def train_classifier(keys: BoostedTrees, job: ClassifierJob) -> None:
    """Train the boosters of every fold and write an ONNX file a fold.

    As with networks, booster j of fold i never sees fold i and is stopped by fold (i+j) mod k, and
    the score is that of the mean margin of the boosters of a fold.

    Parameters
    ----------
    keys
        Section `classifier`.
    job
        Events, settings and files.

    Raises
    ------
    TaipanError
        If XGBoost is not installed, the training set is unusable, or the trees of a file do not
        score as XGBoost's do.
    """
    settings = job.settings.model_copy(update={"epochs": keys.rounds})
    job.training_set.validate(settings.folds)
    events, physical = order_events(job.training_set, settings, job.transformed)
    weights = events.training_weights()
    splits = split_networks(events.folds, events.identifiers, settings)
    for split in splits:
        check_split(events, weights, split)
    plans = [
        Plan(
            name=split.name,
            seed=derive_seed(job.seed, "booster", split.fold, split.turn),
            settings=settings,
            conditions=job.conditions,
            totals=events.class_totals(~split.held_out),
        )
        for split in splits
    ]

    def boost(split: Split, plan: Plan, of_loss: FloatArray) -> tuple[Any, Fitted]:
        return _boost(keys, events, weights, events.training_weights(of_loss), split, plan)

    with ThreadPoolExecutor(max(1, min(job.threads, len(splits)))) as pool:
        results = list(pool.map(boost, splits, plans, physical))
    reference = pick_reference(events)
    described = []
    for fold, path in enumerate(job.models):
        own = [i for i, split in enumerate(splits) if split.fold == fold]
        card = ModelCard(
            features=events.names,
            may_be_missing=events.missing_flags,
            fold=fold,
            folds=settings.folds,
            seed=plans[own[0]].seed,
            provenance=dict(job.provenance),
            networks=settings.networks,
            classes=events.classes,
        )
        forest = Forest.mean([read_forest(results[i][0], events.classes) for i in own])
        found = write_forest(forest, path, card, reference)
        margin = np.mean([_margin(results[i][0], reference) for i in own], axis=0)
        _compare(found, _score(margin, events.classes), fold)
        written = {"model": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for i in own:
            network = describe_network(results[i][1], events, splits[i], settings)
            described.append({**network, "seed": plans[i].seed, **written})
    about = Trained(events, settings, job.conditions, job.seed, job.provenance,
                    more={"classifier": keys.model_dump(mode="json")})  # fmt: skip
    write_record(job.record, about, described)


def _boost(
    keys: BoostedTrees,
    events: TrainingSet,
    weights: FloatArray,
    of_loss: FloatArray,
    split: Split,
    plan: Plan,
) -> tuple[Any, Fitted]:
    """Train one booster; give it, cut after its best round, and how it was trained."""
    xgboost = import_xgboost()
    rows = [np.flatnonzero(mask) for mask in (split.training, split.validation)]
    train, validation = (xgboost.DMatrix(events.features[r], missing=np.nan) for r in rows)
    booster = xgboost.Booster(_parameters(keys, events.classes, plan.seed), [train, validation])
    labels, signed = events.labels[rows[0]], of_loss[rows[0]]
    history: History = {}
    reason = None
    while reason is None:
        margin = _margins(booster, train)
        gradient, hessian = derivatives(_score(margin, events.classes), labels, signed)
        done = len(history.get("loss", ()))
        booster.boost(train, iteration=done, grad=gradient, hess=hessian)
        parts = [
            ScoredPart(
                _score(_margins(booster, matrix), events.classes),
                events.labels[r],
                weights[r],
                plan.totals,
                classes=events.classes,
            )
            for matrix, r in zip((train, validation), rows, strict=True)
        ]
        values = {
            "learning_rate": keys.learning_rate,
            "loss": _loss(parts[0], signed, plan.settings),
            "smallest_batch_sumw": float(signed.sum()),
            **measure_epoch(parts[0], parts[1], plan),
        }
        for key, value in values.items():
            history.setdefault(key, []).append(float(value))
        reason = stop_reason(history, plan.settings, plan.key)
    choice = choose_epoch(history, plan.key, plan.settings.selection, plan.conditions)
    value = history[f"validation_{plan.key}"][choice.epoch]
    logger.info(
        *("%s: %d rounds, best %d with validation %s %.5f%s", plan.name, len(history["loss"])),
        *(choice.epoch + 1, plan.key, value, f" ({reason})" if reason else ""),
    )
    fitted = Fitted(choice.epoch, value, choice.overtrained, reason, history)
    return booster[: choice.epoch + 1], fitted


def import_xgboost() -> Any:
    """Import XGBoost.

    Raises
    ------
    TaipanError
        If it is not installed.
    """
    try:
        import xgboost
    except ImportError as error:
        raise TaipanError(
            "classifier.kind: 'xgboost' needs the package of that name, which is not installed "
            "(pip install 'taipan-hep[xgboost]')"
        ) from error
    return xgboost


def _parameters(keys: BoostedTrees, classes: Classes, seed: int) -> dict[str, Any]:
    return {
        "max_depth": keys.depth,
        "eta": keys.learning_rate,
        "min_child_weight": keys.min_child_weight,
        "lambda": keys.l2,
        "tree_method": "hist",
        "max_bin": _BINS,
        "base_score": 0.0,
        "nthread": 1,  # sums in another order would be other trees
        "seed": seed % 2**31,
        "disable_default_eval_metric": True,
        **({"num_class": len(classes)} if classes.softmax else {}),
    }


def _margins(booster: Any, matrix: Any) -> FloatArray:
    return np.asarray(booster.predict(matrix, output_margin=True), dtype=np.float64)


def _margin(booster: Any, features: NDArray[np.float32]) -> FloatArray:
    return _margins(booster, import_xgboost().DMatrix(features, missing=np.nan))


def _score(margin: FloatArray, classes: Classes) -> FloatArray:
    """Turn margins (n,) or (n, K) into scores of the same shape."""
    if not classes.softmax:
        return np.asarray(1.0 / (1.0 + np.exp(-margin)))
    powers = np.exp(margin - margin.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def derivatives(
    scores: FloatArray, labels: NDArray[np.integer[Any]], weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Give the first and second derivatives of the signed cross-entropy by the margin.

    For one score s: w·(s - y) and w·s·(1 - s). For K scores p: w·(p_k - y_k) and the upper bound of
    the second derivative that Friedman's softmax boosting takes, w·2·p_k·(1 - p_k) (Ann. Stat. 28,
    337). Both have the sign of the weight.

    Parameters
    ----------
    scores, labels, weights
        Shape (n,) or (n, K), (n,) and (n,).
    """
    if scores.ndim == 1:
        return weights * (scores - labels), weights * scores * (1.0 - scores)
    own = np.eye(scores.shape[1])[labels]
    signed = weights[:, None]
    return signed * (scores - own), signed * 2.0 * scores * (1.0 - scores)


def _loss(part: ScoredPart, signed: FloatArray, settings: Training) -> float:
    """Mean loss of the events, with the weights of the loss: Σ w·CE / n."""
    losses = metrics.bce_losses(part.labels, part.scores)
    return float(np.mean(signed * losses))


def _compare(found: NDArray[np.floating[Any]], expected: FloatArray, fold: int) -> None:
    difference = float(np.max(np.abs(found.reshape(expected.shape) - expected), initial=0.0))
    if not difference <= _ROUNDING:
        raise TaipanError(
            f"boosters of fold {fold}: ONNX and XGBoost differ by {difference:.3g} in the score of "
            f"{len(expected)} reference events, allowed is {_ROUNDING:g}"
        )
