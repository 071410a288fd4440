"""Resample the training events to positive weights, by networks or by cells."""

from __future__ import annotations

from typing import Any

from taipan.atomic import write_json
from taipan.config.model import Config
from taipan.nn.inputs import TrainingInputs, open_training_set
from taipan.nn.weights.store import write_weights
from taipan.nn.weights.transform import transform_cells


def transform_weights(
    inputs: TrainingInputs,
    config: Config,
    seed: int,
    threads: int,
    weights: str,
    diagnostics: str,
) -> None:
    """Resample every network's training events.

    Parameters
    ----------
    inputs
        Events of the training, and what was measured for them.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical` and `training`.
    seed
        Seed of the networks.
    threads
        Threads of TensorFlow.
    weights, diagnostics
        Parquet and JSON files to write (``docs/negative_weights.md``).
    """
    training_set = open_training_set(inputs, config)
    found: list[dict[str, Any]] = []
    if config.training.negative_weights == "cell":
        resampled = transform_cells(training_set, config.training)
    else:
        from taipan.nn.weights.learned import learn_weights  # TensorFlow: only where it is needed

        resampled, found = learn_weights(training_set, config.training, seed, threads)
    write_weights(weights, training_set, resampled)
    write_json(diagnostics, {"method": config.training.negative_weights, "networks": found})


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(transform_weights)
