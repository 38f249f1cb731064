"""Running many settings on many clips: several jobs at once, nothing paid for twice, everything resumed.

The rule of this file: one thread sends, asks and writes the journal; helpers only fetch and score.
So an interrupt falls between two steps, and each step leaves the journal right. Another kernel may
run the same sweep from the same journal: what one sends, the other waits for.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ci_notebook.client.objects import Clip
from ci_notebook.client.polling import IDS_A_CALL, OUT_OF_REACH, PATIENCE_S, pause_s
from ci_notebook.experiment.client_port import Paced, Rate, Service
from ci_notebook.experiment.journal import Entry, Journal
from ci_notebook.experiment.lease import Lease
from ci_notebook.experiment.pricing.price import MAINLAND, PriceList, refuse_over
from ci_notebook.experiment.pricing.quote import Estimate, Forecast, estimate
from ci_notebook.experiment.progress import Event, Meter
from ci_notebook.experiment.run_queue import Wish, Work
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.scoring import Measure, Outcomes
from ci_notebook.experiment.settings import Setting, resolved
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import (
    AccessDenied,
    BucketNotActivated,
    NotFound,
    ParameterError,
    ServiceError,
    SignatureRefused,
    SubmissionUnclear,
)

# Not about one run: the next one would be refused for the same reason.
_FOR_ALL = (AccessDenied, SignatureRefused, BucketNotActivated)
_PASSING = (*OUT_OF_REACH, SubmissionUnclear)
# Clocks differ: a job that was accepted may seem older than the line in the journal that asked for it.
_SKEW = dt.timedelta(minutes=20)


# How long a request may be on its way after its sender has died, and how old it is when it surely is not any more.
SETTLE_S, CLOUD_SETTLE_S = 5.0, 30.0
_LONG_AGO = dt.timedelta(minutes=10)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped a sweep; it says how far that came and how it goes on."""


def run_all(
    client: Service,
    clips: Clip | Iterable[Clip],
    settings: Iterable[Setting],
    *,
    journal: Journal,
    cache: Path,
    workers: int = 4,
    rate_per_s: int | None = None,
    measure: Measure | None = None,
    reference: Clip | Mapping[str, Clip] | None = None,
    every: int | None = None,
    precise: bool = False,
    on_progress: Callable[[Event], None] | None = None,
    on_price: Callable[[Estimate], None] | None = None,
    force: bool = False,
    retry_failed: bool = False,
    rescore: bool = False,
    cancel: threading.Event | None = None,
    service: str = "",
    prices: PriceList = MAINLAND,
    budget: float | None = None,
    forecast: Forecast | None = None,
    patience_s: float = PATIENCE_S,
    settle_s: float = SETTLE_S,
    clock: Callable[[], float] = time.monotonic,
) -> list[Run]:
    """Run every setting on every clip, and return a run each, failed ones included: clip by clip, setting by setting.

    At most `workers` jobs are under way at once, and at most `rate_per_s` calls a second are made. A
    run that the journal holds is not sent again unless `force`, or `retry_failed` if its job failed;
    runs that were broken off are taken up where they were. `measure(output, source)` scores what a job
    made, against `reference` in place of the source where there is one: a clip for all, or one by a
    clip's key, on every `every`-th picture if that is said, in floating point if
    `precise`. What it needs is downloaded into `cache`, once; `rescore` measures again what is there.
    `budget`, in the currency of `prices`, is checked before anything is sent, and `on_price` told what
    will be sent, with `forecast` telling the output's shape. `service` names what is behind the client,
    so that runs of two services are not taken for each other. A service out of reach is borne for
    `patience_s` seconds. What a process that died was sending may still be on its way: it is looked for
    `settle_s` seconds later, and only then sent again.

    Ctrl-C (as `Interrupted`), and `cancel` from another thread, keep what is done; the same call goes on
    from there. Raises `ParameterError` and `BudgetExceeded` before anything is sent, and what makes every
    further run pointless: a refused signature, a service out of reach.
    """
    if workers < 1:
        raise ParameterError("workers", workers, "a whole number of at least 1")
    if every is not None and every < 1:
        raise ParameterError("every", every, "a whole number of at least 1")
    listed = [clips] if isinstance(clips, Clip) else list(clips)
    references = {clip.key: reference for clip in listed} if isinstance(reference, Clip) else dict(reference or {})
    wish = Wish(
        force=force, retry_failed=retry_failed, rescore=rescore, scores=measure is not None, references=references,
        every=every, precise=precise,
    )  # fmt: skip
    paced = Paced(client, Rate(rate_per_s, sleep=client.sleep))
    wanted = resolved(settings, paced.stored)
    with ExitStack() as stack:
        lease = stack.enter_context(journal.lease())
        name = service or f"{client.bucket}/{client.region}"
        work = Work(journal, name, wish=wish, is_dead=lease.is_dead, clock=clock)
        for clip in listed:
            for setting in wanted:
                work.add(clip, setting)
        if (budget is not None or on_price is not None) and work.to_send:
            cost = _estimate(work, paced, prices, forecast)
            refuse_over(budget, [quote.price for quote in cost.quotes])
            (on_price or (lambda cost: None))(cost)
        outcomes = stack.enter_context(
            Outcomes(paced, cache, measure=measure, prices=prices, references=references, every=every, precise=precise)
        )
        sweep = _Sweep(
            paced, work, journal=journal, lease=lease, outcomes=outcomes, service=name, workers=workers,
            patience_s=patience_s, settle_s=settle_s, clock=clock,
        )  # fmt: skip
        return sweep.run(on_progress or (lambda event: None), cancel or threading.Event())


def _estimate(work: Work, client: Paced, prices: PriceList, forecast: Forecast | None) -> Estimate:
    """Return what the runs that are to be sent would cost."""
    infos = {key: client.video_info(key) for key in dict.fromkeys(work.runs[one].clip_key for one in work.to_send)}
    runs = [work.runs[key] for key in work.to_send]
    return estimate(((run.clip, infos[run.clip_key], run.setting) for run in runs), prices=prices, forecast=forecast)


class _Sweep:
    """One call at work: sends, asks, and writes down."""

    def __init__(
        self, client: Paced, work: Work, *, journal: Journal, lease: Lease, outcomes: Outcomes, service: str,
        workers: int, patience_s: float, settle_s: float, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._client, self._journal, self._work, self._lease, self._outcomes = client, journal, work, lease, outcomes
        self._service, self._workers, self._patience_s, self._clock = service, workers, patience_s, clock
        self._settle_s, self._reached = settle_s, clock()
        self._due: dict[str, float] = {}  # key → when what a dead process was sending has arrived or never will

    def run(self, tell: Callable[[Event], None], cancel: threading.Event) -> list[Run]:
        """Bring every run to its end, and return them in the order they were planned in."""
        work = self._work
        meter = Meter(work.event().share, self._clock)
        try:
            tell(work.event())
            while work.is_open() and not cancel.is_set():
                self._turn()
                event = work.event()
                tell(replace(event, left_s=meter.left_s(event.share)))
                self._pause()
        except KeyboardInterrupt as stop:
            raise Interrupted(
                f"stopped at {work.event().note}. What is done is kept, and jobs under way go on. "
                "Run the same again, and it goes on from here."
            ) from stop
        finally:
            if work.is_open():
                self._outcomes.stop()
            self._collect()
        return list(work.runs.values())

    def _turn(self) -> None:
        work = self._work
        try:
            for key in [key for key in work.to_send if self._due.get(key, 0.0) <= self._clock()]:
                if len(work.under_way) < self._workers:
                    work.to_send.remove(key)
                    self._send(key)
            self._ask()
            self._reached = self._clock()
        except _PASSING:
            if self._clock() - self._reached >= self._patience_s:
                raise
        while work.to_score:
            key = work.to_score.popleft()
            work.scoring[self._outcomes.submit(work.runs[key], work.clips[key])] = key
        self._collect()
        work.look_elsewhere()

    def _send(self, key: str) -> None:
        work = self._work
        run, entry, clip = work.runs[key], work.entries.get(key), work.clips[key]
        mark = entry.mark if entry else f"ci-notebook {key} {run.attempt}"
        request = enhance_request(
            clip.key, None if run.template_id else run.setting, template_id=run.template_id or None,
            bucket=self._client.bucket, region=self._client.region, user_data=mark,
        )  # fmt: skip
        if entry is None:
            if not self._journal.begin(run, request, service=self._service, mark=mark, owner=self._lease.name):
                work.elsewhere.add(key)
                return
        elif entry.owner != self._lease.name:
            self._take_over(key, entry)
            return
        try:
            # The journal said "sending": whether it arrived is known to the service alone.
            job = self._client.find_by_user_data(
                mark, created_after=dt.datetime.fromtimestamp(entry.created_at, dt.UTC) - _SKEW,
                input_object=entry.run.clip_key,
            ) if entry else None  # fmt: skip
            job = job or self._client.submit(request)
        except _PASSING:
            # It may have arrived all the same: the next try looks for it first.
            written = self._journal.latest(key)
            if written is not None:
                work.entries[key] = written
            work.to_send.appendleft(key)
            raise
        except (ServiceError, ParameterError) as error:
            work.runs[key] = replace(run, error=str(error))
            self._journal.refused(work.runs[key])
            if isinstance(error, _FOR_ALL):
                raise
            return
        work.runs[key] = replace(run, job=job)
        self._journal.answered(work.runs[key])
        work.under_way[job.job_id or ""] = (key, self._clock())

    def _take_over(self, key: str, entry: Entry) -> None:
        """Make a run ours that a dead process was sending, to be looked for when it has had its time to arrive."""
        work = self._work
        if not self._journal.claim(entry, self._lease.name):
            work.elsewhere.add(key)
            return
        work.entries[key] = replace(entry, owner=self._lease.name)
        age = time.time() - entry.created_at
        if 0 <= age < _LONG_AGO.total_seconds():
            self._due[key] = self._clock() + self._settle_s
        work.to_send.append(key)

    def _ask(self) -> None:
        ids = list(self._work.under_way)
        for start in range(0, len(ids), IDS_A_CALL):
            for job in self._jobs(ids[start : start + IDS_A_CALL]):
                self._hear(job)

    def _jobs(self, ids: list[str]) -> list[JobsDetail]:
        work = self._work
        try:
            return self._client.job(*ids)
        except NotFound as error:
            if len(ids) > 1:
                return [job for one in ids for job in self._jobs([one])]
            key, _ = work.under_way.pop(ids[0])
            work.runs[key] = replace(work.runs[key], error=f"the service does not know the job any more: {error}")
            self._journal.refused(work.runs[key])
            return []

    def _hear(self, job: JobsDetail) -> None:
        work = self._work
        key, _ = work.under_way[job.job_id or ""]
        was = work.runs[key]
        work.runs[key] = run = replace(was, job=job)
        if job.state != was.state:
            self._journal.answered(run)
        if not job.is_over:
            return
        del work.under_way[job.job_id or ""]
        if job.state == "Success":
            work.to_score.append(key)
        else:
            self._journal.finished(run)

    def _collect(self) -> None:
        work = self._work
        for future in [future for future in work.scoring if future.done() and not future.cancelled()]:
            outcome = future.result()
            key = work.scoring.pop(future)
            if not outcome.stopped:
                work.runs[key] = run = outcome.of(work.runs[key])
                self._journal.finished(run)

    def _pause(self) -> None:
        now, work = self._clock(), self._work
        if work.under_way:
            self._client.sleep(pause_s(min(now - since for _, since in work.under_way.values())))
        elif work.scoring and not work.to_send:
            futures.wait(work.scoring, timeout=0.2, return_when=futures.FIRST_COMPLETED)
        elif work.elsewhere or work.to_send:
            self._client.sleep(pause_s(now - self._reached))
