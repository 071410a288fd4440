"""Training throughput: one compiled function an epoch against `keras.Model.fit`.

MLP 25-64-64-64-1, batches of 1,024, 100,000 events with signed weights. Each measurement has a
process of its own, because TensorFlow's threads are set once in a process. The peers are `fit` with
one thread and with TensorFlow's default, with `steps_per_execution=32`, on Keras' JAX backend, and,
with the interpreter of an environment that has it, PyTorch. The ratio is taken to the faster plain
`fit`. `--folds` measures k = 5 folds in one process against one instead. Prints one JSON object.

    python benchmarks/training.py [--events 100000] [--epochs 10] [--dropout 0.1]
                                  [--torch PYTHON] [--folds]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FEATURES, BATCH, LAYERS = 25, 1024, [64, 64, 64]


def best_rate(epoch: Callable[[], object], events: int, epochs: int) -> float:
    """Events per second of the fastest epoch, after one that compiles.

    The fastest, because whatever else runs on the machine can only slow an epoch down.
    """
    epoch()
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - start)
    return events / min(seconds)


def make_events(events: int) -> tuple[Any, Any, Any, np.random.Generator]:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, events)
    features = generator.normal(size=(events, FEATURES)).astype(np.float32)
    features[:, 0] += labels
    weights = np.where(generator.random(events) < 0.1, -1.0, 1.0)
    return features, labels, weights, generator


def measure_compiled(events: int, epochs: int, dropout: float, threads: int) -> float:
    from taipan.config.model import Training
    from taipan.nn.engine import Engine, prepare_tensorflow
    from taipan.nn.model import build_network

    prepare_tensorflow(threads)
    features, labels, weights, generator = make_events(events)
    settings = Training(hidden_layers=LAYERS, l2=1e-5, batch_size=BATCH, dropout=dropout)
    engine = Engine(build_network((False,) * FEATURES, settings), settings)
    engine.reset(1)
    loaded = engine.load(features, labels, weights)
    return best_rate(
        lambda: engine.train_epoch(loaded, generator.permutation(events).astype(np.int32)),
        events,
        epochs,
    )


def measure_fit(
    events: int,
    epochs: int,
    dropout: float,
    threads: int,
    backend: str = "tensorflow",
    steps: int = 1,
) -> float:
    os.environ["KERAS_BACKEND"] = backend
    import keras

    if threads:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
    features, labels, weights, _ = make_events(events)
    layers: list[object] = [keras.Input((FEATURES,))]
    for _ in range(3):
        penalty = keras.regularizers.L2(1e-5)
        layers.append(keras.layers.Dense(64, activation="relu", kernel_regularizer=penalty))
        if dropout:
            layers.append(keras.layers.Dropout(dropout))
    layers.append(keras.layers.Dense(1, activation="sigmoid"))
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", steps_per_execution=steps)
    return best_rate(
        lambda: model.fit(features, labels, sample_weight=weights, batch_size=BATCH, verbose=0),
        events,
        epochs,
    )


def measure_torch(python: str, events: int, epochs: int, dropout: float) -> float:
    peer = Path(__file__).with_name("torch_peer.py")
    command = [python, str(peer), str(events), str(epochs), str(dropout)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def measure_folds(events: int, epochs: int, folds: int) -> tuple[float, float]:
    """Seconds for k folds in one process, and for the first of them: events, graph and export.

    The time of one fold is that of a training of its own: its graph is traced for it.
    """
    from taipan.config.model import Training
    from taipan.nn import train
    from taipan.nn.data import TrainingSet

    train.prepare_tensorflow(1)
    features, labels, weights, generator = make_events(events)
    identifiers = generator.integers(0, 2**63, events).astype(np.uint64)
    training_set = TrainingSet(
        features=features,
        names=tuple(f"x{i}" for i in range(FEATURES)),
        labels=labels,
        weights=weights,
        folds=(identifiers % np.uint64(folds)).astype(np.int64),
        samples=np.where(labels == 1, "S", "B"),
        identifiers=identifiers,
    )
    settings = Training(
        folds=folds, hidden_layers=LAYERS, batch_size=BATCH, epochs=epochs, patience=epochs,
        checkpoint_every=0,
    )  # fmt: skip
    balanced = training_set.training_weights()

    def run(indices: range) -> float:
        start = time.perf_counter()
        engine = train.make_engine(training_set, settings)
        for fold in indices:
            split = train.split_folds(training_set.folds, identifiers, fold, folds)
            train.train_fold(engine, training_set, balanced, split, train.FoldPlan(settings), fold)
        return time.perf_counter() - start

    run(range(1))  # whatever is done once in a process
    single = run(range(1))
    return run(range(folds)), single


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--torch", help="Python of an environment with PyTorch")
    parser.add_argument("--folds", action="store_true")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    if options.folds:
        with context.Pool(1) as pool:
            many, one = pool.apply(measure_folds, (options.events, options.epochs, 5))
        seconds = {"five folds": round(many, 1), "one fold": round(one, 1)}
        print(json.dumps({"seconds": seconds, "ratio": round(many / one, 2)}, indent=1))
        return
    rates = {}
    arguments = (options.events, options.epochs, options.dropout)
    for name, function, more in (
        ("compiled, 1 thread", measure_compiled, (1,)),
        ("fit, 1 thread", measure_fit, (1,)),
        ("fit, default threads", measure_fit, (0,)),
        ("fit of 32 steps at a time, 1 thread", measure_fit, (1, "tensorflow", 32)),
        ("fit of 32 steps at a time, default threads", measure_fit, (0, "tensorflow", 32)),
        ("fit on JAX", measure_fit, (0, "jax")),
    ):
        with context.Pool(1) as pool:
            rates[name] = pool.apply(function, (*arguments, *more))
    if options.torch:
        rates["PyTorch"] = measure_torch(options.torch, *arguments)
    plain = max(rates["fit, 1 thread"], rates["fit, default threads"])
    own = rates["compiled, 1 thread"]
    print(
        json.dumps(
            {
                "events": options.events,
                "dropout": options.dropout,
                "events_per_second": {name: round(rate) for name, rate in rates.items()},
                "ratio": round(own / plain, 2),
                "ratio_to_each": {name: round(own / rate, 2) for name, rate in rates.items()},
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
