"""Telling that jobs have ended: rows that wait until somebody has taken the notice, and the thread that sends.

The rule of this file: a notice is a committed row from the moment the job ends (`Ledger`), and the
row goes when a 2xx came back or the message lies in its queue. So a notice may come twice, after a
kill -9 say, and is lost only when its receiver refuses it over and over. Jobs never wait for it.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ci_notebook.engine.calls.job_details import job_details
from ci_notebook.engine.jobs.ledger import JobRow, Ledger
from ci_notebook.engine.jobs.worker import THREAD_PREFIX, DaemonThreads
from ci_notebook.engine.notify.message_queues import MessageQueues
from ci_notebook.engine.notify.notification import (
    CONTENT_TYPES,
    CallbackTarget,
    QueueTarget,
    is_allowed_address,
    notification_body,
    target_of,
)
from ci_notebook.engine.storage.bucket_settings import Catalogue
from ci_notebook.engine.storage.database import Database
from ci_notebook.model.api.jobs import Request
from ci_notebook.model.api.queues import NotifyConfig
from ci_notebook.wire.xml import loads

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# None of this is documented for media jobs (§10.1): how long a receiver may take for all of one
# notice, how long to wait after each refusal, and that after the last one nothing more is sent.
TIMEOUT_S: Final = 10.0
BACKOFF_S: Final = (1.0, 5.0, 30.0, 300.0)
# Longer than a try can take: a notice whose sender died is taken up by another.
LEASE_S: Final = 60.0
POLL_S: Final = 0.5
MAX_SENDING: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """A notice that nobody has taken yet. `due` is when the next try is, Unix seconds; None: given up."""

    job_id: str
    due: float | None
    tries: int
    trouble: str


class Outbox:
    """The notices that wait, in SQLite."""

    def __init__(
        self, database: Database, *, clock: Callable[[], float], backoff_s: tuple[float, ...] = BACKOFF_S
    ) -> None:
        self._database, self._clock, self._backoff_s = database, clock, backoff_s

    def all(self) -> list[OutboxEntry]:
        """Return the notices that nobody has taken, by job."""
        return [OutboxEntry(**dict(row)) for row in self._database.rows("SELECT * FROM notices ORDER BY job_id")]

    def claim(self) -> OutboxEntry | None:
        """Take the next notice that is due; nobody else gets it for a while."""
        due = ("SELECT * FROM notices WHERE due <= ? ORDER BY due LIMIT 1", (self._clock(),))
        if self._database.row(*due) is None:  # without a transaction first: mostly there is none
            return None
        with self._database.change() as change:
            row = change.execute(*due).fetchone()
            if row is None:
                return None
            sql = "UPDATE notices SET due = ?, tries = tries + 1 WHERE job_id = ? RETURNING *"
            return OutboxEntry(**dict(change.execute(sql, (self._clock() + LEASE_S, row["job_id"])).fetchone()))

    def done(self, job_id: str) -> None:
        """Forget a notice: somebody has taken it, or nobody wants it."""
        with self._database.change() as change:
            change.execute("DELETE FROM notices WHERE job_id = ?", (job_id,))

    def failed(self, entry: OutboxEntry, trouble: str) -> None:
        """Remember why a notice was not taken, and when to try again, if ever."""
        more = self._backoff_s[entry.tries - 1 : entry.tries]
        due = self._clock() + more[0] if more else None
        with self._database.change() as change:
            sql = "UPDATE notices SET due = ?, trouble = ? WHERE job_id = ?"
            change.execute(sql, (due, trouble, entry.job_id))
        if due is None:
            log.warning("the notice of job %s is given up after %d tries: %s", entry.job_id, entry.tries, trouble)

    def send(self, messages: MessageQueues, topic: QueueTarget, job_id: str, body: bytes) -> None:
        """Put a notice into its message queue: there once, or still waiting here."""
        with self._database.change() as change:
            if change.execute("DELETE FROM notices WHERE job_id = ?", (job_id,)).rowcount:
                messages.put(change, topic, job_id, body)


class NotificationSender:
    """Sends the notices that are due until it is closed, a few at a time."""

    def __init__(
        self,
        outbox: Outbox,
        messages: MessageQueues,
        ledger: Ledger,
        catalogue: Catalogue,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._outbox, self._messages, self._ledger, self._catalogue = outbox, messages, ledger, catalogue
        self._threads, self._timeout_s, self._is_closed = DaemonThreads(), timeout_s, False
        self._stop, self._wake, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._sending: set[Future[None]] = set()
        self._thread = threading.Thread(target=self._tend, name=f"{THREAD_PREFIX}-notices", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that a notice may be due."""
        self._wake.set()

    def close(self) -> None:
        """Stop. What is being sent has a second to arrive; the rest waits for the next engine on the folder."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        wait(self._sending, timeout=1.0)
        with self._lock:  # whoever is late finds out before touching a ledger that may be closed
            self._is_closed = True

    def _tend(self) -> None:
        while not self._stop.is_set():
            try:
                self._hand_out()
            except Exception:  # the thread must outlive whatever it meets, or nobody would be told again
                log.exception("the sender of notices met an error; it goes on")
            self._wake.wait(POLL_S)
            self._wake.clear()

    def _hand_out(self) -> None:
        self._sending = {one for one in self._sending if not one.done()}
        while len(self._sending) < MAX_SENDING and not self._stop.is_set():
            entry = self._outbox.claim()
            if entry is None:
                return
            future = self._threads.submit(self._deliver, entry)
            self._sending.add(future)
            future.add_done_callback(lambda _: self._wake.set())

    def _deliver(self, entry: OutboxEntry) -> None:
        """Give one notice to whom it may concern; what went wrong is written on its row."""
        try:
            job = self._ledger.find(entry.job_id)
            target = self._target(job) if job else None
            trouble = self._sent(job, target) if job and target else ""
        except Exception as error:  # the top of a thread: the notice's row says why, the log says it in full
            log.exception("the notice of job %s cannot be sent", entry.job_id)
            trouble = f"{type(error).__name__} in the engine"
        with self._lock:
            if self._is_closed:
                return
            if trouble:
                self._outbox.failed(entry, trouble)
            else:
                self._outbox.done(entry.job_id)

    def _target(self, job: JobRow) -> CallbackTarget | QueueTarget | None:
        queues = [row for row in self._catalogue.queues(job.bucket) if row.queue_id == job.queue_id]
        notify = loads(NotifyConfig, queues[0].notify) if queues else NotifyConfig()
        return target_of(loads(Request, job.request), notify)

    def _sent(self, job: JobRow, target: CallbackTarget | QueueTarget) -> str:
        """Send; return what went wrong, if anything."""
        bucket = self._catalogue.bucket(job.bucket)
        body = notification_body(job_details(job, bucket.region if bucket else ""), target.form)
        if isinstance(target, QueueTarget):
            self._outbox.send(self._messages, target, job.job_id, body)
            return ""
        try:
            status = post(target.url, body, CONTENT_TYPES[target.form], timeout_s=self._timeout_s)
        except (OSError, http.client.HTTPException) as error:
            return f"{target.host}: {type(error).__name__}: {error}"
        return "" if 200 <= status < 300 else f"{target.host} answered {status}"


def post(url: str, body: bytes, content_type: str, *, timeout_s: float) -> int:
    """Send a body to an address and return the status of the answer. Redirections are not followed.

    Raises `OSError` (also for an address of an intranet, whatever its name) and
    `http.client.HTTPException`.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    # The connection's own time-out is for each read; a receiver that trickles would outlast it.
    is_late = threading.Event()
    watch = threading.Timer(timeout_s, _hang_up, (connection, is_late))
    watch.daemon = True
    try:
        connection.connect()
        peer = connection.sock.getpeername()[0]
        if not is_allowed_address(peer.partition("%")[0]):
            raise ConnectionRefusedError("the address leads into an intranet")
        watch.start()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {"Content-Type": content_type, "User-Agent": "ci-notebook"})
        status = connection.getresponse().status
        if is_late.is_set():  # http.client takes a head that was cut off for a whole one
            raise TimeoutError(f"no whole answer in {timeout_s:g} s")
        return status
    finally:
        watch.cancel()
        connection.close()


def _hang_up(connection: http.client.HTTPConnection, is_late: threading.Event) -> None:
    is_late.set()
    with contextlib.suppress(OSError, AttributeError):  # it ended this very moment
        connection.sock.shutdown(socket.SHUT_RDWR)
