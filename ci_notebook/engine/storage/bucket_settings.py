"""Buckets and their settings: activation, queues, templates."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ci_notebook.engine.jobs.ledger import apply_queue_state
from ci_notebook.engine.storage.database import Database
from ci_notebook.model.errors import ServiceError
from ci_notebook.wire.service_errors import service_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket. `activated` is when media processing was switched on, or None; Unix seconds."""

    name: str
    region: str
    created: float
    activated: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A queue. `notify` is its NotifyConfig as XML."""

    queue_id: str
    bucket: str
    name: str
    state: str
    category: str
    notify: bytes
    max_size: int
    max_concurrent: int
    created: float
    updated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRow:
    """A template. `body` is the request that made it, as received."""

    number: int = 0
    template_id: str
    bucket: str
    tag: str
    name: str
    body: bytes
    created: float
    updated: float


class Catalogue:
    """Buckets, queues and templates in SQLite. `new_id` returns 32 hexadecimal digits."""

    def __init__(self, database: Database, *, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._database, self._clock, self._new_id = database, clock, new_id

    # Buckets

    def make_bucket(self, name: str, region: str, *, activated: bool = True) -> None:
        """Create a bucket; an existing one of this name stays as it is."""
        now = self._clock()
        with self._database.change() as change:
            row = (name, region, now, now if activated else None)
            if change.execute("INSERT OR IGNORE INTO buckets VALUES (?, ?, ?, ?)", row).rowcount and activated:
                self._make_queue(change, name, now)

    def bucket(self, name: str) -> Bucket | None:
        """Return a bucket, or None."""
        row = self._database.row("SELECT * FROM buckets WHERE name = ?", (name,))
        return Bucket(**dict(row)) if row else None

    def buckets(self) -> list[Bucket]:
        """Return all buckets, by name."""
        return [Bucket(**dict(row)) for row in self._database.rows("SELECT * FROM buckets ORDER BY name")]

    def activated_buckets(self, region: str) -> list[Bucket]:
        """Return the buckets of a region whose media processing is on, by name."""
        sql = "SELECT * FROM buckets WHERE region = ? AND activated IS NOT NULL ORDER BY name"
        return [Bucket(**dict(row)) for row in self._database.rows(sql, (region,))]

    def activate(self, name: str) -> Bucket:
        """Switch media processing on; the first time creates the bucket's queue."""
        now = self._clock()
        with self._database.change() as change:
            sql = "UPDATE buckets SET activated = ? WHERE name = ? AND activated IS NULL RETURNING *"
            row = change.execute(sql, (now, name)).fetchone()
            if row is None:
                raise service_error("MediaBucketAlreadyBinded", f"Media processing is already on for bucket {name}.")
            self._make_queue(change, name, now)
            return Bucket(**dict(row))

    def deactivate(self, name: str) -> None:
        """Switch media processing off. Accepted jobs still run; queue and templates stay."""
        with self._database.change() as change:
            change.execute("UPDATE buckets SET activated = NULL WHERE name = ?", (name,))

    # Queues

    def _make_queue(self, change: sqlite3.Connection, bucket: str, now: float) -> None:
        queue = QueueRow(
            queue_id=f"p{self._new_id()}", bucket=bucket, name="queue-1", state="Active", category="Transcoding",
            notify=b"<NotifyConfig><State>Off</State></NotifyConfig>", max_size=10000, max_concurrent=10,
            created=now, updated=now,
        )  # fmt: skip
        values = [getattr(queue, name) for name in QueueRow.__dataclass_fields__]
        change.execute(f"INSERT OR IGNORE INTO queues VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608

    def queues(self, bucket: str) -> list[QueueRow]:
        """Return the queues of a bucket, oldest first."""
        rows = self._database.rows("SELECT * FROM queues WHERE bucket = ? ORDER BY created, queue_id", (bucket,))
        return [QueueRow(**dict(row)) for row in rows]

    def update_queue(self, bucket: str, queue_id: str, *, name: str, state: str, notify: bytes) -> QueueRow:
        """Change a queue; its waiting jobs move to Pause or back from it.

        Raises `ServiceError` (QueueNotFound).
        """
        with self._database.change() as change:
            row = change.execute(
                "UPDATE queues SET name = ?, state = ?, notify = ?, updated = ? WHERE bucket = ? AND queue_id = ?"
                " RETURNING *",
                (name, state, notify, self._clock(), bucket, queue_id),
            ).fetchone()
            if row is None:
                raise service_error("QueueNotFound", f"Bucket {bucket} has no queue {queue_id}.")
            apply_queue_state(change, queue_id)
            return QueueRow(**dict(row))

    # Templates. Whether names are unique per bucket, tag or account is not documented. Here they are unique
    # per bucket and tag, so that a setting and its watermark may share a name.

    def add_template(self, bucket: str, tag: str, name: str, body: bytes) -> TemplateRow:
        """Store a new template. Raises `ServiceError` (TemplateNameDuplicate)."""
        now = self._clock()
        with self._database.change() as change, _one_name(bucket, tag, name):
            row = change.execute(
                "INSERT INTO templates (template_id, bucket, tag, name, body, created, updated)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (f"t1{self._new_id()}", bucket, tag, name, body, now, now),
            ).fetchone()
            return TemplateRow(**dict(row))

    def replace_template(self, bucket: str, template_id: str, tag: str, name: str, body: bytes) -> TemplateRow:
        """Replace a template. Raises `ServiceError` (TemplateNotFound, TemplateNameDuplicate, InvalidArgument)."""
        with self._database.change() as change, _one_name(bucket, tag, name):
            known = change.execute(
                "SELECT tag FROM templates WHERE bucket = ? AND template_id = ?", (bucket, template_id)
            ).fetchone()
            if known is None:
                raise template_not_found(bucket, template_id)
            if known["tag"] != tag:  # whether a template may change its kind is not documented
                raise service_error("InvalidArgument", f"Tag must be {known['tag']}, as at creation (got {tag}).")
            row = change.execute(
                "UPDATE templates SET name = ?, body = ?, updated = ? WHERE template_id = ? RETURNING *",
                (name, body, self._clock(), template_id),
            ).fetchone()
            return TemplateRow(**dict(row))

    def delete_template(self, bucket: str, template_id: str) -> None:
        """Delete a template. Raises `ServiceError` (TemplateNotFound)."""
        with self._database.change() as change:
            sql = "DELETE FROM templates WHERE bucket = ? AND template_id = ?"
            if not change.execute(sql, (bucket, template_id)).rowcount:
                raise template_not_found(bucket, template_id)

    def templates(self, bucket: str, *, ids: Sequence[str] = (), tag: str = "", prefix: str = "") -> list[TemplateRow]:
        """Return the templates of a bucket, newest first, or those with `ids` in their order."""
        rows = self._database.rows("SELECT * FROM templates WHERE bucket = ? ORDER BY number DESC", (bucket,))
        templates = [TemplateRow(**dict(row)) for row in rows]
        if ids:
            by_id = {one.template_id: one for one in templates}
            templates = [by_id[one] for one in dict.fromkeys(ids) if one in by_id]
        return [one for one in templates if one.tag in (tag or one.tag,) and one.name.startswith(prefix)]


def template_not_found(bucket: str, template_id: str, kind: str = "") -> ServiceError:
    """Return the error for an id that no template (of this kind) has."""
    what = f"{kind} template" if kind else "template"
    return service_error("TemplateNotFound", f"Bucket {bucket} has no {what} {template_id}.")


@contextmanager
def _one_name(bucket: str, tag: str, name: str) -> Iterator[None]:
    """Turn SQLite's error for a duplicate name into the service's."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        text = f"Bucket {bucket} already has a {tag} template named {name}."
        raise service_error("TemplateNameDuplicate", text) from error
