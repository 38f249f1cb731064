"""Who runs a job, and whether it still lives.

An owner is one running engine. It has a folder of its own for the work in hand, and holds a lock
on a file in it for as long as its process lives; the system lets go of the lock when the process
dies, however it dies. Where there are no such locks (Windows) only the lease in the ledger tells.
Processes on other machines, who see no locks, watch its `beat` count on.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

if sys.platform != "win32":
    import fcntl

REMOVED: Final = ".gone"


class Heartbeat:
    """One running engine. Made, it lives; `close` ends it."""

    def __init__(self, root: Path, name: str) -> None:
        self.name, self.folder = name, root / ".owners" / name
        self.folder.mkdir(parents=True)
        self._beats = 0
        self._lock: BinaryIO = (self.folder / "lock").open("wb")
        if sys.platform != "win32":
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def beat(self) -> None:
        """Say that it lives, to those who cannot see the lock."""
        self._beats += 1
        write_atomically(self.folder / "beat", str(self._beats))

    def close(self) -> None:
        """Let go of the lock and remove the folder."""
        self._lock.close()
        _remove_folder(self.folder)


def is_dead(root: Path, name: str) -> bool:
    """Return True when the owner's process is certainly gone."""
    if sys.platform == "win32":
        return False
    try:
        with (root / ".owners" / name / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True  # it closed, or another engine has cleared up after it
    except OSError:
        return False
    return True


def remove_dead_folders(root: Path) -> None:
    """Remove the folders of owners that are dead: half-made outputs, mostly."""
    for folder in (root / ".owners").glob("*"):
        # The lock is made a moment after the folder: an owner that is just being born is left alone.
        with contextlib.suppress(OSError):
            if folder.suffix == REMOVED or ((folder / "lock").exists() and is_dead(root, folder.name)):
                _remove_folder(folder)


def _remove_folder(folder: Path) -> None:
    """Remove a folder that others may still be writing to: renamed first, they see at once that it has gone."""
    gone = folder if folder.suffix == REMOVED else folder.with_suffix(REMOVED)
    if gone != folder:
        with contextlib.suppress(OSError):  # Windows renames no folder with open files in it
            folder.rename(gone)
    for one in (folder, gone):
        shutil.rmtree(one, ignore_errors=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that nobody reads half of it. A folder that has gone is no error: nobody reads there."""
    with contextlib.suppress(FileNotFoundError):
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            file.write(text)
        Path(file.name).replace(path)
