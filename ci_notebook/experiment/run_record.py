"""`Run`: one setting on one clip, and its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.clip_summary import summary_of
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.html import html_table
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.scores import SCORE, SCORES
from ci_notebook.model.setting.enhance import VideoEnhance

_NO_SCORES: Mapping[str, float] = MappingProxyType({})
# They say how bad the bad frames are: too much for a card, and columns of `to_frame`.
_POOLED: Final = frozenset(name for score in SCORES for name in score.pooled)
_NO_PICTURES: Mapping[str, tuple[float, ...]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Run:
    """One setting on one clip: its job, output, scores and cost.

    `key` is the same for the same clip, setting and service. `job` is None until the run was sent.
    `error` says what went wrong outside the job: while sending, downloading or scoring. `output` is the
    local copy of the output. `cost_cny` is None if unknown.

    `scores` maps the name of a score to its value for the whole clip. `pictures` maps it to one value per
    scored frame: every `every`-th frame from the first one on. `every` is 0 without such values. `precise`
    means that VMAF was computed in floating point. `score_against` says what the output was compared with:
    its "source" (measures change) or a true "reference" (measures fidelity, see `reference_md5`).
    `alignment` says how the output was aligned before scoring (time offset, crop, scale); None without scores, and
    for runs of older journals. `vmaf_v1_model` is the model of VMAF v1 for the `screen`; it is empty without VMAF v1,
    and `score_note` says why, or what it does not see. Scores of two models cannot be compared. `template_id` is the
    template that was sent instead of the setting that it contains.
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
    screen: str = ""
    vmaf_v1_model: str = ""
    score_note: str = ""
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
        """True when the run will not change any more by itself."""
        return bool(self.error) or bool(self.job and self.job.is_over)

    def __repr__(self) -> str:
        # No ids and no times: equal runs look equal.
        setting = ", ".join(f"{path}={value}" for path, value in values(self.setting).items())
        return f"<Run of {self.clip}: {self.state or 'not sent'}{'; ' + setting if setting else ''}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object, str]] = [("Clip", self.clip, ""), ("State", self.state or "not sent", "")]
        if self.job and self.state == "Failed":
            rows.append(("Error", f"{self.job.code}: {self.job.message}", ""))
        if self.error:
            rows.append(("Error", self.error, ""))
        rows += [(path, value, "") for path, value in values(self.setting).items()]
        info = self.job.operation.media_info if self.job and self.job.operation else None
        if info:
            rows.append(("Output", str(summary_of(info)), ""))
        rows += [(name, _score_text(name, value), "") for name, value in self.scores.items() if name not in _POOLED]
        if self.cost_cny is not None:
            rows.append(("Cost", f"{self.cost_cny:.4f} CNY", ""))
        return html_table("Run", rows)


def _score_text(name: str, value: float) -> str:
    # As many decimals as the tables show: the third one of a VMAF differs between two machines.
    score = SCORE.get(name)
    return f"{value:.{score.decimals if score else 2}f}{' ' + score.unit if score and score.unit else ''}"


def each_once(runs: Iterable[Run]) -> list[Run]:
    """Return runs in their order, each once: of several records of one run the last one, at the place of the first.

    Two records are of one run if they have the same job. Without a job they are, if key and attempt are the same. So
    deliberate repeats (`force=True`) are different runs.
    """
    records: dict[tuple[object, ...], Run] = {}
    with_job = dict[tuple[object, ...], tuple[object, ...]]()
    for run in runs:
        attempt = (run.key or id(run), run.attempt)
        job_id = run.job.job_id if run.job else None
        if job_id:
            name: tuple[object, ...] = (run.clip_key, job_id)
            if attempt in records:  # recorded before its job was known
                records = {name if one == attempt else one: other for one, other in records.items()}
            with_job[attempt] = name
            records[name] = run
        elif attempt not in with_job:
            records[attempt] = run
    return list(records.values())
