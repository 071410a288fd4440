"""Resample the training events to positive weights, by networks or by cells."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from taipan.atomic import write_json
from taipan.config.slices import restore_slice
from taipan.nn.inputs import open_training_set
from taipan.nn.weights.store import write_weights
from taipan.nn.weights.transform import transform_cells
from taipan.scripting import local_files, run_script

if TYPE_CHECKING:
    snakemake: Any


def transform_weights(
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
    """Resample every network's training events.

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
    found: list[dict[str, Any]] = []
    if settings.training.negative_weights == "cell":
        resampled = transform_cells(training_set, settings.training)
    else:
        from taipan.nn.weights.learned import learn_weights  # TensorFlow: only where it is needed

        resampled, found = learn_weights(training_set, settings.training, seed, threads)
    write_weights(weights, training_set, resampled)
    write_json(diagnostics, {"method": settings.training.negative_weights, "networks": found})


if __name__ == "__main__":
    run_script(
        transform_weights,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        transfer_factor=snakemake.input.transfer_factor,
        config=snakemake.params.config,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        weights=snakemake.output.weights,
        diagnostics=snakemake.output.diagnostics,
        log=snakemake.log[0],
    )
