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

from taipan.remote.addresses import PrivateAddressError, is_public

DEADLINE: ContextVar[float] = ContextVar("DEADLINE")
"""Time of :func:`time.monotonic` by which an answer must have begun."""


def open_session(*, public: bool = False) -> Any:
    """Give a session of `requests` that ends a request at `DEADLINE`.

    Parameters
    ----------
    public
        Connect to public addresses only; others raise :class:`PrivateAddressError`. What a name
        means is decided when the connection is made, so a name cannot change its meaning between.
    """
    session = requests.Session()
    pools = {"http": _PublicPool, "https": _PublicSecurePool} if public else _POOLS
    for adapter in session.adapters.values():
        adapter.poolmanager.pool_classes_by_scheme = pools
    return session


def _refuse_private(channel: socket.socket) -> socket.socket:
    """Close a connection to an address that is not public, before a byte was sent."""
    address = str(channel.getpeername()[0])
    if not is_public(address):
        channel.close()
        raise PrivateAddressError(address)
    return channel


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


class _PublicConnection(_Connection):
    def _new_conn(self) -> socket.socket:
        return _refuse_private(super()._new_conn())


class _PublicSecureConnection(_SecureConnection):
    def _new_conn(self) -> socket.socket:
        return _refuse_private(super()._new_conn())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicSecurePool(HTTPSConnectionPool):
    ConnectionCls = _PublicSecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}
