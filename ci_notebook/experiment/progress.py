"""Progress of a sweep, and the time left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ci_notebook.model.api.time_left import TimeLeft, combined, measured_s


@dataclass(frozen=True, slots=True)
class Event:
    """The progress of a sweep: `share` from 0 to 1, counts of runs, and a text.

    `left_s` is the estimated time left, None while it is unknown; `is_rough` says that it is mostly expected from
    earlier jobs and not yet measured. `elsewhere` counts the runs that another process is sending.
    """

    share: float
    total: int
    done: int
    failed: int
    running: int
    left_s: float | None = None
    elsewhere: int = 0
    is_rough: bool = False

    @property
    def left(self) -> TimeLeft | None:
        """The time left as one value; None while it is unknown, and at the end."""
        return None if self.left_s is None or self.share >= 1 else TimeLeft(self.left_s, self.is_rough)

    @property
    def note(self) -> str:
        """The counts and the time left as text."""
        return f"{self.counts}, {self.left}" if self.left else self.counts

    @property
    def counts(self) -> str:
        """The counts as text."""
        failed = f", {self.failed} failed" if self.failed else ""
        running = f", {self.running} running" if self.running else ""
        elsewhere = f", {self.elsewhere} waiting for another process" if self.elsewhere else ""
        return f"{self.done} of {self.total} done{failed}{running}{elsewhere}"


class SweepPace:
    """Estimates the time left of a sweep from its progress since this object was created."""

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self._clock, self._from, self._began = clock, share, clock()

    def left(self, share: float, expected_s: float | None = None) -> TimeLeft | None:
        """Return the time left; `expected_s` is the one that earlier jobs let expect. None if nothing is known."""
        return combined(share - self._from, measured_s(self._clock() - self._began, share, self._from), expected_s)
