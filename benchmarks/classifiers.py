"""The network against XGBoost: same events, folds, weights, systematics and bins.

Reads the events of a finished run, trains the k-fold networks with the values of the configuration,
with those that the search chose or, if it chose none, with those of its best trial, and XGBoost
with the same folds (trained on the same k - 2 folds, stopped by the same validation fold), each
with several seeds. Where the configuration has several networks a fold, XGBoost gets as many
boosters, stopped by the same folds, in a row of its own (mean margin). `--depth` and `--rounds` add
rows of XGBoost with that depth and that number of rounds at the learning rate `--rate`, not
stopped: with few of them it passes the gate. Prints, as one JSON object, the AUC of the held-out
events, the expected statistical sigma(mu) of ten bins of equal signal, the expected sigma(mu) of
the fit with all systematics, and what the gate says: the largest ratio over the folds of the losses
of unseen and training events, and the share of the seeds that pass. For the fit all variations of
all events are scored and filled into the configured bins, the workspace is built from them, and
sigma is that of the Fisher information. XGBoost refuses negative weights, so events with w <= 0 are
dropped from its training, which is the usual way with it (the output says how many); its score is
judged with all events, as that of the networks is. Needs `pip install xgboost`.

    python benchmarks/classifiers.py RESULTS/ANALYSIS [--seeds 3] [--config FILE ...]
                                     [--depth 2 --rounds 120 [--rate 0.1]]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from taipan import metrics
from taipan.analysis_selection import load_analysis
from taipan.atomic import read_json
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.config.sections.training import Training
from taipan.estimates.registry import read_estimate
from taipan.events.corrections import read_corrections
from taipan.events.inputs import SkimmedEvents
from taipan.events.variations import template_variations
from taipan.labels import DATA, NOMINAL, SCORE
from taipan.likelihood import build_workspace
from taipan.likelihood.asimov import expected_sigma
from taipan.nn.conditions import ScoredPart, compare_metric
from taipan.nn.data import TrainingSet, split_folds
from taipan.nn.inputs import TrainingInputs, open_training_set
from taipan.nn.overtraining import FoldClassifiers, check_scorer
from taipan.nn.scorer import FoldScorer
from taipan.search.tune import apply_best
from taipan.seeds import derive_seed
from taipan.templates.combine import add_datasets, add_estimate
from taipan.templates.empty import FillSettings
from taipan.templates.fill import fill_dataset

ROOT = Path(__file__).parents[1]


def event_files(results: Path, config: Config) -> dict[str, list[Path]]:
    used = [*config.data, *(name for s in config.samples.values() for name in s.datasets)]
    return {
        name: sorted((results / "events" / name).glob("*.parquet")) for name in sorted(set(used))
    }


def open_events(results: Path, config: Config) -> TrainingSet:
    skimmed = SkimmedEvents(
        event_files(results, config),
        results / "normalisation.json",
        results / "corrections/pileup.json",
    )
    inputs = TrainingInputs(skimmed, results / "corrections/transfer_factor.json")
    return open_training_set(inputs, config)


Settings = tuple[Training, tuple[bool, ...]]
"""Section `training`, and for each feature whether the networks see it."""


def best_trial(results: Path, config: Config) -> tuple[int, Settings]:
    """Number and values of the best trial, whether or not the search has taken it."""
    from taipan.search.space import FEATURES, to_training

    number = read_json(results / "tuning/best_hps.json")["trial"]
    with (results / "tuning/trials.csv").open(encoding="utf-8", newline="") as file:
        (row,) = (row for row in csv.DictReader(file) if int(row["trial"]) == number)
    values = {**row, "batch_size": int(row["batch_size"])}
    sets = config.tuning.space.feature_sets
    chosen = sets[row[FEATURES]] if sets else config.features
    used = tuple(name in chosen for name in config.features)
    return number, (to_training(values, config.training), used)


def train_networks(
    events: TrainingSet, config: Config, given: Settings, seed: int
) -> FoldClassifiers:
    from taipan.nn.train import train_network

    settings, used = given
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
            threads=os.cpu_count() or 1,
        )
        return FoldScorer(models, events.names)


@dataclass(frozen=True)
class Boosting:
    """Depth of the trees, learning rate, and rounds; None: until the validation fold stops it."""

    depth: int
    rate: float
    rounds: int | None = None

    def describe(self) -> str:
        stop = "stopped early" if self.rounds is None else f"{self.rounds} rounds"
        return f"depth {self.depth}, rate {self.rate:g}, {stop}"


GRID = [Boosting(depth, rate) for depth in (3, 5) for rate in (0.05, 0.1)]


def fit_booster(
    events: TrainingSet, fold: int, folds: int, boosting: Boosting, seed: int, turn: int = 1
) -> tuple[Any, float]:
    import xgboost

    split = split_folds(events.folds, events.identifiers, fold, folds, turn)
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
        "max_depth": boosting.depth,
        "eta": boosting.rate,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "min_child_weight": 5.0,
        "seed": seed + 1000 * (turn - 1),
        "nthread": 1,
    }
    booster = xgboost.train(
        parameters,
        matrices[0],
        num_boost_round=boosting.rounds or 600,
        evals=[(matrices[1], "validation")],
        early_stopping_rounds=None if boosting.rounds else 20,
        verbose_eval=False,
    )
    return booster, 0.0 if boosting.rounds else float(booster.best_score)


class Boosters:
    """XGBoost in folds, with what :class:`FoldScorer` has; mean margin of several boosters."""

    def __init__(
        self, events: TrainingSet, folds: int, boosting: Boosting, seed: int, number: int = 1
    ) -> None:
        self.folds, self.networks = folds, number
        self._boosters = [
            [
                fit_booster(events, fold, folds, boosting, seed, turn)[0]
                for turn in range(1, number + 1)
            ]
            for fold in range(folds)
        ]
        self._rounds = boosting.rounds

    def score_with(self, fold: int, features: np.ndarray) -> np.ndarray:
        import xgboost

        matrix = xgboost.DMatrix(features, nthread=1)
        margins = [
            booster.predict(
                matrix,
                iteration_range=(0, self._rounds or booster.best_iteration + 1),
                output_margin=True,
            )
            for booster in self._boosters[fold]
        ]
        mean = np.mean(margins, axis=0, dtype=np.float64)
        return np.asarray(1.0 / (1.0 + np.exp(-mean)), dtype=np.float32)

    def score(self, features: np.ndarray, folds: np.ndarray) -> np.ndarray:
        scores = np.empty(len(features), dtype=np.float32)
        for fold in range(self.folds):
            rows = np.flatnonzero(folds == fold)
            if len(rows):
                scores[rows] = self.score_with(fold, features[rows])
        return scores


def judge(
    events: TrainingSet, scorer: FoldClassifiers, results: Path, config: Config
) -> dict[str, float]:
    """AUC; statistical sigma(mu), mean of the halves of the events; sigma(mu) of the fit; gate."""
    scores = scorer.score(events.features, events.folds).astype(np.float64)
    area = metrics.auc(events.labels, scores, events.weights)
    totals = events.totals(np.ones(len(events), dtype=bool))
    half = events.identifiers % np.uint64(2) == 0
    parts = [
        ScoredPart(scores[m], events.labels[m], events.weights[m], totals) for m in (half, ~half)
    ]
    found = compare_metric("sigma_mu", *parts)
    verdict = check_scorer(events, scorer, config.overtraining)
    ratios = [c["value"] for c in verdict["conditions"] if c["name"] == "bce_ratio"]
    return {
        "auc": area,
        "sigma_mu_stat": 0.5 * (found.train + found.unseen),
        "sigma_mu_fit": sigma_of_fit(scorer.score, results, config),
        "loss_ratio": max(ratios, default=float("nan")),
        "gate_passed": float(verdict["passed"]),
    }


def count_dropped(events: TrainingSet) -> dict[str, float]:
    """Events that XGBoost is not trained on: how many, and their share of Σ|w|."""
    dropped = events.weights <= 0.0
    size = np.abs(events.weights)
    return {
        "events": int(dropped.sum()),
        "of": len(events),
        "share_of_abs_w": round(float(size[dropped].sum() / size.sum()), 4),
    }


def sigma_of_fit(score: Callable[[Any, Any], Any], results: Path, config: Config) -> float:
    """Expected sigma(mu) with all systematics: what the rules from `histogram` to `fit` do."""
    analysis = load_analysis(config.folder, config.quantities)
    corrections = results / "corrections"
    variations = template_variations(config.systematics, config.samples)
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
        skimmed = SkimmedEvents(
            {name: paths}, results / "normalisation.json", corrections / "pileup.json"
        )
        (events,) = skimmed.open(analysis, config.training.folds)
        filled.append(fill_dataset(events, analysis, fill, score)[0])
    labels = [NOMINAL, *(variation.name for variation in variations)]
    processes, regions = [*config.samples, DATA], list(config.regions)
    total = add_datasets(filled, observables, processes, regions, labels)[SCORE]
    measured = read_json(corrections / "transfer_factor.json")
    estimate = read_estimate(config.samples, measured)
    total = add_estimate(total, config.samples, config.regions, variations, estimate)
    workspace, _ = build_workspace(total, config, SCORE, measured)
    return expected_sigma(workspace)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--config", nargs="*", default=[])
    parser.add_argument("--depth", type=int, help="of XGBoost with a fixed number of rounds")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--rate", type=float, default=0.1)
    options = parser.parse_args()
    if (options.depth is None) != (options.rounds is None):
        parser.error("--depth and --rounds go together")
    config = read_config(options.config, ROOT)
    events = open_events(options.results, config)
    folds = config.training.folds
    dropped = count_dropped(events)
    print(f"XGBoost is not trained on {dropped['events']} events with w <= 0", flush=True)
    boostings = [min(GRID, key=lambda item: fit_booster(events, 0, folds, item, 1)[1])]
    if options.rounds:
        boostings.append(Boosting(options.depth, options.rate, options.rounds))
    methods: dict[str, Callable[[int], FoldClassifiers]] = {
        f"XGBoost, {item.describe()}, {number} a fold": lambda seed, item=item, number=number: (
            Boosters(events, folds, item, seed, number)
        )
        for item in boostings
        for number in sorted({1, config.training.networks})
    }
    for name, given in network_settings(options.results, config).items():
        methods[name] = lambda seed, given=given: train_networks(events, config, given, seed)
    table: dict[str, Any] = {}
    for name, method in methods.items():
        runs = [
            judge(events, method(seed), options.results, config)
            for seed in range(1, options.seeds + 1)
        ]
        table[name] = {key: summarise([run[key] for run in runs]) for key in runs[0]}
        table[name]["loss_ratio_max"] = round(max(run["loss_ratio"] for run in runs), 4)
        print(name, table[name], flush=True)
    content = {"events": len(events), "dropped by XGBoost": dropped, "table": table}
    print(json.dumps(content, indent=1))


def network_settings(results: Path, config: Config) -> dict[str, Settings]:
    """Rows of the network: each set of values once."""
    every = (True,) * len(config.features)
    found: dict[str, Settings] = {"network, configuration": (config.training, every)}
    best = results / "tuning/best_hps.json"
    if best.exists():
        number, trial = best_trial(results, config)
        tuned = apply_best(best, config.training, config.features)
        taken = read_json(best)["taken"]
        if taken:
            found["network, tuned"] = tuned
        elif trial != found["network, configuration"]:
            found[f"network, best trial ({number}, not taken)"] = trial
    return found


def summarise(values: list[float]) -> list[float]:
    """Mean and standard deviation over the seeds."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return [round(float(np.mean(values)), 4), round(spread, 4)]


if __name__ == "__main__":
    main()
