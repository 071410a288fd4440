"""Readers of one URL: its size, byte ranges of it, or everything from an offset.

A reader makes one attempt. What may be different next time raises :class:`TransientError`, what
will not raises :class:`RefusedError`; :mod:`taipan.remote.mirrors` decides what follows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from taipan.clean_text import strip_credentials

# What a cut connection may lose of the bytes that had arrived.
PIECE = 64 * 1024
SLOW = "slower than remote.min_speed allows"

ByteRange = tuple[int, int]


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

    def read(self, ranges: Sequence[ByteRange], timeout: float, until: float) -> list[bytes]:
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


def check_time(until: float) -> None:
    """Raise TransientError once `until` (of time.monotonic) has come."""
    if time.monotonic() >= until:
        raise TransientError(SLOW)


def origin(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port of a URL."""
    place = urlsplit(url)
    usual = {"http": 80, "https": 443, "root": 1094, "roots": 1094}
    return place.scheme, place.hostname or "", place.port or usual.get(place.scheme, 0)


def private_redirect(url: str, address: str) -> str:
    """Say why a redirect is refused."""
    return (
        f"redirected to {strip_credentials(url)}: {address} is a loopback or private address "
        "(public ones; remote.allow_private_redirects: true allows all)"
    )
