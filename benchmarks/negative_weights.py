"""Negative weights in training: a toy and a simulation of which the truth is known, and the cost.

    python benchmarks/negative_weights.py toy [--seeds 3] [--fractions 0.25 0.4]
    python benchmarks/negative_weights.py fastsim [--seeds 3] [--fractions 0.1 0.2 0.3 0.4]
    python benchmarks/negative_weights.py skims [--seeds 3] [--results FOLDER]
    python benchmarks/negative_weights.py cost

Prints one JSON object and the table of `docs/negative_weights_measurements.md`; `--output FILE`
also writes the object, after every seed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.sections.training import Training
from taipan.nn.data import TrainingSet, split_folds

Array = NDArray[Any]
METHODS = ("signed_bounded", "refine", "resample", "cell", "abs", "drop")
TOY: dict[str, Any] = {
    "folds": 2, "networks": 1, "hidden_layers": [64, 64], "activation": "relu", "dropout": 0.0,
    "l2": 0.0, "logit_bound": 6.0, "batch_size": 4096, "learning_rate": 2e-3,
    "schedule": "constant", "epochs": 60, "patience": 15, "early_stopping_metric": "brier",
    "selection": "best_value",
    "refinement": {
        "parts": 3, "hidden_layers": [64, 64], "l2": 1e-4, "batch_size": 512,
        "learning_rate": 1e-3, "epochs": 60, "patience": 10,
    },
    "cells": {"components": 6, "max_radius": None},
}  # fmt: skip
"""All that the table depends on, so that it does not drift with the defaults."""
OTHER_CENTRE, OTHER_WIDTH = (0.0, 1.5), 1.2  # of the density that cancels in the toy


def make_toy(events: int, fraction: float, seed: int) -> TrainingSet:
    """Signal N((1,0),1) with a share `fraction` of negative events, background N((-1,0),1).

    A share 1 - 2r of the signal has the weight +1 and the signal's density, a share r another
    density and +1, a share r events of that same density and -1: the signed sum is the signal.
    """
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], events)
    features = generator.normal(size=(2 * events, 2))
    features[:, 0] += 2.0 * labels - 1.0
    drawn = generator.random(2 * events)
    other = (labels == 1) & (drawn < 2.0 * fraction)
    features[other] = OTHER_CENTRE + OTHER_WIDTH * generator.normal(size=(int(other.sum()), 2))
    weights = np.where((labels == 1) & (drawn < fraction), -1.0, 1.0)
    identifiers = generator.integers(0, 2**63, 2 * events).astype(np.uint64)
    return TrainingSet(
        features=features.astype(np.float32),
        names=("x", "y"),
        labels=labels,
        weights=weights,
        folds=(identifiers % np.uint64(2)).astype(np.int64),
        samples=np.where(labels == 1, "signal", "background"),
        identifiers=identifiers,
    )


def stored_weights(training_set: TrainingSet, settings: Training, seed: int) -> Array | None:
    """Weights (k, n) of the methods that are stages of their own."""
    from taipan.nn.weights.learned import learn_weights
    from taipan.nn.weights.transform import transform_cells

    if settings.negative_weights in ("refine", "resample"):
        return learn_weights(training_set, settings, seed)[0]
    if settings.negative_weights == "cell":
        return transform_cells(training_set, settings)
    return None


def describe_sample(
    training_set: TrainingSet, settings: Training, stored: Array | None, sample: str
) -> dict[str, float]:
    """Negative fraction and n_eff/n of a sample's weights of the loss, mean of the networks."""
    from taipan.nn.weights.transform import loss_weights

    of_sample = training_set.samples == sample
    fractions, sizes = [], []
    for fold, weights in enumerate(loss_weights(training_set, settings, stored)):
        split = split_folds(training_set.folds, training_set.identifiers, fold, settings.folds)
        chosen = weights[split.training & of_sample]
        fractions.append(metrics.negative_fraction(chosen))
        sizes.append(metrics.n_eff(chosen) / len(chosen))
    return {
        "negative_fraction": float(np.mean(fractions)),
        "n_eff_per_event": float(np.mean(sizes)),
    }


def score_with(
    training_set: TrainingSet,
    settings: Training,
    seed: int,
    features: Array,
    stored: Array | None = None,
) -> Array:
    """Train by the stages of the workflow; score other events (m, f) by every network, (k, m)."""
    from taipan.nn.scorer import FoldScorer
    from taipan.nn.train import train_network

    if stored is None:
        stored = stored_weights(training_set, settings, seed)
    with tempfile.TemporaryDirectory() as folder:
        models = [Path(folder) / f"{fold}.onnx" for fold in range(settings.folds)]
        record = Path(folder) / "record.json"
        train_network(training_set, settings, seed, models, record, transformed=stored)
        scorer = FoldScorer(models, training_set.names)
        return np.stack([scorer.score_with(fold, features) for fold in range(settings.folds)])


def measure_toy(
    events: int,
    fraction: float,
    seed: int,
    method: str,
    truth_events: int = 200_000,
    **changes: object,
) -> dict[str, float]:
    """AUC and cross-entropy on `truth_events` a class of the truth, mean of the two networks."""
    truth = make_toy(truth_events, 0.0, 10_000 + seed)
    settings = Training.model_validate({**TOY, "negative_weights": method, **changes})
    # The networks are trained on three eighths of the events, which makes `events` a class.
    training_set = make_toy(round(events * 8 / 3), fraction, seed)
    ones = np.ones(len(truth))
    scores = score_with(training_set, settings, seed, truth.features)
    return {
        "auc": float(np.mean([metrics.auc(truth.labels, item, ones) for item in scores])),
        "bce": float(np.mean([metrics.bce(truth.labels, item, ones) for item in scores])),
    }


def run_toy(options: argparse.Namespace, save: Callable[[dict[str, Any]], None]) -> None:
    """Every method on the toy; the literal signed loss, without bound, must be stopped."""
    from taipan.errors import TaipanError

    found: dict[str, Any] = {"bayes": {"auc": 0.9213, "bce": 0.3564}}
    raw = {"hidden_layers": [128, 128], "batch_size": 128, "epochs": 120, "patience": 120,
           "logit_bound": None}  # fmt: skip
    for fraction in options.fractions or (0.25, 0.4):
        for events in options.sizes:
            for method in METHODS:
                runs = [measure_toy(events, fraction, seed, method) for seed in options.seed_list]
                found[f"{fraction} {events} {method}"] = {**summarise(runs), "seeds": len(runs)}
                save(found)
        for events in (500, 1_000, 2_000):
            stopped = []
            for seed in options.seed_list:
                try:
                    measure_toy(events, fraction, seed, "signed_bounded", **raw)
                except TaipanError as error:
                    stopped.append(str(error))
            found[f"{fraction} {events} raw"] = {"stopped": len(stopped), "first": stopped[:1]}
            save(found)


def summarise(runs: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Mean, standard deviation over the seeds and error of the mean of every number."""
    found = {}
    for key in runs[0]:
        values = np.array([run[key] for run in runs])
        spread = float(values.std(ddof=1)) if len(runs) > 1 else None
        error = None if spread is None else spread / float(np.sqrt(len(runs)))
        found[key] = {"mean": float(values.mean()), "spread": spread, "error": error}
    return found


def print_table(found: dict[str, Any], columns: dict[str, tuple[str, int]]) -> None:
    """Print a row of Markdown for each result that has all columns: key → (heading, digits)."""
    print("| | seeds | " + " | ".join(heading for heading, _ in columns.values()) + " |")
    print("| --- |" + " ---: |" * (len(columns) + 1))
    for name, item in found.items():
        if "seeds" not in item:
            continue
        cells = []
        for key, (_, digits) in columns.items():
            value = item.get(key, {})
            shown = value.get("error" if key == "ratio" else "spread")
            text = f"{value['mean']:.{digits}f}" if value else "–"
            cells.append(text if shown is None else f"{text} ± {shown:.{digits}f}")
        print(f"| {name} | {item['seeds']} | " + " | ".join(cells) + " |")


TABLES: dict[str, dict[str, tuple[str, int]]] = {
    "toy": {"auc": ("AUC", 4), "bce": ("BCE", 4)},
    "fastsim": {
        "auc": ("AUC", 4),
        "sigma_mu": ("σ(μ)", 3),
        "ratio": ("σ(μ) / truth, ± error of the mean", 3),
        "density_background": ("density, background", 3),
        "density_signal": ("density, signal", 3),
    },
    "skims": {
        "auc": ("AUC", 4),
        "auc_monotone": ("monotone AUC", 4),
        "sigma_mu": ("σ(μ), statistical", 3),
        "negative_fraction": ("negative fraction, QCD", 3),
        "n_eff_per_event": ("N_eff/N, QCD", 3),
    },
}


SKIMS = "config/examples/cms-2012-skims.yaml"
LUMINOSITY = 11.467  # fb⁻¹
ONE = {"networks": 1, "activation": "relu", "l2": 0.01}
FASTSIM = {"folds": 2, "epochs": 40, **ONE}


@dataclass(frozen=True)
class Events:
    """Selected events of a sample: features (n, f), physical weights and identifiers (n,)."""

    sample: str
    features: Array
    weights: Array
    identifiers: Array

    def first(self, share: float) -> Events:
        """The first events, weights scaled so that Σw stays."""
        count = round(share * len(self.weights))
        kept = self.weights[:count]
        return Events(
            self.sample,
            self.features[:count],
            kept * (self.weights.sum() / kept.sum()),
            self.identifiers[:count],
        )


class Fastsim:
    """Simulated datasets in the signal region, each made once."""

    def __init__(self, folder: Path) -> None:
        from taipan.analysis_selection import load_analysis
        from taipan.config.load import load_catalogue, load_config

        root = Path(__file__).parents[1]
        self.config = load_config({}, root)
        self.catalogue = load_catalogue(self.config)
        self.analysis = load_analysis(self.config.folder, self.config.quantities)
        self.folder = folder

    def make(self, sample: str, dataset: str, events: int, fraction: float, seed: int) -> Events:
        from taipan.datasets import event_scale
        from taipan.events.selection import region_masks, sample_masks
        from taipan.fastsim import FastsimSettings, write_dataset
        from taipan.skim.run import Chunk, SkimSettings, skim_chunk
        from taipan.skim.storage import read_events

        settings = FastsimSettings(LUMINOSITY, 1.0, "none", 0.0, fraction, {dataset: events})
        name = f"{dataset}_{fraction}_{seed}"
        source, skimmed = self.folder / f"{name}.root", self.folder / f"{name}.parquet"
        made = write_dataset(dataset, source, settings, seed)
        skim = SkimSettings(dataset, False, "nanoaod", self.config.skim.envelope, 200_000)
        skim_chunk(Chunk(source), self.analysis, skim, skimmed, self.folder / f"{name}.json", {})
        source.unlink()
        columns = read_events([skimmed], self.analysis.columns)
        quantities = self.analysis.compute(columns)
        chosen = region_masks(quantities, self.config.regions)["signal"]
        if sample != "ZTT":  # the NLO-like sample is ZTT alone, and not a dataset of the analysis
            chosen &= sample_masks(quantities, self.config.samples, dataset)[sample]
        features = np.stack([quantities[name] for name in self.config.features], axis=1)
        scale = event_scale(self.catalogue.dataset(dataset), LUMINOSITY, made["sumw"])
        weights = columns["genWeight"].astype(np.float64) * scale
        return Events(
            sample,
            features.astype(np.float32)[chosen],
            weights[chosen],
            columns["event_hash"][chosen],
        )

    def positive(self, scale: float, seed: int) -> list[Events]:
        """Signals and every simulated background but Z → ττ, of `scale` times the default size."""
        return [
            self.make(sample, name, round(scale * self.catalogue.dataset(name).generated_events),
                      0.0, seed)
            for sample, item in self.config.samples.items()
            if sample != "ZTT"
            for name in item.datasets
        ]  # fmt: skip

    def join(self, parts: Sequence[Events]) -> TrainingSet:
        from taipan.columns.identity import assign_folds

        flags = (self.analysis.quantities[name].may_be_missing for name in self.config.features)
        identifiers = np.concatenate([part.identifiers for part in parts])
        sizes = [len(part.weights) for part in parts]
        names = [part.sample for part in parts]
        return TrainingSet(
            features=np.concatenate([part.features for part in parts]),
            names=tuple(self.config.features),
            labels=np.repeat([int(name in ("ggH", "qqH")) for name in names], sizes),
            weights=np.concatenate([part.weights for part in parts]),
            folds=assign_folds(identifiers, 2),
            samples=np.repeat(names, sizes),
            identifiers=identifiers,
            may_be_missing=tuple(flags),
        )


def judge(
    templates: TrainingSet, scores: Array, truth: Array | None, edges: Sequence[float]
) -> dict[str, float]:
    """Measure scores (k, m) on the positive-weight templates, mean of the k networks."""
    labels, weights = templates.labels, templates.weights
    scale = np.where(
        labels == 1, 1.0 / weights[labels == 1].sum(), 1.0 / weights[labels == 0].sum()
    )
    runs = []
    for fold, item in enumerate(scores):
        run = {
            "auc": metrics.auc(labels, item, weights),
            "bce": metrics.bce(labels, item, weights * scale),
            "sigma_mu": metrics.asimov_sigma_mu(labels, item, weights, edges),
        }
        for label, name in enumerate(("background", "signal")):
            if truth is not None:
                chosen = labels == label
                a = weights[chosen]
                run[f"density_{name}"] = metrics.ks_test(
                    item[chosen], a, truth[fold][chosen], a
                ).statistic
        runs.append(run)
    return {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}


def run_fastsim(options: argparse.Namespace, save: Callable[[dict[str, Any]], None]) -> None:
    """Networks trained on the NLO-like sample against networks trained on its density."""
    settings = Training.model_validate(FASTSIM).model_dump(mode="json")
    found: dict[str, Any] = {"settings": settings}
    runs: dict[str, list[dict[str, float]]] = {}

    def add(name: str, run: dict[str, float]) -> None:
        # Truth and the others of a seed share events and templates: the ratio scatters less.
        truth = runs["truth"][-1] if name != "truth" else run
        run["ratio"] = run["sigma_mu"] / truth["sigma_mu"]
        runs.setdefault(name, []).append(run)
        found[name] = {**summarise(runs[name]), "seeds": len(runs[name])}
        save(found)

    with tempfile.TemporaryDirectory() as folder:
        sim = Fastsim(Path(folder))
        edges = sim.config.observables["nn_score"].binning

        def make_ztt(events: int, fraction: float, seed: int) -> Events:
            return sim.make("ZTT", "DYToTauTau_NLO", events, fraction, seed)

        templates = sim.join([*sim.positive(1.0, 9_000), make_ztt(150_000, 0.0, 9_000)])
        for seed in options.seed_list:
            others = sim.positive(0.5, seed)

            def train(ztt: Events, **changes: object) -> Array:
                settings = Training.model_validate({**FASTSIM, **changes})
                return score_with(sim.join([*others, ztt]), settings, seed, templates.features)  # noqa: B023

            positive = make_ztt(options.events, 0.0, seed)
            truth = train(positive)
            add("truth", judge(templates, truth, None, edges))
            second = train(make_ztt(options.events, 0.0, 500 + seed))
            add("truth, other events", judge(templates, second, truth, edges))
            for fraction in options.fractions or (0.1, 0.2, 0.3, 0.4):
                fewer = positive.first((1.0 - 2.0 * fraction) ** 2)
                add(f"{fraction} truth, n_eff events", judge(templates, train(fewer), truth, edges))
                signed = make_ztt(options.events, fraction, seed + round(1_000 * fraction))
                for method in METHODS:
                    scores = train(signed, negative_weights=method)
                    add(f"{fraction} {method}", judge(templates, scores, truth, edges))


def run_skims(options: argparse.Namespace, save: Callable[[dict[str, Any]], None]) -> None:
    """Real data: QCD is same-sign data minus simulation, in the training and in the templates."""
    from taipan.config.load import read_config
    from taipan.events.inputs import SkimmedEvents
    from taipan.nn.inputs import TrainingInputs, open_training_set

    root = Path(__file__).parents[1]
    config = read_config([root / SKIMS], root)
    folder = options.results
    names = [*config.data, *(name for item in config.samples.values() for name in item.datasets)]
    skimmed = SkimmedEvents(
        {name: sorted((folder / "events" / name).glob("*.parquet")) for name in set(names)},
        folder / "normalisation.json",
        folder / "corrections/pileup.json",
    )
    inputs = TrainingInputs(skimmed, folder / "corrections/transfer_factor.json")
    events = open_training_set(inputs, config)
    edges = config.observables["nn_score"].binning
    training = config.training.model_copy(update=ONE)
    found: dict[str, Any] = {"settings": training.model_dump(mode="json")}
    for name in ("QCD", "ZTT"):
        found[name] = metrics.describe_weights(events.weights[events.samples == name])
    runs: dict[str, list[dict[str, float]]] = {}
    for seed in options.seed_list:
        for method in METHODS:
            settings = config.training.model_copy(update={**ONE, "negative_weights": method})
            stored = stored_weights(events, settings, seed)
            every = score_with(events, settings, seed, events.features, stored)
            scores = every[events.folds, np.arange(len(events))]
            area = metrics.auc_with_uncertainty(events.labels, scores, events.weights)
            run = {
                "auc": area.value,
                "auc_sigma": area.sigma,
                "auc_monotone": metrics.auc_monotone(events.labels, scores, events.weights),
                "sigma_mu": metrics.asimov_sigma_mu(events.labels, scores, events.weights, edges),
                **describe_sample(events, settings, stored, "QCD"),
            }
            runs.setdefault(method, []).append(run)
            found[method] = {**summarise(runs[method]), "seeds": len(runs[method])}
            save(found)


def run_cost(options: argparse.Namespace, save: Callable[[dict[str, Any]], None]) -> None:
    """CPU time of the default against positive weights, and of `cell` on 100,000 events."""
    from taipan.nn.weights.cells import cell_points, resample_cells

    found: dict[str, Any] = {}
    signed, positive = make_toy(40_000, 0.25, 1), make_toy(40_000, 0.0, 1)
    settings = Training.model_validate({**TOY, "epochs": 10, "patience": 10})
    seconds: dict[str, list[float]] = {"signed_bounded": [], "unweighted": []}
    score_with(signed, settings.model_copy(update={"epochs": 1}), 1, signed.features[:10])
    for _ in range(3):  # in turn, so that whatever else runs slows both
        for name, events_ in (("signed_bounded", signed), ("unweighted", positive)):
            start = time.process_time()
            score_with(events_, settings, 1, events_.features[:10])
            seconds[name].append(time.process_time() - start)
    found["training, CPU seconds"] = seconds
    found["signed / unweighted"] = min(seconds["signed_bounded"]) / min(seconds["unweighted"])
    save(found)
    generator = np.random.default_rng(1)
    events, features = 100_000, 21
    mixing = generator.normal(size=(features, features)) / np.sqrt(features)
    values = (generator.normal(size=(events, features)) @ mixing).astype(np.float32)
    weights = np.where(generator.random(events) < 0.25, -1.0, 1.0)
    for components in (2, 4, 6, features):
        if components == features and not options.slow:
            continue
        start = time.process_time()
        new = resample_cells(cell_points(values, weights, components), weights)
        found[f"cell, {components} components, CPU seconds"] = time.process_time() - start
        assert new.min() >= 0.0
        save(found)


def write_to(path: Path | None) -> Callable[[dict[str, Any]], None]:
    def save(found: dict[str, Any]) -> None:
        if path is not None:
            path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        save.latest = found  # type: ignore[attr-defined]

    return save


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=["toy", "fastsim", "skims", "cost"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--fractions", type=float, nargs="*")
    parser.add_argument("--events", type=int, default=120_000, help="size of the NLO-like sample")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[20_000], help="events a class of the toy"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results/cms-2012-skims/htautau"),
        help="folder of a run of config/examples/cms-2012-skims.yaml",
    )  # fmt: skip
    parser.add_argument("--slow", action="store_true", help="cells in all dimensions, too")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(None if arguments is None else list(arguments))
    options.seed_list = range(options.first_seed, options.first_seed + options.seeds)
    save = write_to(options.output)
    studies = {"toy": run_toy, "fastsim": run_fastsim, "skims": run_skims, "cost": run_cost}
    studies[options.study](options, save)
    print(json.dumps(save.latest, indent=1))  # type: ignore[attr-defined]
    if options.study in TABLES:
        print_table(save.latest, TABLES[options.study])  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
