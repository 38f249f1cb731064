"""Executors: run jobs in other processes, and replace an executor that broke.

Invariant: a function that makes executors is called again after a failure, with exponential backoff.
Meanwhile the jobs wait in the ledger.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Final, Protocol, runtime_checkable

from ci_notebook.engine.jobs.outcome import JobOutcome
from ci_notebook.engine.jobs.run_job import RemoteJob, run_remote

__all__ = ["MAX_ATTEMPTS", "ExecutorUnavailable", "JobExecutor", "MakeExecutor", "SlotCounter"]

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# Backoff: the first wait after an executor could not be made, doubled each time up to the second value.
BACKOFF_S, MAX_BACKOFF_S = 1.0, 30.0
# A job that kills its process again and again also takes the other jobs' processes with it.
MAX_ATTEMPTS: Final = 3

MakeExecutor = Callable[[], Executor]


@runtime_checkable
class SlotCounter(Protocol):
    """A maker of executors that knows how many jobs they can run at once."""

    def slots(self) -> int:
        """Return how many jobs can run at once."""

    def slots_per_machine(self) -> int:
        """Return how many of them run on one machine, at most."""


class ExecutorUnavailable(Exception):
    """There is no executor now; there may be one later."""


class JobExecutor:
    """An executor, or a function that makes one. It gets `slots` jobs at once, unless the maker counts its slots."""

    def __init__(self, executor: Executor | MakeExecutor, slots: int) -> None:
        self._make = None if isinstance(executor, Executor) else executor
        self._executor = executor if isinstance(executor, Executor) else None
        self._slots = slots
        self._lock = threading.Lock()
        self._next_try, self._backoff_s = 0.0, BACKOFF_S

    @property
    def is_replaceable(self) -> bool:
        """Whether another executor replaces a broken one."""
        return self._make is not None

    def is_ready(self) -> bool:
        """Return whether there is an executor, and make one if possible. A broken one shows at the next submit."""
        try:
            self._get()
        except ExecutorUnavailable:
            return False
        return True

    def slots(self) -> int:
        """Return how many jobs may be submitted at once."""
        try:
            return self._make.slots() if isinstance(self._make, SlotCounter) else self._slots
        except Exception:  # noqa: BLE001  any executor's own errors; the next submit meets and names it
            return self._slots

    def slots_per_machine(self) -> int:
        """Return how many jobs may run at once on one machine."""
        try:
            return max(1, self._make.slots_per_machine() if isinstance(self._make, SlotCounter) else self._slots)
        except Exception:  # noqa: BLE001  as above
            return max(1, self._slots)

    def submit(self, remote: RemoteJob) -> Future[JobOutcome]:
        """Submit a job. Raises `ExecutorUnavailable` when an executor comes later, and the executor's own errors."""
        executor = self._get()
        try:
            return executor.submit(run_remote, remote)
        except Exception as error:
            if self._make is None:
                raise
            self.replace(error)
            raise ExecutorUnavailable(str(error)) from error

    def replace(self, error: BaseException) -> None:
        """Shut down the executor, because it broke; the next call makes another."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            log.warning("the executor broke (%s: %s); another one is made", type(error).__name__, error)
            executor.shutdown(wait=False)

    def close(self) -> None:
        """Shut down the executor if it was made here."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None and self._make is not None:
            executor.shutdown(wait=False)

    def _get(self) -> Executor:
        with self._lock:
            if self._executor is None:
                self._executor = self._new_executor()
            return self._executor

    def _new_executor(self) -> Executor:
        if self._make is None:
            raise RuntimeError("the executor is closed")
        if time.monotonic() < self._next_try:
            raise ExecutorUnavailable("the next attempt to make an executor comes later")
        try:
            executor = self._make()
        except Exception as error:
            self._next_try = time.monotonic() + self._backoff_s
            log.warning("no executor is available (%s); next attempt in %g s", error, self._backoff_s)
            self._backoff_s = min(2 * self._backoff_s, MAX_BACKOFF_S)
            raise ExecutorUnavailable(str(error)) from error
        self._backoff_s = BACKOFF_S
        return executor
