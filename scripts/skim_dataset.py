"""Skim all chunks of a dataset on a Dask cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.scripting import run_script
from taipan.skim.executor import run_dask
from taipan.skim.run import Chunk, SkimSettings
from taipan.skim.task import SkimTask

if TYPE_CHECKING:
    snakemake: Any


def skim_dataset(
    files: list[str],
    chunks: list[dict[str, Any]],
    settings: dict[str, Any],
    module: str,
    sha256: list[str | None],
    scheduler: str,
    code: str,
    events: list[str],
    cutflows: list[str],
) -> None:
    """Select the events of every chunk; `files` and `sha256` are those of the chunks."""
    tasks = [
        SkimTask(
            # the workers have working directories of their own
            Chunk(Path(file).resolve(), chunk["start"], chunk["stop"], chunk["file"]),
            SkimSettings(**settings),
            module,
            checksum,
            # as the rule for one chunk has them: the files are the same to the last byte
            {
                "chunk": chunk,
                "settings": settings,
                "module": module,
                "sha256": checksum,
                "code": code,
            },
        )
        for file, chunk, checksum in zip(files, chunks, sha256, strict=True)
    ]
    outputs = [(Path(a), Path(b)) for a, b in zip(events, cutflows, strict=True)]
    run_dask(tasks, outputs, scheduler)


if __name__ == "__main__":
    # where the chunks are skimmed changes nothing: no parameter, which would run them again
    run_script(
        skim_dataset,
        files=snakemake.params.files,
        chunks=snakemake.params.chunks,
        settings=snakemake.params.settings,
        module=snakemake.params.module,
        sha256=snakemake.params.sha256,
        scheduler=snakemake.config["skim"]["dask_scheduler"],
        code=snakemake.params.code,
        events=list(snakemake.output.events),
        cutflows=list(snakemake.output.cutflows),
        log=snakemake.log[0],
    )
