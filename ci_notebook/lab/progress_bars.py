"""Progress bars of a job and of a download, and how long jobs are expected to take."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Final

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.experiment.durations import JobDurations
from ci_notebook.model.api.time_left import RemainingTime
from ci_notebook.results.progress_bar import Progress

__all__ = ["byte_bar", "durations_of", "job_bar"]

_EARLIER: Final = 50  # jobs that the expected durations are learned from


def durations_of(client: Client, *, is_local: bool) -> JobDurations:
    """Return the expected durations of a client's jobs, learned from its latest ones when they are first needed."""
    return JobDurations(
        client.video_info, lambda: itertools.islice(client.jobs(states="Success", page_size=_EARLIER), _EARLIER),
        is_declared=is_local,
    )  # fmt: skip


@contextlib.contextmanager
def job_bar(durations: JobDurations, job: Job) -> Iterator[Callable[[Job], None]]:
    """Show a progress bar while a job is waited for; yield the function to call with each new state of the job."""
    remaining = RemainingTime()
    with Progress("Job", total=100) as progress:

        def update(job: Job) -> None:
            if job.is_over:
                durations.learn(job.detail)
                progress.update(100, job.state)
                return
            left = remaining.of(job.detail, durations.expected_of(job.detail))
            progress.update(job.progress, job.state, left=left)

        yield update


@contextlib.contextmanager
def byte_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of a download; yield the function to call with the bytes so far and the size."""
    with Progress(label, total=1) as progress:

        def update(received: int, size: int) -> None:
            progress.update(received / size if size else 1.0, f"{received / 1e6:.1f} of {size / 1e6:.1f} MB")

        yield update
