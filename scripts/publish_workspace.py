"""Copy the main workspace to where readers look for it."""

from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.stages.publish_workspace import publish_workspace

if TYPE_CHECKING:
    snakemake: Any


if __name__ == "__main__":
    run_script(
        publish_workspace,
        workspace=snakemake.input.workspace,
        published=snakemake.output.published,
        log=snakemake.log[0],
    )
