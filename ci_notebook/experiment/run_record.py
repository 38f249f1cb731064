"""The record of one run: one setting on one clip, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.setting.enhance import VideoEnhance

_NO_SCORES: Mapping[str, float] = MappingProxyType({})
_NO_PICTURES: Mapping[str, tuple[float, ...]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Run:
    """One setting on one clip: its job, output, scores and cost.

    `key` is the same for the same clip, setting and service, whoever asks and when. `job` is None
    until it was sent. `error` says what went wrong outside the job: sending, fetching, scoring.
    `output` is the local copy of the result. `cost_cny` is None when it is not known.

    `scores` maps a score to its number for the whole clip, `pictures` to one number a picture: those
    of every `every`-th picture, first to last, from the first one on. `every` is 0 without any. `precise`
    says that VMAF was taken in floating point.
    `score_against` says what the output was compared with: its "source", which measures change, or a
    true "reference", which measures fidelity; `reference_md5` is that reference. `alignment` says how
    the output was aligned with it before scoring (time offset, crop, scale); None without scores, and for runs
    of a journal that did not keep it yet. `template_id` names
    the template that was sent in place of the setting that it held.
    """

    key: str
    clip: str
    clip_key: str
    clip_md5: str
    setting: VideoEnhance
    template_id: str = ""
    attempt: int = 1
    job: JobsDetail | None = None
    scores: Mapping[str, float] = field(default_factory=lambda: _NO_SCORES)
    pictures: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: _NO_PICTURES)
    every: int = 0
    precise: bool = False
    score_against: Literal["", "source", "reference"] = ""
    reference_md5: str = ""
    alignment: Alignment | None = None
    cost_cny: float | None = None
    error: str = ""
    output: Path | None = None

    @property
    def state(self) -> str:
        """The job's state; empty when no job was accepted."""
        return (self.job.state or "") if self.job else ""

    @property
    def ok(self) -> bool:
        """True when the job succeeded and nothing went wrong around it."""
        return self.state == "Success" and not self.error

    @property
    def is_over(self) -> bool:
        """True when nothing more will come of it by itself."""
        return bool(self.error) or bool(self.job and self.job.is_over)

    def __repr__(self) -> str:
        # No ids and no times: equal runs look equal.
        shown = ", ".join(f"{path}={value}" for path, value in values(self.setting).items())
        return f"<Run of {self.clip}: {self.state or 'not sent'}{'; ' + shown if shown else ''}>"
