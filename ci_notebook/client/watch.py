"""Several jobs at once: each comes by when its state is new, and the last time when it is over."""

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

    Each job comes first in the state it is found in, then each time its state has changed; with
    `progress` also when only its progress has. The last time it comes it `is_over`. Many jobs are
    asked for in one call. Nothing is raised for a job that fails; when `timeout_s` runs out the loop
    ends early. Raises `NotFound` for an id that the service does not know. Leaving the loop leaves
    the jobs alone.

    `jobs` are `Job`s, which are brought up to date, or ids. `pace` is how the
    pauses are spent (see `Receiver`).
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
        self._pace = pace or Pace(client.sleep)
        made = (Job(client, JobsDetail(job_id=one), bar=bar) if isinstance(one, str) else one for one in jobs)
        self._jobs = {job.id: job for job in made}

    def __iter__(self) -> Iterator[Job]:
        return map(self._brought_up, self._changes(self._pace))

    async def __aiter__(self) -> AsyncIterator[Job]:
        # Brought up to date here, not in the thread: a job that is looked at must not change meanwhile.
        changes = async_bridge.each(lambda rest: self._changes(replace(self._pace, rest=rest)), self._pace.rest)
        try:
            async for detail in changes:
                yield self._brought_up(detail)
        finally:
            await changes.aclose()

    def __repr__(self) -> str:
        return f"<Watch of {len(self._jobs)} job{'' if len(self._jobs) == 1 else 's'}>"

    def _changes(self, pace: Pace) -> Iterator[JobsDetail]:
        known: dict[str | None, str | None] = {}
        for detail in polling.watch(self._client, self._jobs, timeout_s=self._timeout_s, pace=pace):
            if self._progress or known.get(detail.job_id) != detail.state:
                known[detail.job_id] = detail.state
                yield detail

    def _brought_up(self, detail: JobsDetail) -> Job:
        job = self._jobs[detail.job_id or ""]
        job.detail = detail
        return job
