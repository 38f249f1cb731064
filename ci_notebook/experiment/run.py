"""Runs many settings on many clips: several jobs at once, nothing is paid twice, and everything resumes.

Invariant: one thread sends, polls and writes the journal; pool threads only download and score. So an
interrupt falls between two steps, and after each step the journal is correct. Two kernels may run the
same sweep with one journal: each waits for the runs that the other one sends.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ci_notebook.client.objects import Clip, refuse_replaced
from ci_notebook.client.polling import IDS_PER_CALL, LONGEST_S, PATIENCE_S, TEMPORARY_ERRORS, pause_s
from ci_notebook.experiment.client_port import ClientPort, RateLimit, RateLimitedClient
from ci_notebook.experiment.durations import JobDurations
from ci_notebook.experiment.journal import Entry, Journal
from ci_notebook.experiment.lease import Lease
from ci_notebook.experiment.pricing.price import MAINLAND, PriceList, checked_budget, refuse_over
from ci_notebook.experiment.pricing.quote import Estimate, Forecast, estimate
from ci_notebook.experiment.progress import Event, SweepPace
from ci_notebook.experiment.run_queue import Redo, RunQueue
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.scoring import Measure, ScoringPool, refuse_unfit_screen
from ci_notebook.experiment.settings import Setting, resolved
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import (
    AccessDenied,
    BucketNotActivated,
    CIError,
    NotFound,
    ParameterError,
    ServiceError,
    SignatureRefused,
    SubmissionUnclear,
)
from ci_notebook.model.vmaf_v1 import check_screen

# Errors that affect every run: the next one would be refused for the same reason.
_FATAL = (AccessDenied, SignatureRefused, BucketNotActivated)
_TEMPORARY = (*TEMPORARY_ERRORS, SubmissionUnclear)
# Clocks differ: a job may seem older than its row in the journal.
_SKEW = dt.timedelta(minutes=20)

# How long the request of a dead sender may still be in transit, and the age at which it certainly is not.
SETTLE_S, CLOUD_SETTLE_S = 5.0, 30.0
_LONG_AGO = dt.timedelta(minutes=10)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped a sweep; the text says how far it is and how to resume it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How `run_all` runs its settings.

    `journal` records the runs, and `cache` is the folder for downloads. At most `workers` jobs run at the
    same time, and at most `rate_per_s` calls per second are made (None: no limit). `service` names the
    service behind the client, so that runs of two services are never confused.

    Scoring: `measure(output, source)` scores an output; None means no scores. It compares with `reference`
    instead of the source, if there is one: one clip for all, or a mapping from the key of a clip. It uses
    every `every`-th frame (None: `measure` decides, and runs scored at other distances are not scored again),
    and floating point if `precise`. `screen` chooses the model of VMAF v1: "tv", "tv_3h" or "phone" (see
    `model.vmaf_v1`). A screen that is named is a demand: outputs without a model for it are refused.

    Repetition: `force` sends runs again, `retry_failed` only runs whose job failed, and `rescore` scores
    existing outputs again.

    Money: `budget`, in the currency of `prices`, is checked before anything is sent. `on_price` receives the
    estimate; `forecast` predicts the shape of an output.

    Failures: connection errors are tolerated for `patience_s` seconds. A request of a process that died may
    still arrive: its job is searched for `settle_s` seconds later, and only then the request is sent again.
    `pause` pauses between two polls, and may return early, when a job has ended (None: the client's `sleep`).

    `on_progress` receives each `Event`, whose time left comes from `durations` until it can be measured. Setting
    `cancel` from another thread stops the sweep.
    """

    journal: Journal
    cache: Path
    workers: int = 4
    rate_per_s: int | None = None
    service: str = ""
    measure: Measure | None = None
    reference: Clip | Mapping[str, Clip] | None = None
    every: int | None = None
    precise: bool = False
    screen: str | None = None
    force: bool = False
    retry_failed: bool = False
    rescore: bool = False
    prices: PriceList = MAINLAND
    budget: float | None = None
    forecast: Forecast | None = None
    on_price: Callable[[Estimate], None] | None = None
    on_progress: Callable[[Event], None] | None = None
    cancel: threading.Event | None = None
    durations: JobDurations | None = None
    patience_s: float = PATIENCE_S
    settle_s: float = SETTLE_S
    pause: Callable[[float], object] | None = None
    clock: Callable[[], float] = time.monotonic


def run_all(
    client: ClientPort, clips: Clip | Iterable[Clip], settings: Iterable[Setting], options: RunOptions
) -> list[Run]:
    """Run every setting on every clip, and return one `Run` each, clip by clip, including failed ones.

    A run that the journal contains is not sent again (see `RunOptions`), and an interrupted run is resumed.
    Outputs are downloaded into the cache once.

    After Ctrl-C (raised as `Interrupted`) or `cancel`, finished work is kept, and the same call resumes.
    Raises `ParameterError` and `BudgetExceeded` before anything is sent. Also raises errors that affect
    every further run, such as a refused signature or an unreachable service, and `CIError` when nothing changes
    for 24 hours.
    """
    for name, number in (("workers", options.workers), ("every", options.every)):
        if number is not None and number < 1:
            raise ParameterError.plain(f"{name} is {number}; use a whole number of at least 1.")
    check_screen(options.screen)
    budget = checked_budget(options.budget)
    clip_list = [clips] if isinstance(clips, Clip) else list(clips)
    reference = options.reference
    references = {clip.key: reference for clip in clip_list} if isinstance(reference, Clip) else dict(reference or {})
    redo = Redo(
        force=options.force, retry_failed=options.retry_failed, rescore=options.rescore,
        scores=options.measure is not None, references=references, every=options.every, precise=options.precise,
        screen=options.screen,
    )  # fmt: skip
    limited = RateLimitedClient(client, RateLimit(options.rate_per_s, sleep=client.sleep))
    setting_list = resolved(settings, limited.get_templates)
    if options.screen is not None and options.measure is not None:
        refuse_unfit_screen(limited, clip_list, setting_list, options.screen)
    options = replace(options, service=options.service or f"{client.bucket}/{client.region}")
    with ExitStack() as stack:
        lease = stack.enter_context(options.journal.lease())
        queue = RunQueue(options.journal, options.service, redo=redo, is_dead=lease.is_dead, clock=options.clock)
        for clip in clip_list:
            for setting in setting_list:
                queue.add(clip, setting)
        _refuse_replaced(limited, queue)
        if (budget is not None or options.on_price is not None) and queue.to_send:
            cost = _estimate(queue, limited, options.prices, options.forecast)
            refuse_over(budget, [quote.price for quote in cost.quotes])
            (options.on_price or (lambda cost: None))(cost)
        return _completed(limited, queue, lease=lease, references=references, options=options)


def complete_all(client: ClientPort, recorded: Iterable[tuple[Entry, Clip]], options: RunOptions) -> list[Run]:
    """Wait for the jobs of recorded runs, download, score and price their outputs, and return the runs in order.

    Sends nothing. Finished steps are not repeated; an interrupt is handled as in `run_all`.
    """
    pairs = list(recorded)
    reference = options.reference
    references = {clip.key: reference for _, clip in pairs} if isinstance(reference, Clip) else dict(reference or {})
    redo = Redo(
        scores=options.measure is not None, references=references, every=options.every, precise=options.precise,
        screen=options.screen,
    )  # fmt: skip
    limited = RateLimitedClient(client, RateLimit(options.rate_per_s, sleep=client.sleep))
    with options.journal.lease() as lease:
        queue = RunQueue(options.journal, options.service, redo=redo, is_dead=lease.is_dead, clock=options.clock)
        for entry, clip in pairs:
            queue.add_recorded(entry, clip)
        return _completed(limited, queue, lease=lease, references=references, options=options)


def _completed(
    client: RateLimitedClient, queue: RunQueue, *, lease: Lease, references: Mapping[str, Clip], options: RunOptions
) -> list[Run]:
    """Complete the runs of a queue with a pool of scoring threads, and return them in order."""
    pool = ScoringPool(
        client, options.cache, measure=options.measure, prices=options.prices, references=references,
        every=options.every, precise=options.precise, screen=options.screen,
    )  # fmt: skip
    with pool:
        sweep = _SweepRunner(client, queue, lease=lease, pool=pool, options=options)
        return sweep.run(options.on_progress or (lambda event: None), options.cancel or threading.Event())


def _refuse_replaced(client: RateLimitedClient, queue: RunQueue) -> None:
    """Raise `ParameterError` if a clip that is to be sent no longer has its content: its job would render another."""
    clips = {clip.key: clip for clip in (queue.clips[key] for key in queue.to_send) if clip.md5 or clip.etag}
    same_key = {(clip.key, clip.md5): clip for clip in queue.clips.values() if clip.key in clips}
    for key in clips:
        with contextlib.suppress(ServiceError, *TEMPORARY_ERRORS):  # what is sent next says so
            stored = client.head(key)
            for (of_key, _), clip in same_key.items():
                if of_key == key:
                    refuse_replaced(clip, stored)


def _estimate(queue: RunQueue, client: RateLimitedClient, prices: PriceList, forecast: Forecast | None) -> Estimate:
    """Return the price of the runs that are to be sent."""
    infos = {key: client.video_info(key) for key in dict.fromkeys(queue.runs[one].clip_key for one in queue.to_send)}
    runs = [queue.runs[key] for key in queue.to_send]
    return estimate(((run.clip, infos[run.clip_key], run.setting) for run in runs), prices=prices, forecast=forecast)


class _SweepRunner:
    """Runs one sweep: sends, polls, and writes the journal."""

    def __init__(
        self, client: RateLimitedClient, queue: RunQueue, *, lease: Lease, pool: ScoringPool, options: RunOptions
    ) -> None:
        self._client, self._queue, self._lease, self._pool = client, queue, lease, pool
        self._options, self._journal, self._clock = options, options.journal, options.clock
        self._last_reply = options.clock()
        # Key → time at which the request of a dead process has arrived or never will.
        self._due: dict[str, float] = {}

    def run(self, notify: Callable[[Event], None], cancel: threading.Event) -> list[Run]:
        """Complete every run, and return the runs in order."""
        queue = self._queue
        pace = SweepPace(queue.event().share, self._clock)
        last, since = queue.event(), self._clock()
        try:
            notify(queue.event())
            while queue.is_open() and not cancel.is_set():
                self._step()
                event = queue.event()
                if event != last:
                    last, since = event, self._clock()
                elif self._clock() - since >= LONGEST_S:
                    raise CIError(f"Nothing has changed for 24 hours: {event.note}. The same call resumes.")
                left = pace.left(event.share, self._expected_s())
                notify(replace(event, left_s=left.seconds, is_rough=left.is_rough) if left else event)
                self._pause()
        except KeyboardInterrupt as stop:
            raise Interrupted(
                f"Stopped at {queue.event().note}. Finished runs are kept, and running jobs continue. "
                "Run the same call again to resume."
            ) from stop
        finally:
            if queue.is_open():
                self._pool.stop()
            self._collect()
        return list(queue.runs.values())

    def _expected_s(self) -> float | None:
        """Return the seconds that the open jobs will take, as far as earlier jobs tell; None if they do not."""
        queue, durations, seconds, running = self._queue, self._options.durations, 0.0, 0
        if durations is None:
            return None
        for key in (*queue.to_send, *(key for key, _ in queue.under_way.values())):
            run = queue.runs[key]
            expected = durations.expected_s(run.clip_key, run.setting)
            if expected is None:
                return None
            percent = run.job.progress if run.job and isinstance(run.job.progress, int) else 0
            seconds += expected * (1 - percent / 100)
            running += run.state == "Running"
        return seconds / max(1, running) if seconds else None

    def _step(self) -> None:
        queue = self._queue
        try:
            for key in [key for key in queue.to_send if self._due.get(key, 0.0) <= self._clock()]:
                if len(queue.under_way) < self._options.workers:
                    queue.to_send.remove(key)
                    self._send(key)
            self._poll()
            self._last_reply = self._clock()
        except _TEMPORARY:
            if self._clock() - self._last_reply >= self._options.patience_s:
                raise
        while queue.to_score:
            key = queue.to_score.popleft()
            queue.scoring[self._pool.submit(queue.runs[key], queue.clips[key])] = key
        self._collect()
        queue.check_elsewhere()

    def _send(self, key: str) -> None:
        queue = self._queue
        run, entry, clip = queue.runs[key], queue.entries.get(key), queue.clips[key]
        mark = entry.mark if entry else f"ci-notebook {key} {run.attempt}"
        request = enhance_request(
            clip.key, None if run.template_id else run.setting, template_id=run.template_id or None,
            bucket=self._client.bucket, region=self._client.region, user_data=mark,
        )  # fmt: skip
        if entry is None:
            if not self._journal.begin(run, request, service=self._options.service, mark=mark, owner=self._lease.name):
                queue.elsewhere.add(key)
                return
        elif entry.owner != self._lease.name:
            self._take_over(key, entry)
            return
        try:
            # The journal says "sending": only the service knows whether the request arrived.
            job = self._client.find_by_user_data(
                mark, created_after=dt.datetime.fromtimestamp(entry.created_at, dt.UTC) - _SKEW,
                input_object=entry.run.clip_key,
            ) if entry else None  # fmt: skip
            job = job or self._client.submit(request)
        except _TEMPORARY:
            # The request may have arrived: the next try searches for its job first.
            latest = self._journal.latest(key)
            if latest is not None:
                queue.entries[key] = latest
            queue.to_send.appendleft(key)
            raise
        except (ServiceError, ParameterError) as error:
            queue.runs[key] = replace(run, error=str(error))
            self._journal.record_refusal(queue.runs[key])
            if isinstance(error, _FATAL):
                raise
            return
        queue.runs[key] = replace(run, job=job)
        self._journal.record_reply(queue.runs[key])
        queue.under_way[job.job_id or ""] = (key, self._clock())

    def _take_over(self, key: str, entry: Entry) -> None:
        """Take over a run that a dead process was sending; its job is searched for after `settle_s`."""
        queue = self._queue
        if not self._journal.claim(entry, self._lease.name):
            queue.elsewhere.add(key)
            return
        queue.entries[key] = replace(entry, owner=self._lease.name)
        age = time.time() - entry.created_at
        if 0 <= age < _LONG_AGO.total_seconds():
            self._due[key] = self._clock() + self._options.settle_s
        queue.to_send.append(key)

    def _poll(self) -> None:
        ids = list(self._queue.under_way)
        for start in range(0, len(ids), IDS_PER_CALL):
            for job in self._jobs(ids[start : start + IDS_PER_CALL]):
                self._update(job)

    def _jobs(self, ids: list[str]) -> list[JobsDetail]:
        queue = self._queue
        try:
            return self._client.job(*ids)
        except NotFound as error:
            if len(ids) > 1:
                return [job for one in ids for job in self._jobs([one])]
            key, _ = queue.under_way.pop(ids[0])
            queue.runs[key] = replace(queue.runs[key], error=f"The service does not know the job any more: {error}")
            self._journal.record_refusal(queue.runs[key])
            return []

    def _update(self, job: JobsDetail) -> None:
        queue = self._queue
        key, _ = queue.under_way[job.job_id or ""]
        before = queue.runs[key]
        queue.runs[key] = run = replace(before, job=job)
        if job.state != before.state:
            self._journal.record_reply(run)
        if not job.is_over:
            return
        del queue.under_way[job.job_id or ""]
        if job.state == "Success":
            if self._options.durations is not None:
                self._options.durations.learn(job)
            queue.to_score.append(key)
        else:
            self._journal.record_result(run)

    def _collect(self) -> None:
        queue = self._queue
        for future in [future for future in queue.scoring if future.done() and not future.cancelled()]:
            outcome = future.result()
            key = queue.scoring.pop(future)
            if not outcome.stopped:
                queue.runs[key] = run = outcome.applied_to(queue.runs[key])
                self._journal.record_result(run)

    def _pause(self) -> None:
        now, queue = self._clock(), self._queue
        if queue.under_way:
            pause = self._options.pause or self._client.sleep
            pause(pause_s(min(now - since for _, since in queue.under_way.values())))
        elif queue.scoring and not queue.to_send:
            futures.wait(queue.scoring, timeout=0.2, return_when=futures.FIRST_COMPLETED)
        elif queue.elsewhere or queue.to_send:
            self._client.sleep(pause_s(now - self._last_reply))
