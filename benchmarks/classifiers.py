"""The network against XGBoost: same events, folds, weights and score binning.

Reads the events of a finished run, trains the k-fold network with the values of the configuration
and with those that the search found, and XGBoost with the same folds (trained on the same k - 2
folds, stopped by the same validation fold), each with several seeds. Prints AUC of the held-out
events and the expected statistical sigma(mu) of ten bins of equal signal as one JSON object.
XGBoost refuses negative weights, so it drops those events, which is the usual way with it; its
score is judged with all events, as that of the network is. Needs `pip install xgboost`.

    python benchmarks/classifiers.py RESULTS/ANALYSIS [--seeds 3] [--config FILE ...]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.nn import metrics
from taipan.nn.conditions import Part, compare
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.inputs import open_training_set
from taipan.nn.tune import apply_best
from taipan.seeds import derive_seed

ROOT = Path(__file__).parents[1]
GRID = [(depth, rate) for depth in (3, 5) for rate in (0.05, 0.1)]


def open_events(results: Path, config: Config) -> TrainingSet:
    used = [*config.data, *(name for s in config.samples.values() for name in s.datasets)]
    return open_training_set(
        {name: sorted((results / "events" / name).glob("*.parquet")) for name in set(used)},
        results / "normalisation.json",
        results / "corrections/pileup.json",
        results / "corrections/transfer_factor.json",
        config,
    )


def score_network(events: TrainingSet, config: Config, best: Path | None, seed: int) -> np.ndarray:
    from taipan.nn.engine import prepare_tensorflow
    from taipan.nn.train import FoldPlan, make_engine, train_fold

    prepare_tensorflow(1)
    settings, used = config.training, (True,) * len(events.names)
    if best is not None:
        settings, used = apply_best(best, settings, events.names)
    plan = FoldPlan(settings, config.overtraining.conditions, used=used)
    engine, weights = make_engine(events, settings), events.training_weights()
    scores = np.empty(len(events))
    for fold in range(settings.folds):
        split = split_folds(events.folds, events.identifiers, fold, settings.folds)
        train_fold(engine, events, weights, split, plan, derive_seed(seed, "fold", fold))
        rows = np.flatnonzero(split.held_out)
        scores[rows] = engine.predict(
            engine.load(events.features[rows], events.labels[rows], weights[rows])
        )
    return scores


def fit_booster(
    events: TrainingSet, fold: int, folds: int, depth: int, rate: float, seed: int
) -> tuple[Any, float]:
    import xgboost

    split = split_folds(events.folds, events.identifiers, fold, folds)
    weights = events.training_weights()
    matrices = []
    for mask in (split.training, split.validation):
        rows = np.flatnonzero(mask & (weights > 0.0))
        matrices.append(
            xgboost.DMatrix(events.features[rows], events.labels[rows], weight=weights[rows])
        )
    parameters = {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "tree_method": "hist",
        "max_depth": depth,
        "eta": rate,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "min_child_weight": 5.0,
        "seed": seed,
        "nthread": 1,
    }
    booster = xgboost.train(
        parameters,
        matrices[0],
        num_boost_round=600,
        evals=[(matrices[1], "validation")],
        early_stopping_rounds=20,
        verbose_eval=False,
    )
    return booster, float(booster.best_score)


def score_booster(
    events: TrainingSet, config: Config, depth: int, rate: float, seed: int
) -> np.ndarray:
    import xgboost

    scores = np.empty(len(events))
    for fold in range(config.training.folds):
        booster, _ = fit_booster(events, fold, config.training.folds, depth, rate, seed)
        rows = np.flatnonzero(events.folds == fold)
        matrix = xgboost.DMatrix(events.features[rows])
        scores[rows] = booster.predict(matrix, iteration_range=(0, booster.best_iteration + 1))
    return scores


def judge(events: TrainingSet, scores: np.ndarray) -> tuple[float, float]:
    """AUC of all held-out events; sigma(mu) of the two halves of the events, averaged."""
    area = metrics.auc(events.labels, scores, events.weights)
    totals = events.totals(np.ones(len(events), dtype=bool))
    half = events.identifiers % np.uint64(2) == 0
    parts = [Part(scores[m], events.labels[m], events.weights[m], totals) for m in (half, ~half)]
    found = compare("sigma_mu", *parts)
    return area, 0.5 * (found.train + found.unseen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--config", nargs="*", default=[])
    options = parser.parse_args()
    config = read_config(options.config, ROOT)
    events = open_events(options.results, config)
    folds = config.training.folds
    depth, rate = min(GRID, key=lambda item: fit_booster(events, 0, folds, *item, 1)[1])
    best = options.results / "tuning/best_hps.json"
    methods: dict[str, Callable[[int], np.ndarray]] = {
        "XGBoost": lambda seed: score_booster(events, config, depth, rate, seed),
        "network, tuned": lambda seed: score_network(events, config, best, seed),
        "network, default": lambda seed: score_network(events, config, None, seed),
    }
    table: dict[str, Any] = {}
    for name, method in methods.items():
        found = np.array([judge(events, method(seed)) for seed in range(1, options.seeds + 1)])
        spread = found.std(axis=0, ddof=1) if options.seeds > 1 else np.zeros(2)
        table[name] = {
            "auc": [round(float(found[:, 0].mean()), 4), round(float(spread[0]), 4)],
            "sigma_mu": [round(float(found[:, 1].mean()), 3), round(float(spread[1]), 3)],
        }
        print(name, table[name], flush=True)
    print(json.dumps({"events": len(events), "xgboost": [depth, rate], "table": table}, indent=1))


if __name__ == "__main__":
    main()
