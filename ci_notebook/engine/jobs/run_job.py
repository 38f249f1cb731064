"""One job run to its outcome, whatever that is: in this process, or in another one that an executor has.

An executor of processes gets an `Errand`: plain values that can be pickled. Whoever runs one opens
no ledger (SQLite's WAL is no network protocol): it finds its objects in the errand's folder, which
it shares with the engine, writes its progress there, looks there whether it is still wanted, and
gives back an `Outcome`. Only the engine that owns the job makes objects of what lies there.

    .owners/OWNER/beat          counts on while the owner lives
    .owners/OWNER/JOB/held/     the objects that the job reads
    .owners/OWNER/JOB/progress  whole percents
    .owners/OWNER/JOB/stop      made when the job is no longer wanted, as is removing the folder
    .owners/OWNER/JOB/try-*/    one attempt's work
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from ci_notebook._version import __version__
from ci_notebook.engine.faults import JobFails
from ci_notebook.engine.jobs.execute import Performance, Site, hold, key_of, perform
from ci_notebook.engine.jobs.heartbeat import write_whole
from ci_notebook.engine.jobs.ledger import Job, Ledger
from ci_notebook.engine.jobs.outcome import Outcome
from ci_notebook.engine.limits import LOOK_S, Guard, Limits, as_full
from ci_notebook.engine.storage.cache import Keeping
from ci_notebook.engine.storage.objects import Store
from ci_notebook.media.ffmpeg import Cancelled
from ci_notebook.media.probe import media_info
from ci_notebook.media.process import cores
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import walk
from ci_notebook.model.errors import CIError, EngineError, ServiceError
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import loads

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# How soon a process elsewhere finds out that its job is no longer wanted.
FAR_LOOK_S: Final = 0.15
# An owner whose beat stands still for so long is dead, or cannot be reached.
SILENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A job for another process. `held` are the objects it may read, each by where it lies below `folder`.

    `linger_s` and `fails` are faults that were asked for; `keeping` is as in
    `Performance`. On a machine at most `beside` jobs run at once, and share its cores.
    """

    job: Job
    folder: Path
    held: Mapping[str, str]
    limits: Limits
    room_bytes: int | None = None
    linger_s: float = 0.0
    fails: JobFails | None = None
    keeping: Keeping | None = None
    beside: int = 1
    version: str = __version__

    @property
    def stop(self) -> Path:
        """The file that says that the job is no longer wanted."""
        return self.folder / "stop"

    @property
    def progress(self) -> Path:
        """The file that says how far the job is."""
        return self.folder / "progress"


class NearSite:
    """The engine's own ledger and store."""

    def __init__(self, ledger: Ledger, store: Store, job: Job, owner: str) -> None:
        self._ledger, self._store, self._job, self._owner = ledger, store, job, owner

    def open(self, bucket: str, key: str) -> tuple[Path, BinaryIO]:
        """Return where an object's bytes lie, and its open file."""
        stored, opened = self._store.open(bucket, key)
        return self._store.path(stored), opened

    def tell(self, percent: int) -> None:
        """Write it to the ledger."""
        self._ledger.note_progress(self._job.job_id, self._owner, percent)


class FarSite:
    """An errand's folder."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand

    def open(self, bucket: str, key: str) -> tuple[Path, BinaryIO]:
        """Return where an object's bytes lie, and its open file."""
        if key not in self._errand.held:
            raise service_error("NoSuchKey", f"Bucket {bucket} has no object {key}.")
        path = self._errand.folder / self._errand.held[key]
        return path, path.open("rb")

    def tell(self, percent: int) -> None:
        """Write it beside the work; the owner looks there."""
        write_whole(self._errand.progress, str(percent))


def run(
    job: Job,
    site: Site,
    folder: Path,
    *,
    limits: Limits,
    room_bytes: int | None,
    is_unwanted: Callable[[], bool],
    linger_s: float = 0.0,
    fails: JobFails | None = None,
    keeping: Keeping | None = None,
    threads: int | None = None,
    look_s: float = LOOK_S,
) -> Outcome:
    """Do a job's work in `folder` and return what came of it. Whatever goes wrong is in the outcome."""

    def length_s() -> float | None:
        path, opened = site.open(job.bucket, job.input_object)
        opened.close()
        about = media_info(path).format
        return about.duration if about else None

    with Guard(
        limits, folder, room_bytes=room_bytes, is_unwanted=is_unwanted, length_s=length_s, look_s=look_s
    ) as guard:
        try:
            if guard.cancel.wait(linger_s):
                raise Cancelled("the job is not wanted, or came to a limit", code="Cancelled")
            with_ = Performance(
                site=site, folder=folder, cancel=guard.cancel, fails=fails, keeping=keeping, threads=threads
            )
            return perform(with_, job)
        except Cancelled:
            return _failed(guard.why) if guard.why else Outcome(state="Submitted")
        except Exception as error:  # noqa: BLE001  the top of a worker: the job says that it failed, the log says why
            if guard.cancel.is_set() and guard.why is None:
                return Outcome(state="Submitted")  # its folder was taken from under it, say
            return _failed(guard.why or as_full(error) or error, job)


def _failed(error: BaseException, job: Job | None = None) -> Outcome:
    about = job.job_id if job else ""
    if isinstance(error, ServiceError):
        return Outcome(state="Failed", code=error.code, message=error.message)
    if isinstance(error, CIError):
        log.info("job %s failed: %s", about, error)
        return Outcome(state="Failed", code=getattr(error, "code", "InternalError"), message=str(error))
    log.error("job %s failed", about, exc_info=error)
    text = f"The engine failed with {type(error).__name__}; its log has the reason under this job's id."
    return Outcome(state="Failed", code="InternalError", message=text)


def errand_of(job: Job, store: Store, folder: Path, **asked: Any) -> Errand:
    """Return a job as what another process can do, with the objects it reads laid into `folder`."""
    named = {
        key_of(value)
        for _, part, value in walk(loads(Operation, job.work))
        if part.tag in ("Url", "AudioSource") and isinstance(value, str)
    }
    held: dict[str, str] = {}
    for number, key in enumerate(sorted({job.input_object, *named})):
        if store.head(job.bucket, key) is None:
            continue  # the job fails with it, if it comes to need it
        stored, opened = store.open(job.bucket, key)
        place = folder / "held" / str(number)
        place.mkdir(parents=True)
        with opened:
            held[key] = str(hold(store.path(stored), opened, key, place).relative_to(folder))
    return Errand(job=job, folder=folder.absolute(), held=held, **asked)


def run_elsewhere(errand: Errand) -> Outcome:
    """Do an errand in a process that shares its folder, and return what came of it."""
    if errand.version != __version__:
        text = f"The engine is ci_notebook {errand.version}, a worker of its executor {__version__}: install the same."
        return _failed(EngineError(text), errand.job)
    if not errand.folder.is_dir():
        text = f"A worker does not see the engine's folder, {errand.folder.parents[2].name}"
        return _failed(EngineError(f"{text}: mount it there at the same path."), errand.job)
    write_whole(errand.progress, "0")
    attempt = Path(tempfile.mkdtemp(prefix="try-", dir=errand.folder))
    outcome = run(
        errand.job, FarSite(errand), attempt, limits=errand.limits, room_bytes=errand.room_bytes,
        is_unwanted=Unwanted(errand), linger_s=errand.linger_s, fails=errand.fails, keeping=errand.keeping,
        threads=max(1, cores() // errand.beside), look_s=FAR_LOOK_S,
    )  # fmt: skip
    if outcome.state != "Success":
        shutil.rmtree(attempt, ignore_errors=True)
    return outcome


class Unwanted:
    """Says whether an errand is no longer wanted: it was stopped, its folder went, or its owner fell silent."""

    def __init__(self, errand: Errand) -> None:
        self._errand, self._beat = errand, errand.folder.parent / "beat"
        self._heard, self._at = "", time.monotonic()

    def __call__(self) -> bool:
        """Look."""
        if self._errand.stop.exists() or not self._errand.folder.exists():
            return True
        try:
            heard = self._beat.read_text()
        except OSError:
            heard = self._heard
        if heard != self._heard:
            self._heard, self._at = heard, time.monotonic()
        return time.monotonic() - self._at > SILENCE_S
