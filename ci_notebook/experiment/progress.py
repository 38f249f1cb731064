"""Progress of a sweep, and the time left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """The progress of a sweep: `share` from 0 to 1, counts of runs, and a text.

    `left_s` is the estimated time left, at the speed so far; None while it is unknown. `elsewhere` counts the runs
    that another process is sending.
    """

    share: float
    total: int
    done: int
    failed: int
    running: int
    left_s: float | None = None
    elsewhere: int = 0

    @property
    def note(self) -> str:
        """The counts as text."""
        failed = f", {self.failed} failed" if self.failed else ""
        running = f", {self.running} running" if self.running else ""
        elsewhere = f", {self.elsewhere} waiting for another process" if self.elsewhere else ""
        left = f", {duration_text(self.left_s)} left" if self.left_s is not None and self.share < 1 else ""
        return f"{self.done} of {self.total} done{failed}{running}{elsewhere}{left}"


class TimeLeft:
    """Estimates the time left from the progress since this object was created."""

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self._clock, self._from, self._began = clock, share, clock()

    def seconds(self, share: float) -> float | None:
        """Return the seconds left; None in the first second, and until 1 % is done."""
        elapsed, progress = self._clock() - self._began, share - self._from
        return None if elapsed < 1 or progress < 0.01 else elapsed * (1 - share) / progress


def duration_text(seconds: float) -> str:
    """Return a rounded duration as text.

    >>> [duration_text(s) for s in (3.2, 75, 600, 7300)]
    ['about 5 s', 'about 75 s', 'about 10 min', 'about 2 h']
    """
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {round(seconds / 3600)} h"
