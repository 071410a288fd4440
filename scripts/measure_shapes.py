"""Measure the weights that systematics take from data."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.measure_shapes import measure_shapes

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        measure_shapes,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        transfer_factor=snakemake.input.transfer_factor,
        config=snakemake.params.config,
        output=snakemake.output[0],
        log=snakemake.log[0],
    )
