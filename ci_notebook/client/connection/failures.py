"""`ConnectionFailed`: the service could not be reached, or the connection broke. It says what to check.

Invariant: neither the error nor the traceback of its cause holds a signed header or the password of a proxy.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Final

import httpx

from ci_notebook.model.errors import CIError

# With one of these errors, nothing of the request was sent.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class ConnectionFailed(CIError, httpx.TransportError):
    """The service could not be reached, or the connection broke before its answer arrived.

    `host` is the host of the request. `was_sent` is False if nothing of the request left this machine; else the
    service may have done what was requested. The original error is chained as `__cause__`.
    """

    def __init__(self, message: str, *, host: str = "", was_sent: bool = True) -> None:
        self.host, self.was_sent = host, was_sent
        super().__init__(message)

    @classmethod
    def of(cls, error: httpx.TransportError, host: str, *, proxy: str = "") -> ConnectionFailed:
        """Return the error for one of httpx's. `proxy` names the variable of the proxy that was used."""
        was_sent = not isinstance(error, _NOT_SENT)
        failure = cls(_sentence(error, host, proxy), host=host, was_sent=was_sent)
        failure.__cause__ = _without_frames(error)
        return failure


def _sentence(error: httpx.TransportError, host: str, proxy: str) -> str:
    reason = str(error).strip().rstrip(".") or type(error).__name__
    through = f" The connection uses the proxy of {proxy}; NO_PROXY lists the hosts that need none." if proxy else ""
    if _is_about_certificate(error):
        return (
            f"The certificate of {host} was not accepted ({reason}). If a company's proxy replaces certificates, "
            f"set SSL_CERT_FILE to the file with its certificate.{through}"
        )
    if isinstance(error, httpx.ProxyError):
        return f"The proxy refused the connection to {host} ({reason}). Check its address and login.{through}"
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        return f"{host} cannot be reached ({reason}). Check the network, the region and the endpoint.{through}"
    if isinstance(error, httpx.TimeoutException):
        return f"{host} did not answer in time ({reason}). Try again later.{through}"
    return f"The connection to {host} broke ({reason}). Try again.{through}"


def _is_about_certificate(error: BaseException) -> bool:
    return any(
        isinstance(one, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(one)
        for one in _chain(error)
    )


def _without_frames(error: httpx.TransportError) -> httpx.TransportError:
    """Remove the tracebacks of an error and its causes: their local variables contain the signed headers."""
    for one in _chain(error):
        one.__traceback__ = None
    return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes. An error that was raised twice may be its own cause."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
