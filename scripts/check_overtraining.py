"""Compare the score of training and held-out events; stop or warn."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.check_overtraining import check_overtraining

if TYPE_CHECKING:
    snakemake: Any


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
