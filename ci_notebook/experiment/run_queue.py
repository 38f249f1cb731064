"""The state of each run of one call: to be sent, running, sent by another kernel, being scored, or over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass, field, replace

from ci_notebook.client.objects import Clip
from ci_notebook.experiment.journal import Entry, Journal, key_of
from ci_notebook.experiment.progress import Event
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.scoring import RunOutcome, is_scored_against
from ci_notebook.experiment.settings import Setting, content
from ci_notebook.model.api.templates import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Redo:
    """Which finished runs to repeat, and how outputs are scored.

    `references` maps the key of a clip to its reference. `every` is the distance of the scored frames (None
    accepts any); `precise` requires VMAF in floating point, `screen` VMAF v1 for that screen.
    """

    force: bool = False
    retry_failed: bool = False
    rescore: bool = False
    scores: bool = True
    every: int | None = None
    precise: bool = False
    screen: str | None = None
    references: Mapping[str, Clip] = field(default_factory=dict)


class RunQueue:
    """The runs of one call, by their keys. Reads the journal, and never writes it."""

    def __init__(
        self, journal: Journal, service: str, *, redo: Redo, is_dead: Callable[[str], bool], clock: Callable[[], float]
    ) -> None:
        self._journal, self._service, self._redo, self._is_dead, self._clock = journal, service, redo, is_dead, clock
        self.runs: dict[str, Run] = {}
        self.clips: dict[str, Clip] = {}
        self.entries: dict[str, Entry] = {}
        self.to_send: deque[str] = deque()
        self.to_score: deque[str] = deque()
        self.under_way: dict[str, tuple[str, float]] = {}  # job id → key, sent at
        self.elsewhere: set[str] = set()
        self.scoring: dict[futures.Future[RunOutcome], str] = {}

    def add(self, clip: Clip, setting: Setting) -> None:
        """Add one setting on one clip, in the state that the journal says."""
        enhance, key = content(setting), run_key(clip, setting, self._service)
        if key in self.runs:
            return
        template = (setting.template_id or "") if isinstance(setting, Template) else ""
        self.clips[key] = clip
        self.runs[key] = Run(
            key=key, clip=clip.name or clip.key, clip_key=clip.key, clip_md5=clip.md5, setting=enhance,
            template_id=template,
        )  # fmt: skip
        self._settle(key, self._journal.latest(key), self._redo)

    def add_recorded(self, entry: Entry, clip: Clip) -> None:
        """Add one attempt at a run that the journal holds. It is completed, and never sent."""
        key = f"{entry.run.key} {entry.run.attempt}"
        if key not in self.runs and entry.run.job is not None:
            self.clips[key] = clip
            self.runs[key] = replace(entry.run, error="" if entry.phase == "sent" else entry.run.error)
            self._resume(key, entry, self._redo)

    def check_elsewhere(self) -> None:
        """Update the runs that another kernel is sending."""
        for key in sorted(self.elsewhere):
            self.elsewhere.discard(key)
            # A run that another kernel has just finished is not repeated.
            redo = Redo(
                scores=self._redo.scores, every=self._redo.every, precise=self._redo.precise, screen=self._redo.screen
            )
            self._settle(key, self._journal.latest(key), redo)

    def is_open(self) -> bool:
        """Return True when work is left."""
        return bool(self.to_send or self.to_score or self.under_way or self.elsewhere or self.scoring)

    def event(self) -> Event:
        """Return the progress of all runs."""
        busy = {key for key, _ in self.under_way.values()}
        pending = {*busy, *self.to_send, *self.to_score, *self.elsewhere, *self.scoring.values()}
        over = [run for key, run in self.runs.items() if key not in pending]
        share = float(len(over)) + 0.9 * sum(1 for key in pending if self.runs[key].state == "Success")
        for key in busy:
            job = self.runs[key].job
            share += 0.9 * (job.progress or 0) / 100 if job and isinstance(job.progress, int) else 0.0
        total = len(self.runs)
        failed = sum(1 for run in over if not run.ok)
        return Event(
            share / total if total else 1.0, total, len(over) - failed, failed, len(busy), elsewhere=len(self.elsewhere)
        )  # fmt: skip

    def _settle(self, key: str, entry: Entry | None, redo: Redo) -> None:
        run = self.runs[key]
        if entry is None:
            self.to_send.append(key)
            return
        # Equal content and settings are one run, even under other names of clip and template.
        recorded = replace(entry.run, clip=run.clip, clip_key=run.clip_key, template_id=run.template_id)
        is_over = bool(recorded.job and recorded.job.is_over)
        again = redo.force or recorded.state == "Cancel" or (redo.retry_failed and recorded.state == "Failed")
        if entry.phase == "sending" and not self._is_dead(entry.owner):
            self.elsewhere.add(key)
        elif entry.phase == "refused" or (again and entry.phase != "sending" and (is_over or redo.force)):
            self.runs[key] = replace(run, attempt=recorded.attempt + 1)
            self.to_send.append(key)
        elif entry.phase == "sending":
            self.runs[key], self.entries[key] = recorded, entry
            self.to_send.append(key)
        else:
            self.runs[key] = replace(recorded, error="" if entry.phase == "sent" else recorded.error)
            self._resume(key, entry, redo)

    def _resume(self, key: str, entry: Entry, redo: Redo) -> None:
        run = self.runs[key]
        if run.job and not run.job.is_over:
            self.under_way[run.job.job_id or ""] = (key, self._clock())
        elif run.state == "Success":
            reference = self._redo.references.get(run.clip_key)
            others = not is_scored_against(run, reference) or (
                redo.every is not None and run.every not in (0, redo.every)
            )
            others = others or (redo.precise and not run.precise and run.every > 0)
            others = others or (redo.screen is not None and run.screen != redo.screen and run.every > 0)
            is_stale = redo.scores and (redo.rescore or not run.scores or others)
            if entry.phase == "sent" or run.error or is_stale:
                self.to_score.append(key)


def run_key(clip: Clip, setting: Setting, service: str) -> str:
    """Return the key of a run: equal for equal clip content, equal settings, and the same service."""
    known = clip.md5 or f"{clip.bucket}/{clip.key}/{clip.etag or clip.size_bytes}"
    return key_of(known, content(setting), service)
