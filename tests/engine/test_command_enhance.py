"""Enhance in jobs: closer to the original than Base, with every other stage, or refused by name."""

from __future__ import annotations

import sys
import threading
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ci_notebook.engine.render.render import Rendered, render
from ci_notebook.engine.render.super_resolution.network import available
from ci_notebook.media.ffmpeg import Cancelled, run
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.samples import sample
from ci_notebook.media.scoring.score import compare
from ci_notebook.media.snapshot import picture
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import (
    ColorEnhance,
    FrameEnhance,
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    VideoEnhance,
)
from ci_notebook.model.setting.transcode import Audio, Container, TimeInterval, Transcode, Video
from ci_notebook.model.setting.watermark import Text, Watermark

needs_network = pytest.mark.skipif(not available(), reason="onnxruntime is not installed (the extra `enhance`)")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 pictures of the sample, 160x90, at 30000/1001 a second, with sound and a title."""
    path = tmp_path_factory.mktemp("clips") / "short.mp4"
    run([
        "-i", sample(), "-f", "lavfi", "-i", "sine=440", "-vf", "scale=160:90,setpts=N*1001/30000/TB", "-r",
        "30000/1001", "-frames:v", "12", "-t", "0.4", "-c:v", "libx264", "-crf", "12", "-c:a", "aac", "-metadata",
        "title=a clip", "-color_primaries", "bt709", "-color_trc", "bt709", path,
    ])  # fmt: skip
    return path


def enhanced(
    source: Path, folder: Path, *, version: str = "Enhance", up: bool = False, kind: str = "mp4", stem: str = "output",
    operation: Operation | None = None, cancel: threading.Event | None = None, video: Video | None = None,
    stretch: TimeInterval | None = None, **stages: object,
) -> Rendered:  # fmt: skip
    setting = VideoEnhance(
        transcode=Transcode(
            container=Container(format=kind), video=video or Video(crf=8.0, preset="veryfast"), audio=Audio(),  # type: ignore[arg-type]
            time_interval=stretch,
        ),
        super_resolution=SuperResolution(resolution="sdtohd", version=version, enable_scale_up=up),  # type: ignore[arg-type]
        **stages,  # type: ignore[arg-type]
    )  # fmt: skip
    marks = operation.watermark if operation else ()
    return render(Operation(video_enhance=setting, watermark=marks), source, folder, stem=stem, cancel=cancel)


def halved(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    high, wide = rgb.shape[:2]
    return rgb.reshape(high // 2, 2, wide // 2, 2, 3).mean(axis=(1, 3))


@pytest.mark.slow
@needs_network
@pytest.mark.parametrize("crf", ["10", "26"], ids=["clean", "compressed"])
def test_enhance_restores_more_than_base_on_unseen_frames(crf: str, tmp_path: Path) -> None:
    """A photograph in the public domain that comes with matplotlib, panned over, shrunk to half and restored."""
    photograph = str(files("matplotlib").joinpath("mpl-data/sample_data/grace_hopper.jpg"))
    truth, small = tmp_path / "truth.mkv", tmp_path / "small.mp4"
    pan = "scale=out_range=tv,crop=384:320:x=2*n:y=3*n,format=yuv420p"
    run(["-loop", "1", "-r", "25", "-i", photograph, "-frames:v", "10", "-vf", pan, "-c:v", "ffv1", truth])
    run(["-i", truth, "-vf", "scale=192:160:flags=bicubic", "-c:v", "libx264", "-crf", crf, small])
    base, better = (
        compare(enhanced(small, tmp_path, version=version, stem=version).files[0], truth, every=1).pooled
        for version in ("Base", "Enhance")
    )
    assert better["ssim"] > base["ssim"] + 0.002
    assert better["vmaf_neg"] > base["vmaf_neg"] + 1
    assert better["psnr"] > base["psnr"]


@pytest.mark.slow
@needs_network
def test_pictures_times_sound_and_title_are_those_of_the_source(short: Path, tmp_path: Path) -> None:
    output = enhanced(short, tmp_path)
    had, values = first_video(media_info(short)), first_video(output.media_info)
    assert (values.width, values.height, values.num_frames, values.avg_fps) == (320, 180, had.num_frames, "29.970030")
    assert (values.color_primaries, values.color_transfer, values.color_range) == ("bt709", "bt709", "tv")
    assert values.duration == pytest.approx(had.duration, abs=0.01)
    assert output.media_info.stream is not None and output.media_info.stream.audio[0].codec_name == "aac"
    assert b"a clip" in output.files[0].read_bytes()
    for at_s in (0.0, 0.2):  # no picture earlier or later than it was
        assert np.abs(halved(picture(output.files[0], at_s)) - picture(short, at_s)).mean() < 5


@pytest.mark.slow
@needs_network
def test_the_size_continues_from_twice_to_the_requested_one(short: Path, tmp_path: Path) -> None:
    pictures = first_video(enhanced(short, tmp_path, up=True, stretch=TimeInterval(duration=0.1)).media_info)
    assert (pictures.width, pictures.height) == (1920, 1080)
    pictures = first_video(enhanced(short, tmp_path, video=Video(width=240, height=136)).media_info)
    assert (pictures.width, pictures.height) == (240, 136)


@pytest.mark.slow
@needs_network
def test_everything_at_once_goes_through_the_network_too(short: Path, tmp_path: Path) -> None:
    words = Text(text="mark", font_size=20, font_type="arial.ttf", font_color="0xFF0000", transparency=100)
    mark = Watermark(type="Text", pos="TopLeft", loc_mode="Absolute", dx=10, dy=10, text=words)
    output = enhanced(
        short, tmp_path, operation=Operation(watermark=(mark,)), stretch=TimeInterval(start=0.1, duration=0.2),
        video=Video(codec="H.265", crf=15.0), frame_enhance=FrameEnhance(frame_doubling=True),
        color_enhance=ColorEnhance(), ms_sharpen=MsSharpen(sharpen_level=3), sdr_to_hdr=SDRtoHDR(hdr_mode="HLG"),
    )  # fmt: skip
    pictures = first_video(output.media_info)
    assert (pictures.width, pictures.height, pictures.color_transfer) == (320, 180, "arib-std-b67")
    assert pictures.fps == pytest.approx(59.94, abs=0.01)
    assert pictures.num_frames in (11, 12, 13)
    corner = picture(output.files[0], 0.05)[10:30, 10:40].astype(int)
    assert (corner[..., 0] - corner[..., 1]).max() > 80


@pytest.mark.slow
@needs_network
def test_ten_bits_stay_ten_bits(short: Path, tmp_path: Path) -> None:
    deep = tmp_path / "deep.mkv"
    run(["-i", short, "-t", "0.2", "-c:v", "libx265", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p10le",
         "-crf", "8", deep])  # fmt: skip
    output = enhanced(deep, tmp_path / "out", video=Video(codec="H.265", crf=8.0))
    assert first_video(output.media_info).pix_format == "yuv420p10le"
    assert np.abs(halved(picture(output.files[0], 0.1)) - picture(deep, 0.1)).mean() < 5


@pytest.mark.slow
@needs_network
def test_a_cancelled_job_leaves_nothing(tmp_path: Path) -> None:
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    with pytest.raises(Cancelled):
        enhanced(sample(), tmp_path / "out", cancel=cancel)
    assert list((tmp_path / "out").iterdir()) == []


def test_without_onnxruntime_the_job_fails_and_names_the_extra(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineError, match=r"SuperResolution\.Version Enhance .*ci-notebook\[enhance\].*Base") as caught:
        enhanced(short, tmp_path / "out")
    assert caught.value.code == "ResourceNotSupported"
    assert not (tmp_path / "out").exists()


def test_where_the_size_stays_no_network_is_needed(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    pictures = first_video(enhanced(short, tmp_path, video=Video(width=128)).media_info)
    assert (pictures.width, pictures.height) == (128, 72)
