"""Opening ROOT files, local and remote ones alike."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import uproot
from uproot.source.chunk import Chunk, Source
from uproot.source.coalesce import CoalesceConfig, coalesce_requests

from taipan.errors import BadFileError, TaipanError
from taipan.remote.mirrors import RemoteFile
from taipan.remote.protocols import ByteRange

LOCAL_SOURCE = uproot.source.file.MultithreadedFileSource
"""Reads with plain system calls: a tenth faster than uproot's default, and unlike a memory map its
memory does not grow with the file."""
# Files of CMS are compressed with zlib, which ISA-L unpacks in half the time. What uproot documents
# for that, `uproot.ZLIB.library`, acts on writing only (5.7).
uproot.compression._decompress_ZLIB.library = "isal"
_THREADS = 8
_LONGEST_RANGE = 8 * 1024**2


class RemoteSource(Source):  # type: ignore[misc] # uproot has no types
    """Source of uproot that reads a :class:`RemoteFile`: only the byte ranges asked for.

    Neighbouring ranges become one request; requests run on a few threads, each with a connection
    of its own, where retries and mirrors are dealt with.
    """

    def __init__(self, file_path: str, *, remote: RemoteFile, **options: Any) -> None:
        super().__init__()
        self._file_path = file_path
        self._remote = remote
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="remote")
        self._closed = False

    def chunk(self, start: int, stop: int) -> Any:
        """Request one byte range; one beyond the end of the file is shortened."""
        bounded = (start, min(stop, self._remote.size))
        return self.chunks([bounded], queue.Queue())[0]

    def chunks(self, ranges: Sequence[ByteRange], notifications: queue.Queue[Any]) -> list[Any]:
        """Request byte ranges; each is put on `notifications` when it has arrived."""
        one_by_one = str(self._remote).startswith("http")  # in parallel; XRootD has vector reads
        config = CoalesceConfig(
            max_request_ranges=1 if one_by_one else 256, max_request_bytes=_LONGEST_RANGE
        )
        self._num_requests += 1
        self._num_requested_chunks += len(ranges)
        self._num_requested_bytes += sum(stop - start for start, stop in ranges)
        found: list[Chunk] = coalesce_requests(
            list(ranges),
            lambda wanted: self._executor.submit(self._remote.read, wanted),
            self,
            notifications,
            config=config,
        )
        return found

    @property
    def num_bytes(self) -> int:
        """Size of the file."""
        return self._remote.size

    @property
    def closed(self) -> bool:
        """Whether the threads have been stopped."""
        return self._closed

    def __enter__(self) -> RemoteSource:
        """Return the source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the threads; the connections belong to the remote file."""
        self._executor.shutdown()
        self._closed = True


def open_root(file: Path | RemoteFile) -> Any:
    """Open a ROOT file with uproot and check that it is complete.

    Parameters
    ----------
    file
        Path, or a remote file, of which only the parts that are asked for are read.

    Returns
    -------
    uproot.ReadOnlyDirectory
        The top of the file.

    Raises
    ------
    TaipanError
        If a local file does not exist.
    BadFileError
        If the file is no ROOT file, or shorter than it says itself.
    UnreachableError
        If no mirror of a remote file delivers it.
    """
    if isinstance(file, Path) and not file.is_file():
        raise TaipanError(f"{file} does not exist")
    size = file.stat().st_size if isinstance(file, Path) else file.size
    try:
        if isinstance(file, Path):
            source = uproot.open(file, handler=LOCAL_SOURCE)
        else:
            source = uproot.open(str(file), handler=RemoteSource, remote=file)
    except TaipanError:
        raise
    except Exception as error:  # uproot raises many types on damaged files
        raise BadFileError(f"{file} is not a readable ROOT file: {brief(error)}") from error
    stated = int(source.file.fEND)
    if size < stated:
        raise BadFileError(f"{file} is truncated: {size} of {stated} bytes")
    return source


def brief(error: BaseException) -> str:
    """Type and first line of an exception, for messages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
