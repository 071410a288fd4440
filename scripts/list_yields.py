"""List the nominal yields of every region and process."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.list_yields import write_yields

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        write_yields,
        templates=snakemake.input.templates,
        blinded=snakemake.params.blinded,
        yields=snakemake.output.yields,
        log=snakemake.log[0],
    )
