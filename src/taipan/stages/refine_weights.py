"""Replace the sign of each weight by its mean given the features, and record what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.atomic import write_json
from taipan.config.slices import restore_slice
from taipan.nn.inputs import open_training_set
from taipan.nn.weights.learned import learn_weights
from taipan.nn.weights.store import write_weights


def refine_weights(
    events: Mapping[str, Sequence[str]],
    normalisation: str,
    pileup: str,
    transfer_factor: str,
    config: Mapping[str, Any],
    seed: int,
    threads: int,
    weights: str,
    diagnostics: str,
) -> None:
    """Learn the weights of every network's training events.

    Parameters
    ----------
    events
        Dataset → Parquet files of the skim.
    normalisation, pileup, transfer_factor
        JSON files of the rules of those names.
    config
        Sections `module`, `samples`, `regions`, `features`, `categorical` and `training`.
    seed
        Seed of the networks.
    threads
        Threads of TensorFlow.
    weights, diagnostics
        Parquet and JSON files to write (``docs/negative_weights.md``).
    """
    settings = restore_slice(config)
    training_set = open_training_set(events, normalisation, pileup, transfer_factor, settings)
    learned, found = learn_weights(training_set, settings.training, seed, threads)
    write_weights(weights, training_set, learned)
    write_json(diagnostics, {"method": settings.training.negative_weights, "networks": found})
