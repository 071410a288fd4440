"""Skim one chunk of a dataset."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.analysis import load_analysis
from taipan.provenance import describe
from taipan.remote.fetch import RECEIPT, Expected
from taipan.remote.mirrors import Patience, RemoteFile
from taipan.scripting import run_script
from taipan.skim.run import Chunk, SkimSettings
from taipan.skim.source import skim_verified

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
    wanted = Expected(**expected)
    with contextlib.ExitStack() as stack:
        source: Path | RemoteFile
        if file is None:
            patience = Patience.from_config(remote)
            source = stack.enter_context(
                RemoteFile(chunk["file"], remote["mirrors"], patience, wanted.size)
            )
        else:
            source = Path(file.removesuffix(RECEIPT))  # what a download leaves for Snakemake
        skim_verified(
            Chunk(source, chunk["start"], chunk["stop"]),
            load_analysis(module),
            SkimSettings(**settings),
            Path(events),
            Path(cutflow),
            describe("skim", parameters, [] if isinstance(source, RemoteFile) else [source]),
            expected=wanted,
            on_bad_file=on_bad_file,
        )


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
