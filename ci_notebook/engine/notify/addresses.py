"""Addresses that notifications may go to: the one check for every URL that a caller gives and the engine calls.

A caller must not make the engine call what only the engine's machine can reach: link-local and metadata addresses,
and private networks. Invariant: the address that is checked is the address that is connected to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import Final

__all__ = ["connect", "is_allowed_address", "is_allowed_host", "is_loopback"]

# Addresses that are refused in addition to those that are not global. `is_global` differs between Python versions.
_REFUSED: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15",
            "224.0.0.0/3",
            "168.63.129.16/32",  # the metadata service of Azure, a public address by its number
            "::/8",  # IPv4-compatible, IPv4-translated, and what is reserved
            "64:ff9b:1::/48", "100::/64", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
            "2001::/23", "2001:db8::/32", "2002::/16",  # Teredo and others, documentation, 6to4
        ),
    )
)  # fmt: skip
# Each address that does not answer costs the timeout.
_MOST_TRIED: Final = 4
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP: Final = re.compile(r"^0[02]005efe", re.I)
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(?:\.[A-Za-z0-9_-]{1,63})*"
)
# A host whose last label is a number is an IPv4 address for browsers and resolvers, in octal and hexadecimal too.
_ENDS_IN_A_NUMBER: Final = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?\Z")


def is_loopback(address: str) -> bool:
    """Return whether a text is an address or name of this machine only."""
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_allowed_host(host: str, *, loopback: bool = True) -> bool:
    """Return whether a URL may have this host. A name is allowed until it is resolved.

    An IPv4 address must be four decimal numbers: `0xA9FEA9FE`, `2852039166`, `0251.0376.1` and `127.1` are refused,
    and so are zone ids.

    >>> [host for host in ("127.0.0.1", "example.com", "0xA9FEA9FE", "169.254.169.254.") if is_allowed_host(host)]
    ['127.0.0.1', 'example.com']
    """
    if ":" in host or not _NAME.fullmatch(host) or _ENDS_IN_A_NUMBER.search(host):
        return is_allowed_address(host, loopback=loopback)
    return loopback or host.lower().rpartition(".")[2] != "localhost"


def is_allowed_address(text: str, *, loopback: bool = True) -> bool:
    """Return whether the engine may connect to an IP address: a global one, or with `loopback` this machine."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None or _ISATAP.match(address.exploded.replace(":", "")[16:]):
            return False
        if address in _NAT64:  # a network without IPv4 reaches the public IPv4 addresses so
            return is_allowed_address(str(IPv4Address(int(address) & 0xFFFFFFFF)), loopback=False)
        if address.ipv4_mapped is not None:
            return is_allowed_address(str(address.ipv4_mapped), loopback=loopback)
    if address.is_loopback:
        return loopback
    return address.is_global and not any(address in network for network in _REFUSED)


def connect(host: str, port: int, *, timeout_s: float, loopback: bool = True) -> socket.socket:
    """Resolve a host once, check all its addresses, and connect to one of them.

    Raises `OSError`; `ConnectionRefusedError` where any address is not allowed, because a name with a public and a
    private address leads into a private network.
    """
    found = [(family, place) for family, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not found or not all(is_allowed_address(str(place[0]), loopback=loopback) for _, place in found):
        raise ConnectionRefusedError("the address is in a private network")
    trouble: OSError | None = None
    for family, place in found[:_MOST_TRIED]:
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(place)
        except OSError as error:
            connection.close()
            trouble = error
        else:
            return connection
    raise trouble or OSError("there is no address")
