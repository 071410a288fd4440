"""Search for the hyperparameters of the network."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.tune import tune

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        tune,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        transfer_factor=snakemake.input.transfer_factor,
        config=snakemake.params.config,
        seed=snakemake.params.seed,
        code=snakemake.params.code,
        threads=snakemake.threads,
        weights=list(snakemake.input.weights),
        folder=snakemake.params.folder,
        best=snakemake.output.best,
        trials=snakemake.output.trials,
        log=snakemake.log[0],
    )
