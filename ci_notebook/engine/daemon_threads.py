"""Executor that starts one daemon thread per call, shared by the job worker and the notification sender."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final

__all__ = ["THREAD_PREFIX", "DaemonThreads"]

# All threads of an engine are named so; `engine.close` must not wait for one of them from within.
THREAD_PREFIX: Final = "ci-notebook"


class DaemonThreads(Executor):
    """Runs each call in its own daemon thread, so that no thread keeps the interpreter from exiting.

    A ThreadPoolExecutor would: Python waits for its threads before it runs the exit handlers, and so
    would wait for every running FFmpeg.
    """

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Run a call in a new thread."""
        future: Future[Any] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call(*args, **named))
                except BaseException as error:  # noqa: BLE001  it travels in the future
                    future.set_exception(error)

        threading.Thread(target=run, name=f"{THREAD_PREFIX}-job", daemon=True).start()
        return future
