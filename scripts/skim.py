"""Skim one chunk of a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.remote.fetch import RECEIPT
from taipan.scripting import run_script
from taipan.skim.run import Chunk, SkimSettings
from taipan.skim.task import SkimTask, run_task

if TYPE_CHECKING:
    snakemake: Any


def skim(
    file: str | None,
    remote: dict[str, Any],
    chunk: dict[str, Any],
    settings: dict[str, Any],
    module: str,
    expected: dict[str, Any],
    on_bad_file: str,
    parameters: dict[str, Any],
    events: str,
    cutflow: str,
) -> None:
    """Select the events of a chunk of a local `file`, or if that is None of one on the mirrors."""
    # what a download leaves for Snakemake is its receipt
    path = Path(chunk["file"] if file is None else file.removesuffix(RECEIPT))
    task = SkimTask(
        Chunk(path, chunk["start"], chunk["stop"], chunk["file"]),
        SkimSettings(**settings),
        module,
        expected,
        parameters,
        on_bad_file,
        remote if file is None else None,
    )
    run_task(task, Path(events), Path(cutflow))


if __name__ == "__main__":
    # where and how patiently a file is read does not change what is read: no parameters, which
    # would run finished jobs again
    run_script(
        skim,
        file=snakemake.input.file or None,
        remote=snakemake.config["remote"],
        chunk=snakemake.params.chunk,
        settings=snakemake.params.settings,
        module=snakemake.params.module,
        expected=snakemake.params.expected,
        on_bad_file=snakemake.params.on_bad_file,
        parameters=dict(snakemake.params.items()),
        events=snakemake.output.events,
        cutflow=snakemake.output.cutflow,
        log=snakemake.log[0],
    )
