"""Train the networks of every fold and export an ONNX file a fold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.config.model import Config
from taipan.nn.inputs import TrainingInputs, open_training_events
from taipan.nn.train import train_network
from taipan.nn.weights.store import read_weights
from taipan.search.tune import apply_best


def train(
    inputs: TrainingInputs,
    config: Config,
    seed: int,
    code: str,
    threads: int,
    weights: Sequence[str],
    models: Sequence[str],
    record: str,
    checkpoints: str,
    best: str | None,
) -> None:
    """Train the networks of k folds.

    Parameters
    ----------
    inputs
        Events of the training, and what was measured for them.
    config
        Sections `module`, `samples`, `regions`, `features`, `categorical`, `training` and the
        conditions of `overtraining`.
    seed
        Seed of the training.
    code
        Version of the code, written into the models.
    threads
        Threads of TensorFlow.
    weights
        Parquet file of the weights of the loss, or none: the signed weights, or what
        `training.negative_weights` makes of them without a stage of its own.
    models
        ONNX file of each fold to write.
    record
        JSON record to write (``docs/training.md``).
    checkpoints
        Folder from whose files a killed training goes on.
    best
        Values found by the search, which replace those of `training`; None without a search.
    """
    training_set, opponents = open_training_events(inputs, config)
    training, used = config.training, (True,) * len(config.features)
    if best is not None:
        training, used = apply_best(best, training, config.features)
    count = training.network_count
    transformed = read_weights(weights[0], training_set, count) if weights else None
    train_network(
        training_set,
        training,
        seed,
        [Path(path) for path in models],
        Path(record),
        provenance={"code": code},
        threads=threads,
        transformed=transformed,
        conditions=config.overtraining.conditions,
        used=used,
        checkpoints=Path(checkpoints),
        opponents=opponents,
    )


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(train)
