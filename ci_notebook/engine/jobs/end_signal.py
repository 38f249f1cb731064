"""A signal inside this process that a job has ended, so that whoever waits for one need not poll.

Invariant: it is only a hint. A job of another process gives none, so a wait also looks from time to time, and it
reads the job before it treats it as over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ci_notebook._processes import call_in_children

__all__ = ["EndSignal"]


class EndSignal:
    """Ends the pauses of all waits when a job ends. Safe to use from several threads."""

    def __init__(self) -> None:
        self._ended, self._count = threading.Condition(), 0
        call_in_children(self._free)

    def _free(self) -> None:
        self._ended = threading.Condition()  # a thread of the parent may hold the old one for ever

    def send(self) -> None:
        """End all pauses: a job has ended, and its end can be read."""
        with self._ended:
            self._count += 1
            self._ended.notify_all()

    def new_pause(self) -> Callable[[float], None]:
        """Return a function for one wait, which pauses for so many seconds, or until a job ends.

        A job that ends between two pauses, while its state is read, ends the second one at once.
        """
        count = self._count

        def pause(seconds: float) -> None:
            nonlocal count
            with self._ended:
                self._ended.wait_for(lambda: self._count != count, seconds)
                count = self._count

        return pause
