"""The workers: they take waiting jobs from the ledger and run them, a few at a time.

One thread tends: it claims a job when a place is free, says every few seconds that it lives, and
puts the jobs of dead engines back. The jobs themselves run in an executor.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Any, Final

from ci_notebook.engine.faults import Faults, JobFails, SlowJobs
from ci_notebook.engine.ledger import Job, Ledger
from ci_notebook.engine.owners import Owner, clear_up, is_dead
from ci_notebook.engine.perform import Performance
from ci_notebook.engine.running import Errand, run_elsewhere, run_here
from ci_notebook.engine.store import Store

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# A lease outlives several missed renewals, so that a busy machine loses no job to another engine.
LEASE_S: Final = 60.0
RENEW_S: Final = 5.0
# How soon a job that another process accepted is seen; what this process accepts wakes the tender.
LOOK_S: Final = 0.5
THREAD_PREFIX: Final = "ci-notebook"


class Threads(Executor):
    """A thread for each call, none of which keeps the interpreter from ending.

    A ThreadPoolExecutor would: Python waits for its threads before it runs what was registered for
    the exit, and so would wait for every running FFmpeg to finish.
    """

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Call in a thread of its own."""
        future: Future[Any] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call(*args, **named))
                except BaseException as error:  # noqa: BLE001  it travels in the future
                    future.set_exception(error)

        threading.Thread(target=run, name=f"{THREAD_PREFIX}-job", daemon=True).start()
        return future


class Worker:
    """Runs jobs until it is closed: in threads, each of which waits for one FFmpeg, or in an executor's processes.

    `on_end` is called after each job that ended.
    """

    def __init__(
        self,
        root: Path,
        ledger: Ledger,
        store: Store,
        *,
        places: int,
        new_id: Callable[[], str],
        executor: Executor | None = None,
        faults: Faults | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._root, self._ledger, self._store, self._places = root, ledger, store, places
        self._owner = Owner(root, new_id())
        self._faults, self._on_end = faults or Faults(), on_end
        self._executor, self._threads = executor, Threads()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._running: set[Future[None]] = set()
        self._tender = threading.Thread(target=self._tend, name=f"{THREAD_PREFIX}-tender", daemon=True)
        self._tender.start()

    def wake(self) -> None:
        """Say that a job may be waiting."""
        self._wake.set()

    def close(self) -> None:
        """Stop: running FFmpegs are killed, their jobs go back among the waiting."""
        self._stop.set()
        self._wake.set()
        self._tender.join()
        for future in self._running:
            future.cancel()  # what an executor has not begun
        if self._executor is not None:
            self._ledger.release(self._owner.name)  # how the processes elsewhere are told
        wait(self._running)
        self._ledger.release(self._owner.name)
        self._owner.close()

    def _tend(self) -> None:
        next_renewal = 0.0  # the dead are looked for at once
        while not self._stop.is_set():
            try:
                if time.monotonic() >= next_renewal:
                    next_renewal = time.monotonic() + RENEW_S
                    self._ledger.renew(self._owner.name, lease_s=LEASE_S)
                    self._bury()
                self._fill_places()
            except Exception:  # the tender must outlive whatever it meets, or no job would ever run again
                log.exception("the tender of jobs met an error; it goes on")
            self._wake.wait(LOOK_S)
            self._wake.clear()

    def _bury(self) -> None:
        if self._ledger.release_dead(lambda name: is_dead(self._root, name), but=self._owner.name):
            clear_up(self._root)

    def _fill_places(self) -> None:
        self._running = {one for one in self._running if not one.done()}
        while len(self._running) < self._places and not self._stop.is_set():
            job = self._ledger.claim(self._owner.name, lease_s=LEASE_S, waited_s=self._faults.wait_s())
            if job is None:
                return
            self._start(job)

    def _start(self, job: Job) -> None:
        slow, fails = self._faults.of_job(SlowJobs), self._faults.of_job(JobFails)
        linger_s = slow.run_s if slow else 0.0
        owner, folder = self._owner.name, self._owner.folder
        try:
            if self._executor is None:
                performance = Performance(
                    ledger=self._ledger, store=self._store, owner=owner, folder=folder, cancel=self._stop,
                    lease_s=LEASE_S, fails=fails,
                )  # fmt: skip
                future = self._threads.submit(run_here, performance, job, linger_s)
            else:
                errand = Errand(
                    root=self._root, job=job, owner=owner, folder=folder, lease_s=LEASE_S, linger_s=linger_s,
                    fails=fails,
                )  # fmt: skip
                future = self._executor.submit(run_elsewhere, errand)
        except BaseException:
            self._ledger.release(owner, job.job_id)
            raise
        self._running.add(future)
        future.add_done_callback(lambda ended: self._ended(job, ended))

    def _ended(self, job: Job, future: Future[None]) -> None:
        """See that a job does not stay in Running after whoever ran it has died, or never began."""
        if future.cancelled():
            self._ledger.release(self._owner.name, job.job_id)
        elif (error := future.exception()) is not None:
            log.error("job %s was lost with the process that ran it: %r", job.job_id, error)
            text = f"The process that ran the job ended with {type(error).__name__}."
            self._ledger.fail(job.job_id, self._owner.name, "InternalError", text)
        self._on_end()
        self._wake.set()
