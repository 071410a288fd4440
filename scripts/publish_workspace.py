"""Copy the main workspace to where readers look for it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.atomic import write_text
from taipan.scripting import run_script

if TYPE_CHECKING:
    snakemake: Any


def publish_workspace(workspace: str, published: str) -> None:
    """Copy a file, to the byte."""
    write_text(published, Path(workspace).read_text(encoding="utf-8"))


if __name__ == "__main__":
    run_script(
        publish_workspace,
        workspace=snakemake.input.workspace,
        published=snakemake.output.published,
        log=snakemake.log[0],
    )
