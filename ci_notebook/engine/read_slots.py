"""The few slots in which calls read videos: media info and snapshots.

Invariant: however many such calls come, most threads of a server stay free for other calls. A call that finds no
slot waits in a short queue; when the queue is full or the wait is too long, it gets 503 SlowDown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ci_notebook.media.process import cores
from ci_notebook.media.streams.time_limit import time_limit
from ci_notebook.model.errors import ParameterError, ServiceError
from ci_notebook.wire.service_errors import service_error

__all__ = ["CALL_LIMIT_S", "MAX_ENTERED", "ReadSlots"]

CALL_LIMIT_S: Final = 30.0
_AT_ONCE: Final = min(4, max(2, cores()))
_WAITING: Final = 12
MAX_ENTERED: Final = _AT_ONCE + _WAITING
"""The most calls that read or wait for a slot."""
_WAIT_SHARE: Final = 1 / 3  # of a call's time limit, for the wait
_RETRY_AFTER_S: Final = 2.0


class ReadSlots:
    """`at_once` slots and a queue of `waiting` calls. `limit_s` is the time limit of a call, with its wait."""

    def __init__(self, limit_s: float = CALL_LIMIT_S, *, at_once: int = _AT_ONCE, waiting: int = _WAITING) -> None:
        if not limit_s > 0:
            raise ParameterError("call_limit_s", limit_s, "more than 0 s")
        self._limit_s, self._most = limit_s, at_once + waiting
        self._slots, self._lock, self._entered = threading.Semaphore(at_once), threading.Lock(), 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot in the block, where reading a video is limited in time.

        Raises `ServiceError` (SlowDown, 503) when the queue is full, or no slot becomes free in time.
        """
        began = time.monotonic()
        with self._lock:
            if self._entered >= self._most:
                raise _busy()
            self._entered += 1
        try:
            if not self._slots.acquire(timeout=self._limit_s * _WAIT_SHARE):
                raise _busy()
            try:
                with time_limit(self._limit_s - (time.monotonic() - began)):
                    yield
            finally:
                self._slots.release()
        finally:
            with self._lock:
                self._entered -= 1


def _busy() -> ServiceError:
    text = "Too many media-info and snapshot calls at once. Try again later."
    return service_error("SlowDown", text, status=503, retry_after_s=_RETRY_AFTER_S)
