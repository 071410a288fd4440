"""The network against XGBoost: same events, folds, weights, systematics and bins.

Reads the events of a finished run, trains the k-fold network with the values of the configuration
and with those that the search found, and XGBoost with the same folds (trained on the same k - 2
folds, stopped by the same validation fold), each with several seeds. Prints, as one JSON object,
the AUC of the held-out events, the expected statistical sigma(mu) of ten bins of equal signal, and
the expected sigma(mu) of the fit with all systematics: all variations of all events are scored and
filled into the configured bins, the workspace is built from them, and sigma is that of the Fisher
information. XGBoost refuses negative weights, so it drops those events, which is the usual way with
it; its score is judged with all events, as that of the network is. Needs `pip install xgboost`.

    python benchmarks/classifiers.py RESULTS/ANALYSIS [--seeds 3] [--config FILE ...]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from taipan.analysis import load_analysis
from taipan.atomic import read_json
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.events.corrections import read_corrections
from taipan.events.inputs import open_datasets
from taipan.events.variations import NOMINAL, template_variations
from taipan.likelihood import build_workspace
from taipan.likelihood.asimov import expected_sigma
from taipan.nn import metrics
from taipan.nn.conditions import Part, compare
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.inputs import open_training_set
from taipan.nn.scorer import FoldScorer
from taipan.nn.tune import apply_best
from taipan.seeds import derive_seed
from taipan.templates.combine import TransferFactor, add_datasets, add_same_sign
from taipan.templates.fill import DATA, SCORE, FillSettings, fill_dataset

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Features (n, f), folds (n,) -> scores (n,)."""

ROOT = Path(__file__).parents[1]
GRID = [(depth, rate) for depth in (3, 5) for rate in (0.05, 0.1)]


def event_files(results: Path, config: Config) -> dict[str, list[Path]]:
    used = [*config.data, *(name for s in config.samples.values() for name in s.datasets)]
    return {
        name: sorted((results / "events" / name).glob("*.parquet")) for name in sorted(set(used))
    }


def open_events(results: Path, config: Config) -> TrainingSet:
    return open_training_set(
        event_files(results, config),
        results / "normalisation.json",
        results / "corrections/pileup.json",
        results / "corrections/transfer_factor.json",
        config,
    )


def train_networks(events: TrainingSet, config: Config, best: Path | None, seed: int) -> Score:
    from taipan.nn.train import train_network

    settings, used = config.training, (True,) * len(events.names)
    if best is not None:
        settings, used = apply_best(best, settings, events.names)
    with tempfile.TemporaryDirectory() as folder:
        models = [Path(folder) / f"fold{i}.onnx" for i in range(settings.folds)]
        train_network(
            events,
            settings,
            derive_seed(seed, "train"),
            models,
            Path(folder) / "training.json",
            conditions=config.overtraining.conditions,
            used=used,
        )
        return FoldScorer(models, events.names).score


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


def train_boosters(
    events: TrainingSet, config: Config, depth: int, rate: float, seed: int
) -> Score:
    import xgboost

    k = config.training.folds
    boosters = [fit_booster(events, fold, k, depth, rate, seed)[0] for fold in range(k)]

    def score(features: np.ndarray, folds: np.ndarray) -> np.ndarray:
        scores = np.empty(len(features), dtype=np.float32)
        for fold, booster in enumerate(boosters):
            rows = np.flatnonzero(folds == fold)
            if len(rows):
                last = (0, booster.best_iteration + 1)
                scores[rows] = booster.predict(
                    xgboost.DMatrix(features[rows], nthread=1), iteration_range=last
                )
        return scores

    return score


def judge(
    events: TrainingSet, score: Score, results: Path, config: Config
) -> tuple[float, float, float]:
    """AUC; statistical sigma(mu), mean of the halves of the events; sigma(mu) of the fit."""
    scores = score(events.features, events.folds).astype(np.float64)
    area = metrics.auc(events.labels, scores, events.weights)
    totals = events.totals(np.ones(len(events), dtype=bool))
    half = events.identifiers % np.uint64(2) == 0
    parts = [Part(scores[m], events.labels[m], events.weights[m], totals) for m in (half, ~half)]
    found = compare("sigma_mu", *parts)
    return area, 0.5 * (found.train + found.unseen), sigma_of_fit(score, results, config)


def sigma_of_fit(score: Score, results: Path, config: Config) -> float:
    """Expected sigma(mu) with all systematics: what the rules from `histogram` to `fit` do."""
    analysis = load_analysis(config.module)
    corrections = results / "corrections"
    variations = template_variations(config.systematics, config.regions)
    observables = {SCORE: config.observables[SCORE]}
    fill = FillSettings(
        config.samples,
        config.regions,
        config.features,
        observables,
        {},
        variations,
        read_corrections(config.weights, analysis.quantities, corrections / "shapes.json"),
    )
    filled = []
    for name, paths in event_files(results, config).items():
        (events,) = open_datasets(
            {name: paths},
            results / "normalisation.json",
            corrections / "pileup.json",
            analysis,
            config.training.folds,
        )
        filled.append(fill_dataset(events, analysis, fill, score)[0])
    labels = [NOMINAL, *(variation.name for variation in variations)]
    processes, regions = [*config.samples, DATA], list(config.regions)
    total = add_datasets(filled, observables, processes, regions, labels)[SCORE]
    measured = read_json(corrections / "transfer_factor.json")
    if measured is not None:
        keys = ("value", "stat", "numerator", "denominator")
        factor = TransferFactor(**{key: measured[key] for key in keys})
        total = add_same_sign(total, config.samples, config.regions, variations, factor)
    workspace, _ = build_workspace(total, config, SCORE, measured)
    return expected_sigma(workspace)


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
    methods: dict[str, Callable[[int], Score]] = {
        "XGBoost": lambda seed: train_boosters(events, config, depth, rate, seed),
        "network, tuned": lambda seed: train_networks(events, config, best, seed),
        "network, default": lambda seed: train_networks(events, config, None, seed),
    }
    table: dict[str, Any] = {}
    for name, method in methods.items():
        found = np.array(
            [
                judge(events, method(seed), options.results, config)
                for seed in range(1, options.seeds + 1)
            ]
        )
        spread = found.std(axis=0, ddof=1) if options.seeds > 1 else np.zeros(3)
        table[name] = {
            key: [round(float(found[:, i].mean()), digits), round(float(spread[i]), digits)]
            for i, (key, digits) in enumerate(
                (("auc", 4), ("sigma_mu_stat", 3), ("sigma_mu_fit", 3))
            )
        }
        print(name, table[name], flush=True)
    print(json.dumps({"events": len(events), "xgboost": [depth, rate], "table": table}, indent=1))


if __name__ == "__main__":
    main()
