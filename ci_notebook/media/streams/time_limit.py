"""A time limit for reading videos, and an end for a job that reads one: checked between packets and frames.

Invariant: it belongs to the thread and the block that set it. One packet is the unit: its frames are bounded, so
that decoding them takes a bounded time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from ci_notebook.model.errors import EngineError

__all__ = ["TOO_LONG", "check_time", "interruptible", "time_limit"]

TOO_LONG: Final = "TimeLimitExceeded"
"""The code of the error."""
_CHECK: Final = ContextVar[Callable[[str], None] | None]("ci_notebook_check", default=None)


@contextmanager
def interruptible(check: Callable[[str], None]) -> Iterator[None]:
    """Have `check` called with the name of the video, again and again, while this thread reads one in the block.

    What it raises ends the reading.
    """
    token = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(token)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit the reading of videos by this thread in the block: it raises `EngineError` after `seconds`."""
    until = time.monotonic() + seconds

    def check(name: str) -> None:
        if time.monotonic() > until:
            text = f"Reading {name} takes longer than the time limit of {seconds:.3g} s. Use a shorter video"
            raise EngineError(f"{text}, or one with more key frames.", code=TOO_LONG)

    with interruptible(check):
        yield


def check_time(name: str = "the video") -> None:
    """Raise the error of the block that this thread is in, if its time is over."""
    check = _CHECK.get()
    if check is not None:
        check(name)
