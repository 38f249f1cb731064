"""Heartbeat: shows that an engine is alive, so that only the jobs of dead engines run again.

A running engine owns a folder for its work and holds a lock on a file in it. The system releases the lock
when the process dies, even by SIGKILL; a forked child does not prolong it. Processes on other machines do not
see locks, so they watch the counter in the file `beat`.

Invariant: a folder that was removed while its engine lives is made again with the next heartbeat.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from ci_notebook._file_lock import FileLock, is_locked
from ci_notebook._folders import private_folder
from ci_notebook._processes import Owner

__all__ = ["FOLDER", "Heartbeat", "is_dead", "remove_dead_folders", "write_atomically"]

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

FOLDER: Final = ".owners"
REMOVED: Final = ".gone"
_LOCK_S: Final = 2.0


class Heartbeat:
    """The heartbeat of one running engine, the owner of its leases. It beats from its creation until `close`."""

    def __init__(self, root: Path, name: str) -> None:
        self.name, self.folder = name, root / FOLDER / name
        self._beats, self._owner = 0, Owner()
        self._lock = FileLock(self.folder / "lock")
        self._make_folder()

    def beat(self) -> None:
        """Raise the counter, for processes that cannot see the lock. Raises `OSError` where the folder is unusable."""
        self.ensure_folder()
        self._beats += 1
        write_atomically(self.folder / "beat", str(self._beats))

    def ensure_folder(self) -> bool:
        """Make the folder and the lock again if they were removed; return whether they were still there.

        Without its lock an engine counts as dead, and others run its jobs. Raises `OSError`.
        """
        if self._lock.is_intact:
            return True
        log.warning("the working folder %s of this engine was removed; it is created again", self.folder)
        self._lock.release()
        self._make_folder()
        return False

    def _make_folder(self) -> None:
        """Make the folder, and take the lock: another engine may hold it for a moment while it looks for dead ones."""
        private_folder(self.folder.parent)
        private_folder(self.folder)
        end = time.monotonic() + _LOCK_S
        self._lock.wait(lambda: time.monotonic() < end)  # without it, the next heartbeat tries again

    def close(self) -> None:
        """Release the lock and remove the folder. Does nothing in a forked child."""
        if self._owner.is_here:
            self._lock.release()
            _remove_folder(self.folder)


def is_dead(root: Path, name: str) -> bool:
    """Return True when the process of this owner has certainly ended."""
    return not is_locked(root / FOLDER / name / "lock")  # without the file it closed, or its folder was removed


def remove_dead_folders(root: Path) -> None:
    """Remove the folders of dead engines; most of their content is unfinished outputs."""
    for folder in (root / FOLDER).glob("*"):
        # The lock appears a moment after the folder: an engine that starts just now is left alone.
        with contextlib.suppress(OSError):
            if folder.suffix == REMOVED or ((folder / "lock").exists() and is_dead(root, folder.name)):
                _remove_folder(folder)


def _remove_folder(folder: Path) -> None:
    """Remove a folder that others may still write to. It is renamed first, so that they notice at once."""
    removed = folder if folder.suffix == REMOVED else folder.with_suffix(REMOVED)
    if removed != folder:
        with contextlib.suppress(OSError):  # Windows cannot rename a folder with open files in it
            folder.rename(removed)
    for path in (folder, removed):
        shutil.rmtree(path, ignore_errors=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that no reader sees half of it. A removed folder is no error: nobody reads there."""
    with contextlib.suppress(FileNotFoundError):
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            file.write(text)
        Path(file.name).replace(path)
