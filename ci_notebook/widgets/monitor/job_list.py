"""Jobs as table rows: read from the service page by page, compared with the previous state, shown as plain HTML.

Invariant: only changed fields of a row are reported, so that a job's setting travels to the page once.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import PurePosixPath
from typing import Any, Final

from ci_notebook.model.api.jobs import JobsDetail, time_of
from ci_notebook.model.api.time_left import RemainingTime, TimeLeft
from ci_notebook.model.clip_labels import ClipIdentity, clip_labels
from ci_notebook.model.declaration.node import AUTO, Node, parts
from ci_notebook.model.html import Markup, bold, table_html
from ci_notebook.widgets.ports import JobsPort

__all__ = [
    "MAX_ROWS",
    "MAX_UPDATES",
    "JobList",
    "Row",
    "counts",
    "difference",
    "row_of",
    "settings_of",
    "static_html",
    "varied",
]

# At most this many open jobs are updated at once: those that run, those that start next, and some others in turn.
MAX_UPDATES: Final = 200
# Rows of the plain table in a saved notebook; further jobs are only counted.
MAX_ROWS: Final = 50
_PAGE: Final = 100
Row = dict[str, Any]
Report = Callable[[dict[str, Any]], None]


class JobList:
    """At most `most` jobs, the newest since `since`. `report` receives each change. Thread-safe."""

    def __init__(self, jobs: JobsPort, report: Report, *, since: dt.datetime | None, most: int) -> None:
        self._port, self._report, self._since, self._most = jobs, report, since, most
        self.lock, self._reading = threading.RLock(), threading.Lock()
        self._jobs: dict[str, JobsDetail] = {}
        self._rows: dict[str, Row] = {}
        self._costs: dict[str, tuple[str | None, float | None]] = {}
        self._remaining = RemainingTime()
        self._is_complete, self._turn = False, 0

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, job_id: str) -> JobsDetail:
        return self._jobs[job_id]

    def jobs(self) -> list[JobsDetail]:
        """Return the jobs, newest first."""
        with self.lock:
            return [self._jobs[job_id] for job_id in self._order()]

    def rows(self) -> dict[str, Row]:
        """Return id → row, newest first."""
        with self.lock:
            return {job_id: self._rows[job_id] for job_id in self._order()}

    def open(self) -> list[str]:
        """Return the ids of the jobs that have not ended, newest first."""
        with self.lock:
            return [job_id for job_id in self._order() if not self._jobs[job_id].is_over]

    def read(self, *, at_most: int = 0) -> None:
        """Read new jobs and update open ones. `at_most` limits the first read to the newest jobs."""
        with self._reading:
            known = set(self._jobs) if self._is_complete else set()
            new: list[JobsDetail] = []
            for job in self._port.newest(known, since=self._since, most=self._most):
                new.append(job)
                if len(new) % _PAGE == 0:
                    self.update(new[-_PAGE:])
                if len(new) == at_most:
                    break
            self.update(new[len(new) // _PAGE * _PAGE :])
            self._is_complete = self._is_complete or not at_most or len(new) < at_most
            new_ids = {job.job_id for job in new}
            due = [job_id for job_id in self._due() if job_id not in new_ids]
            if due:
                self.update(self._port.read(due))

    def update(self, jobs: Iterable[JobsDetail]) -> None:
        """Store the newest state of some jobs, and report what has changed."""
        entries = {job.job_id or "": (job, self._row(job)) for job in jobs}
        with self.lock:
            changed = self._labelled({job_id: row for job_id, (_, row) in entries.items()})
            for job_id, (job, row) in entries.items():
                change = difference(self._rows.get(job_id), row)
                if change:
                    changed[job_id] = change
                self._jobs[job_id], self._rows[job_id] = job, row
            removed = self._order()[self._most :]
            for job_id in removed:
                del self._jobs[job_id], self._rows[job_id]
                self._costs.pop(job_id, None)
                self._remaining.forget(job_id)
                changed.pop(job_id, None)
            if changed or removed:
                self._report({"do": "rows", "rows": changed, "removed": removed})

    def _labelled(self, rows: Mapping[str, Row]) -> dict[str, Row]:
        """Give new rows the label of their clip; return the changes of older rows, whose name became ambiguous."""
        every = {**self._rows, **rows}
        names = [PurePosixPath(row["key"]).name for row in every.values()]
        if len(set(names)) == len({row["key"] for row in every.values()}):
            return {}
        clips = [ClipIdentity(name, row["key"]) for name, row in zip(names, every.values(), strict=True)]
        changed = {}
        for (job_id, row), label in zip(every.items(), clip_labels(clips), strict=True):
            if row["clip"] != label:
                row["clip"] = label
                changed[job_id] = {"clip": label}
        return {job_id: change for job_id, change in changed.items() if job_id not in rows}

    def _due(self) -> list[str]:
        """Return the ids of the open jobs to update now."""
        with self.lock:
            ids = self.open()
            running = [job_id for job_id in ids if self._rows[job_id]["state"] == "Running"]
            waiting = [job_id for job_id in ids if self._rows[job_id]["state"] != "Running"][::-1]
            half = max(50, MAX_UPDATES - len(running)) // 2
            first, rest = waiting[:half], waiting[half:]
            at = self._turn % len(rest) if rest else 0
            self._turn += half
            return [*running, *first, *(rest[at:] + rest[:at])[:half]]

    def _row(self, job: JobsDetail) -> Row:
        job_id = job.job_id or ""
        cached = self._costs.get(job_id)
        if cached is None or cached[0] != job.state:
            cached = self._costs[job_id] = (job.state, self._port.cost(job))
        hint = self._port.hint(job.code or "") if job.state == "Failed" else ""
        expected_s = self._port.expected_s(job)
        left = self._remaining.of(job, expected_s)
        if job.state == "Submitted" and expected_s is not None:
            left = TimeLeft(expected_s, is_rough=True)
        return row_of(job, left=left, cost=cached[1], hint=hint)

    def _order(self) -> list[str]:
        return sorted(self._rows, key=lambda job_id: -(self._rows[job_id]["created"] or 0.0))


def row_of(job: JobsDetail, *, left: TimeLeft | None = None, cost: float | None = None, hint: str = "") -> Row:
    """Return the row of a job: plain JSON, times as Unix seconds, None for unknown values."""
    created, started, ended = (time_of(text) for text in (job.creation_time, job.start_time, job.end_time))
    has_failed = job.state == "Failed"
    key = (job.input.object or "") if job.input else ""
    return {
        "tag": job.tag or "",
        "clip": PurePosixPath(key).name,
        "key": key,
        "outputs": ", ".join(job.output_keys),
        "settings": settings_of(job),
        "state": job.state or "",
        "percent": 100 if job.state == "Success" else job.progress if isinstance(job.progress, int) else None,
        "created": created.timestamp() if created else None,
        "duration_s": (ended - started).total_seconds() if started and ended else None,
        "left_s": None if left is None else round(left.seconds, 1),
        "left": "" if left is None else str(left),
        "cost": None if cost is None else round(cost, 6),
        "code": (job.code or "") if has_failed else "",
        "reason": (job.message or "") if has_failed else "",
        "note": job.note,
        "hint": hint if has_failed else "",
    }


def settings_of(job: JobsDetail) -> dict[str, str]:
    """Return path → text of the settings of a job; a stage that is on without settings is `on`."""
    operation = job.operation
    if operation is None:
        return {}
    setting = operation.setting
    texts = dict(_texts_of(setting)) if setting else {}
    if operation.template_id:
        texts["TemplateId"] = operation.template_id
    if operation.digital_watermark is not None:
        texts["DigitalWatermark"] = operation.digital_watermark.message or "on"
    count = len(operation.watermark) + len(operation.watermark_template_id)
    if count:
        texts["Watermark"] = "on" if count == 1 else f"{count} watermarks"
    return texts


def _texts_of(node: Node, prefix: str = "") -> Iterator[tuple[str, str]]:
    for part in parts(type(node)):
        value = getattr(node, part.name)
        for number, item in enumerate(value if part.many else (value,), 1):
            path = f"{prefix}{part.tag}.{number}" if part.many else f"{prefix}{part.tag}"
            if isinstance(item, Node):
                children = list(_texts_of(item, path + "."))
                yield from children or [(path, "on")]
            elif item is not None:
                yield path, "AUTO" if item is AUTO else part.text(item)


def difference(before: Row | None, after: Row) -> Row:
    """Return the changed fields of a row."""
    return after if before is None else {name: value for name, value in after.items() if before.get(name) != value}


def varied(rows: Sequence[Row]) -> set[str]:
    """Return the paths whose values differ between rows; all paths if none do."""
    paths = {path for row in rows for path in row["settings"]}
    return {path for path in paths if len({row["settings"].get(path) for row in rows}) > 1} or paths


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return state → number of jobs."""
    numbers: dict[str, int] = {}
    for row in rows:
        numbers[row["state"]] = numbers.get(row["state"], 0) + 1
    return numbers


def static_html(rows: Sequence[Row], *, currency: str) -> str:
    """Return the newest rows as a plain table, for a saved notebook without a kernel. Every text is escaped."""
    shown, varied_paths = rows[:MAX_ROWS], varied(rows)
    states = ", ".join(f"{number} {escape(state)}" for state, number in counts(rows).items())
    more = f"; the newest {MAX_ROWS} are shown" if len(rows) > MAX_ROWS else ""
    title = f"{len(rows)} job{'' if len(rows) == 1 else 's'}"
    caption = Markup(f"{bold(title)}{': ' if states else ''}{states}{more}")
    if not rows:
        return f"<div class='ci-jobs-static'>{table_html([], caption=caption)}</div>"
    names = ("clip", "settings", "state", f"cost [{currency}]", "output or error")
    table = table_html([_texts(row, varied_paths) for row in shown], head=names, caption=caption)
    return f"<div class='ci-jobs-static'>{table}</div>"


def _texts(row: Row, varied_paths: set[str]) -> tuple[str, ...]:
    texts: Mapping[str, str] = row["settings"]
    settings = ", ".join(f"{path} {text}" for path, text in texts.items() if path in varied_paths)
    has_progress = row["state"] == "Running" and row["percent"] is not None
    state = f"{row['state']} {row['percent']} %" if has_progress else row["state"]
    # A failed job has no output and costs nothing.
    cost = "" if row["cost"] is None or row["state"] in ("Failed", "Cancel") else f"{row['cost']:.4f}"
    error = f"{row['code']}: {row['reason']}".rstrip(". ")
    error = ". ".join(filter(None, (error, row["hint"]))) if row["code"] else ""
    result = ". ".join(filter(None, (row["outputs"], row["note"])))
    return row["clip"], settings or "–", state, cost, error or result
