"""Who is at work on the journal, and whether they still live.

A lease is one file, locked for as long as its holder's process lives; the system lets go of the
lock when the process dies, however it dies. So nobody has to wait for a time to run out, and no
clock has to be right.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FORGOTTEN_S: Final = 60.0


class Lease:
    """A name that lives until it is closed, or its process is dead. `folder` is made where needed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _clear_up(folder)
        self.name = secrets.token_hex(8)
        self._folder = folder
        self._file: BinaryIO = (folder / self.name).open("wb")
        if not _locked(self._file):
            raise AssertionError("a name nobody knows cannot be locked")

    def is_dead(self, name: str) -> bool:
        """Return True when the holder of another lease is certainly gone; its own is never dead."""
        return name != self.name and is_dead(self._folder, name)

    def close(self) -> None:
        """Let go."""
        self._file.close()
        (self._folder / self.name).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_dead(folder: Path, name: str) -> bool:
    """Return True when nobody holds the lease of this name any more."""
    if not name:
        return True  # written before there were leases
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


def _clear_up(folder: Path) -> None:
    """Remove what the dead left. A file that is young may be about to be locked."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another clears up at the same time
            if time.time() - path.stat().st_mtime > _FORGOTTEN_S and is_dead(folder, path.name):
                path.unlink(missing_ok=True)
