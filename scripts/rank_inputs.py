"""Measure and draw the permutation importance of the inputs."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.rank_inputs import rank_inputs

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        rank_inputs,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        transfer_factor=snakemake.input.transfer_factor,
        config=snakemake.params.config,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        models=list(snakemake.input.models),
        header=snakemake.params.header,
        outputs={kind: snakemake.output[kind] for kind in ("pdf", "png", "json")},
        log=snakemake.log[0],
    )
