"""One chunk to skim, with all that a process on another machine needs to know."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from taipan.analysis_selection import load_analysis
from taipan.errors import TaipanError
from taipan.provenance import describe
from taipan.remote.fetch import Expected
from taipan.remote.mirrors import Patience, RemoteFile, is_url
from taipan.skim.cutflow import Cutflow
from taipan.skim.run import Chunk, SkimSettings
from taipan.skim.source import skim_verified


@dataclass(frozen=True)
class SkimTask:
    """A chunk and how to skim it.

    Attributes
    ----------
    name, start, stop
        File name in the catalogue, or URL, and range of entries (`stop` None: to the end).
    path
        Local file; None if it is read from its URL or from the mirrors of `remote`.
    settings
        Dataset, envelope and the like.
    folder
        Folder of the analysis.
    parameters
        Parameters of the rule, for the provenance.
    expected
        Size and checksums of the file as far as they are known.
    on_bad_file
        ``fail`` or ``skip``.
    remote
        Section `remote` of the configuration.
    """

    name: str
    start: int
    stop: int | None
    path: Path | None
    settings: SkimSettings
    folder: str
    parameters: Mapping[str, Any]
    expected: Expected = field(default_factory=Expected)
    on_bad_file: str = "fail"
    remote: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_rule(
        cls,
        task: Mapping[str, Any],
        path: Path | None,
        code: str,
        remote: Mapping[str, Any],
    ) -> SkimTask:
        """Make a task from the parameters of a rule.

        The file of certified luminosity and the analysis' folder become absolute paths, because a
        Dask worker has a working directory of its own; `parameters` keep them as configured.
        """
        chunk = task["chunk"]
        settings = SkimSettings(**task["settings"])
        settings = replace(settings, weight_lists=tuple(settings.weight_lists))
        if settings.lumi_mask is not None:
            settings = replace(settings, lumi_mask=str(Path(settings.lumi_mask).resolve()))
        return cls(
            chunk["file"],
            chunk["start"],
            chunk["stop"],
            path,
            settings,
            str(Path(task["folder"]).resolve()),
            # the same wherever it is done: so is the file, to the last byte
            {**task, "code": code},
            Expected(**task["expected"]),
            task["on_bad_file"],
            remote,
        )


def run_task(
    task: SkimTask, events: Path, cutflow: Path, identities: Path | None = None
) -> Cutflow | None:
    """Verify the file and select the events of its chunk.

    Parameters
    ----------
    task
        What to do.
    events, cutflow, identities
        Files to write; the last is not written if None.

    Returns
    -------
    Cutflow or None
        None if the chunk was left out.

    Raises
    ------
    TaipanError
        As :func:`taipan.skim.source.skim_verified`, and if a local file does not exist.
    """
    if task.path is not None and not task.path.is_file():
        raise TaipanError(f"{task.path} does not exist")
    with contextlib.ExitStack() as stack:
        source = task.path or stack.enter_context(_remote_file(task))
        return skim_verified(
            Chunk(source, task.start, task.stop, task.name),
            load_analysis(task.folder),
            task.settings,
            events,
            cutflow,
            describe("skim", task.parameters, [] if task.path is None else [task.path]),
            expected=task.expected,
            on_bad_file=task.on_bad_file,
            identities=identities,
        )


def _remote_file(task: SkimTask) -> RemoteFile:
    patience = Patience.from_config(task.remote)
    if is_url(task.name):
        return RemoteFile.at(task.name, patience)
    return RemoteFile(task.name, task.remote["mirrors"], patience, task.expected.size)
