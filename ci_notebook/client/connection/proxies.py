"""Proxies and certificates of the environment: which proxy a host is reached through, and whether it can be used.

Invariant: a setting of the environment that cannot work is refused by the name of its variable, before a request.

Like curl and requests, `NO_PROXY` takes names with their subdomains, `*.name`, `*`, IP addresses (IPv6 with or
without brackets, each with an optional port) and networks (`10.0.0.0/8`, `fd00::/8`).
"""

from __future__ import annotations

import fnmatch
import ipaddress
import os
import ssl
from collections.abc import Callable, Mapping
from typing import Final
from urllib.request import getproxies

import httpx

from ci_notebook._processes import call_in_children
from ci_notebook.model.errors import ParameterError

_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_SCHEMES: Final = ("http", "https", "socks5", "socks5h")


def proxy_for(host: str, port: int, scheme: str, proxies: Mapping[str, str]) -> str:
    """Return the address of the proxy for a host; empty for a direct connection.

    `proxies` maps a scheme, `all` or `no` to the values of the environment, as `urllib.request.getproxies()` does.
    """
    address = proxies.get(scheme) or proxies.get("all") or ""
    if not address or _is_exempt(host, port, proxies.get("no", "")):
        return ""
    return address if "://" in address else f"http://{address}"


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    name = host.strip("[]").lower().rstrip(".")
    ip = _ip(name)
    return any(_matches(entry.strip().lower(), name, ip, port) for entry in no_proxy.split(",") if entry.strip())


def _matches(entry: str, name: str, ip: _IP | None, port: int) -> bool:
    entry = entry.partition("://")[2] or entry
    if "/" in entry:
        return ip is not None and _is_in_network(ip, entry)
    entry, entry_port = _without_port(entry)
    if entry_port is not None and entry_port != port:
        return False
    address = _ip(entry)
    if address is not None:
        return ip == address
    if "*" in entry:
        return fnmatch.fnmatchcase(name, entry)
    entry = entry.strip(".")
    return bool(entry) and (name == entry or name.endswith(f".{entry}"))


def _is_in_network(ip: _IP, entry: str) -> bool:
    try:
        return ip in ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False


def _without_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        address, _, rest = entry[1:].partition("]")
        return address, int(rest[1:]) if rest[1:].isdigit() else None
    head, _, tail = entry.rpartition(":")
    if head and ":" not in head and tail.isdigit():
        return head, int(tail)
    return entry, None


_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


def _ip(text: str) -> _IP | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


class OwnConnections(httpx.BaseTransport):
    """The connections of the transport that `make` returns. A forked child makes its own, and leaves these alone."""

    def __init__(self, make: Callable[[], httpx.HTTPTransport]) -> None:
        self._make = make
        self._transport: httpx.HTTPTransport | None = make()
        call_in_children(self._leave_to_parent)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        transport = self._transport
        if transport is None:
            transport = self._transport = self._make()
        return transport.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            self._transport.close()

    def _leave_to_parent(self) -> None:
        self._transport = None  # which closes the child's copies of the sockets; the parent's stay open


class NetworkTransport(httpx.BaseTransport):
    """Sends requests over the network, each host through its proxy of the environment or directly.

    Raises `ParameterError` at once where a variable of the environment names a proxy or a certificate that
    cannot be used. `proxies` is that of `urllib.request.getproxies()`, which knows the system's settings, too.
    """

    def __init__(self, proxies: Mapping[str, str] | None = None) -> None:
        self._proxies = dict(getproxies() if proxies is None else proxies)
        self._verify = trusted_certificates()
        self._transports = {"": OwnConnections(lambda: httpx.HTTPTransport(verify=self._verify))}
        for name in ("https", "http", "all"):
            if self._proxies.get(name):
                self._through(proxy_for("", 0, name, {name: self._proxies[name]}))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        return self._through(self._address(request.url)).handle_request(request)

    def proxy_variable(self, url: httpx.URL) -> str:
        """Name the variable of the proxy for an address; empty for a direct connection."""
        address = self._address(url)
        return _variable_of(address, self._proxies) if address else ""

    def close(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            transport.close()

    def _address(self, url: httpx.URL) -> str:
        port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
        return proxy_for(url.host, port, url.scheme, self._proxies)

    def _through(self, address: str) -> OwnConnections:
        if address not in self._transports:
            self._transports[address] = self._make(address)
        return self._transports[address]

    def _make(self, address: str) -> OwnConnections:
        variable = _variable_of(address, self._proxies)
        scheme = address.partition("://")[0].lower()
        if scheme not in _SCHEMES:
            raise ParameterError.plain(
                f"{variable} names a proxy of the unknown kind {scheme!r} (known: {', '.join(_SCHEMES)}). "
                "Correct the variable, or add the service's hosts to NO_PROXY."
            )
        try:
            # Both kinds of SOCKS resolve names at the proxy here; older httpx knows only the first.
            plain = address.replace("socks5h://", "socks5://", 1)
            proxy = httpx.Proxy(plain)
            return OwnConnections(lambda: httpx.HTTPTransport(verify=self._verify, proxy=proxy))
        except ImportError as error:
            raise ParameterError.plain(
                f"{variable} names a SOCKS proxy, which needs one more package. Install it: "
                "python -m pip install 'ci-notebook[socks]'. Or add the service's hosts to NO_PROXY."
            ) from error
        except (ValueError, httpx.InvalidURL):
            # Not chained: the address may hold a password.
            raise ParameterError.plain(
                f"{variable} is not the address of a proxy, such as http://proxy.example:3128. Correct the variable."
            ) from None


def _variable_of(address: str, proxies: Mapping[str, str]) -> str:
    """Name the variable that an address comes from. The address is not shown, since it may hold a password."""
    for name in ("https", "http", "all"):
        value = proxies.get(name, "")
        if value and address in (value, f"http://{value}"):
            return f"{name.upper()}_PROXY"
    return "The proxy setting of this system"


def trusted_certificates() -> ssl.SSLContext:
    """Return the trusted certificates: those of the environment, else the bundled ones."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        variable = next((name for name in _CERTIFICATES if os.environ.get(name)), "")
        if not variable:
            raise
        raise ParameterError.plain(
            f"{variable} points to {os.environ[variable]!r}, which holds no certificates that can be read. "
            "Correct the variable, or remove it to use the bundled certificates."
        ) from error
