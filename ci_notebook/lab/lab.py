"""`Lab`: the one place where client, engine, experiment, results and widgets meet.

Invariant: the caller's mistakes raise `ParameterError` before anything is sent.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from ci_notebook._folders import absolute, private_home, readable_file
from ci_notebook._machine_errors import translates_errors
from ci_notebook.client.client import Client
from ci_notebook.client.file_cache import FileCache
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.client.outputs.download import Downloads
from ci_notebook.experiment.adoption.given_jobs import JobsLike
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.pricing.price import MAINLAND
from ci_notebook.experiment.pricing.quote import Estimate, estimate
from ci_notebook.experiment.progress import Event
from ci_notebook.experiment.run_record import Run, each_once
from ci_notebook.experiment.search import Direction, Span
from ci_notebook.experiment.sweep import steps_of
from ci_notebook.experiment.voting.vote import Vote
from ci_notebook.lab.arguments import (
    Clips,
    SettingsLike,
    budget_argument,
    clip_from,
    clips_from,
    local_path_or_video,
    originals_from,
    references_from,
    refuse_after_end,
    setting_argument,
    settings_argument,
    time_argument,
    video_from,
    videos_from,
    whole_number,
)
from ci_notebook.lab.clips.clip_facts import ClipFacts, name_of
from ci_notebook.lab.clips.clip_uploads import check_stored, upload_clip
from ci_notebook.lab.clips.job_changes import JobChanges
from ci_notebook.lab.files import Video, cached_sources, frames_of, sources_of
from ci_notebook.lab.job_calls import JobCalls
from ci_notebook.lab.monitor_jobs import LabJobs
from ci_notebook.lab.panel_sweeps import LabSweeps
from ci_notebook.lab.pictures import job_html, jpeg_of, lab_html, look, spoiled
from ci_notebook.lab.playing.video_files import LabVideoFiles
from ci_notebook.lab.previews import LabPreviews
from ci_notebook.lab.progress_bars import byte_bar
from ci_notebook.lab.sweeps import plan_sweep, run_adoption, run_search, run_sweep, service_of, service_terms
from ci_notebook.lab.vote_ballots import LabVotes
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.setting.shorthand import SettingLike
from ci_notebook.model.setting.watermark import Watermark
from ci_notebook.model.vmaf_v1 import Screen
from ci_notebook.results.inline_pictures import Pictures
from ci_notebook.results.plan import Plan
from ci_notebook.results.runs import Runs
from ci_notebook.results.search_result import Found

if TYPE_CHECKING:
    from ci_notebook.engine.engine import Engine
    from ci_notebook.media.frames import Frames


@translates_errors
class Lab(JobCalls):
    """A bucket to work in, on the embedded engine or on the cloud. Close it, or use it as a context manager.

    A clip is what `upload` returns, or the key of an object. A setting is a `VideoEnhance`, the name of a
    preset, or a dict such as `{"SharpenLevel": 5}`. The folder `home` holds `journal.sqlite`, `cache/`
    (downloaded results), `panels/` (the state of panels with a key) and, for the embedded engine, `engine/`.
    `prices` is the published price list; assign `ci.read_prices("contract.toml")` to use your own.
    """

    def __init__(self, client: Client, *, home: Path, engine: Engine | None = None) -> None:
        super().__init__(client, engine)
        self.home = home = private_home(absolute(home))
        self.prices = MAINLAND
        self.state_dir = home / "panels"
        self.cache_dir = home / "cache"
        client.downloads = Downloads(cache=FileCache(self.cache_dir), bar=byte_bar)
        self._journal: Journal | None = None
        self._facts = ClipFacts(client)
        self.job_changes = JobChanges(client, self._facts, cache=self.cache_dir, is_local=engine is not None)
        self.previews = LabPreviews(client, cache=self.cache_dir, is_local=engine is not None)
        self._close_engine = weakref.finalize(self, engine.close) if engine else None

    @property
    def journal(self) -> Journal:
        """The record of every run, opened when it is first used."""
        self._check_open()
        if self._journal is None:
            self._journal = Journal(self.home / "journal.sqlite")
        return self._journal

    @property
    def job_desk(self) -> LabJobs:
        """The bucket's jobs for a `Monitor`."""
        return LabJobs(self.client, cache=self.cache_dir, costs_money=self.engine is None,
                       result_html=self.result_html, durations=self.job_durations, prices=self.prices)  # fmt: skip

    @property
    def sweep_desk(self) -> LabSweeps:
        """Designs, plans and runs for a `SweepPanel`."""
        self._check_open()
        return LabSweeps(plan=self.plan, run=self.run, costs_money=self.engine is None)

    @property
    def clip_facts(self) -> ClipFacts:
        """Properties of clips, for the panels."""
        return self._facts

    @property
    def video_files(self) -> LabVideoFiles:
        """Local files of clips and results, for the views that play and save them."""
        return LabVideoFiles(self.client, self.cache_dir)

    def upload(self, source: Path | str, key: str = "") -> Clip:
        """Store a video under `key` (default `input/<name>`) and return it. The same content is not sent again.

        If the default key has other content, the video gets another key with the beginning of its MD5, such as
        `input/0001-1a2b3c4d.mp4`, and a warning says so. A `key` that ends in "/" is a folder for such a key. Any
        other `key` is used as it is: other content under it is replaced, with a warning.

        Raises `MissingFile`, `ParameterError` for a folder, and `ServiceError` when the service refuses it.
        """
        if isinstance(source, Clip):
            raise ParameterError.plain(f"{source.name or source.key} is uploaded already: use the clip as it is.")
        path = Path(source)
        if path.is_dir():
            raise ParameterError.plain(f"{str(path)!r} is a folder. Upload its videos one by one.")
        return upload_clip(self.client, readable_file(path), key)

    @checks_keywords
    def spoil(
        self, clip: Clip | str, *, shrink: int = 1, crf: int | None = None, fps: float | None = None,
        cast: Literal["warm", "cool"] | None = None, dim: float = 0.0, noise: int = 0,
    ) -> Clip:  # fmt: skip
        """Store a worse version of a clip and return it. The clip itself is then the true `reference` for `run`.

        `shrink` divides both sides (1 to 8), `crf` is the strength of the compression (0 to 51), `fps` drops
        frames, `cast` tints, `dim` darkens (0 to 0.6), and `noise` adds grain (0 to 40); see `media.spoil.spoil`.
        """
        changes = {"shrink": shrink, "crf": crf, "fps": fps, "cast": cast, "dim": dim, "noise": noise}
        source = clip_from(self.client, clip, "spoil")
        path, name = spoiled(self.client, source, self.cache_dir, changes)
        return upload_clip(self.client, path, name=name)

    def price(self, clips: Video | Iterable[Video], settings: SettingsLike) -> Estimate:
        """Return the price of running the settings on the clips on the cloud, by `lab.prices`, job by job."""
        listed = settings_argument(settings, "price")
        videos = videos_from(self.client, clips, "price")
        return estimate(self._facts.each(videos, listed), prices=self.prices)

    def plan(self, clips: Clips, settings: SettingsLike) -> Plan:
        """Return what `run` would send, without sending it: each job, its price, and what the journal holds already.

        The plan also says what a job changes or leaves out that its setting does not say (see `changes`).
        """
        listed = settings_argument(settings, "plan")
        service = service_of(self.client, is_local=self.engine is not None)
        return plan_sweep(
            self.client, clips_from(self.client, clips, "plan"), listed,
            journal=self.journal, service=service, prices=self.prices, job_changes=self.job_changes,
        )  # fmt: skip

    def changes(self, clip: Video, setting: SettingLike) -> tuple[str, ...]:
        """Return what a job would change or leave out that its setting does not say, one sentence each.

        For example that interlaced frames are deinterlaced, or that subtitles are left out. Nothing is sent. The job's
        message has the same sentences. On the cloud they follow from the service's media info, say what the embedded
        engine does, and end with a note about that. Reading a clip for the first time takes 0.2 s for 250 MB.
        Raises `EngineError` if the job would fail.
        """
        given = setting_argument(setting, "changes")
        return self.job_changes.of(video_from(self.client, clip, "changes"), given)

    @checks_keywords
    def run(
        self, clips: Clips, settings: SettingsLike, *, budget: float | None = None, workers: int = 4,
        scores: bool = True, reference: Clip | str | Sequence[Clip | str] | None = None, every: int | None = None,
        precise: bool = False, screen: Screen | None = None, force: bool = False, retry_failed: bool = False,
        on_progress: Callable[[Event], None] | None = None, cancel: threading.Event | None = None,
    ) -> Runs:  # fmt: skip
        """Run every setting on every clip and return all runs, failed ones included.

        Up to `workers` jobs run at once. A run that was paid for is not sent again unless `force`, or
        `retry_failed` if its job failed. `budget`, in the currency of the price list, is checked before anything
        is sent: raises `BudgetExceeded`. Results are scored against their clip, or against `reference`, the
        original that the clip was spoiled from (one for all clips, or one per clip). All frames are scored, or at
        most 350 of a longer clip; `every` 5 scores every fifth. `precise` computes VMAF in floating point, within
        0.001 of other tools instead of 0.2. `screen` ("tv", "tv_3h" or "phone") demands VMAF v1 for that screen, and
        refuses outputs that have none. Ctrl-C keeps finished runs, and the same call resumes. `on_progress` is called
        with the progress, in place of a bar; setting `cancel` stops as Ctrl-C does, and returns.
        """
        listed, chosen = settings_argument(settings, "run"), clips_from(self.client, clips, "run")
        if on_progress is not None and not callable(on_progress):
            raise ParameterError("on_progress", on_progress, "a function of one argument")
        runs = run_sweep(
            self.client, chosen, listed, workers=whole_number("workers", workers), force=force,
            retry_failed=retry_failed, every=None if every is None else whole_number("every", every),
            precise=precise, budget=budget_argument(budget), scores=scores, on_progress=on_progress, cancel=cancel,
            screen=screen, **self._terms(chosen, reference),
        )  # fmt: skip
        return self._runs(runs, chosen)

    @checks_keywords
    def adopt(
        self, jobs: JobsLike, *, reference: Clip | str | Mapping[str, Clip | str] | None = None,
        every: int | None = None, precise: bool = False, screen: Screen | None = None, scores: bool = True,
        wait: bool = False, on_progress: Callable[[Event], None] | None = None, cancel: threading.Event | None = None,
    ) -> Runs:  # fmt: skip
        """Turn jobs that exist already into runs: downloaded, scored, priced, and in the journal.

        `jobs` are `Job`s, `JobsDetail`s, ids, replies or callbacks as XML or JSON, or files, folders and patterns of
        them. Returns one run per job, in the same order; `runs.skipped` maps the ids of the other jobs to the reason.
        The keywords mean the same as in `run`, and so do the scores; `reference` may map the key of a source to its
        original. `wait` waits for jobs that still run.

        No job is sent or paid. It takes one download and one scoring per output (see `ci.score`). After Ctrl-C the
        same call resumes. Raises `ParameterError` for a wrong argument and for a file that cannot be read.

        >>> import ci_notebook as ci
        >>> lab = ci.connect()
        >>> job = lab.submit(lab.upload(ci.sample()), "Crisp detail").wait()
        >>> lab.adopt([job.id], every=25)
        <Runs: 1 of 1 succeeded>
        """
        terms = self._terms((), None) | {"reference": originals_from(self.client, reference)}
        adopted = run_adoption(
            self.client, jobs, scores=scores, wait=wait, precise=precise, screen=screen, on_progress=on_progress,
            cancel=cancel, every=None if every is None else whole_number("every", every), **terms,
        )  # fmt: skip
        sources = cached_sources(self.client, self.cache_dir, adopted.runs)
        return self._runs(adopted.runs, sources, skipped=adopted.skipped, notes=adopted.notes)

    @checks_keywords
    def optimize(
        self, clips: Clips, base: SettingLike | None = None, *, space: Mapping[str, Sequence[Any] | Span],
        on: str | Mapping[str, Direction], trials: int = 20, batch: int = 4, seed: int = 0,
        budget: float | None = None, reference: Clip | str | Sequence[Clip | str] | None = None,
    ) -> Found:  # fmt: skip
        """Search for the settings in `space` that make `on` best (with Optuna), and return all that were tried.

        `space` maps parameters, named as in `grid`, to a list of values or to `(low, high)`; all others are those
        of `base`. `on` names a score to maximize, or maps several to "max" or "min" (`cost_cny` and `size_bytes`
        too); the best are then a Pareto front. A trial is one setting on all clips; `batch` trials run at once.
        Runs in the journal count as trials and are not paid again, so the same call resumes after Ctrl-C.
        `budget` (CNY) is for the whole search. Raises `CIError` without Optuna (`pip install 'ci-notebook[optuna]'`).
        """
        for name in space:
            steps_of(name)  # refuses an unknown parameter before anything is sent
        start = None if base is None else setting_argument(base, "optimize")
        chosen = clips_from(self.client, clips, "optimize")
        return run_search(
            self.client, chosen, start, space=space, on=on, trials=whole_number("trials", trials),
            batch=whole_number("batch", batch), seed=seed, budget=budget_argument(budget),
            runs_from=lambda runs: self._runs(runs, chosen), **self._terms(chosen, reference),
        )  # fmt: skip

    @checks_keywords
    def vote_desk(
        self, runs: Iterable[Run], *, seed: int = 0, repeats: float = 0.15, moments: int = 1, most: int = 60
    ) -> LabVotes:
        """Return the ballots on runs, for a `VoteView`; the keywords are those of `experiment.voting.ballot.Ballot`."""
        return LabVotes(runs, self.journal, self.frames, seed=seed, repeats=repeats, moments=moments, most=most)

    def votes(self) -> list[Vote]:
        """Return every blind vote of this lab's journal, for `ranking`."""
        return self.journal.votes()

    def runs(self) -> Runs:
        """Return every run of this lab's journal, from earlier sessions and other kernels too."""
        return self._runs(each_once(self.journal.runs()))

    @checks_keywords
    def look(
        self, *videos: Video | Iterable[Video], at_s: float | Iterable[float] = 0.0, width_px: int = 320
    ) -> Pictures:
        """Return frames of clips and of the outputs of jobs and runs, at one or several times, side by side.

        Raises `ParameterError` for a time after the end of a clip.
        """
        client = self.client
        listed = [one for given in videos for one in videos_from(client, given, "look")]
        for video in listed:
            check_stored(client, video)
        return look(client, listed, self._facts.times_in(listed, at_s), whole_number("width_px", width_px, least=0))

    def describe(self, video: Video) -> str:
        """Return size, frame rate, length, codec, bit depth, dynamic range and sound of a video as one line.

        The size is in px, as displayed. An uploaded clip knows its properties. For a key, a job or a run the service
        is asked, which costs one call; unknown facts are left out, for example whether the frame rate varies.
        Raises `NotFound` for a key without an object, and for a job or run without an output.

        >>> import ci_notebook as ci
        >>> lab = ci.connect()
        >>> lab.describe(lab.upload(ci.sample("city")))
        '640×360 · 25 fps · 3.0 s · H.264 8 bit · SDR · progressive · no sound'
        """
        return self._facts.line(video_from(self.client, video, "describe"))

    def frames(self, video: Video | Path) -> Frames:
        """Return the frames of a clip, a job, a run, a key or a local path, by their numbers (see `media.frames`).

        An object in the bucket is downloaded once into the cache, by its content.
        """
        return frames_of(self.client, self.cache_dir, local_path_or_video(self.client, video, "frames"))

    @checks_keywords
    def preview(
        self, clip: Video | Path, setting: SettingLike, *, at_s: float = 0.0, width_px: int = 640,
        watermark: Watermark | Iterable[Watermark] = (),
    ) -> bytes:  # fmt: skip
        """Return one frame of a clip as a job with this setting would render it, as the bytes of a JPEG.

        Nothing is sent. The embedded engine renders it, on the cloud too: `previews.note` says so there. It is
        rendered at the size of the output, then scaled to `width_px` (0: not scaled). It takes 6 to 20 ms at
        640x360 once the frame is decoded. Raises `ParameterError` for a time after the end of the clip, and
        `EngineError` if the job would fail or the extra `local` is missing.
        """
        given = setting_argument(setting, "preview")
        video = local_path_or_video(self.client, clip, "preview")
        time_s = time_argument(at_s)
        if time_s:
            name = video.name if isinstance(video, Path) else name_of(video)
            refuse_after_end(time_s, name, self.previews.length(video).seconds)
        marks = (watermark,) if isinstance(watermark, Watermark) else tuple(watermark)
        width_px = whole_number("width_px", width_px, least=0)
        return self.previews.see(video, given, at_s=time_s, width_px=width_px, watermark=marks).jpeg

    def result_html(self, job: Job) -> str:
        """Return the request and the result of a job, with a frame before and after, as plain HTML."""
        return job_html(self.client, job)

    def close(self) -> None:
        """Stop the engine's workers and close the connections. A job that runs is resumed next time."""
        self._is_closed = True
        self.previews.close()
        if self._close_engine:
            self._close_engine()
        if self._journal is not None:
            self._journal.close()
        self._client.close()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        engine = "embedded" if self.engine else "cloud"
        return f"Lab({self.bucket!r}, region={self.region!r}, engine={engine!r})"

    def _repr_html_(self) -> str:
        engine = "embedded: no network, no cost" if self.engine else "Tencent Cloud: jobs cost money"
        title = "Lab (closed)" if self._is_closed else "Lab"
        return lab_html(title, bucket=self.bucket, region=self.region, engine=engine, prices=self.prices)

    def _runs(self, runs: Iterable[Run], clips: Iterable[Clip] = (), **more: Any) -> Runs:
        edges: dict[str, Any] = {"snapshot": jpeg_of, "open_video": self.frames, "video_files": self.video_files}
        return Runs(runs, **sources_of(self.client, self.cache_dir, clips), **edges, **more)

    def _terms(self, clips: Sequence[Clip], reference: object) -> dict[str, Any]:
        """Return the keywords of `run_all` that belong to the lab, not to one call."""
        return {
            "journal": self.journal, "cache": self.cache_dir, "prices": self.prices,
            "reference": references_from(self.client, reference, clips), "durations": self.job_durations,
            **service_terms(self.client, is_local=self.engine is not None),
        }  # fmt: skip
