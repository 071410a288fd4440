"""Compare the score of training and held-out events; stop or warn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.atomic import write_json
from taipan.config.slices import restore_slice
from taipan.errors import TaipanError
from taipan.nn.inputs import open_training_set
from taipan.nn.overtraining import check_networks, failure_message


def check_overtraining(
    events: Mapping[str, Sequence[str]],
    normalisation: str,
    pileup: str,
    transfer_factor: str,
    config: Mapping[str, Any],
    threads: int,
    models: Sequence[str],
    verdict: str,
) -> None:
    """Write the verdict on the networks.

    Parameters
    ----------
    events
        Dataset → Parquet files of the skim.
    normalisation, pileup, transfer_factor
        JSON files of the rules of those names.
    config
        Sections `module`, `samples`, `regions`, `features`, `training` and `overtraining`.
    threads
        Threads of a network.
    models
        ONNX file of each fold.
    verdict
        JSON file to write (``docs/training.md``).

    Raises
    ------
    TaipanError
        If a condition fails and `overtraining.on_failure` is `stop`; the verdict is written first.
    """
    settings = restore_slice(config)
    training_set = open_training_set(events, normalisation, pileup, transfer_factor, settings)
    result = check_networks(training_set, models, settings.overtraining, threads)
    write_json(verdict, result)
    if not result["passed"] and result["action"] == "stop":
        raise TaipanError(failure_message(result))
