"""Leases: which processes use the journal, and whether they are alive.

A lease is one file, locked while the process of its holder lives. The operating system releases the
lock when the process dies, however it dies. So no timeout is needed, and no clock has to be right.
A forked child has no part in its parent's lease, and does not prolong it.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ci_notebook._file_lock import FileLock, is_locked
from ci_notebook._folders import private_folder
from ci_notebook.model.errors import EngineError

_STALE_S: Final = 60.0


class Lease:
    """A lease that ends when it is closed or its process dies. `folder` is created if needed."""

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        _remove_stale(folder)
        self.name = secrets.token_hex(8)
        self._folder, self._lock = folder, FileLock(folder / self.name)
        if not self._lock.try_lock():
            raise EngineError(f"A new file in {str(folder)!r} cannot be locked. Another program removes files there.")

    def is_dead(self, name: str) -> bool:
        """Return True when the holder of another lease is certainly dead. This lease itself is never dead."""
        return name != self.name and is_dead(self._folder, name)

    def close(self) -> None:
        """End the lease. Does nothing in a forked child."""
        self._lock.release(remove=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_dead(folder: Path, name: str) -> bool:
    """Return True when no process holds the lease of this name."""
    return not name or not is_locked(folder / name)  # versions without leases wrote no name


def _remove_stale(folder: Path) -> None:
    """Remove files of dead processes. A new file is kept: it may be about to be locked."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process removed it
            if time.time() - path.stat().st_mtime > _STALE_S and is_dead(folder, path.name):
                path.unlink(missing_ok=True)
