"""Who works elsewhere: an executor that jobs are handed to, and made again when it broke, if we were told how."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Final, Protocol, runtime_checkable

from ci_notebook.engine.jobs.outcome import JobOutcome
from ci_notebook.engine.jobs.run_job import RemoteJob, run_remote

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# How soon an executor that could not be made is tried again; twice as late each time.
RETRY_S, MAX_RETRY_S = 1.0, 30.0
# A job whose process dies again and again takes its processes with it: it is not tried for ever.
MAX_ATTEMPTS: Final = 3

MakeExecutor = Callable[[], Executor]


@runtime_checkable
class SlotCounter(Protocol):
    """What makes executors and knows how many jobs they can work on at once."""

    def slots(self) -> int:
        """Return how many."""

    def slots_per_machine(self) -> int:
        """Return how many of them are on one machine, at most."""


class ExecutorUnavailable(Exception):
    """There is no executor just now; there may be one later."""


class JobExecutor:
    """An executor, or what makes one. `slots` is how many jobs it gets at once, unless the maker knows better."""

    def __init__(self, executor: Executor | MakeExecutor, slots: int) -> None:
        self._make = None if isinstance(executor, Executor) else executor
        self._executor = executor if isinstance(executor, Executor) else None
        self._slots = slots
        self._lock = threading.Lock()
        self._next, self._wait_s = 0.0, RETRY_S

    @property
    def is_made_again(self) -> bool:
        """Whether a broken executor is followed by another."""
        return self._make is not None

    def is_ready(self) -> bool:
        """Return whether there is an executor; makes one if it can. A broken one is found out by handing it a job."""
        try:
            self._take()
        except ExecutorUnavailable:
            return False
        return True

    def slots(self) -> int:
        """Return how many jobs may be handed over at once."""
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
        """Hand a job over. Raises `ExecutorUnavailable` when another executor is to be had later, and the executor's own errors."""
        executor = self._take()
        try:
            return executor.submit(run_remote, remote)
        except Exception as error:
            if self._make is None:
                raise
            self.drop(error)
            raise ExecutorUnavailable(str(error)) from error

    def drop(self, error: BaseException) -> None:
        """Take another executor from now on, because this one broke."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            log.warning("the executor broke (%s: %s); another is made", type(error).__name__, error)
            executor.shutdown(wait=False)

    def close(self) -> None:
        """Give back an executor that was made here."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None and self._make is not None:
            executor.shutdown(wait=False)

    def _take(self) -> Executor:
        with self._lock:
            if self._executor is None:
                self._executor = self._made()
            return self._executor

    def _made(self) -> Executor:
        if self._make is None:
            raise RuntimeError("the executor was given back")
        if time.monotonic() < self._next:
            raise ExecutorUnavailable("the executor is tried again later")
        try:
            made = self._make()
        except Exception as error:
            self._next = time.monotonic() + self._wait_s
            log.warning("no executor can be had (%s); tried again in %g s", error, self._wait_s)
            self._wait_s = min(2 * self._wait_s, MAX_RETRY_S)
            raise ExecutorUnavailable(str(error)) from error
        self._wait_s = RETRY_S
        return made
