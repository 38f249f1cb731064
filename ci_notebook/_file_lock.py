"""Locks on files, between threads and processes: the one place where a file is locked.

Invariant: a lock ends with `release` or with the process that took it, however that dies. A forked child has no part
in its parent's locks. Locking needs no clock. It is built on the package `filelock`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ci_notebook._processes import Owner

__all__ = ["POLL_S", "FileLock", "is_locked"]

# How often a waiting thread tries again.
POLL_S: Final = 0.1


class FileLock:
    """An exclusive lock on the file at `path`, which is created if needed, for its owner only; its folder must exist.

    Two objects for one path exclude each other, in one process too.
    """

    def __init__(self, path: Path) -> None:
        import filelock  # lazy: takes 15 ms, and a client that only submits takes no lock

        self.path, self._owner = path, Owner()
        self._lock = filelock.FileLock(path, thread_local=False, mode=0o600)
        self._file: tuple[int, int] | None = None

    def try_lock(self) -> bool:
        """Take the lock; return False when another one has it. Raises `OSError` where the file cannot be locked."""
        import filelock  # lazy, as above

        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            return False
        self._file = _identity(self.path)
        if self._file is None:  # removed just now, for example with its folder
            self.release()
            return False
        return True

    def wait(self, keep_waiting: Callable[[], bool]) -> bool:
        """Take the lock as soon as it is free; return False when `keep_waiting`, called every 0.1 s, returns False.

        Ctrl-C interrupts it. Raises as `try_lock` does.
        """
        while not self.try_lock():
            if not keep_waiting():
                return False
            time.sleep(POLL_S)
        return True

    @property
    def is_intact(self) -> bool:
        """Whether the lock is held, and the locked file is still at its path. Once removed, it excludes nobody."""
        return self._file is not None and _identity(self.path) == self._file

    def release(self, *, remove: bool = False) -> None:
        """Release the lock, and with `remove` remove its file. Does nothing in a forked child."""
        if not self._owner.is_here:
            return
        if remove and self.is_intact:  # while it is locked, so that the next holder sees that the file is gone
            with contextlib.suppress(OSError):  # an open file on Windows; filelock removes it below
                self.path.unlink()
        self._file = None
        with contextlib.suppress(OSError):
            self._lock.release(force=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Return whether a living process holds the lock on a file; False without the file.

    A file that this account cannot open counts as locked.
    """
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        is_free = lock.try_lock()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    lock.release()
    return not is_free and path.exists()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
