"""The embedded engine: opens all parts on one folder, and closes them."""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ci_notebook._folders import absolute, private_home
from ci_notebook._processes import Owner, finalize
from ci_notebook.engine.calls.context import CallContext
from ci_notebook.engine.daemon_threads import THREAD_PREFIX
from ci_notebook.engine.faults import Faults
from ci_notebook.engine.jobs.end_signal import EndSignal
from ci_notebook.engine.jobs.executors import MakeExecutor
from ci_notebook.engine.jobs.heartbeat import remove_dead_folders
from ci_notebook.engine.jobs.ledger import Ledger
from ci_notebook.engine.jobs.worker import JobWorker
from ci_notebook.engine.limits import FREE_BYTES, Limits
from ci_notebook.engine.notify.message_queues import Message, MessageQueues
from ci_notebook.engine.notify.outbox import Outbox
from ci_notebook.engine.notify.sender import NotificationSender
from ci_notebook.engine.read_slots import CALL_LIMIT_S, ReadSlots
from ci_notebook.engine.server.wsgi import App
from ci_notebook.engine.storage.bucket_settings import Catalogue
from ci_notebook.engine.storage.cache import CacheOptions, remove_old_folder
from ci_notebook.engine.storage.database import Database
from ci_notebook.engine.storage.object_store import ObjectStore
from ci_notebook.engine.storage.uploads import Uploads
from ci_notebook.media.ffmpeg import find_ffmpeg
from ci_notebook.media.probe import find_pyav
from ci_notebook.model.errors import ParameterError
from ci_notebook.wire.secret import Secret, reveal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ci_notebook.engine.preview.previewer import Previewer
    from ci_notebook.model.setting.enhance import VideoEnhance


class Engine:
    """The embedded engine on one folder.

    It starts with its first call, or with `start`. From then on it runs all jobs that wait in the folder,
    also those of an earlier engine. `close` stops it at once: running jobs go back to their queues and run
    again when an engine is opened on the folder. Several engines, in one process or in many, may share a
    folder; each job runs in one of them.

    Args:
        root: The folder. It is created, with all that is kept in it, so that only this account can read it.
            A relative one belongs to the current folder of this call.
        bucket: Name of the bucket that is created, ending in an account number.
        region: Region of the bucket.
        keys: SecretId → SecretKey.
        workers: How many jobs run at once in this process. An `executor` may run more.
        is_activated: Whether media processing is on in a new bucket.
        clock: Returns the time in Unix seconds.
        new_id: Returns 32 hexadecimal digits.
        executor: Runs the jobs in other processes. A function that returns an executor is called again
            whenever that executor broke (for Dask see `jobs.dask_cluster`). The processes need the folder
            under the same path; only this process opens the ledger.
        time_limit_s: Wall time limit of a job. None: ten minutes, and ten more per second of the clip.
        disk_limit_bytes: Limit of the folder's size; None: no limit.
        min_free_bytes: Space that stays free on the disk.
        cache_bytes: Limit of the cache in `root/.cache`; 0 switches it off. None: the environment variable
            CI_NOTEBOOK_CACHE_BYTES, else 4 GB, or 0 under a `disk_limit_bytes`. The cache holds expensive
            intermediate results and outputs; it changes no byte of an output.
        reuse: Whether a job that equals an earlier one takes over its output.
        tokens: SecretId of temporary keys → the token that calls with that key must carry.
        seed: Seed of the chances in `faults`.
        call_limit_s: Wall time limit of a call that reads a video (media info, snapshots), with its wait for a slot.
        notify_loopback: Whether a notification may go to this machine. Say no where others may submit jobs.

    A job that reaches a limit fails and says which one. `faults` injects errors into calls and jobs; it is
    empty until you add one.

    """

    def __init__(
        self,
        root: str | Path,
        *,
        bucket: str,
        region: str,
        keys: Mapping[str, str | Secret],
        workers: int = 2,
        is_activated: bool = True,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
        executor: Executor | MakeExecutor | None = None,
        time_limit_s: float | None = None,
        disk_limit_bytes: int | None = None,
        min_free_bytes: int = FREE_BYTES,
        cache_bytes: int | None = None,
        reuse: bool = True,
        tokens: Mapping[str, str | Secret] | None = None,
        seed: int = 0,
        call_limit_s: float = CALL_LIMIT_S,
        notify_loopback: bool = True,
    ) -> None:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?-[0-9]{1,20}", bucket):
            allowed = "lower-case letters, digits and hyphens, ending in the account's number"
            raise ParameterError("bucket", bucket, allowed, "An example is lab-1250000000.")
        if not re.fullmatch("[a-z0-9-]{2,40}", region):
            raise ParameterError(
                "region", region, "lower-case letters, digits and hyphens", "An example is ap-chongqing."
            )
        if workers < 1:
            raise ParameterError("workers", workers, "1 or more")
        self.root, self.bucket, self.region = absolute(root), bucket, region
        self._keys, self._tokens = _hidden(keys), _hidden(tokens or {})
        self._workers, self._is_activated, self.faults = workers, is_activated, Faults(seed)
        self._clock, self._new_id, self._executor = clock, new_id, executor
        self._notify_loopback = notify_loopback
        self._limits = Limits(time_s=time_limit_s, disk_bytes=disk_limit_bytes, free_bytes=min_free_bytes)
        self._cache_options = CacheOptions.for_root(
            self.root, cache_bytes, free_bytes=min_free_bytes, reuse=reuse, bounded=disk_limit_bytes is not None
        )
        self._read_slots = ReadSlots(call_limit_s)
        self.end_signal = EndSignal()
        self._lock = threading.Lock()
        self._context: CallContext | None = None
        self._previewer: Previewer | None = None
        self._resources = contextlib.ExitStack()
        # A notebook's kernel may end without calling `close`; FFmpeg must not outlive it.
        self._owner, self._finalizer = Owner(), finalize(self, _close, self._resources)
        self.app = App(self.start)

    def __repr__(self) -> str:
        return f"Engine({str(self.root)!r}, bucket={self.bucket!r}, region={self.region!r})"

    def start(self) -> CallContext:
        """Start, if the engine has not started, and return its parts.

        Raises `ParameterError` once closed and in a forked child, and `EngineError` when the folder was removed.
        """
        self._owner.refuse_elsewhere("The embedded engine")
        with self._lock:
            self._check_open()
            if self._context is None:
                self._context = self._start()
            self._context.database.check()
            return self._context

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            raise ParameterError.plain("The engine is closed. Open another one on the same folder.")

    def _start(self) -> CallContext:
        find_ffmpeg(), find_pyav()  # a missing program is reported now, not by each job
        private_home(self.root)
        database = self._resources.enter_context(contextlib.closing(Database(self.root / "ledger.sqlite")))
        clock, new_id = self._clock, self._new_id
        catalogue = Catalogue(database, clock=clock, new_id=new_id)
        catalogue.make_bucket(self.bucket, self.region, activated=self._is_activated)
        store = ObjectStore(self.root, database, clock=clock, new_id=new_id)
        store.sweep()
        remove_dead_folders(self.root)
        remove_old_folder(self.root)
        ledger = Ledger(database, clock=clock)
        outbox, messages = Outbox(database, clock=clock), MessageQueues(database, clock=clock)
        sender = NotificationSender(outbox, messages, ledger, catalogue, loopback=self._notify_loopback)
        self._resources.callback(sender.close)

        def on_end() -> None:
            sender.wake()
            self.end_signal.send()

        worker = JobWorker(
            self.root, ledger, store, slots=self._workers, new_id=new_id, executor=self._executor,
            limits=self._limits, cache_options=self._cache_options, faults=self.faults, on_end=on_end,
        )  # fmt: skip
        self._resources.callback(worker.close)
        return CallContext(
            ledger=ledger,
            catalogue=catalogue,
            store=store,
            uploads=Uploads(self.root, store, database, clock=clock, new_id=new_id),
            keys=self._keys,
            tokens=self._tokens,
            clock=clock,
            new_id=new_id,
            wake=worker.wake,
            faults=self.faults,
            database=database,
            outbox=outbox,
            messages=messages,
            read_slots=self._read_slots,
            notifies_loopback=self._notify_loopback,
        )

    def messages(
        self, name: str, *, region: str = "", reader: str = "notebook", at_most: int = 100, keep: bool = False
    ) -> list[Message]:
        """Return the job messages of the queue or topic `name` that `reader` has not read, oldest first.

        Messages come from jobs with `CallBackType` TDMQ, or from a queue with `NotifyConfig.Type` TDMQ. In
        mode Queue the first reader gets a message; in mode Topic each reader gets it once. `region` (`cd`)
        selects one region. With `keep` the messages stay unread. They are kept for a week, also while no
        engine runs.
        """
        return self.start().messages.take(name, region=region, reader=reader, at_most=at_most, keep=keep)

    def preview(self, setting: VideoEnhance, snapshot: NDArray[np.uint8], *, width_px: int = 0) -> bytes:
        """Return one decoded frame as a job with this setting would render it, as JPEG bytes.

        `snapshot` is HxWx3 uint8 RGB, as `media.snapshot.picture` returns it; AUTO is resolved from it alone.
        The frame is rendered at the output's size, then scaled to `width_px` (0: not scaled). Motion stages
        are left out. HDR is shown through its exact inverse. `Previewer` shows any time of a clip.
        """
        from ci_notebook.engine.preview.previewer import Previewer  # lazy: an engine that only runs jobs needs neither
        from ci_notebook.engine.preview.snapshots import picture_origin

        self.start()
        with self._lock:
            self._check_open()  # another thread may have closed it since
            if self._previewer is None:
                self._previewer = Previewer()
                self._resources.callback(self._previewer.close)
        return self._previewer.preview(picture_origin(snapshot), setting, width_px=width_px)

    def close(self) -> None:
        """Stop. Running jobs go back to their queues; unfinished files are removed. Closing twice is allowed.

        Calls of other threads end first, or fail with `ParameterError`. Does nothing in a forked child.
        """
        if self._owner.is_here:
            with self._lock:
                self._finalizer()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _hidden(texts: Mapping[str, str | Secret]) -> dict[str, Secret]:
    return {name: Secret(reveal(text)) for name, text in texts.items()}


def _close(resources: contextlib.ExitStack) -> None:
    """Close all parts of an engine.

    The garbage collector may call this in one of the engine's own threads, which cannot wait for itself.
    """
    if threading.current_thread().name.startswith(THREAD_PREFIX):
        threading.Thread(target=resources.close, name="closing-ci-notebook").start()
    else:
        resources.close()
