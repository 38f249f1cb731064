"""`Lab`: the one place where client, engine, experiment, results and widgets meet."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ci_notebook.client.client import Client
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.client.queues import Queues
from ci_notebook.client.receiver import Receiver
from ci_notebook.client.templates import Templates
from ci_notebook.client.watch import Watch
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.pricing.price import MAINLAND
from ci_notebook.experiment.pricing.quote import Estimate, estimate
from ci_notebook.experiment.progress import Event
from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.search import Direction, Span
from ci_notebook.experiment.settings import Setting
from ci_notebook.experiment.voting.vote import Vote
from ci_notebook.lab.clip_facts import Facts
from ci_notebook.lab.files import Video, frames_of, key_of
from ci_notebook.lab.jobs import JobDesk
from ci_notebook.lab.pictures import bar, job_html, jpeg_of, look, spoilt
from ci_notebook.lab.previews import Previews
from ci_notebook.lab.sweep_panel import SweepDesk
from ci_notebook.lab.sweeps import plan_sweep, run_search, run_sweep, service_of, terms
from ci_notebook.lab.votes import VoteDesk
from ci_notebook.model.api.jobs import JobsDetail, Request
from ci_notebook.model.api.requests import enhance_request, extract_request
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.watermark import Watermark
from ci_notebook.results.inline_pictures import Pictures
from ci_notebook.results.plan import Plan
from ci_notebook.results.progress_bar import Progress
from ci_notebook.results.runs import Runs
from ci_notebook.results.search_result import Found
from ci_notebook.wire.notifications import read_notification
from ci_notebook.wire.xml import dumps

if TYPE_CHECKING:
    from ci_notebook.engine.engine import Engine
    from ci_notebook.media.frames import Frames


class Lab:
    """A bucket to work in, wherever it is. Close it, or use it as a context manager, to stop the engine's workers.

    What it keeps stands below `home`: `journal.sqlite`, `cache/` (downloaded results), `panels/`
    (the state of panels with a key) and, for the embedded engine, `engine/`. `prices` is the list that
    all is priced by, the published one; `lab.prices = ci.read_prices("contract.toml")` puts yours in its place.
    """

    def __init__(self, client: Client, *, home: Path, engine: Engine | None = None) -> None:
        self.client, self.engine, self.home = client, engine, home
        self.prices = MAINLAND
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.state_dir = home / "panels"
        self.cache_dir = home / "cache"
        self._journal: Journal | None = None
        self._facts = Facts(client)
        self.previews = Previews(client, cache=self.cache_dir, is_local=engine is not None)
        self._close_engine = weakref.finalize(self, engine.close) if engine else None

    @property
    def journal(self) -> Journal:
        """The record of every run, opened when it is first used."""
        if self._journal is None:
            self._journal = Journal(self.home / "journal.sqlite")
        return self._journal

    @property
    def templates(self) -> Templates:
        """The bucket's templates: `create`, `get`, `list`, `update`, `delete`."""
        return self.client.templates

    @property
    def queues(self) -> Queues:
        """The bucket's queues: `list`, `get`, `pause`, `resume`, `update`."""
        return self.client.queues

    @property
    def job_desk(self) -> JobDesk:
        """The bucket's jobs for a `Monitor`."""
        return JobDesk(self.client, cache=self.cache_dir, costs_money=self.engine is None,
                       result_html=self.result_html, prices=self.prices)  # fmt: skip

    @property
    def sweep_desk(self) -> SweepDesk:
        """Designs, plans and runs for a `SweepPanel`."""
        return SweepDesk(plan=self.plan, run=self.run, costs_money=self.engine is None)

    @property
    def bucket(self) -> str:
        """The bucket's name with its APPID."""
        return self.client.bucket

    @property
    def region(self) -> str:
        """The bucket's region."""
        return self.client.region

    def upload(self, source: Path | str, key: str = "") -> Clip:
        """Store a video under `key` (default `input/<name>`) and return it. The same content is not sent again.

        Raises `FileNotFoundError`, and `ServiceError` when the service refuses it.
        """
        path = Path(source)
        with Progress(f"Uploading {path.name}", total=path.stat().st_size) as progress:
            return self.client.upload_clip(
                path, key or f"input/{path.name}", on_progress=lambda done, total: progress.update(done)
            )

    def spoil(self, clip: Clip, **how: Any) -> Clip:
        """Store a worse version of a clip and return it: the clip itself is then the true `reference` for `run`.

        `how` is that of `media.spoil.spoil`: `shrink`, `crf`, `fps`, `cast`, `dim`, `noise`.
        """
        return self.upload(spoilt(self.client, clip, self.cache_dir / "spoilt", how))

    def request(self, clip: Clip | Job | str, setting: VideoEnhance | None = None, **more: Any) -> Request:
        """Return the request that `submit` would send, without sending it. Takes what `submit` takes."""
        return enhance_request(key_of(clip), setting, bucket=self.bucket, region=self.region, **more)

    def xml(self, setting: VideoEnhance) -> str:
        """Return the XML of a setting, as it stands in a request."""
        return dumps(setting, pretty=True).decode().partition("\n")[2]

    def submit(self, clip: Clip | Job | str, setting: VideoEnhance | None = None, **more: Any) -> Job:
        """Send one job and return it. On the cloud it costs money.

        `more` are the other parts of a request by name: `output_key`, `template_id`, `watermark`,
        `watermark_template_id`, `digital_watermark`, `user_data`, `job_level`, `queue_id`, `call_back`.

        Raises `ParameterError` before anything is sent, and `ServiceError`.
        """
        return self._job(self.client.submit(self.request(clip, setting, **more)))

    def extract_digital_watermark(self, video: Clip | Job | str) -> Job:
        """Send the job that reads a hidden text back; when it is done, `job.hidden_text` says what was found."""
        return self._job(self.client.submit(extract_request(key_of(video))))

    def job(self, job_id: str) -> Job:
        """Return a job by its id. Raises `NotFound`."""
        return self._job(self.client.job(job_id)[0])

    def jobs(self, **filters: Any) -> Iterator[Job]:
        """Yield the bucket's jobs, newest first, page by page (see `Client.jobs` for the filters)."""
        return map(self._job, self.client.jobs(**filters))

    def watch(self, jobs: Iterable[Job | str], *, timeout_s: float | None = None) -> Watch:
        """Return the jobs as they change: `for job in lab.watch(jobs)`, or `async for` beside a running loop."""
        return Watch(self.client, jobs, timeout_s=timeout_s, bar=bar)

    def callbacks(self, *, port: int = 0) -> Receiver:
        """Return a receiver on loopback: give its `url` as `call_back`, and wait by push instead of by asking.

        The embedded engine reaches it; the cloud does not reach your machine. Close it after use, or
        use it as a context manager.
        """
        return Receiver(self.client, port=port, bar=bar)

    def messages(self, name: str, *, region: str = "", reader: str = "notebook") -> list[JobsDetail]:
        """Return the jobs told to the message queue `name` that `reader` has not had (CallBackType TDMQ).

        Raises `ParameterError` on the cloud, whose queues are read with TDMQ's own tools.
        """
        if self.engine is None:
            raise ParameterError("messages", name, "a queue of the embedded engine", "TDMQ's tools read the cloud's.")
        found = self.engine.messages(name, region=region, reader=reader)
        return [job for message in found for job in read_notification(message.body)]

    def price(self, clips: Video | Iterable[Video], settings: Iterable[Setting]) -> Estimate:
        """Return what running the settings on the clips would cost on the cloud, by `lab.prices`, job by job."""
        return estimate(self._facts.each(clips, settings), prices=self.prices)

    def plan(self, clips: Clip | Iterable[Clip], settings: Iterable[Setting]) -> Plan:
        """Return what `run` would send, before anything is sent: what differs, its price, and what is held already."""
        service = service_of(self.client, is_local=self.engine is not None)
        return plan_sweep(self.client, clips, settings, journal=self.journal, service=service, prices=self.prices)

    def run(
        self, clips: Clip | Iterable[Clip], settings: Iterable[Setting], *, budget: float | None = None,
        workers: int = 4, scores: bool = True, reference: Clip | Sequence[Clip] | None = None,
        every: int | None = None, precise: bool = False, force: bool = False, retry_failed: bool = False,
        on_progress: Callable[[Event], None] | None = None, cancel: threading.Event | None = None,
    ) -> Runs:  # fmt: skip
        """Run every setting on every clip and return what came of each, failed ones included.

        Up to `workers` jobs are under way at once. A run that was already paid for is not sent again unless
        `force`, or `retry_failed` if its job failed. `budget`, in the list's currency, is checked before
        anything is sent: raises `BudgetExceeded`. Results are scored against their clip, or against `reference`,
        the true picture that the clip was spoilt from (of several clips: theirs, in the same order); `every` 1
        scores all pictures, not every fifth; `precise` takes VMAF in floating point, which agrees with others'
        to 0.001 where the usual lies up to 0.2 beside. Ctrl-C keeps what is done; the same call goes on from
        there. `on_progress` is told how far it is, in place of a bar; `cancel` stops it as Ctrl-C does, and returns.
        """
        listed = [clips] if isinstance(clips, Clip) else list(clips)
        done = run_sweep(
            self.client, listed, list(settings), workers=workers, force=force, retry_failed=retry_failed, every=every,
            precise=precise, budget=budget, scores=scores, on_progress=on_progress, cancel=cancel,
            **self._terms(listed, reference),
        )  # fmt: skip
        return self._shown(done, listed)

    def optimize(
        self, clips: Clip | Iterable[Clip], base: VideoEnhance | None = None, *,
        space: Mapping[str, Sequence[Any] | Span], on: str | Mapping[str, Direction], trials: int = 20,
        batch: int = 4, seed: int = 0, budget: float | None = None, reference: Clip | Sequence[Clip] | None = None,
    ) -> Found:  # fmt: skip
        """Look for the settings in `space` that make `on` best, learning on the way (Optuna), and return all tried.

        `space` maps leaves, named as in `grid`, to a list of values or to `(low, high)`; the rest is `base`.
        `on` names a score to be made large, or maps several to "max" or "min" (`cost_cny`, `size_bytes` too):
        then the best are a Pareto front. A trial is one setting on all clips, `batch` of them at once. What the
        journal holds counts as tried and is not paid again, so the same call goes on after Ctrl-C. `budget`
        (CNY) is for the whole search. Raises `CIError` without Optuna (`pip install 'ci-notebook[optuna]'`).
        """
        listed = [clips] if isinstance(clips, Clip) else list(clips)
        return run_search(
            self.client, listed, base, space=space, on=on, trials=trials, batch=batch, seed=seed, budget=budget,
            shown=lambda runs: self._shown(runs, listed), **self._terms(listed, reference),
        )  # fmt: skip

    def vote_desk(self, runs: Iterable[Run], **how: Any) -> VoteDesk:
        """Ballots on runs, for a `VoteView`; `how` is that of `experiment.ballot.Ballot`."""
        return VoteDesk(runs, self.journal, self.frames, **how)

    def votes(self) -> list[Vote]:
        """Return every blind vote of this lab's journal, for `ranking`."""
        return self.journal.votes()

    def runs(self) -> Runs:
        """Return every run of this lab's journal, from earlier sessions and other kernels too."""
        return self._shown(self.journal.runs())

    def look(
        self, *videos: Video | Iterable[Run], at_s: float | Iterable[float] = 0.0, width_px: int = 320
    ) -> Pictures:
        """Return pictures of clips and of what jobs and runs made, at one or several times, side by side."""
        return look(self.client, videos, [at_s] if isinstance(at_s, (int, float)) else list(at_s), width_px)

    def frames(self, video: Video | Path) -> Frames:
        """Return the pictures of a clip, a job, a run, a key or a local path, by their numbers (see `media.frames`).

        What is in the bucket is fetched into the cache once, by its content.
        """
        return frames_of(self.client, self.cache_dir, video)

    def preview(self, clip: Clip | Job | str, setting: VideoEnhance, *, at_s: float = 0.0, width_px: int = 640,
                watermark: Iterable[Watermark] = ()) -> bytes:  # fmt: skip
        """Return one picture of a clip as a job with this setting would make it, as the bytes of a JPEG.

        Nothing is sent. It is the embedded engine's picture, on the cloud too: `previews.note` says so there.
        Work is done at the output's size, then scaled to `width_px` (0: not at all). 6 to 20 ms at 640x360 once
        a picture was decoded. Raises `EngineError` where the job would fail, or the extra `local` is missing.
        """
        return self.previews.see(clip, setting, at_s=at_s, width_px=width_px, watermark=tuple(watermark)).jpeg

    def result_html(self, job: Job) -> str:
        """Return what was asked and what came of it, with a picture before and after, as plain HTML."""
        return job_html(self.client, job)

    def close(self) -> None:
        """Stop the engine's workers and close the connections. A job that runs is taken up again next time."""
        self.previews.close()
        if self._close_engine:
            self._close_engine()
        if self._journal is not None:
            self._journal.close()
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *broken: object) -> None:
        self.close()

    def __repr__(self) -> str:
        engine = "embedded" if self.engine else "cloud"
        return f"Lab({self.bucket!r}, region={self.region!r}, engine={engine!r})"

    def _job(self, detail: JobsDetail) -> Job:
        return Job(self.client, detail, bar=bar)

    def _shown(self, runs: Iterable[Run], clips: Iterable[Clip] = ()) -> Runs:
        sources = {clip.name: clip.path for clip in clips if clip.path}
        return Runs(runs, snapshot=jpeg_of, sources=sources, frames=self.frames)

    def _terms(self, clips: Sequence[Clip], reference: Clip | Sequence[Clip] | None) -> dict[str, Any]:
        kept = {"journal": self.journal, "cache": self.cache_dir, "prices": self.prices}
        return {**kept, **terms(self.client, clips, reference, is_local=self.engine is not None)}
