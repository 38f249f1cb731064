"""Faults on demand: what a network and a service do at their worst, when a test or a lesson asks for it.

Off until `engine.faults.add` is called. A fault of a call strikes whoever makes the call, over
both faces of the engine: in process as the exception that stands for it, on a port for real (the
connection is closed, or nothing comes back). A fault of jobs strikes the workers.
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
    """The engine closes the connection without an answer, because a fault says so."""


class NoReply(TimeoutError):
    """The engine gives no answer, because a fault says so."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. `after`: only once the call has done its work, so that nothing but the answer is lost."""

    of_jobs: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class ServerError(Fault):
    """The call is answered with a 5xx."""

    status: int = 503
    after: bool = False

    def strike(self) -> NoReturn:
        """Raise the error."""
        code = CODE_OF_STATUS.get(self.status, "ServiceUnavailable")
        raise service_error(code, "A fault that was asked for.", status=self.status)


@dataclass(frozen=True, slots=True)
class Throttle(Fault):
    """The call is answered with 429 and how long to wait, s."""

    retry_after_s: float = 1.0
    after: bool = False

    def strike(self) -> NoReturn:
        """Raise the error."""
        raise service_error("SlowDown", "A fault that was asked for.", retry_after_s=self.retry_after_s)


@dataclass(frozen=True, slots=True)
class TimeOut(Fault):
    """The call gets no answer. In process the time-out comes at once."""

    after: bool = False

    def strike(self) -> NoReturn:
        """Raise what stands for the silence."""
        raise NoReply("a fault that was asked for: no answer")


@dataclass(frozen=True, slots=True)
class HangUp(Fault):
    """The connection is closed instead of an answer."""

    after: bool = False

    def strike(self) -> NoReturn:
        """Raise what stands for the closed connection."""
        raise ConnectionDropped("a fault that was asked for: the connection is closed")


@dataclass(frozen=True, slots=True)
class JobFails(Fault):
    """A job ends in Failed once it has come so far, %."""

    at_percent: float = 50
    code: str = "InternalError"
    message: str = "A fault that was asked for."
    of_jobs: ClassVar[bool] = True

    def strike(self) -> NoReturn:
        """Raise what the job fails with."""
        raise EngineError(self.message, code=self.code)


@dataclass(frozen=True, slots=True)
class SlowJobs(Fault):
    """Jobs wait in the queue for at least `start_s`, then stay in Running `run_s` longer than their work takes.

    `start_s` holds for all that wait while the fault is there; times and chances count where a job starts.
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
    """The faults of one engine. Chances come from `seed`, so that a run can be had again.

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
        """Let `fault` strike the next calls of one kind.

        `call` is a name of `wire.operations.CALL` (`create_job`, `put_object`), `*` for every
        call, or `run_job` for `JobFails` and `SlowJobs`. It strikes `times` times (None: until
        `clear`), each with `probability`, the first `skip` calls left alone. Of several that fit
        the one added first strikes. Raises `ParameterError`.
        """
        takes = (RUN_JOB,) if fault.of_jobs else (ANY_CALL, *CALL)
        if call not in takes:
            raise ParameterError("call", call, f"for {type(fault).__name__} one of {', '.join(takes)}")
        if not 0 <= probability <= 1:
            raise ParameterError("probability", probability, "0 to 1")
        with self._lock:
            self._planned.append(PlannedFault(call, fault, times, probability, skip))

    def clear(self, call: str = "") -> None:
        """Forget all faults, or those of one call."""
        with self._lock:
            self._planned = [one for one in self._planned if call and one.call != call]

    def planned(self) -> list[PlannedFault]:
        """Return the faults that were added, those that have struck for the last time too."""
        with self._lock:
            return list(self._planned)

    def of_call(self, call: str) -> CallFault | None:
        """Return the fault that strikes this call, counting it."""
        found = self._take((ANY_CALL, call), (ServerError, Throttle, TimeOut, HangUp))
        return found if isinstance(found, CallFault) else None

    def of_job(self, kind: type[F]) -> F | None:
        """Return the fault of one kind that strikes the job that starts now, counting it."""
        found = self._take((RUN_JOB,), (kind,))
        return found if isinstance(found, kind) else None

    def wait_s(self) -> float:
        """Return how long jobs have to wait before they start."""
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
