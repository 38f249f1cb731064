"""Outbox for job-completion notifications: rows that wait until they are delivered.

Invariant: the end of a job and its outbox row are one transaction (`Ledger.end`). The row is removed after
a 2xx answer, or in the transaction that puts the message into its queue. So a notification may arrive
twice, for example after a crash. It is lost only when its receiver refuses every attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ci_notebook.engine.notify.message_queues import MessageQueues
from ci_notebook.engine.notify.notification import QueueTarget
from ci_notebook.engine.storage.database import Database

__all__ = ["BACKOFF_S", "LEASE_S", "Outbox", "OutboxEntry"]

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# Backoff: the wait after each failed attempt. After the last one the notification is given up.
# Not documented for media jobs.
BACKOFF_S: Final = (1.0, 5.0, 30.0, 300.0)
# Longer than one attempt can take: when a sender dies, its lease expires and another sender takes over.
LEASE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """A notification that is not delivered yet.

    `due` is the time of the next attempt in Unix seconds, None when it was given up. `tries` counts the
    attempts, `trouble` says why the last one failed.
    """

    job_id: str
    due: float | None
    tries: int
    trouble: str


class Outbox:
    """The notifications that are not delivered yet, in SQLite (table `notices`)."""

    def __init__(
        self, database: Database, *, clock: Callable[[], float], backoff_s: tuple[float, ...] = BACKOFF_S
    ) -> None:
        self._database, self._clock, self._backoff_s = database, clock, backoff_s

    def entries(self) -> list[OutboxEntry]:
        """Return all entries, sorted by job."""
        return [OutboxEntry(**dict(row)) for row in self._database.rows("SELECT * FROM notices ORDER BY job_id")]

    def claim(self) -> OutboxEntry | None:
        """Lease the next entry that is due, so that no other sender takes it; None when none is due."""
        due = ("SELECT * FROM notices WHERE due <= ? ORDER BY due LIMIT 1", (self._clock(),))
        if self._database.row(*due) is None:  # read without a transaction first, because mostly there is none
            return None
        with self._database.change() as change:
            row = change.execute(*due).fetchone()
            if row is None:
                return None
            sql = "UPDATE notices SET due = ?, tries = tries + 1 WHERE job_id = ? RETURNING *"
            return OutboxEntry(**dict(change.execute(sql, (self._clock() + LEASE_S, row["job_id"])).fetchone()))

    def remove(self, job_id: str) -> None:
        """Remove an entry, because it was delivered or has no receiver."""
        with self._database.change() as change:
            change.execute("DELETE FROM notices WHERE job_id = ?", (job_id,))

    def retry_later(self, entry: OutboxEntry, trouble: str) -> None:
        """Note why an attempt failed, and schedule the next one, unless it was the last."""
        waits = self._backoff_s[entry.tries - 1 : entry.tries]
        due = self._clock() + waits[0] if waits else None
        with self._database.change() as change:
            sql = "UPDATE notices SET due = ?, trouble = ? WHERE job_id = ?"
            change.execute(sql, (due, trouble, entry.job_id))
        if due is None:
            log.warning(
                "the notification of job %s is given up after %d attempts: %s", entry.job_id, entry.tries, trouble
            )

    def move_to_queue(self, messages: MessageQueues, target: QueueTarget, job_id: str, body: bytes) -> None:
        """Move a notification into its message queue, in one transaction."""
        with self._database.change() as change:
            if change.execute("DELETE FROM notices WHERE job_id = ?", (job_id,)).rowcount:
                messages.put(change, target, job_id, body)
