"""Running many settings on many clips: several jobs at once, nothing paid for twice, everything resumed.

The rule of this file: one thread sends, asks and writes the journal; helpers only fetch and score.
So an interrupt falls between two steps, and each step leaves the journal right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent import futures
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ci_notebook.client.objects import Clip
from ci_notebook.client.waiting import IDS_A_CALL, pause_s
from ci_notebook.experiment.journal import Entry, Journal, key_of
from ci_notebook.experiment.outcome import Measure, Outcome, Outcomes
from ci_notebook.experiment.price import MAINLAND, Price, PriceList, Shape, price, refuse_over
from ci_notebook.experiment.record import Run
from ci_notebook.model.enhance import VideoEnhance
from ci_notebook.model.errors import (
    AccessDenied,
    BucketNotActivated,
    NotFound,
    ParameterError,
    ServiceError,
    ServiceUnavailable,
    SignatureRefused,
)
from ci_notebook.model.jobs import JobsDetail, Request
from ci_notebook.model.media_info import MediaInfo
from ci_notebook.model.requests import enhance_request
from ci_notebook.model.rules import check

# Not about one run: the next one would be refused for the same reason.
_FOR_ALL = (AccessDenied, SignatureRefused, BucketNotActivated, ServiceUnavailable)

Forecast = Callable[[VideoEnhance, MediaInfo], Shape]


class Service(Protocol):
    """What running needs of a client."""

    @property
    def bucket(self) -> str: ...  # noqa: D102
    @property
    def region(self) -> str: ...  # noqa: D102
    @property
    def sleep(self) -> Callable[[float], None]: ...  # noqa: D102

    def submit(self, request: Request) -> JobsDetail: ...  # noqa: D102
    def job(self, *ids: str) -> list[JobsDetail]: ...  # noqa: D102
    def find_by_user_data(self, user_data: str, *, input_object: str | None = None) -> JobsDetail | None: ...  # noqa: D102
    def download(self, key: str, path: str | Path) -> Path: ...  # noqa: D102
    def video_info(self, key: str) -> MediaInfo: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Event:
    """How far a sweep is: `share` from 0 to 1, counts of runs, and the same in words."""

    share: float
    total: int
    done: int
    failed: int
    running: int

    @property
    def note(self) -> str:
        """Say the counts in words."""
        failed = f", {self.failed} failed" if self.failed else ""
        running = f", {self.running} running" if self.running else ""
        return f"{self.done} of {self.total} done{failed}{running}"


def run_all(
    client: Service,
    clips: Clip | Iterable[Clip],
    settings: Iterable[VideoEnhance],
    *,
    journal: Journal,
    cache: Path,
    workers: int = 4,
    measure: Measure | None = None,
    on_progress: Callable[[Event], None] | None = None,
    force: bool = False,
    retry_failed: bool = False,
    cancel: threading.Event | None = None,
    service: str = "",
    prices: PriceList = MAINLAND,
    budget: float | None = None,
    forecast: Forecast | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Run]:
    """Run every setting on every clip, and return a run each, failed ones included: clip by clip, setting by setting.

    At most `workers` jobs are under way at once. A run that the journal holds is not sent again
    unless `force`, or `retry_failed` if its job failed; runs that were broken off are taken up where
    they were. `measure(output, source)` scores what a job made; what it needs is downloaded into
    `cache`, once. `budget`, in the currency of `prices`, is checked before anything is sent, with
    `forecast` telling the output's shape. `service` names what is behind the client, so that runs of
    two services are not taken for each other.

    Ctrl-C, and `cancel` from another thread, keep what is done; the same call goes on from there.
    Raises `ParameterError` and `BudgetExceeded` before anything is sent, and what makes every further
    run pointless: a refused signature, a service out of reach.
    """
    listed = [clips] if isinstance(clips, Clip) else list(clips)
    wanted = [check(setting) for setting in settings]
    sweep = _Sweep(client, journal, service or f"{client.bucket}/{client.region}", workers, clock)
    for clip in listed:
        for setting in wanted:
            sweep.plan(clip, setting, force=force, retry_failed=retry_failed)
    if budget is not None:
        refuse_over(budget, sweep.prices(forecast, prices))
    with Outcomes(client, cache, measure=measure, prices=prices) as outcomes:
        return sweep.run(outcomes, on_progress or (lambda event: None), cancel or threading.Event())


class _Sweep:
    """Where each run of one call stands: to be sent, under way, being scored, or over."""

    def __init__(
        self, client: Service, journal: Journal, service: str, workers: int, clock: Callable[[], float]
    ) -> None:
        if workers < 1:
            raise ParameterError("workers", workers, "a whole number of at least 1")
        self._client, self._journal, self._service, self._workers, self._clock = (
            client,
            journal,
            service,
            workers,
            clock,
        )
        self._runs: dict[str, Run] = {}
        self._clips: dict[str, Clip] = {}
        self._entries: dict[str, Entry] = {}
        self._to_send: list[str] = []
        self._to_score: list[str] = []
        self._under_way: dict[str, tuple[str, float]] = {}  # job id → key, sent at
        self._scoring: dict[futures.Future[Outcome], str] = {}

    def plan(self, clip: Clip, setting: VideoEnhance, *, force: bool, retry_failed: bool) -> None:
        """Find out from the journal what is left to do for one run. Sends nothing."""
        content = clip.md5 or f"{clip.bucket}/{clip.key}/{clip.size_bytes}"
        key = key_of(content, setting, self._service)
        if key in self._runs:
            return
        run = Run(key=key, clip=clip.name or clip.key, clip_key=clip.key, clip_md5=clip.md5, setting=setting)
        entry = self._journal.latest(key)
        self._clips[key], self._runs[key] = clip, run
        if entry is None:
            self._to_send.append(key)
            return
        known = replace(entry.run, clip=run.clip)
        is_over = bool(known.job and known.job.is_over)
        again = force or known.state == "Cancel" or (retry_failed and known.state == "Failed")
        if entry.phase == "refused" or (again and (is_over or force)):
            self._runs[key] = replace(run, attempt=known.attempt + 1)
            self._to_send.append(key)
        elif entry.phase == "sending":
            self._runs[key], self._entries[key] = known, entry
            self._to_send.append(key)
        else:
            self._runs[key] = replace(known, error="" if entry.phase == "sent" else known.error)
            self._take_up(key, entry)

    def _take_up(self, key: str, entry: Entry) -> None:
        run = self._runs[key]
        if run.job and not run.job.is_over:
            self._under_way[run.job.job_id or ""] = (key, self._clock())
        elif run.state == "Success" and (entry.phase == "sent" or run.error or not run.scores):
            self._to_score.append(key)

    def prices(self, forecast: Forecast | None, prices: PriceList) -> list[Price]:
        """Return what the runs that are to be sent would cost."""
        if forecast is None:
            raise ParameterError("budget", None, "a forecast of the output's shape beside it")
        infos = {key: self._client.video_info(key) for key in {self._runs[k].clip_key for k in self._to_send}}
        found = []
        for key in self._to_send:
            run = self._runs[key]
            source = Shape.of(infos[run.clip_key])
            if source is None:
                raise ParameterError("budget", run.clip, "a clip whose size, rate and length are known")
            found.append(price(run.setting, source, forecast(run.setting, infos[run.clip_key]), prices=prices))
        return found

    def run(self, outcomes: Outcomes, tell: Callable[[Event], None], cancel: threading.Event) -> list[Run]:
        """Bring every run to its end, and return them in the order they were planned in."""
        try:
            tell(self._event())
            while self._to_send or self._to_score or self._under_way or self._scoring:
                if cancel.is_set():
                    break
                self._send_some()
                self._ask()
                while self._to_score:
                    key = self._to_score.pop(0)
                    self._scoring[outcomes.submit(self._runs[key], self._clips[key])] = key
                self._collect()
                tell(self._event())
                self._pause()
        finally:
            self._collect()
        return list(self._runs.values())

    def _send_some(self) -> None:
        while self._to_send and len(self._under_way) < self._workers:
            self._send(self._to_send.pop(0))

    def _send(self, key: str) -> None:
        run, entry, clip = self._runs[key], self._entries.get(key), self._clips[key]
        mark = entry.mark if entry else f"ci-notebook {key} {run.attempt}"
        request = enhance_request(
            clip.key, run.setting, bucket=self._client.bucket, region=self._client.region, user_data=mark
        )
        # The journal says "sending": whether it arrived is known to the service alone.
        job = self._client.find_by_user_data(mark) if entry else None
        if entry is None:
            self._journal.begin(run, request, service=self._service, mark=mark)
        try:
            job = job or self._client.submit(request)
        except ServiceUnavailable:
            raise  # it may have arrived all the same; the journal keeps it as "sending"
        except (ServiceError, ParameterError) as error:
            self._runs[key] = replace(run, error=str(error))
            self._journal.refused(self._runs[key])
            if isinstance(error, _FOR_ALL):
                raise
            return
        self._runs[key] = replace(run, job=job)
        self._journal.answered(self._runs[key])
        self._under_way[job.job_id or ""] = (key, self._clock())

    def _ask(self) -> None:
        ids = list(self._under_way)
        for start in range(0, len(ids), IDS_A_CALL):
            for job in self._jobs(ids[start : start + IDS_A_CALL]):
                self._hear(job)

    def _jobs(self, ids: list[str]) -> list[JobsDetail]:
        try:
            return self._client.job(*ids)
        except NotFound as error:
            if len(ids) > 1:
                return [job for one in ids for job in self._jobs([one])]
            key, _ = self._under_way.pop(ids[0])
            self._runs[key] = replace(self._runs[key], error=f"the service does not know the job any more: {error}")
            self._journal.refused(self._runs[key])
            return []

    def _hear(self, job: JobsDetail) -> None:
        key, _ = self._under_way[job.job_id or ""]
        was = self._runs[key]
        self._runs[key] = run = replace(was, job=job)
        if job.state != was.state:
            self._journal.answered(run)
        if not job.is_over:
            return
        del self._under_way[job.job_id or ""]
        if job.state == "Success":
            self._to_score.append(key)
        else:
            self._journal.finished(run)

    def _collect(self) -> None:
        for future in [future for future in self._scoring if future.done() and not future.cancelled()]:
            key = self._scoring.pop(future)
            outcome = future.result()
            self._runs[key] = run = replace(
                self._runs[key],
                output=outcome.output,
                scores=outcome.scores,
                pictures=outcome.pictures,
                every=outcome.every,
                cost_cny=outcome.cost,
                error=outcome.error,
            )
            self._journal.finished(run)

    def _pause(self) -> None:
        now = self._clock()
        if self._under_way:
            self._client.sleep(pause_s(min(now - since for _, since in self._under_way.values())))
        elif self._scoring and not self._to_send:
            futures.wait(self._scoring, timeout=0.2, return_when=futures.FIRST_COMPLETED)

    def _event(self) -> Event:
        busy = {key for key, _ in self._under_way.values()}
        open_ = busy | set(self._to_send) | set(self._to_score) | set(self._scoring.values())
        over = [run for key, run in self._runs.items() if key not in open_]
        share = float(len(over)) + 0.9 * sum(1 for key in open_ if self._runs[key].state == "Success")
        for key in busy:
            job = self._runs[key].job
            share += 0.9 * (job.progress or 0) / 100 if job and isinstance(job.progress, int) else 0.0
        total = len(self._runs)
        failed = sum(1 for run in over if not run.ok)
        return Event(share / total if total else 1.0, total, len(over) - failed, failed, len(busy))
