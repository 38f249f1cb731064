"""Job worker: claims waiting jobs from the ledger and runs a few of them at a time.

One thread coordinates. It claims a job when a slot is free, renews its leases with every heartbeat, and
requeues the jobs of dead engines. The work itself runs in threads, each of which waits for one FFmpeg, or
in the processes of an executor.

Invariant: the end of a job is one transaction. Its objects appear and its state changes together, and only
if this engine still holds the lease.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ci_notebook.engine.daemon_threads import THREAD_PREFIX, DaemonThreads
from ci_notebook.engine.faults import Faults, JobFails, SlowJobs
from ci_notebook.engine.jobs.executors import MAX_ATTEMPTS, ExecutorUnavailable, JobExecutor, MakeExecutor
from ci_notebook.engine.jobs.heartbeat import FOLDER, Heartbeat, is_dead, remove_dead_folders
from ci_notebook.engine.jobs.ledger import JobRow, Ledger
from ci_notebook.engine.jobs.outcome import JobOutcome, code_of, message_of
from ci_notebook.engine.jobs.run_job import LocalSite, make_remote_job, run_job
from ci_notebook.engine.limits import Limits, disk_full_error, machine_error
from ci_notebook.engine.storage.cache import CacheOptions
from ci_notebook.engine.storage.object_store import ObjectStore
from ci_notebook.media.process import cores
from ci_notebook.model.errors import CIError, EngineError

__all__ = ["JobWorker"]

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# A lease outlives several missed renewals, so that a busy machine loses no job to another engine.
LEASE_S: Final = 60.0
RENEW_S: Final = 5.0
# How soon a job that another process accepted is found; a job that this process accepts wakes the thread.
POLL_S: Final = 0.5
# How long `close` waits for other processes, which check several times a second whether to stop.
SHUTDOWN_S: Final = 5.0
# How long `close` waits for its own threads. Each kills its FFmpeg, and may be in a long step of its own.
CLOSE_S: Final = 30.0


@dataclass(slots=True)
class _RunningJob:
    """A claimed job: its folder, how to stop it, and its progress when last read."""

    row: JobRow
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
        self._cache_options, self._threads_per_job = cache_options, max(1, cores() // slots)
        self._threads = DaemonThreads()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._running: dict[Path, _RunningJob] = {}
        self._ended: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._attempts: dict[str, int] = {}
        self._thread = threading.Thread(target=self._coordinate, name=f"{THREAD_PREFIX}-worker", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look for a waiting job now. Without a free slot this does nothing: the next end of a job looks, too."""
        if self._executor is not None or len(self._running) < self._slots:
            self._wake.set()

    def close(self) -> None:
        """Stop: running FFmpegs are killed, and their jobs go back to their queues."""
        self._stop.set()
        self._wake.set()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            log.warning("closing the engine: its coordinating thread did not end within %g s", CLOSE_S)
        for running in self._running.values():
            running.stop()
            if running.progress is not None and not running.progress.exists():
                running.future.cancel()  # submitted to the executor, but not started
        wait([running.future for running in self._running.values()], timeout=SHUTDOWN_S if self._executor else CLOSE_S)
        for running in list(self._running.values()):
            running.future.cancel()
            if not running.future.done():
                log.warning("closing the engine: job %s has not stopped yet; it will run again", running.row.job_id)
            try:
                if running.future.done():
                    self._conclude(running)
            except (CIError, OSError, sqlite3.Error):
                log.exception("the end of job %s could not be written; it will run again", running.row.job_id)
        try:
            self._ledger.release(self._heartbeat.name)
        except (CIError, OSError, sqlite3.Error):
            log.exception("the ledger cannot be written; the running jobs run again when their lease ends")
        self._heartbeat.close()
        if self._executor is not None:
            self._executor.close()

    def _coordinate(self) -> None:
        next_beat = 0.0  # dead engines are looked for at once
        while not self._stop.is_set():
            try:
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + RENEW_S
                    self._beat()
                    self._ledger.renew(self._heartbeat.name, lease_s=LEASE_S)
                    self._stop_lost_jobs()
                    self._requeue_dead()
                self._conclude_all()
                self._read_progress()
                self._fill_slots()
            except Exception:  # the thread must survive any error, or no job would ever run again
                log.exception("the job worker met an error and continues")
            self._wake.wait(POLL_S)
            self._wake.clear()

    def _beat(self) -> None:
        try:
            self._heartbeat.beat()
        except OSError as error:  # jobs that start now fail with the reason
            log.error("the working folder %s cannot be used: %s", self._heartbeat.folder, error)

    def _stop_lost_jobs(self) -> None:
        """Stop the jobs that another engine took over, because this one slept for longer than its lease."""
        own = self._ledger.running(self._heartbeat.name)
        for running in self._running.values():
            if running.row.job_id not in own:
                running.stop()

    def _requeue_dead(self) -> None:
        if self._ledger.release_dead(lambda name: is_dead(self._root, name), but=self._heartbeat.name):
            remove_dead_folders(self._root)

    def _read_progress(self) -> None:
        """Copy the progress of jobs in other processes to the ledger."""
        for running in self._running.values():
            if running.progress is not None:
                with contextlib.suppress(FileNotFoundError, ValueError):
                    percent = int(running.progress.read_text())
                    if percent > running.percent:
                        running.percent = percent
                        self._ledger.note_progress(running.row.job_id, self._heartbeat.name, percent)

    def _fill_slots(self) -> None:
        if self._executor is not None and not self._executor.is_ready():
            return
        slots = self._executor.slots if self._executor else lambda: self._slots
        while not self._stop.is_set() and len(self._running) < slots():
            row = self._ledger.claim(self._heartbeat.name, lease_s=LEASE_S, waited_s=self._faults.wait_s())
            if row is None:
                return
            try:
                self._start(row)
            except ExecutorUnavailable:
                self._ledger.release(self._heartbeat.name, row.job_id)
                return  # jobs wait until there is an executor again
            except BaseException:
                self._ledger.release(self._heartbeat.name, row.job_id)
                raise

    def _start(self, row: JobRow) -> None:
        folder = self._heartbeat.folder / f"{row.job_id[:9]}-{secrets.token_hex(4)}"
        try:
            self._heartbeat.ensure_folder()
            folder.mkdir(mode=0o700)
            running = (
                self._start_remote(self._executor, row, folder) if self._executor else self._start_local(row, folder)
            )
        except (ExecutorUnavailable, CIError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, ExecutorUnavailable):
                raise
            self._write_end(row, _failed(machine_error(error) or _without_paths(error)))
            self._on_end()
            return
        self._running[folder] = running
        running.future.add_done_callback(lambda _: self._note_end(folder))

    def _start_local(self, row: JobRow, folder: Path) -> _RunningJob:
        stop = threading.Event()
        site = LocalSite(self._ledger, self._store, row, self._heartbeat.name)
        future = self._threads.submit(
            run_job, row, site, folder, is_unwanted=stop.is_set, threads=self._threads_per_job, **self._run_options()
        )
        return _RunningJob(row, folder, stop.set, future)

    def _start_remote(self, executor: JobExecutor, row: JobRow, folder: Path) -> _RunningJob:
        remote = make_remote_job(
            row, self._store, folder, slots_per_machine=executor.slots_per_machine(), **self._run_options()
        )
        try:
            future = executor.submit(remote)
        except (BrokenExecutor, RuntimeError) as error:
            text = f"The executor takes no more jobs ({type(error).__name__}: {error})."
            raise EngineError(
                f"{text} Open the engine again with a new executor, or with a function that creates one."
            ) from error
        return _RunningJob(row, folder, remote.stop.touch, future, remote.progress)

    def _run_options(self) -> dict[str, Any]:
        slow, fault = self._faults.of_job(SlowJobs), self._faults.of_job(JobFails)
        return {
            "limits": self._limits, "room_bytes": self._limits.room(self._root),
            "extra_s": slow.run_s if slow else 0.0, "fault": fault, "cache_options": self._cache_options,
        }  # fmt: skip

    def _note_end(self, folder: Path) -> None:
        self._ended.put(folder)
        self._wake.set()

    def _conclude_all(self) -> None:
        while not self._ended.empty():
            folder = self._ended.get()
            try:
                self._conclude(self._running[folder])
            except BaseException:
                self._ended.put(folder)  # for example, the disk is full: the end is written as soon as possible
                raise
            del self._running[folder]

    def _conclude(self, running: _RunningJob) -> None:
        """Write the end of a job whose work is over."""
        running.outcome = running.outcome or self._outcome(running)
        try:
            self._write_end(running.row, running.outcome)
        except (OSError, sqlite3.Error) as error:
            full = disk_full_error(error)
            if full is None and isinstance(error, sqlite3.Error):
                raise  # for example, another process holds the ledger: the same end is written later
            log.warning("the files of job %s cannot be stored: %s", running.row.job_id, error)
            again = full is None and self._may_try_again(running.row)
            running.outcome = JobOutcome(state="Submitted") if again else _failed(full or machine_error(error) or error)
            shutil.rmtree(running.folder, ignore_errors=True)  # which may free the space that this end needs
            self._write_end(running.row, running.outcome)
        shutil.rmtree(running.folder, ignore_errors=True)
        self._on_end()

    def _write_end(self, row: JobRow, outcome: JobOutcome) -> None:
        self._store.adopt_all(
            outcome.files, only_if=lambda change: self._ledger.end(change, row.job_id, self._heartbeat.name, outcome)
        )

    def _outcome(self, running: _RunningJob) -> JobOutcome:
        """Return the outcome of a job, also when its process died or never started it."""
        error = CancelledError() if running.future.cancelled() else running.future.exception()
        if error is None:
            outcome = running.future.result()
            return (
                self._without_folder(running) if outcome.state == "Failed" and not running.folder.exists() else outcome
            )
        if self._stop.is_set():
            return JobOutcome(state="Submitted")
        is_replaceable = self._executor is not None and self._executor.is_replaceable
        if isinstance(error, BrokenExecutor | CancelledError) and self._executor is not None and is_replaceable:
            self._executor.replace(error)
        if isinstance(error, CancelledError) and is_replaceable:
            return JobOutcome(state="Submitted")  # no process ran it: the executor ended first
        if isinstance(error, BrokenExecutor) and is_replaceable and self._may_try_again(running.row):
            return JobOutcome(state="Submitted")
        log.error("job %s was lost with the process that ran it: %r", running.row.job_id, error)
        return _process_lost(error)

    def _without_folder(self, running: _RunningJob) -> JobOutcome:
        """Return the outcome of a job whose folder was removed during the work: it runs again, a few times."""
        if self._may_try_again(running.row):
            return JobOutcome(state="Submitted")
        text = f"The engine's working folder {FOLDER} was removed while the job ran, {MAX_ATTEMPTS} times."
        return _failed(EngineError(f"{text} Stop what removes it, then submit the job again."))

    def _may_try_again(self, row: JobRow) -> bool:
        """Count a failed attempt; return whether another one is allowed."""
        self._attempts[row.job_id] = self._attempts.get(row.job_id, 0) + 1
        return self._attempts[row.job_id] < MAX_ATTEMPTS


def _process_lost(error: BaseException) -> JobOutcome:
    text = f"The process that ran the job ended with {type(error).__name__}: {str(error)[:300]}"
    return JobOutcome(state="Failed", code="InternalError", message=text)


def _without_paths(error: BaseException) -> BaseException:
    if not isinstance(error, OSError):
        return error
    reason = error.strerror or type(error).__name__
    return EngineError(f"The engine's working folder {FOLDER} cannot be used ({reason}). Check its permissions.")


def _failed(error: BaseException) -> JobOutcome:
    return JobOutcome(state="Failed", code=code_of(error), message=message_of(error))
