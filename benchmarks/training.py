"""Training throughput: one compiled function an epoch against `keras.Model.fit`.

MLP 25-64-64-64-1, batches of 1,024, 100,000 events with signed weights. Each measurement has a
process of its own, because TensorFlow's threads are set once in a process; the ratio is taken to
the faster of `fit` with one thread and with TensorFlow's default. Prints one JSON object.

    python benchmarks/training.py [--events 100000] [--epochs 10] [--dropout 0.1]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
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


def measure_fit(events: int, epochs: int, dropout: float, threads: int) -> float:
    import keras
    import tensorflow as tf

    if threads:
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
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    return best_rate(
        lambda: model.fit(features, labels, sample_weight=weights, batch_size=BATCH, verbose=0),
        events,
        epochs,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--dropout", type=float, default=0.1)
    options = parser.parse_args()
    rates = {}
    context = multiprocessing.get_context("spawn")
    for name, function, threads in (
        ("compiled, 1 thread", measure_compiled, 1),
        ("fit, 1 thread", measure_fit, 1),
        ("fit, default threads", measure_fit, 0),
    ):
        with context.Pool(1) as pool:
            arguments = (options.events, options.epochs, options.dropout, threads)
            rates[name] = pool.apply(function, arguments)
    ratio = rates["compiled, 1 thread"] / max(rates[name] for name in rates if "fit" in name)
    print(
        json.dumps(
            {
                "events": options.events,
                "dropout": options.dropout,
                "events_per_second": {name: round(rate) for name, rate in rates.items()},
                "ratio": round(ratio, 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
