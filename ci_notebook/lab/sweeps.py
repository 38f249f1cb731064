"""Plan and run many settings on many clips, and search among them, each with a progress bar."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ci_notebook._version import __version__
from ci_notebook.client.client import Client
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.adoption.adopt import Adoption, adopt
from ci_notebook.experiment.adoption.given_jobs import read_jobs_given
from ci_notebook.experiment.client_port import CALLS_PER_SECOND
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.pricing.price import MAINLAND, PriceList
from ci_notebook.experiment.pricing.quote import estimate
from ci_notebook.experiment.progress import Event
from ci_notebook.experiment.run import CLOUD_SETTLE_S, SETTLE_S, RunOptions, run_all
from ci_notebook.experiment.run_queue import run_key
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.search import FACTS, Direction, SearchOptions, Span, Trial, optimize
from ci_notebook.experiment.settings import Setting, content, resolved
from ci_notebook.lab.clips.job_changes import JobChanges
from ci_notebook.lab.pictures import measure
from ci_notebook.model.clip_labels import ClipIdentity, clip_labels
from ci_notebook.model.scores import check_score
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.plan import Plan
from ci_notebook.results.progress_bar import Progress
from ci_notebook.results.runs import Runs
from ci_notebook.results.search_result import Found


def plan_sweep(
    client: Client, clips: Sequence[Clip], settings: Iterable[Setting], *,
    journal: Journal, service: str, prices: PriceList = MAINLAND, job_changes: JobChanges | None = None,
) -> Plan:  # fmt: skip
    """Return what running the settings on the clips would send, and which results the journal holds already."""
    infos = {clip.key: client.video_info(clip.key) for clip in clips}
    chosen = resolved(settings, client.templates.get)
    jobs = [(clip, setting) for clip in clips for setting in chosen]
    entries = (journal.latest(run_key(clip, setting, service)) for clip, setting in jobs)
    is_recorded = [entry is not None and entry.phase in ("sent", "over") for entry in entries]
    labels = dict(zip(clips, clip_labels([ClipIdentity(c.name, c.key, c.md5) for c in clips]), strict=True))
    quoted = ((labels[clip], infos[clip.key], setting) for clip, setting in jobs)
    said: list[tuple[str, ...]] = []
    if job_changes is not None:
        contents = [content(setting) for setting in chosen]
        said = [sentences for clip in clips for sentences in job_changes.each(clip, contents)]
    note = job_changes.note if job_changes is not None else ""
    return Plan(estimate(quoted, prices=prices), is_recorded, changes=said, note=note)


def service_of(client: Client, *, is_local: bool) -> str:
    """Name the service behind the client. Results of another engine, or of another version of this package, differ."""
    where = f"{client.bucket}/{client.region}"
    return f"engine {__version__} {where}" if is_local else where


def service_terms(client: Client, *, is_local: bool) -> dict[str, Any]:
    """Return the options of `run_all` about the service: its name and its pace."""
    return {
        "service": service_of(client, is_local=is_local), "rate_per_s": None if is_local else CALLS_PER_SECOND,
        "settle_s": SETTLE_S if is_local else CLOUD_SETTLE_S, "pause": client.pace().rest,
    }  # fmt: skip


@contextlib.contextmanager
def _progress(label: str, on_progress: Callable[[Event], None] | None) -> Iterator[Callable[[Event], None]]:
    """Yield the function to call with each event of a sweep: `on_progress`, or that of a progress bar."""
    if on_progress is not None:
        yield on_progress
        return
    with Progress(label, total=1) as progress:
        yield lambda event: progress.update(event.share, event.counts, left=event.left)


def run_sweep(
    client: Client, clips: Sequence[Clip], settings: Sequence[Setting], *, scores: bool,
    on_progress: Callable[[Event], None] | None, **more: Any,
) -> list[Run]:  # fmt: skip
    """Run every setting on every clip, with a bar unless `on_progress` is given; `more` is for `RunOptions`."""
    count = len(clips) * len(settings)
    with _progress(f"Running {count} job{'' if count == 1 else 's'}", on_progress) as report_event:
        options = RunOptions(measure=measure if scores else None, on_progress=report_event, **more)
        return run_all(client, clips, settings, options)


def run_adoption(
    client: Client, jobs: object, *, scores: bool, wait: bool, on_progress: Callable[[Event], None] | None, **more: Any
) -> Adoption:
    """Turn jobs that exist into runs, with a bar unless `on_progress` is given; `more` is for `RunOptions`."""
    given = read_jobs_given(jobs)
    count = len(given.jobs)
    with _progress(f"Adopting {count} job{'' if count == 1 else 's'}", on_progress) as report_event:
        options = RunOptions(measure=measure if scores else None, on_progress=report_event, **more)
        return adopt(client, given, options, wait=wait)


def run_search(
    client: Client, clips: Sequence[Clip], base: VideoEnhance | None, *, space: Mapping[str, Sequence[Any] | Span],
    on: str | Mapping[str, Direction], trials: int, batch: int, seed: int,
    runs_from: Callable[[Iterable[Run]], Runs], **more: Any,
) -> Found:  # fmt: skip
    """Look for good settings with a progress bar; see `Lab.optimize`. `more` is for `RunOptions`."""
    for name in [on] if isinstance(on, str) else on:
        check_score(name, FACTS)  # a misspelt name is refused before anything costs money
    finished: list[Trial] = []
    with Progress(f"Trying {trials} settings", total=trials) as progress:

        def on_trial(trial: Trial) -> None:
            finished.append(trial)
            progress.update(len(finished), f"{len(finished)} of {trials} tried")

        def on_progress(event: Event) -> None:
            share = event.share * min(batch, trials - len(finished))
            progress.update(
                min(len(finished) + share, trials), f"{len(finished)} of {trials} tried; now {event.counts}"
            )

        search = optimize(
            client, clips, base,
            SearchOptions(space=space, on=on, trials=trials, batch=batch, seed=seed, on_trial=on_trial),
            RunOptions(measure=measure, on_progress=on_progress, **more),
        )  # fmt: skip
    return Found(search, runs_from)
