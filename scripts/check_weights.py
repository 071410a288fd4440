"""Describe the event weights of samples and regions; judge those of the training, stop or warn."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.check_weights import check_weights

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        check_weights,
        inputs={
            "events": local_files(snakemake.params.events, snakemake.input.events),
            "normalisation": snakemake.input.normalisation,
            "pileup": snakemake.input.pileup,
            "transfer_factor": snakemake.input.transfer_factor,
        },
        config=snakemake.params.config,
        threads=snakemake.threads,
        weights=list(snakemake.input.weights),
        models=list(snakemake.input.models),
        record=snakemake.input.record,
        diagnostics=snakemake.output.diagnostics,
        verdict=snakemake.output.verdict,
        log=snakemake.log[0],
    )
