"""Runs one job to its outcome, in this process or in another one that an executor provides.

An executor of processes gets a `RemoteJob`: plain values that can be pickled. The process that runs it
opens no ledger, because SQLite's WAL does not work over a network. It reads its objects from the job's
folder, which it shares with the engine. It writes its progress there, checks there whether the job is
still wanted, and returns a `JobOutcome`. Only the engine that owns the job's lease creates objects.

    .owners/OWNER/beat          counts on while the owner lives (its heartbeat)
    .owners/OWNER/JOB/held/     the objects that the job reads
    .owners/OWNER/JOB/progress  whole percents
    .owners/OWNER/JOB/stop      exists when the job is no longer wanted, as does removing the folder
    .owners/OWNER/JOB/try-*/    the work of one attempt

Invariant: every error becomes part of the outcome; nothing is raised.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from ci_notebook._folders import private_folder
from ci_notebook._version import __version__
from ci_notebook.engine.faults import JobFails
from ci_notebook.engine.jobs.heartbeat import write_atomically
from ci_notebook.engine.jobs.ledger import JobRow, Ledger
from ci_notebook.engine.jobs.outcome import JobOutcome, code_of
from ci_notebook.engine.jobs.render_job import JobResources, JobSite, key_in_url, link_or_copy, render_job
from ci_notebook.engine.limits import CHECK_S, LimitGuard, Limits, machine_error
from ci_notebook.engine.storage.cache import CacheOptions
from ci_notebook.engine.storage.object_store import ObjectStore
from ci_notebook.media.ffmpeg import Cancelled
from ci_notebook.media.probe import media_info
from ci_notebook.media.process import cores
from ci_notebook.media.streams.damage import damage_error, damage_of
from ci_notebook.media.streams.time_limit import interruptible
from ci_notebook.model.api.jobs import Operation, named_as_sent
from ci_notebook.model.bounds import restore_bounds
from ci_notebook.model.declaration.node import walk
from ci_notebook.model.errors import CIError, EngineError, ServiceError
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import loads

__all__ = ["CancelCheck", "LocalSite", "RemoteJob", "RemoteSite", "make_remote_job", "run_job", "run_remote"]

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# How often another process checks whether its job is still wanted.
REMOTE_CHECK_S: Final = 0.15
# An owner without a heartbeat for so long is dead, or out of reach.
SILENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteJob:
    """A job for another process. `objects` maps the keys that it may read to paths below `folder`.

    `extra_s` and `fault` are injected faults; `cache_options` is as in `JobResources`. At most
    `slots_per_machine` jobs run at once on one machine, and share its cores.
    """

    job: JobRow
    folder: Path
    objects: Mapping[str, str]
    limits: Limits
    room_bytes: int | None = None
    extra_s: float = 0.0
    fault: JobFails | None = None
    cache_options: CacheOptions | None = None
    slots_per_machine: int = 1
    version: str = __version__

    @property
    def stop(self) -> Path:
        """The file whose existence says that the job is no longer wanted."""
        return self.folder / "stop"

    @property
    def progress(self) -> Path:
        """The file that holds the progress in percent."""
        return self.folder / "progress"


class LocalSite:
    """Site of a job in the engine's own process: its ledger and its object store."""

    def __init__(self, ledger: Ledger, store: ObjectStore, job: JobRow, owner: str) -> None:
        self._ledger, self._store, self._job, self._owner = ledger, store, job, owner

    def open(self, bucket: str, key: str) -> tuple[Path, BinaryIO]:
        """Return the path of an object's bytes, and its open file."""
        stored, opened = self._store.open(bucket, key)
        return self._store.path(stored), opened

    def report(self, percent: int) -> None:
        """Write the progress to the ledger."""
        self._ledger.note_progress(self._job.job_id, self._owner, percent)


class RemoteSite:
    """Site of a job in another process: the folder of its `RemoteJob`."""

    def __init__(self, remote: RemoteJob) -> None:
        self._remote = remote

    def open(self, bucket: str, key: str) -> tuple[Path, BinaryIO]:
        """Return the path of an object's bytes, and its open file."""
        if key not in self._remote.objects:
            raise service_error("NoSuchKey", f"Bucket {bucket} has no object {key}.")
        path = self._remote.folder / self._remote.objects[key]
        return path, path.open("rb")

    def report(self, percent: int) -> None:
        """Write the progress into the folder, where the owner reads it."""
        write_atomically(self._remote.progress, str(percent))


def run_job(
    job: JobRow,
    site: JobSite,
    folder: Path,
    *,
    limits: Limits,
    room_bytes: int | None,
    is_unwanted: Callable[[], bool],
    extra_s: float = 0.0,
    fault: JobFails | None = None,
    cache_options: CacheOptions | None = None,
    threads: int | None = None,
    check_s: float = CHECK_S,
) -> JobOutcome:
    """Do a job's work in `folder` and return its outcome. Errors are part of the outcome."""

    def length_s() -> float | None:
        path, opened = site.open(job.bucket, job.input_object)
        opened.close()
        container = media_info(path).format
        return container.duration if container else None

    def stop_if_cancelled(_: str) -> None:
        if guard.cancel.is_set():
            raise Cancelled("The job was cancelled, or reached a limit.", code="Cancelled")

    with LimitGuard(
        limits, folder, room_bytes=room_bytes, is_unwanted=is_unwanted, length_s=length_s, check_s=check_s
    ) as guard:
        try:
            guard.cancel.wait(extra_s)
            stop_if_cancelled("")
            resources = JobResources(
                site=site, folder=folder, cancel=guard.cancel, fault=fault, cache_options=cache_options, threads=threads
            )
            with interruptible(stop_if_cancelled):
                return render_job(resources, job)
        except Cancelled:
            return _failed(guard.why) if guard.why else JobOutcome(state="Submitted")
        except Exception as error:  # noqa: BLE001  the top of a worker: the job reports that it failed, the log says why
            if guard.cancel.is_set() and guard.why is None:
                return JobOutcome(state="Submitted")  # for example, its folder was removed during the work
            try:
                known = guard.why or machine_error(error) or _damage(error, job, site, guard.cancel)
            except Cancelled:
                return _failed(guard.why, job) if guard.why else JobOutcome(state="Submitted")
            return _failed(known or error, job)


def _damage(error: Exception, job: JobRow, site: JobSite, cancel: threading.Event) -> EngineError | None:
    """Return the error to report if the job failed without a reason of ours, and its source is damaged."""
    if isinstance(error, ServiceError | OSError) or (isinstance(error, CIError) and code_of(error) != "InternalError"):
        return None
    path, opened = site.open(job.bucket, job.input_object)
    with opened:
        reason = damage_of(path, cancel=cancel)
    if not reason:
        return None
    log.warning("job %s failed, and its source is damaged", job.job_id, exc_info=error)
    name = job.input_object.rpartition("/")[2]
    return damage_error(Path(name), reason.replace(path.name, name))


def _failed(error: BaseException, job: JobRow | None = None) -> JobOutcome:
    job_id, tag = (job.job_id, job.tag) if job else ("", "")
    if isinstance(error, ServiceError):
        return JobOutcome(state="Failed", code=error.code, message=error.message)
    if isinstance(error, CIError):
        log.info("job %s failed: %s", job_id, error)
        return JobOutcome(state="Failed", code=code_of(error), message=named_as_sent(tag, str(error)))
    log.error("job %s failed", job_id, exc_info=error)
    text = f"The engine failed with {type(error).__name__}; its log has the reason under this job's id."
    return JobOutcome(state="Failed", code="InternalError", message=text)


def make_remote_job(job: JobRow, store: ObjectStore, folder: Path, **options: Any) -> RemoteJob:
    """Return a job for another process, with the objects that it reads linked into `folder`."""
    keys_in_settings = {
        key_in_url(value)
        for _, part, value in walk(loads(Operation, job.work))
        if part.tag in ("Url", "AudioSource") and isinstance(value, str)
    }
    objects: dict[str, str] = {}
    for number, key in enumerate(sorted({job.input_object, *keys_in_settings})):
        if store.head(job.bucket, key) is None:
            continue  # the job fails if it needs this object
        stored, opened = store.open(job.bucket, key)
        place = private_folder(private_folder(folder / "held") / str(number))
        with opened:
            objects[key] = str(link_or_copy(store.path(stored), opened, key, place).relative_to(folder))
    return RemoteJob(job=job, folder=folder.absolute(), objects=objects, **options)


def run_remote(remote: RemoteJob) -> JobOutcome:
    """Run a job in a process that shares its folder with the engine, and return its outcome."""
    if remote.version != __version__:
        text = f"The engine has ci_notebook {remote.version}, but a worker of its executor has {__version__}."
        return _failed(EngineError(f"{text} Install the same version on both."), remote.job)
    if not remote.folder.is_dir():
        text = f"A worker cannot find the engine's folder {remote.folder.parents[2].name}."
        return _failed(EngineError(f"{text} Mount it on the worker's machine at the same path."), remote.job)
    restore_bounds(remote.limits.bounds)
    write_atomically(remote.progress, "0")
    attempt = Path(tempfile.mkdtemp(prefix="try-", dir=remote.folder))
    outcome = run_job(
        remote.job, RemoteSite(remote), attempt, limits=remote.limits, room_bytes=remote.room_bytes,
        is_unwanted=CancelCheck(remote), extra_s=remote.extra_s, fault=remote.fault,
        cache_options=remote.cache_options, threads=max(1, cores() // remote.slots_per_machine),
        check_s=REMOTE_CHECK_S,
    )  # fmt: skip
    if outcome.state != "Success":
        shutil.rmtree(attempt, ignore_errors=True)
    return outcome


class CancelCheck:
    """Says whether a remote job is no longer wanted: stopped, folder removed, or its owner's heartbeat missing."""

    def __init__(self, remote: RemoteJob) -> None:
        self._remote, self._beat_file = remote, remote.folder.parent / "beat"
        self._beat, self._changed = "", time.monotonic()

    def __call__(self) -> bool:
        """Check the folder and the heartbeat."""
        if self._remote.stop.exists() or not self._remote.folder.exists():
            return True
        try:
            beat = self._beat_file.read_text()
        except OSError:
            beat = self._beat
        if beat != self._beat:
            self._beat, self._changed = beat, time.monotonic()
        return time.monotonic() - self._changed > SILENCE_S
