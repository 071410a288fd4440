"""One chunk to skim, with all that a process on another machine needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.analysis import load_analysis
from taipan.errors import TaipanError
from taipan.provenance import describe, verify_file
from taipan.skim.cutflow import Cutflow
from taipan.skim.run import Chunk, SkimSettings, skim_chunk


@dataclass(frozen=True)
class SkimTask:
    """A chunk and how to skim it.

    Attributes
    ----------
    chunk
        What to read.
    settings
        Dataset, envelope and the like.
    module
        Analysis module.
    sha256
        Checksum of the file where it is known.
    parameters
        Parameters of the rule, for the provenance.
    """

    chunk: Chunk
    settings: SkimSettings
    module: str
    sha256: str | None
    parameters: Mapping[str, Any]


def run_task(task: SkimTask, events: Path, cutflow: Path) -> Cutflow:
    """Verify the file and select the events of its chunk.

    Parameters
    ----------
    task
        What to do.
    events, cutflow
        Files to write.

    Raises
    ------
    TaipanError
        As :func:`taipan.skim.run.skim_chunk`, and if the file has another checksum than it should.
    """
    path = task.chunk.path
    if not path.is_file():
        raise TaipanError(f"{path} does not exist")
    if task.sha256 is not None:
        verify_file(path, task.sha256)
    return skim_chunk(
        task.chunk,
        load_analysis(task.module),
        task.settings,
        events,
        cutflow,
        describe("skim", task.parameters, [path]),
    )
