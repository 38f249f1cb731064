"""The SQLite file below the engine's root: jobs, queues, templates, buckets, outbox, and the index of objects.

Invariant: many threads and processes use it at once. Each `Database` has one connection behind a lock. A
change is one `BEGIN IMMEDIATE` transaction, so processes wait for each other and nobody reads half a change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ci_notebook._database import SharedConnection
from ci_notebook._folders import private_database
from ci_notebook._machine_errors import with_own_errors
from ci_notebook.model.errors import EngineError

# Step n takes a file from version n to n + 1 (PRAGMA user_version). Never change a step; add one.
STEPS: Final = (
    """
    CREATE TABLE buckets (
        name TEXT PRIMARY KEY, region TEXT NOT NULL, created REAL NOT NULL, activated REAL
    ) WITHOUT ROWID;
    CREATE TABLE queues (
        queue_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
        category TEXT NOT NULL, notify BLOB NOT NULL, max_size INTEGER NOT NULL, max_concurrent INTEGER NOT NULL,
        created REAL NOT NULL, updated REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX one_queue_a_kind ON queues (bucket, category);
    CREATE TABLE templates (
        number INTEGER PRIMARY KEY AUTOINCREMENT, template_id TEXT NOT NULL UNIQUE, bucket TEXT NOT NULL,
        tag TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, created REAL NOT NULL, updated REAL NOT NULL,
        UNIQUE (bucket, tag, name)
    );
    CREATE TABLE jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL UNIQUE, bucket TEXT NOT NULL,
        queue_id TEXT NOT NULL, tag TEXT NOT NULL, level INTEGER NOT NULL, input_object TEXT NOT NULL,
        state TEXT NOT NULL, progress INTEGER NOT NULL DEFAULT 0,
        code TEXT NOT NULL DEFAULT 'Success', message TEXT NOT NULL DEFAULT '',
        created REAL NOT NULL, started REAL, ended REAL,
        request BLOB NOT NULL, template_name TEXT, work BLOB NOT NULL, result BLOB,
        owner TEXT, lease REAL
    );
    CREATE INDEX jobs_by_state ON jobs (state, level DESC, number);
    CREATE INDEX jobs_by_bucket ON jobs (bucket, tag, number);
    CREATE INDEX jobs_by_queue ON jobs (queue_id, state);
    CREATE TABLE objects (
        bucket TEXT NOT NULL, key TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
        modified REAL NOT NULL, headers TEXT NOT NULL, PRIMARY KEY (bucket, key)
    ) WITHOUT ROWID;
    CREATE TABLE uploads (
        upload_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, created REAL NOT NULL,
        headers TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE parts (
        upload_id TEXT NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL,
        md5 TEXT NOT NULL, modified REAL NOT NULL, PRIMARY KEY (upload_id, number)
    ) WITHOUT ROWID;
    """,
    # The outbox of notifications (notices), and the engine's own message queues
    """
    CREATE TABLE notices (
        job_id TEXT PRIMARY KEY, due REAL, tries INTEGER NOT NULL DEFAULT 0, trouble TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE INDEX notices_by_due ON notices (due);
    CREATE TABLE messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT, region TEXT NOT NULL, name TEXT NOT NULL, mode TEXT NOT NULL,
        job_id TEXT NOT NULL, body BLOB NOT NULL, sent REAL NOT NULL
    );
    CREATE INDEX messages_by_name ON messages (name, number);
    CREATE TABLE readers (
        region TEXT NOT NULL, name TEXT NOT NULL, reader TEXT NOT NULL, position INTEGER NOT NULL,
        PRIMARY KEY (region, name, reader)
    ) WITHOUT ROWID;
    """,
)

# How long one process waits for another's transaction; each takes milliseconds.
BUSY_S: Final = 30.0

Values = Sequence[Any]


class Database:
    """One connection, shared by threads. Close it when done; the next one to open the file sees all of it."""

    def __init__(self, path: Path) -> None:
        with with_own_errors(path):
            self._shared = SharedConnection(path, _connect, name="The engine's ledger")
            try:
                self._bring_up_to_date(path)
            except BaseException:
                self.close()
                raise

    def _bring_up_to_date(self, path: Path) -> None:
        with self.change() as connection:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > len(STEPS):
                raise EngineError(
                    f"{path} was written by a newer ci_notebook (version {version}; this one reads {len(STEPS)}). "
                    "Update ci_notebook, or choose another root."
                )
            for step in STEPS[version:]:
                for statement in step.split(";"):  # executescript would commit in between
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(STEPS)}")

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Hold the only write transaction: all changes inside are committed, or none."""
        with self._shared.use() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the connection for the calls of this block, which is cheaper than to take it for each of them."""
        with self._shared.use():
            yield

    @contextmanager
    def without_waiting(self, limit_s: float = 0.05) -> Iterator[None]:
        """Keep the connection for the queries of this block. Raises `TimeoutError` if it is in use for `limit_s`."""
        with self._shared.use(limit_s):
            yield

    def rows(self, sql: str, values: Values = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._shared.use() as connection:
            return connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Values = ()) -> sqlite3.Row | None:
        """Return the first row of a query, if any."""
        with self._shared.use() as connection:
            row: sqlite3.Row | None = connection.execute(sql, values).fetchone()
            return row

    def check(self) -> None:
        """Raise `EngineError` when the file was removed or replaced."""
        self._shared.check()

    def close(self) -> None:
        """Close the connection, as soon as no thread uses it. The file stays."""
        self._shared.close()


def _connect(path: Path) -> sqlite3.Connection:
    private_database(path)
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    # With WAL, NORMAL keeps every committed row through a kill -9; only a power cut may take the last few.
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
