"""What a pre-training on simulated events is worth: scratch against pre-trained.

Reads the skimmed events of two runs: TARGET, of the configuration with `training.pretrain`, and
SOURCE, of the events of the pre-training (any run of that catalogue with the same features). Trains
one network a fold on a share of the target's events in three ways: from scratch (the settings of
`--scratch`), pre-trained without fine-tuning, and fine-tuned. The share is taken by a hash of the
event, so that a smaller one is part of a larger one; its weights are scaled to the same totals. All
are judged on all events of the fold that they never saw: the AUC with signed weights, and the
expected statistical sigma(mu) of 16 bins of equal signal. Each seed has a pre-training of its own,
which all folds begin with: simulated events are none of the target's, so that no fold of them needs
to be kept apart. The workflow, which cannot know, trains one for each fold.
With `--fit`, the networks of the configuration (all of a fold) on all events, and sigma(mu) of the
fit with all systematics in those bins; `--overlay` changes both configurations.

    python benchmarks/transfer.py TARGET SOURCE --config config/examples/pretrained.yaml
        --scratch config/examples/cms-2012-skims.yaml [--seeds 5] [--first 1]
        [--shares 0.1 0.25 0.5 1] [--fit [--overlay FILE]] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.classifiers import open_events, sigma_of_fit
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.config.pretraining import read_source
from taipan.config.sections.training import Training
from taipan.labels import SCORE
from taipan.nn.data import TrainingSet, split_folds, uniform_hash
from taipan.nn.plan import LayerWeights
from taipan.nn.pretrained import PretrainedFold, Start, describe_interface, write_pretrained
from taipan.nn.scorer import FoldScorer
from taipan.seeds import derive_seed

ROOT = Path(__file__).parents[1]
BINS = 16
SALT = np.uint64(0x5851F42D4C957F2D)


def keep_share(events: TrainingSet, share: float) -> TrainingSet:
    """Keep a share of the events, each class with the Σw that it had."""
    if share >= 1.0:
        return events
    kept = events.take(np.flatnonzero(uniform_hash(events.identifiers ^ SALT) < share))
    weights = np.array(kept.weights)
    for label in np.unique(events.labels):
        own = kept.labels == label
        weights[own] *= events.weights[events.labels == label].sum() / weights[own].sum()
    return replace(kept, weights=weights)


def equal_signal(events: TrainingSet, scores: NDArray[Any]) -> list[float]:
    """Edges of bins of the score with the same number of signal events."""
    shares = np.linspace(0.0, 1.0, BINS + 1)[1:-1]
    inner = np.unique(np.quantile(scores[events.labels == 1], shares))
    return [0.0, *inner.tolist(), 1.0]


def judge(events: TrainingSet, scores: NDArray[Any]) -> dict[str, float]:
    """AUC, and statistical σ(μ) in bins of equal signal."""
    edges = equal_signal(events, scores)
    return {
        "auc": metrics.auc(events.labels, scores, events.weights),
        "sigma_mu": metrics.asimov_sigma_mu(events.labels, scores, events.weights, edges),
    }


def bin_score(config: Config, edges: Sequence[float]) -> Config:
    """Give the score other bins."""
    score = config.observables[SCORE].model_copy(update={"binning": list(edges)})
    return config.model_copy(update={"observables": {**config.observables, SCORE: score}})


class Trainer:
    """Trains one network a fold and scores each event by the one that never saw it."""

    def __init__(self, like: TrainingSet, settings: Training) -> None:
        from taipan.nn.fold import make_engine

        self.settings = settings
        self._engine = make_engine(like, settings)

    def train(
        self,
        events: TrainingSet,
        seed: int,
        start: LayerWeights | None = None,
        trained: int | None = None,
    ) -> list[LayerWeights]:
        """Give the weights of the network of each fold, or of the first `trained` folds."""
        from taipan.nn.fold import FoldPlan, train_fold

        ordered = events.take(events.canonical_order())
        weights, folds = ordered.training_weights(), self.settings.folds
        found = []
        for fold in range(folds if trained is None else trained):
            split = split_folds(ordered.folds, ordered.identifiers, fold, folds)
            own = derive_seed(seed, "fold", fold)
            train_fold(self._engine, ordered, weights, split, FoldPlan(self.settings), own,
                       start=None if start is None else Start(start, "", "", 1))  # fmt: skip
            found.append(self._engine.network.get_weights())
        return found

    def score(self, events: TrainingSet, networks: Sequence[LayerWeights]) -> NDArray[np.float64]:
        """Score all events."""
        scores = np.empty(len(events))
        for fold, weights in enumerate(networks):
            rows = np.flatnonzero(events.folds == fold)
            self._engine.network.set_weights(weights)
            loaded = self._engine.load(
                events.features[rows], events.labels[rows], events.weights[rows]
            )
            scores[rows] = self._engine.predict(loaded)
        return scores


def measure_curve(
    target: TrainingSet,
    source: TrainingSet,
    settings: dict[str, Training],
    seeds: Sequence[int],
    shares: Sequence[float],
    out: Path,
) -> list[dict[str, Any]]:
    """Train everything; write a row for each seed, share and way as soon as it is there."""
    trainers = {name: Trainer(target, item) for name, item in settings.items()}
    rows: list[dict[str, Any]] = []

    def add(
        seed: int, share: float, way: str, trainer: Trainer, networks: Sequence[LayerWeights]
    ) -> None:
        found = judge(target, trainer.score(target, networks))
        rows.append({"seed": seed, "share": share, "way": way, **found})
        print(rows[-1], f"{time.process_time():.0f} s", flush=True)
        out.write_text(json.dumps(rows, indent=1), encoding="utf-8")

    for seed in seeds:
        (pretrained,) = trainers["source"].train(source, derive_seed(seed, "source"), trained=1)
        add(seed, 0.0, "source", trainers["source"], [pretrained] * settings["source"].folds)
        for share in shares:
            kept = keep_share(target, share)
            for way, start in (("scratch", None), ("fine-tuned", pretrained)):
                networks = trainers[way].train(kept, derive_seed(seed, way), start)
                add(seed, share, way, trainers[way], networks)
    return rows


def measure_fit(
    target: TrainingSet,
    source: TrainingSet,
    configs: dict[str, Config],
    results: Path,
    seeds: Sequence[int],
    out: Path,
) -> list[dict[str, Any]]:
    """Train the networks of the configuration; σ(μ) of the fit with all systematics."""
    from taipan.nn.train import train_network

    rows: list[dict[str, Any]] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as name:
            folder, training = Path(name), configs["source"].training
            trainer = Trainer(source, training)
            (pretrained,) = trainer.train(source, derive_seed(seed, "source"), trained=1)
            files = [folder / f"fold{i}.npz" for i in range(training.folds)]
            for fold, file in enumerate(files):
                interface = describe_interface(target, training)
                write_pretrained(file, PretrainedFold(fold, interface, [pretrained]))
            for way, starts in (("scratch", []), ("fine-tuned", files)):
                config = configs[way]
                models = [folder / f"{way}{i}.onnx" for i in range(training.folds)]
                train_network(
                    target,
                    config.training,
                    derive_seed(seed, way),
                    models,
                    folder / "training.json",
                    conditions=config.overtraining.conditions,
                    pretrained=starts,
                )
                scorer = FoldScorer(models, target.names)
                scores = scorer.score(target.features, target.folds).astype(np.float64)
                found = judge(target, scores)
                binned = bin_score(config, equal_signal(target, scores))
                fitted = sigma_of_fit(scorer.score, results, binned)
                rows.append({"seed": seed, "way": way, **found, "sigma_mu_fit": fitted})
                print(rows[-1], flush=True)
                out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--config", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--overlay", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=1, help="number of the first seed")
    parser.add_argument("--shares", type=float, nargs="*", default=[0.1, 0.25, 0.5, 1.0])
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("transfer.json"))
    options = parser.parse_args()
    source = read_source([options.config, *options.overlay], ROOT)
    assert source is not None, "the configuration has no pre-training"
    configs = {
        "source": source,
        "fine-tuned": read_config([options.config, *options.overlay], ROOT),
        "scratch": read_config([options.scratch, *options.overlay], ROOT),
    }
    events = open_events(options.target, configs["fine-tuned"])
    simulated = open_events(options.source, configs["source"])
    print(f"{len(events)} target events, {len(simulated)} source events", flush=True)
    seeds = range(options.first, options.first + options.seeds)
    if options.fit:
        measure_fit(events, simulated, configs, options.target, seeds, options.out)
        return
    settings = {name: config.training for name, config in configs.items()}
    measure_curve(events, simulated, settings, seeds, options.shares, options.out)


if __name__ == "__main__":
    main()
