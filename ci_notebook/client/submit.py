"""Submits a job exactly once.

Invariant: `POST /jobs` costs money and is not idempotent. After a broken connection the job is
searched for before the request is sent again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import httpx

from ci_notebook.client.connection.failures import ConnectionFailed
from ci_notebook.client.connection.http import MAX_PAUSE_S
from ci_notebook.client.connection.replies import UnreadableReply
from ci_notebook.model.api.jobs import JobsDetail, Request
from ci_notebook.model.errors import ServiceError, ServiceUnavailable, SubmissionUnclear, Throttled
from ci_notebook.model.lru import LRU
from ci_notebook.model.setting.rules import check
from ci_notebook.wire.signing import MAX_SKEW_S
from ci_notebook.wire.xml import MalformedXML, dumps

# Pauses before each search for the job, because the service may still be creating it.
SEARCH_PAUSES_S: Final = (0.5, 2.0, 5.0)
TRIES: Final = 3
# Number of remembered submissions: a quarter of an hour at the cloud's limit of ten calls per second.
REMEMBERED: Final = 10_000
_UNCLEAR_ERRORS: Final = (httpx.TransportError, ServiceUnavailable, Throttled, UnreadableReply, MalformedXML)


class SubmitCalls(Protocol):
    """The part of a client that submitting needs."""

    sleep: Callable[[float], None]

    def post(self, request: Request) -> JobsDetail:
        """Post a request, and return the job in the reply."""

    def jobs(
        self, *, tag: str, created_after: dt.datetime | None = None, input_object: str | None = None
    ) -> Iterator[JobsDetail]:
        """Yield the matching jobs."""


class Submitter:
    """Posts requests. Remembers the jobs it created, and the requests whose result is unclear."""

    def __init__(self, calls: SubmitCalls, clock: Callable[[], float]) -> None:
        self._calls, self._clock = calls, clock
        # A lost job is searched soon after its submission, so only the newest ids matter.
        self._created = LRU[str, None](REMEMBERED)
        # Request → the earliest time at which its job may have been created.
        self._unclear = LRU[bytes, float](REMEMBERED)

    def submit(self, request: Request) -> JobsDetail:
        """Submit a request and return its job (see `Client.submit`)."""
        check(request)
        since = self._clock() - MAX_SKEW_S - 60
        unclear_since = self._unclear.get(dumps(request)) if len(self._unclear) else None
        if unclear_since is not None:
            job = self._search(request, unclear_since, "the result of the last try is not known")
            if job is not None:
                return self._settled(request, job)
            since = unclear_since
        for attempt in range(1, TRIES + 1):
            try:
                return self._settled(request, self._calls.post(request))
            except _UNCLEAR_ERRORS as error:
                if isinstance(error, ConnectionFailed) and not error.was_sent:
                    raise
                pauses = _pauses(error)
                if not pauses:
                    raise
                self._remember(request, since)
                job = self._search(request, since, str(error), pauses)
                if job is not None:
                    return self._settled(request, job)
                if attempt == TRIES:
                    raise
            except ServiceError:
                raise  # a refusal
            except BaseException:  # for example Ctrl-C after the request was sent
                self._remember(request, since)
                raise
        raise AssertionError("the last try returns or raises")

    def _remember(self, request: Request, since: float) -> None:
        """Search for this request before it is sent again. Without UserData the caller got an error instead."""
        if _key(request):
            self._unclear.put(dumps(request), since)

    def _settled(self, request: Request, job: JobsDetail) -> JobsDetail:
        self._created.put(job.job_id or "", None)
        if len(self._unclear):
            self._unclear.pop(dumps(request))
        return job

    def _search(
        self, request: Request, since: float, why: str, pauses: tuple[float, ...] = SEARCH_PAUSES_S
    ) -> JobsDetail | None:
        """Return the job that a broken submission created; None when there is certainly none."""
        key = _key(request)
        if not key:
            raise SubmissionUnclear(
                f"The reply to a submission was lost ({why}); the job may be running. Search for it with "
                "client.jobs() before you submit again. With a unique UserData, the client finds it itself."
            )
        source = request.input.object if request.input else None
        after = dt.datetime.fromtimestamp(since, dt.UTC)
        try:
            for pause in pauses:
                self._calls.sleep(pause)
                for job in self._calls.jobs(tag=request.tag or "", created_after=after, input_object=source):
                    # This client already received the reply for jobs in `_created`, so this is another one.
                    if job.operation and job.operation.user_data == key and job.job_id not in self._created:
                        return job
        except (httpx.TransportError, ServiceError, MalformedXML) as error:
            raise SubmissionUnclear(
                f"The reply to a submission was lost ({why}), and the jobs cannot be listed ({error}). Submit the "
                f"same request again later, or search for it with client.find_by_user_data({key!r})."
            ) from error
        return None


def _pauses(error: Exception) -> tuple[float, ...]:
    """Return the pauses before each search for the job; empty if the error says that there is no job."""
    if not isinstance(error, ServiceError) or isinstance(error, UnreadableReply) or error.status >= 500:
        return SEARCH_PAUSES_S
    # After 429 with Retry-After, one search at that time is enough.
    retry_after_s = error.retry_after_s or 0.0
    is_soon = error.status == 429 and retry_after_s <= MAX_PAUSE_S
    return (max(retry_after_s, SEARCH_PAUSES_S[0]),) if is_soon else ()


def _key(request: Request) -> str | None:
    return request.operation.user_data if request.operation else None
