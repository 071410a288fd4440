"""Web connections whose answer must begin by a deadline, however slowly it trickles in.

A time limit of a socket is one between two bytes: a server that sends a byte now and then could
hold a request for ever. What reads the content looks at the clock between two reads; status and
headers are read within one call, which only closing the connection ends.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import requests
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

DEADLINE: ContextVar[float] = ContextVar("DEADLINE")
"""Time of :func:`time.monotonic` by which an answer must have begun."""


def open_session() -> Any:
    """Give a session of `requests` that ends a request at `DEADLINE`."""
    session = requests.Session()
    for adapter in session.adapters.values():
        adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return session


def _close(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # of the socket below TLS, whose state another thread is using
        socket.socket.shutdown(channel, socket.SHUT_RDWR)


@contextlib.contextmanager
def _limited(channel: socket.socket) -> Iterator[None]:
    timer = threading.Timer(max(DEADLINE.get() - time.monotonic(), 0.0), _close, [channel])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 itself
        assert self.sock is not None
        with _limited(self.sock):
            return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 itself
        assert self.sock is not None
        with _limited(self.sock):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
