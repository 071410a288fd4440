"""One chunk to skim, with all that a process on another machine needs to know."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from taipan.analysis import load_analysis
from taipan.errors import TaipanError
from taipan.provenance import describe
from taipan.remote.fetch import Expected
from taipan.remote.mirrors import Patience, RemoteFile
from taipan.skim.cutflow import Cutflow
from taipan.skim.run import Chunk, SkimSettings
from taipan.skim.source import skim_verified


@dataclass(frozen=True)
class SkimTask:
    """A chunk and how to skim it.

    Attributes
    ----------
    chunk
        What to read; the path is a name on the mirrors if `remote` is given.
    settings
        Dataset, envelope and the like.
    module
        Analysis module.
    expected
        Size and checksums of the file as far as they are known: keywords of
        :class:`taipan.remote.fetch.Expected`.
    parameters
        Parameters of the rule, for the provenance.
    on_bad_file
        ``fail`` or ``skip``.
    remote
        Section `remote` of the configuration, to read the file from its mirrors.
    """

    chunk: Chunk
    settings: SkimSettings
    module: str
    expected: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    on_bad_file: str = "fail"
    remote: Mapping[str, Any] | None = None


def run_task(task: SkimTask, events: Path, cutflow: Path) -> Cutflow | None:
    """Verify the file and select the events of its chunk.

    Parameters
    ----------
    task
        What to do.
    events, cutflow
        Files to write.

    Returns
    -------
    Cutflow or None
        None if the file is damaged and its chunk was left out.

    Raises
    ------
    TaipanError
        As :func:`taipan.skim.source.skim_verified`.
    """
    expected = Expected(**task.expected)
    with contextlib.ExitStack() as stack:
        chunk, inputs = task.chunk, []
        if task.remote is not None:
            patience = Patience.from_config(task.remote)
            name = chunk.name or str(chunk.path)
            remote = RemoteFile(name, task.remote["mirrors"], patience, expected.size)
            chunk = replace(chunk, path=stack.enter_context(remote))
        elif isinstance(chunk.path, Path):
            if not chunk.path.is_file():
                raise TaipanError(f"{chunk.path} does not exist")
            inputs = [chunk.path]
        return skim_verified(
            chunk,
            load_analysis(task.module),
            task.settings,
            events,
            cutflow,
            describe("skim", task.parameters, inputs),
            expected=expected,
            on_bad_file=task.on_bad_file,
        )
