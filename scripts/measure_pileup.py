"""Measure the vertex weights of the simulation."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.measure_pileup import measure_pileup

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        measure_pileup,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        enabled=snakemake.params.pileup["enabled"],
        max_weight=snakemake.params.pileup["max_weight"],
        module=snakemake.params.module,
        output=snakemake.output[0],
        log=snakemake.log[0],
    )
