"""The workers: they take waiting jobs from the ledger and run them, a few at a time.

One thread tends: it claims a job when a place is free, says every few seconds that it lives, puts
the jobs of dead engines back, and writes the end of each job: its objects appear and its state
changes in one transaction, and only if the job is still this engine's. The work itself is done in
threads, each of which waits for one FFmpeg, or by an executor's processes.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ci_notebook.engine.faults import Faults, JobFails, SlowJobs
from ci_notebook.engine.jobs.executors import MAX_ATTEMPTS, ExecutorUnavailable, JobExecutor, MakeExecutor
from ci_notebook.engine.jobs.heartbeat import Heartbeat, is_dead, remove_dead_folders
from ci_notebook.engine.jobs.ledger import JobRow, Ledger
from ci_notebook.engine.jobs.outcome import JobOutcome
from ci_notebook.engine.jobs.run_job import LocalSite, make_remote_job, run_job
from ci_notebook.engine.limits import Limits, disk_full_error
from ci_notebook.engine.storage.cache import CacheOptions
from ci_notebook.engine.storage.object_store import ObjectStore
from ci_notebook.media.process import cores
from ci_notebook.model.errors import EngineError, ServiceError

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# A lease outlives several missed renewals, so that a busy machine loses no job to another engine.
LEASE_S: Final = 60.0
RENEW_S: Final = 5.0
# How soon a job that another process accepted is seen; what this process accepts wakes the tender.
POLL_S: Final = 0.5
# How long processes elsewhere are waited for when the engine is closed; they look some times a second.
SHUTDOWN_S: Final = 5.0
THREAD_PREFIX: Final = "ci-notebook"


class DaemonThreads(Executor):
    """A thread for each call, none of which keeps the interpreter from ending.

    A ThreadPoolExecutor would: Python waits for its threads before it runs what was registered for
    the exit, and so would wait for every running FFmpeg to finish.
    """

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Call in a thread of its own."""
        future: Future[Any] = Future()

        def run_job() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call(*args, **named))
                except BaseException as error:  # noqa: BLE001  it travels in the future
                    future.set_exception(error)

        threading.Thread(target=run_job, name=f"{THREAD_PREFIX}-job", daemon=True).start()
        return future


@dataclass(slots=True)
class _Running:
    """A job in hand: where its work lies, how it is told to stop, and how far it was when last looked at."""

    job: JobRow
    folder: Path
    stop: Callable[[], None]
    future: Future[JobOutcome]
    progress: Path | None = None
    percent: int = 0
    outcome: JobOutcome | None = None


class JobWorker:
    """Runs jobs until it is closed. `on_end` is called after each job that ended."""

    def __init__(
        self,
        root: Path,
        ledger: Ledger,
        store: ObjectStore,
        *,
        slots: int,
        new_id: Callable[[], str],
        executor: Executor | MakeExecutor | None = None,
        limits: Limits | None = None,
        cache_options: CacheOptions | None = None,
        faults: Faults | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._root, self._ledger, self._store, self._slots = root, ledger, store, slots
        self._heartbeat = Heartbeat(root, new_id())
        self._limits, self._faults, self._on_end = limits or Limits(), faults or Faults(), on_end
        self._executor = JobExecutor(executor, slots) if executor is not None else None
        self._cache_options, self._share = cache_options, max(1, cores() // slots)
        self._threads = DaemonThreads()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._running: dict[Path, _Running] = {}
        self._ended: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._tries: dict[str, int] = {}
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
        for one in self._running.values():
            one.stop()
            if one.progress is not None and not one.progress.exists():
                one.future.cancel()  # handed over and not begun
        wait([one.future for one in self._running.values()], timeout=SHUTDOWN_S if self._executor else None)
        for one in list(self._running.values()):
            one.future.cancel()
            try:
                if one.future.done():
                    self._conclude(one)
            except (OSError, sqlite3.Error):
                log.exception("the end of job %s could not be written; it will run again", one.job.job_id)
        self._ledger.release(self._heartbeat.name)
        self._heartbeat.close()
        if self._executor is not None:
            self._executor.close()

    def _tend(self) -> None:
        next_renewal = 0.0  # the dead are looked for at once
        while not self._stop.is_set():
            try:
                if time.monotonic() >= next_renewal:
                    next_renewal = time.monotonic() + RENEW_S
                    self._heartbeat.beat()
                    self._ledger.renew(self._heartbeat.name, lease_s=LEASE_S)
                    self._let_go()
                    self._bury()
                self._conclude_all()
                self._look_around()
                self._fill_places()
            except Exception:  # the tender must outlive whatever it meets, or no job would ever run again
                log.exception("the tender of jobs met an error; it goes on")
            self._wake.wait(POLL_S)
            self._wake.clear()

    def _let_go(self) -> None:
        """Stop the jobs that another engine has taken, because this one slept for longer than its lease."""
        mine = self._ledger.running(self._heartbeat.name)
        for one in self._running.values():
            if one.job.job_id not in mine:
                one.stop()

    def _bury(self) -> None:
        if self._ledger.release_dead(lambda name: is_dead(self._root, name), but=self._heartbeat.name):
            remove_dead_folders(self._root)

    def _look_around(self) -> None:
        """See how far the jobs elsewhere are."""
        for one in self._running.values():
            if one.progress is not None:
                with contextlib.suppress(FileNotFoundError, ValueError):
                    percent = int(one.progress.read_text())
                    if percent > one.percent:
                        one.percent = percent
                        self._ledger.note_progress(one.job.job_id, self._heartbeat.name, percent)

    def _fill_places(self) -> None:
        if self._executor is not None and not self._executor.is_ready():
            return
        while not self._stop.is_set() and len(self._running) < (
            self._executor.slots() if self._executor else self._slots
        ):
            job = self._ledger.claim(self._heartbeat.name, lease_s=LEASE_S, waited_s=self._faults.wait_s())
            if job is None:
                return
            try:
                self._start(job)
            except ExecutorUnavailable:
                self._ledger.release(self._heartbeat.name, job.job_id)
                return  # jobs go on waiting until an executor is there again
            except BaseException:
                self._ledger.release(self._heartbeat.name, job.job_id)
                raise

    def _start(self, job: JobRow) -> None:
        folder = Path(tempfile.mkdtemp(prefix=f"{job.job_id[:9]}-", dir=self._heartbeat.folder))
        try:
            one = self._far(self._executor, job, folder) if self._executor else self._near(job, folder)
        except (ExecutorUnavailable, EngineError, ServiceError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, ExecutorUnavailable):
                raise
            self._write_end(job, _failed(disk_full_error(error) or error))
            self._on_end()
            return
        self._running[folder] = one
        one.future.add_done_callback(lambda _: self._is_over(folder))

    def _near(self, job: JobRow, folder: Path) -> _Running:
        stop = threading.Event()
        future = self._threads.submit(
            run_job, job, LocalSite(self._ledger, self._store, job, self._heartbeat.name), folder,
            is_unwanted=stop.is_set, threads=self._share, **self._asked(),
        )  # fmt: skip
        return _Running(job, folder, stop.set, future)

    def _far(self, executor: JobExecutor, job: JobRow, folder: Path) -> _Running:
        remote = make_remote_job(
            job, self._store, folder, slots_per_machine=executor.slots_per_machine(), **self._asked()
        )
        try:
            future = executor.submit(remote)
        except (BrokenExecutor, RuntimeError) as error:
            text = f"The executor takes no more jobs ({type(error).__name__}: {error})."
            raise EngineError(f"{text} Open the engine with another one, or with a function that makes one.") from error
        return _Running(job, folder, remote.stop.touch, future, remote.progress)

    def _asked(self) -> dict[str, Any]:
        slow, fault = self._faults.of_job(SlowJobs), self._faults.of_job(JobFails)
        return {
            "limits": self._limits, "room_bytes": self._limits.room(self._root),
            "linger_s": slow.run_s if slow else 0.0, "fails": fault, "keeping": self._cache_options,
        }  # fmt: skip

    def _is_over(self, folder: Path) -> None:
        self._ended.put(folder)
        self._wake.set()

    def _conclude_all(self) -> None:
        while not self._ended.empty():
            folder = self._ended.get()
            try:
                self._conclude(self._running[folder])
            except BaseException:
                self._ended.put(folder)  # the disk is full, say: the end is written as soon as it can be
                raise
            del self._running[folder]

    def _conclude(self, one: _Running) -> None:
        """Write the end of a job whose work is over."""
        one.outcome = one.outcome or self._outcome(one)
        try:
            self._write_end(one.job, one.outcome)
        except (OSError, sqlite3.Error) as error:
            full = disk_full_error(error)
            if full is None and isinstance(error, sqlite3.Error):
                raise  # another holds the ledger, say: the same end is written later
            log.warning("what job %s made cannot be kept: %s", one.job.job_id, error)
            again = full is None and self._may_try_again(one.job)
            one.outcome = JobOutcome(state="Submitted") if again else _failed(full or error)
            shutil.rmtree(one.folder, ignore_errors=True)  # which may make the room to write that much
            self._write_end(one.job, one.outcome)
        shutil.rmtree(one.folder, ignore_errors=True)
        self._on_end()

    def _write_end(self, job: JobRow, outcome: JobOutcome) -> None:
        self._store.adopt_all(
            outcome.files, only_if=lambda change: self._ledger.end(change, job.job_id, self._heartbeat.name, outcome)
        )

    def _outcome(self, one: _Running) -> JobOutcome:
        """Return what came of a job, also of one whose process died, or never began."""
        error = CancelledError() if one.future.cancelled() else one.future.exception()
        if error is None:
            return one.future.result()
        if self._stop.is_set():
            return JobOutcome(state="Submitted")
        again = self._executor is not None and self._executor.is_made_again
        if isinstance(error, BrokenExecutor | CancelledError) and self._executor is not None and again:
            self._executor.drop(error)
        if isinstance(error, CancelledError) and again:
            return JobOutcome(state="Submitted")  # nobody ran it: the executor went away
        if isinstance(error, BrokenExecutor) and again and self._may_try_again(one.job):
            return JobOutcome(state="Submitted")
        log.error("job %s was lost with the process that ran it: %r", one.job.job_id, error)
        return _process_lost(error)

    def _may_try_again(self, job: JobRow) -> bool:
        """Count a try that came to nothing; True while there were few."""
        self._tries[job.job_id] = self._tries.get(job.job_id, 0) + 1
        return self._tries[job.job_id] < MAX_ATTEMPTS


def _process_lost(error: BaseException) -> JobOutcome:
    text = f"The process that ran the job ended with {type(error).__name__}: {str(error)[:300]}"
    return JobOutcome(state="Failed", code="InternalError", message=text)


def _failed(error: BaseException) -> JobOutcome:
    code = getattr(error, "code", "InternalError")
    text = error.message if isinstance(error, ServiceError | EngineError) else f"{type(error).__name__}: {error}"
    return JobOutcome(state="Failed", code=code, message=text)
