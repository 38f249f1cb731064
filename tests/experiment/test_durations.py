"""How long jobs take: declared at first, then learned from jobs of the same kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import pytest

from ci_notebook.experiment.durations import JobDurations
from ci_notebook.model.api.jobs import Input, JobsDetail, Operation, time_text
from ci_notebook.model.api.media_info import Format, MediaInfo, Stream, VideoStream
from ci_notebook.model.errors import ServiceUnavailable
from ci_notebook.model.setting.enhance import FrameEnhance, MsSharpen, SuperResolution, VideoEnhance

SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3))
DOUBLED = VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True))
LARGE = VideoEnhance(super_resolution=SuperResolution(resolution="sdtohd", version="Enhance"))
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def clip(seconds: float, width: int = 640, height: int = 360) -> MediaInfo:
    video = VideoStream(width=width, height=height, fps=25.0, duration=seconds)
    return MediaInfo(format=Format(duration=seconds), stream=Stream(video=(video,)))


def ended(number: int, setting: VideoEnhance, took_s: float, seconds: float = 60) -> JobsDetail:
    return JobsDetail(
        job_id=f"j{number}", state="Success", input=Input(object="clip"),
        start_time=time_text(START), end_time=time_text(START + dt.timedelta(seconds=took_s)),
        operation=Operation(video_enhance=setting, media_info=clip(seconds)),
    )  # fmt: skip


def durations(earlier: Iterable[JobsDetail] = (), *, is_declared: bool = True) -> JobDurations:
    clips = {"clip": clip(60), "long": clip(600)}
    return JobDurations(clips.get, lambda: earlier, is_declared=is_declared)


def test_the_engines_first_job_has_a_declared_time_that_grows_with_its_work() -> None:
    declared = durations()
    sharp, longer, doubled, large = (
        declared.expected_s(key, setting)
        for key, setting in (("clip", SHARP), ("long", SHARP), ("clip", DOUBLED), ("clip", LARGE))
    )
    assert sharp is not None and longer is not None and doubled is not None and large is not None
    assert 2 < sharp < doubled < large
    assert longer == pytest.approx(10 * sharp, rel=0.1)


def test_a_cloud_says_nothing_until_a_job_has_ended() -> None:
    cloud = durations(is_declared=False)
    assert cloud.expected_s("clip", SHARP) is None
    cloud.learn(ended(1, SHARP, 40))
    assert cloud.expected_s("clip", SHARP) == pytest.approx(40)


def test_jobs_of_the_same_kind_count_and_others_only_without_them() -> None:
    learned = durations([ended(1, DOUBLED, 300)])
    before = learned.expected_s("clip", SHARP)
    learned.learn(ended(2, SHARP, 10))
    learned.learn(ended(2, SHARP, 10))
    learned.learn(ended(3, SHARP, 20))
    assert learned.expected_s("clip", SHARP) == pytest.approx(15)
    assert before is not None and before > 15
    assert learned.expected_s("clip", VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=9))) == pytest.approx(15)


def test_what_cannot_be_known_is_none() -> None:
    known = durations()
    assert known.expected_s("missing", SHARP) is None
    assert known.expected_s("clip", None) is None
    assert known.expected_of(JobsDetail(job_id="j")) is None

    def refused() -> Iterable[JobsDetail]:
        raise ServiceUnavailable("SlowDown", "later")

    offline = JobDurations({"clip": clip(60)}.get, refused, is_declared=True)
    assert offline.expected_s("clip", SHARP) is not None
