"""Skim one chunk of a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.skim.run import Chunk, SkimSettings
from taipan.skim.task import SkimTask, run_task

if TYPE_CHECKING:
    snakemake: Any


def skim(
    file: str,
    chunk: dict[str, Any],
    settings: dict[str, Any],
    module: str,
    sha256: str | None,
    parameters: dict[str, Any],
    events: str,
    cutflow: str,
) -> None:
    """Select the events of a chunk, of a file with the checksum `sha256` if that is known."""
    task = SkimTask(
        Chunk(Path(file), chunk["start"], chunk["stop"], chunk["file"]),
        SkimSettings(**settings),
        module,
        sha256,
        parameters,
    )
    run_task(task, Path(events), Path(cutflow))


if __name__ == "__main__":
    run_script(
        skim,
        file=snakemake.input.file,
        chunk=snakemake.params.chunk,
        settings=snakemake.params.settings,
        module=snakemake.params.module,
        sha256=snakemake.params.sha256,
        parameters=dict(snakemake.params.items()),
        events=snakemake.output.events,
        cutflow=snakemake.output.cutflow,
        log=snakemake.log[0],
    )
