"""Checks a call when its head has arrived, so that the body of a refused call costs no disk.

Invariant: the bytes of a body are stored only as long as the call can succeed. Those of a refused call, and those
over the call's limit, are read and dropped; then the caller gets the refusal. A caller that waits for
`100 Continue` gets it at once.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from waitress.adjustments import Adjustments

from ci_notebook.engine.server.body_plan import BodyPlan
from ci_notebook.engine.server.request_parser import RequestParser
from ci_notebook.model.errors import ServiceError

__all__ = ["HeadCheckingRequest"]


class HeadCheckingRequest(RequestParser):
    """A request that arrives. `plan_of` is asked once, between the head and the body."""

    completed: bool
    expect_continue: bool
    refusal: ServiceError | None = None
    _plan: BodyPlan | None = None
    _is_dropping = False

    def __init__(self, adjustments: Adjustments, plan_of: Callable[[HeadCheckingRequest], BodyPlan]) -> None:
        super().__init__(adjustments)
        self._plan_of = plan_of

    def received(self, data: bytes) -> int:
        """Take bytes from the caller; return how many belong to this request."""
        consumed = int(super().received(data))
        if self.completed or not self.headers_finished:
            return consumed
        if self._plan is None:
            self._plan = self._plan_of(self)
            if self._plan.refusal is not None:
                self._drop_body(self._plan.refusal)
            elif self.content_length > self._plan.limit_bytes:
                self._drop_body(self._plan.over_limit)
        elif not self._is_dropping and self.body_bytes_received > self._plan.limit_bytes:
            self._drop_body(self._plan.over_limit)
        return consumed

    def _drop_body(self, refusal: ServiceError | None) -> None:
        """Drop the body, what has arrived of it and what will."""
        self._is_dropping, self.refusal = True, refusal
        self.body_rcv.getbuf().close()
        self.body_rcv.buf = _Nowhere()
        if self.expect_continue and refusal is not None:
            self.expect_continue, self.completed, self.connection_close = False, True, True


class _Nowhere:
    """A buffer of a body that keeps nothing."""

    def append(self, data: bytes) -> None:
        """Drop the bytes."""

    def getfile(self) -> Any:
        """Return an empty file."""
        return io.BytesIO()

    def close(self) -> None:
        """There is nothing to close."""

    def __len__(self) -> int:
        return 0
