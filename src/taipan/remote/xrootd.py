"""Reading over XRootD."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from taipan.clean_text import hide_credentials
from taipan.errors import TaipanError
from taipan.remote.addresses import is_public, resolve
from taipan.remote.protocols import (
    SLOW,
    ByteRange,
    RefusedError,
    TransientError,
    check_time,
    origin,
    private_redirect,
)

_PIECE = 8 * 1024**2
# Longest element of an XRootD vector read that servers accept by default.
_LONGEST_ELEMENT = 2_097_136
# XRootD: not authorised, not found, not a file, invalid request, unsupported.
_LASTING_ERRNO = (3006, 3010, 3011, 3013, 3015)


def _import_client() -> Any:
    """Import the XRootD client, which crashes the process if TensorFlow came before it.

    Raises
    ------
    TaipanError
        If it is not installed (it is only on Linux), or TensorFlow is there already.
    """
    if "tensorflow" in sys.modules and "XRootD.client" not in sys.modules:
        raise TaipanError("XRootD cannot be used after TensorFlow in one process; import it first")
    try:
        from XRootD import client
    except ImportError as error:
        raise TaipanError(
            "files of root:// need the package 'xrootd', which is not installed "
            "(conda install -c conda-forge xrootd), or an https:// address of the same files"
        ) from error
    return client


class XRootDReader:
    """A file of an XRootD server, read with plain and vector reads."""

    def __init__(
        self, url: str, timeout: float, until: float, private_redirects: bool = False
    ) -> None:
        client = _import_client()
        _limit_waiting(client, timeout)
        self.url = url
        self._file: Any = client.File()
        self._check(_ask(self._file.open, url, timeout=timeout, until=until)[0])
        try:
            if not private_redirects:
                self._check_server()
            status, found = _ask(self._file.stat, timeout=timeout, until=until)
            self._check(status)
            self.size, self.version = int(found.size), str(found.mtime)
        except BaseException:
            self.close()
            raise

    def _check_server(self) -> None:
        """Refuse to read from a private address that the server of the URL sent the client to."""
        server = urlsplit(f"root://{self._file.get_property('DataServer')}")
        _, host, port = origin(self.url)
        found = {str(address).removeprefix("::ffff:") for address in resolve(server.hostname or "")}
        asked = {address.removeprefix("::ffff:") for address in resolve(host)}
        if found <= asked and (server.port or 1094) == port:
            return
        for address in sorted(found):
            if not is_public(address):
                raise RefusedError(private_redirect(server.geturl(), address))

    def _check(self, status: Any) -> None:
        if not status.ok:
            reason = hide_credentials(status.message.strip(), self.url)
            fault = RefusedError if status.errno in _LASTING_ERRNO else TransientError
            raise fault(reason)

    def _read(self, start: int, stop: int, timeout: float, until: float) -> bytes:
        limits = {"timeout": timeout, "until": until}
        status, content = _ask(self._file.read, start, stop - start, **limits)
        self._check(status)
        if len(content) != stop - start:
            raise TransientError(f"the server sent {len(content)} of {stop - start} bytes")
        return bytes(content)

    def read(self, ranges: Sequence[ByteRange], timeout: float, until: float) -> list[bytes]:
        """Read byte ranges: short ones in one request, the others one by one."""
        short = [(a, b - a) for a, b in ranges if b - a <= _LONGEST_ELEMENT]
        found: dict[ByteRange, bytes] = {}
        if len(short) > 1:
            status, answer = _ask(self._file.vector_read, short, timeout=timeout, until=until)
            self._check(status)
            for chunk in answer.chunks:
                found[chunk.offset, chunk.offset + chunk.length] = bytes(chunk.buffer)
        for bounds in ranges:
            if bounds not in found:
                check_time(until)
                found[bounds] = self._read(*bounds, timeout, until)
        return [found[bounds] for bounds in ranges]

    def stream(self, start: int, timeout: float, until: float) -> Iterator[bytes]:
        """Yield everything from `start`."""
        for low in range(start, self.size, _PIECE):
            yield self._read(low, min(low + _PIECE, self.size), timeout, until)
            check_time(until)

    def adler32(self, timeout: float, until: float) -> str | None:
        """Ask the server."""
        from XRootD import client
        from XRootD.client.flags import QueryCode

        place = urlsplit(self.url)
        server = client.FileSystem(f"{place.scheme}://{place.netloc}")
        path = f"/{place.path.lstrip('/')}"
        limits = {"timeout": timeout, "until": until}
        status, answer = _ask(server.query, QueryCode.CHECKSUM, path, **limits)
        kind, _, value = bytes(answer or b"").rstrip(b"\0\n ").decode().partition(" ")
        return value if status.ok and kind == "adler32" else None

    def close(self) -> None:
        """Close the file; a server that no longer answers is not waited for."""
        self._file.close(timeout=1)


def _ask(request: Callable[..., Any], *arguments: Any, timeout: float, until: float) -> Any:
    """Send a request of XRootD's client and give status and answer.

    The client's own time limit ends when an answer begins; one that trickles in would be waited for
    without end.
    """
    arrived = threading.Event()
    answers: list[tuple[Any, Any]] = []

    def receive(status: Any, answer: Any, _: Any) -> None:
        answers.append((status, answer))
        arrived.set()

    sent = request(*arguments, timeout=_seconds(timeout), callback=receive)
    if not sent.ok:
        return sent, None
    if not arrived.wait(max(until - time.monotonic(), 0.0)):
        raise TransientError(SLOW)
    return answers[0]


def _seconds(timeout: float) -> int:
    return max(1, round(timeout))


def _limit_waiting(client: Any, timeout: float) -> None:
    """Make XRootD's client report a fault in `timeout`; left alone it tries for many minutes."""
    for key in ("ConnectionWindow", "RequestTimeout", "StreamTimeout"):
        client.EnvPutInt(key, _seconds(timeout))
    for key in ("ConnectionRetry", "TimeoutResolution", "StreamErrorWindow"):
        client.EnvPutInt(key, 1)
