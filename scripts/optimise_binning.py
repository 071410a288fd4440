"""Choose bin edges with the smallest expected uncertainty of the signal strength."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.optimise_binning import optimise_binning

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        optimise_binning,
        events=local_files(snakemake.params.events, snakemake.input.events),
        models=list(snakemake.input.models),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        transfer_factor=snakemake.input.transfer_factor,
        shapes=snakemake.input.shapes,
        config=snakemake.params.config,
        threads=snakemake.threads,
        output=snakemake.output[0],
        log=snakemake.log[0],
    )
