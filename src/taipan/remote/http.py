"""Reading over HTTP and HTTPS."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

from taipan.clean_text import hide_credentials, strip_credentials
from taipan.remote.addresses import PrivateAddressError, is_public, resolve
from taipan.remote.protocols import (
    PIECE,
    SLOW,
    ByteRange,
    RefusedError,
    TransientError,
    check_time,
    origin,
    private_redirect,
)

_MOST_REDIRECTS = 10
_LASTING_STATUS = (400, 401, 403, 404, 405, 410, 416, 451, 501)


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
            check_time(until)
            raise TransientError(hide_credentials(_reason(error), self.url)) from error
        except ValueError as error:  # requests looks ahead
            raise RefusedError(f"redirected to what is no web address: {error}") from error
        if time.monotonic() >= until:  # what was cut off may look like an answer
            response.close()
            raise TransientError(SLOW)
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
            check_time(until)
            url = self._check_target(response.url, target)
            auth = self._auth if origin(url) == origin(self.url) else None
            try:
                response = self._elsewhere.get(url, auth=auth, allow_redirects=False, **options)
            except PrivateAddressError as error:
                raise RefusedError(private_redirect(url, str(error))) from None
        response.close()
        raise RefusedError(f"redirected more than {_MOST_REDIRECTS} times")

    def _check_target(self, base: str, target: str) -> str:
        """Give where a redirect leads; refuse it before anything is connected."""
        try:
            url = urljoin(base, target)
            scheme, host, port = origin(url)
        except ValueError:
            url, scheme, host, port = target, "", "", 0
        if scheme not in ("http", "https") or not host:
            raise RefusedError(f"redirected to {strip_credentials(url)}, which is no web address")
        for address in () if self._private_redirects else resolve(host, port):
            if not is_public(address):
                raise RefusedError(private_redirect(url, address))
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
                    check_time(until)
            except self._faults as error:
                raise TransientError(_reason(error)) from error
        if left:
            raise TransientError(f"the connection ended {left} bytes early")

    def read(self, ranges: Sequence[ByteRange], timeout: float, until: float) -> list[bytes]:
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


def _reason(error: BaseException) -> str:
    """Last cause of an exception of requests, whose own text repeats the whole chain."""
    while error.__cause__ is not None or error.__context__ is not None:
        inner = error.__cause__ or error.__context__
        if inner is None:
            break
        error = inner
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
