"""Build the pyhf workspace of one observable from its templates."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.build_workspace import build_workspace

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        build_workspace,
        templates=snakemake.input.templates,
        transfer=snakemake.input.get("transfer"),
        config=snakemake.params.config,
        observable=snakemake.params.observable,
        workspace=snakemake.output.workspace,
        record=snakemake.output.record,
        log=snakemake.log[0],
    )
