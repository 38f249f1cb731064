"""How long jobs take: learned from jobs that have ended, and before that from the declared speed of each stage.

The unit of work is an output frame of a million pixels. The declared speeds are those of the embedded engine on two
cores, so they are an order of magnitude for other machines, and say nothing about the cloud.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from ci_notebook.experiment.pricing.price import Shape, forecast
from ci_notebook.model.api.jobs import JobsDetail, time_of
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import CIError
from ci_notebook.model.lru import LRU
from ci_notebook.model.setting.enhance import VideoEnhance

__all__ = ["JobDurations"]

_START_S: Final = 0.6  # of every job: it is claimed, probed and stored
_DECODE_S: Final = 0.01  # these are all seconds for a frame of a million pixels
_ENCODE_S: Final = {"H.264": 0.035, "H.265": 0.06, "AV1": 0.11}
_PRESETS: Final = {"veryfast": 0.4, "fast": 0.8, "slow": 1.5, "slower": 3.0, "veryslow": 5.0}
_STAGES_S: Final = {"sharpen": 0.005, "color": 0.02, "network": 0.5, "motion": 0.25, "hdr": 0.06}
_LEARNED: Final = 20  # jobs of a kind
_CACHED: Final = 4096

_Kind: TypeAlias = tuple[str, ...]


class JobDurations:
    """Expected durations of jobs. Safe to use from several threads.

    `info` returns the facts of a clip by its key, None if they are unknown. `earlier` returns jobs of the past, newest
    first; it is called once, before the first answer. Without `is_declared` only jobs that have ended count.
    """

    def __init__(
        self, info: Callable[[str], MediaInfo | None], earlier: Callable[[], Iterable[JobsDetail]], *, is_declared: bool
    ) -> None:
        self._info, self._earlier, self._is_declared = info, earlier, is_declared
        self._lock = threading.Lock()
        self._took: dict[_Kind, deque[tuple[float, float]]] = {}
        self._known: deque[str] = deque(maxlen=1000)
        self._work = LRU[tuple[str, VideoEnhance], float | None](_CACHED)

    def learn(self, job: JobsDetail) -> None:
        """Remember how long a job took that has succeeded, once; every other job is ignored."""
        operation, job_id = job.operation, job.job_id or ""
        setting = operation.setting if operation else None
        output = Shape.of(operation.media_info) if operation and operation.media_info else None
        started, ended = time_of(job.start_time), time_of(job.end_time)
        if job.state != "Success" or setting is None or output is None or started is None or ended is None:
            return
        with self._lock:
            if job_id in self._known:
                return
            self._known.append(job_id)
            pairs = self._took.setdefault(_kind(setting), deque(maxlen=_LEARNED))
            pairs.append((_work_s(setting, output), (ended - started).total_seconds()))

    def expected_s(self, key: str, setting: VideoEnhance | None) -> float | None:
        """Return how many seconds a job with this setting takes on the clip with this key; None if nothing is known.

        The first call reads a page of earlier jobs; a new clip costs one call.
        """
        if setting is None or not key:
            return None
        self._read_earlier()
        work = self._work.get_or_make((key, setting), lambda: self._work_of(key, setting))
        pace = self._pace(_kind(setting))
        return None if work is None or pace is None else work * pace

    def expected_of(self, job: JobsDetail) -> float | None:
        """Return `expected_s` of a job that exists."""
        return self.expected_s(
            (job.input.object or "") if job.input else "", job.operation.setting if job.operation else None
        )

    def _read_earlier(self) -> None:
        with self._lock:
            earlier, self._earlier = self._earlier, tuple
        try:
            for job in earlier():
                self.learn(job)
        except CIError:
            return  # whoever waits for a job sees the same error

    def _work_of(self, key: str, setting: VideoEnhance) -> float | None:
        try:
            info = self._info(key)
            return None if info is None else _work_s(setting, forecast(setting, info))
        except CIError:
            return None  # a setting that does not fit its clip: its job says so

    def _pace(self, kind: _Kind) -> float | None:
        """Return seconds per declared second: of jobs of this kind, else of all jobs, else as declared."""
        with self._lock:
            pairs = list(self._took.get(kind, ())) or [one for kept in self._took.values() for one in kept]
        if not pairs:
            return 1.0 if self._is_declared else None
        # Times have whole seconds: a sum is less wrong than each of them.
        return max(0.3 * len(pairs), sum(took for _, took in pairs)) / sum(work for work, _ in pairs)


def _kind(setting: VideoEnhance) -> _Kind:
    """Return what the speed of a setting depends on most: its expensive stages and its codec."""
    return (*_stages(setting), _codec(setting))


def _codec(setting: VideoEnhance) -> str:
    video = setting.transcode.video if setting.transcode else None
    return (video.codec if video else None) or ("H.265" if setting.sdr_to_hdr is not None else "H.264")


def _stages(setting: VideoEnhance) -> tuple[str, ...]:
    enlarged, motion = setting.super_resolution, setting.frame_enhance
    is_on = {
        "sharpen": setting.ms_sharpen is not None, "color": setting.color_enhance is not None,
        "network": enlarged is not None and enlarged.version == "Enhance",
        "motion": motion is not None and bool(motion.frame_doubling), "hdr": setting.sdr_to_hdr is not None,
    }  # fmt: skip
    return tuple(name for name, is_it in is_on.items() if is_it)


def _work_s(setting: VideoEnhance, output: Shape) -> float:
    """Return the declared seconds of a job with this output."""
    video = setting.transcode.video if setting.transcode else None
    encode = _ENCODE_S.get(_codec(setting), _ENCODE_S["H.264"]) * _PRESETS.get((video.preset if video else "") or "", 1)
    each = _DECODE_S + encode + sum(_STAGES_S[name] for name in _stages(setting))
    return _START_S + each * output.width * output.height / 1e6 * output.fps * output.duration_s
