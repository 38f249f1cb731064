"""What a sweep would send and cost, asked for beside the panel: the last sweep counts, those between are skipped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from ci_notebook.widgets.saying import said

# The price follows the hand once it rests: the service is asked about each clip.
PAUSE_S: Final = 0.3


class Planner:
    """Calls `plan` with what was asked last, in a thread of its own, and `tell` with that and what it returned."""

    def __init__(self, plan: Callable[[Any], dict[str, Any]], tell: Callable[[Any, dict[str, Any]], object]) -> None:
        self._plan, self._tell = plan, tell
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._wanted: list[Any] = []
        self._thread: threading.Thread | None = None

    def ask(self, what: object) -> None:
        """Have this planned soon, and forget what was asked before and is not begun."""
        with self._lock:
            self._wanted = [what]
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name="sweep-plan", daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float = 30.0) -> bool:
        """Wait until the last is told; return False if that took too long."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return self._thread is None

    def close(self) -> None:
        """Plan nothing any more."""
        self._ended.set()

    def _run(self) -> None:
        while True:
            self._ended.wait(PAUSE_S)
            with self._lock:
                if not self._wanted or self._ended.is_set():
                    self._thread = None
                    return
                what = self._wanted.pop()
            try:
                told = self._plan(what)
            except Exception as error:  # noqa: BLE001  the top of a worker: the panel says it
                told = {"error": said(error)}
            if not self._ended.is_set():
                self._tell(what, told)
