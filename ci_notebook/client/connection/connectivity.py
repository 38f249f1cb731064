"""Checks whether a bucket can be reached, exists, permits access, and is activated.

Invariant: the checks change nothing and cost nothing; each call is made once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.failures import ConnectionFailed
from ci_notebook.client.connection.http import Sender
from ci_notebook.client.connection.proxies import NetworkTransport
from ci_notebook.client.connection.transport import Transport
from ci_notebook.model.errors import CIError
from ci_notebook.wire.headers import http_time_s
from ci_notebook.wire.operations import CALL

# Call → its query, for the smallest possible reply.
_CHECKS: Final[Mapping[str, Mapping[str, str]]] = {
    "list_objects": {"max-keys": "1"},
    "list_queues": {"pageNumber": "1", "pageSize": "1"},
    "list_jobs": {"tag": "VideoEnhance", "size": "1"},
    "list_templates": {"tag": "VideoEnhance", "pageNumber": "1", "pageSize": "1"},
}


@dataclass(frozen=True, slots=True)
class Reach:
    """The result of the checks. `answers` maps each call to its error, or to None if it succeeded, in order.

    `skew_s` is how far this machine's clock is ahead of the service's; None without any reply.
    """

    skew_s: float | None
    answers: Mapping[str, Exception | None]


def reach(
    bucket: str, *, region: str, credentials: Credentials, transport: Transport | None = None, scheme: str = "https",
    timeout_s: float = 10.0, clock: Callable[[], float] = time.time,
) -> Reach:  # fmt: skip
    """List at most one object, queue, job and template of a bucket, and return which calls succeeded.

    After a connection error the other calls are not made. Raises `ParameterError` for an invalid name of
    a bucket or region.
    """
    recorder = _ClockRecorder(transport or NetworkTransport(), clock)
    sender = Sender(
        bucket, region=region, credentials=credentials, transport=recorder, scheme=scheme,
        timeout_s=timeout_s, clock=clock, sleep=lambda seconds: None,
    )  # fmt: skip
    answers: dict[str, Exception | None] = {}
    try:
        for name, query in _CHECKS.items():
            try:
                sender.send(CALL[name], query=query)
                answers[name] = None
            except ConnectionFailed as error:
                answers[name] = error
                break
            except CIError as error:
                answers[name] = error
    finally:
        sender.close()
    return Reach(recorder.skew_s, answers)


class _ClockRecorder(httpx.BaseTransport):
    """Forwards requests, and compares the `Date` of the replies with this machine's clock."""

    def __init__(self, inner: Transport, clock: Callable[[], float]) -> None:
        self._inner, self._clock = inner, clock
        self.skew_s: float | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        response = self._inner.handle_request(request)
        date_s = http_time_s(response.headers.get("date"))
        if date_s is not None:  # other replies have one
            # `Date` is truncated to whole seconds, so it lags by half a second on average.
            self.skew_s = self._clock() - date_s - 0.5
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
