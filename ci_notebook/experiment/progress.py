"""How far a sweep is, and how long it will still take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """How far a sweep is: `share` from 0 to 1, counts of runs, and the same in words.

    `left_s` is how long it will take if it goes on as it went so far, None when that is not known yet.
    """

    share: float
    total: int
    done: int
    failed: int
    running: int
    left_s: float | None = None

    @property
    def note(self) -> str:
        """Say the counts in words."""
        failed = f", {self.failed} failed" if self.failed else ""
        running = f", {self.running} running" if self.running else ""
        left = f", {duration_text(self.left_s)} left" if self.left_s is not None and self.share < 1 else ""
        return f"{self.done} of {self.total} done{failed}{running}{left}"


class Meter:
    """Tells the time left from the share that was done since it was made."""

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self._clock, self._from, self._began = clock, share, clock()

    def left_s(self, share: float) -> float | None:
        """Return the seconds left; None in the first second, and until a hundredth is done."""
        took, done = self._clock() - self._began, share - self._from
        return None if took < 1 or done < 0.01 else took * (1 - share) / done


def duration_text(seconds: float) -> str:
    """Return a length of time as people say it.

    >>> [duration_text(s) for s in (3.2, 75, 600, 7300)]
    ['about 5 s', 'about 75 s', 'about 10 min', 'about 2 h']
    """
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {round(seconds / 3600)} h"
