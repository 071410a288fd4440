"""The reader for a URL."""

from __future__ import annotations

from urllib.parse import urlsplit

from taipan.remote.http import HttpReader
from taipan.remote.protocols import Reader
from taipan.remote.xrootd import XRootDReader


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
