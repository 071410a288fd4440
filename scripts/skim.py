"""Skim one chunk of a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.analysis import load_analysis
from taipan.provenance import describe
from taipan.scripting import run_script
from taipan.skim.run import Chunk, SkimSettings, skim_chunk

if TYPE_CHECKING:
    snakemake: Any


def skim(
    file: str,
    chunk: dict[str, Any],
    settings: dict[str, Any],
    module: str,
    parameters: dict[str, Any],
    events: str,
    cutflow: str,
) -> None:
    """Select the events of a chunk."""
    skim_chunk(
        Chunk(Path(file), chunk["start"], chunk["stop"]),
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
        parameters=dict(snakemake.params.items()),
        events=snakemake.output.events,
        cutflow=snakemake.output.cutflow,
        log=snakemake.log[0],
    )
