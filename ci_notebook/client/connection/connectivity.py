"""What a bucket answers to harmless questions: whether it is reached, known, allowed and switched on.

Nothing here changes or costs anything; each question is asked once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.http import Sender
from ci_notebook.client.connection.transport import Transport, network
from ci_notebook.model.errors import CIError
from ci_notebook.wire.operations import CALL

# Call → what is asked. The least that each can answer with.
_QUESTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "list_objects": {"max-keys": "1"},
    "list_queues": {"pageNumber": "1", "pageSize": "1"},
    "list_jobs": {"tag": "VideoEnhance", "size": "1"},
    "list_templates": {"tag": "VideoEnhance", "pageNumber": "1", "pageSize": "1"},
}


@dataclass(frozen=True, slots=True)
class Reach:
    """What came back. `answers` maps a call to what went wrong, None where nothing did, in the order asked.

    `skew_s` is how far this machine's clock is ahead of the service's, None when nothing answered.
    """

    skew_s: float | None
    answers: Mapping[str, Exception | None]


def reach(
    bucket: str, *, region: str, credentials: Credentials, transport: Transport | None = None, scheme: str = "https",
    timeout_s: float = 10.0, clock: Callable[[], float] = time.time,
) -> Reach:  # fmt: skip
    """Ask a bucket for objects, queues, jobs and templates, one of each at most, and return how it went.

    When nothing answers the first question the others are not asked. Raises `ParameterError` for a
    name that no bucket or region has.
    """
    watch = _Watch(transport or network(), clock)
    sender = Sender(
        bucket, region=region, credentials=credentials, transport=watch, scheme=scheme,
        timeout_s=timeout_s, clock=clock, sleep=lambda seconds: None,
    )  # fmt: skip
    answers: dict[str, Exception | None] = {}
    try:
        for name, query in _QUESTIONS.items():
            try:
                sender.send(CALL[name], query=query)
                answers[name] = None
            except CIError as error:
                answers[name] = error
            except httpx.TransportError as error:
                answers[name] = error
                break
    finally:
        sender.close()
    return Reach(watch.skew_s, answers)


class _Watch(httpx.BaseTransport):
    """Passes requests on, and compares the answers' `Date` with this machine's clock."""

    def __init__(self, inner: Transport, clock: Callable[[], float]) -> None:
        self._inner, self._clock = inner, clock
        self.skew_s: float | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        response = self._inner.handle_request(request)
        said = response.headers.get("date", "")
        with contextlib.suppress(ValueError):  # no date, or none that can be read: the other answers have one
            # `Date` is cut to whole seconds: half of one is what it lacks on average.
            self.skew_s = self._clock() - parsedate_to_datetime(said).timestamp() - 0.5
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
