"""Fault injection: errors of a network and a service, on demand, for tests and lessons.

Nothing is injected until `engine.faults.add` is called. A fault of a call affects its caller: in
process as the matching exception, on a port for real (the connection is closed, or no answer comes).
A fault of jobs affects the workers.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import ClassVar, Final, NoReturn, TypeVar

from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.wire.error_codes import CODE_OF_STATUS
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.service_errors import service_error

RUN_JOB: Final = "run_job"
ANY_CALL: Final = "*"


class ConnectionDropped(ConnectionResetError):
    """The engine closes the connection without an answer, because of an injected fault."""


class NoReply(TimeoutError):
    """The engine sends no answer, because of an injected fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Base of all faults. `after` means: only after the call has done its work, so that just the answer is lost."""

    of_jobs: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class ServerError(Fault):
    """The call gets a 5xx answer."""

    status: int = 503
    after: bool = False

    def strike(self) -> NoReturn:
        """Raise the error."""
        code = CODE_OF_STATUS.get(self.status, "ServiceUnavailable")
        raise service_error(code, "An injected fault.", status=self.status)


@dataclass(frozen=True, slots=True)
class Throttle(Fault):
    """The call gets a 429 answer with the time to wait, in seconds."""

    retry_after_s: float = 1.0
    after: bool = False

    def strike(self) -> NoReturn:
        """Raise the error."""
        raise service_error("SlowDown", "An injected fault.", retry_after_s=self.retry_after_s)


@dataclass(frozen=True, slots=True)
class TimeOut(Fault):
    """The call gets no answer. In process the timeout comes at once."""

    after: bool = False

    def strike(self) -> NoReturn:
        """Raise the timeout."""
        raise NoReply("an injected fault: no answer")


@dataclass(frozen=True, slots=True)
class HangUp(Fault):
    """The connection is closed without an answer."""

    after: bool = False

    def strike(self) -> NoReturn:
        """Raise the connection error."""
        raise ConnectionDropped("an injected fault: the connection is closed")


@dataclass(frozen=True, slots=True)
class JobFails(Fault):
    """A job ends in Failed when it reaches this progress, in percent."""

    at_percent: float = 50
    code: str = "InternalError"
    message: str = "An injected fault."
    of_jobs: ClassVar[bool] = True

    def strike(self) -> NoReturn:
        """Raise the error that the job fails with."""
        raise EngineError(self.message, code=self.code)


@dataclass(frozen=True, slots=True)
class SlowJobs(Fault):
    """Jobs wait in the queue for at least `start_s`, then stay in Running `run_s` longer than their work takes.

    `start_s` holds for all jobs that wait while the fault exists; `times` and `probability` count when a job
    starts.
    """

    start_s: float = 0.0
    run_s: float = 0.0
    of_jobs: ClassVar[bool] = True


CallFault = ServerError | Throttle | TimeOut | HangUp
AnyFault = CallFault | JobFails | SlowJobs
F = TypeVar("F", bound=AnyFault)


@dataclass(slots=True)
class PlannedFault:
    """One fault that was added. `left` is how often it will still strike, None for always."""

    call: str
    fault: AnyFault
    left: int | None
    probability: float
    skip: int
    struck: int = 0

    def __repr__(self) -> str:
        often = "always" if self.left is None else f"{self.left} left"
        chance = f", probability {self.probability:g}" if self.probability < 1 else ""
        skip = f", after {self.skip} more" if self.skip else ""
        return f"{self.call}: {self.fault!r} ({often}{chance}{skip}, struck {self.struck})"


class Faults:
    """The faults of one engine. Chances come from `seed`, so that a run can be repeated.

    >>> faults = Faults()
    >>> faults.add("create_job", TimeOut(after=True))
    >>> faults.add("get_jobs", Throttle(retry_after_s=2), times=None, probability=0.5)
    >>> faults
    Faults(
      create_job: TimeOut(after=True) (1 left, struck 0)
      get_jobs: Throttle(retry_after_s=2, after=False) (always, probability 0.5, struck 0)
    )
    >>> faults.clear()
    >>> faults
    Faults()
    """

    def __init__(self, seed: int = 0) -> None:
        self._random, self._lock = random.Random(seed), threading.Lock()  # noqa: S311  chances, not secrets
        self._planned: list[PlannedFault] = []

    def __repr__(self) -> str:
        lines = "".join(f"\n  {one!r}" for one in self.planned())
        return f"Faults({lines}\n)" if lines else "Faults()"

    def add(
        self, call: str, fault: AnyFault, *, times: int | None = 1, probability: float = 1.0, skip: int = 0
    ) -> None:
        """Add a fault that strikes the next calls of one kind.

        `call` is a name in `wire.operations.CALL` (`create_job`, `put_object`), `*` for every call, or
        `run_job` for `JobFails` and `SlowJobs`. The fault strikes `times` times (None: until `clear`), each
        time with `probability`; the first `skip` calls are left alone. If several faults match, the one
        added first strikes. Raises `ParameterError`.
        """
        takes = (RUN_JOB,) if fault.of_jobs else (ANY_CALL, *CALL)
        if call not in takes:
            raise ParameterError("call", call, f"one of {', '.join(takes)} for {type(fault).__name__}")
        if not 0 <= probability <= 1:
            raise ParameterError("probability", probability, "a number from 0 to 1")
        with self._lock:
            self._planned.append(PlannedFault(call, fault, times, probability, skip))

    def clear(self, call: str = "") -> None:
        """Remove all faults, or those of one call."""
        with self._lock:
            self._planned = [one for one in self._planned if call and one.call != call]

    def planned(self) -> list[PlannedFault]:
        """Return the faults that were added, also those that will not strike again."""
        with self._lock:
            return list(self._planned)

    def of_call(self, call: str) -> CallFault | None:
        """Return the fault that strikes this call, and count it."""
        fault = self._take((ANY_CALL, call), (ServerError, Throttle, TimeOut, HangUp))
        return fault if isinstance(fault, CallFault) else None

    def of_job(self, kind: type[F]) -> F | None:
        """Return the fault of one kind that strikes the job that starts now, and count it."""
        fault = self._take((RUN_JOB,), (kind,))
        return fault if isinstance(fault, kind) else None

    def wait_s(self) -> float:
        """Return how long jobs must wait in the queue before they start."""
        active = (one.fault for one in self.planned() if one.left != 0)
        return max((fault.start_s for fault in active if isinstance(fault, SlowJobs)), default=0.0)

    def _take(self, calls: tuple[str, ...], kinds: tuple[type[Fault], ...]) -> AnyFault | None:
        with self._lock:
            for one in self._planned:
                if one.call not in calls or not isinstance(one.fault, kinds) or one.left == 0:
                    continue
                if one.skip:
                    one.skip -= 1
                elif one.probability >= 1 or self._random.random() < one.probability:
                    one.left = None if one.left is None else one.left - 1
                    one.struck += 1
                    return one.fault
        return None
