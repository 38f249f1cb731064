"""The kernels of the open pages: how many there may be, and when they end.

Each open page has a kernel, a process of about 150 MB. Invariant: never more than `most_pages` pages have one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any, Final

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError
from traitlets import Float, Integer

from ci_notebook.cli.page_server.page_limits import CLOSED_S, IDLE_MINUTES, MOST_PAGES

# A page that is being loaded has no connection yet. Its kernel gets at least this time.
_LOADING_S: Final = 60.0
# A page that is reloaded ends its kernel about when it asks for a new one: the wait for that, in steps of 0.1 s.
_RELOAD_STEPS: Final = 20
_TOO_MANY: Final = (
    "The limit of %d open page%s is reached. Close one, wait %g seconds, and reload. "
    "To allow more, start ci-notebook app with --max-pages."
)


class PageKernels(AsyncMappingKernelManager):  # type: ignore[misc]  # traitlets has no types
    """The kernels of the pages. A kernel that is running a cell never counts as idle."""

    most_pages = Integer(MOST_PAGES, config=True, help="most pages that are open at once")
    closed_s = Float(CLOSED_S, config=True, help="seconds until the kernel of a closed page ends")
    idle_minutes = Float(IDLE_MINUTES, config=True, help="minutes until the kernel of an unused page ends")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The culler of the base class calls `cull_kernel_if_idle`. It runs only where its own time limit is set.
        self.cull_idle_timeout = 1
        self.cull_interval = max(1, min(10, int(self.closed_s / 4)))
        self._starting = 0
        self._started: set[str] = set()
        self._opened: set[str] = set()

    async def start_kernel(self, *args: Any, **options: Any) -> str:
        """Start the kernel of one page. Raises `HTTPError` 503 where too many pages are open."""
        if self._count() >= self.most_pages:
            await self._end_a_closed_one()
        for _ in range(_RELOAD_STEPS):
            if self._count() < self.most_pages:
                break
            await asyncio.sleep(0.1)
        else:
            raise HTTPError(503, _TOO_MANY, self.most_pages, "s" * (self.most_pages > 1), self.closed_s)
        self._starting += 1
        try:
            kernel_id = str(await super().start_kernel(*args, **options))
            self._started.add(kernel_id)
            return kernel_id
        finally:
            self._starting -= 1

    def notify_connect(self, kernel_id: str) -> None:
        """Note that the page of a kernel is loaded."""
        self._opened.add(kernel_id)
        super().notify_connect(kernel_id)

    async def shutdown_kernel(self, kernel_id: str, *args: Any, **options: Any) -> None:
        """End a kernel. It makes room for another page at once, although its process takes a moment to end."""
        self._started.discard(kernel_id)
        await super().shutdown_kernel(kernel_id, *args, **options)

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End the kernel of a page that was closed, or that nobody has used for long."""
        model = self.kernel_model(kernel_id)
        limit_s = self.idle_minutes * 60 if model["connections"] else self._patience_s(kernel_id, self.closed_s)
        if model["execution_state"] != "busy" and _quiet_s(model) > limit_s:
            await self.shutdown_kernel(kernel_id)

    def _count(self) -> int:
        self._started.intersection_update(self.list_kernel_ids())
        self._opened.intersection_update(self._started)
        return len(self._started) + self._starting

    def _patience_s(self, kernel_id: str, closed_s: float) -> float:
        """Return how long a kernel may be without a connection: a page that is still loading gets more time."""
        return closed_s if kernel_id in self._opened else max(closed_s, _LOADING_S)

    async def _end_a_closed_one(self) -> None:
        """End the kernel that has been without a page for the longest time, if there is one."""
        models = [self.kernel_model(one) for one in self._started]
        closed = [
            one
            for one in models
            if not one["connections"]
            and one["execution_state"] != "busy"
            and _quiet_s(one) > self._patience_s(one["id"], 0)
        ]
        if closed:
            oldest = max(closed, key=_quiet_s)
            await self.shutdown_kernel(oldest["id"])


def _quiet_s(model: dict[str, Any]) -> float:
    """Return the seconds since the last message of a kernel."""
    last = dt.datetime.fromisoformat(model["last_activity"].replace("Z", "+00:00"))
    return (dt.datetime.now(dt.UTC) - last).total_seconds()
