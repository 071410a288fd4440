"""Add the datasets' histograms and estimate QCD."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.combine_templates import combine

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        combine,
        observables=list(snakemake.input.observables),
        control=list(snakemake.input.control),
        transfer_factor=snakemake.input.transfer_factor,
        edges=(list(snakemake.input.edges) or [None])[0],
        config=snakemake.params.config,
        templates=snakemake.output.templates,
        control_plots=snakemake.output.control,
        residuals=snakemake.output.residuals,
        log=snakemake.log[0],
    )
