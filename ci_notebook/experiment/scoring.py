"""Downloads, scores and prices the output of a successful job.

An output is compared with its true reference if there is one (the clip before it was shrunk or spoiled),
else with its source. The first measures fidelity, the second measures change; the run says which.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent import futures
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self

from ci_notebook.client.file_cache import ContentChanged, FileCache, Storage, holds
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.playlists import PLAYLISTS, joined
from ci_notebook.experiment.pricing.price import PriceList, Shape, price, stages
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.settings import Setting, content
from ci_notebook.model.api.jobs import output_md5
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import CIError, EngineError, ParameterError
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.setting.shape import plan
from ci_notebook.model.vmaf_v1 import choose_model

# Scoring uses all cores; the second thread downloads while the first one scores.
THREADS: Final = 2


class Scored(Protocol):
    """Scores of a clip and of its frames, as `media.scoring` returns them."""

    @property
    def pooled(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def pictures(self) -> Mapping[str, tuple[float, ...]]: ...  # noqa: D102
    @property
    def every(self) -> int: ...  # noqa: D102
    @property
    def precise(self) -> bool: ...  # noqa: D102
    @property
    def alignment(self) -> Alignment | None: ...  # noqa: D102
    @property
    def screen(self) -> str: ...  # noqa: D102
    @property
    def vmaf_v1_model(self) -> str: ...  # noqa: D102
    @property
    def note(self) -> str: ...  # noqa: D102


class Measure(Protocol):
    """Scores an output against its source or reference.

    Keywords: `cancel` is an event that is set when the result is no longer needed. `every` is the distance
    of the scored frames, if chosen; `precise` asks for floating point, `screen` for the model of VMAF v1 for
    that screen. If they are not trivial: `start_s` and `length_s` are the section of the source, `crop` is the
    visible part of its frames (left, top, width and height as shares of 1), and `rotate` is in degrees clockwise.
    """

    def __call__(self, output: Path, source: Path, /, **options: Any) -> Mapping[str, float] | Scored:
        """Return score name → value, or an object that also has the values of single frames."""


class Downloader(Storage, Protocol):
    """The part of a client that scoring needs."""

    def video_info(self, key: str) -> MediaInfo: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The output, scores and price of a run. `error` says what went wrong; `stopped` means interrupted."""

    output: Path | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    every: int = 0
    precise: bool = False
    cost: float | None = None
    error: str = ""
    score_against: Literal["", "source", "reference"] = ""
    reference_md5: str = ""
    alignment: Alignment | None = None
    screen: str = ""
    vmaf_v1_model: str = ""
    score_note: str = ""
    stopped: bool = False

    def applied_to(self, run: Run) -> Run:
        """Return the run with this outcome."""
        return replace(
            run, output=self.output, scores=self.scores, pictures=self.pictures, every=self.every,
            precise=self.precise,
            cost_cny=self.cost, error=self.error, score_against=self.score_against, reference_md5=self.reference_md5,
            alignment=self.alignment, screen=self.screen, vmaf_v1_model=self.vmaf_v1_model, score_note=self.score_note,
        )  # fmt: skip


def is_scored_against(run: Run, reference: Clip | None) -> bool:
    """Return True when a run was scored against `reference`, or against its source if that is None."""
    if reference is None:
        return run.score_against != "reference"
    return run.score_against == "reference" and run.reference_md5 == reference.md5


def refuse_unfit_screen(client: Downloader, clips: Iterable[Clip], settings: Iterable[Setting], screen: str) -> None:
    """Raise `ParameterError` where an output would have no model of VMAF v1 for a screen, because of its size."""
    contents = [content(setting) for setting in settings]
    for clip in clips:
        info = client.video_info(clip.key)
        for setting in contents:
            try:
                size = plan(setting, info).out
            except EngineError:  # the job itself will say why
                continue
            reason = choose_model((size.width, size.height), 25.0, screen).reason
            if reason:
                raise ParameterError.plain(
                    f"An output of {clip.name or clip.key} cannot be scored for this screen. {reason} Leave screen out "
                    "to score such outputs without VMAF v1."
                )


class ScoringPool:
    """Threads that download, score and price outputs. Leaving the `with` block early stops them.

    `references` maps the key of a clip to its reference. `every`, `precise` and `screen` are passed to
    `measure` unless None and False.
    """

    def __init__(
        self,
        client: Downloader,
        cache: Path,
        *,
        measure: Measure | None,
        prices: PriceList,
        references: Mapping[str, Clip] | None = None,
        every: int | None = None,
        precise: bool = False,
        screen: str | None = None,
    ) -> None:
        self._client, self._cache, self._measure, self._prices = client, FileCache(cache), measure, prices
        options = {"every": every, "precise": precise or None, "screen": screen}
        self._measure_options = {name: value for name, value in options.items() if value is not None}
        self._references = references or {}
        self._pool = futures.ThreadPoolExecutor(THREADS, thread_name_prefix="scoring")
        self._infos: dict[str, MediaInfo] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._cache.clear_up()

    def submit(self, run: Run, clip: Clip) -> futures.Future[RunOutcome]:
        """Start to process a run whose job succeeded."""
        return self._pool.submit(self._outcome, run, clip)

    def stop(self) -> None:
        """Stop all scoring at once."""
        self._stop.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.stop()
        # Running downloads are not awaited; they start again when they are needed.
        self._pool.shutdown(wait=not self._stop.is_set(), cancel_futures=self._stop.is_set())

    def _outcome(self, run: Run, clip: Clip) -> RunOutcome:
        outcome = RunOutcome()
        try:
            outcome = replace(outcome, cost=self._cost(run))
            if self._measure is not None:
                outcome = replace(outcome, output=self._output(run))
                outcome = self._scored(outcome, run, clip)
        except Exception as broken:  # noqa: BLE001 - the top of a thread: the error is recorded on the run
            outcome = replace(outcome, error=f"{type(broken).__name__}: {broken}", stopped=self._stop.is_set())
        return outcome

    def _scored(self, outcome: RunOutcome, run: Run, clip: Clip) -> RunOutcome:
        if self._measure is None or outcome.output is None:
            return outcome
        reference = self._references.get(run.clip_key)
        other = self._source(reference or clip)
        scores = self._measure(
            outcome.output, other, cancel=self._stop, **self._measure_options, **self._alignment(run)
        )
        against: Literal["source", "reference"] = "reference" if reference else "source"
        outcome = replace(outcome, score_against=against, reference_md5=reference.md5 if reference else "")
        if isinstance(scores, Mapping):
            return replace(outcome, scores=dict(scores))
        outcome = replace(
            outcome, every=scores.every, precise=scores.precise, alignment=scores.alignment, screen=scores.screen,
            vmaf_v1_model=scores.vmaf_v1_model, score_note=scores.note,
        )  # fmt: skip
        return replace(outcome, scores=dict(scores.pooled), pictures=dict(scores.pictures))

    def _alignment(self, run: Run) -> dict[str, Any]:
        """Return which section and part of the source the output shows, as far as that is not trivial."""
        transcode = run.setting.transcode
        interval, video = (transcode.time_interval, transcode.video) if transcode else (None, None)
        alignment: dict[str, Any] = {"start_s": interval.start} if interval and interval.start else {}
        if interval and interval.duration:
            alignment["length_s"] = interval.duration
        if video and video.crop:
            sizes = plan(run.setting, self._info(run))
            if sizes.crop:
                width, height, left, top = sizes.crop
                across, down = sizes.shown.width, sizes.shown.height
                alignment["crop"] = (left / across, top / down, width / across, height / down)
        if video and video.rotate:
            alignment["rotate"] = video.rotate
        return alignment

    def _info(self, run: Run) -> MediaInfo:
        with self._lock:
            if run.clip_key not in self._infos:
                self._infos[run.clip_key] = self._client.video_info(run.clip_key)
            return self._infos[run.clip_key]

    def _cost(self, run: Run) -> float | None:
        """Return the price in CNY; None when a property that it depends on is unknown."""
        if self._prices.currency != "CNY":
            return None
        if not any(stages(run.setting)):
            return 0.0
        info = run.job.operation.media_info if run.job and run.job.operation else None
        source, output = Shape.of(self._info(run)), Shape.of(info) if info else None
        return price(run.setting, source, output, prices=self._prices).total if source and output else None

    def _output(self, run: Run) -> Path:
        """Return the local copy of the job's output, named by its MD5."""
        job = run.job
        if job is None or not job.output_keys:
            raise CIError("The job succeeded, but its reply names no output.")
        key = job.output_keys[0]
        try:
            path = self._cache.fetch(self._client, key, md5=output_md5(job, key))
            return joined(self._cache, self._client, path, job) if path.suffix in PLAYLISTS else path
        except ContentChanged as error:
            raise CIError(f"{error} force=True makes it again.") from error

    def _source(self, clip: Clip) -> Path:
        if clip.path is not None and holds(clip.path, clip.md5):
            return clip.path
        try:
            return self._cache.fetch(self._client, clip.key, md5=clip.md5)
        except ContentChanged as error:
            raise CIError(f"{error} Upload {clip.name or clip.key} again to score its runs.") from error
