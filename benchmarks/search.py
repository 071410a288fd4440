"""A search of 20 trials: this package's against plain keras-tuner with `keras.Model.fit`.

The same events, hyperparameters of each trial, epochs and number of trials, one process each, at
the same time, so that both see the same load. In the search of this package no trial ends early and
the best is not compared with the configuration, because the plain one does neither; a third process
runs it with both. The plain search measures the validation AUC of Keras after each epoch and has no
overtraining conditions. Needs `pip install tensorboard`, which keras-tuner's own tuner imports.
Prints one JSON object.

    python benchmarks/search.py [--events 30000] [--trials 20] [--epochs 20]
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def make_events(events: int) -> Any:
    from taipan.nn.data import TrainingSet

    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, events)
    features = generator.normal(size=(events, 25)).astype(np.float32)
    features[:, :5] += 0.5 * labels[:, None]
    identifiers = generator.integers(0, 2**63, events).astype(np.uint64)
    return TrainingSet(
        features=features,
        names=tuple(f"x{i}" for i in range(25)),
        labels=labels,
        weights=np.where(generator.random(events) < 0.1, -1.0, 1.0),
        folds=(identifiers % np.uint64(5)).astype(np.int64),
        samples=np.where(labels == 1, "S", "B"),
        identifiers=identifiers,
    )


def settings(trials: int, epochs: int, whole: bool = False) -> tuple[Any, Any]:
    from taipan.config.sections.training import Training
    from taipan.config.sections.tuning import Tuning

    network = {"networks": 1, "activation": "relu", "l2": 0.01}
    stop = {"epochs": epochs, "patience": epochs, "overtraining_patience": epochs}
    training = Training.model_validate({**network, **stop})
    space = {"schedule": ["constant"], "activation": ["relu", "silu"], "l2": [2e-3, 2e-2]}
    content = {"trials": trials, "workers": 1, "space": space}
    if not whole:
        content |= {"first_check": 0, "confirm_folds": 0}
    return training, Tuning.model_validate(content)


def measure_own(events: int, trials: int, epochs: int, whole: bool = False) -> tuple[float, float]:
    from taipan.config.sections.overtraining import Overtraining
    from taipan.search.tune import search_hyperparameters

    logging.disable(logging.INFO)
    training, tuning = settings(trials, epochs, whole)
    conditions = Overtraining().conditions
    with tempfile.TemporaryDirectory() as folder:
        data = make_events(events)
        started = time.perf_counter(), time.process_time()
        search_hyperparameters(data, training, tuning, conditions, 1, Path(folder))
        return time.perf_counter() - started[0], time.process_time() - started[1]


def measure_plain(events: int, trials: int, epochs: int) -> tuple[float, float]:
    import keras
    import keras_tuner

    from taipan.nn.data import split_folds
    from taipan.search.space import build_space

    training, tuning = settings(trials, epochs)
    data = make_events(events)
    split = split_folds(data.folds, data.identifiers, 0, training.folds)
    weights = data.training_weights()

    class Model(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            network = keras.Sequential([keras.Input((25,))])
            for _ in range(hp.get("layers")):
                penalty = keras.regularizers.L2(hp.get("l2"))
                network.add(
                    keras.layers.Dense(
                        hp.get("units"), hp.get("activation"), kernel_regularizer=penalty
                    )
                )
                network.add(keras.layers.Dropout(hp.get("dropout")))
            network.add(keras.layers.Dense(1, "sigmoid"))
            network.compile(
                keras.optimizers.Adam(hp.get("learning_rate")),
                "binary_crossentropy",
                weighted_metrics=["auc"],
            )
            return network

        def fit(self, hp: Any, model: Any, *args: Any, **more: Any) -> Any:
            return model.fit(*args, batch_size=hp.get("batch_size"), **more)

    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(
            Model(),
            "val_loss",
            max_trials=trials,
            seed=2,
            hyperparameters=build_space(tuning.space),
            tune_new_entries=False,
            directory=folder,
        )
        parts = [
            (data.features[m], data.labels[m], weights[m])
            for m in (split.training, split.validation)
        ]
        started = time.perf_counter(), time.process_time()
        tuner.search(
            *parts[0][:2],
            sample_weight=parts[0][2],
            validation_data=parts[1],
            epochs=epochs,
            verbose=0,
        )
        return time.perf_counter() - started[0], time.process_time() - started[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    arguments = (options.events, options.trials, options.epochs)
    context = multiprocessing.get_context("spawn")
    runs = (
        ("own", measure_own, arguments),
        ("plain", measure_plain, arguments),
        ("own, as it comes", measure_own, (*arguments, True)),
    )
    with context.Pool(len(runs)) as pool:
        begun = [(name, pool.apply_async(function, more)) for name, function, more in runs]
        found = {name: result.get() for name, result in begun}
    print(
        json.dumps(
            {
                "seconds": {name: round(wall, 1) for name, (wall, _) in found.items()},
                "processor seconds": {name: round(cpu, 1) for name, (_, cpu) in found.items()},
                "ratio": round(found["plain"][0] / found["own"][0], 2),
                "ratio of processor seconds": round(found["plain"][1] / found["own"][1], 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
