"""Judge how the score of networks differs between data and simulation in control regions."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import local_files, run_script
from taipan.stages.check_decorrelation import check_decorrelation

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        check_decorrelation,
        events=local_files(snakemake.params.events, snakemake.input.events),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        transfer_factor=snakemake.input.transfer_factor,
        networks={
            name: list(snakemake.input[f"models_{name}"]) for name in snakemake.params.networks
        },
        config=snakemake.params.config,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        header=snakemake.params.header,
        record=snakemake.output.record,
        figures={
            name: {kind: snakemake.output[f"{name}_{kind}"] for kind in ("pdf", "png", "json")}
            for name in ("decorrelation_scores", "decorrelation_tails")
        },
        log=snakemake.log[0],
    )
