"""What a job may take: time, disk, and the patience of whoever asked for it.

The rule of this file: a job that comes to a limit ends in Failed with the limit by name, the value
and what to do; its program is gone within a second. What no page documents are the codes:
`TimeLimitExceeded` and `InsufficientStorage` are ours.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ci_notebook.model.errors import EngineError, ParameterError

TOO_LONG: Final = "TimeLimitExceeded"
NO_ROOM: Final = "InsufficientStorage"
# Unless said: ten minutes, and ten minutes for each second of the clip. The dearest stages together
# (interpolation and the network at 1080p, a slow encoder) took a quarter of that on two busy cores.
BASE_S: Final = 600.0
PER_SECOND_S: Final = 600.0
# What is left on the disk unless said, for the ledger and for everything else that lives there.
FREE_BYTES: Final = 256 << 20
LOOK_S: Final = 0.05
WEIGH_S: Final = 0.5
# What FFmpeg and Python say when a disk, a quota or the size of a file is used up, and SQLite when it cannot write.
FULL: Final = ("No space left on device", "Disk quota exceeded", "File too large", "database or disk is full")
OVER_SIZE: Final[int] = getattr(signal, "SIGXFSZ", 0)
FULL_NUMBERS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one job may take.

    `time_s` is wall time from its start; None means ten minutes and ten more for each second of the
    clip. `disk_bytes` bounds all that lies below the engine's folder, None does not. `free_bytes`
    is what must be left free on its disk. Raises `ParameterError`.

    >>> Limits(time_s=0)
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.ParameterError: time_limit_s takes more than 0 s, or None; got 0
    """

    time_s: float | None = None
    disk_bytes: int | None = None
    free_bytes: int = FREE_BYTES

    def __post_init__(self) -> None:
        if self.time_s is not None and not self.time_s > 0:
            raise ParameterError("time_limit_s", self.time_s, "more than 0 s, or None")
        if self.disk_bytes is not None and not self.disk_bytes > 0:
            raise ParameterError("disk_limit_bytes", self.disk_bytes, "more than 0, or None")
        if not self.free_bytes >= 0:
            raise ParameterError("min_free_bytes", self.free_bytes, "0 and more")

    def room(self, root: Path) -> int | None:
        """Return how many bytes may still be written below `root`, None for no bound."""
        return None if self.disk_bytes is None else self.disk_bytes - weight(root)


class Guard:
    """Watches over one job while it runs. `cancel` is set when it has to stop; `why` is the limit it came to, if any.

    `room_bytes` is what the job's `folder` may come to hold, `is_unwanted` says that the job is to
    stop for other reasons, `length_s` gives the clip's length where it is needed.
    """

    def __init__(
        self,
        limits: Limits,
        folder: Path,
        *,
        room_bytes: int | None,
        is_unwanted: Callable[[], bool],
        length_s: Callable[[], float | None],
        look_s: float = LOOK_S,
    ) -> None:
        self.cancel, self.why = threading.Event(), None
        self._limits, self._folder, self._room_bytes = limits, folder, room_bytes
        self._is_unwanted, self._length_s, self._look_s = is_unwanted, length_s, look_s
        self._began, self._weighed = time.monotonic(), 0.0
        self._limit_s = limits.time_s
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="ci-notebook-guard", daemon=True)

    why: EngineError | None

    def __enter__(self) -> Self:
        self.check_now()
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self.cancel.is_set() and not self._ended.wait(self._look_s):
            self.check_now()

    def check_now(self) -> None:
        """Check every limit once, and cancel the job where one is exceeded; the thread calls this."""
        if self._is_unwanted():
            self.cancel.set()
            return
        self.why = self._too_long() or self._no_room()
        if self.why is not None:
            self.cancel.set()

    def _too_long(self) -> EngineError | None:
        took_s = time.monotonic() - self._began
        if self._limit_s is None and took_s >= BASE_S:  # only now the length matters
            self._limit_s = BASE_S + PER_SECOND_S * (self._length_s() or 0.0)
        if self._limit_s is None or took_s < self._limit_s:
            return None
        text = f"The job was stopped after {self._limit_s:g} s, its limit of time"
        return EngineError(f"{text} (time_limit_s). Allow more, or ask for less.", code=TOO_LONG)

    def _no_room(self) -> EngineError | None:
        now = time.monotonic()
        if now - self._weighed < WEIGH_S:
            return None
        self._weighed = now
        try:
            free = shutil.disk_usage(self._folder).free
            held = weight(self._folder) if self._room_bytes is not None else 0
        except FileNotFoundError:
            return None  # the folder goes when the job is over
        if free < self._limits.free_bytes:
            text = f"{_mib(free)} are free on the engine's disk, and {_mib(self._limits.free_bytes)} must stay free"
            return EngineError(f"{text} (min_free_bytes). Make room, then send the job again.", code=NO_ROOM)
        if self._room_bytes is not None and held > self._room_bytes:
            text = f"The engine's folder would hold more than its limit of {_mib(self._limits.disk_bytes or 0)}"
            return EngineError(f"{text} (disk_limit_bytes). Delete objects, or allow more.", code=NO_ROOM)
        return None


def weight(folder: Path) -> int:
    """Return the bytes of the files below a folder; one with several names counts once, not if one lies elsewhere."""
    total, seen = 0, dict[tuple[int, int], int]()
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                about = os.lstat(os.path.join(place, name))  # noqa: PTH118  thousands of files, twice as fast
            except FileNotFoundError:
                continue
            if about.st_nlink == 1:
                total += about.st_size
            else:
                at = (about.st_dev, about.st_ino)
                seen[at] = seen.get(at, 0) + 1
                total += about.st_size if seen[at] == about.st_nlink else 0
    return total


def as_full(error: BaseException) -> EngineError | None:
    """Return what to say of an error that a full disk made, None for any other error."""
    text = str(error) if isinstance(error, EngineError | sqlite3.Error) else ""
    said = next((one for one in FULL if one in text), "")
    if isinstance(error, EngineError) and OVER_SIZE and error.message.startswith(f"FFmpeg ended with -{OVER_SIZE}"):
        said = "File too large"  # the system killed it for that, before it could say a word
    if not said and isinstance(error, OSError) and error.errno in FULL_NUMBERS:
        said = os.strerror(error.errno)
    if not said:
        return None
    return EngineError(
        f"The engine's disk is full ({said}). Make room, then try again.", code=NO_ROOM,
        command=getattr(error, "command", ""),
    )  # fmt: skip


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.4g} MiB"
