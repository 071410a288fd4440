"""Draw the cutflow of every dataset."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.plot_cutflow import plot_cutflow

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        plot_cutflow,
        cutflow=snakemake.input.cutflow,
        normalisation=snakemake.input.normalisation,
        header=snakemake.params.header,
        outputs=dict(snakemake.output.items()),
        log=snakemake.log[0],
    )
