"""Measure the opposite-sign/same-sign factor of the QCD background."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.measure_transfer_factor import measure

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        measure,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        config=snakemake.params.config,
        output=snakemake.output[0],
        log=snakemake.log[0],
    )
