"""Make one fastsim dataset."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.simulate import record_truth, simulate

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    arguments = {
        "settings": snakemake.params.settings,
        "seed": snakemake.params.seed,
        "output": snakemake.output[0],
        "log": snakemake.log[0],
    }
    if snakemake.rule == "simulate":
        run_script(simulate, dataset=snakemake.wildcards.dataset, **arguments)
    else:
        run_script(record_truth, **arguments)
