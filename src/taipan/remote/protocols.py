"""Readers of one URL: its size, byte ranges of it, or everything from an offset.

A reader makes one attempt. What may be different next time raises :class:`TransientError`, what
will not raises :class:`RefusedError`; :mod:`taipan.remote.mirrors` decides what follows.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from taipan.clean_text import hide_credentials, strip_credentials
from taipan.errors import TaipanError
from taipan.remote.addresses import PrivateAddressError, is_public, resolve

# What a cut connection may lose of the bytes that had arrived.
PIECE = 64 * 1024
_XROOTD_PIECE = 8 * 1024**2
# Longest element of an XRootD vector read that servers accept by default.
_LONGEST_ELEMENT = 2_097_136
_MOST_REDIRECTS = 10
_SLOW = "slower than remote.min_speed allows"
_LASTING_STATUS = (400, 401, 403, 404, 405, 410, 416, 451, 501)
# XRootD: not authorised, not found, not a file, invalid request, unsupported.
_LASTING_ERRNO = (3006, 3010, 3011, 3013, 3015)

Range = tuple[int, int]


class TransientError(Exception):
    """An attempt that may succeed when repeated: no connection, time-out, server error, cut."""


class RefusedError(Exception):
    """An attempt that will fail again at this URL: no such file, no byte ranges, wrong size.

    Attributes
    ----------
    damaged
        True if the file is there but is not the one expected.
    """

    def __init__(self, reason: str, damaged: bool = False) -> None:
        super().__init__(reason)
        self.damaged = damaged


class Reader(Protocol):
    """What is common to the protocols; `timeout` and `until` (of time.monotonic) in seconds.

    Attributes
    ----------
    url
        What is read.
    size
        Bytes.
    version
        Changes when the file is replaced; empty if the server tells nothing of that kind.
    """

    url: str
    size: int
    version: str

    def read(self, ranges: Sequence[Range], timeout: float, until: float) -> list[bytes]:
        """Read byte ranges (start, stop), each completely."""
        ...

    def stream(self, start: int, timeout: float, until: float) -> Iterator[bytes]:
        """Yield everything from `start` in pieces, in order; may raise between two pieces."""
        ...

    def adler32(self, timeout: float, until: float) -> str | None:
        """Adler-32 of the file as the server knows it, None if it does not."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


def open_reader(
    url: str, timeout: float, until: float, *, private_redirects: bool = False
) -> Reader:
    """Open a URL of scheme http, https, root or roots; `timeout` and `until` as in :class:`Reader`.

    Parameters
    ----------
    url, timeout, until
        What is read, and how long that may take.
    private_redirects
        Whether the server may send the reader on to loopback and private addresses.

    Raises
    ------
    TransientError, RefusedError
        If it cannot be opened.
    """
    if urlsplit(url).scheme in ("http", "https"):
        return HttpReader(url, timeout, until, private_redirects)
    return XRootDReader(url, timeout, until, private_redirects)


def _check_time(until: float) -> None:
    if time.monotonic() >= until:
        raise TransientError(_SLOW)


class HttpReader:
    """A file of a web server, read with range requests.

    Each request carries the validator (ETag or date) of the first answer, so that a file replaced
    meanwhile is noticed instead of mixed with its predecessor.
    """

    def __init__(
        self, url: str, timeout: float, until: float, private_redirects: bool = False
    ) -> None:
        import requests
        import urllib3

        from taipan.remote.connections import open_session

        self.url = url
        self.version = ""
        self._session = open_session()
        # of its own: a connection that is open already would not be looked at again
        self._elsewhere = open_session(public=not private_redirects)
        self._private_redirects = private_redirects
        self._auth = requests.utils.get_auth_from_url(url) if "@" in url else None
        self._condition: dict[str, str] = {}
        self._faults = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
        try:
            self._probe(timeout, until)
        except BaseException:
            self.close()
            raise

    def _probe(self, timeout: float, until: float) -> None:
        """Ask for the first byte: tells the size, the validator and whether ranges work."""
        with self._get("bytes=0-0", timeout, until) as response:
            total = response.headers.get("Content-Range", "").rpartition("/")[2]
            if response.status_code != 206 or not total.isdigit():
                raise RefusedError("the server does not answer range requests with a size")
            self.size = int(total)
            tag = response.headers.get("ETag", "")
            if tag and not tag.startswith("W/"):
                self._condition, self.version = {"If-Match": tag}, tag
            elif "Last-Modified" in response.headers:
                self.version = response.headers["Last-Modified"]
                self._condition = {"If-Unmodified-Since": self.version}

    def _get(self, ranges: str, timeout: float, until: float) -> Any:
        from taipan.remote.connections import DEADLINE

        DEADLINE.set(until)
        headers = {"Range": ranges, "Accept-Encoding": "identity", **self._condition}
        try:
            response = self._follow(headers, timeout, until)
        except self._faults as error:
            _check_time(until)
            raise TransientError(hide_credentials(_reason(error), self.url)) from error
        except ValueError as error:  # requests looks ahead
            raise RefusedError(f"redirected to what is no web address: {error}") from error
        if time.monotonic() >= until:  # what was cut off may look like an answer
            response.close()
            raise TransientError(_SLOW)
        if response.status_code >= 400:
            response.close()
            answer = f"HTTP status {response.status_code}"
            if response.status_code == 412:
                raise TransientError(f"{answer}: the file was replaced while it was read")
            if response.status_code in _LASTING_STATUS:
                raise RefusedError(answer)
            raise TransientError(answer)
        return response

    def _follow(self, headers: Mapping[str, str], timeout: float, until: float) -> Any:
        """Ask, and go where the server sends, but not to the own machine or network."""
        options = {"headers": headers, "timeout": timeout, "stream": True}
        response = self._session.get(self.url, allow_redirects=False, **options)
        for _ in range(_MOST_REDIRECTS):
            target = self._session.get_redirect_target(response)
            if target is None:
                return response
            response.close()
            _check_time(until)
            url = self._check_target(response.url, target)
            auth = self._auth if _origin(url) == _origin(self.url) else None
            try:
                response = self._elsewhere.get(url, auth=auth, allow_redirects=False, **options)
            except PrivateAddressError as error:
                raise RefusedError(_private_redirect(url, str(error))) from None
        response.close()
        raise RefusedError(f"redirected more than {_MOST_REDIRECTS} times")

    def _check_target(self, base: str, target: str) -> str:
        """Give where a redirect leads; refuse it before anything is connected."""
        try:
            url = urljoin(base, target)
            scheme, host, port = _origin(url)
        except ValueError:
            url, scheme, host, port = target, "", "", 0
        if scheme not in ("http", "https") or not host:
            raise RefusedError(f"redirected to {strip_credentials(url)}, which is no web address")
        for address in () if self._private_redirects else resolve(host, port):
            if not is_public(address):
                raise RefusedError(_private_redirect(url, address))
        return url

    def _pieces(self, start: int, stop: int, timeout: float, until: float) -> Iterator[bytes]:
        left = stop - start
        with self._get(f"bytes={start}-{stop - 1}", timeout, until) as response:
            if response.status_code != 206:
                raise RefusedError("the server ignores range requests")
            try:
                # what has arrived, however little: a whole piece may never come
                while piece := response.raw.read1(PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise RefusedError("the server sends more than the range asked for")
                    yield piece
                    _check_time(until)
            except self._faults as error:
                raise TransientError(_reason(error)) from error
        if left:
            raise TransientError(f"the connection ended {left} bytes early")

    def read(self, ranges: Sequence[Range], timeout: float, until: float) -> list[bytes]:
        """Read byte ranges, one request each, over one connection."""
        return [b"".join(self._pieces(*bounds, timeout, until)) for bounds in ranges]

    def stream(self, start: int, timeout: float, until: float) -> Iterator[bytes]:
        """Yield everything from `start`."""
        return self._pieces(start, self.size, timeout, until) if start < self.size else iter(())

    def adler32(self, timeout: float, until: float) -> str | None:
        """Give None: web servers have no common way to tell."""
        return None

    def close(self) -> None:
        """Close connections."""
        self._session.close()
        self._elsewhere.close()


def _origin(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port of a URL."""
    place = urlsplit(url)
    usual = {"http": 80, "https": 443, "root": 1094, "roots": 1094}
    return place.scheme, place.hostname or "", place.port or usual.get(place.scheme, 0)


def _private_redirect(url: str, address: str) -> str:
    return (
        f"redirected to {strip_credentials(url)}: {address} is a loopback or private address "
        "(public ones; remote.allow_private_redirects: true allows all)"
    )


def _import_client() -> Any:
    """Import the XRootD client, which crashes the process if TensorFlow came before it."""
    if "tensorflow" in sys.modules and "XRootD.client" not in sys.modules:
        raise TaipanError("XRootD cannot be used after TensorFlow in one process; import it first")
    from XRootD import client

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
        _, host, port = _origin(self.url)
        found = {str(address).removeprefix("::ffff:") for address in resolve(server.hostname or "")}
        asked = {address.removeprefix("::ffff:") for address in resolve(host)}
        if found <= asked and (server.port or 1094) == port:
            return
        for address in sorted(found):
            if not is_public(address):
                raise RefusedError(_private_redirect(server.geturl(), address))

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

    def read(self, ranges: Sequence[Range], timeout: float, until: float) -> list[bytes]:
        """Read byte ranges: short ones in one request, the others one by one."""
        short = [(a, b - a) for a, b in ranges if b - a <= _LONGEST_ELEMENT]
        found: dict[Range, bytes] = {}
        if len(short) > 1:
            status, answer = _ask(self._file.vector_read, short, timeout=timeout, until=until)
            self._check(status)
            for chunk in answer.chunks:
                found[chunk.offset, chunk.offset + chunk.length] = bytes(chunk.buffer)
        for bounds in ranges:
            if bounds not in found:
                _check_time(until)
                found[bounds] = self._read(*bounds, timeout, until)
        return [found[bounds] for bounds in ranges]

    def stream(self, start: int, timeout: float, until: float) -> Iterator[bytes]:
        """Yield everything from `start`."""
        for low in range(start, self.size, _XROOTD_PIECE):
            yield self._read(low, min(low + _XROOTD_PIECE, self.size), timeout, until)
            _check_time(until)

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
        raise TransientError(_SLOW)
    return answers[0]


def _seconds(timeout: float) -> int:
    return max(1, round(timeout))


def _limit_waiting(client: Any, timeout: float) -> None:
    """Make XRootD's client report a fault in `timeout`; left alone it tries for many minutes."""
    for key in ("ConnectionWindow", "RequestTimeout", "StreamTimeout"):
        client.EnvPutInt(key, _seconds(timeout))
    for key in ("ConnectionRetry", "TimeoutResolution", "StreamErrorWindow"):
        client.EnvPutInt(key, 1)


def _reason(error: BaseException) -> str:
    """Last cause of an exception of requests, whose own text repeats the whole chain."""
    while error.__cause__ is not None or error.__context__ is not None:
        inner = error.__cause__ or error.__context__
        if inner is None:
            break
        error = inner
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
