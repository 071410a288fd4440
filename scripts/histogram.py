"""Fill the histograms of one dataset with every variation."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.histogram import histogram

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        histogram,
        dataset=snakemake.wildcards.dataset,
        events=list(snakemake.input.events),
        models=list(snakemake.input.models),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        shapes=snakemake.input.shapes,
        edges=(list(snakemake.input.edges) or [None])[0],
        drop_fold=snakemake.params.drop_fold,
        config=snakemake.params.config,
        threads=snakemake.threads,
        observables=snakemake.output.observables,
        control=snakemake.output.control,
        log=snakemake.log[0],
    )
