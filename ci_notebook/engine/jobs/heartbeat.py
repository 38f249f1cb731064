"""Heartbeat: shows that an engine is alive, so that only the jobs of dead engines run again.

A running engine owns a folder for its work and holds a lock on a file in it. The system releases the lock
when the process dies, even by SIGKILL. Windows has no such locks; there only the lease in the ledger
expires. Processes on other machines do not see locks, so they watch the counter in the file `beat`.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

from ci_notebook._folders import private_file, private_folder

if sys.platform != "win32":
    import fcntl

__all__ = ["FOLDER", "Heartbeat", "is_dead", "remove_dead_folders", "write_atomically"]

FOLDER: Final = ".owners"
REMOVED: Final = ".gone"


class Heartbeat:
    """The heartbeat of one running engine, the owner of its leases. It beats from its creation until `close`."""

    def __init__(self, root: Path, name: str) -> None:
        self.name, self.folder = name, private_folder(root / FOLDER) / name
        private_folder(self.folder)
        self._beats = 0
        self._lock: BinaryIO = private_file(self.folder / "lock").open("wb")
        if sys.platform != "win32":
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def beat(self) -> None:
        """Raise the counter, for processes that cannot see the lock."""
        self._beats += 1
        write_atomically(self.folder / "beat", str(self._beats))

    def close(self) -> None:
        """Release the lock and remove the folder."""
        self._lock.close()
        _remove_folder(self.folder)


def is_dead(root: Path, name: str) -> bool:
    """Return True when the process of this owner has certainly ended."""
    if sys.platform == "win32":
        return False
    try:
        with (root / FOLDER / name / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True  # it closed, or another engine has removed its folder
    except OSError:
        return False
    return True


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
