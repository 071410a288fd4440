"""Fit a workspace: expected and observed results."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.fit import fit

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        fit,
        workspace=snakemake.input.workspace,
        record=snakemake.input.record,
        confidence_level=snakemake.params.confidence_level,
        groups=snakemake.params.groups,
        result=snakemake.output.result,
        log=snakemake.log[0],
    )
