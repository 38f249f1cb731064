"""What follows a job that succeeded: its result is fetched once, scored against the clip, and priced."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from ci_notebook.client.objects import Clip
from ci_notebook.experiment.price import PriceList, Shape, price, stages
from ci_notebook.experiment.record import Run
from ci_notebook.model.errors import CIError
from ci_notebook.model.media_info import MediaInfo

# Scoring keeps all cores busy by itself; the second thread fetches while the first one scores.
THREADS: Final = 2


class Scored(Protocol):
    """Scores of a clip, and of its pictures: what `media.score.scores` returns."""

    @property
    def pooled(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def pictures(self) -> Mapping[str, tuple[float, ...]]: ...  # noqa: D102
    @property
    def every(self) -> int: ...  # noqa: D102


class Measure(Protocol):
    """Scores an output against its source; `start_s` is where in the source the output begins, given if not 0."""

    def __call__(self, output: Path, source: Path, /, **more: Any) -> Mapping[str, float] | Scored:
        """Return score name → value; or that, and the values of single pictures."""


class Fetches(Protocol):
    """What is needed of a client."""

    def download(self, key: str, path: str | Path) -> Path: ...  # noqa: D102
    def video_info(self, key: str) -> MediaInfo: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came after the job. `error` says what went wrong on the way."""

    output: Path | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    every: int = 0
    cost: float | None = None
    error: str = ""


class Outcomes:
    """A pool of helpers. As a context manager it lets go of what has not begun."""

    def __init__(self, client: Fetches, cache: Path, *, measure: Measure | None, prices: PriceList) -> None:
        self._client, self._cache, self._measure, self._prices = client, cache, measure, prices
        self._pool = futures.ThreadPoolExecutor(THREADS, thread_name_prefix="outcome")
        self._infos: dict[str, MediaInfo] = {}
        self._fetching: dict[Path, threading.Lock] = {}
        self._lock = threading.Lock()

    def submit(self, run: Run, clip: Clip) -> futures.Future[Outcome]:
        """Begin to see to a run whose job succeeded."""
        return self._pool.submit(self._outcome, run, clip)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def _outcome(self, run: Run, clip: Clip) -> Outcome:
        output, scores, pictures, every, cost, error = None, dict[str, float](), {}, 0, None, ""
        try:
            cost = self._cost(run)
            if self._measure is not None:
                output = self._output(run)
                found = self._measure(output, self._source(clip), **_where(run))
                if isinstance(found, Mapping):
                    scores = dict(found)
                else:
                    scores, pictures, every = dict(found.pooled), dict(found.pictures), found.every
        except Exception as broken:  # noqa: BLE001 - a worker's top: the failure is recorded on the run
            error = f"{type(broken).__name__}: {broken}"
        return Outcome(output, scores, pictures, every, cost, error)

    def _cost(self, run: Run) -> float | None:
        """Return the price in CNY; None when the facts that it depends on are not known."""
        if self._prices.currency != "CNY":
            return None
        if not any(stages(run.setting)):
            return 0.0
        info = run.job.operation.media_info if run.job and run.job.operation else None
        with self._lock:
            if run.clip_key not in self._infos:
                self._infos[run.clip_key] = self._client.video_info(run.clip_key)
        source, output = Shape.of(self._infos[run.clip_key]), Shape.of(info) if info else None
        return price(run.setting, source, output, prices=self._prices).total if source and output else None

    def _output(self, run: Run) -> Path:
        """Return the local copy of what the job made, named by its digest."""
        job = run.job
        if job is None or not job.output_keys:
            raise CIError("the job succeeded, but names no result")
        result = job.operation.media_result.output_file if job.operation and job.operation.media_result else None
        digests = {info.object_name: info.md5 or "" for info in result.md5_info} if result else {}
        key = job.output_keys[0]
        md5 = next(iter(digests.values()), "")
        name = md5 or hashlib.md5(f"{run.key}/{job.job_id}".encode(), usedforsecurity=False).hexdigest()
        return self._fetch(key, self._cache / f"{name}{Path(key).suffix}", md5)

    def _source(self, clip: Clip) -> Path:
        if clip.path is not None and clip.path.exists():
            return clip.path
        name = clip.md5 or hashlib.md5(f"{clip.bucket}/{clip.key}".encode(), usedforsecurity=False).hexdigest()
        return self._fetch(clip.key, self._cache / f"{name}{Path(clip.key).suffix}", clip.md5)

    def _fetch(self, key: str, path: Path, md5: str) -> Path:
        with self._lock:
            lock = self._fetching.setdefault(path, threading.Lock())
        with lock:
            if not path.exists():
                self._client.download(key, path)
                if md5 and _md5(path) != md5:
                    path.unlink()
                    raise CIError(
                        f"{key} is not what it was: its MD5 is not {md5} any more. force=True makes it again."
                    )
        return path


def _where(run: Run) -> dict[str, float]:
    interval = run.setting.transcode.time_interval if run.setting.transcode else None
    return {"start_s": interval.start} if interval and interval.start else {}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
