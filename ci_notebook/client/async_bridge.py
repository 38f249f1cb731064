"""Runs blocking work in a thread while an event loop runs, so that the loop is never blocked.

It does not use asyncio's thread pool. That pool has few threads, which twenty awaited jobs would
occupy, and a closing loop waits for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

# Sleeps for a number of seconds; raises `Stopped` when the caller no longer waits.
Rest = Callable[[float], object]


class Stopped(BaseException):
    """The caller no longer waits for the work. It is no `Exception`, so that no handler catches it."""


async def each(make: Callable[[Rest], Iterator[T]], rest: Rest) -> AsyncGenerator[T, None]:
    """Yield the items of an iterator that runs in a thread.

    `make` receives its own `rest` for pauses. It raises `Stopped` once the caller has left, by `break`,
    by an error, or by cancellation. Errors of the iterator are raised here.
    """
    loop = asyncio.get_running_loop()
    messages: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    left = threading.Event()

    def pause(seconds: float) -> object:
        slept = rest(seconds)
        if left.is_set():
            raise Stopped
        return slept

    def send(kind: str, item: Any) -> None:
        if left.is_set():
            raise Stopped
        with contextlib.suppress(RuntimeError):  # the loop is closed: the caller has left
            loop.call_soon_threadsafe(messages.put_nowait, (kind, item))

    def run() -> None:
        with contextlib.suppress(Stopped):
            try:
                for one in make(pause):
                    send("one", one)
                send("end", None)
            except Stopped:
                raise
            except BaseException as error:  # noqa: BLE001  the awaiting side raises it
                send("error", error)

    threading.Thread(target=run, name="ci-notebook-async", daemon=True).start()
    try:
        while True:
            kind, item = await messages.get()
            if kind == "end":
                return
            if kind == "error":
                raise item
            yield item
    finally:
        left.set()


async def result(work: Callable[[Rest], T], rest: Rest) -> T:
    """Run `work` in a thread and return its result (see `each`)."""

    def once(pause: Rest) -> Iterator[T]:
        yield work(pause)

    results = each(once, rest)
    try:
        async for one in results:
            return one
    finally:
        await results.aclose()
    raise AssertionError("the work returns or raises")
