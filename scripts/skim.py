"""Skim one chunk of a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.remote.fetch import RECEIPT
from taipan.scripting import run_script
from taipan.skim.task import SkimTask, run_task

if TYPE_CHECKING:
    snakemake: Any


def skim(
    file: str | None,
    task: dict[str, Any],
    code: str,
    remote: dict[str, Any],
    events: str,
    cutflow: str,
    identities: str,
) -> None:
    """Select the events of a chunk of a local `file`, or if that is None of one on the mirrors."""
    # a receipt is what a download leaves for Snakemake
    path = None if file is None else Path(file.removesuffix(RECEIPT))
    chunk = SkimTask.from_rule(task, path, code, remote)
    run_task(chunk, Path(events), Path(cutflow), Path(identities))


if __name__ == "__main__":
    # where and how patiently a file is read does not change what is read: no parameters, which
    # would run finished jobs again
    run_script(
        skim,
        file=snakemake.input.file or None,
        task=snakemake.params.task,
        code=snakemake.params.code,
        remote=snakemake.config["remote"],
        events=snakemake.output.events,
        cutflow=snakemake.output.cutflow,
        identities=snakemake.output.identities,
        log=snakemake.log[0],
    )
