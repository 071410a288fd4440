"""Draw the control plots of every region."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.plot_control import plot_control

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        plot_control,
        control=snakemake.input.control,
        config=snakemake.params.config,
        blinded=snakemake.params.blinded,
        header=snakemake.params.header,
        outputs=dict(snakemake.output.items()),
        log=snakemake.log[0],
    )
