"""Skim one chunk of a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.analysis import load_analysis
from taipan.provenance import describe, verify_file
from taipan.scripting import run_script
from taipan.skim.run import Chunk, SkimSettings, skim_chunk

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
    if sha256 is not None:
        verify_file(file, sha256)
    skim_chunk(
        Chunk(Path(file), chunk["start"], chunk["stop"], chunk["file"]),
        load_analysis(module),
        SkimSettings(**settings),
        Path(events),
        Path(cutflow),
        describe("skim", parameters, [file]),
    )


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
