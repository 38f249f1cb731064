"""A mapping of bounded size for caches in long-lived objects.

Invariant: it never holds more than `limit` entries; the least recently used one is evicted first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from ci_notebook._processes import call_in_children

__all__ = ["LRU"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LRU(Generic[K, V]):
    """Keeps the `limit` most recently used entries. Safe to use from several threads.

    >>> squares = LRU[int, int](2)
    >>> [squares.get_or_make(n, lambda: n * n) for n in (1, 2, 3)]
    [1, 4, 9]
    >>> 1 in squares, 3 in squares, len(squares)
    (False, True, 2)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()
        call_in_children(self._free)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def _free(self) -> None:
        self._lock = threading.Lock()  # a thread of the parent may hold the old one for ever

    def get(self, key: K) -> V | None:
        """Return the value of a key and count that as a use; None where there is none."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def put(self, key: K, value: V) -> None:
        """Set the value of a key, and evict the least recently used entry if there is no room."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)

    def pop(self, key: K) -> V | None:
        """Remove a key and return its value; None where there is none."""
        with self._lock:
            return self._entries.pop(key, None)

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key; call `make` where there is none. Two threads may both make it."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        value = make()
        self.put(key, value)
        return value
