"""What is dear to make and may be wanted again: files below the engine's root, within a bound on disk.

The rule of this file: an entry is whole or it is not there. It is made elsewhere on the same disk
and moved in, and its name holds its size. Of several that want to make the same one, in whatever
process, one does; the system lets go of its lock when it dies, so that nobody waits for the dead.
What was not used for longest goes first. The folder may be deleted at any time: nothing is lost but time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from ci_notebook.media.ffmpeg import Cancelled, capabilities
from ci_notebook.model.errors import ParameterError

if sys.platform != "win32":
    import fcntl

FOLDER: Final = ".kept"
LIMIT_BYTES: Final = 4_000_000_000
VARIABLE: Final = "CI_NOTEBOOK_KEPT_BYTES"
_POLL_S: Final = 0.1  # how often the one who waits looks whether it may go on
_LOCK: Final = ".lock"
_STALE_S: Final = 86_400.0  # a lock's empty file that nobody has touched for so long is rubbish
_PACKAGE: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """What an engine keeps of its work: in `folder`, `limit_bytes` at most (0 keeps nothing).

    `free_bytes` are left free on the disk: before there are less, what is kept goes. `reuse` is
    whether an output that was made before is taken instead of being made again.
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
        """Return what an engine on `root` keeps: as much as was said, in the environment if need be, else 4 GB.

        Where the engine's folder is `bounded`, only what was said in so many words takes room from
        its jobs. Raises `ParameterError` for what is no number of bytes.
        """
        name, value = "kept_bytes", limit_bytes if limit_bytes is not None else os.environ.get(VARIABLE)
        if limit_bytes is None and value is not None:
            name = VARIABLE
        if value is None:
            value = 0 if bounded else LIMIT_BYTES
        if not str(value).isdecimal():
            raise ParameterError(name, value, "a whole number of bytes from 0", "0 keeps nothing.")
        return cls(folder=root.absolute() / FOLDER, limit_bytes=int(value), free_bytes=free_bytes, reuse=reuse)


class RenderCache:
    """The entries of one folder. May be used by many threads and processes at once."""

    def __init__(self, folder: Path, *, limit: int, free: int = 0) -> None:
        self._folder, self._limit, self._free = folder, limit, free

    def get(self, key: str, link: Path) -> Path | None:
        """Give an entry a second name, `link`, under which it stays whatever happens; None when there is none."""
        for found in self._folder.glob(f"{key}.*"):
            if found.suffix == _LOCK:
                continue
            with contextlib.suppress(FileNotFoundError):  # it has just gone
                if found.stat().st_size != int(found.suffix[1:]):
                    found.unlink()  # a power cut may leave half a file under a whole one's name
                    continue
                os.utime(found)
                _link_or_copy(found, link)
                return link
        return None

    def put(self, key: str, file: Path) -> None:
        """Move a finished file in; what was used least lately makes room for it."""
        size = file.stat().st_size
        if size > self._limit:
            file.unlink()
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room(size)
        os.utime(file)
        file.replace(self._folder / f"{key}.{size}")

    def put_link(self, key: str, file: Path) -> None:
        """Keep a finished file under a second name; the first one stays."""
        if file.stat().st_size <= self._limit:
            aside = file.with_name(f"{key}.link")
            _link_or_copy(file, aside)
            self.put(key, aside)

    def get_text(self, key: str) -> str | None:
        """Return a small entry's text, or None."""
        for found in self._folder.glob(f"{key}.*[0-9]"):
            with contextlib.suppress(FileNotFoundError):
                text = found.read_bytes()
                if len(text) == int(found.suffix[1:]):
                    os.utime(found)
                    return text.decode()
        return None

    def put_text(self, key: str, text: str, folder: Path) -> None:
        """Keep a small text; it is written in `folder` first, which lies on the same disk."""
        aside = folder / f"{key}.text"
        aside.write_bytes(text.encode())
        self.remove(key)
        self.put(key, aside)

    def remove(self, key: str) -> None:
        """Forget an entry."""
        for found in self._folder.glob(f"{key}.*[0-9]"):
            found.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def make_room(self, size: int) -> bool:
        """Let entries go until one of about `size` bytes fits; False when it never will, or would fill up the disk."""
        if size > self._limit:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room(size)
        return self._spare() > 2 * size

    @contextlib.contextmanager
    def building(
        self, key: str, cancel: threading.Event | None = None, *, on_progress: Callable[[float], None] | None = None
    ) -> Iterator[Callable[[float], None]]:
        """Be the only one who makes an entry; wait while another does. Raises `Cancelled` when `cancel` is set.

        Yields what takes the share that is done, 0 to 1; those who wait get it by `on_progress`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{key}{_LOCK}"
        while (lock := _try_lock(path)) is None:
            if (cancel or _NEVER).wait(_POLL_S):
                raise Cancelled("the run was cancelled", code="Cancelled")
            if on_progress is not None:
                with contextlib.suppress(OSError, ValueError):  # it has just gone, or says nothing yet
                    on_progress(int(path.read_bytes()) / 100)
        try:
            yield functools.partial(_write_progress, lock)
        finally:
            if sys.platform == "win32":
                lock.close()
            # While it is locked still, so that whoever gets this file's lock next sees that it is gone.
            with contextlib.suppress(OSError):
                path.unlink()
            lock.close()

    def _make_room(self, size: int) -> None:
        entries, now = [], time.time()
        for found in self._folder.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                facts = found.stat()
                if found.suffix != _LOCK:
                    entries.append((facts.st_mtime, facts.st_size, found))
                elif now - facts.st_mtime > _STALE_S:
                    found.unlink()
        taken = sum(entry[1] for entry in entries)
        for _, freed, found in sorted(entries):
            if taken + size <= self._limit and self._spare() > 2 * size:
                break
            with contextlib.suppress(OSError):  # gone already; or open, where open files cannot be removed
                found.unlink()
            taken -= freed

    def _spare(self) -> int:
        """Return the bytes that may still be written to the disk."""
        return shutil.disk_usage(self._folder).free - self._free


def content_hash(file: Path) -> str:
    """Return a name of a file's bytes that no other bytes have; reads them all, at about 1 GB a second."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").hexdigest()[:40]


def cache_key(*facts: object) -> str:
    """Return a name for what follows from these facts (of JSON's kinds) and this version of the engine."""
    text = json.dumps([version(), *facts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@functools.cache
def version() -> str:
    """Return what tells this engine's outputs from those of another: its own files, FFmpeg's and the network's version.

    The files and not a number, since whoever changes a filter does not always change the number.
    """
    digest = hashlib.sha256(capabilities().version.encode())
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # it comes with an extra
        digest.update(importlib.metadata.version("onnxruntime").encode())
    for room in ("engine", "media", "model", "wire"):
        for file in sorted((_PACKAGE / room).rglob("*")):
            if file.suffix in (".py", ".onnx"):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _write_progress(lock: IO[bytes], share: float) -> None:
    lock.seek(0)
    lock.write(b"%3d" % min(100, max(0, int(100 * share))))


def _try_lock(path: Path) -> IO[bytes] | None:
    """Return the opened and locked file, or None while another has it."""
    lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT), "r+b", buffering=0)
    if sys.platform == "win32":
        return lock  # no such locks there: two may make the same, and the later one is kept
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock.fileno()).st_ino == path.stat().st_ino:
            return lock
    except OSError:  # another's, or gone since it was opened
        pass
    lock.close()
    return None


def _link_or_copy(file: Path, link: Path) -> None:
    link.unlink(missing_ok=True)
    try:
        os.link(file, link)
    except FileNotFoundError:
        raise
    except OSError:  # no links on this disk
        shutil.copyfile(file, link)


_NEVER: Final = threading.Event()
