"""Waiting for jobs: many in one call, less often the longer it takes.

The rule of this file: waiting only reads. A job goes on when a wait is broken off, by Ctrl-C or by
its time running out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.errors import ServiceUnavailable, Throttled

# How long the service may be out of reach, or answer with 5xx, before a wait gives up.
PATIENCE_S: Final = 120.0

# What may pass by itself.
OUT_OF_REACH: Final = (httpx.TransportError, ServiceUnavailable, Throttled)

# How many ids one call asks for: about 2 kB of URL. The service's own limit is not documented.
IDS_A_CALL: Final = 50


class AsksForJobs(Protocol):
    """What waiting needs of a client."""

    sleep: Callable[[float], None]

    def job(self, *ids: str) -> list[JobsDetail]:
        """Return the jobs of these ids."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a wait spends its pauses: `rest` is called with their length, seconds, of at least `least_s`.

    One that returns early has the jobs read early; one that raises ends the wait.
    """

    rest: Callable[[float], object]
    least_s: float = 0.0


def pause_s(age_s: float) -> float:
    """Return how long to wait before asking again about jobs that were waited for `age_s` already.

    At most a seventh more than the job took, five calls a second at the start and one in ten seconds
    for long jobs: the service counts calls, ten a second for an account.

    >>> [pause_s(age) for age in (0, 2, 10, 600)]
    [0.2, 0.3, 1.5, 10.0]
    """
    return min(10.0, max(0.2, 0.15 * age_s))


def watch(
    client: AsksForJobs,
    ids: Iterable[str],
    *,
    timeout_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    pace: Pace | None = None,
) -> Iterator[JobsDetail]:
    """Yield a job each time its state or progress is new, until all are over or the time is.

    The last that comes of each job that ends is over (`is_over`); when `timeout_s` runs out the
    iterator ends early. Nothing is raised for a job that failed. A service out of reach is borne
    for `PATIENCE_S`, and then its error is raised. `pace` says how the pauses are
    spent, by default asleep.
    """
    pace = pace or Pace(client.sleep)
    waiting = dict.fromkeys(ids)
    known: dict[str, tuple[str | None, int | None]] = {}
    began = reached = clock()
    while waiting:
        try:
            jobs = _ask(client, list(waiting))
            reached = clock()
        except OUT_OF_REACH:
            if clock() - reached > PATIENCE_S:
                raise
            jobs = []
        for job in jobs:
            key = job.job_id or ""
            if known.get(key) != (job.state, job.progress):
                known[key] = (job.state, job.progress)
                yield job
            if job.is_over:
                waiting.pop(key, None)
        age = clock() - began
        if not waiting or (timeout_s is not None and age >= timeout_s):
            return
        pause = max(pause_s(age), pace.least_s)
        pace.rest(pause if timeout_s is None else min(pause, timeout_s - age))


def _ask(client: AsksForJobs, ids: list[str]) -> list[JobsDetail]:
    return [job for start in range(0, len(ids), IDS_A_CALL) for job in client.job(*ids[start : start + IDS_A_CALL])]
