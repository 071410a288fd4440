"""A chunk of a file that may be remote, may be damaged, and is verified before it is used."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan.analysis import Analysis
from taipan.atomic import write_json
from taipan.errors import BadFileError, ChecksumError
from taipan.remote.fetch import Expected, compare_size, verify_content
from taipan.remote.mirrors import RemoteFile
from taipan.skim.cutflow import Cutflow
from taipan.skim.identities import IdentityWriter
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from taipan.skim.storage import EventWriter

logger = logging.getLogger(__name__)


def skim_verified(
    chunk: Chunk,
    analysis: Analysis,
    settings: SkimSettings,
    events: Path,
    cutflow: Path,
    provenance: Mapping[str, Any],
    *,
    expected: Expected,
    on_bad_file: str,
    identities: Path | None = None,
) -> Cutflow | None:
    """Verify the file of a chunk, then select its events, or leave the chunk out if it is damaged.

    The size is compared for every chunk, the checksum by the first chunk of a file only, which
    reads all of it.

    Parameters
    ----------
    chunk, analysis, settings, events, cutflow, provenance, identities
        As for :func:`taipan.skim.run.skim_chunk`.
    expected
        Size and checksums of the catalogue.
    on_bad_file
        ``fail``, or ``skip``: a chunk that cannot be read gets no events and a cutflow that says
        why (key ``skipped``); :func:`taipan.normalisation.normalise` takes it into account.

    Returns
    -------
    Cutflow or None
        None if the chunk was left out.

    Raises
    ------
    BadFileError
        If the file is truncated or damaged and `on_bad_file` is ``fail``.
    ChecksumError
        If the content is not that of the catalogue; never skipped, because the other chunks of
        the file are no better.
    UnreachableError
        If a remote file cannot be read; never skipped, because a later run may succeed.
    """
    try:
        _verify(chunk, expected)
        return skim_chunk(chunk, analysis, settings, events, cutflow, provenance, identities)
    except BadFileError as error:
        if on_bad_file == "fail":
            raise
        logger.warning("skipped: %s", error)
        reason = str(error).replace(str(chunk.path), chunk.path.name)  # wherever it lies
        _write_skipped(chunk, analysis, settings, events, cutflow, provenance, reason)
        with IdentityWriter(identities, provenance):
            pass
        return None


def _verify(chunk: Chunk, expected: Expected) -> None:
    if isinstance(chunk.path, Path):
        compare_size(chunk.path, expected)
        if chunk.start == 0:
            verify_content(chunk.path, expected)
    elif chunk.start == 0:
        _verify_remote(chunk.path, expected)


def _verify_remote(file: RemoteFile, expected: Expected) -> None:
    """Compare checksums if the server states one; reading it all would defeat streaming."""
    stated = file.adler32() if expected.adler32 is not None else None
    if stated is None:
        logger.info("%s: no checksum to compare; the content is not verified", file)
    elif stated != expected.adler32:
        raise ChecksumError(f"{file}: Adler-32 is {stated}, the catalogue has {expected.adler32}")


def _write_skipped(
    chunk: Chunk,
    analysis: Analysis,
    settings: SkimSettings,
    events: Path,
    cutflow: Path,
    provenance: Mapping[str, Any],
    reason: str,
) -> None:
    with EventWriter(events, analysis.columns, provenance):
        pass
    write_json(
        cutflow,
        {
            "dataset": settings.dataset,
            "cuts": [],
            "file": chunk.name or chunk.path.name,
            "start": chunk.start,
            "stop": chunk.stop,
            "skipped": reason,
            "provenance": dict(provenance),
        },
    )
