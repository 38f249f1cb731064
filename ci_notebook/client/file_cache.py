"""The one cache of local files: what was downloaded from a bucket, and what was made from that.

Invariants: a file is named by bucket, key and content, so two objects of one name, or two versions of one
object, never share a file. A file appears whole or not at all, and is written once however many threads and
processes ask for it. The files together take at most `limit_bytes`; the least recently used go first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from ci_notebook._file_lock import FileLock
from ci_notebook._folders import absolute, private_file, private_folder
from ci_notebook._processes import Owner
from ci_notebook.model.errors import CIError
from ci_notebook.model.lru import LRU

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())

__all__ = [
    "LIMIT_BYTES",
    "ContentChanged",
    "FileCache",
    "Storage",
    "download_checked",
    "holds",
    "known_md5",
    "md5_of",
    "whole_file",
]

LIMIT_BYTES: Final = 20 << 30
# Two files may share a lock; then one waits for the other. So many lock files are left in the folder, all empty.
_LOCKS: Final = 256
_PART: Final = "part-"
# A temporary file that old was left by a process that was killed.
_STALE_S: Final = 24 * 3600.0
# Whoever holds a lock and has written nothing for so long, for example because it is stopped, is not waited for.
PATIENCE_S: Final = 30.0
# The names of this module, and those that version 0.1 gave.
_ENTRY: Final = re.compile(r"[0-9a-f]{32}(?:[0-9a-f]{8})?(?:-joined)?(?:\.\w+)?")


# MD5s of files by path, size, times and inode.
_KNOWN_MD5: Final = LRU[tuple[str, int, int, int, int], str](4096)


class ContentChanged(CIError):
    """An object has another content than the one that was asked for."""


class StoredFacts(Protocol):
    """Facts of an object, as `Storage.head` returns them."""

    @property
    def size_bytes(self) -> int: ...
    @property
    def etag(self) -> str: ...
    @property
    def md5(self) -> str: ...
    @property
    def last_modified(self) -> str: ...


class Storage(Protocol):
    """The part of a client that the cache needs."""

    @property
    def bucket(self) -> str: ...  # noqa: D102
    def head(self, key: str) -> StoredFacts: ...  # noqa: D102
    def download(self, key: str, path: str | Path) -> Path: ...  # noqa: D102


class FileCache:
    """The files of one folder. Safe to use from several threads and processes, and by several instances at once."""

    def __init__(self, folder: Path, *, limit_bytes: int = LIMIT_BYTES, patience_s: float = PATIENCE_S) -> None:
        self.folder, self._limit_bytes, self._patience_s = absolute(folder), limit_bytes, patience_s

    def path_of(self, bucket: str, key: str, content: str, *, suffix: str | None = None) -> Path:
        """Return the path of the file of an object. `content` is its MD5 or ETag, and what was done to it, if anything.

        `suffix` is that of `key` unless given. The file need not exist.
        """
        name = hashlib.sha256(json.dumps([bucket, key, content]).encode()).hexdigest()[:40]
        ending = Path(key).suffix if suffix is None else suffix
        return self.folder / (name + ending if re.fullmatch(r"\.\w{1,16}", ending) else name)

    def make(self, path: Path, write: Callable[[Path], object]) -> Path:
        """Return `path`. If there is no such file, have `write` write it first, to the path that it is called with.

        While one writes, others who want the same file wait for it, unless nothing was written into the folder for
        `patience_s` seconds. Whatever `write` raises is raised, and leaves no file. `write` must not ask for another
        file of this cache: it may share the lock.
        """
        if self.note_use(path):
            return path
        private_folder(self.folder)
        with self._lock(path):
            if not self.note_use(path):
                with whole_file(path) as part:
                    write(private_file(part))
                self.clear_up()
                self._evict(but=path)
        return path

    def fetch(self, storage: Storage, key: str, *, md5: str = "") -> Path:
        """Return a local file with an object, downloaded only if it is not here.

        With `md5` that content is meant, and no call is made if it is here; otherwise the content that is stored
        now. Raises `ContentChanged` if the object has another content, and what the client raises.
        """
        md5 = md5.lower()
        if md5:

            def write(part: Path) -> None:
                download_checked(storage, key, part, md5)

            return self.make(self.path_of(storage.bucket, key, md5), write)
        before = storage.head(key)

        def write_current(part: Path) -> None:
            storage.download(key, part)
            if md5_of(part) != before.md5 and _content(storage.head(key)) != _content(before):
                raise ContentChanged(f"The object {key} changed while it was downloaded. Try again.")

        return self.make(self.path_of(storage.bucket, key, _content(before)), write_current)

    def note_use(self, path: Path) -> bool:
        """Return whether a file exists; one of this cache then counts as just used."""
        if path.parent != self.folder:
            return path.exists()
        try:
            # The time of access is that of the last use; the time of writing stays.
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        except FileNotFoundError:
            return False
        except OSError:  # another user's file: it is used all the same
            return path.exists()
        return True

    def clear_up(self) -> None:
        """Remove the temporary files of processes that were killed a day ago or earlier."""
        for path in self.folder.glob(f"{_PART}*"):
            with contextlib.suppress(OSError):  # another process removes them at the same time
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()

    @contextlib.contextmanager
    def _lock(self, path: Path) -> Iterator[None]:
        locks = private_folder(self.folder / ".locks")
        number = int(hashlib.sha256(path.name.encode()).hexdigest(), 16) % _LOCKS
        began = time.time()
        lock = FileLock(locks / f"{number:02x}")
        # A file system without locks, or a holder that does not move: then two may write one file, each its own copy.
        with lock:
            with contextlib.suppress(OSError):
                if not lock.wait(lambda: time.time() - max(began, self._last_write()) < self._patience_s):
                    log.warning("another process holds %s and writes nothing; it is not waited for", lock.path)
            yield

    def _last_write(self) -> float:
        """Return when a temporary file of this folder was last written, in Unix seconds."""
        times = [0.0]
        for path in self.folder.glob(f"{_PART}*"):
            with contextlib.suppress(OSError):  # it is complete
                times.append(path.stat().st_mtime)
        return max(times)

    def _evict(self, *, but: Path) -> None:
        """Remove the least recently used files until the rest fits. A reader on POSIX keeps what it has open."""
        entries = []
        for path in self.folder.iterdir():
            if _ENTRY.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    facts = path.stat()
                    entries.append((facts.st_atime_ns, facts.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._limit_bytes:
                break
            if path != but:
                with contextlib.suppress(OSError):  # in use on Windows, or removed by another process
                    path.unlink()
                    total -= size


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `target`; rename it at the end of the block, remove it after an error."""
    # A unique name: another process may be writing the same file. It ends as the target does, for programs
    # that choose a format by that.
    part, owner = target.with_name(f"{_PART}{secrets.token_hex(8)}{target.suffix}"), Owner()
    try:
        mode = stat.S_IMODE(target.stat().st_mode)  # a file that is replaced keeps its mode
    except FileNotFoundError:
        mode = None
    try:
        yield part if mode is None else private_file(part)
        if mode is not None:
            part.chmod(mode)
        part.replace(target)
    finally:
        if owner.is_here:  # a forked child that ends here leaves its parent's file alone
            part.unlink(missing_ok=True)


def download_checked(storage: Storage, key: str, path: Path, md5: str) -> None:
    """Download an object to a file, and raise `ContentChanged` if its MD5 is another than `md5`; "" is any."""
    storage.download(key, path)
    if md5 and md5_of(path) != md5.lower():
        raise ContentChanged(f"The object {key} has changed: its MD5 is not {md5} any more.")


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def holds(path: Path, md5: str) -> bool:
    """Return whether a file exists and its content has this MD5; "" is any.

    A file is read again only when its size, its times or its place on the disk changed since it was last read.
    """
    try:
        facts = path.stat()
        return path.is_file() and (not md5 or known_md5(path, facts) == md5.lower())
    except OSError:
        return False


def known_md5(path: Path, facts: os.stat_result | None = None) -> str:
    """Return the MD5 of a file, from memory where the file has not changed since it was last read."""
    before = facts or path.stat()
    key = (str(path.absolute()), before.st_size, before.st_mtime_ns, before.st_ctime_ns, before.st_ino)
    return _KNOWN_MD5.get_or_make(key, lambda: md5_of(path))


def _content(facts: StoredFacts) -> str:
    """Return what tells the content of an object from others: its MD5 where that is known, else its ETag."""
    return facts.md5.lower() or facts.etag or f"{facts.size_bytes} bytes of {facts.last_modified}"
