"""Skim all chunks of a dataset on a Dask cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.remote.fetch import RECEIPT
from taipan.scripting import run_script
from taipan.skim.executor import run_dask
from taipan.skim.run import Chunk, SkimSettings
from taipan.skim.task import SkimTask

if TYPE_CHECKING:
    snakemake: Any


def skim_dataset(
    files: list[str],
    remote: dict[str, Any],
    chunks: list[dict[str, Any]],
    settings: dict[str, Any],
    module: str,
    expected: list[dict[str, Any]],
    on_bad_file: str,
    scheduler: str,
    code: str,
    events: list[str],
    cutflows: list[str],
) -> None:
    """Select the events of every chunk of `files`, one a chunk, or none if on the mirrors."""
    tasks = []
    for index, (chunk, checks) in enumerate(zip(chunks, expected, strict=True)):
        # the workers have working directories of their own
        path = Path(files[index].removesuffix(RECEIPT)).resolve() if files else Path(chunk["file"])
        # as the rule for one chunk has them: the files are the same to the last byte
        parameters = {
            "chunk": chunk,
            "settings": settings,
            "module": module,
            "expected": checks,
            "on_bad_file": on_bad_file,
            "code": code,
        }
        tasks.append(
            SkimTask(
                Chunk(path, chunk["start"], chunk["stop"], chunk["file"]),
                SkimSettings(**settings),
                module,
                checks,
                parameters,
                on_bad_file,
                None if files else remote,
            )
        )
    outputs = [(Path(a), Path(b)) for a, b in zip(events, cutflows, strict=True)]
    run_dask(tasks, outputs, scheduler)


if __name__ == "__main__":
    # where the chunks are skimmed changes nothing: no parameter, which would run them again
    run_script(
        skim_dataset,
        files=snakemake.params.files,
        remote=snakemake.config["remote"],
        chunks=snakemake.params.chunks,
        settings=snakemake.params.settings,
        module=snakemake.params.module,
        expected=snakemake.params.expected,
        on_bad_file=snakemake.params.on_bad_file,
        scheduler=snakemake.config["skim"]["dask_scheduler"],
        code=snakemake.params.code,
        events=list(snakemake.output.events),
        cutflows=list(snakemake.output.cutflows),
        log=snakemake.log[0],
    )
