"""Search for the hyperparameters of the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.config.model import Config
from taipan.nn.inputs import TrainingInputs, open_training_set
from taipan.nn.weights.store import read_loss_weights
from taipan.search.process import spare_tensorflow
from taipan.search.tune import (
    describe_best,
    search_hyperparameters,
    trains_elsewhere,
    write_results,
)


def tune(
    inputs: TrainingInputs,
    config: Config,
    seed: int,
    code: str,
    threads: int,
    weights: Sequence[str],
    folder: str,
    best: str,
    trials: str,
) -> None:
    """Run the search and write what it found.

    Parameters
    ----------
    inputs
        Events of the training, and what was measured for them.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical`, `training`, `tuning`
        and the conditions of `overtraining`.
    seed
        Seed of the search.
    code
        Version of the code.
    threads
        Cores that the workers share.
    weights
        Parquet file of the weights of the loss, or none; as of the rule `train`.
    folder
        Folder in which a search that was killed goes on.
    best, trials
        JSON and CSV file to write (``docs/training.md``).
    """
    if trains_elsewhere(config.tuning):
        spare_tensorflow()
    training_set = open_training_set(inputs, config)
    found = search_hyperparameters(
        training_set,
        config.training,
        config.tuning,
        config.overtraining.conditions,
        seed,
        Path(folder),
        code,
        threads,
        read_loss_weights(weights, training_set, config.training.network_count),
    )
    content = describe_best(found, config.tuning, seed, code)
    write_results((best, trials), found.trials, content)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(tune)
