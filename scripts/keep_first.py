"""Write the events of a dataset without those that occur before."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.keep_first import keep_first

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        keep_first,
        dataset=snakemake.wildcards.dataset,
        events=list(snakemake.input.events),
        repeats=snakemake.input.repeats,
        module=snakemake.params.module,
        output=snakemake.output[0],
        log=snakemake.log[0],
    )
