"""A file that lies at several URLs, read from the first that delivers it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from taipan.clean_text import strip_credentials
from taipan.errors import BadFileError, TaipanError, UnreachableError
from taipan.remote.protocols import ByteRange, Reader, RefusedError, TransientError
from taipan.remote.readers import open_reader

logger = logging.getLogger(__name__)
_LONGEST_PAUSE = 300.0
_BYTES_PER_MB = 1e6
SCHEMES = ("http", "https", "root", "roots")
"""Protocols of remote files."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """How long to try, and how far.

    Attributes
    ----------
    retries
        Further rounds over all mirrors after the first; counted anew after any progress.
    backoff
        Pause before the second round in seconds; doubled each time, at most 5 minutes.
    timeout
        Longest wait for a connection or for the next bytes, in seconds.
    give_up_after, min_speed
        A transfer of n bytes may take `give_up_after` seconds plus n / `min_speed` (MB/s),
        everything included.
    allow_private_redirects
        Whether a server may send a reader on to loopback and private addresses.
    """

    retries: int = 5
    backoff: float = 2.0
    timeout: float = 60.0
    give_up_after: float = 1800.0
    min_speed: float = 0.1
    allow_private_redirects: bool = False

    @classmethod
    def from_config(cls, remote: Mapping[str, Any]) -> Patience:
        """Take the limits from the section `remote` of the configuration."""
        return cls(**{field.name: remote[field.name] for field in fields(cls)})

    def allowance(self, size: int) -> float:
        """Longest time in seconds for a transfer of `size` bytes."""
        return self.give_up_after + size / (self.min_speed * _BYTES_PER_MB)


def is_url(text: str) -> bool:
    """Tell a URL from a path."""
    return "://" in text


class RemoteFile:
    """A file at the same place under several base URLs; safe to read from several threads.

    Parameters
    ----------
    name
        File name.
    mirrors
        Base URLs in the order of preference. One that fails is left for the next; the one that
        worked last is asked first.
    patience
        Limits on retries and time.
    size
        Size in bytes if it is known; a mirror with another size is not used.
    """

    def __init__(
        self, name: str, mirrors: Sequence[str], patience: Patience, size: int | None = None
    ) -> None:
        self.name = name
        self._shown_name = strip_credentials(name)
        self.bytes_read = 0
        self._patience = patience
        self._expected = size
        self._urls = [base + ("" if base.endswith("/") else "/") + name for base in mirrors]
        self._refused: dict[str, RefusedError] = {}
        self._versions: dict[str, str] = {}
        self._local = threading.local()
        self._readers: list[Reader] = []
        self._lock = threading.Lock()

    @classmethod
    def at(cls, url: str, patience: Patience) -> RemoteFile:
        """Give the file of one URL, which may have a query.

        Raises
        ------
        TaipanError
            If the protocol is not known or no file is named.
        """
        place = urlsplit(url)
        if place.scheme not in SCHEMES:
            known = ", ".join(SCHEMES)
            raise TaipanError(f"{url}: '{place.scheme}' is not a known protocol ({known})")
        start = url.rfind("/", 0, url.find("?") if place.query else None) + 1
        if not place.netloc or not place.path.strip("/") or not place.path.rpartition("/")[2]:
            raise TaipanError(f"{url} is not the URL of a file (such as https://HOST/FILE.root)")
        return cls(url[start:], [url[:start]], patience)

    def __str__(self) -> str:
        """Return the URL in use without passwords and tokens, for messages."""
        return strip_credentials(self._urls[0]) if self._urls else self.name

    def __enter__(self) -> RemoteFile:
        """Return the file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        with self._lock:
            for reader in self._readers:
                reader.close()
            self._readers.clear()
            self._local = threading.local()

    @property
    def size(self) -> int:
        """Size in bytes, as the mirror in use states it.

        Raises
        ------
        UnreachableError, BadFileError
            As :meth:`attempt`.
        """
        if self._expected is None:
            found = self.attempt(lambda reader, timeout, until: reader.size, 0)
            self._expected = found if self._expected is None else self._expected
        return self._expected

    def adler32(self) -> str | None:
        """Adler-32 that the server of the mirror in use states, None if it does not tell."""
        return self.attempt(lambda reader, timeout, until: reader.adler32(timeout, until), 0)

    def read(self, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Read byte ranges (start, stop).

        Raises
        ------
        UnreachableError, BadFileError
            As :meth:`attempt`.
        """
        wanted = sum(stop - start for start, stop in ranges)
        found = self.attempt(
            lambda reader, timeout, until: reader.read(ranges, timeout, until), wanted
        )
        with self._lock:
            self.bytes_read += wanted
        return found

    def attempt(
        self,
        operation: Callable[[Reader, float, float], Answer],
        size: int,
        progress: Callable[[], int] = lambda: 0,
    ) -> Answer:
        """Carry out an operation on the first mirror on which it succeeds.

        Parameters
        ----------
        operation
            Takes the reader, the time limit of a request and the time of
            :func:`time.monotonic` at which to give up.
        size
            Bytes that it transfers, from which the total time allowed follows.
        progress
            Bytes transferred so far; while they grow, retries are counted anew.

        Raises
        ------
        UnreachableError
            If no mirror delivers the file; names each mirror's last fault.
        BadFileError
            If the mirrors have files, but of another size than expected.
        """
        began = time.monotonic()
        until = began + self._patience.allowance(size)
        faults: dict[str, Exception] = dict(self._refused)
        tries, reached = 0, progress()
        while True:
            for url in list(self._urls):
                if url in self._refused or time.monotonic() >= until:
                    continue
                timeout = min(self._patience.timeout, max(until - time.monotonic(), 0.1))
                try:
                    return self._on(url, operation, timeout, until)
                except (TransientError, RefusedError) as fault:
                    faults[url] = fault
                    self._note(url, fault)
            if progress() > reached:
                tries, reached = 0, progress()
            pause = min(self._patience.backoff * 2.0**tries, _LONGEST_PAUSE)
            tries += 1
            hopeless = all(url in self._refused for url in self._urls)
            if hopeless or tries > self._patience.retries or time.monotonic() + pause >= until:
                raise self._failure(faults, tries, time.monotonic() - began)
            logger.info("%s: next try in %.3g s", self._shown_name, pause)
            time.sleep(pause)

    def _on(
        self,
        url: str,
        operation: Callable[[Reader, float, float], Answer],
        timeout: float,
        until: float,
    ) -> Answer:
        reader = self._reader(url, timeout, until)
        try:
            answer = operation(reader, timeout, until)
        except BaseException:
            self._drop(reader)
            raise
        if self._urls[0] != url:
            with self._lock:
                self._urls.sort(key=lambda other: other != url)
            logger.info("%s is read from %s", self._shown_name, self)
        return answer

    def _reader(self, url: str, timeout: float, until: float) -> Reader:
        """Reader of this thread for a URL; checks the size."""
        known: tuple[str, Reader] | None = getattr(self._local, "reader", None)
        if known is not None and known[0] == url:
            return known[1]
        if known is not None:
            self._drop(known[1])
        allowed = self._patience.allow_private_redirects
        reader = open_reader(url, timeout, until, private_redirects=allowed)
        if self._expected is not None and reader.size != self._expected:
            reader.close()
            raise RefusedError(f"{reader.size} bytes, expected are {self._expected}", damaged=True)
        if self._versions.setdefault(url, reader.version) != reader.version:
            reader.close()
            raise RefusedError("the file was replaced while it was read", damaged=True)
        self._local.reader = (url, reader)
        with self._lock:
            self._readers.append(reader)
        return reader

    def _drop(self, reader: Reader) -> None:
        self._local.reader = None
        with self._lock:
            if reader in self._readers:
                self._readers.remove(reader)
        reader.close()

    def _note(self, url: str, fault: Exception) -> None:
        logger.warning("%s: %s", strip_credentials(url), fault)
        if isinstance(fault, RefusedError):
            self._refused[url] = fault

    def _failure(
        self, faults: dict[str, Exception], tries: int, seconds: float
    ) -> UnreachableError | BadFileError:
        told = "; ".join(f"{strip_credentials(url)}: {fault}" for url, fault in faults.items())
        told = told or "remote.mirrors: no mirror to ask"
        if faults and all(isinstance(f, RefusedError) and f.damaged for f in faults.values()):
            return BadFileError(f"{self.name} is not the file expected: {told}")
        return UnreachableError(
            f"{self.name} could not be read after {tries} tries in {seconds:.1f} s: {told}"
        )
