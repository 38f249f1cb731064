"""A thread that does the newest of what is asked: what nobody looks at any more is never begun."""

from __future__ import annotations

import threading
from collections.abc import Callable

Work = Callable[[Callable[[], bool]], None]
"""Does one thing; it may ask the function that it is given whether something newer has come."""


class Worker:
    """Does what is asked, in a thread that is started when it is needed and ends when nothing was asked for `idle_s`.

    `kinds` are in order of urgency. A newer work takes the place of an older one of its kind, asked by the
    same one, that has not begun; one that has begun is told when something at least as urgent waits.
    Works see to their errors themselves. `idle` is called when the thread ends so.
    """

    def __init__(self, *kinds: str, idle: Callable[[], None] = lambda: None, idle_s: float = 60.0) -> None:
        self._kinds, self._idle, self._idle_s = kinds, idle, idle_s
        self._waiting: dict[tuple[str, str], Work] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def ask(self, kind: str, work: Work, who: str = "") -> None:
        """Have something done soon."""
        with self._change:
            if self._is_closed:
                return
            self._waiting[kind, who] = work
            self._change.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._kinds[0], daemon=True)
                self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Begin nothing any more, and wait until what was begun is done."""
        with self._change:
            self._is_closed = True
            self._waiting.clear()
            self._change.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._change:
                if not self._change.wait_for(lambda: self._waiting or self._is_closed, self._idle_s):
                    self._idle()
                    self._thread = None
                    return
                if self._is_closed:
                    return
                asked = min(self._waiting, key=lambda one: self._kinds.index(one[0]))
                work = self._waiting.pop(asked)
            work(self._is_late(asked[0]))

    def _is_late(self, kind: str) -> Callable[[], bool]:
        urgent = self._kinds[: self._kinds.index(kind) + 1]
        return lambda: self._is_closed or any(one in urgent for one, _ in list(self._waiting))
