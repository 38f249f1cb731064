"""Worker threads that do only the newest work: older requests that have not started are dropped.

`DebouncedWorker` waits until the requests pause. `NewestWorker` is a latest-only queue with several kinds of work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ci_notebook.widgets.shared.base_view import error_text

__all__ = ["DebouncedWorker", "NewestWorker", "Work"]

Work = Callable[[Callable[[], bool]], None]
"""One piece of work. It may call its argument to find out whether newer work waits."""


class DebouncedWorker:
    """Calls `work` with the newest request, in a thread, and `report` with that request and the answer.

    It waits `delay_s` seconds before each call; only the newest request of that time is worked on. An exception
    of `work` is reported as `{"error": text}`.
    """

    def __init__(
        self, name: str, work: Callable[[Any], dict[str, Any]], report: Callable[[Any, dict[str, Any]], object], *,
        delay_s: float,
    ) -> None:  # fmt: skip
        self._name, self._work, self._report, self._delay_s = name, work, report, delay_s
        self._lock, self._skip_delay = threading.Lock(), threading.Event()
        self._pending: list[Any] = []
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, request: object) -> None:
        """Work on this request soon, instead of an older one that has not started."""
        with self._lock:
            self._pending = [request]
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the last answer is reported; return False after the timeout."""
        thread = self._thread
        if thread is not None:
            self._skip_delay.set()
            thread.join(timeout_s)
        return self._thread is None

    def close(self) -> None:
        """Report nothing more."""
        with self._lock:
            self._is_closed = True
            self._skip_delay.set()

    def _run(self) -> None:
        while True:
            self._skip_delay.wait(self._delay_s)
            with self._lock:
                if not self._pending or self._is_closed:
                    self._thread = None
                    self._skip_delay.clear()
                    return
                request = self._pending.pop()
            try:
                answer = self._work(request)
            except Exception as error:  # noqa: BLE001  top of a thread: the view shows the error
                answer = {"error": error_text(error)}
            if not self._is_closed:
                self._report(request, answer)


class NewestWorker:
    """Latest-only queue with one thread, which starts on demand and ends after `idle_s` seconds without work.

    `kinds` are in order of priority. New work replaces waiting work of the same kind and owner. Work that has
    started can ask whether work of the same or a higher priority waits. Work must catch its own exceptions.
    `on_idle` is called before the thread ends.
    """

    def __init__(self, *kinds: str, on_idle: Callable[[], None] = lambda: None, idle_s: float = 60.0) -> None:
        self._kinds, self._on_idle, self._idle_s = kinds, on_idle, idle_s
        self._waiting: dict[tuple[str, str], Work] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, kind: str, work: Work, owner: str = "") -> None:
        """Queue work of a kind."""
        with self._change:
            if self._is_closed:
                return
            self._waiting[kind, owner] = work
            self._change.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._kinds[0], daemon=True)
                self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Drop waiting work, and wait for the work that has started."""
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
                    self._on_idle()
                    self._thread = None
                    return
                if self._is_closed:
                    return
                entry = min(self._waiting, key=lambda waiting: self._kinds.index(waiting[0]))
                work = self._waiting.pop(entry)
            work(self._is_late(entry[0]))

    def _is_late(self, kind: str) -> Callable[[], bool]:
        urgent = self._kinds[: self._kinds.index(kind) + 1]
        return lambda: self._is_closed or any(waiting in urgent for waiting, _ in list(self._waiting))
