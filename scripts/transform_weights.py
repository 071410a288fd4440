"""Resample the training events to positive weights, by networks or by cells."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.transform_weights import transform_weights

if TYPE_CHECKING:
    snakemake: Any


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
