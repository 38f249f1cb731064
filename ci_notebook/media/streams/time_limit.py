"""A time limit for reading videos, checked between packets.

Invariant: it belongs to the thread and the block that set it. One packet is the unit: its frames are bounded, so
that decoding them takes a bounded time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from ci_notebook.model.errors import EngineError

__all__ = ["TOO_LONG", "check_time", "time_limit"]

TOO_LONG: Final = "TimeLimitExceeded"
"""The code of the error."""
_UNTIL: Final = ContextVar[tuple[float, float] | None]("ci_notebook_time_limit", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit the reading of videos by this thread in the block: `check_time` raises `EngineError` after `seconds`."""
    token = _UNTIL.set((time.monotonic() + seconds, seconds))
    try:
        yield
    finally:
        _UNTIL.reset(token)


def check_time(name: str) -> None:
    """Raise `EngineError` if the time of `time_limit` is over; `name` is that of the video."""
    until = _UNTIL.get()
    if until is not None and time.monotonic() > until[0]:
        text = f"Reading {name} takes longer than {until[1]:.3g} s, which is the time limit. Use a shorter video"
        raise EngineError(f"{text}, or one with more key frames.", code=TOO_LONG)
