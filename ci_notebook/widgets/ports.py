"""Protocols of everything that a view asks from a lab.

No view imports a lab, a client or an engine: it types its first argument by a Protocol of this module, and `Lab`
implements them all (`tests/typing/ports_check.py` holds that). An optional feature is an attribute that may be None.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ci_notebook.model.api.jobs import JobsDetail, Request
from ci_notebook.model.api.templates import Template
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import DigitalWatermark, Watermark
from ci_notebook.widgets.preview_ports import PreviewPort
from ci_notebook.widgets.shared.clip_lines import ClipFactsLab

__all__ = [
    "BallotPort",
    "ComparableClip",
    "ComparableJob",
    "ComparableRun",
    "ComparableRuns",
    "CompareLab",
    "DurationsPort",
    "EnhanceLab",
    "FramesPort",
    "JobReply",
    "JobsPort",
    "MonitorLab",
    "RunsWithSources",
    "SubmittedJob",
    "SweepLab",
    "SweepPort",
    "SweepSettings",
    "TemplatesPort",
    "VoteLab",
    "VotePort",
]

# Videos


class FramesPort(Protocol):
    """The frames of one video, addressed by number. `size` is width and height in px."""

    size: tuple[int, int]

    def __len__(self) -> int: ...

    @property
    def rate(self) -> float:
        """Frames per second."""

    @property
    def duration_s(self) -> float:
        """Duration in seconds."""

    @property
    def tone(self) -> str:
        """How HDR frames are shown, in words; empty for SDR."""

    def number_at(self, time_s: float) -> int:
        """Return the number of the frame that is shown at a time."""

    def time_of(self, number: int) -> float:
        """Return the time in seconds at which a frame is shown first."""

    def coded(self, number: int, **options: Any) -> bytes:
        """Return one frame as JPEG or PNG (see `media.frames.Frames.coded`)."""

    def difference(self, number: int, other: Any, other_number: int, **options: Any) -> tuple[bytes, float, int]:
        """Return the amplified difference of two frames as JPEG, its mean and its maximum (0 to 255)."""

    def rest(self) -> None:
        """Free the memory of decoded frames. The next call decodes again."""

    def close(self) -> None:
        """Close the file."""


# CompareView


@runtime_checkable
class CompareLab(Protocol):
    """A lab that opens videos."""

    def frames(self, video: Any) -> Any:
        """Return the frames (`FramesPort`) of a clip, of the output of a job or run, of a key or a file."""


@runtime_checkable
class ComparableRuns(Protocol):
    """The runs of a lab. `sources` maps the object key of a clip, or its label, to its local file."""

    def open_video(self, video: Any) -> Any:
        """Return the frames (`FramesPort`) of a run, a clip or an object key."""

    @property
    def sources(self) -> Mapping[str, Path]:
        """Local files of the clips, by object key or label."""

    def __iter__(self) -> Iterator[Any]: ...


@runtime_checkable
class RunsWithSources(ComparableRuns, Protocol):
    """Runs that know the content of their sources, also after a file or an object was replaced."""

    def source_of(self, run: Any) -> Any:
        """Return what `open_video` opens as the source of a run."""


@runtime_checkable
class ComparableClip(Protocol):
    """A clip in a bucket."""

    @property
    def key(self) -> str:
        """Object key."""

    @property
    def name(self) -> str:
        """File name; may be empty."""

    @property
    def size_bytes(self) -> int:
        """File size."""


@runtime_checkable
class ComparableRun(Protocol):
    """One run: one setting on one clip, with its job, output and scores."""

    @property
    def clip(self) -> str:
        """Name of the clip."""

    @property
    def clip_key(self) -> str:
        """Object key of the clip."""

    @property
    def clip_md5(self) -> str:
        """MD5 of the clip's content; empty if unknown."""

    @property
    def setting(self) -> VideoEnhance:
        """The setting of the run."""

    @property
    def job(self) -> JobsDetail | None:
        """The job; None before it was sent."""

    @property
    def output(self) -> Path | None:
        """Local copy of the output; None before it was downloaded."""

    @property
    def vmaf_v1_model(self) -> str:
        """The model of VMAF v1 of its scores; empty without."""

    @property
    def scores(self) -> Mapping[str, float]:
        """Score name → value for the whole clip."""

    @property
    def pictures(self) -> Mapping[str, tuple[float, ...]]:
        """Score name → one value for every `every`-th frame."""

    @property
    def every(self) -> int:
        """Distance of scored frames; 0 without scores."""


class JobReply(Protocol):
    """A job with the last reply of the service."""

    @property
    def detail(self) -> JobsDetail:
        """The last reply of the service."""


@runtime_checkable
class ComparableJob(JobReply, Protocol):
    """A job whose output can be shown."""

    @property
    def setting(self) -> VideoEnhance | None:
        """The setting of the job, if it has one."""


# EnhancePanel


class SubmittedJob(JobReply, Protocol):
    """A job that a panel has submitted."""

    def wait(self, *, on_progress: Callable[..., None]) -> object:
        """Return when the job has ended; call `on_progress` after each poll."""


class DurationsPort(Protocol):
    """Expected durations of jobs."""

    def expected_of(self, job: JobsDetail) -> float | None:
        """Return how many seconds a job takes; None if nothing is known."""

    def learn(self, job: JobsDetail) -> None:
        """Remember how long a job took that has ended."""


class TemplatesPort(Protocol):
    """Templates stored by the service."""

    def list(self, *, tag: str = "", category: str = "Custom") -> Iterable[Template]:
        """Return the templates of a kind and category."""

    def get(self, *ids: str) -> Sequence[Template]:
        """Return the templates of these ids."""

    def create(self, name: str, what: VideoEnhance) -> Template:
        """Store a setting as a new template."""


class EnhanceLab(ClipFactsLab, Protocol):
    """The parts of a lab that `EnhancePanel` uses."""

    @property
    def state_dir(self) -> Path | None:
        """Folder for the state of panels with a `key`; None to store nothing."""

    @property
    def engine(self) -> object | None:
        """The embedded engine; None where jobs cost money."""

    @property
    def bucket(self) -> str:
        """Bucket name for the curl command; empty to offer no curl command."""

    @property
    def region(self) -> str:
        """Region for the curl command."""

    @property
    def price(self) -> Callable[..., Any] | None:
        """Estimate the cost of settings on clips; None to show no price."""

    @property
    def job_durations(self) -> DurationsPort | None:
        """How long jobs take; None to show no time left before it can be measured."""

    @property
    def templates(self) -> TemplatesPort | None:
        """Templates of the service; None to offer none."""

    @property
    def previews(self) -> PreviewPort | None:
        """Previews; None to show no preview pane."""

    def xml(self, setting: VideoEnhance) -> str:
        """Return the XML of a setting."""

    def request(
        self, clip: Any, setting: VideoEnhance | None, *, watermark: tuple[Watermark, ...] = (),
        digital_watermark: DigitalWatermark | None = None, template_id: str | None = None,
        transcode_template_id: str | None = None,
    ) -> Request:  # fmt: skip
        """Return the complete request that `submit` would send. A template takes the place of the setting."""

    def submit(
        self, clip: Any, setting: VideoEnhance | None, *, watermark: tuple[Watermark, ...] = (),
        digital_watermark: DigitalWatermark | None = None, template_id: str | None = None,
        transcode_template_id: str | None = None,
    ) -> SubmittedJob:  # fmt: skip
        """Send one job."""

    def result_html(self, job: Any) -> str:
        """Return the result of a job as plain HTML."""


# SweepPanel


class SweepSettings(Protocol):
    """Settings of a sweep. They know which parameters vary."""

    @property
    def varies(self) -> tuple[str, ...]:
        """Paths whose values differ."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...

    def _repr_html_(self) -> str: ...


class SweepPort(Protocol):
    """Designs, plans and runs of a sweep. `costs_money` is False for the embedded engine."""

    costs_money: bool

    def design(
        self, kind: str, base: VideoEnhance, values: Mapping[str, Any], *,
        n: int, seed: int, against: VideoEnhance | None,
    ) -> SweepSettings:  # fmt: skip
        """Return the settings of a design."""

    def plan(self, clips: Iterable[Any], settings: Iterable[Any]) -> Any:
        """Return the jobs that `run` would send, with their price."""

    def run(
        self, clips: Iterable[Any], settings: Iterable[Any], *, budget: float | None, cancel: threading.Event,
        on_progress: Callable[[Any], None],
    ) -> Any:  # fmt: skip
        """Run the settings on the clips and return the runs."""

    def results_html(self, runs: Any) -> str:
        """Return the results of runs as plain HTML."""


class SweepLab(ClipFactsLab, Protocol):
    """The parts of a lab that `SweepPanel` uses."""

    @property
    def state_dir(self) -> Path | None:
        """Folder for the state of panels with a `key`; None to store nothing."""

    @property
    def sweep_desk(self) -> SweepPort:
        """Designs, plans and runs."""


# Monitor


class JobsPort(Protocol):
    """Jobs of a bucket. `costs_money` is False for the embedded engine."""

    costs_money: bool

    @property
    def currency(self) -> str:
        """Currency of `cost`."""

    def newest(
        self, known: Collection[str] = (), *, since: dt.datetime | None = None, most: int = 1000
    ) -> Iterator[JobsDetail]:
        """Yield jobs, newest first, until several known jobs in a row were seen."""

    def read(self, ids: Iterable[str]) -> list[JobsDetail]:
        """Return the jobs of these ids."""

    def cancel(self, job_id: str) -> JobsDetail:
        """Cancel a job and return it."""

    def retry(self, job: JobsDetail) -> JobsDetail:
        """Send the request of a job again and return the new job."""

    def cost(self, job: JobsDetail) -> float | None:
        """Return the price of a job; None if it is unknown."""

    def expected_s(self, job: JobsDetail) -> float | None:
        """Return how many seconds such a job takes; None for a job that has ended, and if nothing is known."""

    def hint(self, code: str) -> str:
        """Return what the user can do about an error code; empty if nothing is known."""

    def result_html(self, job: JobsDetail) -> str:
        """Return the result of a job as plain HTML."""

    def handle(self, job: JobsDetail) -> Any:
        """Return a job as an object that `CompareLab.frames` opens."""

    def fetch(self, job: JobsDetail) -> Path:
        """Return a local copy of the output of a job."""


class MonitorLab(CompareLab, Protocol):
    """The parts of a lab that `Monitor` uses."""

    @property
    def job_desk(self) -> JobsPort:
        """Jobs of the bucket."""


# VoteView


class BallotPort(Protocol):
    """Questions and answers of one voter."""

    @property
    def questions(self) -> Sequence[Any]:
        """All questions of the voter, in order."""

    @property
    def voter(self) -> str:
        """Name of the voter; empty if none was given."""

    @property
    def next(self) -> Any:
        """The first question without an answer, or None."""

    @property
    def done(self) -> int:
        """Number of answered questions."""

    def answer(self, number: int, answer: Any, *, took_s: float = 0.0) -> None:
        """Store an answer."""

    def take_back(self) -> bool:
        """Delete the last answer."""


class VotePort(Protocol):
    """Ballots, frames and ranking of a vote."""

    def ballot(self, voter: str) -> BallotPort:
        """Return the ballot of a voter."""

    def pictures(self, question: Any, width: int) -> tuple[bytes, bytes]:
        """Return both frames of a question as JPEG, left and right."""

    def ranking(self, ballot: Any) -> Any:
        """Return the ranking from the votes of all voters."""

    def close(self) -> None:
        """Close the videos."""


class VoteLab(Protocol):
    """The parts of a lab that `VoteView` uses."""

    def vote_desk(self, runs: Any, *, seed: int, repeats: float, moments: int, most: int) -> VotePort:
        """Return ballots, frames and ranking for some runs."""
