"""Limits of a job: time, disk space, and whether it is still wanted.

Invariant: a job that reaches a limit ends in Failed with the limit's name, its value and a remedy. Its
FFmpeg is gone within a second. The codes `TimeLimitExceeded` and `InsufficientStorage` are ours; no page
documents any.
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
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ci_notebook.model.bounds import Bounds, current_bounds
from ci_notebook.model.errors import CIError, EngineError, ParameterError

TOO_LONG: Final = "TimeLimitExceeded"
DISK_FULL: Final = "InsufficientStorage"
UNAVAILABLE: Final = "ServiceUnavailable"
# Default: ten minutes, and ten more per second of the clip. The most expensive stages together
# (interpolation and the network at 1080p, a slow encoder) took a quarter of that on two busy cores.
BASE_S: Final = 600.0
PER_SECOND_S: Final = 600.0
# Default for the space that stays free on the disk, for the ledger and for other programs.
FREE_BYTES: Final = 256 << 20
CHECK_S: Final = 0.05
MEASURE_S: Final = 0.5
# Messages of FFmpeg and Python about a full disk, quota or file size, and of SQLite when it cannot write.
FULL_MESSAGES: Final = ("No space left on device", "Disk quota exceeded", "File too large", "database or disk is full")
SIGXFSZ: Final[int] = getattr(signal, "SIGXFSZ", 0)
FULL_NUMBERS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MACHINE_NUMBERS: Final = frozenset({
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN,
    errno.ENOTDIR, errno.ELOOP, errno.EISDIR,
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one job.

    `time_s` is wall time from its start; None means ten minutes, and ten more per second of the clip.
    `disk_bytes` limits the size of the engine's folder; None means no limit. `free_bytes` stay free on its
    disk. `bounds` are those on what is decoded, which a worker in another process takes over.
    Raises `ParameterError`.

    >>> Limits(time_s=0)
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.ParameterError: time_limit_s must be more than 0 s, or None (got 0).
    """

    time_s: float | None = None
    disk_bytes: int | None = None
    free_bytes: int = FREE_BYTES
    bounds: Bounds = field(default_factory=current_bounds)

    def __post_init__(self) -> None:
        if self.time_s is not None and not self.time_s > 0:
            raise ParameterError("time_limit_s", self.time_s, "more than 0 s, or None")
        if self.disk_bytes is not None and not self.disk_bytes > 0:
            raise ParameterError("disk_limit_bytes", self.disk_bytes, "more than 0, or None")
        if not self.free_bytes >= 0:
            raise ParameterError("min_free_bytes", self.free_bytes, "0 or more")

    def room(self, root: Path) -> int | None:
        """Return how many bytes may still be written below `root`, None for no limit."""
        return None if self.disk_bytes is None else self.disk_bytes - folder_bytes(root)


class LimitGuard:
    """Checks the limits of one job while it runs. `cancel` is set when the job has to stop; `why` is the limit reached.

    The job's `folder` may hold up to `room_bytes`. `is_unwanted` says that the job has to stop for another
    reason. `length_s` returns the clip's length when it is needed.
    """

    def __init__(
        self,
        limits: Limits,
        folder: Path,
        *,
        room_bytes: int | None,
        is_unwanted: Callable[[], bool],
        length_s: Callable[[], float | None],
        check_s: float = CHECK_S,
    ) -> None:
        self.cancel, self.why = threading.Event(), None
        self._limits, self._folder, self._room_bytes = limits, folder, room_bytes
        self._is_unwanted, self._length_s, self._check_s = is_unwanted, length_s, check_s
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
        self._watcher.join(5.0)  # it may measure a disk that does not answer

    def _watch(self) -> None:
        while not self.cancel.is_set() and not self._ended.wait(self._check_s):
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
        if self._limit_s is None and took_s >= BASE_S:  # the length is read only when it matters
            self._limit_s = BASE_S + PER_SECOND_S * (self._length_s() or 0.0)
        if self._limit_s is None or took_s < self._limit_s:
            return None
        text = f"The job was stopped after {self._limit_s:g} s, its time limit"
        return EngineError(f"{text} (time_limit_s). Raise the limit, or reduce the work.", code=TOO_LONG)

    def _no_room(self) -> EngineError | None:
        now = time.monotonic()
        if now - self._weighed < MEASURE_S:
            return None
        self._weighed = now
        try:
            free = shutil.disk_usage(self._folder).free
            size = folder_bytes(self._folder) if self._room_bytes is not None else 0
        except FileNotFoundError:
            return None  # the folder is removed when the job ends
        if free < self._limits.free_bytes:
            text = f"The engine's disk has {_mib(free)} free, and {_mib(self._limits.free_bytes)} must stay free"
            return EngineError(f"{text} (min_free_bytes). Free some space, then submit the job again.", code=DISK_FULL)
        if self._room_bytes is not None and size > self._room_bytes:
            text = f"The engine's folder would hold more than its limit of {_mib(self._limits.disk_bytes or 0)}"
            return EngineError(f"{text} (disk_limit_bytes). Delete objects, or raise the limit.", code=DISK_FULL)
        return None


def folder_bytes(folder: Path) -> int:
    """Return the size of the files below a folder.

    A file with several names counts once, and only if all its names are below the folder.
    """
    total, names_seen = 0, dict[tuple[int, int], int]()
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
                names_seen[at] = names_seen.get(at, 0) + 1
                total += about.st_size if names_seen[at] == about.st_nlink else 0
    return total


def disk_full_error(error: BaseException) -> EngineError | None:
    """Return the error to report when `error` was caused by a full disk; None for any other error."""
    text = str(error) if isinstance(error, EngineError | sqlite3.Error) else ""
    reason = next((one for one in FULL_MESSAGES if one in text), "")
    if isinstance(error, EngineError) and SIGXFSZ and error.message.startswith(f"FFmpeg ended with -{SIGXFSZ}"):
        reason = "File too large"  # the system killed FFmpeg for it before it could write a message
    if not reason and isinstance(error, OSError) and error.errno in FULL_NUMBERS:
        reason = os.strerror(error.errno)
    if not reason:
        return None
    return EngineError(
        f"The engine's disk is full ({reason}). Free some space, then try again.", code=DISK_FULL,
        command=getattr(error, "command", ""),
    )  # fmt: skip


def machine_error(error: BaseException) -> EngineError | None:
    """Return the error to report when the engine's disk or database caused `error`; None for any other error.

    It names no folder, because its reader may be on another machine.
    """
    full = disk_full_error(error)
    if full is not None or isinstance(error, CIError):
        return full
    if isinstance(error, sqlite3.Error):
        return EngineError(
            f"The engine's ledger cannot be used ({error}). Check the disk and the permissions of the engine's folder.",
            code=UNAVAILABLE,
        )
    if isinstance(error, OSError) and error.errno in MACHINE_NUMBERS:
        return EngineError(
            f"The engine cannot use one of its files or folders ({error.strerror}). "
            "Check the disk and the permissions of the engine's folder.",
            code=UNAVAILABLE,
        )
    return None


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.4g} MiB"
