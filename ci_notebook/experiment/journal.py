"""The record of what we asked for and paid for: one SQLite file, the same for the engine and the cloud.

The rule of this file: a run is written before anything is sent. Whatever is killed in between, the
next call finds the run, asks the service for its mark (the `UserData` it was sent with), and only
sends again what the service never got. No key, token or signature is ever written here.

A run goes through the phases

    sending    written; the request may have gone out or not
    sent       the service answered with a job
    over       the job is over, and what follows it is done
    refused    the service said no, or it was never sent: nothing was paid
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

from ci_notebook.experiment.lease import Lease
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.voting.vote import Vote
from ci_notebook.model.api.jobs import JobsDetail, Request
from ci_notebook.model.declaration.node import Node, parts
from ci_notebook.model.errors import CIError
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.wire.xml import dumps, loads

N = TypeVar("N", bound=Node)
Phase = Literal["sending", "sent", "over", "refused"]

VERSION: Final = 4
_BUSY_S: Final = 30.0
# What version 2 added: `owner` is the lease of the process that is sending, `setting_sha256` tells equal
# settings of different clips, `score_against` and `reference_md5` say what the scores are scores of.
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
# What version 3 added: what people said who compared runs blindly.
_VOTES: Final = """
CREATE TABLE votes (
    ballot TEXT NOT NULL, voter TEXT NOT NULL, number INTEGER NOT NULL, left TEXT NOT NULL, right TEXT NOT NULL,
    share REAL NOT NULL, answer TEXT NOT NULL, took_s REAL NOT NULL, repeats INTEGER, created_at REAL NOT NULL,
    PRIMARY KEY (ballot, voter, number)
) STRICT
"""
# Version 4 added how each output was aligned before scoring, as JSON.
_ALIGNMENT: Final = "ALTER TABLE runs ADD COLUMN alignment TEXT"
# What a file of an earlier version lacks: version → how to bring it to the next one.
_STEPS: Final = {1: tuple(f"ALTER TABLE runs ADD COLUMN {column}" for column in _NEW), 2: (_VOTES,), 3: (_ALIGNMENT,)}
_NEW_FILE: Final = (_TABLE, _VOTES, _ALIGNMENT)
_LATEST: Final = "SELECT * FROM runs AS r WHERE attempt = (SELECT max(attempt) FROM runs WHERE key = r.key)"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: a run, how far it came, and the mark that its request carries."""

    run: Run
    phase: Phase
    mark: str
    created_at: float
    owner: str = ""
    service: str = ""


class Journal:
    """Every run, in a file that only its owner reads. Safe to use from several threads.

    `clock` gives Unix seconds. Raises `CIError` for a file that a later version wrote.
    """

    def __init__(self, path: Path | str, *, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock, self._lock = Path(path), clock, threading.RLock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        self.path.chmod(0o600)
        self._db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._write_ahead()
        self._db.execute("PRAGMA synchronous = FULL")  # what is paid for must outlive a power cut
        self._open()

    def _write_ahead(self) -> None:
        """Switch the file to WAL. SQLite's own time-out does not hold here: while another opens it, it is locked."""
        until = time.monotonic() + _BUSY_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def _open(self) -> None:
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise CIError(
                    f"{self.path} was written by a later version of ci_notebook (journal {version} > {VERSION})"
                )
            steps = [step for earlier in range(version, VERSION) for step in _STEPS[earlier]] if version else _NEW_FILE
            for statement in steps:
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def lease(self) -> Lease:
        """Return a name to send runs under, which lives as long as this process; close it when done."""
        return Lease(self.path.with_name(self.path.name + ".leases"))

    def begin(self, run: Run, request: Request, *, service: str, mark: str, owner: str = "") -> bool:
        """Write that a run is about to be sent by `owner`. False when that attempt stands there already."""
        now, setting = self._clock(), _text(run.setting)
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if self._db.execute("SELECT 1 FROM runs WHERE key = ? AND attempt = ?", (run.key, run.attempt)).fetchone():
                return False
            values = {
                "key": run.key, "attempt": run.attempt, "mark": mark, "phase": "sending", "service": service,
                "clip": run.clip, "clip_key": run.clip_key, "clip_md5": run.clip_md5, "setting": setting,
                "setting_sha256": hashlib.sha256(_text(as_written(run.setting)).encode()).hexdigest(),
                "template_id": run.template_id, "request": _text(request), "versions": json.dumps(_versions()),
                "owner": owner, "created_at": now, "updated_at": now,
            }  # fmt: skip
            names, marks = ", ".join(values), ", ".join("?" * len(values))
            self._db.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608 - names of ours
        return True

    def claim(self, entry: Entry, owner: str) -> bool:
        """Take a run over whose sender is dead. False when somebody else did, or it has been sent since."""
        with self._lock:
            done = self._db.execute(
                "UPDATE runs SET owner = ? WHERE key = ? AND attempt = ? AND phase = 'sending' AND owner = ?",
                (owner, entry.run.key, entry.run.attempt, entry.owner),
            )
        return done.rowcount == 1

    def answered(self, run: Run) -> None:
        """Write what the service last said of the run's job."""
        job = run.job or JobsDetail()
        self._set(run, phase="sent", reply=_text(job), job_id=job.job_id, state=job.state, error=run.error)

    def refused(self, run: Run) -> None:
        """Write that nothing came of sending the run, and why (`run.error`)."""
        self._set(run, phase="refused", error=run.error)

    def finished(self, run: Run) -> None:
        """Write what came of the run after its job was over: output, scores, cost, or what went wrong."""
        scores = json.dumps(dict(run.scores)) if run.scores else None
        output = str(run.output) if run.output else None
        pictures = (
            json.dumps({"every": run.every, "precise": run.precise, "pictures": dict(run.pictures)})
            if run.pictures
            else None
        )
        self._set(
            run, phase="over", scores=scores, pictures=pictures, score_against=run.score_against,
            alignment=json.dumps(run.alignment.as_dict()) if run.alignment else None,
            reference_md5=run.reference_md5, cost_cny=run.cost_cny, output=output, error=run.error,
        )  # fmt: skip

    def latest(self, key: str) -> Entry | None:
        """Return the last attempt at a run; None when there was none."""
        found = list(self._read(f"{_LATEST} AND key = ?", key))
        return found[0] if found else None

    def entries(self) -> Iterator[Entry]:
        """Yield the last attempt at every run, oldest first."""
        yield from self._read(f"{_LATEST} ORDER BY created_at, rowid")

    def runs(self) -> list[Run]:
        """Return every run, oldest first, in its last attempt."""
        return [entry.run for entry in self.entries()]

    def add_vote(self, vote: Vote) -> None:
        """Write down what somebody answered."""
        values = {**dataclasses.asdict(vote), "created_at": self._clock()}
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self._write(f"INSERT OR REPLACE INTO votes ({names}) VALUES ({marks})", *values.values())  # noqa: S608 - names of ours

    def drop_vote(self, vote: Vote) -> None:
        """Forget an answer that was taken back."""
        key = (vote.ballot, vote.voter, vote.number)
        self._write("DELETE FROM votes WHERE ballot = ? AND voter = ? AND number = ?", *key)

    def votes(self, ballot: str = "") -> list[Vote]:
        """Return what was answered to one ballot, or to all, oldest first."""
        with self._lock:
            names = ", ".join(field.name for field in dataclasses.fields(Vote))
            sql = f"SELECT {names} FROM votes WHERE ? IN ('', ballot) ORDER BY created_at, number"  # noqa: S608 - as above
            return [Vote(**dict(row)) for row in self._db.execute(sql, (ballot,))]

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        with self._lock:
            (count,) = self._db.execute("SELECT count(DISTINCT key) FROM runs").fetchone()
        return f"<Journal of {count} run{'' if count == 1 else 's'}>"

    def _set(self, run: Run, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        self._write(
            f"UPDATE runs SET {columns}, updated_at = ? WHERE key = ? AND attempt = ?",  # noqa: S608 - names of ours
            *values.values(), self._clock(), run.key, run.attempt,
        )  # fmt: skip

    def _write(self, sql: str, *values: Any) -> None:
        with self._lock:
            self._db.execute(sql, values)

    def _read(self, sql: str, *values: Any) -> Iterator[Entry]:
        with self._lock:
            rows = self._db.execute(sql, values).fetchall()
        return map(_entry, rows)


def key_of(clip: str, setting: VideoEnhance, service: str) -> str:
    """Return the key of a run: equal for equal content of the clip, equal settings, and the same service."""
    digest = hashlib.sha256()
    for text in (clip, _text(as_written(setting)), service):
        digest.update(len(text).to_bytes(8, "big") + text.encode())
    return digest.hexdigest()[:40]


def as_written(node: N) -> N:
    """Return an equal node that forgot how it was spelled where it was read (`25.000000`)."""
    changed: dict[str, Any] = {}
    for part in parts(type(node)):
        value = getattr(node, part.name)
        if isinstance(value, Node):
            changed[part.name] = as_written(value)
        elif isinstance(value, tuple):
            changed[part.name] = tuple(as_written(one) if isinstance(one, Node) else one for one in value)
    return replace(node, **changed)  # type: ignore[type-var]


def _entry(row: sqlite3.Row) -> Entry:
    scores: Mapping[str, float] = json.loads(row["scores"] or "{}")
    output = Path(row["output"]) if row["output"] else None
    series = json.loads(row["pictures"] or '{"every": 0, "pictures": {}}')
    alignment = Alignment.of(json.loads(row["alignment"])) if row["alignment"] else None
    run = Run(
        key=row["key"], attempt=row["attempt"], clip=row["clip"], clip_key=row["clip_key"], clip_md5=row["clip_md5"],
        setting=loads(VideoEnhance, row["setting"].encode()),
        job=loads(JobsDetail, row["reply"].encode()) if row["reply"] else None,
        scores=scores, pictures={name: tuple(one) for name, one in series["pictures"].items()}, every=series["every"],
        precise=series.get("precise", False),
        score_against=row["score_against"], reference_md5=row["reference_md5"], template_id=row["template_id"],
        alignment=alignment,
        cost_cny=row["cost_cny"], error=row["error"],
        output=output if output and output.exists() else None,
    )  # fmt: skip
    return Entry(run, row["phase"], row["mark"], row["created_at"], row["owner"], row["service"])


def _text(node: Node) -> str:
    # Without the declaration of an encoding, which would not be true of text in a database.
    return dumps(node).decode().partition("?>")[2].lstrip()


def _versions() -> dict[str, str]:
    return {"ci_notebook": _version("ci-notebook"), "python": platform.python_version()}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
