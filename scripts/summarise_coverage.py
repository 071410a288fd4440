"""Fit the pseudo-data of every batch and measure the coverage of the intervals."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.summarise_coverage import summarise_coverage

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        summarise_coverage,
        workspace=snakemake.input.workspace,
        pseudo_data=list(snakemake.input.pseudo_data),
        report=snakemake.output.report,
        figure={kind: snakemake.output[kind] for kind in ("pdf", "png", "json")},
        log=snakemake.log[0],
    )
