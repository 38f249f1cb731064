"""One API call and its answer, whether it came in process or over a port.

In process the call comes from the client's transport, on a port from a WSGI server. They present a
path differently; `read_exchange` removes the difference.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from ci_notebook.engine.calls.cos.sub_resources import refusal
from ci_notebook.model.errors import ServiceError
from ci_notebook.wire.operations import Call, HostKind, match
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import MAX_REQUEST_BYTES

CHUNK_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call. `path` and `query` are decoded; names in `headers` are lower case.

    `host` is the kind of host that is meant. `bucket` and `region` come from the host name; `bucket` is
    empty on the host of a region. `refusal` is why the call will be refused once its signature is verified:
    its query asks for a sub-resource that the engine does not do.
    """

    method: str
    host: HostKind
    bucket: str
    region: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: IncomingBody
    call: Call
    names: Mapping[str, str]
    refusal: ServiceError | None = None

    @property
    def key(self) -> str:
        """The object key in the path."""
        return self.names["key"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a call. `length` is the length of a body that comes in chunks."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


class IncomingBody:
    """The body of a call. `length` is None when the call does not give one."""

    def __init__(self, stream: BinaryIO, length: int | None, *, is_terminated: bool) -> None:
        self._stream, self.length, self._is_terminated = stream, length, is_terminated

    def chunks(self) -> Iterator[bytes]:
        """Yield the body in chunks of at most a quarter of a MiB.

        Raises `ServiceError`: MissingContentLength when the end of the body is unknown, IncompleteBody when
        it is shorter than announced.
        """
        if self.length is None and not self._is_terminated:
            raise service_error("MissingContentLength", "The request has a body but no Content-Length.")
        left = self.length
        while left is None or left > 0:
            chunk = self._stream.read(CHUNK_BYTES if left is None else min(left, CHUNK_BYTES))
            if not chunk:
                break
            left = left if left is None else left - len(chunk)
            yield chunk
        if left:
            raise service_error("IncompleteBody", f"The body ended {left} bytes before its Content-Length.")

    def whole(self, content_md5: str = "") -> bytes:
        """Return a small body (XML). Raises `ServiceError` over 1 MiB, or when `content_md5` differs."""
        if self.length is not None and self.length > MAX_REQUEST_BYTES:
            raise too_large_xml(self.length)
        data = bytearray()
        for chunk in self.chunks():
            data += chunk
            if len(data) > MAX_REQUEST_BYTES:
                raise too_large_xml()
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        if content_md5 and content_md5 != digest:
            raise service_error("InvalidContent", f"Content-MD5 is {content_md5}, but the body's MD5 is {digest}.")
        return bytes(data)


def too_large_xml(got: int | None = None) -> ServiceError:
    """Return the error for a body of XML that is too large."""
    more = "" if got is None else f" (got {got})"
    return service_error("InvalidContent", f"An XML body may have at most {MAX_REQUEST_BYTES} bytes{more}.", status=413)


def read_exchange(environ: Mapping[str, Any]) -> Exchange:
    """Return the call of a WSGI environment. Raises `ServiceError` when it is not a call of the API."""
    method = environ["REQUEST_METHOD"].upper()
    path = _path(environ)
    query = _query(environ.get("QUERY_STRING", ""))
    headers = _headers(environ)
    named, bucket, region = _host(headers.get("host", ""))
    host = effective_host(method, named, path, query)
    matched = match(method, host, path, query)
    why = refusal(method, host, path, query, matched[0] if matched else None)
    if matched is None and why is not None:
        matched = Call("refused", method, host, path), {}
    if matched is None:
        known = any(match(other, host, path, query) for other in ("GET", "PUT", "POST", "DELETE", "HEAD"))
        what = f"{method} {path[:80]} is not a call of the API on a {host} host."
        raise service_error("MethodNotAllowed", what) if known else service_error("InvalidUrl", what)
    is_terminated = bool(environ.get("wsgi.input_terminated")) or "transfer-encoding" in headers
    body = IncomingBody(environ["wsgi.input"], _length(headers), is_terminated=is_terminated)
    return Exchange(method, host, bucket, region, path, query, headers, body, *matched, refusal=why)


def host_kind(environ: Mapping[str, Any]) -> HostKind:
    """Return the kind of host that a call names, as far as it can be read; for the format of errors."""
    try:
        return _host(str(environ.get("HTTP_HOST", "")))[0]
    except ServiceError:
        return "ci"


def effective_host(method: str, named: HostKind, path: str, query: Mapping[str, str]) -> HostKind:
    """Return the kind of host that a call means, which is nearly always the one it names.

    The official SDK, when it is given an address (`IP=`), sends CI calls with the Host of COS. So a
    call on a COS host counts as CI's in two cases: it cannot be a call on an object (POST without the flags
    of a multipart upload), or its path and query look like CI's and nobody would use such an object key
    (ids with 32 hexadecimal digits, or parameters that objects do not have).
    """
    if named != "cos" or match(method, "ci", path, query) is None:
        return "region" if named == "cos" and path == "/mediabucket" and "regions" in query else named
    if match(method, "cos", path, query) is None:
        return "ci"
    has_ids = re.fullmatch(r"/(jobs|template|queue)/([jpt][01]?[0-9a-f]{32},?)+", path) is not None
    has_flags = any(name in query for name in ("cancel", "tag", "category", "ids", "queueIds"))
    return "ci" if has_ids or has_flags else "cos"


_HOST = re.compile(
    r"(?:(?P<bucket>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?-[0-9]+)\.)?(?P<kind>ci|cos)\.(?P<region>[a-z0-9-]+)(?:\.[a-z0-9.-]+)?"
)


def _host(text: str) -> tuple[HostKind, str, str]:
    name = re.sub(r":[0-9]*$", "", text.strip().lower())
    if re.fullmatch(r"service\.cos(\.[a-z0-9.-]+)?", name):
        return "service", "", ""
    matched = _HOST.fullmatch(name)
    if matched is None:
        example = "<bucket>-<appid>.ci.<region>.myqcloud.com or <bucket>-<appid>.cos.<region>.myqcloud.com"
        raise service_error("InvalidHost", f"Host must be {example} (got {text[:120]!r}).")
    if not matched["bucket"]:
        return ("region" if matched["kind"] == "ci" else "service"), "", matched["region"]
    return ("ci" if matched["kind"] == "ci" else "cos"), matched["bucket"], matched["region"]


def _path(environ: Mapping[str, Any]) -> str:
    """Return the decoded path.

    The raw request target is preferred where the server provides it (waitress: REQUEST_URI), because
    PATH_INFO has lost slashes. Otherwise PATH_INFO holds UTF-8 bytes as Latin-1 (PEP 3333), or the text
    itself when it comes from a transport that decodes in process.
    """
    target = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if target is not None:
        target = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", target)  # through a proxy: http://host/path
        data = unquote_to_bytes(re.split("[?#]", target, maxsplit=1)[0] or "/")
    else:
        text = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "") or "/"
        try:
            data = text.encode("latin-1")
        except UnicodeEncodeError:
            return str(text)
    try:
        path = data.decode()
    except UnicodeDecodeError:
        raise service_error("InvalidURI", "The path is not UTF-8.") from None
    _refuse_zero(path)
    return path


def _query(text: str) -> dict[str, str]:
    try:
        query = dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        raise service_error("InvalidURI", "The query is not valid UTF-8, or it has more than 100 parameters.") from None
    _refuse_zero("".join((*query, *query.values())))
    return query


def _refuse_zero(text: str) -> None:
    """Raise `ServiceError` for a zero byte, which ends a text in many programs."""
    if "\0" in text:
        raise service_error("InvalidURI", "The path and the query must not contain a zero byte, %00.")


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,15}", text):
        raise service_error("InvalidArgument", f"Content-Length must be a whole number of bytes (got {text[:40]!r}).")
    return int(text)
