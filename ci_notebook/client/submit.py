"""Making a job, once.

The rule of this file: `POST /jobs` costs money and is not idempotent, so after a break nobody can
explain, the job is looked for before it is asked for again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import httpx

from ci_notebook.client.connection.http import LONGEST_PAUSE_S, NOT_SENT
from ci_notebook.model.api.jobs import JobsDetail, Request
from ci_notebook.model.errors import ServiceError, ServiceUnavailable, SubmissionUnclear, Throttled
from ci_notebook.model.lru import LRU
from ci_notebook.model.setting.rules import check
from ci_notebook.wire.signing import MAX_SKEW_S
from ci_notebook.wire.xml import MalformedXML, dumps

# After a break, the pauses before the list of jobs is read: the service may still be at it.
LOOK_AFTER_S: Final = (0.5, 2.0, 5.0)
TRIES: Final = 3
# How many submissions are remembered: all that the cloud's limit of ten calls a second admits in a quarter of an hour.
REMEMBERED: Final = 10_000
_BROKEN: Final = (httpx.TransportError, ServiceUnavailable, Throttled, MalformedXML)


class Calls(Protocol):
    """What submitting needs of a client."""

    sleep: Callable[[float], None]

    def post(self, request: Request) -> JobsDetail:
        """Post a request, and return the job that the answer tells of."""

    def jobs(
        self, *, tag: str, created_after: dt.datetime | None = None, input_object: str | None = None
    ) -> Iterator[JobsDetail]:
        """Yield the jobs that fit."""


class Submitter:
    """Posts requests and remembers which jobs came of them, and of which requests nobody knows what came."""

    def __init__(self, calls: Calls, clock: Callable[[], float]) -> None:
        self._calls, self._clock = calls, clock
        # A job is looked for soon after it was asked for, so only the newest can be taken for one that was lost.
        self._made = LRU[str, None](REMEMBERED)
        # Request → since when a job of it may be there.
        self._unclear = LRU[bytes, float](REMEMBERED)

    def submit(self, request: Request) -> JobsDetail:
        """Return the one job that comes of a request (see `Client.submit`)."""
        check(request)
        since = self._clock() - MAX_SKEW_S - 60
        asked = self._unclear.get(dumps(request)) if len(self._unclear) else None
        if asked is not None:
            found = self._look_for(request, asked, "what came of the last try is not known")
            if found is not None:
                return self._settled(request, found)
            since = asked
        for attempt in range(1, TRIES + 1):
            try:
                return self._settled(request, self._calls.post(request))
            except NOT_SENT:
                raise
            except _BROKEN as error:
                pauses = _pauses(error)
                if not pauses:
                    raise
                self._remember(request, since)
                found = self._look_for(request, since, str(error), pauses)
                if found is not None:
                    return self._settled(request, found)
                if attempt == TRIES:
                    raise
            except ServiceError:
                raise  # a refusal
            except BaseException:  # Ctrl-C, say, when it had gone out already
                self._remember(request, since)
                raise
        raise AssertionError("the last try returns or raises")

    def _remember(self, request: Request, since: float) -> None:
        """Have this request looked for before it is sent again. Without a key it cannot be: the caller was told."""
        if _key(request):
            self._unclear.put(dumps(request), since)

    def _settled(self, request: Request, job: JobsDetail) -> JobsDetail:
        self._made.put(job.job_id or "", None)
        if len(self._unclear):
            self._unclear.pop(dumps(request))
        return job

    def _look_for(
        self, request: Request, since: float, why: str, pauses: tuple[float, ...] = LOOK_AFTER_S
    ) -> JobsDetail | None:
        """Return the job that a broken submission made after all; None when there surely is none."""
        key = _key(request)
        if not key:
            raise SubmissionUnclear(
                f"the answer to a submission was lost ({why}); the job may be running. Look for it with "
                "client.jobs() before you submit again. With a UserData of its own it is found by itself."
            )
        source = request.input.object if request.input else None
        after = dt.datetime.fromtimestamp(since, dt.UTC)
        try:
            for pause in pauses:
                self._calls.sleep(pause)
                for job in self._calls.jobs(tag=request.tag or "", created_after=after, input_object=source):
                    # A job of this client's own that shares the UserData was answered, so it is another.
                    if job.operation and job.operation.user_data == key and job.job_id not in self._made:
                        return job
        except (httpx.TransportError, ServiceError, MalformedXML) as error:
            raise SubmissionUnclear(
                f"the answer to a submission was lost ({why}), and the jobs cannot be listed ({error}). Submit the "
                f"same again later, or look for the UserData {key!r} with client.find_by_user_data() first."
            ) from error
        return None


def _pauses(error: Exception) -> tuple[float, ...]:
    """Return when to look for the job after an error; never for one that says that there is none."""
    if not isinstance(error, ServiceError) or error.status >= 500:
        return LOOK_AFTER_S
    # Who is told to come later is looked for when it is later; for that, an answer is word enough to look once.
    asked = error.retry_after_s or 0.0
    return (max(asked, LOOK_AFTER_S[0]),) if error.status == 429 and asked <= LONGEST_PAUSE_S else ()


def _key(request: Request) -> str | None:
    return request.operation.user_data if request.operation else None
