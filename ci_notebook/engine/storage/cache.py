"""Disk cache for expensive results: an LRU cache of files below the engine's root.

Invariant: an entry is complete or absent. A file is written elsewhere on the same disk and moved in, and
its name holds its size. Of several processes that want the same entry, one builds it under a file lock;
the system releases the lock when that process dies. When space runs out, the least recently used entries
are evicted. The folder may be deleted at any time: only time is lost.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_notebook._file_lock import POLL_S, FileLock
from ci_notebook._folders import private_file, private_folder
from ci_notebook.media.ffmpeg import Cancelled
from ci_notebook.model.errors import ParameterError

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

__all__ = ["FOLDER", "LIMIT_BYTES", "VARIABLE", "CacheOptions", "RenderCache", "content_hash", "remove_old_folder"]

FOLDER: Final = ".cache"
LIMIT_BYTES: Final = 4_000_000_000
VARIABLE: Final = "CI_NOTEBOOK_CACHE_BYTES"
# Names of version 0.1: the variable still works; the folder is deleted, because no key of it is used again.
OLD_VARIABLE: Final = "CI_NOTEBOOK_KEPT_BYTES"
OLD_FOLDER: Final = ".kept"
# A process that builds an entry and makes no progress for so long, for example because it is stopped, is passed by.
PATIENCE_S: Final = 300.0
_LOCK: Final = ".lock"
_STALE_S: Final = 86_400.0  # a lock file that nobody touched for so long is removed


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """Options of an engine's cache: `folder`, and at most `limit_bytes` in it (0 switches the cache off).

    `free_bytes` stay free on the disk: entries are evicted before less is left. `reuse` says whether a job
    that equals an earlier one takes over its output.
    """

    folder: Path
    limit_bytes: int = LIMIT_BYTES
    free_bytes: int = 0
    reuse: bool = True

    @classmethod
    def for_root(
        cls, root: Path, limit_bytes: int | None = None, *, free_bytes: int = 0, reuse: bool = True,
        bounded: bool = False,
    ) -> CacheOptions:  # fmt: skip
        """Return the options of an engine on `root`: the limit given, else the environment's, else 4 GB.

        Where the engine's folder is `bounded`, the default is 0: only an explicit limit takes space from
        the jobs. Raises `ParameterError` unless the limit is a whole number of bytes.
        """
        name, value = "cache_bytes", None if limit_bytes is None else str(limit_bytes)
        for variable in (VARIABLE, OLD_VARIABLE):
            if value is None and variable in os.environ:
                name, value = variable, os.environ[variable]
        if value is None:
            value = "0" if bounded else str(LIMIT_BYTES)
        if not value.isdecimal():
            got = limit_bytes if limit_bytes is not None else value
            raise ParameterError(name, got, "a whole number of bytes from 0", "0 switches the cache off.")
        return cls(folder=root.absolute() / FOLDER, limit_bytes=int(value), free_bytes=free_bytes, reuse=reuse)


class RenderCache:
    """The cache entries of one folder. Many threads and processes may use it at once."""

    def __init__(self, folder: Path, *, limit: int, free: int = 0, patience_s: float = PATIENCE_S) -> None:
        self.folder, self._limit, self._free, self._patience_s = folder, limit, free, patience_s

    def get(self, key: str, link: Path) -> Path | None:
        """Give an entry a second name, `link`, which outlives eviction. Return None when there is no entry."""
        for entry in self.folder.glob(f"{key}.*"):
            if entry.suffix == _LOCK:
                continue
            with contextlib.suppress(FileNotFoundError):  # evicted just now
                if entry.stat().st_size != int(entry.suffix[1:]):
                    entry.unlink()  # a power cut may leave half a file under the name of a complete one
                    continue
                os.utime(entry)
                _link_or_copy(entry, link)
                return link
        return None

    def put(self, key: str, file: Path) -> None:
        """Move a finished file into the cache, and evict the least recently used entries to make room."""
        size = file.stat().st_size
        if size > self._limit:
            file.unlink()
            return
        private_folder(self.folder)
        self._evict(size)
        os.utime(file)
        file.replace(self.folder / f"{key}.{size}")

    def put_link(self, key: str, file: Path) -> None:
        """Add a finished file to the cache under a second name; the file itself stays where it is."""
        if file.stat().st_size <= self._limit:
            link = file.with_name(f"{key}.link")
            _link_or_copy(file, link)
            self.put(key, link)

    def get_text(self, key: str) -> str | None:
        """Return the text of a small entry, or None."""
        for entry in self.folder.glob(f"{key}.*[0-9]"):
            with contextlib.suppress(FileNotFoundError):
                text = entry.read_bytes()
                if len(text) == int(entry.suffix[1:]):
                    os.utime(entry)
                    return text.decode()
        return None

    def put_text(self, key: str, text: str, folder: Path) -> None:
        """Add a small text to the cache. It is written in `folder` first, on the same disk."""
        file = folder / f"{key}.text"
        private_file(file).write_bytes(text.encode())
        self.remove(key)
        self.put(key, file)

    def remove(self, key: str) -> None:
        """Remove an entry."""
        for entry in self.folder.glob(f"{key}.*[0-9]"):
            entry.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all entries."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def make_room(self, size: int) -> bool:
        """Evict entries until one of about `size` bytes fits. Return False when it never fits."""
        if size > self._limit:
            return False
        private_folder(self.folder)
        self._evict(size)
        return self._spare_bytes() > 2 * size

    @contextlib.contextmanager
    def building(
        self, key: str, cancel: threading.Event | None = None, *, on_progress: Callable[[float], None] | None = None
    ) -> Iterator[Callable[[float], None]]:
        """Hold the lock of an entry while it is built; wait while another thread or process holds it.

        Yields a function that publishes the share done, 0 to 1. Whoever waits gets that share through
        `on_progress`. Whoever has waited for `patience_s` seconds without progress builds the entry, too: the later
        one stays. Raises `Cancelled` when `cancel` is set.
        """
        private_folder(self.folder)
        path = self.folder / f"{key}{_LOCK}"
        lock = FileLock(path)
        if not self._wait_for(lock, cancel or threading.Event(), on_progress):
            log.warning("another process holds %s and makes no progress; the entry is built without it", path.name)
            yield lambda share: None
            return
        try:
            yield functools.partial(_write_progress, path)
        finally:
            lock.release(remove=True)

    def _wait_for(self, lock: FileLock, cancel: threading.Event, on_progress: Callable[[float], None] | None) -> bool:
        """Take a lock, as soon as it is free; return False when its holder makes no progress."""
        last, since = b"", time.monotonic()
        while not lock.try_lock():
            if cancel.wait(POLL_S):
                raise Cancelled("The run was cancelled.", code="Cancelled")
            with contextlib.suppress(OSError, ValueError):  # just removed, or still empty
                now = lock.path.read_bytes()
                if now != last:
                    last, since = now, time.monotonic()
                if on_progress is not None:
                    on_progress(int(now) / 100)
            if time.monotonic() - since > self._patience_s:
                return False
        return True

    def _evict(self, size: int) -> None:
        """Evict entries, least recently used first, until `size` more bytes fit. Remove stale lock files."""
        entries, now = [], time.time()
        for path in self.folder.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                if path.suffix != _LOCK:
                    entries.append((stat.st_mtime, stat.st_size, path))
                elif now - stat.st_mtime > _STALE_S:
                    path.unlink()
        total = sum(entry[1] for entry in entries)
        for _, freed, path in sorted(entries):
            if total + size <= self._limit and self._spare_bytes() > 2 * size:
                break
            with contextlib.suppress(OSError):  # removed already; or open, where open files cannot be removed
                path.unlink()
            total -= freed

    def _spare_bytes(self) -> int:
        """Return how many bytes may still be written to the disk."""
        return shutil.disk_usage(self.folder).free - self._free


def content_hash(file: Path) -> str:
    """Return a hash of a file's bytes. Reads the whole file, at about 1 GB a second."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").hexdigest()[:40]


def remove_old_folder(root: Path) -> None:
    """Delete the cache folder of version 0.1: its entries cannot be found any more."""
    shutil.rmtree(root / OLD_FOLDER, ignore_errors=True)


def _write_progress(path: Path, share: float) -> None:
    # The folder may be deleted at any time; and Windows lets nobody write to a locked file.
    with contextlib.suppress(OSError), path.open("r+b") as file:
        file.write(b"%3d" % min(100, max(0, int(100 * share))))


def _link_or_copy(file: Path, link: Path) -> None:
    link.unlink(missing_ok=True)
    try:
        os.link(file, link)
    except FileNotFoundError:
        raise
    except OSError:  # this disk has no hard links
        shutil.copyfile(file, private_file(link))
