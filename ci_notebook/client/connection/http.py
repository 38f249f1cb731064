"""One call, sent: build, sign, send, read the error, and try again where that can do no harm.

The rule of this file: what may have been accepted is not sent a second time here. GET, HEAD, PUT
and DELETE say the same thing twice; a POST does not, so it is repeated only when it never left or
was turned away at the door.
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
from ci_notebook.client.connection.transport import ExactURL, Transport, network
from ci_notebook.model.declaration.node import Node
from ci_notebook.model.errors import ParameterError, ServiceError, ServiceUnavailable, Throttled
from ci_notebook.wire import signing
from ci_notebook.wire.operations import Call, url_path, url_query
from ci_notebook.wire.service_errors import error_from
from ci_notebook.wire.xml import NodeCache, dumps, loads

N = TypeVar("N", bound=Node)

# Waits before the second, third and fourth try, seconds; each is halved at most by chance, so that
# many clients that failed together do not come back together.
BACK_OFF_S: Final = (0.5, 1.0, 2.0)
# A service that asks for a longer pause than this is left to the caller.
LONGEST_PAUSE_S: Final = 60.0

# Nothing of the request has gone out when one of these is raised.
NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

_BUCKET = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9]{5,}")
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")


@dataclass(frozen=True)
class Body:
    """What is sent: its length, and its chunks anew for each try."""

    size: int
    chunks: Callable[[], Iterable[bytes]]
    content_type: str = ""

    @staticmethod
    def of(data: bytes, content_type: str = "") -> Body:
        """Return a body that is in memory already."""
        return Body(len(data), lambda: (data,), content_type)


class Sender:
    """A bucket, the keys to it, and the one connection pool."""

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
            raise ParameterError("bucket", bucket, "a name that ends in the account's number, as in name-1250000000")
        if not _REGION.fullmatch(region):
            raise ParameterError("region", region, "the name of a region, as in ap-chongqing")
        self.bucket, self.region, self.credentials, self.scheme = bucket, region, credentials, scheme
        self.clock, self.sleep = clock, sleep
        self.hosts = {
            "ci": f"{bucket}.ci.{region}.myqcloud.com",
            "cos": f"{bucket}.cos.{region}.myqcloud.com",
            "region": f"ci.{region}.myqcloud.com",
        }
        # Parsed once: that costs more than a signature.
        self._urls = {kind: httpx.URL(f"{scheme}://{host}/") for kind, host in self.hosts.items()}
        self._transport = transport or network()
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
        """Send a call and return the node it answers with; `cache` is that of `wire.xml.loads`."""
        sent = None if body is None else Body.of(dumps(body, "Request"), "application/xml")
        body_of_answer = self.send(call, names=names, query=query, body=sent, once=once).content
        return loads(answer, body_of_answer, root="Response", cache=cache)

    def send(
        self,
        call: Call,
        *,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        once: bool = False,
    ) -> httpx.Response:
        """Send a call and return its answer, read. Raises `ServiceError`, or httpx's own errors.

        With `once` what the service has answered, if only to come later, is not sent again.
        """
        return self._send(
            call, lambda: self._request(call, names or {}, query or {}, headers or {}, body), read=True, once=once
        )

    @contextlib.contextmanager
    def stream(
        self,
        call: Call,
        *,
        names: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Iterator[httpx.Response]:
        """Send a call and give its answer, to be read in the block. What breaks in the block is not tried again."""
        response = self._send(
            call, lambda: self._request(call, names or {}, query or {}, headers or {}, body), read=False
        )
        try:
            yield response
        except httpx.TransportError as error:
            raise _without_frames(error) from None
        finally:
            response.close()

    def presigned_url(self, call: Call, *, names: Mapping[str, str], query: Mapping[str, str], valid_s: float) -> str:
        """Return a URL that carries its own signature."""
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
        self, call: Call, build: Callable[[], httpx.Request], *, read: bool, once: bool = False
    ) -> httpx.Response:
        for pause in (*BACK_OFF_S, None):
            try:
                # Not by httpx.Client: redirects, cookies and a log of signed URLs are not wanted, and cost a third.
                response = self._transport.handle_request(build())
                if response.is_success:
                    if read:
                        response.read()
                    return response
                raise self._error(call, response)
            except httpx.TransportError as error:
                if pause is None or not (call.method != "POST" or isinstance(error, NOT_SENT)):
                    raise _without_frames(error) from None
                wait = pause
            except (Throttled, ServiceUnavailable) as error:
                turned_away = isinstance(error, Throttled) and error.status == 429
                asked = error.retry_after_s or 0.0
                if once or pause is None or asked > LONGEST_PAUSE_S or not (call.method != "POST" or turned_away):
                    raise
                wait = max(pause, asked)
            self.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311 - spreads the tries, guards nothing
        raise AssertionError("the last try returns or raises")

    def _error(self, call: Call, response: httpx.Response) -> ServiceError:
        try:
            body = response.read()
        finally:
            response.close()
        return error_from(response.status_code, body, response.headers, call=call, bucket=self.bucket, now=self.clock())

    def _request(
        self,
        call: Call,
        names: Mapping[str, str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Body | None,
    ) -> httpx.Request:
        host, path = self.hosts[call.host], call.path_for(**names)
        asked = {**{name: value or "" for name, value in call.flags if value or name not in query}, **query}
        said = {"host": host, **headers}
        if body is not None or call.method in ("PUT", "POST", "DELETE"):
            said["content-length"] = str(body.size if body else 0)
        if body is not None and body.content_type:
            said["content-type"] = body.content_type
        token = self.credentials.token
        if token is not None:
            said["x-cos-security-token" if call.host == "cos" else "x-ci-security-token"] = token.reveal()
        said["authorization"] = signing.authorization(
            call.method,
            path,
            query=asked,
            headers=signing.headers_to_sign(said),
            secret_id=self.credentials.secret_id.reveal(),
            secret_key=self.credentials.secret_key,
            key_time=signing.key_time(self.clock()),
        )
        said |= {"user-agent": "ci-notebook", "accept": "*/*"}
        target = url_path(path) + (f"?{url_query(asked)}" if asked else "")
        request = httpx.Request(
            call.method,
            self._urls[call.host],
            headers=said,
            content=body.chunks() if body else None,
            extensions={"timeout": self._timeout},
        )
        request.url = ExactURL(self._urls[call.host], target.encode("ascii"))
        return request


def _without_frames(error: httpx.TransportError) -> httpx.TransportError:
    """Take the frames off an error of the transport: their variables hold the signed headers."""
    one: BaseException | None = error
    while one is not None:
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return error
