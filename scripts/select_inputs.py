"""Eliminate inputs of the network backwards."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.select_inputs import select_inputs

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        select_inputs,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        transfer_factor=snakemake.input.transfer_factor,
        config=snakemake.params.config,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        weights=list(snakemake.input.weights),
        header=snakemake.params.header,
        selection=snakemake.output.selection,
        outputs={kind: snakemake.output[kind] for kind in ("pdf", "png", "json")},
        log=snakemake.log[0],
    )
