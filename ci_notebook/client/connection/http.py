"""Sends one call: builds and signs it, reads errors, and retries where that is safe.

Invariant: a request that the service may have accepted is retried only if it is idempotent. GET, HEAD,
PUT and DELETE are. A POST is retried only if it was never sent, or refused with 429.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx

from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.failures import ConnectionFailed
from ci_notebook.client.connection.proxies import NetworkTransport
from ci_notebook.client.connection.replies import REPLY_BYTES, Reply, read_error, read_reply
from ci_notebook.client.connection.transport import ExactURL, Transport
from ci_notebook.model.declaration.node import Node
from ci_notebook.model.errors import ParameterError, ServiceError, ServiceUnavailable, Throttled
from ci_notebook.wire import signing
from ci_notebook.wire.operations import Call, url_path, url_query
from ci_notebook.wire.received import keep_received
from ci_notebook.wire.service_errors import error_from, error_in
from ci_notebook.wire.xml import MalformedXML, NodeCache, dumps, loads, parse

N = TypeVar("N", bound=Node)
T = TypeVar("T")

# Exponential backoff: seconds before the second, third and fourth try. Random jitter adds up to half, so
# that many clients that failed together do not retry together.
BACKOFF_S: Final = (0.5, 1.0, 2.0)
# If the service asks for a longer pause, the error is raised instead of a retry.
MAX_PAUSE_S: Final = 60.0

_BUCKET = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9]{5,}")
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")


@dataclass(frozen=True)
class RequestBody:
    """The body of a request: its size, and a function that yields its chunks for each try."""

    size: int
    chunks: Callable[[], Iterable[bytes]]
    content_type: str = ""

    @staticmethod
    def of(data: bytes, content_type: str = "") -> RequestBody:
        """Return a body from bytes in memory."""
        return RequestBody(len(data), lambda: (data,), content_type)


class Sender:
    """A bucket, its credentials, and one connection pool."""

    def __init__(
        self,
        bucket: str,
        *,
        region: str,
        credentials: Credentials,
        transport: Transport | None,
        scheme: str,
        timeout_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        if not _BUCKET.fullmatch(bucket):
            raise ParameterError.plain(
                f"The bucket name {bucket!r} is not valid. It ends in the account number, as in name-1250000000."
            )
        if not _REGION.fullmatch(region):
            raise ParameterError.plain(f"The region {region!r} is not valid. Use a name like ap-chongqing.")
        self.bucket, self.region, self.credentials, self.scheme = bucket, region, credentials, scheme
        self.clock, self.sleep = clock, sleep
        self.hosts = {
            "ci": f"{bucket}.ci.{region}.myqcloud.com",
            "cos": f"{bucket}.cos.{region}.myqcloud.com",
            "region": f"ci.{region}.myqcloud.com",
        }
        # Parsed once, because parsing costs more than a signature.
        self._urls = {kind: httpx.URL(f"{scheme}://{host}/") for kind, host in self.hosts.items()}
        self._transport = transport or NetworkTransport()
        self._timeout = httpx.Timeout(timeout_s).as_dict()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def ask(
        self,
        call: Call,
        answer: type[N],
        *,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Node | None = None,
        once: bool = False,
        cache: NodeCache | None = None,
    ) -> N:
        """Send a call and return the node of its reply; `cache` is that of `wire.xml.loads`."""
        content = None if body is None else RequestBody.of(dumps(body, "Request"), "application/xml")
        reply = self.send(call, names=names, query=query, body=content, once=once).content
        try:
            node = loads(answer, reply, root="Response", cache=cache)
        except MalformedXML as malformed:
            error = _stated_error(reply)
            raise (malformed if error is None else error) from None
        keep_received(node, reply)
        return node

    def send(
        self,
        call: Call,
        *,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: RequestBody | None = None,
        once: bool = False,
        limit_bytes: int = REPLY_BYTES,
        remedy: str = "",
    ) -> Reply:
        """Send a call and return its complete reply. Raises `ServiceError` or `ConnectionFailed`.

        With `once`, any error reply of the service is raised, and the call is not retried after it. `limit_bytes` and
        `remedy` are as in `read_reply`.
        """
        return self._send(
            call, lambda: self._request(call, names or {}, query or {}, headers or {}, body), once=once,
            take=lambda response: read_reply(response, limit_bytes, remedy=remedy),
        )  # fmt: skip

    @contextlib.contextmanager
    def stream(
        self,
        call: Call,
        *,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: RequestBody | None = None,
    ) -> Iterator[httpx.Response]:
        """Send a call and yield its reply, to be read in the block. An error in the block is not retried."""
        response = self._send(
            call, lambda: self._request(call, names or {}, query or {}, headers or {}, body), take=lambda reply: reply
        )
        try:
            yield response
        except ConnectionFailed:
            raise
        except httpx.TransportError as error:
            failure = self._failure(error, call)
        else:
            return
        finally:
            response.close()
        raise failure

    def presigned_url(self, call: Call, *, names: Mapping[str, str], query: Mapping[str, str], valid_s: float) -> str:
        """Return a URL that contains its signature."""
        host, path = self.hosts[call.host], call.path_for(**names)
        token = self.credentials.token
        signed = signing.presigned_query(
            call.method,
            path,
            query={**{name: value or "" for name, value in call.flags}, **query},
            headers={"host": host},
            secret_id=self.credentials.secret_id.reveal(),
            secret_key=self.credentials.secret_key,
            key_time=signing.key_time(self.clock(), valid_s=valid_s),
            token=token.reveal() if token else None,
        )
        return f"{self.scheme}://{host}{url_path(path)}?{url_query(signed)}"

    def _send(
        self, call: Call, build: Callable[[], httpx.Request], *, take: Callable[[httpx.Response], T], once: bool = False
    ) -> T:
        """Send a call, with retries, and return what `take` makes of its reply."""
        for pause in (*BACKOFF_S, None):
            try:
                # No httpx.Client: it adds redirects, cookies and a log of signed URLs, and takes 33 % longer.
                request = build()
                response = self._transport.handle_request(request)
                response.request = request
                if response.is_success:
                    return take(response)
                raise self._error(call, response)
            except httpx.TransportError as error:
                failure = self._failure(error, call)
                if pause is None or (call.method == "POST" and failure.was_sent):
                    raise failure from failure.__cause__
                wait = pause
            except httpx.DecodingError as error:
                text = f"The reply of the service cannot be decompressed: {error}."
                raise ServiceError("InternalError", text, status=200) from error
            except (Throttled, ServiceUnavailable) as error:
                was_refused = isinstance(error, Throttled) and error.status == 429
                retry_after_s = error.retry_after_s or 0.0
                if once or pause is None or retry_after_s > MAX_PAUSE_S or not (call.method != "POST" or was_refused):
                    raise
                wait = max(pause, retry_after_s)
            self.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311 - jitter, not a secret
        raise AssertionError("the last try returns or raises")

    def _failure(self, error: httpx.TransportError, call: Call) -> ConnectionFailed:
        proxy = ""
        if isinstance(self._transport, NetworkTransport):
            proxy = self._transport.proxy_variable(self._urls[call.host])
        return ConnectionFailed.of(error, self.hosts[call.host], proxy=proxy)

    def _error(self, call: Call, response: httpx.Response) -> ServiceError:
        body = read_error(response)
        return error_from(response.status_code, body, response.headers, call=call, bucket=self.bucket, now=self.clock())

    def _request(
        self,
        call: Call,
        names: Mapping[str, str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: RequestBody | None,
    ) -> httpx.Request:
        host, path = self.hosts[call.host], call.path_for(**names)
        full_query = {**{name: value or "" for name, value in call.flags if value or name not in query}, **query}
        fields = {"host": host, **headers}
        if body is not None or call.method in ("PUT", "POST", "DELETE"):
            fields["content-length"] = str(body.size if body else 0)
        if body is not None and body.content_type:
            fields["content-type"] = body.content_type
        token = self.credentials.token
        if token is not None:
            fields["x-cos-security-token" if call.host == "cos" else "x-ci-security-token"] = token.reveal()
        fields["authorization"] = signing.authorization(
            call.method,
            path,
            query=full_query,
            headers=signing.headers_to_sign(fields),
            secret_id=self.credentials.secret_id.reveal(),
            secret_key=self.credentials.secret_key,
            key_time=signing.key_time(self.clock()),
        )
        fields |= {"user-agent": "ci-notebook", "accept": "*/*"}
        target = url_path(path) + (f"?{url_query(full_query)}" if full_query else "")
        request = httpx.Request(
            call.method,
            self._urls[call.host],
            headers=fields,
            content=body.chunks() if body else None,
            extensions={"timeout": self._timeout},
        )
        request.url = ExactURL(self._urls[call.host], target.encode("ascii"))
        return request


def _stated_error(reply: bytes) -> ServiceError | None:
    try:
        return error_in(parse(reply))
    except MalformedXML:
        return None
