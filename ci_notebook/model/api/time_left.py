"""The time that a job still takes: measured from its progress, and before that expected from other jobs.

Invariant: an estimate never looks more precise than it is. A text says `about` for a measured time, and `roughly` for
one that is mostly an expectation, in steps of one, two and five. Where nothing is known, there is no estimate.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ci_notebook.model.api.jobs import JobsDetail

__all__ = ["UNKNOWN", "RemainingTime", "TimeLeft", "combined", "duration_text", "measured_s"]

UNKNOWN: Final = "time left unknown"
# The progress at which a measured speed counts as much as an expected one.
_EVEN: Final = 0.1
_STEPS_S: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000)


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Seconds left. `is_rough` says that they are mostly expected, not measured.

    >>> str(TimeLeft(34.2, is_rough=False)), str(TimeLeft(34.2, is_rough=True))
    ('about 35 s left', 'roughly 30 s left')
    """

    seconds: float
    is_rough: bool

    def __str__(self) -> str:
        if self.is_rough:
            step = min(_STEPS_S, key=lambda one: abs(one - self.seconds))
            return f"roughly {_span(step)} left"
        return f"{duration_text(self.seconds)} left"


def combined(progress: float, measured_s: float | None, expected_s: float | None) -> TimeLeft | None:
    """Return the time left from a measured and an expected one; None where neither is known.

    The share of the work that was measured, `progress`, says how much the measured time counts.

    >>> combined(0.5, 10.0, None)
    TimeLeft(seconds=10.0, is_rough=False)
    >>> combined(0.0, None, 12.0)
    TimeLeft(seconds=12.0, is_rough=True)
    """
    if measured_s is None:
        return None if expected_s is None else TimeLeft(expected_s, is_rough=True)
    weight = progress / (progress + _EVEN)
    seconds = measured_s if expected_s is None else weight * measured_s + (1 - weight) * expected_s
    return TimeLeft(seconds, is_rough=weight < 0.5)


def measured_s(elapsed_s: float, share: float, begun: float = 0.0, *, least_s: float = 1.0) -> float | None:
    """Return the seconds left at the speed so far, from the share done and the share at the beginning.

    None in the first `least_s` seconds, and before there is any progress.
    """
    if elapsed_s < least_s or share <= begun:
        return None
    return elapsed_s * (1 - share) / (share - begun)


class RemainingTime:
    """Estimates the remaining time of jobs from their progress since they were first seen running."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: dict[str, tuple[float, int]] = {}

    def forget(self, job_id: str) -> None:
        """Forget a job that is not listed any more."""
        self._first.pop(job_id, None)

    def of(self, job: JobsDetail, expected_s: float | None = None) -> TimeLeft | None:
        """Return the time left of a job; None for one that does not run, and where nothing is known.

        `expected_s` is how long such jobs take.
        """
        job_id, percent = job.job_id or "", job.progress
        if job.state != "Running":
            self._first.pop(job_id, None)
            return None
        percent = percent if isinstance(percent, int) else 0
        now = self._clock()
        since, first_percent = self._first.setdefault(job_id, (now, percent))
        if percent < first_percent:  # its worker died, and another one has started it again
            since, first_percent = self._first[job_id] = (now, percent)
        elapsed, share, begun = now - since, percent / 100, first_percent / 100
        if expected_s is not None:
            expected_s = (1 - share) * expected_s - (elapsed if share == begun else 0.0)
        if expected_s is not None and expected_s <= 0:
            expected_s = None  # it takes longer than expected
        return combined(share - begun, measured_s(elapsed, share, begun, least_s=0.0), expected_s)


def duration_text(seconds: float) -> str:
    """Return a rounded duration as text.

    >>> [duration_text(s) for s in (3.2, 75, 600, 7300)]
    ['about 5 s', 'about 75 s', 'about 10 min', 'about 2 h']
    """
    return f"about {_span(max(5, round(seconds / 5) * 5) if seconds < 90 else seconds)}"


def _span(seconds: float) -> str:
    if seconds < 90 and seconds != 60:
        return f"{seconds:g} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 and seconds != 3600 else f"{round(seconds / 3600)} h"
