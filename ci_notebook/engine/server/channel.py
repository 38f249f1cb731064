"""One connection of the port: how waitress writes our answers, and how long it waits for a slow caller.

Invariant: every caller gets an answer in the API's format or loses the connection, and a slow caller
blocks no thread.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Final

from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest

from ci_notebook._processes import detach_in_children
from ci_notebook.engine.faults import ConnectionDropped, NoReply
from ci_notebook.wire.error_codes import CODE_OF_STATUS
from ci_notebook.wire.service_errors import error_body

# Timeout for the head of a request, and for each pause while its body arrives.
REQUEST_TIMEOUT_S: Final = 30.0
# A body that is slower on average is refused: 5 GB would take 58 days.
SLOWEST_BYTES_A_S: Final = 1024


class TooSlow(BadRequest):  # type: ignore[misc]  # waitress has no types
    """A request that arrives too slowly. `api_code` is the code of the answer."""

    api_code = "RequestTimeout"


class AnswerTask(WSGITask):  # type: ignore[misc]  # waitress has no types
    """An answer whose header names keep their spelling; no answer where an injected fault says so.

    Waitress would write `Etag`, and the official SDK, which makes a plain dict of the headers, would not
    find `ETag`.
    """

    is_silent = False

    def execute(self) -> None:
        """Call the application."""
        try:
            super().execute()
        except ConnectionDropped:
            self.is_silent = self.close_on_finish = True
        except NoReply:
            self.is_silent = True  # the connection stays open without an answer

    def finish(self) -> None:
        """Write the rest of the answer."""
        if not self.is_silent:
            super().finish()

    def build_response_header(self) -> bytes:
        """Return the head of the answer."""
        names = {name.lower(): name for name, _ in self.response_headers}
        first, *lines = super().build_response_header().decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = [f"{names.get(name.lower(), name)}: {value}" for name, _, value in pairs if name != "Via"]
        return ("\r\n".join([first, *headers]) + "\r\n\r\n").encode("latin-1")


class RefusalTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """The answer to a request that is not a call, such as a broken request line, in the API's format."""

    def execute(self) -> None:
        """Write the refusal."""
        error = self.request.error
        code = CODE_OF_STATUS.get(error.code, "InvalidRequest" if error.code < 500 else "InternalError")
        body = error_body(getattr(error, "api_code", code), f"{error.reason}: {error.body}")
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend([("Content-Type", "application/xml"), ("Server", "tencent-ci")])
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that measures how long the current request has been arriving."""

    task_class = AnswerTask
    error_task_class = RefusalTask
    began: float | None = None
    last_byte_at: float = 0.0
    received_bytes: int = 0

    def __init__(self, server: BaseWSGIServer, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(server, sock, *args, **options)
        detach_in_children(sock)

    def received(self, data: bytes) -> bool:
        """Take bytes from the caller."""
        self.last_byte_at = time.monotonic()
        if self.request is None:
            self.began, self.received_bytes = self.last_byte_at, 0
        self.received_bytes += len(data)
        return bool(super().received(data))

    def close(self) -> None:
        """Close the connection when the port closes, and the files that were being sent."""
        self.handle_close()


def refuse_slow_requests(server: BaseWSGIServer, *, patience_s: float = REQUEST_TIMEOUT_S) -> None:
    """Refuse the requests that arrive too slowly. Runs in the thread that reads the sockets."""
    now = time.monotonic()
    for channel in list(server.active_channels.values()):
        if channel.requests or channel.will_close or channel.close_when_flushed:
            continue
        if channel.request is not None:
            trouble = _trouble(channel, now, patience_s)
            if trouble is not None:
                _refuse(channel, trouble)
        elif channel.began is None and time.time() - channel.creation_time > patience_s:
            channel.will_close = True  # it has never sent a byte


def _trouble(channel: Channel, now: float, patience_s: float) -> TooSlow | None:
    lasted = now - (channel.began or now)
    if not channel.request.headers_finished:
        return TooSlow(f"the head did not arrive within {patience_s:g} s") if lasted > patience_s else None
    if now - channel.last_byte_at > patience_s:
        return TooSlow(f"no more of the body has arrived for {patience_s:g} s")
    if lasted > patience_s + channel.received_bytes / SLOWEST_BYTES_A_S:
        slow = TooSlow(f"the body arrives at less than {SLOWEST_BYTES_A_S} bytes a second")
        slow.api_code = "UserNetworkTooSlow"
        return slow
    return None


def _refuse(channel: Channel, trouble: TooSlow) -> None:
    """End the current request as waitress ends one that it cannot read."""
    with channel.requests_lock:
        request, channel.request = channel.request, None
        request.error, request.completed = trouble, True
        channel.requests.append(request)
        channel.server.add_task(channel)
