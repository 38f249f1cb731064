"""One job run to its end, whatever that is: in this process, or in another one that an executor has.

An executor of processes gets an `Errand`, which is plain values and can be pickled; over there the
same ledger and store are opened anew. The executor's processes must reach the engine's folder, and
lie on one machine with it, for SQLite's WAL is no network protocol.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_notebook.engine.database import Database
from ci_notebook.engine.faults import JobFails
from ci_notebook.engine.ledger import Job, Ledger
from ci_notebook.engine.perform import Performance, perform
from ci_notebook.engine.store import Store
from ci_notebook.media.ffmpeg import Cancelled
from ci_notebook.model.errors import EngineError, ServiceError

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

# How soon a process elsewhere finds out that its job is no longer wanted.
LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A job for another process. `folder` is the owner's; `linger_s` and `fails` are faults that were asked for."""

    root: Path
    job: Job
    owner: str
    folder: Path
    lease_s: float
    linger_s: float = 0.0
    fails: JobFails | None = None


def run_elsewhere(errand: Errand) -> None:
    """Run an errand's job to its end, with a ledger and a store of this process's own."""
    with contextlib.closing(Database(errand.root / "ledger.sqlite")) as database:
        ledger = Ledger(database, clock=time.time)
        store = Store(errand.root, database, clock=time.time, new_id=lambda: uuid.uuid4().hex)
        with _until_unwanted(ledger, errand) as cancel:
            performance = Performance(
                ledger=ledger, store=store, owner=errand.owner, folder=errand.folder, cancel=cancel,
                lease_s=errand.lease_s, fails=errand.fails,
            )  # fmt: skip
            run_here(performance, errand.job, errand.linger_s)


def run_here(with_: Performance, job: Job, linger_s: float = 0.0) -> None:
    """Run a claimed job to its end. Whatever goes wrong is written on the job."""
    try:
        if with_.cancel.wait(linger_s):
            raise Cancelled("the engine is closed", code="Cancelled")
        perform(with_, job)
    except Cancelled:
        with_.ledger.release(with_.owner, job.job_id)
    except EngineError as error:
        log.info("job %s failed: %s", job.job_id, error)
        with_.ledger.fail(job.job_id, with_.owner, error.code, str(error))
    except ServiceError as error:
        with_.ledger.fail(job.job_id, with_.owner, error.code, error.message)
    except Exception as error:  # the top of a worker: the job says that it failed, the log says why
        log.exception("job %s failed", job.job_id)
        text = f"The engine failed with {type(error).__name__}; its log has the reason under this job's id."
        with_.ledger.fail(job.job_id, with_.owner, "InternalError", text)


@contextlib.contextmanager
def _until_unwanted(ledger: Ledger, errand: Errand) -> Iterator[threading.Event]:
    """Give an event that is set once the job is no longer its owner's: the engine was closed, say."""
    cancel, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_S):
            if not ledger.is_running(errand.job.job_id, errand.owner):
                cancel.set()
                return

    watcher = threading.Thread(target=watch, name="ci-notebook-watch", daemon=True)
    watcher.start()
    try:
        yield cancel
    finally:
        ended.set()
        watcher.join()
