"""Training on what is fitted, against cross-entropy with optimised bins.

Reads the events of a finished run, trains the k-fold networks with every loss and several seeds,
and gives the expected uncertainty of the parameter of interest with all systematics, on events that
no network of theirs has seen. The score is filled into fine bins. One fold chooses the bins (those
of equal signal, or joined greedily until sigma grows, for every loss alike), and the others
are counted in them, simulation statistics of all events included. Prints one JSON object.

    python benchmarks/sensitivity.py RESULTS/ANALYSIS [--config FILE ...] [--seeds 3]
                                     [--losses crossentropy sannt]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from classifiers import event_files
from numpy.typing import NDArray

from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.config.sections.templates import Binning
from taipan.events.inputs import SkimmedEvents
from taipan.likelihood.binning import LinearModel, optimise_edges
from taipan.nn.data import TrainingSet
from taipan.nn.inputs import TrainingInputs, open_linear_events, open_training_set
from taipan.nn.scorer import FoldScorer
from taipan.nn.sensitivity.linear import InputRows, LinearEvents
from taipan.seeds import derive_seed

ROOT = Path(__file__).parents[1]
FINE = 200


def count_bins(
    events: LinearEvents, places: NDArray[Any], moved: NDArray[Any], bins: int
) -> LinearModel:
    """Fill events at bins `places` (n,) and shifted rows at `moved` (m,) into a linear model."""

    def fill(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(places, weights, minlength=bins)

    slopes = np.stack([fill(column) for column in events.slopes.T], axis=1)
    np.add.at(slopes, (moved, events.moved_by), events.moved_slopes)
    return LinearModel(
        jacobian=slopes,
        expected=fill(events.yields),
        background=fill(np.where(events.is_signal, 0.0, events.yields)),
        variance=fill(events.variances),
        fixed_jacobian=events.control_slopes,
        fixed_variance=events.control_yields + events.control_variances,
        prior=events.prior,
    )


def score_rows(scorer: FoldScorer, rows: InputRows) -> NDArray[np.float64]:
    scores = np.empty(len(rows))
    for fold in range(scorer.folds):
        chosen = rows.folds == fold
        if chosen.any():
            scores[chosen] = scorer.score_with(fold, rows.features[chosen])
    return scores


def judge(events: LinearEvents, scorer: FoldScorer, binning: Binning) -> dict[str, float]:
    """Give sigma of held-out events in bins that the events of one fold chose."""
    rows = (events.nominal, events.shifted)
    scores = [score_rows(scorer, item) for item in rows]
    # by quantiles of both classes: the logit of another loss has another scale
    steps = np.linspace(0.0, 1.0, FINE // 2 + 1)[1:-1]
    classes = (events.is_signal, ~events.is_signal)
    edges = np.unique(np.concatenate([np.quantile(scores[0][item], steps) for item in classes]))
    places = [np.searchsorted(edges, item, side="right") for item in scores]
    chosen = [item.folds == binning.fold for item in rows]
    model, final = (
        count_bins(events.take(*masks), places[0][masks[0]], places[1][masks[1]], len(edges) + 1)
        for masks in (chosen, [~item for item in chosen])
    )
    signal = model.expected - model.background
    found = {}
    for method in ("quantile", "merge"):
        settings = binning.model_copy(update={"method": method})
        starts, record = optimise_edges(model, signal, settings)
        found[method] = final.sigma(starts)
        found[f"{method}_bins"] = len(starts)
        found[f"{method}_in_sample"] = record["sigma"]
    # the bins that the loss has: equal parts of the mixture of half signal, half background
    shares = np.cumsum(signal / signal.sum() + model.background / model.background.sum())
    starts = np.unique([0, *(np.searchsorted(shares, 0.2 * np.arange(1, 10)) + 1)])
    found["balanced"] = final.sigma(starts)
    none = LinearModel(
        final.jacobian[:, :1], final.expected, final.background, final.variance,
        final.fixed_jacobian[:, :1], final.fixed_variance, final.prior[:1],
    )  # fmt: skip
    found["balanced_statistics"] = none.sigma(starts)
    return found


def describe_steps(networks: list[dict[str, Any]]) -> dict[str, Any]:
    """Median step that was kept, and mean gain of sigma on the events that stop and that train."""
    found: dict[str, Any] = {"steps": [item["best_epoch"] for item in networks]}
    for part in ("train", "validation"):
        values = [item["history"][f"{part}_objective"] for item in networks]
        best = zip(values, found["steps"], strict=True)
        found[f"{part}_gain"] = float(np.mean([v[step] / v[0] - 1.0 for v, step in best]))
    return found


@dataclass(frozen=True)
class Bench:
    config: Config
    training_set: TrainingSet
    events: LinearEvents

    def train(self, loss: str, seed: int, changes: dict[str, Any], networks: int) -> dict[str, Any]:
        from taipan.nn.train import train_network

        keys = self.config.training.sensitivity.model_copy(update=changes)
        update = {"loss": loss, "sensitivity": keys, "networks": networks, "checkpoint_every": 0}
        settings = self.config.training.model_copy(update=update)
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            models = [Path(folder) / f"fold{i}.onnx" for i in range(settings.folds)]
            record = Path(folder) / "training.json"
            train_network(
                self.training_set, settings, derive_seed(seed, "train"), models, record,
                conditions=self.config.overtraining.conditions,
                linear=self.events if settings.is_fine_tuned else None,
            )  # fmt: skip
            seconds = time.process_time() - start
            networks = json.loads(record.read_text())
            scorer = FoldScorer(models, self.training_set.names)
            found: dict[str, Any] = judge(self.events, scorer, self.config.templates.binning)
        if settings.is_fine_tuned:
            found |= describe_steps(networks["networks"])
        return {"loss": loss, "seed": seed, **found, "cpu_seconds": seconds}


def open_bench(results: Path, config: Config) -> Bench:
    skimmed = SkimmedEvents(
        event_files(results, config),
        results / "normalisation.json",
        results / "corrections/pileup.json",
    )
    inputs = TrainingInputs(skimmed, results / "corrections/transfer_factor.json")
    linear = open_linear_events(inputs, config, str(results / "corrections/shapes.json"))
    return Bench(config, open_training_set(inputs, config), linear)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--config", nargs="*", type=Path, default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--losses", nargs="*", default=["crossentropy", "sannt"])
    parser.add_argument("--set", nargs="*", default=[], help="key=value of training.sensitivity")
    parser.add_argument("--networks", type=int, help="networks a fold; those of the configuration")
    chosen = parser.parse_args()
    changes = {k: json.loads(v) for k, v in (item.split("=") for item in chosen.set)}
    bench = open_bench(chosen.results, read_config(chosen.config, ROOT))
    networks = chosen.networks or bench.config.training.networks
    rows = []
    for seed in range(1, chosen.seeds + 1):
        for loss in chosen.losses:
            rows.append(bench.train(loss, seed, changes, networks))
            print(json.dumps(rows[-1]), flush=True)


if __name__ == "__main__":
    main()
