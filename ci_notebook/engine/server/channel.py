"""One connection of the port: how waitress writes our answers, and how long it waits for a slow caller.

Invariant: every caller gets an answer in the API's format or loses the connection, and a slow caller
blocks no thread. A connection that we end is read for a moment longer, so that the answer arrives: a
system discards it when bytes of the caller are still unread.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask, Task, WSGITask
from waitress.utilities import BadRequest

from ci_notebook._processes import detach_in_children
from ci_notebook.engine.faults import ConnectionDropped, NoReply
from ci_notebook.engine.server.body_plan import REFUSAL, BodyPlan
from ci_notebook.engine.server.head_check import HeadCheckingRequest
from ci_notebook.wire.error_codes import CODE_OF_STATUS
from ci_notebook.wire.service_errors import error_body

# Timeout for the head of a request, and for each pause while its body arrives.
REQUEST_TIMEOUT_S: Final = 30.0
# A body that is slower on average is refused: 5 GB would take 58 days.
SLOWEST_BYTES_A_S: Final = 1024
# How long a caller may continue to send after the last answer of its connection.
LINGER_S: Final = 5.0


class TooSlow(BadRequest):  # type: ignore[misc]  # waitress has no types
    """A request that arrives too slowly. `api_code` is the code of the answer."""

    api_code = "RequestTimeout"


class _ExactHeaders(Task):  # type: ignore[misc]  # waitress has no types
    """An answer whose header names keep their spelling.

    Waitress would write `Etag`, and the official SDK, which makes a plain dict of the headers, would not
    find `ETag`.
    """

    def build_response_header(self) -> bytes:
        """Return the head of the answer."""
        names = {name.lower(): name for name, _ in self.response_headers}
        first, *lines = super().build_response_header().decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = [f"{names.get(name.lower(), name)}: {value}" for name, _, value in pairs if name != "Via"]
        return ("\r\n".join([first, *headers]) + "\r\n\r\n").encode("latin-1")


class AnswerTask(_ExactHeaders, WSGITask):  # type: ignore[misc]  # waitress has no types
    """The answer of the application; none where an injected fault says so."""

    is_silent = False

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment: the headers as they were signed, and the refusal that the head got, if any.

        Of a chunked body, waitress removes Transfer-Encoding, which the official SDK signs, and adds a
        Content-Length that was not sent.
        """
        environ: dict[str, Any] = super().get_environment()
        if self.request.chunked:
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
            environ.pop("CONTENT_LENGTH", None)
        if self.request.refusal is not None:
            environ[REFUSAL] = self.request.refusal
        return environ

    def execute(self) -> None:
        """Call the application."""
        if self.request.connection_close:
            self.set_close_on_finish()
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


class RefusalTask(_ExactHeaders, ErrorTask):  # type: ignore[misc]  # waitress has no types
    """The answer to a request that is not a call, such as a broken request line, in the API's format."""

    def execute(self) -> None:
        """Write the refusal."""
        error = self.request.error
        code = CODE_OF_STATUS.get(error.code, "InvalidRequest" if error.code < 500 else "InternalError")
        request_id = base64.b64encode(uuid.uuid4().hex[:24].encode()).decode()
        body = error_body(
            getattr(error, "api_code", code), f"{error.reason}: {error.body}.", request_id=request_id,
            resource=self.request.path,
        )  # fmt: skip
        self.status = f"{error.code} {error.reason}"
        headers = {"Content-Type": "application/xml", "Server": "tencent-ci", "x-ci-request-id": request_id}
        self.response_headers.extend(headers.items())
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(b"" if self.request.command == "HEAD" else body)


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that measures how long the current request has been arriving.

    `plan_body` says what to do with the body of a call, from the environment that its head gives.
    """

    task_class = AnswerTask
    error_task_class = RefusalTask
    began: float | None = None
    last_byte_at: float = 0.0
    received_bytes: int = 0
    lingers_until: float | None = None
    _is_ending = False

    def __init__(
        self,
        server: BaseWSGIServer,
        sock: socket.socket,
        *arguments: Any,
        plan_body: Callable[[Mapping[str, Any]], BodyPlan],
        **options: Any,
    ) -> None:
        super().__init__(server, sock, *arguments, **options)
        detach_in_children(sock)
        self._plan_body = plan_body

    def parser_class(self, adjustments: Adjustments) -> HeadCheckingRequest:
        """Return the parser of a new request."""
        return HeadCheckingRequest(adjustments, self._plan_of)

    def _plan_of(self, request: HeadCheckingRequest) -> BodyPlan:
        return self._plan_body(AnswerTask(self, request).get_environment())

    def received(self, data: bytes) -> bool:
        """Take bytes from the caller."""
        self.last_byte_at = time.monotonic()
        if self.request is None:
            self.began, self.received_bytes = self.last_byte_at, 0
        self.received_bytes += len(data)
        return bool(super().received(data))

    def readable(self) -> bool:
        """Return whether bytes of the caller are wanted."""
        return self.lingers_until is not None or bool(super().readable())

    def handle_read(self) -> None:
        """Read what has arrived."""
        if self.lingers_until is None:
            super().handle_read()
            return
        with contextlib.suppress(OSError):
            self.recv(self.adj.recv_bytes)

    def handle_write(self) -> None:
        """Write what can be written; end the connection after its last answer."""
        self._is_ending = self.close_when_flushed and not self.will_close
        super().handle_write()
        self._is_ending = False

    def handle_close(self) -> None:
        """Close the connection; after an answer, first only our half of it."""
        if self._is_ending and self.lingers_until is None and self.connected:
            self._is_ending = self.will_close = False
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self.lingers_until = time.monotonic() + LINGER_S
                return
        super().handle_close()

    def close(self) -> None:
        """Close the connection when the port closes, and the files that were being sent."""
        self.handle_close()


def refuse_slow_requests(server: BaseWSGIServer, *, patience_s: float = REQUEST_TIMEOUT_S) -> None:
    """Refuse the requests that arrive too slowly. Runs in the thread that reads the sockets."""
    now = time.monotonic()
    for channel in list(server.active_channels.values()):
        if channel.lingers_until is not None:
            channel.will_close = channel.will_close or now > channel.lingers_until
            continue
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
