"""The journal: every run that was requested, in one SQLite file, for the engine and the cloud.

Invariant: a run is written before anything is sent. If the process is killed, the next call finds the
run, searches the service for its mark (its `UserData`), and sends only requests that the service never
received. No key, token or signature is ever written here.

The phases of a run:

    sending    written; the request may have been sent or not
    sent       the service answered with a job
    over       the job is over, and its output was processed
    refused    the service refused it, or it was never sent: nothing was paid
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import platform
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

from ci_notebook._database import SharedConnection
from ci_notebook._folders import absolute, private_database
from ci_notebook._machine_errors import with_own_errors
from ci_notebook.experiment.lease import Lease
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.voting.vote import Vote
from ci_notebook.model.api.jobs import JobsDetail, Request
from ci_notebook.model.api.requests import repeat_request
from ci_notebook.model.declaration.node import Node, parts
from ci_notebook.model.errors import CIError
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.wire.notifications import read_notification
from ci_notebook.wire.received import job_text
from ci_notebook.wire.xml import dumps, loads

N = TypeVar("N", bound=Node)
Phase = Literal["sending", "sent", "over", "refused"]

VERSION: Final = 5
_BUSY_S: Final = 30.0
# Columns of version 2. `owner` is the lease of the sending process, `setting_sha256` identifies equal
# settings, `score_against` and `reference_md5` say what the output was compared with.
_NEW: Final = (
    "pictures TEXT", "owner TEXT NOT NULL DEFAULT ''", "setting_sha256 TEXT NOT NULL DEFAULT ''",
    "score_against TEXT NOT NULL DEFAULT ''", "reference_md5 TEXT NOT NULL DEFAULT ''",
    "template_id TEXT NOT NULL DEFAULT ''",
)  # fmt: skip
_TABLE: Final = f"""
CREATE TABLE runs (
    key TEXT NOT NULL, attempt INTEGER NOT NULL, mark TEXT NOT NULL UNIQUE, phase TEXT NOT NULL,
    service TEXT NOT NULL, clip TEXT NOT NULL, clip_key TEXT NOT NULL, clip_md5 TEXT NOT NULL, setting TEXT NOT NULL,
    request TEXT NOT NULL, reply TEXT, job_id TEXT, state TEXT,
    scores TEXT, cost_cny REAL, output TEXT, error TEXT NOT NULL DEFAULT '', versions TEXT NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL,
    {", ".join(_NEW)},
    PRIMARY KEY (key, attempt)
) STRICT
"""
# Table of version 3: the answers of blind comparisons.
_VOTES: Final = """
CREATE TABLE votes (
    ballot TEXT NOT NULL, voter TEXT NOT NULL, number INTEGER NOT NULL, left TEXT NOT NULL, right TEXT NOT NULL,
    share REAL NOT NULL, answer TEXT NOT NULL, took_s REAL NOT NULL, repeats INTEGER, created_at REAL NOT NULL,
    PRIMARY KEY (ballot, voter, number)
) STRICT
"""
# Version 4 added how each output was aligned before scoring, as JSON.
_ALIGNMENT: Final = "ALTER TABLE runs ADD COLUMN alignment TEXT"
# Version 5 added the screen and the model of VMAF v1, and why scores are missing, as JSON.
_SCORED_WITH: Final = "ALTER TABLE runs ADD COLUMN scored_with TEXT"
_SCORED_WITH_FIELDS: Final = ("screen", "vmaf_v1_model", "score_note")
_NEW_FILE: Final = (_TABLE, _VOTES, _ALIGNMENT, _SCORED_WITH)
# Migrations: version → statements that upgrade a file to the next version.
_MIGRATIONS: Final = {
    1: tuple(f"ALTER TABLE runs ADD COLUMN {column}" for column in _NEW), 2: (_VOTES,), 3: (_ALIGNMENT,),
    4: (_SCORED_WITH,),
}  # fmt: skip
_LATEST: Final = "SELECT * FROM runs AS r WHERE attempt = (SELECT max(attempt) FROM runs WHERE key = r.key)"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the journal: a run, its phase, and the mark (`UserData`) of its request."""

    run: Run
    phase: Phase
    mark: str
    created_at: float
    owner: str = ""
    service: str = ""


class Journal:
    """Every run, in a file that only its owner can read. Safe to use from several threads.

    `clock` returns Unix seconds. Raises `CIError` for a file of a later version or of another program, for a
    damaged one, and for a disk that is full or cannot be written.
    """

    def __init__(self, path: Path | str, *, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock = absolute(path), clock
        with with_own_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._shared = SharedConnection(self.path, _connect, name="The journal")
            try:
                self._bring_up_to_date()
            except BaseException:
                self.close()
                raise

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection. SQLite's errors leave as ours, with the name of the file."""
        with with_own_errors(self.path), self._shared.use() as db:
            yield db

    def _bring_up_to_date(self) -> None:
        with self._change() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise CIError(
                    f"{self.path} was written by a later version of ci_notebook: its version is {version}, "
                    f"and this one reads up to {VERSION}. "
                    "Upgrade ci_notebook, or use another journal."
                )
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and not (version and "runs" in tables):
                raise CIError(f"{self.path} is no journal but a database of another program. Use another file.")
            missing = [s for v in range(version, VERSION) for s in _MIGRATIONS[v]] if version else _NEW_FILE
            for statement in missing:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")

    def lease(self) -> Lease:
        """Return a lease for sending runs; it ends with this process. Close it when done."""
        return Lease(self.path.with_name(self.path.name + ".leases"))

    def begin(self, run: Run, request: Request, *, service: str, mark: str, owner: str = "") -> bool:
        """Write that `owner` is about to send a run. False when this attempt exists already."""
        values = self._values(run, request, service=service, mark=mark) | {"phase": "sending", "owner": owner}
        with self._change() as db:
            if db.execute("SELECT 1 FROM runs WHERE key = ? AND attempt = ?", (run.key, run.attempt)).fetchone():
                return False
            _insert_row(db, values)
        return True

    def adopt(self, runs: Iterable[Run], *, service: str) -> list[Entry]:
        """Write runs whose jobs somebody else sent, all at once, and return their entries in the same order.

        A job that is recorded already stays as it is. A job never hides a better one of the same run: a success
        comes after a failure. So an older attempt may get the number 0 or a negative one.
        """
        with self._change() as db:
            return [self._entry_of_job(run.job) or self._insert(db, run, service) for run in runs if run.job]

    def find(self, job: JobsDetail) -> Entry | None:
        """Return the run of a job: by its id, or by the mark that our request left in its `UserData`."""
        with self._using():
            return self._entry_of_job(job)

    def claim(self, entry: Entry, owner: str) -> bool:
        """Take over a run whose sender is dead. False when another process did, or it has been sent since."""
        with self._using() as db:
            cursor = db.execute(
                "UPDATE runs SET owner = ? WHERE key = ? AND attempt = ? AND phase = 'sending' AND owner = ?",
                (owner, entry.run.key, entry.run.attempt, entry.owner),
            )
        return cursor.rowcount == 1

    def record_reply(self, run: Run) -> None:
        """Write the last reply of the service about the run's job."""
        job = run.job or JobsDetail()
        self._set(run, phase="sent", reply=job_text(job), job_id=job.job_id, state=job.state, error=run.error)

    def record_refusal(self, run: Run) -> None:
        """Write that no job was created for the run, and why (`run.error`)."""
        self._set(run, phase="refused", error=run.error)

    def record_result(self, run: Run) -> None:
        """Write the result of a run whose job is over: output, scores, cost, or an error."""
        scores = json.dumps(dict(run.scores)) if run.scores else None
        output = str(run.output) if run.output else None
        pictures = (
            json.dumps({"every": run.every, "precise": run.precise, "pictures": dict(run.pictures)})
            if run.pictures
            else None
        )
        scored_with = {name: getattr(run, name) for name in _SCORED_WITH_FIELDS if getattr(run, name)}
        self._set(
            run, phase="over", scores=scores, pictures=pictures, score_against=run.score_against,
            alignment=json.dumps(run.alignment.as_dict()) if run.alignment else None,
            scored_with=json.dumps(scored_with) if scored_with else None,
            reference_md5=run.reference_md5, cost_cny=run.cost_cny, output=output, error=run.error,
        )  # fmt: skip

    def latest(self, key: str) -> Entry | None:
        """Return the last attempt at a run; None when there is none."""
        entries = list(self._read(f"{_LATEST} AND key = ?", key))
        return entries[0] if entries else None

    def entries(self) -> Iterator[Entry]:
        """Yield the last attempt at every run, oldest first."""
        yield from self._read(f"{_LATEST} ORDER BY created_at, rowid")

    def runs(self) -> list[Run]:
        """Return every run, oldest first, in its last attempt."""
        return [entry.run for entry in self.entries()]

    def add_vote(self, vote: Vote) -> None:
        """Write an answer."""
        values = {**dataclasses.asdict(vote), "created_at": self._clock()}
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self._write(f"INSERT OR REPLACE INTO votes ({names}) VALUES ({marks})", *values.values())  # noqa: S608 - fixed column names

    def drop_vote(self, vote: Vote) -> None:
        """Delete an answer that was taken back."""
        key = (vote.ballot, vote.voter, vote.number)
        self._write("DELETE FROM votes WHERE ballot = ? AND voter = ? AND number = ?", *key)

    def votes(self, ballot: str = "") -> list[Vote]:
        """Return the answers to one ballot, or to all, oldest first."""
        with self._using() as db:
            names = ", ".join(field.name for field in dataclasses.fields(Vote))
            sql = f"SELECT {names} FROM votes WHERE ? IN ('', ballot) ORDER BY created_at, number"  # noqa: S608 - as above
            return [Vote(**dict(row)) for row in db.execute(sql, (ballot,))]

    def close(self) -> None:
        """Close the file, as soon as no thread uses it. The journal cannot be used any more."""
        self._shared.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        with self._using() as db:
            (count,) = db.execute("SELECT count(DISTINCT key) FROM runs").fetchone()
        return f"<Journal of {count} run{'' if count == 1 else 's'}>"

    def _entry_of_job(self, job: JobsDetail) -> Entry | None:
        mark = (job.operation.user_data or "") if job.operation else ""
        sql = "SELECT * FROM runs WHERE job_id = ? OR (mark = ? AND job_id IS NULL) ORDER BY job_id IS NULL, rowid DESC"
        return next(self._read(sql, job.job_id, mark), None)

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Hold the only write transaction: all changes inside are committed, or none."""
        with self._using() as db, db:
            db.execute("BEGIN IMMEDIATE")
            yield db

    def _insert(self, db: sqlite3.Connection, run: Run, service: str) -> Entry:
        job = run.job or JobsDetail()
        before = db.execute(
            "SELECT attempt, phase, state FROM runs WHERE key = ? ORDER BY attempt", (run.key,)
        ).fetchall()
        attempt = 1
        if before:
            last = before[-1]
            is_better = _rank("sent", job.state) > _rank(last["phase"], last["state"])
            attempt = last["attempt"] + 1 if is_better else before[0]["attempt"] - 1
        run = replace(run, attempt=attempt)
        request = repeat_request(job, user_data=(job.operation.user_data or "") if job.operation else "")
        values = self._values(run, request, service=service, mark=f"adopted {job.job_id} {run.key}") | {
            "phase": "over" if job.is_over and job.state != "Success" else "sent", "reply": job_text(job),
            "job_id": job.job_id, "state": job.state,
        }  # fmt: skip
        _insert_row(db, values)
        return Entry(run, values["phase"], values["mark"], values["created_at"], "", service)

    def _values(self, run: Run, request: Request, *, service: str, mark: str) -> dict[str, Any]:
        now, setting = self._clock(), _text(run.setting)
        return {
            "key": run.key, "attempt": run.attempt, "mark": mark, "service": service,
            "clip": run.clip, "clip_key": run.clip_key, "clip_md5": run.clip_md5, "setting": setting,
            "setting_sha256": hashlib.sha256(_text(normalized(run.setting)).encode()).hexdigest(),
            "template_id": run.template_id, "request": _text(request), "versions": json.dumps(_versions()),
            "created_at": now, "updated_at": now,
        }  # fmt: skip

    def _set(self, run: Run, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        self._write(
            f"UPDATE runs SET {columns}, updated_at = ? WHERE key = ? AND attempt = ?",  # noqa: S608 - fixed column names
            *values.values(), self._clock(), run.key, run.attempt,
        )  # fmt: skip

    def _write(self, sql: str, *values: Any) -> None:
        with self._using() as db:
            db.execute(sql, values)

    def _read(self, sql: str, *values: Any) -> Iterator[Entry]:
        with self._using() as db:
            rows = db.execute(sql, values).fetchall()
        return map(self._checked, rows)

    def _checked(self, row: sqlite3.Row) -> Entry:
        try:
            return _entry(row)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise CIError(
                f"The journal {str(self.path)!r} is damaged: the run {row['key']!r} cannot be read. "
                "Restore the file from a copy, or move it away to start a new one."
            ) from error


def _connect(path: Path) -> sqlite3.Connection:
    private_database(path)
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    _write_ahead(db)
    db.execute("PRAGMA synchronous = FULL")  # paid runs must survive a power failure
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    """Switch the file to WAL, with retries: SQLite's timeout does not apply while another process opens it."""
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _insert_row(db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    db.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608 - fixed column names


def key_of(clip: str, setting: VideoEnhance, service: str) -> str:
    """Return the key of a run: equal for equal clip content, equal settings, and the same service."""
    digest = hashlib.sha256()
    for text in (clip, _text(normalized(setting)), service):
        digest.update(len(text).to_bytes(8, "big") + text.encode())
    return digest.hexdigest()[:40]


def normalized(node: N) -> N:
    """Return an equal node without the spelling of its source XML (`25.000000`)."""
    changed: dict[str, Any] = {}
    for part in parts(type(node)):
        value = getattr(node, part.name)
        if isinstance(value, Node):
            changed[part.name] = normalized(value)
        elif isinstance(value, tuple):
            changed[part.name] = tuple(normalized(one) if isinstance(one, Node) else one for one in value)
    return replace(node, **changed)  # type: ignore[type-var]


def _rank(phase: str, state: str | None) -> int:
    """Return how much an attempt is worth to the caller of a sweep: a result, a failure, or nothing."""
    if phase == "sending" or (phase in ("sent", "over") and state not in ("Failed", "Cancel", None)):
        return 2
    return 1 if state == "Failed" else 0


def _entry(row: sqlite3.Row) -> Entry:
    scores: Mapping[str, float] = json.loads(row["scores"] or "{}")
    output = Path(row["output"]) if row["output"] else None
    series = json.loads(row["pictures"] or '{"every": 0, "pictures": {}}')
    alignment = Alignment.of(json.loads(row["alignment"])) if row["alignment"] else None
    scored_with: Mapping[str, str] = json.loads(row["scored_with"] or "{}")
    run = Run(
        key=row["key"], attempt=row["attempt"], clip=row["clip"], clip_key=row["clip_key"], clip_md5=row["clip_md5"],
        setting=loads(VideoEnhance, row["setting"].encode()),
        job=read_notification(row["reply"].encode())[0] if row["reply"] else None,
        scores=scores, pictures={name: tuple(one) for name, one in series["pictures"].items()}, every=series["every"],
        precise=series.get("precise", False),
        score_against=row["score_against"], reference_md5=row["reference_md5"], template_id=row["template_id"],
        alignment=alignment,
        **{name: str(scored_with[name]) for name in _SCORED_WITH_FIELDS if name in scored_with},
        cost_cny=row["cost_cny"], error=row["error"],
        output=output if output and output.exists() else None,
    )  # fmt: skip
    return Entry(run, row["phase"], row["mark"], row["created_at"], row["owner"], row["service"])


def _text(node: Node) -> str:
    # Without the XML declaration: its encoding would be wrong for text in a database.
    return dumps(node).decode().partition("?>")[2].lstrip()


def _versions() -> dict[str, str]:
    return {"ci_notebook": _version("ci-notebook"), "python": platform.python_version()}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
