"""What a lab does with many settings: plan them, run them, and search among them, each under its bar."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ci_notebook._version import __version__
from ci_notebook.client.client import Client
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.client_port import CALLS_PER_SECOND
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.pricing.price import MAINLAND, PriceList
from ci_notebook.experiment.pricing.quote import estimate
from ci_notebook.experiment.progress import Event
from ci_notebook.experiment.run import CLOUD_SETTLE_S, SETTLE_S, RunOptions, run_all
from ci_notebook.experiment.run_queue import run_key
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.search import Direction, SearchOptions, Span, Trial, optimize
from ci_notebook.experiment.settings import Setting, resolved
from ci_notebook.lab.pictures import measure
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.plan import Plan
from ci_notebook.results.progress_bar import Progress
from ci_notebook.results.runs import Runs
from ci_notebook.results.search_result import Found


def plan_sweep(
    client: Client,
    clips: Clip | Iterable[Clip],
    settings: Iterable[Setting],
    *,
    journal: Journal,
    service: str,
    prices: PriceList = MAINLAND,
) -> Plan:
    """Return what running the settings on the clips would send, and what of it the journal holds already."""
    listed = [clips] if isinstance(clips, Clip) else list(clips)
    infos = {clip.key: client.video_info(clip.key) for clip in listed}
    jobs = [(clip, setting) for clip in listed for setting in resolved(settings, client.templates.get)]
    entries = (journal.latest(run_key(clip, setting, service)) for clip, setting in jobs)
    held = [entry is not None and entry.phase in ("sent", "over") for entry in entries]
    asked = ((clip.name, infos[clip.key], setting) for clip, setting in jobs)
    return Plan(estimate(asked, prices=prices), held)


def service_of(client: Client, *, is_local: bool) -> str:
    """Name what is behind the client: what another engine, or another version of ours, makes is not the same."""
    where = f"{client.bucket}/{client.region}"
    return f"engine {__version__} {where}" if is_local else where


def terms(
    client: Client, clips: Sequence[Clip], reference: Clip | Sequence[Clip] | None, *, is_local: bool
) -> dict[str, Any]:
    """Return what `run_all` is told of the service (its name and pace), and the reference of each clip by its key."""
    return {
        "service": service_of(client, is_local=is_local), "rate_per_s": None if is_local else CALLS_PER_SECOND,
        "settle_s": SETTLE_S if is_local else CLOUD_SETTLE_S, "reference": _by_clip(clips, reference),
    }  # fmt: skip


def _by_clip(clips: Sequence[Clip], reference: Clip | Sequence[Clip] | None) -> dict[str, Clip]:
    """Return the key of each clip with its reference: one for all, or as many as there are clips."""
    if reference is None or isinstance(reference, Clip):
        return {clip.key: reference for clip in clips} if reference else {}
    if len(reference) != len(clips):
        raise ParameterError("reference", f"{len(reference)} clips", f"{len(clips)}, one a clip, or one for all")
    return {clip.key: one for clip, one in zip(clips, reference, strict=True)}


@contextlib.contextmanager
def _told(label: str, on_progress: Callable[[Event], None] | None) -> Iterator[Callable[[Event], None]]:
    """Yield what is told of a sweep's progress: `on_progress`, or without it a bar."""
    if on_progress is not None:
        yield on_progress
        return
    with Progress(label, total=1) as progress:
        yield lambda event: progress.update(event.share, event.note)


def run_sweep(
    client: Client, clips: Sequence[Clip], settings: Sequence[Setting], *, scores: bool,
    on_progress: Callable[[Event], None] | None, **more: Any,
) -> list[Run]:  # fmt: skip
    """Run every setting on every clip, under a bar unless `on_progress` is told; `more` is for `RunOptions`."""
    count = len(clips) * len(settings)
    with _told(f"Running {count} job{'' if count == 1 else 's'}", on_progress) as tell:
        options = RunOptions(measure=measure if scores else None, on_progress=tell, **more)
        return run_all(client, clips, settings, options)


def run_search(
    client: Client,
    clips: Clip | Iterable[Clip],
    base: VideoEnhance | None,
    *,
    space: Mapping[str, Sequence[Any] | Span],
    on: str | Mapping[str, Direction],
    trials: int,
    batch: int,
    seed: int,
    shown: Callable[[Iterable[Run]], Runs],
    **more: Any,
) -> Found:
    """Look for good settings under a progress bar; see `Lab.optimize`. `more` is for `RunOptions`."""
    done: list[Trial] = []
    with Progress(f"Trying {trials} settings", total=trials) as progress:

        def on_trial(trial: Trial) -> None:
            done.append(trial)
            progress.update(len(done), f"{len(done)} of {trials} tried")

        def on_progress(event: Event) -> None:
            share = event.share * min(batch, trials - len(done))
            progress.update(min(len(done) + share, trials), f"{len(done)} of {trials} tried; now {event.note}")

        found = optimize(
            client, clips, base,
            SearchOptions(space=space, on=on, trials=trials, batch=batch, seed=seed, on_trial=on_trial),
            RunOptions(measure=measure, on_progress=on_progress, **more),
        )  # fmt: skip
    return Found(found, shown)
