"""Work beside a running loop: in a thread of its own, so that nothing blocks and no loop is patched.

Not in asyncio's pool: that holds a handful of threads, which twenty awaited jobs would take for
themselves, and a loop that ends waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

# Sleeps so many seconds, or raises `Stopped` if nobody waits any more.
Rest = Callable[[float], object]


class Stopped(BaseException):
    """Nobody waits for the work any more. Not an error, so nothing catches it on its way."""


async def each(make: Callable[[Rest], Iterator[T]], rest: Rest) -> AsyncGenerator[T, None]:
    """Yield what an iterator yields that runs in a thread.

    `make` gets a `rest` of its own to pause with: it raises `Stopped` once the caller has left, by
    `break`, by an error, or cancelled. What the iterator raises is raised here.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    left = threading.Event()

    def pause(seconds: float) -> object:
        slept = rest(seconds)
        if left.is_set():
            raise Stopped
        return slept

    def tell(kind: str, what: Any) -> None:
        if left.is_set():
            raise Stopped
        with contextlib.suppress(RuntimeError):  # the loop is closed: the caller is gone
            loop.call_soon_threadsafe(told.put_nowait, (kind, what))

    def run() -> None:
        with contextlib.suppress(Stopped):
            try:
                for one in make(pause):
                    tell("one", one)
                tell("end", None)
            except Stopped:
                raise
            except BaseException as error:  # noqa: BLE001  it is raised where it is awaited
                tell("error", error)

    threading.Thread(target=run, name="ci-notebook-aside", daemon=True).start()
    try:
        while True:
            kind, what = await told.get()
            if kind == "end":
                return
            if kind == "error":
                raise what
            yield what
    finally:
        left.set()


async def result(work: Callable[[Rest], T], rest: Rest) -> T:
    """Return what `work` returns, which runs in a thread (see `each`)."""

    def once(pause: Rest) -> Iterator[T]:
        yield work(pause)

    results = each(once, rest)
    try:
        async for one in results:
            return one
    finally:
        await results.aclose()
    raise AssertionError("the work returns or raises")
