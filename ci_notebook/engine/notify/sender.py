"""Sender thread: delivers the notifications of the outbox, by POST or into a message queue.

Invariant: jobs never wait for a notification. A failed delivery is retried with the outbox's backoff.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
import ssl
import threading
from concurrent.futures import Future, wait
from typing import Final
from urllib.parse import urlsplit

from ci_notebook.engine.calls.job_details import job_details
from ci_notebook.engine.daemon_threads import THREAD_PREFIX, DaemonThreads
from ci_notebook.engine.jobs.ledger import JobRow, Ledger
from ci_notebook.engine.notify.addresses import connect
from ci_notebook.engine.notify.message_queues import MessageQueues
from ci_notebook.engine.notify.notification import (
    CONTENT_TYPES,
    CallbackTarget,
    QueueTarget,
    notification_body,
    target_of,
)
from ci_notebook.engine.notify.outbox import Outbox, OutboxEntry
from ci_notebook.engine.storage.bucket_settings import Catalogue
from ci_notebook.model.api.jobs import Request
from ci_notebook.model.api.queues import NotifyConfig
from ci_notebook.wire.xml import loads

__all__ = ["TIMEOUT_S", "NotificationSender", "post"]

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# How long a receiver may take for one notification. Not documented for media jobs.
TIMEOUT_S: Final = 10.0
POLL_S: Final = 0.5
# How long `close` waits for the thread, which may wait for another process's transaction.
CLOSE_S: Final = 30.0
MAX_SENDING: Final = 4


class NotificationSender:
    """Sends the notifications that are due, a few at a time, until it is closed."""

    def __init__(
        self,
        outbox: Outbox,
        messages: MessageQueues,
        ledger: Ledger,
        catalogue: Catalogue,
        *,
        timeout_s: float = TIMEOUT_S,
        loopback: bool = True,
    ) -> None:
        self._loopback = loopback
        self._outbox, self._messages, self._ledger, self._catalogue = outbox, messages, ledger, catalogue
        self._threads, self._timeout_s, self._is_closed = DaemonThreads(), timeout_s, False
        self._stop, self._wake, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._sending: set[Future[None]] = set()
        self._thread = threading.Thread(target=self._run, name=f"{THREAD_PREFIX}-notifications", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look for due notifications now."""
        self._wake.set()

    def close(self) -> None:
        """Stop. Deliveries in progress get one second; the rest waits for the next engine on the folder."""
        self._stop.set()
        self._wake.set()
        self._thread.join(CLOSE_S)
        wait(self._sending, timeout=1.0)
        with self._lock:  # a late delivery sees this before it touches a ledger that may be closed
            self._is_closed = True

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._start_due()
            except Exception:  # the thread must survive any error, or no notification would be sent again
                log.exception("the notification sender met an error and continues")
            self._wake.wait(POLL_S)
            self._wake.clear()

    def _start_due(self) -> None:
        self._sending = {one for one in self._sending if not one.done()}
        while len(self._sending) < MAX_SENDING and not self._stop.is_set():
            entry = self._outbox.claim()
            if entry is None:
                return
            future = self._threads.submit(self._deliver, entry)
            self._sending.add(future)
            future.add_done_callback(lambda _: self._wake.set())

    def _deliver(self, entry: OutboxEntry) -> None:
        """Deliver one notification; an error is written to its outbox entry."""
        try:
            job = self._ledger.find(entry.job_id)
            target = self._target(job) if job else None
            trouble = self._send(job, target) if job and target else ""
        except Exception as error:  # the top of a thread: the entry names the error, the log shows it in full
            log.exception("the notification of job %s cannot be sent", entry.job_id)
            trouble = f"{type(error).__name__} in the engine"
        with self._lock:
            if self._is_closed:
                return
            if trouble:
                self._outbox.retry_later(entry, trouble)
            else:
                self._outbox.remove(entry.job_id)

    def _target(self, job: JobRow) -> CallbackTarget | QueueTarget | None:
        queues = [row for row in self._catalogue.queues(job.bucket) if row.queue_id == job.queue_id]
        notify = loads(NotifyConfig, queues[0].notify) if queues else NotifyConfig()
        return target_of(loads(Request, job.request), notify)

    def _send(self, job: JobRow, target: CallbackTarget | QueueTarget) -> str:
        """Send a notification; return what went wrong, or an empty text."""
        bucket = self._catalogue.bucket(job.bucket)
        body = notification_body(job_details(job, bucket.region if bucket else ""), target.body_format)
        if isinstance(target, QueueTarget):
            self._outbox.move_to_queue(self._messages, target, job.job_id, body)
            return ""
        try:
            status = post(
                target.url, body, CONTENT_TYPES[target.body_format], timeout_s=self._timeout_s, loopback=self._loopback
            )
        except (OSError, http.client.HTTPException) as error:
            return f"{target.host}: {type(error).__name__}: {error}"
        return "" if 200 <= status < 300 else f"{target.host} answered {status}"


def post(url: str, body: bytes, content_type: str, *, timeout_s: float, loopback: bool = True) -> int:
    """Send a body by POST and return the status of the answer. Redirects are not followed.

    Raises `OSError`, also for any address in a private network and, without `loopback`, of this machine; and
    `http.client.HTTPException`.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port or kind.default_port, timeout=timeout_s)
    # The connection's own timeout is per read; a receiver that answers byte by byte would outlast it.
    is_late = threading.Event()
    timer = threading.Timer(timeout_s, _disconnect, (connection, is_late))
    timer.daemon = True
    try:
        # The address is resolved once, so that the one that is checked is the one that is called.
        sock = connect(connection.host, connection.port, timeout_s=timeout_s, loopback=loopback)
        connection.sock = sock
        timer.start()
        if parts.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(sock, server_hostname=connection.host)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {"Content-Type": content_type, "User-Agent": "ci-notebook"})
        status = connection.getresponse().status
        if is_late.is_set():  # http.client accepts a head that was cut off
            raise TimeoutError(f"no complete answer within {timeout_s:g} s")
        return status
    finally:
        timer.cancel()
        connection.close()


def _disconnect(connection: http.client.HTTPConnection, is_late: threading.Event) -> None:
    is_late.set()
    with contextlib.suppress(OSError, AttributeError):  # it ended just now
        connection.sock.shutdown(socket.SHUT_RDWR)
