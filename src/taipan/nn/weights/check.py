"""The gate on the weights: what the signs cost, and what a transformation changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.sections.training import Training
from taipan.config.sections.weight_check import WeightCheck
from taipan.errors import TaipanError
from taipan.nn.data import FloatArray, Split, TrainingSet, network_name, split_networks
from taipan.nn.weights.distributions import describe_distributions, quantile_bins
from taipan.nn.weights.transform import BIASED

logger = logging.getLogger(__name__)

_CALIBRATION_BINS = 10


def judge_weights(
    training_set: TrainingSet,
    physical: FloatArray,
    scores: NDArray[np.floating[Any]],
    record: Mapping[str, Any],
    regions: Mapping[str, Mapping[str, NDArray[Any]]],
    training: Training,
    limits: WeightCheck,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Describe the weights of every sample and region, and judge those of the training.

    Parameters
    ----------
    training_set
        The n events of the training with their signed weights.
    physical
        Shape (m, n), weights that the loss of each network was made with.
    scores
        Shape (n,), score of each event by the network that never saw it; for classes with names
        that of the signal.
    record
        Training record (``docs/training.md``).
    regions
        Region → sample → signed weights.
    training, limits
        Sections `training` and `weight_check` of the configuration.

    Returns
    -------
    diagnostics
        JSON-able numbers (``docs/negative_weights.md``).
    verdict
        `passed`, `action`, `conditions`, `limits` and `warnings`.

    Raises
    ------
    TaipanError
        If the record is not of the networks that the configuration asks for.
    """
    splits = split_networks(training_set.folds, training_set.identifiers, training)
    masks = [split.training for split in splits]
    expected = [(split.fold, split.turn) for split in splits]
    recorded = [(network["fold"], network["network"]) for network in record["networks"]]
    if recorded and recorded != expected:  # of a classifier from a file there are none
        raise TaipanError(
            f"training record: {len(recorded)} networks, expected {len(expected)} (fold and number "
            f"{recorded[-1]} is the last, expected {expected[-1]})"
        )
    samples = {
        str(sample): _describe_sample(
            training_set, physical, splits, training_set.samples == sample
        )
        for sample in np.unique(training_set.samples)
    }
    networks = [_describe_network(network) for network in record["networks"]]
    diagnostics = {
        "method": training.negative_weights,
        "regions": {
            region: {name: _describe(weights) for name, weights in found.items()}
            for region, found in regions.items()
        },
        "training": samples,
        "networks": networks,
        "score": _describe_score(training_set, scores),
        "distributions": describe_distributions(training_set, physical, masks, scores),
    }
    conditions = [*_judge_samples(samples, limits), *_judge_networks(networks)]
    failed = [item for item in conditions if not item["passed"]]
    for item in failed:
        logger.warning("weights: %s of %s is %.4g", item["name"], item["of"], item["value"])
    logger.info("weights: %d of %d conditions failed", len(failed), len(conditions))
    warnings = []
    if training.negative_weights in BIASED:
        warnings.append(
            f"training.negative_weights is '{training.negative_weights}': the networks learned "
            "another density than that of the events; for comparison only"
        )
    verdict = {
        "passed": not failed,
        "action": limits.on_failure,
        "limits": limits.model_dump(mode="json", exclude={"on_failure"}),
        "conditions": conditions,
        "warnings": warnings,
    }
    return diagnostics, verdict


def describe_weight_failure(verdict: Mapping[str, Any]) -> str:
    """Say in one line which conditions of a verdict failed."""
    listed = "; ".join(
        f"{item['name']} of {item['of']} is {item['value']:.4g}, limit {item['limit']:g}"
        for item in verdict["conditions"]
        if not item["passed"]
    )
    return f"weight_check.on_failure is 'stop' and conditions failed: {listed}"


def _describe(weights: NDArray[Any]) -> dict[str, Any]:
    found = metrics.describe_weights(weights)
    found["n_eff_per_event"] = found["n_eff"] / len(weights) if len(weights) else 0.0
    return found


def _describe_sample(
    training_set: TrainingSet,
    physical: FloatArray,
    splits: list[Split],
    of_sample: NDArray[np.bool_],
) -> dict[str, Any]:
    """Describe a sample's weights before and after, and the closure of each feature."""
    networks, tests = [], []
    for split, of_network in zip(splits, physical, strict=True):
        rows = np.flatnonzero(split.training & of_sample)
        before, after = training_set.weights[rows], of_network[rows]
        networks.append(
            {
                "fold": split.fold,
                "network": split.turn,
                "before": _describe(before),
                "after": _describe(after),
                "events_kept": int(np.count_nonzero(after)),
                "sumw_change": _relative(float(after.sum()), float(before.sum())),
            }
        )
        if len(rows) and not np.array_equal(before, after):
            for column, name in enumerate(training_set.names):
                bins, _ = quantile_bins(training_set.features[rows, column])
                test = metrics.paired_chi2_test(bins, before, after)
                tests.append((name, split, test))
    worst: dict[str, dict[str, Any]] = {}
    for name, split, test in tests:
        ratio = test.statistic / test.ndf if test.ndf else 0.0
        if name not in worst or ratio > worst[name]["chi2_per_ndf"]:
            worst[name] = {
                "fold": split.fold,
                "network": split.turn,
                "chi2_per_ndf": ratio,
                "ndf": test.ndf,
                "probability": test.probability,
            }
    return {
        "all": _describe(training_set.weights[of_sample]),
        "networks": networks,
        "feature_tests": len(tests),
        "features": worst,
    }


def _relative(value: float, reference: float) -> float:
    return abs(value / reference - 1.0) if reference else abs(value)


def _describe_network(network: Mapping[str, Any]) -> dict[str, Any]:
    history, best = network["history"], network["best_epoch"]
    return {
        "fold": network["fold"],
        "network": network["network"],
        "smallest_batch_sumw": min(history["smallest_batch_sumw"]),
        "smallest_loss": min(history["loss"]),
        "smallest_train_bce": min(history["train_bce"]),
        "loss": history["loss"][best],
        "train_bce": history["train_bce"][best],
    }


def _describe_score(training_set: TrainingSet, scores: NDArray[np.floating[Any]]) -> dict[str, Any]:
    labels, weights = training_set.classes.is_signal(training_set.labels), training_set.weights
    area = metrics.auc_with_uncertainty(labels, scores, weights)
    edges = np.linspace(0.0, 1.0, _CALIBRATION_BINS + 1)
    found = metrics.calibration(labels, scores, training_set.training_weights(), edges)

    def listed(values: FloatArray) -> list[float | None]:
        return [float(value) if np.isfinite(value) else None for value in values]

    return {
        "auc": area.value,
        "auc_sigma": area.sigma,
        "auc_monotone": metrics.auc_monotone(labels, scores, weights),
        "calibration": {
            "edges": edges.tolist(),
            "score": listed(found.score),
            "fraction": listed(found.fraction),
            "sigma": listed(found.sigma),
        },
    }


def _judge_samples(
    samples: Mapping[str, Mapping[str, Any]], limits: WeightCheck
) -> list[dict[str, Any]]:
    conditions = []
    for name, found in samples.items():
        change = max(network["sumw_change"] for network in found["networks"])
        conditions.append(_condition("sumw_change", name, change, limits.max_sumw_change))
        for feature, closure in found["features"].items():
            ratio = closure["chi2_per_ndf"]
            certain = closure["probability"] * found["feature_tests"] < limits.min_probability
            condition = _condition("chi2_per_ndf", name, ratio, limits.max_chi2_per_ndf)
            condition["passed"] = condition["passed"] or not certain
            conditions.append({**condition, "feature": feature})
    return conditions


def _judge_networks(networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Judge the smallest losses of all epochs: below zero a network isolated negative events."""
    conditions = []
    for network in networks:
        value = min(network["smallest_loss"], network["smallest_train_bce"])
        conditions.append(
            {
                "name": "training_loss",
                "of": network_name(network["fold"], network["network"]),
                "value": value,
                "limit": 0.0,
                "passed": value >= 0.0,
            }
        )
    return conditions


def _condition(name: str, of: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": name, "of": of, "value": value, "limit": limit, "passed": value <= limit}
