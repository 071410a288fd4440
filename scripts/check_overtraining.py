"""Compare the score of training and held-out events; stop or warn."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from taipan.atomic import write_json
from taipan.config.slices import restore_slice
from taipan.errors import TaipanError
from taipan.nn.inputs import open_training_set
from taipan.nn.overtraining import check_networks, failure_message
from taipan.scripting import local_files, run_script

if TYPE_CHECKING:
    snakemake: Any


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


if __name__ == "__main__":
    run_script(
        check_overtraining,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        transfer_factor=snakemake.input.transfer_factor,
        config=snakemake.params.config,
        threads=snakemake.threads,
        models=list(snakemake.input.models),
        verdict=snakemake.output.verdict,
        log=snakemake.log[0],
    )
