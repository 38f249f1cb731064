"""What a monitor knows of the jobs: read little by little, and told on as what is new of it."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.widgets.monitor.rows import Pace, Row, difference, row_of

# So many jobs are read at once, at most: those that run, those that go next, and of the others some in turn.
READ_AT_ONCE: Final = 200
_PAGE: Final = 100
Tell = Callable[[dict[str, Any]], None]


class Desk(Protocol):
    """The jobs of a lab, as far as a monitor needs them (see `jobdesk.JobDesk`)."""

    costs_money: bool

    @property
    def currency(self) -> str:
        """The currency of `cost`."""

    def newest(
        self, known: Collection[str] = (), *, since: dt.datetime | None = None, most: int = 1000
    ) -> Iterator[JobsDetail]:
        """Yield jobs, newest first, until what comes has been known for a while."""

    def read(self, ids: Iterable[str]) -> list[JobsDetail]:
        """Return the jobs of these ids."""

    def cancel(self, job_id: str) -> JobsDetail:
        """Cancel a job and return it."""

    def retry(self, job: JobsDetail) -> JobsDetail:
        """Send a job's request once more and return the new job."""

    def cost(self, job: JobsDetail) -> float | None:
        """Return a job's price."""

    def hint(self, code: str) -> str:
        """Return what can be done about an error."""

    def result_html(self, job: JobsDetail) -> str:
        """Return what came of a job."""

    def handle(self, job: JobsDetail) -> Any:
        """Return a job as what opens videos takes it."""

    def fetch(self, job: JobsDetail) -> Path:
        """Return a local copy of what a job made."""


class Board:
    """At most `most` jobs, the newest since `since`. `tell` is told what is new. Safe to use from several threads."""

    def __init__(self, desk: Desk, tell: Tell, *, since: dt.datetime | None, most: int) -> None:
        self._desk, self._tell, self._since, self._most = desk, tell, since, most
        self.lock, self._reading = threading.RLock(), threading.Lock()
        self._jobs: dict[str, JobsDetail] = {}
        self._rows: dict[str, Row] = {}
        self._priced: dict[str, tuple[str | None, float | None]] = {}
        self._pace = Pace()
        self._is_whole, self._turn = False, 0

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, job_id: str) -> JobsDetail:
        return self._jobs[job_id]

    def jobs(self) -> list[JobsDetail]:
        """Return the jobs, newest first."""
        with self.lock:
            return [self._jobs[name] for name in self._order()]

    def rows(self) -> dict[str, Row]:
        """Return id → row, newest first."""
        with self.lock:
            return {name: self._rows[name] for name in self._order()}

    def open(self) -> list[str]:
        """Return the ids of the jobs that are not over, newest first."""
        with self.lock:
            return [name for name in self._order() if not self._jobs[name].is_over]

    def read(self, *, at_most: int = 0) -> None:
        """Read what is new and what may have changed; `at_most` so many of the newest while nothing is known yet."""
        with self._reading:
            known = set(self._jobs) if self._is_whole else set()
            fresh: list[JobsDetail] = []
            for job in self._desk.newest(known, since=self._since, most=self._most):
                fresh.append(job)
                if len(fresh) % _PAGE == 0:
                    self.learn(fresh[-_PAGE:])
                if len(fresh) == at_most:
                    break
            self.learn(fresh[len(fresh) // _PAGE * _PAGE :])
            self._is_whole = self._is_whole or not at_most or len(fresh) < at_most
            seen = {job.job_id for job in fresh}
            due = [name for name in self._due() if name not in seen]
            if due:
                self.learn(self._desk.read(due))

    def learn(self, jobs: Iterable[JobsDetail]) -> None:
        """Take what is known of jobs, and tell what is new of it."""
        made = {job.job_id or "": (job, self._row(job)) for job in jobs}
        with self.lock:
            news = {}
            for name, (job, row) in made.items():
                change = difference(self._rows.get(name), row)
                if change:
                    news[name] = change
                self._jobs[name], self._rows[name] = job, row
            gone = self._order()[self._most :]
            for name in gone:
                del self._jobs[name], self._rows[name]
                news.pop(name, None)
            if news or gone:
                self._tell({"do": "rows", "rows": news, "gone": gone})

    def _due(self) -> list[str]:
        """Return the ids of the open jobs to be read now."""
        with self.lock:
            names = self.open()
            running = [name for name in names if self._rows[name]["state"] == "Running"]
            waiting = [name for name in names if self._rows[name]["state"] != "Running"][::-1]
            half = max(50, READ_AT_ONCE - len(running)) // 2
            first, rest = waiting[:half], waiting[half:]
            at = self._turn % len(rest) if rest else 0
            self._turn += half
            return [*running, *first, *(rest[at:] + rest[:at])[:half]]

    def _row(self, job: JobsDetail) -> Row:
        name = job.job_id or ""
        priced = self._priced.get(name)
        if priced is None or priced[0] != job.state:
            priced = self._priced[name] = (job.state, self._desk.cost(job))
        hint = self._desk.hint(job.code or "") if job.state == "Failed" else ""
        return row_of(job, left_s=self._pace.left_s(job), cost=priced[1], hint=hint)

    def _order(self) -> list[str]:
        return sorted(self._rows, key=lambda name: -(self._rows[name]["made"] or 0.0))
