"""The part of a client that an experiment needs, and the limit of calls per second."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from ci_notebook.client.objects import StoredObject
from ci_notebook.model.api.jobs import JobsDetail, Request
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.api.templates import Template
from ci_notebook.model.errors import ParameterError

# The cloud's default limit for media processing.
CALLS_PER_SECOND: Final = 10


class TemplatePort(Protocol):
    """The templates of a bucket."""

    def get(self, *ids: str) -> Sequence[Template]: ...  # noqa: D102


class ClientPort(Protocol):
    """The part of a client that an experiment needs."""

    @property
    def bucket(self) -> str: ...  # noqa: D102
    @property
    def region(self) -> str: ...  # noqa: D102
    @property
    def sleep(self) -> Callable[[float], None]: ...  # noqa: D102
    @property
    def templates(self) -> TemplatePort: ...  # noqa: D102

    def submit(self, request: Request) -> JobsDetail: ...  # noqa: D102
    def job(self, *ids: str) -> list[JobsDetail]: ...  # noqa: D102
    def find_by_user_data(  # noqa: D102
        self, user_data: str, *, created_after: dt.datetime | None = None, input_object: str | None = None
    ) -> JobsDetail | None: ...
    def head(self, key: str) -> StoredObject: ...  # noqa: D102
    def download(self, key: str, path: str | Path) -> Path: ...  # noqa: D102
    def video_info(self, key: str) -> MediaInfo: ...  # noqa: D102


class RateLimit:
    """A rate limit: at most `per_s` calls in any second; None means no limit. Safe to use from several threads."""

    def __init__(
        self,
        per_s: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_s is not None and per_s < 1:
            raise ParameterError.plain(
                f"rate_per_s is {per_s}; use a whole number of at least 1, or None for no limit."
            )
        self._clock, self._sleep, self._lock = clock, sleep, threading.Lock()
        self._last: deque[float] | None = deque(maxlen=per_s) if per_s else None

    def take(self) -> None:
        """Wait until the next call is allowed."""
        if self._last is None:
            return
        with self._lock:
            now = self._clock()
            is_full = len(self._last) == self._last.maxlen
            slot = max(now, self._last[0] + 1.0) if is_full else now
            self._last.append(slot)
        if slot > now:
            self._sleep(slot - now)


class RateLimitedClient:
    """A client whose calls to media processing obey a rate limit. Downloads do not: storage has other limits."""

    def __init__(self, client: ClientPort, rate: RateLimit) -> None:
        self._client, self._rate = client, rate
        self.bucket, self.region, self.sleep = client.bucket, client.region, client.sleep

    def get_templates(self, *ids: str) -> Sequence[Template]:
        """Return templates by their ids, as `Client.templates.get` does."""
        self._rate.take()
        return self._client.templates.get(*ids)

    def submit(self, request: Request) -> JobsDetail:
        """Post a request, as `Client.submit` does."""
        self._rate.take()
        return self._client.submit(request)

    def job(self, *ids: str) -> list[JobsDetail]:
        """Return jobs by their ids, as `Client.job` does."""
        self._rate.take()
        return self._client.job(*ids)

    def find_by_user_data(
        self, user_data: str, *, created_after: dt.datetime | None = None, input_object: str | None = None
    ) -> JobsDetail | None:
        """Return the newest job with this `UserData`, as `Client.find_by_user_data` does."""
        self._rate.take()
        return self._client.find_by_user_data(user_data, created_after=created_after, input_object=input_object)

    def head(self, key: str) -> StoredObject:
        """Return what the service says of an object, as `Client.head` does."""
        return self._client.head(key)

    def download(self, key: str, path: str | Path) -> Path:
        """Download an object, as `Client.download` does."""
        return self._client.download(key, path)

    def video_info(self, key: str) -> MediaInfo:
        """Return the properties of a stored video, as `Client.video_info` does."""
        self._rate.take()
        return self._client.video_info(key)
