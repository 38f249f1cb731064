"""Where each run of one call stands: to be sent, under way, in other hands, being scored, or over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass, field, replace

from ci_notebook.client.objects import Clip
from ci_notebook.experiment.journal import Entry, Journal, key_of
from ci_notebook.experiment.progress import Event
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.scoring import Outcome, is_of
from ci_notebook.experiment.settings import Setting, content
from ci_notebook.model.api.templates import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be done again although it was done, and what outputs are to be scored against.

    `references` maps the key of a clip to a better one of the same content. `every` is the distance of
    the pictures to be scored, None for whatever there is; `precise` asks for VMAF in floating point.
    """

    force: bool = False
    retry_failed: bool = False
    rescore: bool = False
    scores: bool = True
    every: int | None = None
    precise: bool = False
    references: Mapping[str, Clip] = field(default_factory=dict)


class Work:
    """The runs of one call, by their keys. Reads the journal, and never writes to it."""

    def __init__(
        self, journal: Journal, service: str, *, wish: Wish, is_dead: Callable[[str], bool], clock: Callable[[], float]
    ) -> None:
        self._journal, self._service, self._wish, self._is_dead, self._clock = journal, service, wish, is_dead, clock
        self.runs: dict[str, Run] = {}
        self.clips: dict[str, Clip] = {}
        self.entries: dict[str, Entry] = {}
        self.to_send: deque[str] = deque()
        self.to_score: deque[str] = deque()
        self.under_way: dict[str, tuple[str, float]] = {}  # job id → key, sent at
        self.elsewhere: set[str] = set()
        self.scoring: dict[futures.Future[Outcome], str] = {}

    def add(self, clip: Clip, setting: Setting) -> None:
        """Find out what is left to do for one setting on one clip."""
        held, key = content(setting), run_key(clip, setting, self._service)
        if key in self.runs:
            return
        template = (setting.template_id or "") if isinstance(setting, Template) else ""
        self.clips[key] = clip
        self.runs[key] = Run(
            key=key, clip=clip.name or clip.key, clip_key=clip.key, clip_md5=clip.md5, setting=held,
            template_id=template,
        )  # fmt: skip
        self._settle(key, self._journal.latest(key), self._wish)

    def look_elsewhere(self) -> None:
        """Find out what became of the runs that another kernel is sending."""
        for key in sorted(self.elsewhere):
            self.elsewhere.discard(key)
            # What another has just done is new enough for us, whatever was wished.
            wish = Wish(scores=self._wish.scores, every=self._wish.every, precise=self._wish.precise)
            self._settle(key, self._journal.latest(key), wish)

    def is_open(self) -> bool:
        """Say whether anything is left to do."""
        return bool(self.to_send or self.to_score or self.under_way or self.elsewhere or self.scoring)

    def event(self) -> Event:
        """Return how far all is."""
        busy = {key for key, _ in self.under_way.values()}
        pending = {*busy, *self.to_send, *self.to_score, *self.elsewhere, *self.scoring.values()}
        over = [run for key, run in self.runs.items() if key not in pending]
        share = float(len(over)) + 0.9 * sum(1 for key in pending if self.runs[key].state == "Success")
        for key in busy:
            job = self.runs[key].job
            share += 0.9 * (job.progress or 0) / 100 if job and isinstance(job.progress, int) else 0.0
        total = len(self.runs)
        failed = sum(1 for run in over if not run.ok)
        return Event(share / total if total else 1.0, total, len(over) - failed, failed, len(busy))

    def _settle(self, key: str, entry: Entry | None, wish: Wish) -> None:
        run = self.runs[key]
        if entry is None:
            self.to_send.append(key)
            return
        # Equal content and settings are one run, whatever the clip and the template are called this time.
        known = replace(entry.run, clip=run.clip, clip_key=run.clip_key, template_id=run.template_id)
        is_over = bool(known.job and known.job.is_over)
        again = wish.force or known.state == "Cancel" or (wish.retry_failed and known.state == "Failed")
        if entry.phase == "sending" and not self._is_dead(entry.owner):
            self.elsewhere.add(key)
        elif entry.phase == "refused" or (again and entry.phase != "sending" and (is_over or wish.force)):
            self.runs[key] = replace(run, attempt=known.attempt + 1)
            self.to_send.append(key)
        elif entry.phase == "sending":
            self.runs[key], self.entries[key] = known, entry
            self.to_send.append(key)
        else:
            self.runs[key] = replace(known, error="" if entry.phase == "sent" else known.error)
            self._take_up(key, entry, wish)

    def _take_up(self, key: str, entry: Entry, wish: Wish) -> None:
        run = self.runs[key]
        if run.job and not run.job.is_over:
            self.under_way[run.job.job_id or ""] = (key, self._clock())
        elif run.state == "Success":
            reference = self._wish.references.get(run.clip_key)
            others = not is_of(run, reference) or (wish.every is not None and run.every not in (0, wish.every))
            others = others or (wish.precise and not run.precise and run.every > 0)
            is_stale = wish.scores and (wish.rescore or not run.scores or others)
            if entry.phase == "sent" or run.error or is_stale:
                self.to_score.append(key)


def run_key(clip: Clip, setting: Setting, service: str) -> str:
    """Return the key of a run: equal for equal content of the clip, equal settings, and the same service."""
    return key_of(clip.md5 or f"{clip.bucket}/{clip.key}/{clip.size_bytes}", content(setting), service)
