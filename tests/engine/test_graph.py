"""The filters of a setting: their order, their sizes, and that they end in a format that plays."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.graph import STAGES, chain, stages
from ci_notebook.engine.render.motion import frame_doubler
from ci_notebook.model.api.media_info import Format, MediaInfo, Stream, VideoStream
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.setting.enhance import (
    ColorEnhance,
    FrameEnhance,
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    VideoEnhance,
)
from ci_notebook.model.setting.shape import LARGEST, plan
from ci_notebook.model.setting.transcode import Container, Transcode, TransConfig, Video

ALL = VideoEnhance(
    transcode=Transcode(container=Container(format="mp4"), video=Video(codec="H.265")),
    super_resolution=SuperResolution(resolution="sdtohd", version="Enhance"),
    sdr_to_hdr=SDRtoHDR(hdr_mode="HDR10"),
    color_enhance=ColorEnhance(contrast=50, correction=100, saturation=100),
    ms_sharpen=MsSharpen(sharpen_level=5),
    frame_enhance=FrameEnhance(frame_doubling=True),
)


def source(width: int = 640, height: int = 360, **facts: object) -> MediaInfo:
    given = {"fps": 25.0, "pix_format": "yuv420p", "color_range": "tv", "sar": "1:1", "rotation": 0.0, **facts}
    video = VideoStream(width=width, height=height, **given)  # type: ignore[arg-type]
    return MediaInfo(format=Format(duration=3.0), stream=Stream(video=(video,)))


def enlarged(resolution: str, *, up: bool | None = None, **video: object) -> VideoEnhance:
    stage = SuperResolution(resolution=resolution, enable_scale_up=up)  # type: ignore[arg-type]
    encoding = Transcode(container=Container(format="mp4"), video=Video(**video)) if video else None  # type: ignore[arg-type]
    return VideoEnhance(super_resolution=stage, transcode=encoding)


def out(setting: VideoEnhance, *size: int, **facts: object) -> tuple[int, int]:
    size_plan = plan(setting, source(*size, **facts)).out
    return size_plan.width, size_plan.height


def test_the_stages_come_in_the_order_that_is_argued_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_doubler, "available", lambda: False)  # with OpenCV, motion is no filter
    filters = chain(ALL, source(), Analysis(low=(0.1, 0.1, 0.1)))
    expected = ["minterpolate", "scale", "lutrgb", "haldclut", "convolution", "zscale", "format"]
    places = [next(n for n, one in enumerate(filters) if f"{name}=" in one) for name in expected]
    assert places[:-1] == sorted(places[:-1])
    assert filters[-1] == "format=yuv420p10le"


def test_nothing_asked_is_nothing_done() -> None:
    output = stages(VideoEnhance(), source(), Analysis())
    assert set(output) == set(STAGES)
    assert not any(output[stage] for stage in STAGES if stage != "range")
    assert chain(VideoEnhance(), source(), Analysis())[-1] == "format=yuv420p"


def test_super_resolution_doubles_each_side() -> None:
    assert out(enlarged("sdtohd"), 640, 360) == (1280, 720)
    assert out(enlarged("sdtohd"), 544, 960) == (1088, 1920)  # the documented callback sample
    assert out(enlarged("hdto4k"), 1920, 1080) == (3840, 2160)


def test_a_source_that_is_large_enough_keeps_its_size() -> None:
    assert out(enlarged("sdtohd"), 1920, 1080) == (1920, 1080)
    assert out(enlarged("hdto4k"), 3840, 2160) == (3840, 2160)


def test_scale_up_continues_to_the_target_where_twice_is_too_small() -> None:
    assert out(enlarged("sdtohd", up=True), 640, 360) == (1920, 1080)
    assert out(enlarged("sdtohd", up=True), 1280, 720) == (2560, 1440)
    assert out(enlarged("sdtohd", up=False), 640, 360) == (1280, 720)


def test_width_and_height_win_and_one_alone_takes_the_other_along() -> None:
    assert out(enlarged("sdtohd", width=800), 640, 360) == (800, 450)
    assert out(enlarged("sdtohd", height=480), 640, 360) == (854, 480)
    assert out(enlarged("sdtohd", width=300, height=300), 640, 360) == (300, 300)
    assert out(enlarged("sdtohd", width=1280, long_short_mode=True), 360, 640) == (720, 1280)


def test_turned_and_stretched_sources_are_measured_as_players_show_them() -> None:
    assert out(VideoEnhance(), 640, 360, rotation=90.0) == (360, 640)
    assert out(VideoEnhance(), 720, 576, sar="16:15") == (768, 576)
    assert out(VideoEnhance(transcode=Transcode(video=Video(rotate=90.0)))) == (360, 640)


@pytest.mark.slow
@given(
    st.integers(16, 5000),
    st.integers(16, 5000),
    st.sampled_from(["sdtohd", "hdto4k"]),
    st.booleans(),
    st.floats(0, 359.9),
)
def test_sides_are_always_even_and_never_too_large(
    width: int, height: int, kind: str, up: bool, degrees: float
) -> None:
    setting = dataclasses.replace(enlarged(kind, up=up), transcode=Transcode(video=Video(rotate=degrees)))
    try:
        sizes = plan(setting, source(width, height))
    except EngineError as refusal:
        assert "over the bound of 35.7 million pixels" in str(refusal)
        assert width * height > 2_000_000, "a small source never gets too large"
        return
    size = sizes.out
    assert size.width % 2 == size.height % 2 == 0
    assert 2 <= size.width <= max(LARGEST, sizes.cut.width + 1)
    assert 2 <= size.height <= max(LARGEST, sizes.cut.height + 1)


def test_a_crop_outside_the_pictures_is_refused_by_name() -> None:
    with pytest.raises(EngineError, match=r"Video\.Crop must be .* inside the source's 640x360 \(got 800:100:0:0\)"):
        plan(VideoEnhance(transcode=Transcode(video=Video(crop="800:100:0:0"))), source())


def test_a_check_that_fails_the_job_says_what_to_change() -> None:
    checked = Transcode(video=Video(width=1280), trans_config=TransConfig(is_check_reso=True, reso_adj_method=1))
    with pytest.raises(EngineError, match=r"Video\.Width 1280x720 is over the source's 640x360.*ResoAdjMethod"):
        plan(VideoEnhance(transcode=checked), source())


def test_hdr_of_an_hdr_source_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match=r"SDRtoHDR\.HdrMode HDR10: the source is HDR already"):
        chain(ALL, source(color_transfer="smpte2084"), Analysis())


def test_slower_pictures_are_dropped_before_work_and_faster_ones_repeated_after() -> None:
    sharp = MsSharpen(sharpen_level=5)

    def order(fps: float) -> list[str]:
        setting = VideoEnhance(transcode=Transcode(video=Video(fps=fps)), ms_sharpen=sharp)
        return re.findall(r"fps|convolution", ",".join(chain(setting, source(), Analysis())))

    assert order(12.5) == ["fps", "convolution"]
    assert order(50) == ["convolution", "fps"]
    assert "fps" not in order(25)


@pytest.mark.parametrize("level", range(1, 11))
def test_sharpening_is_a_matter_of_luma_alone(level: int) -> None:
    (graph,) = stages(VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=level)), source(), Analysis())["sharpen"]
    assert re.findall(r"convolution=(\d)m", graph) == ["0"]
    assert graph.count("threshold2=0:threshold3=0") == 2
    assert "maskedclamp=planes=1" in graph
