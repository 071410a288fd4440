"""Addresses of the own machine and network, to which no server may send a reader on.

A mirror that answers with a redirect chooses what is asked next. It could choose a service that
only this machine or its network can reach.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that the internet uses (RFC 4291); the rest is reserved, old or of one network."""
_RESERVED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # between a provider and its customers (RFC 6890)
        "192.88.99.0/24",  # the nearest relay of 6to4 (RFC 7526)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
"""What :mod:`ipaddress` takes for public, in some versions of Python."""
_ISATAP = (0x00005EFE, 0x02005EFE)  # the middle of an address that ends in an IPv4 one (RFC 5214)


class PrivateAddressError(Exception):
    """A connection that would leave the internet, for an address of the own machine or network."""


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the internet.

    Parameters
    ----------
    address
        IPv4 or IPv6 address, with or without a zone. Loopback, private, shared, link-local,
        multicast and reserved addresses are not public, nor are IPv6 addresses that hold one.
    """
    parsed: Address = ipaddress.ip_address(address.partition("%")[0])
    return all(map(_is_public, _meanings(parsed)))


def _is_public(address: Address) -> bool:
    if address in _NAT64:
        return True  # if the IPv4 address in it is, which is another of its meanings
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    reserved = any(address in network for network in _RESERVED)
    return address.is_global and not address.is_multicast and not reserved


def _meanings(address: Address) -> Iterable[Address]:
    """Give an address and the IPv4 addresses that it stands for."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        yield address.ipv4_mapped  # nothing else than another way to write it
        return
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def resolve(host: str, port: int | None = None) -> list[str]:
    """Give the IP addresses of a host, as a connection would find them; none if it is not known."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError):
        return []
    return [str(entry[4][0]) for entry in found]


def private_addresses(host: str, port: int | None = None) -> list[str]:
    """Give those addresses of a host that are not public."""
    return [address for address in resolve(host, port) if not is_public(address)]
