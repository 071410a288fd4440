"""Downloads that can be resumed, are verified, and appear under their name only when whole."""

from __future__ import annotations

import hashlib
import logging
import os
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from taipan.atomic import read_json, write_json
from taipan.checksums import RECEIPT as RECEIPT  # those who fetch look for it here
from taipan.clean_text import strip_credentials
from taipan.errors import BadFileError, ChecksumError, TaipanError, UnreachableError
from taipan.remote.mirrors import Patience, RemoteFile
from taipan.remote.protocols import Reader

logger = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 10.0
_BLOCK = 4 * 1024**2
_GB = 1e9


@dataclass(frozen=True)
class Expected:
    """What the catalogue says of a file; None where it does not.

    Attributes
    ----------
    size
        Bytes.
    adler32
        Checksum of the CERN Open Data portal, 8 hexadecimal digits.
    sha256
        64 hexadecimal digits.
    """

    size: int | None = None
    adler32: str | None = None
    sha256: str | None = None

    @property
    def has_checksum(self) -> bool:
        """Whether the content can be verified."""
        return self.adler32 is not None or self.sha256 is not None


def compare_size(path: Path, expected: Expected) -> None:
    """Compare the size of a file with the one expected.

    Raises
    ------
    BadFileError
        If it differs; names the file and both sizes.
    TaipanError
        If the file cannot be read.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error
    if expected.size is None:
        logger.info("%s: the catalogue has no size to compare with", path.name)
    elif size != expected.size:
        raise BadFileError(f"{path}: {size} bytes, the catalogue has {expected.size}")


def verify_content(path: Path, expected: Expected) -> None:
    """Compare the checksum of a file with the one expected; says so in the log if there is none.

    Raises
    ------
    ChecksumError
        If it differs; names the file and both values.
    TaipanError
        If the file cannot be read.
    """
    try:
        if not expected.has_checksum:
            logger.info("%s: the catalogue has no checksum; the content is not verified", path.name)
            return
        adler, sha = 1, hashlib.sha256()
        with path.open("rb") as handle:
            while block := handle.read(_BLOCK):
                if expected.adler32 is not None:
                    adler = zlib.adler32(block, adler)
                if expected.sha256 is not None:
                    sha.update(block)
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error
    for kind, wanted, found in (
        ("Adler-32", expected.adler32, f"{adler:08x}"),
        ("SHA-256", expected.sha256, sha.hexdigest()),
    ):
        if wanted is not None and found != wanted.lower():
            raise ChecksumError(f"{path}: {kind} is {found}, the catalogue has {wanted}")
    logger.info("%s: checksum verified", path.name)


def fetch_file(
    target: Path, mirrors: Sequence[str], expected: Expected, patience: Patience
) -> None:
    """Download a file from the first mirror that delivers it whole.

    What has arrived is kept in ``<name>.part`` beside the target, whatever happens, and the next
    attempt or call goes on from there. Where the catalogue has no checksum to verify the result
    by, that holds only for the same file of the same mirror (``<name>.part.json``); otherwise the
    download starts again. One with a wrong checksum is repeated once from each mirror in turn.

    Parameters
    ----------
    target
        File to make; it appears, by renaming, when it is complete and verified, and after it its
        receipt, ``<name>.verified.json``. A file that is there already is verified, not fetched.
    mirrors
        Base URLs, tried in this order.
    expected
        Size and checksums of the catalogue.
    patience
        Limits on retries and time.

    Raises
    ------
    UnreachableError
        If no mirror delivers the file in the time allowed.
    ChecksumError
        If what the mirrors have is not the file of the catalogue.
    BadFileError
        If the file is there already, but with another size.
    TaipanError
        If the folder cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            _verify_present(target, mirrors, expected, patience)
        else:
            _fetch(target, mirrors, expected, patience)
    except OSError as error:
        raise TaipanError(f"cannot write {target}: {error.strerror}") from error
    write_json(f"{target}{RECEIPT}", {"file": target.name, **asdict(expected)})


def _verify_present(
    target: Path, mirrors: Sequence[str], expected: Expected, patience: Patience
) -> None:
    logger.info("%s is there already; it is verified, not fetched", target)
    if expected.size is None:
        with RemoteFile(target.name, mirrors, patience) as remote:
            expected = replace(expected, size=remote.size)
    try:
        compare_size(target, expected)
        verify_content(target, expected)
    except (BadFileError, ChecksumError) as error:
        raise type(error)(f"{error}; move it away to fetch it again") from error


def _fetch(target: Path, mirrors: Sequence[str], expected: Expected, patience: Patience) -> None:
    part = target.with_name(f"{target.name}.part")
    found: dict[str, TaipanError] = {}
    for chosen in (mirrors, *([base] for base in mirrors)):
        try:
            _download(part, target.name, chosen, expected, patience)
            compare_size(part, expected)
            verify_content(part, expected)
        except UnreachableError as error:
            if not found:
                raise
            found[", ".join(chosen)] = error
            continue
        except (BadFileError, ChecksumError) as error:
            logger.warning("%s; what was downloaded is dropped", error)
            found[", ".join(chosen)] = error
            part.unlink(missing_ok=True)
            continue
        os.replace(part, target)
        _origin_file(part).unlink(missing_ok=True)
        return
    told = "; ".join(f"{base}: {error}" for base, error in found.items())
    raise ChecksumError(f"{target.name}: no mirror has the file of the catalogue: {told}")


def _download(
    part: Path, name: str, mirrors: Sequence[str], expected: Expected, patience: Patience
) -> None:
    began = time.monotonic()
    with RemoteFile(name, mirrors, patience, expected.size) as remote, part.open("ab") as sink:
        size = remote.size
        resumed = sink.tell()
        progress = _Progress(name, size, resumed)

        def append(reader: Reader, timeout: float, until: float) -> None:
            if sink.tell() > size or not (expected.has_checksum or _same_origin(part, reader)):
                sink.seek(0)
                sink.truncate()
            if sink.tell():
                logger.info("%s: going on after %d of %d bytes", name, sink.tell(), size)
            for piece in reader.stream(sink.tell(), timeout, until):
                sink.write(piece)
                progress.tell(sink.tell())

        remote.attempt(append, size, sink.tell)
        sink.flush()
        os.fsync(sink.fileno())
    seconds = max(time.monotonic() - began, 1e-9)
    logger.info("%s: complete, %d bytes, after %.1f s", name, size, seconds)


def _origin_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _same_origin(part: Path, reader: Reader) -> bool:
    """Tell whether `part` is the beginning of what `reader` reads; else note that it will be."""
    origin = {"url": strip_credentials(reader.url), "size": reader.size, "version": reader.version}
    path = _origin_file(part)
    if reader.version and path.is_file() and read_json(path) == origin:
        return True
    write_json(path, origin)
    return False


class _Progress:
    """A log line every ten seconds."""

    def __init__(self, name: str, size: int, start: int) -> None:
        self._name, self._size, self._start = name, size, start
        self._began = self._last = time.monotonic()

    def tell(self, done: int) -> None:
        """Log how far the transfer is, if the last line is old enough."""
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        speed = (done - self._start) / (now - self._began)
        logger.info(
            "%s: %.2f of %.2f GB (%.0f %%), %.3g MB/s, %.0f min left",
            self._name,
            done / _GB,
            self._size / _GB,
            100.0 * done / self._size,
            speed / 1e6,
            (self._size - done) / max(speed, 1.0) / 60.0,
        )
