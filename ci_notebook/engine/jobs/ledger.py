"""The ledger: the table of jobs, their states and leases.

Invariant: a state changes only along `model.jobs.FOLLOWS`, in one statement that names the states it may
come from. So when two workers want a job, one gets it. Reading changes no state. An accepted job is a
committed row; the outbox entry of its notification is committed together with its end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ci_notebook.engine.jobs.outcome import JobOutcome
from ci_notebook.engine.storage.database import Database
from ci_notebook.model.api.jobs import FOLLOWS
from ci_notebook.wire.service_errors import service_error

# State → the states from which it can be reached.
BEFORE: Final = {to: tuple(state for state, following in FOLLOWS.items() if to in following) for to in FOLLOWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One row; times are Unix seconds.

    `request` is the body as received, `work` the Operation with its templates expanded, `result` an
    Operation with MediaInfo and MediaResult. `owner` is the engine that runs the job, `lease` the time at
    which its right to the job expires.
    """

    number: int = 0
    job_id: str
    bucket: str
    queue_id: str
    tag: str
    level: int = 0
    input_object: str
    state: str = "Submitted"
    progress: int = 0
    code: str = "Success"
    message: str = ""
    created: float
    started: float | None = None
    ended: float | None = None
    request: bytes
    template_name: str | None = None
    work: bytes
    result: bytes | None = None
    owner: str | None = None
    lease: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs `page` returns. `after` and `before` are creation times in whole Unix seconds, inclusive.

    `cursor` is the number that the previous page ended with.
    """

    bucket: str
    tag: str
    states: tuple[str, ...] = ()
    queue_id: str = ""
    input_object: str = ""
    after: float | None = None
    before: float | None = None
    oldest_first: bool = False
    cursor: int | None = None
    size: int = 10


class Ledger:
    """Jobs in SQLite. `clock` gives Unix seconds."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def add(self, job: JobRow) -> JobRow:
        """Add a new job and return it. In a paused queue it waits in state Pause.

        A job with an empty `queue_id` joins the oldest queue of its bucket. Raises `ServiceError` (QueueNotFound,
        QueueSaturated).
        """
        with self._database.change() as change:
            one = "queue_id = ?" if job.queue_id else "bucket = ? ORDER BY created, queue_id LIMIT 1"
            sql = f"SELECT * FROM queues WHERE {one}"  # noqa: S608  one of the two above
            queue = change.execute(sql, (job.queue_id or job.bucket,)).fetchone()
            if queue is None or queue["bucket"] != job.bucket:
                raise service_error("QueueNotFound", f"Bucket {job.bucket} has no queue {job.queue_id}.")
            if _is_full(change, queue):
                raise service_error("QueueSaturated", f"Queue {job.queue_id} already holds {queue['max_size']} jobs.")
            facts: dict[str, Any] = {name: getattr(job, name) for name in _COLUMNS}
            facts["queue_id"], facts["state"] = queue["queue_id"], _STATES_BY_QUEUE.get(queue["state"], "Submitted")
            number = change.execute(_INSERT, list(facts.values())).lastrowid
        return JobRow(number=number or 0, **facts)

    def get(self, bucket: str, ids: Sequence[str]) -> list[JobRow]:
        """Return the jobs of a bucket that have one of these ids, in the order of the ids."""
        placeholders = ", ".join("?" * len(ids))
        # The plus keeps SQLite from the index by bucket, which would read every job of the bucket.
        rows = self._database.rows(
            f"SELECT * FROM jobs WHERE +bucket = ? AND job_id IN ({placeholders})",  # noqa: S608  question marks
            (bucket, *ids),
        )
        by_id = {row["job_id"]: _job_row(row) for row in rows}
        return [by_id[one] for one in dict.fromkeys(ids) if one in by_id]

    def find(self, job_id: str) -> JobRow | None:
        """Return a job from any bucket, or None."""
        row = self._database.row("SELECT * FROM jobs WHERE job_id = ?", (job_id,))
        return _job_row(row) if row else None

    def page(self, query: JobQuery) -> tuple[list[JobRow], int | None]:
        """Return a page of jobs, and the cursor of the next page; None on the last page."""
        order, cursor = ("ASC", ">") if query.oldest_first else ("DESC", "<")
        conditions: list[tuple[str, Sequence[Any]]] = [("bucket = ? AND tag = ?", (query.bucket, query.tag))]
        if query.states:
            conditions.append((f"state IN ({', '.join('?' * len(query.states))})", query.states))
        for condition, value in (
            ("queue_id = ?", query.queue_id or None),
            ("input_object = ?", query.input_object or None),
            ("CAST(created AS INTEGER) >= ?", query.after),
            ("CAST(created AS INTEGER) <= ?", query.before),
            (f"number {cursor} ?", query.cursor),
        ):
            if value is not None:
                conditions.append((condition, (value,)))
        where = " AND ".join(condition for condition, _ in conditions)
        rows = self._database.rows(
            f"SELECT * FROM jobs WHERE {where} ORDER BY number {order} LIMIT ?",  # noqa: S608  the conditions above
            [*(value for _, parameters in conditions for value in parameters), query.size + 1],
        )
        jobs = [_job_row(row) for row in rows[: query.size]]
        return jobs, jobs[-1].number if len(rows) > query.size else None

    def cancel(self, bucket: str, job_id: str) -> None:
        """Cancel a job that has not started.

        Raises `ServiceError`: ResourceNotFound for an unknown job, InvalidArgument for one that
        runs or has ended (both not documented).
        """
        with self._database.change() as change:
            if _move(change, "Cancel", "job_id = ? AND bucket = ?", (job_id, bucket), ended=self._clock()):
                return
            row = change.execute("SELECT state FROM jobs WHERE job_id = ? AND bucket = ?", (job_id, bucket)).fetchone()
        if row is None:
            raise service_error("ResourceNotFound", f"Bucket {bucket} has no job {job_id}.")
        may = " or ".join(BEFORE["Cancel"])
        raise service_error("InvalidArgument", f"Job {job_id} is {row['state']}; only a job in {may} can be cancelled.")

    def claim(self, owner: str, *, lease_s: float, waited_s: float = 0.0) -> JobRow | None:
        """Lease the next job to `owner`: highest level first, then oldest; None when no job waits.

        A job that was accepted less than `waited_s` ago keeps waiting.
        """
        now = self._clock()
        next_one = """job_id = (
            SELECT job_id FROM jobs JOIN queues USING (queue_id)
            WHERE jobs.state = 'Submitted' AND jobs.created <= ? AND queues.state = 'Active'
                AND queues.max_concurrent > (
                SELECT count(*) FROM jobs AS others WHERE others.queue_id = jobs.queue_id AND others.state = 'Running')
            ORDER BY level DESC, number LIMIT 1)"""
        # Read without a transaction first: an idle engine asks twice a second and must not write.
        if self._database.row("SELECT 1 FROM jobs WHERE state = 'Submitted' LIMIT 1") is None:
            return None
        with self._database.change() as change:
            before = now - waited_s if waited_s else float("inf")  # a clock that was set back delays no job
            claimed = _move(change, "Running", next_one, (before,), owner=owner, lease=now + lease_s, started=now)
            return claimed[0] if claimed else None

    def note_progress(self, job_id: str, owner: str, percent: int) -> None:
        """Store the progress of a running job; it never goes back."""
        with self._database.change() as change:
            change.execute(
                "UPDATE jobs SET progress = max(progress, ?) WHERE job_id = ? AND owner = ? AND state = 'Running'",
                (min(99, percent), job_id, owner),
            )

    def renew(self, owner: str, *, lease_s: float, job_id: str = "") -> bool:
        """Renew the leases of `owner` and return whether it still has any (or the one of that job)."""
        with self._database.change() as change:
            sql = "UPDATE jobs SET lease = ? WHERE owner = ? AND state = 'Running' AND (? = '' OR job_id = ?)"
            return change.execute(sql, (self._clock() + lease_s, owner, job_id, job_id)).rowcount > 0

    def running(self, owner: str) -> set[str]:
        """Return the ids of the jobs that `owner` still runs."""
        sql = "SELECT job_id FROM jobs WHERE owner = ? AND state = 'Running'"
        return {row["job_id"] for row in self._database.rows(sql, (owner,))}

    def end(self, change: sqlite3.Connection, job_id: str, owner: str, outcome: JobOutcome) -> bool:
        """End a job, or requeue it, within a transaction that may change more.

        Return False, and change nothing, when `owner` lost its lease.
        """
        mine = ("job_id = ? AND owner = ?", (job_id, owner))
        if outcome.state == "Submitted":
            return bool(_requeue(change, *mine))
        now = self._clock()
        facts: dict[str, Any] = {"code": outcome.code, "message": outcome.message, "ended": now}
        if outcome.state == "Success":
            facts |= {"result": outcome.result, "progress": 100}
        is_over = bool(_move(change, outcome.state, *mine, **facts, owner=None, lease=None))
        if is_over:
            change.execute("INSERT OR IGNORE INTO notices (job_id, due) VALUES (?, ?)", (job_id, now))
        return is_over

    def release(self, owner: str, job_id: str = "") -> int:
        """Requeue the running jobs of an owner, or one of them; return how many."""
        with self._database.change() as change:
            where = "owner = ? AND state = 'Running' AND (? = '' OR job_id = ?)"
            return len(_requeue(change, where, (owner, job_id, job_id)))

    def release_dead(self, is_dead: Callable[[str], bool], *, but: str) -> list[str]:
        """Requeue the jobs whose owner is dead or let its lease expire; return those owners.

        `but` is the caller, which is alive.
        """
        now = self._clock()
        running = "SELECT owner, min(lease) AS lease FROM jobs WHERE state = 'Running' AND owner <> ? GROUP BY owner"
        gone = [
            row["owner"] for row in self._database.rows(running, (but,)) if row["lease"] < now or is_dead(row["owner"])
        ]
        for owner in gone:
            self.release(owner)
        return gone


_COLUMNS: Final = tuple(name for name in JobRow.__dataclass_fields__ if name != "number")
_STATES_BY_QUEUE: Final = {"Paused": "Pause"}  # of a job that waits; in any other queue it is Submitted
_INSERT: Final = f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608


def _is_full(change: sqlite3.Connection, queue: sqlite3.Row) -> bool:
    """Return whether a queue takes no more jobs. They are counted only where there have been so many."""
    latest = change.execute("SELECT max(number) FROM jobs").fetchone()[0] or 0
    if latest < queue["max_size"]:
        return False
    waiting = "SELECT count(*) FROM jobs WHERE queue_id = ? AND state IN ('Submitted', 'Pause')"
    return int(change.execute(waiting, (queue["queue_id"],)).fetchone()[0]) >= int(queue["max_size"])


def _move(change: sqlite3.Connection, to: str, where: str, values: Iterable[Any], **facts: Any) -> list[JobRow]:
    """Move the jobs that match `where` to a state, where the table of states allows it; return the new rows."""
    sets = ", ".join(["state = ?", *(f"{name} = ?" for name in facts)])
    placeholders = ", ".join("?" * len(BEFORE[to]))
    rows = change.execute(
        f"UPDATE jobs SET {sets} WHERE state IN ({placeholders}) AND {where} RETURNING *",  # noqa: S608  only our names
        [to, *facts.values(), *BEFORE[to], *values],
    ).fetchall()
    return [_job_row(row) for row in rows]


def _requeue(change: sqlite3.Connection, where: str, values: Iterable[Any]) -> list[JobRow]:
    """Put jobs back into their queues, as if they had never started."""
    jobs = _move(change, "Submitted", where, values, owner=None, lease=None, started=None, progress=0)
    for queue_id in {job.queue_id for job in jobs}:
        apply_queue_state(change, queue_id)
    return jobs


def apply_queue_state(change: sqlite3.Connection, queue_id: str) -> None:
    """Move the waiting jobs of a queue to the state that it requires: Pause in a paused queue, else Submitted."""
    row = change.execute("SELECT state FROM queues WHERE queue_id = ?", (queue_id,)).fetchone()
    if row["state"] == "Paused":
        _move(change, "Pause", "queue_id = ?", (queue_id,))
    else:
        _move(change, "Submitted", "queue_id = ? AND state = 'Pause'", (queue_id,))


def _job_row(row: sqlite3.Row) -> JobRow:
    return JobRow(**dict(row))
