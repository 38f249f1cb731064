"""A small receiver of callbacks on this machine, so that a wait ends when the notice comes.

The rule of this file: a callback is a hint from whoever knows the URL, and it is not signed. A wait
that it wakes reads the job from the service before it believes that the job is over.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self

from ci_notebook.client.job import Bar, Job
from ci_notebook.client.polling import Pace
from ci_notebook.client.watch import Watch
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.api.queues import NotifyConfig
from ci_notebook.wire.notifications import read_notification
from ci_notebook.wire.xml import MalformedXML

if TYPE_CHECKING:
    from ci_notebook.client.client import Client

# A finished job's notice has a few kB.
MAX_NOTICE_BYTES: Final = 1 << 20
# A sender that says nothing for so long is let go of.
PATIENCE_S: Final = 10.0
# With notices on their way, jobs are read at most so often: enough where none arrives, as from the
# cloud, which cannot reach this machine's own address.
READ_EVERY_S: Final = 2.0
# Notices that nobody reads are not kept without end.
KEPT: Final = 10_000


class Receiver:
    """Takes callbacks at `url` until it is closed; use it as a context manager.

    `for job in receiver` yields each job that is told of, in the order of arrival, until `close`;
    `get` returns one; `wait` waits for a job and ends by notice or by reading, whichever is first.
    Give `url` as `call_back` of a request, or `notify_config()` to a queue.

    It listens on this machine alone, so it hears the embedded engine, not the cloud. For that, forward
    a public address to its port and give that address with the same path.

        with lab.callbacks() as receiver:
            job = lab.submit(clip, setting, call_back=receiver.url)
            receiver.wait(job)
    """

    def __init__(self, client: Client, *, port: int = 0, bar: Bar | None = None) -> None:
        self._client, self._bar = client, bar
        self._told: queue.Queue[JobsDetail | None] = queue.Queue(KEPT)
        self._news = threading.Condition()
        self._count = 0
        # Whoever does not know the path cannot tell us anything.
        self._path = f"/{secrets.token_urlsafe(16)}"
        self._server = _Server(("127.0.0.1", port), self._path, self._take)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="ci-notebook-callbacks", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to be told at."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self._path}"

    def notify_config(self, form: Literal["XML", "JSON"] = "XML") -> NotifyConfig:
        """Return what has a queue tell this receiver of all its jobs: `queues.update(queue, notify_config=…)`."""
        return NotifyConfig(state="On", event="TaskFinish", type="Url", url=self.url, result_format=form)

    def get(self, timeout_s: float | None = None) -> Job:
        """Return the next job that is told of. Raises `TimeoutError`, or `EOFError` once closed."""
        try:
            detail = self._told.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"no notice came within {timeout_s:g} s") from None
        if detail is None:
            self._told.put(None)  # for the next who asks
            raise EOFError("the receiver is closed")
        return Job(self._client, detail, bar=self._bar)

    def __iter__(self) -> Iterator[Job]:
        while True:
            try:
                yield self.get()
            except EOFError:
                return

    def wait(self, job: Job, timeout_s: float | None = None, on_progress: Callable[[Job], None] | None = None) -> Job:
        """Wait as `job.wait` does, woken by notices. What comes goes on to `get` and the iterator all the same."""
        return job.wait(timeout_s, on_progress, pace=self.pace())

    def watch(self, jobs: Iterable[Job | str], *, timeout_s: float | None = None) -> Watch:
        """Watch jobs as `Watch` does, woken by notices."""
        return Watch(self._client, jobs, timeout_s=timeout_s, pace=self.pace(), bar=self._bar)

    def pace(self) -> Pace:
        """Return a pace for one wait: its pauses end when a notice comes."""
        seen = self._count

        def rest(seconds: float) -> None:
            nonlocal seen
            with self._news:
                self._news.wait_for(lambda: self._count != seen, seconds)
                seen = self._count

        return Pace(rest, READ_EVERY_S)

    def close(self) -> None:
        """Give the port back. Whoever iterates comes to the end."""
        self._server.shutdown()
        self._thread.join()
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
        """Put what came, or the end, where it is waited for; the oldest goes when there is no room."""
        for one in jobs or (None,):
            while True:
                try:
                    self._told.put_nowait(one)
                    break
                except queue.Full:
                    with contextlib.suppress(queue.Empty):
                        self._told.get_nowait()
        with self._news:
            self._count += 1
            self._news.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A thread a sender, and none is waited for: one that trickles must not keep `close` waiting.
    block_on_close = False

    def __init__(self, place: tuple[str, int], path: str, take: Callable[[tuple[JobsDetail, ...]], None]) -> None:
        self.path, self.take = path, take
        super().__init__(place, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a sender that hung up; the standard library would print it."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_S
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take one notice: 200 for what was read, 4xx for what cannot be."""
        self.close_connection = True
        length = self.headers.get("Content-Length", "")
        if self.path.partition("?")[0] != self.server.path:
            self._answer(404)
        elif not (length.isascii() and length.isdigit()):
            self._answer(411)
        elif len(length) > 9 or int(length) > MAX_NOTICE_BYTES:
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
