"""What follows a job that succeeded: its result is fetched once, scored, and priced.

It is scored against a true reference where there is one, the clip as it was before it was shrunk or
spoilt; else against its source. The first measures fidelity, the second change: the run says which.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self

from ci_notebook.client.objects import Clip
from ci_notebook.experiment.playlists import PLAYLISTS, segments_of
from ci_notebook.experiment.pricing.price import PriceList, Shape, price, stages
from ci_notebook.experiment.run_record import Run
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import CIError
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.setting.shape import plan

# Scoring keeps all cores busy by itself; the second thread fetches while the first one scores.
THREADS: Final = 2
_HALF: Final = "half-"
_FORGOTTEN_S: Final = 24 * 3600.0


class Scored(Protocol):
    """Scores of a clip, and of its pictures: what `media.score.scores` returns."""

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


class Measure(Protocol):
    """Scores an output against its source or reference.

    Called with `cancel`, an event that is set when nobody waits any more, with `every` where somebody
    chose the distance of the pictures to be scored, with `precise` where floating point is wanted, and
    where they are not trivial with `start_s` and `length_s` (which stretch of the source the output
    shows), `crop` (what of its pictures: left, top, width and height as shares of 1) and `rotate`
    (degrees clockwise).
    """

    def __call__(self, output: Path, source: Path, /, **more: Any) -> Mapping[str, float] | Scored:
        """Return score name → value; or that, and the values of single pictures."""


class Fetches(Protocol):
    """What is needed of a client."""

    def download(self, key: str, path: str | Path) -> Path: ...  # noqa: D102
    def video_info(self, key: str) -> MediaInfo: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came after the job. `error` says what went wrong on the way, `stopped` that it was broken off."""

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
    stopped: bool = False

    def of(self, run: Run) -> Run:
        """Return the run with this outcome."""
        return replace(
            run, output=self.output, scores=self.scores, pictures=self.pictures, every=self.every,
            precise=self.precise,
            cost_cny=self.cost, error=self.error, score_against=self.score_against, reference_md5=self.reference_md5,
            alignment=self.alignment,
        )  # fmt: skip


def is_of(run: Run, reference: Clip | None) -> bool:
    """Say whether a run's scores were made against `reference`, or against the source when that is None."""
    if reference is None:
        return run.score_against != "reference"
    return run.score_against == "reference" and run.reference_md5 == reference.md5


class Outcomes:
    """A pool of helpers. As a context manager it ends what is being scored when the block is left early.

    `references` maps the key of a clip to its reference, `every` and `precise` are handed on to
    `measure` unless None and false.
    """

    def __init__(
        self,
        client: Fetches,
        cache: Path,
        *,
        measure: Measure | None,
        prices: PriceList,
        references: Mapping[str, Clip] | None = None,
        every: int | None = None,
        precise: bool = False,
    ) -> None:
        self._client, self._cache, self._measure, self._prices = client, cache, measure, prices
        self._how: dict[str, Any] = ({} if every is None else {"every": every}) | ({"precise": True} if precise else {})
        self._references = references or {}
        self._pool = futures.ThreadPoolExecutor(THREADS, thread_name_prefix="outcome")
        self._infos: dict[str, MediaInfo] = {}
        self._fetching: dict[Path, threading.Lock] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        _clear_up(cache)

    def submit(self, run: Run, clip: Clip) -> futures.Future[Outcome]:
        """Begin to see to a run whose job succeeded."""
        return self._pool.submit(self._outcome, run, clip)

    def stop(self) -> None:
        """Ask what is being scored to end at once."""
        self._stop.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.stop()
        # What is being downloaded is not waited for: it is fetched anew when it is wanted again.
        self._pool.shutdown(wait=not self._stop.is_set(), cancel_futures=self._stop.is_set())

    def _outcome(self, run: Run, clip: Clip) -> Outcome:
        found = Outcome()
        try:
            found = replace(found, cost=self._cost(run))
            if self._measure is not None:
                found = replace(found, output=self._output(run))
                found = self._scored(found, run, clip)
        except Exception as broken:  # noqa: BLE001 - a worker's top: the failure is recorded on the run
            found = replace(found, error=f"{type(broken).__name__}: {broken}", stopped=self._stop.is_set())
        return found

    def _scored(self, found: Outcome, run: Run, clip: Clip) -> Outcome:
        if self._measure is None or found.output is None:
            return found
        reference = self._references.get(run.clip_key)
        beside = self._source(reference or clip)
        made = self._measure(found.output, beside, cancel=self._stop, **self._how, **self._where(run))
        against: Literal["source", "reference"] = "reference" if reference else "source"
        found = replace(found, score_against=against, reference_md5=reference.md5 if reference else "")
        if isinstance(made, Mapping):
            return replace(found, scores=dict(made))
        found = replace(found, every=made.every, precise=made.precise, alignment=made.alignment)
        return replace(found, scores=dict(made.pooled), pictures=dict(made.pictures))

    def _where(self, run: Run) -> dict[str, Any]:
        """Return where in its source the output lies, as far as that is not trivial."""
        transcode = run.setting.transcode
        interval, video = (transcode.time_interval, transcode.video) if transcode else (None, None)
        where: dict[str, Any] = {"start_s": interval.start} if interval and interval.start else {}
        if interval and interval.duration:
            where["length_s"] = interval.duration
        if video and video.crop:
            made = plan(run.setting, self._info(run))
            if made.crop:
                width, height, left, top = made.crop
                across, down = made.shown.width, made.shown.height
                where["crop"] = (left / across, top / down, width / across, height / down)
        if video and video.rotate:
            where["rotate"] = video.rotate
        return where

    def _info(self, run: Run) -> MediaInfo:
        with self._lock:
            if run.clip_key not in self._infos:
                self._infos[run.clip_key] = self._client.video_info(run.clip_key)
            return self._infos[run.clip_key]

    def _cost(self, run: Run) -> float | None:
        """Return the price in CNY; None when the facts that it depends on are not known."""
        if self._prices.currency != "CNY":
            return None
        if not any(stages(run.setting)):
            return 0.0
        info = run.job.operation.media_info if run.job and run.job.operation else None
        source, output = Shape.of(self._info(run)), Shape.of(info) if info else None
        return price(run.setting, source, output, prices=self._prices).total if source and output else None

    def _output(self, run: Run) -> Path:
        """Return the local copy of what the job made, named by its digest."""
        job = run.job
        if job is None or not job.output_keys:
            raise CIError("the job succeeded, but names no result")
        result = job.operation.media_result.output_file if job.operation and job.operation.media_result else None
        digests = {info.object_name or "": info.md5 or "" for info in result.md5_info} if result else {}
        key = job.output_keys[0]
        md5 = digests.get(key, "") or (next(iter(digests.values()), "") if len(digests) == 1 else "")
        name = md5 or hashlib.md5(f"{run.key}/{job.job_id}".encode(), usedforsecurity=False).hexdigest()
        path = self._fetch(key, self._cache / f"{name}{Path(key).suffix}", md5)
        return self._joined(path, job.output_keys, digests) if path.suffix in PLAYLISTS else path

    def _joined(self, playlist: Path, keys: Sequence[str], digests: Mapping[str, str]) -> Path:
        """Return one file of the segments of a playlist."""
        segments = segments_of(keys, playlist.read_text("utf-8", errors="replace"))
        if not segments:
            raise CIError(f"{keys[0]} names segments that the job did not, so it cannot be scored")
        path = playlist.with_name(f"{playlist.stem}-joined{Path(segments[-1]).suffix.replace('.m4s', '.mp4')}")
        if not path.exists():
            half = path.with_name(f"{_HALF}{secrets.token_hex(4)}-{path.name}")
            with half.open("wb") as whole:
                for number, key in enumerate(segments):
                    part = path.with_name(f"{_HALF}{secrets.token_hex(4)}-{number}-{path.name}")
                    self._download(key, part, digests.get(key, ""))
                    whole.write(part.read_bytes())
                    part.unlink()
            half.replace(path)
        return path

    def _source(self, clip: Clip) -> Path:
        if clip.path is not None and clip.path.exists():
            return clip.path
        name = clip.md5 or hashlib.md5(f"{clip.bucket}/{clip.key}".encode(), usedforsecurity=False).hexdigest()
        return self._fetch(clip.key, self._cache / f"{name}{Path(clip.key).suffix}", clip.md5)

    def _download(self, key: str, path: Path, md5: str) -> None:
        # Under a name of its own: another kernel may be fetching the same.
        half = path.with_name(f"{_HALF}{secrets.token_hex(4)}-{path.name}")
        try:
            self._client.download(key, half)
            if md5 and _md5(half) != md5:
                raise CIError(f"{key} is not what it was: its MD5 is not {md5} any more. force=True makes it again.")
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)

    def _fetch(self, key: str, path: Path, md5: str) -> Path:
        with self._lock:
            lock = self._fetching.setdefault(path, threading.Lock())
        with lock:
            if not path.exists():
                self._download(key, path, md5)
        return path


def _clear_up(cache: Path) -> None:
    """Remove what killed processes left half fetched."""
    for path in cache.glob(f"{_HALF}*"):
        with contextlib.suppress(FileNotFoundError):  # another clears up at the same time
            if time.time() - path.stat().st_mtime > _FORGOTTEN_S:
                path.unlink()


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
