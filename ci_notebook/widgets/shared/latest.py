"""The newest question answered beside a panel: the hand goes on, and what it passed over is never asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ci_notebook.widgets.shared.error_text import said


class Latest:
    """Calls `work` with what was asked last, in a thread of its own, and `tell` with that and what it returned.

    It waits `rest_s` seconds first, in which something newer may be asked. What `work` raises is told as `error`.
    """

    def __init__(
        self, name: str, work: Callable[[Any], dict[str, Any]], tell: Callable[[Any, dict[str, Any]], object], *,
        rest_s: float,
    ) -> None:  # fmt: skip
        self._name, self._work, self._tell, self._rest_s = name, work, tell, rest_s
        self._lock, self._hurry = threading.Lock(), threading.Event()
        self._wanted: list[Any] = []
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def ask(self, what: object) -> None:
        """Have this answered soon, and forget what was asked before and is not begun."""
        with self._lock:
            self._wanted = [what]
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the last answer is told; return False if that took too long."""
        thread = self._thread
        if thread is not None:
            self._hurry.set()
            thread.join(timeout_s)
        return self._thread is None

    def close(self) -> None:
        """Tell nothing any more."""
        with self._lock:
            self._is_closed = True
            self._hurry.set()

    def _run(self) -> None:
        while True:
            self._hurry.wait(self._rest_s)
            with self._lock:
                if not self._wanted or self._is_closed:
                    self._thread = None
                    self._hurry.clear()
                    return
                what = self._wanted.pop()
            try:
                told = self._work(what)
            except Exception as error:  # noqa: BLE001  the top of a worker: the panel says it
                told = {"error": said(error)}
            if not self._is_closed:
                self._tell(what, told)
