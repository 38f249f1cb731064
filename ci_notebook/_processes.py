"""What belongs to one process: finalizers, connections and pipes, which a forked child must not act on.

Invariant: a child made by fork (`os.fork`, or `multiprocessing` with the method fork) changes nothing of its parent.
A finalizer acts only in the process that registered it. The child's copies of pipes and sockets are replaced by the
null device, so that what waits at their other end notices the parent's death, although the child lives.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
from typing import Any, Final, Protocol

from ci_notebook.model.errors import ParameterError

__all__ = ["Owner", "call_around_forks", "call_in_children", "detach_in_children", "finalize"]


class HasDescriptor(Protocol):
    """A file, pipe or socket. `fileno` is negative, or raises `ValueError` or `OSError`, once it is closed."""

    def fileno(self) -> int: ...


class Owner:
    """The process that an object belongs to: the one that made it.

    >>> Owner().is_here
    True
    """

    __slots__ = ("_process",)

    def __init__(self) -> None:
        self._process = os.getpid()

    @property
    def is_here(self) -> bool:
        """True in that process, False in a child that was forked from it."""
        return os.getpid() == self._process

    def refuse_elsewhere(self, thing: str, remedy: str = "Call ci.connect() in this process.") -> None:
        """Raise `ParameterError` in another process, where `thing` cannot be used."""
        if not self.is_here:
            raise ParameterError.plain(
                f"{thing} belongs to process {self._process}; this is process {os.getpid()}, forked from it. {remedy}"
            )


def finalize(owner: object, call: Callable[..., object], *args: Any) -> weakref.finalize[Any, Any]:
    """Return `weakref.finalize(owner, call, *args)` that does nothing in a forked child of this process."""
    return weakref.finalize(owner, _call_in, os.getpid(), call, args)


def detach_in_children(*files: HasDescriptor | None) -> None:
    """Let forked children have the null device instead of these pipes or sockets; None is skipped."""
    for file in files:
        if file is not None:
            _DETACHED.add(file)


def call_in_children(method: Callable[[], object]) -> None:
    """Call a bound method in every forked child, as long as its object lives. It must take no lock."""
    _CALLED.append(weakref.WeakMethod(method, _CALLED.remove))


def call_around_forks(before: Callable[[], object], after: Callable[[], object]) -> None:
    """Call two bound methods in this process before and after each fork, in the thread that forks."""
    _BEFORE.append(weakref.WeakMethod(before, _BEFORE.remove))
    _AFTER.append(weakref.WeakMethod(after, _AFTER.remove))


def _call_in(process: int, call: Callable[..., object], args: tuple[Any, ...]) -> None:
    if os.getpid() == process:
        call(*args)


_DETACHED: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
_CALLED: Final[list[weakref.WeakMethod[Any]]] = []
_BEFORE: Final[list[weakref.WeakMethod[Any]]] = []
_AFTER: Final[list[weakref.WeakMethod[Any]]] = []


def _call_all(methods: list[weakref.WeakMethod[Any]]) -> None:
    for reference in list(methods):
        method = reference()
        if method is not None:
            method()


def _after_fork_in_child() -> None:
    _call_all(_CALLED)
    numbers = []
    for file in list(_DETACHED):
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            numbers.append(file.fileno())
    _DETACHED.clear()
    if not any(number >= 0 for number in numbers):
        return
    null = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        if number >= 0:
            os.dup2(null, number, inheritable=False)
    os.close(null)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _call_all(_BEFORE), after_in_parent=lambda: _call_all(_AFTER),
        after_in_child=_after_fork_in_child,
    )  # fmt: skip
