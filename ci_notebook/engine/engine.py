"""`Engine`: the embedded Cloud Infinite as one thing with a beginning and an end."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ci_notebook.engine.calls.context import CallContext
from ci_notebook.engine.faults import Faults
from ci_notebook.engine.jobs.executors import MakeExecutor
from ci_notebook.engine.jobs.heartbeat import remove_dead_folders
from ci_notebook.engine.jobs.ledger import Ledger
from ci_notebook.engine.jobs.worker import THREAD_PREFIX, JobWorker
from ci_notebook.engine.limits import FREE_BYTES, Limits
from ci_notebook.engine.notify.message_queues import Message, MessageQueues
from ci_notebook.engine.notify.sender import NotificationSender, Outbox, OutboxEntry
from ci_notebook.engine.server.wsgi import App
from ci_notebook.engine.storage.bucket_settings import Catalogue
from ci_notebook.engine.storage.cache import CacheOptions
from ci_notebook.engine.storage.database import Database
from ci_notebook.engine.storage.object_store import ObjectStore
from ci_notebook.engine.storage.uploads import Uploads
from ci_notebook.media.ffmpeg import find_ffmpeg
from ci_notebook.media.probe import find_pyav
from ci_notebook.model.errors import EngineError, ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ci_notebook.engine.preview.previewer import Previewer
    from ci_notebook.model.setting.enhance import VideoEnhance


class Engine:
    """The embedded engine below one folder.

    It begins with its first call, or with `start`: from then on it runs whatever jobs wait in the
    folder, those of an earlier engine too. `close` stops it at once; jobs that were running go
    back among the waiting and run again when an engine is opened on the folder. Several engines,
    in one process or many, may share a folder: each job runs in one of them.

    `keys` maps SecretId to SecretKey, `tokens` the SecretId of temporary keys to their token: calls
    with such keys must carry it. `faults` (none until you add one; its chances come from `seed`)
    makes calls and jobs go wrong on demand. `is_activated` says whether media processing is on in
    a bucket made now; `clock` gives Unix seconds and `new_id` 32 hexadecimal digits.

    `workers` jobs are worked on at once, in this process, or by the processes of `executor`, or of
    what `executor` returns when it is called, again after each time that one broke (see
    `engine.cluster` for Dask). They share the folder, under the same path; only this process opens
    the ledger. A job takes at most `time_limit_s` of wall time (None: ten minutes, and ten more for
    each second of the clip); `disk_limit_bytes` bounds what the folder may hold, `min_free_bytes`
    is what must stay free on its disk. A job that comes to a limit has failed, with the reason.

    What was dear to make and what jobs made is kept, up to `kept_bytes` (None: CI_NOTEBOOK_KEPT_BYTES
    in the environment, else 4 GB, or nothing under a `disk_limit_bytes`; 0: nothing), and with
    `reuse` a job that was done before is answered from there. The outputs' bytes are the same.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        bucket: str,
        region: str,
        keys: Mapping[str, str],
        workers: int = 2,
        is_activated: bool = True,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        executor: Executor | MakeExecutor | None = None,
        time_limit_s: float | None = None,
        disk_limit_bytes: int | None = None,
        min_free_bytes: int = FREE_BYTES,
        kept_bytes: int | None = None,
        reuse: bool = True,
        tokens: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> None:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?-[0-9]{1,20}", bucket):
            allowed = "lower-case letters, digits and hyphens, ending in the account's number"
            raise ParameterError("bucket", bucket, allowed, "Take lab-1250000000, say.")
        if not re.fullmatch("[a-z0-9-]{2,40}", region):
            raise ParameterError("region", region, "lower-case letters, digits and hyphens", "Take ap-chongqing, say.")
        if workers < 1:
            raise ParameterError("workers", workers, "1 and more")
        self.root, self.bucket, self.region = Path(root), bucket, region
        self._keys, self._tokens = dict(keys), dict(tokens or {})
        self._workers, self._is_activated, self.faults = workers, is_activated, Faults(seed)
        self._clock, self._new_id, self._executor = clock, new_id, executor
        self._limits = Limits(time_s=time_limit_s, disk_bytes=disk_limit_bytes, free_bytes=min_free_bytes)
        self._cache_options = CacheOptions.for_root(
            self.root, kept_bytes, free_bytes=min_free_bytes, reuse=reuse, bounded=disk_limit_bytes is not None
        )
        self._lock = threading.Lock()
        self._service: CallContext | None = None
        self._previewer: Previewer | None = None
        self._told: tuple[Outbox, MessageQueues]
        self._ending = contextlib.ExitStack()
        # A notebook's kernel ends without a word; FFmpeg must not go on without it.
        self._end = weakref.finalize(self, _close, self._ending)
        self.app = App(self.start)

    def __repr__(self) -> str:
        return f"Engine({str(self.root)!r}, bucket={self.bucket!r}, region={self.region!r})"

    def start(self) -> CallContext:
        """Begin, if it has not begun, and return the things that calls work on. Raises `EngineError` once closed."""
        with self._lock:
            if not self._end.alive:
                raise EngineError("the engine is closed; open another on the same folder")
            if self._service is None:
                self._service = self._begin()
            return self._service

    def _begin(self) -> CallContext:
        find_ffmpeg(), find_pyav()  # what is not installed is said now, not job by job
        self.root.mkdir(parents=True, exist_ok=True)
        database = self._ending.enter_context(contextlib.closing(Database(self.root / "ledger.sqlite")))
        clock, new_id = self._clock, self._new_id
        catalogue = Catalogue(database, clock=clock, new_id=new_id)
        catalogue.make_bucket(self.bucket, self.region, activated=self._is_activated)
        store = ObjectStore(self.root, database, clock=clock, new_id=new_id)
        store.sweep()
        remove_dead_folders(self.root)
        ledger = Ledger(database, clock=clock)
        notices, messages = self._told = Outbox(database, clock=clock), MessageQueues(database, clock=clock)
        notifier = NotificationSender(notices, messages, ledger, catalogue)
        self._ending.callback(notifier.close)
        worker = JobWorker(
            self.root, ledger, store, slots=self._workers, new_id=new_id, executor=self._executor,
            limits=self._limits, cache_options=self._cache_options, faults=self.faults, on_end=notifier.wake,
        )  # fmt: skip
        self._ending.callback(worker.close)
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
        )

    def messages(
        self, name: str, *, region: str = "", reader: str = "notebook", at_most: int = 100, keep: bool = False
    ) -> list[Message]:
        """Return the messages about jobs that `reader` has not had from the queue or topic `name`, oldest first.

        They come from jobs with `CallBackType` TDMQ, or of a queue with `NotifyConfig.Type` TDMQ. In
        mode Queue a message is read once, by whoever is first; in mode Topic once by each reader.
        `region` (`cd`) narrows it to one; with `keep` the messages count as unread still. They wait a
        week, also while no engine runs.
        """
        self.start()
        return self._told[1].take(name, region=region, reader=reader, at_most=at_most, keep=keep)

    def untold(self) -> list[OutboxEntry]:
        """Return the notices of jobs that nobody has taken yet, with what went wrong and when the next try is due."""
        self.start()
        return self._told[0].all()

    def preview(self, setting: VideoEnhance, snapshot: NDArray[np.uint8], *, width_px: int = 0) -> bytes:
        """Return one decoded picture as a job with this setting would make it, as the bytes of a JPEG.

        `snapshot` is HxWx3 uint8 RGB, as `media.snapshot.picture` gives it; AUTO goes by it alone. Work is
        done at the output's size, then scaled to `width_px` (0: not at all). Stages of motion are left
        out, HDR is shown through its exact inverse. `Previewer` does the same for any time of a clip.
        """
        from ci_notebook.engine.preview.previewer import Previewer  # lazy, as above
        from ci_notebook.engine.preview.snapshots import picture_origin  # lazy: an engine that only works needs neither

        self.start()
        with self._lock:
            if self._previewer is None:
                self._previewer = Previewer()
                self._ending.callback(self._previewer.close)
        return self._previewer.preview(picture_origin(snapshot), setting, width_px=width_px)

    def close(self) -> None:
        """Stop: running jobs go back among the waiting, nothing half-made stays. Closing twice is fine."""
        with self._lock:
            self._end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _close(ending: contextlib.ExitStack) -> None:
    """End what began.

    A garbage collector may call this in one of the engine's own threads, which cannot wait for itself.
    """
    if threading.current_thread().name.startswith(THREAD_PREFIX):
        threading.Thread(target=ending.close, name="closing-ci-notebook").start()
    else:
        ending.close()
