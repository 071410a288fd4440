"""Training throughput: one compiled function an epoch against `keras.Model.fit`.

MLP 25-64-64-64-1, batches of 1,024, 100,000 events with signed weights. The peers are `fit` with
one thread and with TensorFlow's default, with `steps_per_execution=32`, on Keras' JAX backend, and,
with the interpreter of an environment that has it, PyTorch. Each has a process of its own, because
TensorFlow's threads and Keras' backend are set once in a process; the processes take turns, an
epoch each, so that all see the same load of the machine. A rate is that of the fastest epoch:
whatever else runs can only slow one down; the same per second of processor time, which the load
changes less. The ratio is taken to the faster plain `fit`. `--folds` measures k = 5 folds in one
process against one, in processor time: with `--epochs` epochs as two processes would take them,
imports and tracing of the graph included in both, and, with the default number of epochs as well,
the training alone. Prints one JSON object.

    python benchmarks/training.py [--events 100000] [--epochs 10] [--dropout 0.1]
                                  [--torch PYTHON] [--folds]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FEATURES, BATCH, LAYERS = 25, 1024, [64, 64, 64]
NETWORK = {"networks": 1, "activation": "relu", "hidden_layers": LAYERS, "batch_size": BATCH}


OWN = "compiled, 1 thread"
TOGETHER = "compiled, 2 networks at a time"

Epoch = Callable[[], object]


def serve(prepare: Callable[..., Epoch], arguments: tuple[Any, ...], pipe: Any) -> None:
    """Run an epoch and send its wall and processor seconds whenever asked; the first compiles."""
    epoch = prepare(*arguments)
    epoch()
    pipe.send(None)
    while pipe.recv():
        start = time.perf_counter(), time.process_time()
        epoch()
        pipe.send((time.perf_counter() - start[0], time.process_time() - start[1]))


class Peer:
    """A process that runs epochs of one kind on request."""

    def __init__(self, prepare: Callable[..., Epoch], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(prepare, arguments, other))
        self.process.start()

    def wait(self) -> None:
        self.pipe.recv()

    def epoch(self) -> tuple[float, float]:
        self.pipe.send(True)
        wall, cpu = self.pipe.recv()
        return wall, cpu

    def stop(self) -> None:
        self.pipe.send(False)
        self.process.join()


class TorchPeer:
    """The same with the interpreter of another environment, by lines of text."""

    def __init__(self, python: str, events: int, dropout: float, threads: int) -> None:
        script = Path(__file__).with_name("torch_peer.py")
        command = [python, str(script), str(events), str(dropout), str(threads)]
        self.process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def wait(self) -> None:
        self.epoch()

    def epoch(self) -> tuple[float, float]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        wall, cpu = map(float, self.process.stdout.readline().split())
        return wall, cpu

    def stop(self) -> None:
        self.process.communicate()


def make_events(events: int) -> tuple[Any, Any, Any, np.random.Generator]:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, events)
    features = generator.normal(size=(events, FEATURES)).astype(np.float32)
    features[:, 0] += labels
    weights = np.where(generator.random(events) < 0.1, -1.0, 1.0)
    return features, labels, weights, generator


def prepare_compiled(events: int, dropout: float, threads: int) -> Epoch:
    from taipan.config.sections.training import Training
    from taipan.nn.engine import Engine, prepare_tensorflow
    from taipan.nn.model import build_network

    prepare_tensorflow(threads)
    features, labels, weights, generator = make_events(events)
    settings = Training.model_validate({**NETWORK, "l2": 1e-5, "dropout": dropout})
    engine = Engine(build_network((False,) * FEATURES, settings), settings)
    engine.reset(1)
    loaded = engine.load(features, labels, weights)
    return lambda: engine.train_epoch(loaded, generator.permutation(events).astype(np.int32))


def prepare_together(events: int, dropout: float, networks: int) -> Epoch:
    """Train networks of different folds at the same time, as the rule `train` does."""
    from concurrent.futures import ThreadPoolExecutor

    from taipan.config.sections.training import Training
    from taipan.nn.engine import Engine, prepare_tensorflow
    from taipan.nn.model import build_network

    prepare_tensorflow(networks)
    features, labels, weights, generator = make_events(events)
    settings = Training.model_validate({**NETWORK, "l2": 1e-5, "dropout": dropout})
    engines = [
        Engine(build_network((False,) * FEATURES, settings), settings) for _ in range(networks)
    ]
    for engine in engines:
        engine.reset(1)
    loaded = [engine.load(features, labels, weights) for engine in engines]
    pool = ThreadPoolExecutor(networks)

    def epoch() -> list[float]:
        orders = [generator.permutation(events).astype(np.int32) for _ in engines]
        steps = [
            pool.submit(engine.train_epoch, item, order)
            for engine, item, order in zip(engines, loaded, orders, strict=True)
        ]
        return [step.result() for step in steps]

    return epoch


def prepare_fit(
    events: int, dropout: float, threads: int, backend: str = "tensorflow", steps: int = 1
) -> Epoch:
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
    return lambda: model.fit(features, labels, sample_weight=weights, batch_size=BATCH, verbose=0)


def measure_folds(events: int, epochs: int, folds: int) -> dict[str, Any]:
    """Processor seconds for k folds in one process, and for one of them in a process of its own.

    From the start of the process, where a training of one fold imports TensorFlow and traces the
    graph as the one of k folds does, and without that.
    """
    started = time.process_time()
    from taipan.config.sections.training import Training
    from taipan.nn import train
    from taipan.nn.data import TrainingSet, split_folds
    from taipan.nn.fold import FoldPlan, make_engine, train_fold

    train.prepare_tensorflow(2)
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
    changes = {"folds": folds, "epochs": epochs, "patience": epochs, "checkpoint_every": 0}
    settings = Training.model_validate({**NETWORK, "l2": 0.01, **changes})
    balanced = training_set.training_weights()
    engine = make_engine(training_set, settings)
    few = engine.load(features[:2], labels[:2], weights[:2])
    engine.train_epoch(few, np.arange(2, dtype=np.int32))
    engine.predict(few)

    def run(indices: range) -> float:
        start = time.process_time()
        for fold in indices:
            split = split_folds(training_set.folds, identifiers, fold, folds)
            train_fold(engine, training_set, balanced, split, FoldPlan(settings), fold)
        return time.process_time() - start

    before = time.process_time() - started
    begun = time.perf_counter()
    one = run(range(1))
    wall_of_one = time.perf_counter() - begun
    many = one + run(range(1, folds))
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        models = [Path(folder) / f"{fold}.onnx" for fold in range(folds)]
        train.train_network(
            training_set, settings, 1, models, Path(folder) / "training.json", threads=2
        )
    wall_of_all = time.perf_counter() - begun
    return {
        "epochs": epochs,
        "seconds": {
            "imports and tracing": round(before, 1),
            "one fold": round(one, 1),
            f"{folds} folds": round(many, 1),
        },
        "ratio with imports and tracing": round((before + many) / (before + one), 2),
        "ratio of the training alone": round(many / one, 2),
        "wall seconds": {
            "one fold": round(wall_of_one, 1),
            f"{folds} folds, two at a time, with export": round(wall_of_all, 1),
        },
        "ratio of wall time": round(wall_of_all / wall_of_one, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--torch", help="Python of an environment with PyTorch")
    parser.add_argument("--folds", action="store_true")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    if options.folds:
        from taipan.config.sections.training import Training

        found = []
        for epochs in (options.epochs, Training().epochs):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found.append(pool.apply(measure_folds, (options.events, epochs, 5)))
        print(json.dumps(found, indent=1))
        return
    size = (options.events, options.dropout)
    peers: dict[str, Peer | TorchPeer] = {
        OWN: Peer(prepare_compiled, *size, 1),
        TOGETHER: Peer(prepare_together, *size, 2),
        "fit, 1 thread": Peer(prepare_fit, *size, 1),
        "fit, default threads": Peer(prepare_fit, *size, 0),
        "fit of 32 steps at a time, default threads": Peer(prepare_fit, *size, 0, "tensorflow", 32),
        "fit on JAX": Peer(prepare_fit, *size, 0, "jax"),
    }
    if options.torch:
        peers["PyTorch, 1 thread"] = TorchPeer(options.torch, *size, 1)
    for peer in peers.values():  # all import at the same time
        peer.wait()
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for _ in range(options.epochs):
        for name, peer in peers.items():
            seconds[name].append(peer.epoch())
    for peer in peers.values():
        peer.stop()
    described = {}
    for index, kind in enumerate(("second", "processor second")):
        rates = {
            name: options.events * (2 if name == TOGETHER else 1) / min(v[index] for v in values)
            for name, values in seconds.items()
        }
        plain = max(rates["fit, 1 thread"], rates["fit, default threads"])
        described[f"events per {kind}"] = {name: round(rate) for name, rate in rates.items()}
        described[f"ratio per {kind}"] = {
            name: round(rates[name] / plain, 2) for name in (OWN, TOGETHER)
        }
    print(
        json.dumps(
            {
                "events": options.events,
                "dropout": options.dropout,
                "load": [round(load, 1), round(os.getloadavg()[0], 1)],
                **described,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
