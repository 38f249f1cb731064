"""What a `Monitor` asks of a lab: jobs as they stand, their prices, and what can be done with them."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.polling import IDS_PER_CALL
from ci_notebook.experiment.pricing.price import MAINLAND, PriceList, Shape, forecast, price
from ci_notebook.lab.files import fetched, key_of
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.api.requests import repeat_request
from ci_notebook.model.errors import CIError, NotFound
from ci_notebook.wire.service_errors import service_error

TAGS: Final = ("VideoEnhance", "DigitalWatermark", "ExtractDigitalWatermark")
# Jobs of one second come in no certain order, so a known one does not say that all behind it are known.
_KNOWN_IN_A_ROW: Final = 10


class JobDesk:
    """The jobs of a bucket, for one who watches them.

    `costs_money` is false for the embedded engine: its jobs have a price on the list only. `cache` is
    where results are kept that were opened; `result_html` tells what came of a job. Safe to use from
    several threads.
    """

    def __init__(
        self, client: Client, *, cache: Path, costs_money: bool, result_html: Callable[[Job], str],
        prices: PriceList = MAINLAND,
    ) -> None:  # fmt: skip
        self._client, self._cache, self._prices, self.costs_money = client, cache, prices, costs_money
        self._result_html = result_html
        self._sources: dict[str, MediaInfo | None] = {}

    @property
    def currency(self) -> str:
        """The currency of `cost`."""
        return self._prices.currency

    def newest(
        self, known: Collection[str] = (), *, since: dt.datetime | None = None, most: int = 1000
    ) -> Iterator[JobsDetail]:
        """Yield jobs, newest first kind by kind, at most `most` a kind, until what comes has been known for a while."""
        for tag in TAGS:
            in_a_row = 0
            listed = self._client.jobs(tag=tag, page_size=20 if known else 100, created_after=since)
            for job in itertools.islice(listed, most):
                in_a_row = in_a_row + 1 if job.job_id in known else 0
                yield job
                if in_a_row >= _KNOWN_IN_A_ROW:
                    break

    def read(self, ids: Iterable[str]) -> list[JobsDetail]:
        """Return the jobs of these ids, many in one call; those that the service forgot are left out."""
        wanted = list(ids)
        found: list[JobsDetail] = []
        for start in range(0, len(wanted), IDS_PER_CALL):
            found += self._read(wanted[start : start + IDS_PER_CALL])
        return found

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
        """Send what a job was asked for once more, as a new job, and return that. On the cloud it costs money."""
        # A mark of its own: were the answer lost, the first job would be taken for the second.
        before = (job.operation.user_data or "") if job.operation else ""
        mark = f"{before[:900]} retry {secrets.token_hex(6)}".strip()
        return self._client.submit(repeat_request(job, user_data=mark))

    def cost(self, job: JobsDetail) -> float | None:
        """Return the price of a job by the list, a forecast where it made nothing; None where it is not known."""
        setting = job.operation.video_enhance if job.operation else None
        key = job.input.object if job.input else None
        if setting is None or not key:
            return None
        info = self._source(key)
        source = Shape.of(info) if info else None
        made = job.operation.media_info if job.operation else None
        with contextlib.suppress(CIError):  # a setting that does not fit its clip has no price
            output = (Shape.of(made) if made else None) or (forecast(setting, info) if info else None)
            if source and output:
                told = price(setting, source, output, prices=self._prices)
                return told.total if told.is_complete else None
        return None

    def _source(self, key: str) -> MediaInfo | None:
        if key not in self._sources:
            try:
                self._sources[key] = self._client.video_info(key)
            except CIError:  # it is gone, or is no video: then its jobs have no price
                self._sources[key] = None
        return self._sources[key]

    def hint(self, code: str) -> str:
        """Return what can be done about a job that failed with `code`; empty where nothing is known."""
        return service_error(code, bucket=self._client.bucket).hint

    def result_html(self, job: JobsDetail) -> str:
        """Return what was asked and what came of it, as plain HTML."""
        return self._result_html(self.handle(job))

    def handle(self, job: JobsDetail) -> Job:
        """Return a job to be held on to."""
        return Job(self._client, job)

    def fetch(self, job: JobsDetail) -> Path:
        """Return a local copy of what a job made, downloaded once. Raises `NotFound` when it made nothing."""
        key = key_of(self.handle(job))
        return fetched(self._client, key, self._cache / "results" / f"{job.job_id}{Path(key).suffix}")
