"""Training against an adversary: a toy of which the truth is known, and the cost.

    python benchmarks/adversary.py toy [--seeds 3] [--strengths 0 1 5 10 20]
    python benchmarks/adversary.py cost

Prints one JSON object; `--output FILE` also writes it, after every training.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan import metrics
from taipan.config.sections.training import Training
from taipan.nn.adversary.events import Opponent, OpponentEvents
from taipan.nn.data import TrainingSet, split_folds

Array = NDArray[Any]
SIGNAL = np.array([1.8, 0.85, 0.85])  # mean of the signal's features; that of the background is 0
SHIFT = 0.6  # of the first feature in data
NAMES = ("x1", "x2", "x3")
TOY = {
    "folds": 3, "networks": 1, "hidden_layers": [32, 32], "activation": "relu", "dropout": 0.0,
    "l2": 0.0, "batch_size": 512, "learning_rate": 2e-3, "epochs": 40, "patience": 40,
}  # fmt: skip


def draw(generator: np.random.Generator, events: int, kind: str) -> Array:
    """Features (n, 3) of `background` or `signal` in simulation, or of background in `data`."""
    features = generator.normal(size=(events, 3))
    features += SIGNAL if kind == "signal" else 0.0
    features[:, 0] += SHIFT if kind == "data" else 0.0
    return features.astype(np.float32)


def make_toy(
    events: int, control: int, seed: int, permuted: bool = False
) -> tuple[TrainingSet, OpponentEvents]:
    """Training events (`events` a class), and a control sample (`control` a domain).

    With `permuted` the domains of the control sample are shuffled: there is nothing to find.
    """
    generator = np.random.default_rng(seed)
    features = np.concatenate([draw(generator, events, kind) for kind in ("background", "signal")])
    identifiers = generator.integers(0, 2**63, 2 * events).astype(np.uint64)
    training_set = TrainingSet(
        features=features,
        names=NAMES,
        labels=np.repeat([0, 1], events),
        weights=np.ones(2 * events),
        folds=(identifiers % np.uint64(3)).astype(np.int64),
        samples=np.repeat(["background", "signal"], events),
        identifiers=identifiers,
    )
    domains = np.repeat([0, 1], control).astype(np.float32)
    identifiers = generator.integers(0, 2**63, 2 * control).astype(np.uint64)
    shown = OpponentEvents(
        features=np.concatenate(
            [draw(generator, control, kind) for kind in ("background", "data")]
        ),
        targets=generator.permutation(domains) if permuted else domains,
        weights=np.ones(2 * control),
        folds=(identifiers % np.uint64(3)).astype(np.int64),
        identifiers=identifiers,
        conditions=np.zeros((2 * control, 0), np.float32),
    )
    return training_set, shown.ordered()


def make_settings(strength: float, **changes: Any) -> Training:
    """Section `training` of the toy; `changes` of its adversary."""
    adversary = {"enabled": True, "strength": strength, **changes}
    return Training.model_validate({**TOY, "adversary": adversary})


def train_toy(
    strength: float, seed: int, events: int, permuted: bool = False, **changes: Any
) -> tuple[Any, Any]:
    """Train network 0; gives the engine with its best weights, and the histories."""
    from taipan.nn.engine import prepare_tensorflow
    from taipan.nn.fold import FoldPlan, make_engine, train_fold

    prepare_tensorflow(1)
    training_set, control = make_toy(events, events, seed, permuted)
    settings = make_settings(strength, **changes)
    engine = make_engine(
        training_set, settings, [Opponent("control_sample", "domain", strength, control)]
    )
    split = split_folds(training_set.folds, training_set.identifiers, 0, 3)
    weights = training_set.training_weights()
    return engine, train_fold(engine, training_set, weights, split, FoldPlan(settings), seed)


def judge_toy(engine: Any, seed: int, events: int = 100_000) -> dict[str, float]:
    """Judge the score on `events` a kind that no network has seen.

    `ratio_E`: share of background above the threshold of E % signal efficiency, data over
    simulation. `fresh`: area under the ROC curve of a fresh adversary, the likelihood ratio of
    the score in 50 bins, on the other half of the events.
    """
    generator = np.random.default_rng(10_000 + seed)
    scores = {}
    for kind in ("signal", "background", "data"):
        features = draw(generator, events, kind)
        scores[kind] = engine.predict(engine.load(features, np.zeros(events), np.ones(events)))
    labels, ones = np.repeat([1, 0], events), np.ones(2 * events)
    found = {}
    for name, kind in (("auc_simulation", "background"), ("auc_data", "data")):
        both = np.concatenate([scores["signal"], scores[kind]])
        found[name] = metrics.auc(labels, both, ones)
    for efficiency in (50, 30, 10):
        threshold = np.quantile(scores["signal"], 1.0 - efficiency / 100.0)
        shares = [float(np.mean(scores[kind] > threshold)) for kind in ("data", "background")]
        found[f"ratio_{efficiency}"] = shares[0] / shares[1]
    found["ks"] = metrics.ks_test(
        scores["data"], ones[:events], scores["background"], ones[:events]
    ).statistic
    edges = np.unique(np.quantile(scores["background"], np.arange(1, 50) / 50))
    bins = {kind: np.searchsorted(edges, scores[kind]) for kind in ("data", "background")}
    half = events // 2
    counts = [np.bincount(bins[k][:half], minlength=50) + 1.0 for k in ("data", "background")]
    answer = np.log(counts[0] / counts[1])
    both = np.concatenate([answer[bins[kind][half:]] for kind in ("data", "background")])
    found["fresh"] = metrics.auc(np.repeat([1, 0], events - half), both, ones[: 2 * half])
    return found


def summarise(runs: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Mean and values of each number."""
    return {
        key: {
            "mean": round(float(np.mean([run[key] for run in runs])), 4),
            "values": [round(run[key], 4) for run in runs],
        }
        for key in runs[0]
    }


def run_toy(options: argparse.Namespace, save: Callable[[dict[str, Any]], None]) -> None:
    """Scan λ, the other mechanism, what the adversary sees, and permuted domains."""
    found: dict[str, Any] = {}
    cases: dict[str, dict[str, Any]] = {
        f"λ = {value:g}": {"strength": value} for value in options.strengths
    }
    for name, changes in {
        "reversal": {"mechanism": "reversal"},
        "hidden": {"sees": "hidden"},
        "from the baseline": {"start": "baseline"},
        "emphasis 0": {"emphasis": 0.0},
        "emphasis 1": {"emphasis": 1.0},
        "permuted": {"permuted": True},
    }.items():
        cases[f"λ = 10, {name}"] = {"strength": 10.0, **changes}
    for name, case in cases.items():
        runs = []
        for seed in range(options.seeds):
            engine, _ = train_toy(seed=seed, events=options.events, **case)
            runs.append(judge_toy(engine, seed))
        found[name] = summarise(runs)
        save(found)


def run_cost(options: argparse.Namespace, save: Callable[[dict[str, Any]], None]) -> None:
    """CPU time of a training against an adversary over that of the plain one, in turn."""
    from taipan.nn.engine import prepare_tensorflow
    from taipan.nn.fold import FoldPlan, make_engine, train_fold

    prepare_tensorflow(1)
    training_set, control = make_toy(options.events, options.events, 1)
    base = {**TOY, "hidden_layers": [64, 64], "batch_size": 1024, "dropout": 0.3}
    split = split_folds(training_set.folds, training_set.identifiers, 0, 3)
    weights = training_set.training_weights()
    found: dict[str, Any] = {}
    engines = {}
    for name, changes in {
        "plain": None,
        "alternating": {},
        "reversal": {"mechanism": "reversal"},
        "alternating, hidden": {"sees": "hidden"},
    }.items():
        settings = Training.model_validate(
            {**base, "adversary": {"enabled": changes is not None, **(changes or {})}}
        )
        opponents = [] if changes is None else [Opponent("control_sample", "domain", 10, control)]
        engines[name] = (make_engine(training_set, settings, opponents), settings)
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for turn in range(4):  # the first compiles
        for name, (engine, settings) in engines.items():
            plan = FoldPlan(settings.model_copy(update={"epochs": 10 if turn else 7}))
            start = time.process_time()
            train_fold(engine, training_set, weights, split, plan, turn)
            if turn:
                seconds[name].append(time.process_time() - start)
        found["CPU seconds of 10 epochs"] = seconds
        if turn:
            plain = min(seconds["plain"])
            found["times plain training"] = {
                name: round(min(values) / plain, 2) for name, values in seconds.items()
            }
        save(found)


def write_to(path: Path | None) -> Callable[[dict[str, Any]], None]:
    def save(found: dict[str, Any]) -> None:
        if path is not None:
            path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
        save.latest = found  # type: ignore[attr-defined]

    return save


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=["toy", "cost"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strengths", type=float, nargs="*", default=[0.0, 1.0, 5.0, 10.0, 20.0])
    parser.add_argument("--events", type=int, default=15_000, help="a class, and a domain")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    save = write_to(options.output)
    {"toy": run_toy, "cost": run_cost}[options.study](options, save)
    print(json.dumps(save.latest, indent=1, ensure_ascii=False))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
