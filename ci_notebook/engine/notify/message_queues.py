"""The engine's own message queues, for notifications of type TDMQ: rows that wait until they are read.

In mode Queue a message goes to one reader and is removed. In mode Topic each reader has its own position,
which starts at the oldest message. A message is removed after a week.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ci_notebook.engine.notify.notification import QueueTarget
from ci_notebook.engine.storage.database import Database

RETENTION_S: Final = 7 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: `body` equals the body of a callback, `sent` is in Unix seconds."""

    number: int
    region: str
    name: str
    mode: str
    job_id: str
    body: bytes = field(repr=False)
    sent: float = field(repr=False)


class MessageQueues:
    """Message queues in SQLite. `clock` gives Unix seconds."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def put(self, change: sqlite3.Connection, topic: QueueTarget, job_id: str, body: bytes) -> None:
        """Add a message, within the sender's transaction."""
        now = self._clock()
        change.execute("DELETE FROM messages WHERE sent < ?", (now - RETENTION_S,))
        change.execute(
            "INSERT INTO messages (region, name, mode, job_id, body, sent) VALUES (?, ?, ?, ?, ?, ?)",
            (topic.region, topic.name, topic.mode, job_id, body, now),
        )

    def take(
        self, name: str, *, region: str = "", reader: str = "notebook", at_most: int = 100, keep: bool = False
    ) -> list[Message]:
        """Return the messages that `reader` has not read, oldest first. With `keep` they stay unread.

        Without a region, messages of all regions are returned.
        """
        with self._database.change() as change:
            rows = change.execute(
                "SELECT * FROM messages WHERE name = ? AND ? IN ('', region) AND (mode = 'Queue' OR number > coalesce("
                "(SELECT position FROM readers WHERE readers.name = messages.name"
                " AND readers.region = messages.region AND reader = ?), 0)) ORDER BY number LIMIT ?",
                (name, region, reader, at_most),
            ).fetchall()
            messages = [Message(**dict(row)) for row in rows]
            for message in () if keep else messages:
                _mark_read(change, message, reader)
        return messages


def _mark_read(change: sqlite3.Connection, message: Message, reader: str) -> None:
    if message.mode == "Queue":
        change.execute("DELETE FROM messages WHERE number = ?", (message.number,))
    else:
        place = (message.region, message.name, reader, message.number)
        change.execute("INSERT OR REPLACE INTO readers (region, name, reader, position) VALUES (?, ?, ?, ?)", place)
