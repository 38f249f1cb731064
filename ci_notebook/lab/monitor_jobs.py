"""The jobs of a bucket for a `Monitor`: their state and price, and cancel, retry and download."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.polling import IDS_PER_CALL
from ci_notebook.experiment.durations import JobDurations
from ci_notebook.experiment.pricing.price import MAINLAND, PriceList, Shape, forecast, price
from ci_notebook.lab.clips.clip_facts import KNOWN_CLIPS
from ci_notebook.lab.files import local_file
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.api.requests import repeat_request
from ci_notebook.model.errors import CIError, NotFound, ParameterError
from ci_notebook.model.lru import LRU
from ci_notebook.wire.notifications import read_notification
from ci_notebook.wire.service_errors import service_error

if TYPE_CHECKING:
    from ci_notebook.engine.engine import Engine

TAGS: Final = ("VideoEnhance", "DigitalWatermark", "ExtractDigitalWatermark")
# Jobs created in the same second come in no certain order, so one known job does not end the list of new ones.
_KNOWN_IN_A_ROW: Final = 10


class LabJobs:
    """The jobs of a bucket, as a monitor reads and changes them. Safe to use from several threads.

    `costs_money` is false for the embedded engine: its prices are those of the list only. `cache` is the
    folder for downloaded results. `result_html` renders the result of a job.
    """

    def __init__(
        self, client: Client, *, cache: Path, costs_money: bool, result_html: Callable[[Job], str],
        durations: JobDurations, prices: PriceList = MAINLAND,
    ) -> None:  # fmt: skip
        self._client, self._cache, self._prices, self.costs_money = client, cache, prices, costs_money
        self._durations = durations
        self._result_html = result_html
        self._sources = LRU[str, MediaInfo | None](KNOWN_CLIPS)

    @property
    def currency(self) -> str:
        """The currency of `cost`."""
        return self._prices.currency

    def newest(
        self, known: Collection[str] = (), *, since: dt.datetime | None = None, most: int = 1000
    ) -> Iterator[JobsDetail]:
        """Yield jobs, newest first within each kind, at most `most` per kind; stop after a row of `known` jobs."""
        for tag in TAGS:
            in_a_row = 0
            details = self._client.jobs(tag=tag, page_size=20 if known else 100, created_after=since)
            for job in itertools.islice(details, most):
                in_a_row = in_a_row + 1 if job.job_id in known else 0
                yield job
                if in_a_row >= _KNOWN_IN_A_ROW:
                    break

    def read(self, ids: Iterable[str]) -> list[JobsDetail]:
        """Return the jobs with these ids, many per call. Jobs that the service has deleted are left out."""
        listed = list(ids)
        details: list[JobsDetail] = []
        for start in range(0, len(listed), IDS_PER_CALL):
            details += self._read(listed[start : start + IDS_PER_CALL])
        return details

    def _read(self, ids: list[str]) -> list[JobsDetail]:
        try:
            return self._client.job(*ids)
        except NotFound:
            half = len(ids) // 2
            return [*self._read(ids[:half]), *self._read(ids[half:])] if half else []

    def cancel(self, job_id: str) -> JobsDetail:
        """Cancel a job that has not started, and return it. Raises `ServiceError` for one that has."""
        self._client.cancel(job_id)
        return self._client.job(job_id)[0]

    def retry(self, job: JobsDetail) -> JobsDetail:
        """Send the request of a job once more, as a new job, and return that. On the cloud it costs money."""
        # A unique UserData: if the answer is lost, the first job must not be taken for the second.
        before = (job.operation.user_data or "") if job.operation else ""
        user_data = f"{before[:900]} retry {secrets.token_hex(6)}".strip()
        return self._client.submit(repeat_request(job, user_data=user_data))

    def cost(self, job: JobsDetail) -> float | None:
        """Return the list price of a job, a forecast while it has no output; None if it is not known."""
        setting = job.operation.setting if job.operation else None
        key = job.input.object if job.input else None
        if setting is None or not key:
            return None
        info = self._source(key)
        source = Shape.of(info) if info else None
        result = job.operation.media_info if job.operation else None
        with contextlib.suppress(CIError):  # a setting that does not fit its clip has no price
            output = (Shape.of(result) if result else None) or (forecast(setting, info) if info else None)
            if source and output:
                quote = price(setting, source, output, prices=self._prices)
                return quote.total if quote.is_complete else None
        return None

    def expected_s(self, job: JobsDetail) -> float | None:
        """Return how many seconds such a job takes; learn it from a job that has ended, and return None for that."""
        if job.is_over:
            self._durations.learn(job)
            return None
        return self._durations.expected_of(job)

    def _source(self, key: str) -> MediaInfo | None:
        def read() -> MediaInfo | None:
            try:
                return self._client.video_info(key)
            except CIError:  # deleted, or not a video: its jobs have no price
                return None

        return self._sources.get_or_make(key, read)

    def hint(self, code: str) -> str:
        """Return the remedy for a job that failed with `code`; empty if none is known."""
        return service_error(code, bucket=self._client.bucket).hint

    def result_html(self, job: JobsDetail) -> str:
        """Return the request and the result of a job as plain HTML."""
        return self._result_html(self.handle(job))

    def handle(self, job: JobsDetail) -> Job:
        """Return a `Job` that can be waited for and downloaded."""
        return Job(self._client, job)

    def fetch(self, job: JobsDetail) -> Path:
        """Return a local copy of a job's output, downloaded once. Raises `NotFound` if there is no output."""
        return local_file(self._client, self._cache, self.handle(job))


def jobs_in_queue(engine: Engine | None, name: str, *, region: str, reader: str) -> list[JobsDetail]:
    """Return the jobs in a message queue of the embedded engine that `reader` has not read yet.

    Raises `ParameterError` without an engine.
    """
    if engine is None:
        raise ParameterError.plain(
            f"lab.messages() reads queues of the embedded engine only. Read {name!r} with TDMQ's own tools."
        )
    messages = engine.messages(name, region=region, reader=reader)
    return [job for message in messages for job in read_notification(message.body)]
