"""Search for the hyperparameters of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taipan.config.slices import restore_slice
from taipan.nn.inputs import open_training_set
from taipan.nn.weights.store import read_weights
from taipan.search.tune import describe_best, search_hyperparameters, write_results


def tune(
    events: Mapping[str, Sequence[str]],
    normalisation: str,
    pileup: str,
    transfer_factor: str,
    config: Mapping[str, Any],
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
    events
        Dataset → Parquet files of the skim.
    normalisation, pileup, transfer_factor
        JSON files of the rules of those names.
    config
        Sections `module`, `samples`, `regions`, `features`, `categorical`, `training`, `tuning`
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
    settings = restore_slice(config)
    training_set = open_training_set(events, normalisation, pileup, transfer_factor, settings)
    count = settings.training.network_count
    found = search_hyperparameters(
        training_set,
        settings.training,
        settings.tuning,
        settings.overtraining.conditions,
        seed,
        Path(folder),
        code,
        threads,
        read_weights(weights[0], training_set, count) if weights else None,
    )
    content = describe_best(found, settings.tuning, seed, code)
    write_results((best, trials), found.trials, content)
