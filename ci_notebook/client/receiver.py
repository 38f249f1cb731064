"""Receives job-completion callbacks on this machine, so that a wait ends as soon as a job does.

Invariant: a callback is only a hint, because it is not signed and anyone with the URL can send one. A
wait that it wakes reads the job from the service before it treats the job as over.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from ci_notebook._processes import Owner, detach_in_children
from ci_notebook.client.job import Bar, Job
from ci_notebook.client.polling import LONGEST_S, Pace
from ci_notebook.client.watch import Watch
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.api.queues import NotifyConfig
from ci_notebook.wire.notifications import read_notification
from ci_notebook.wire.xml import MalformedXML

if TYPE_CHECKING:
    from ci_notebook.client.client import Client

# The notification of a finished job has a few kB.
MAX_NOTIFICATION_BYTES: Final = 1 << 20
# A silent connection is closed after this time.
IDLE_TIMEOUT_S: Final = 10.0
# With callbacks, jobs are polled at most this often. That is enough where no callback arrives, for example
# from the cloud, which cannot reach this machine.
POLL_EVERY_S: Final = 2.0
# How long `close` waits for the thread that listens; it looks ten times a second whether to stop.
STOP_S: Final = 10.0
# Limit for notifications that nobody reads.
MAX_WAITING: Final = 10_000


class Receiver:
    """Receives callbacks at `url` until it is closed; use it as a context manager.

    `for job in receiver` yields each notified job, in order of arrival, until `close`. `get` returns one
    job. `wait` waits for one job; a callback or a poll ends it. Set `url` as `call_back` of a request, or
    `notify_config()` on a queue.

    It listens on this machine only, so it works with the embedded engine, not with the cloud. For the
    cloud, forward a public address to its port, and use that address with the same path.

        with lab.callbacks() as receiver:
            job = lab.submit(clip, setting, call_back=receiver.url)
            receiver.wait(job)
    """

    def __init__(self, client: Client, *, port: int = 0, bar: Bar | None = None) -> None:
        self._client, self._bar = client, bar
        self._notified: queue.Queue[JobsDetail | None] = queue.Queue(MAX_WAITING)
        self._arrival = threading.Condition()
        self._count, self._owner = 0, Owner()
        # The path is secret: requests to other paths are refused.
        self._path = f"/{secrets.token_urlsafe(16)}"
        self._server = _Server(("127.0.0.1", port), self._path, self._take)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="ci-notebook-callbacks", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL for callbacks."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self._path}"

    def notify_config(self, form: Literal["XML", "JSON"] = "XML") -> NotifyConfig:
        """Return a setting for a queue to notify this receiver of all jobs: `queues.update(queue, notify_config=…)`."""
        return NotifyConfig(state="On", event="TaskFinish", type="Url", url=self.url, result_format=form)

    def get(self, timeout_s: float | None = None) -> Job:
        """Return the next notified job. Raises `TimeoutError`, by default after 24 hours, or `EOFError` once closed."""
        limit_s = LONGEST_S if timeout_s is None else timeout_s
        try:
            detail = self._notified.get(timeout=limit_s)
        except queue.Empty:
            raise TimeoutError(f"No notification came within {limit_s:g} s.") from None
        if detail is None:
            self._notified.put(None)  # for the next caller
            raise EOFError("The receiver is closed.")
        return Job(self._client, detail, bar=self._bar)

    def __iter__(self) -> Iterator[Job]:
        while True:
            try:
                yield self.get()
            except EOFError:
                return

    def wait(self, job: Job, timeout_s: float | None = None, on_progress: Callable[[Job], None] | None = None) -> Job:
        """Wait as `job.wait` does; a callback ends a pause. `get` and the iterator still receive the notification."""
        return job.wait(timeout_s, on_progress, pace=self.pace())

    def watch(self, jobs: Iterable[Job | str], *, timeout_s: float | None = None) -> Watch:
        """Watch jobs as `Watch` does; a callback ends a pause."""
        return Watch(self._client, jobs, timeout_s=timeout_s, pace=self.pace(), bar=self._bar)

    def pace(self) -> Pace:
        """Return a pace for one wait: its pauses end when a callback comes."""
        count = self._count

        def rest(seconds: float) -> None:
            nonlocal count
            with self._arrival:
                self._arrival.wait_for(lambda: self._count != count, seconds)
                count = self._count

        return Pace(rest, POLL_EVERY_S)

    def close(self) -> None:
        """Stop listening. Iterators end. Does nothing in a forked child."""
        if not self._owner.is_here:
            return
        self._server.shutdown()
        self._thread.join(STOP_S)
        self._server.server_close()
        self._take(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Receiver on port {self._server.server_address[1]}>"

    def _take(self, jobs: tuple[JobsDetail, ...]) -> None:
        """Put jobs, or the end marker, into the queue. A full queue drops its oldest entry."""
        for one in jobs or (None,):
            while True:
                try:
                    self._notified.put_nowait(one)
                    break
                except queue.Full:
                    with contextlib.suppress(queue.Empty):
                        self._notified.get_nowait()
        with self._arrival:
            self._count += 1
            self._arrival.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # There is one thread per connection. `close` does not wait for them, because a sender may be slow.
    block_on_close = False

    def __init__(self, address: tuple[str, int], path: str, take: Callable[[tuple[JobsDetail, ...]], None]) -> None:
        self.path, self.take = path, take
        super().__init__(address, _Handler)
        detach_in_children(self.socket)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        detach_in_children(connection)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore broken connections; the standard library would print them."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = IDLE_TIMEOUT_S
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Receive one notification; answer 200, or 4xx if it cannot be read."""
        self.close_connection = True
        length = self.headers.get("Content-Length", "")
        if self.path.partition("?")[0] != self.server.path:
            self._answer(404)
        elif not (length.isascii() and length.isdigit()):
            self._answer(411)
        elif len(length) > 9 or int(length) > MAX_NOTIFICATION_BYTES:
            self._answer(413)
        else:
            body = self.rfile.read(int(length))
            try:
                jobs = read_notification(body)
            except MalformedXML:
                self._answer(400)
                return
            self.server.take(jobs)
            self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""
