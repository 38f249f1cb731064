"""Leases: which processes use the journal, and whether they are alive.

A lease is one file, locked while the process of its holder lives. The operating system releases the
lock when the process dies, however it dies. So no timeout is needed, and no clock has to be right.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from ci_notebook._folders import private_file, private_folder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_STALE_S: Final = 60.0


class Lease:
    """A lease that ends when it is closed or its process dies. `folder` is created if needed."""

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        _remove_stale(folder)
        self.name = secrets.token_hex(8)
        self._folder = folder
        self._file: BinaryIO = private_file(folder / self.name).open("wb")
        if not _locked(self._file):
            raise AssertionError("a new random name cannot be locked")

    def is_dead(self, name: str) -> bool:
        """Return True when the holder of another lease is certainly dead. This lease itself is never dead."""
        return name != self.name and is_dead(self._folder, name)

    def close(self) -> None:
        """End the lease."""
        self._file.close()
        (self._folder / self.name).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_dead(folder: Path, name: str) -> bool:
    """Return True when no process holds the lease of this name."""
    if not name:
        return True  # written by a version without leases
    try:
        with (folder / name).open("rb+") as file:
            return _locked(file)
    except FileNotFoundError:
        return True
    except PermissionError:
        return False


def _locked(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_stale(folder: Path) -> None:
    """Remove files of dead processes. A new file is kept: it may be about to be locked."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process removed it
            if time.time() - path.stat().st_mtime > _STALE_S and is_dead(folder, path.name):
                path.unlink(missing_ok=True)
