"""One SQLite connection that threads share: never closed while a thread uses it, and never used in a forked child.

Invariant: SQLite must not see a connection in two processes. A forked child leaves its parent's connection alone,
does not even close it, and opens another one when it needs it (see https://www.sqlite.org/howtocorrupt.html).
No thread is inside SQLite while another one forks: the child would find SQLite's own locks taken for ever.
"""

from __future__ import annotations

import ctypes
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ci_notebook._processes import call_around_forks, call_in_children
from ci_notebook.model.errors import EngineError, ParameterError

__all__ = ["SharedConnection"]

# How long a fork waits for a thread that uses the connection; each does so for milliseconds.
_FORK_S: Final = 10.0
# How long a thread waits for another one: longer than the busy timeout, which is the longest that one statement takes.
LIMIT_S: Final = 60.0


class SharedConnection:
    """The connection to the file at `path` that `connect` opens. `name` is what errors call the file."""

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection], *, name: str) -> None:
        self._path, self._connect, self._name = path, connect, name
        self._lock, self._is_closed, self._depth = threading.RLock(), False, 0
        self._connection: sqlite3.Connection | None = connect(path)
        self._file = self._identity()
        self._forking_thread = 0
        call_around_forks(self._hold_for_fork, self._release_after_fork)
        call_in_children(self._leave_to_parent)

    @contextmanager
    def use(self, limit_s: float = LIMIT_S) -> Iterator[sqlite3.Connection]:
        """Hold the connection; other threads wait. Each holds it for milliseconds, or for the busy timeout at most.

        Raises `ParameterError` once closed, `EngineError` when the file was removed or replaced, and `TimeoutError`
        when another thread holds the connection for `limit_s` seconds.
        """
        lock = self._lock
        if not lock.acquire(timeout=limit_s):
            raise TimeoutError(f"{self._name} has been in use by another thread for {limit_s:g} s")
        self._depth += 1  # only the thread that holds the lock counts
        try:
            if self._is_closed:
                raise ParameterError.plain(f"{self._name} is closed. Open the lab again: ci.connect().")
            if self._connection is None:
                self._connection = self._connect(self._path)
                self._file = self._identity()
            if self._depth <= 1:  # a block inside another one of this thread need not look again
                self.check()
            yield self._connection
        finally:
            self._depth -= 1
            lock.release()

    def check(self) -> None:
        """Raise `EngineError` when the file was removed or replaced: what is written would be lost."""
        if self._identity() != self._file:
            raise EngineError(
                f"{self._name} ({str(self._path)!r}) was removed or replaced while it was in use. "
                "Restore the folder, or start again with what is there: lab.close(), then ci.connect()."
            )

    def close(self) -> None:
        """Close the connection, as soon as no thread uses it. The file stays.

        A connection that a thread holds for longer than `LIMIT_S` seconds is left open: closing it would end Python.
        """
        self._is_closed = True
        if self._lock.acquire(timeout=LIMIT_S):
            try:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
            finally:
                self._lock.release()

    def _identity(self) -> tuple[int, int] | None:
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_dev, facts.st_ino

    def _hold_for_fork(self) -> None:
        if self._lock.acquire(timeout=_FORK_S):
            self._forking_thread = threading.get_ident()

    def _release_after_fork(self) -> None:
        if self._forking_thread == threading.get_ident():
            self._forking_thread = 0
            self._lock.release()

    def _leave_to_parent(self) -> None:
        self._forking_thread, self._depth = 0, 0
        self._lock = threading.RLock()  # a thread of the parent may hold the old one
        if self._connection is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))  # never freed: that would close it
            self._connection = None
