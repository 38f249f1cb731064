"""`Watch`: several jobs at once, in a loop that yields each job when its state changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ci_notebook.client import async_bridge, polling
from ci_notebook.client.job import Bar, Job
from ci_notebook.client.polling import Pace
from ci_notebook.model.api.jobs import JobsDetail

if TYPE_CHECKING:
    from ci_notebook.client.client import Client


class Watch:
    """Jobs that are watched: `for job in watch`, or `async for job in watch` inside a running loop.

    Each job is yielded first in its current state, then each time its state changes; with `progress`
    also when only its progress changes. The last time it `is_over`. One call polls many jobs. A failed
    job raises nothing; after `timeout_s` the loop ends early. Raises `NotFound` for an unknown id, and, without a
    timeout, `WaitTimedOut` after 24 hours.
    Leaving the loop does not affect the jobs.

    `jobs` are `Job`s, which are updated, or ids. `pace` decides how to pause between polls (see
    `Receiver`).
    """

    def __init__(
        self,
        client: Client,
        jobs: Iterable[Job | str],
        *,
        timeout_s: float | None = None,
        progress: bool = False,
        pace: Pace | None = None,
        bar: Bar | None = None,
    ) -> None:
        self._client, self._timeout_s, self._progress = client, timeout_s, progress
        self._pace = pace or client.pace()
        watched = (Job(client, JobsDetail(job_id=one), bar=bar) if isinstance(one, str) else one for one in jobs)
        self._jobs = {job.id: job for job in watched}

    def __iter__(self) -> Iterator[Job]:
        return map(self._updated, self._changes(self._pace))

    async def __aiter__(self) -> AsyncIterator[Job]:
        # Jobs are updated here, not in the thread: a job must not change while the caller reads it.
        changes = async_bridge.each(lambda rest: self._changes(replace(self._pace, rest=rest)), self._pace.rest)
        try:
            async for detail in changes:
                yield self._updated(detail)
        finally:
            await changes.aclose()

    def __repr__(self) -> str:
        return f"<Watch of {len(self._jobs)} job{'' if len(self._jobs) == 1 else 's'}>"

    def _changes(self, pace: Pace) -> Iterator[JobsDetail]:
        last: dict[str | None, str | None] = {}
        for detail in polling.watch(self._client, self._jobs, timeout_s=self._timeout_s, pace=pace):
            if self._progress or last.get(detail.job_id) != detail.state:
                last[detail.job_id] = detail.state
                yield detail

    def _updated(self, detail: JobsDetail) -> Job:
        job = self._jobs[detail.job_id or ""]
        job.detail = detail
        return job
