"""Draw pseudo-data from the simulated events, with random signal strength and systematics."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.draw_pseudo_data import draw_pseudo_data

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        draw_pseudo_data,
        events={name: list(snakemake.input[name]) for name in snakemake.params.datasets},
        models=list(snakemake.input.models),
        normalisation=snakemake.input.normalisation,
        pileup=snakemake.input.pileup,
        shapes=snakemake.input.shapes,
        templates=snakemake.input.templates,
        transfer=snakemake.input.transfer,
        record=snakemake.input.record,
        config=snakemake.params.config,
        observable=snakemake.wildcards.observable,
        seed=snakemake.params.seed,
        batch=int(snakemake.wildcards.batch),
        threads=snakemake.threads,
        pseudo_data=snakemake.output.pseudo_data,
        log=snakemake.log[0],
    )
