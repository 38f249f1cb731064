"""Transports: the network, a WSGI application in this process, or a local address.

Invariant: a transport changes only where a request goes. Host, path and signature stay the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import httpx

from ci_notebook.client.connection.proxies import OwnConnections, trusted_certificates

Transport = httpx.BaseTransport
WSGIApp = Callable[..., Iterable[bytes]]


class WSGITransport(httpx.BaseTransport):
    """Sends requests to a WSGI application in this process.

    Unlike httpx's own WSGI transport, it streams the request's body and the reply. `PATH_INFO` is the same
    as from a server on a socket (bytes as Latin-1), so the application sees no difference. If the
    application raises `ConnectionError` or `TimeoutError`, the caller gets a broken connection or a timeout.
    """

    def __init__(self, app: WSGIApp) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the application's reply; its body is read on demand."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], None]:
            if exc_info:
                raise exc_info[1]
            started[:] = [(status, headers)]
            return _no_write

        with _as_transport_error(request):
            chunks = self._app(_environ(request), start_response)
            stream = _ReplyStream(
                chunks, request
            )  # reads the first chunk, because a generator starts its reply only then
        status, headers = started[0]
        return httpx.Response(int(status.split(" ", 1)[0]), headers=headers, stream=stream)


class ExactURL(httpx.URL):
    """A URL whose path and query are sent unchanged.

    httpx would normalize `/a/../b`, which is a valid key, to `/b`. Its extension `target` does not, but
    then the CONNECT of a proxy contains the path instead of the host.
    """

    def __init__(self, base: httpx.URL, target: bytes) -> None:
        super().__init__(base)
        self._target = target

    @property
    def raw_path(self) -> bytes:
        """The path and query, encoded."""
        return self._target


class AddressTransport(httpx.BaseTransport):
    """Sends every request to one address (`http://127.0.0.1:9000`), with its original Host and path."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address if "//" in address else f"http://{address}")
        self._base = httpx.URL(scheme=parts.scheme, host=parts.hostname or "127.0.0.1", port=parts.port, path="/")
        # Directly: the address was given on purpose, and a proxy does not reach this machine's ports.
        verify = trusted_certificates() if parts.scheme == "https" else False
        self._network = OwnConnections(lambda: httpx.HTTPTransport(verify=verify))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the address."""
        request.url = ExactURL(self._base, request.url.raw_path)
        return self._network.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._network.close()


class _Input:
    """`wsgi.input` over the chunks of a request; it holds at most one chunk."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), b""

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer only at the end; -1 returns the rest."""
        if size is None or size < 0:
            left, self._rest = self._rest + b"".join(self._chunks), b""
            return left
        while len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def readline(self, size: int = -1) -> bytes:
        """Return the bytes up to and including the next line feed."""
        while b"\n" not in self._rest and (chunk := next(self._chunks, None)) is not None:
            self._rest += chunk
        end = self._rest.find(b"\n") + 1 or len(self._rest)
        return self.read(end if size is None or size < 0 else min(end, size))

    def readlines(self, hint: int = -1) -> list[bytes]:
        """Return all remaining lines."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")


class _ReplyStream(httpx.SyncByteStream):
    """The body of a reply; closed when the caller has read it or leaves."""

    def __init__(self, chunks: Iterable[bytes], request: httpx.Request) -> None:
        self._chunks, self._request = chunks, request
        self._rest = iter(chunks)
        try:
            self._first = next(self._rest, b"")
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        with _as_transport_error(self._request):
            if self._first:
                yield self._first
            yield from self._rest

    def close(self) -> None:
        """Close the application's iterator."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


class _as_transport_error:  # noqa: N801 - reads as the verb it is in a with statement
    def __init__(self, request: httpx.Request) -> None:
        self._request = request

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise httpx.ReadTimeout(
                str(error) or "The application did not answer in time.", request=self._request
            ) from error
        if isinstance(error, ConnectionError):
            raise httpx.ReadError(
                str(error) or "The application closed the connection.", request=self._request
            ) from error


def _environ(request: httpx.Request) -> dict[str, Any]:
    path, _, query = request.url.raw_path.partition(b"?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": request.url.host,
        "SERVER_PORT": str(request.url.port or {"http": 80, "https": 443}.get(request.url.scheme, 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.url.scheme,
        "wsgi.input": _Input(request.stream),  # type: ignore[arg-type]
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.raw:
        key = name.decode("ascii").upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value.decode("latin-1")
    return environ


def _no_write(data: bytes) -> None:
    raise NotImplementedError("write() of old WSGI applications is not supported; return the chunks.")
