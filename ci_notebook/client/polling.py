"""Waits for jobs by polling: many jobs per call, with pauses that grow with the waiting time.

Invariant: waiting only reads. A job continues when a wait ends, by Ctrl-C or by its timeout.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from ci_notebook.model.api.jobs import JobsDetail, WaitTimedOut
from ci_notebook.model.errors import ServiceUnavailable, Throttled

# How long connection errors and 5xx replies are tolerated before a wait gives up.
PATIENCE_S: Final = 120.0

# The limit of a wait without a timeout. A job that takes longer is stuck, for example in a paused queue.
LONGEST_S: Final = 24 * 3600.0

# Errors that may be temporary.
TEMPORARY_ERRORS: Final = (httpx.TransportError, ServiceUnavailable, Throttled)

# Ids per call: about 2 kB of URL. The limit of the service is not documented.
IDS_PER_CALL: Final = 50


class JobReader(Protocol):
    """The part of a client that waiting needs."""

    sleep: Callable[[float], None]

    def job(self, *ids: str) -> list[JobsDetail]:
        """Return the jobs of these ids."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a wait pauses: `rest` is called with the seconds of each pause, at least `least_s`.

    If `rest` returns early, the jobs are polled early; if it raises, the wait ends.
    """

    rest: Callable[[float], object]
    least_s: float = 0.0


def pause_s(age_s: float) -> float:
    """Return the pause before the next poll, after waiting for `age_s` seconds.

    A wait takes at most a seventh longer than the job. There are five calls per second at the start and
    one per ten seconds for long jobs, because the service allows an account ten calls per second.

    >>> [pause_s(age) for age in (0, 2, 10, 600)]
    [0.2, 0.3, 1.5, 10.0]
    """
    return min(10.0, max(0.2, 0.15 * age_s))


def watch(
    client: JobReader,
    ids: Iterable[str],
    *,
    timeout_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    pace: Pace | None = None,
) -> Iterator[JobsDetail]:
    """Yield a job each time its state or progress changes, until all jobs are over.

    The last item of each job is over (`is_over`); after `timeout_s` the iterator ends early. Without a timeout it
    raises `WaitTimedOut` after 24 hours. A failed job raises nothing. Connection errors and 5xx replies are tolerated
    for `PATIENCE_S` seconds, then raised. `pace` replaces the sleep between polls.
    """
    pace = pace or Pace(client.sleep)
    waiting = dict.fromkeys(ids)
    last: dict[str, tuple[str | None, int | None]] = {}
    details: dict[str, JobsDetail] = {}
    began = last_reply = clock()
    while waiting:
        try:
            jobs = _poll(client, list(waiting))
            last_reply = clock()
        except TEMPORARY_ERRORS:
            if clock() - last_reply > PATIENCE_S:
                raise
            jobs = []
        for job in jobs:
            key = job.job_id or ""
            details[key] = job
            if last.get(key) != (job.state, job.progress):
                last[key] = (job.state, job.progress)
                yield job
            if job.is_over:
                waiting.pop(key, None)
        age = clock() - began
        if waiting and timeout_s is None and age >= LONGEST_S:
            stuck = next(iter(waiting))
            raise WaitTimedOut(details.get(stuck, JobsDetail(job_id=stuck)), LONGEST_S)
        if not waiting or (timeout_s is not None and age >= timeout_s):
            return
        pause = max(pause_s(age), pace.least_s)
        pace.rest(pause if timeout_s is None else min(pause, timeout_s - age))


def _poll(client: JobReader, ids: list[str]) -> list[JobsDetail]:
    return [job for start in range(0, len(ids), IDS_PER_CALL) for job in client.job(*ids[start : start + IDS_PER_CALL])]
