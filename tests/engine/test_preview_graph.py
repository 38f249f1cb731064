"""What the preview shows is what the job makes, stage by stage."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from ci_notebook.engine.preview.previewer import FileOrigin, Previewer
from ci_notebook.engine.render.render import render
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.samples import sample
from ci_notebook.media.snapshot import picture
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.setting.enhance import (
    ColorEnhance,
    FrameEnhance,
    MsSharpen,
    SDRtoHDR,
    SuperResolution,
    VideoEnhance,
)
from ci_notebook.model.setting.transcode import Container, TimeInterval, Transcode, TransConfig, Video
from ci_notebook.model.setting.watermark import Image, SlideConfig, Text, Watermark

AT_S = 1.0
WORDS = Text(text="Preview 1-2", font_size=40, font_type="arial.ttf", font_color="0xFFE000", transparency=80)
MARK = Watermark(type="Text", pos="TopLeft", loc_mode="Absolute", dx=40, dy=30, text=WORDS)
SLIDING = SlideConfig(slide_mode="ScrollFromLeft", x_slide_speed=8, y_slide_speed=0)
LOGO = Image(url="logo.png", mode="Proportion", width=20, transparency=70)
STAGES = {
    "nothing": {},
    "sharpen": {"ms_sharpen": MsSharpen(sharpen_level=6)},
    "colour": {"color_enhance": ColorEnhance(contrast=40, correction=300, saturation=120)},
    "auto": {"color_enhance": ColorEnhance(contrast=AUTO), "ms_sharpen": MsSharpen(sharpen_level=AUTO)},
    "enlarge": {"super_resolution": SuperResolution(resolution="sdtohd", version="Base")},
    "network": {"super_resolution": SuperResolution(resolution="sdtohd", version="Enhance")},
    "hdr": {"sdr_to_hdr": SDRtoHDR(hdr_mode="HDR10")},
    "hlg": {"sdr_to_hdr": SDRtoHDR(hdr_mode="HLG")},
    "motion": {"frame_enhance": FrameEnhance(frame_doubling=True), "ms_sharpen": MsSharpen(sharpen_level=3)},
}


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return the mean SSIM of luma over 8x8 blocks."""
    first, second = (
        (x.astype(float) @ (0.299, 0.587, 0.114))[: x.shape[0] // 8 * 8, : x.shape[1] // 8 * 8] for x in (a, b)
    )
    blocks = [x.reshape(x.shape[0] // 8, 8, x.shape[1] // 8, 8).swapaxes(1, 2).reshape(-1, 64) for x in (first, second)]
    m, n = (x.mean(axis=1) for x in blocks)
    covariance = (blocks[0] * blocks[1]).mean(axis=1) - m * n
    v, w = blocks[0].var(axis=1), blocks[1].var(axis=1)
    return float((((2 * m * n + 6.5) * (2 * covariance + 58.5)) / ((m**2 + n**2 + 6.5) * (v + w + 58.5))).mean())


def opened(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"))


@pytest.fixture(scope="module")
def previewer() -> Iterator[Previewer]:
    made = Previewer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def logo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("marks") / "logo.png"
    Pillow.new("RGBA", (60, 30), (200, 100, 50, 255)).save(path)
    return path


def equal(
    previewer: Previewer, clip: Path, folder: Path, setting: VideoEnhance, *marks: Watermark, logo: Path, at_s: float
) -> Path:
    """Check that the preview is the job's own picture but for what the encoder did to it; return the job's output."""
    transcode = setting.transcode or Transcode()
    asked = transcode.video or Video()
    codec = asked.codec or ("H.265" if setting.sdr_to_hdr is not None else "H.264")
    video = dataclasses.replace(asked, codec=codec, crf=12.0)  # type: ignore[type-var]
    stretch = transcode.time_interval or TimeInterval(start=at_s, duration=0.2)
    whole = dataclasses.replace(transcode, container=Container(format="mp4"), video=video, time_interval=stretch)
    setting = dataclasses.replace(setting, transcode=whole)  # type: ignore[type-var]
    operation = Operation(video_enhance=setting, watermark=marks)
    made = render(operation, clip, folder, fetch=lambda _: logo).files[0]
    seen = opened(previewer.preview(FileOrigin(clip), setting, at_s, watermarks=marks, fetch=lambda _: logo))
    job = picture(made, at_s - (stretch.start or 0))
    assert seen.shape == job.shape
    assert ssim(seen, job) > 0.97
    assert np.abs(seen.mean(axis=(0, 1)) - job.mean(axis=(0, 1))).max() < 3
    return made


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_the_preview_equals_the_jobs_own_snapshot(stage: str, previewer: Previewer, logo: Path, tmp_path: Path) -> None:
    setting = VideoEnhance(**STAGES[stage])  # type: ignore[arg-type]
    equal(previewer, sample(), tmp_path, setting, logo=logo, at_s=AT_S)


SHAPES = {
    "crop and turn": (Video(crop="320:200:40:60", rotate=90.0), None),
    "slanted": (Video(rotate=30.0), None),
    "fixed size, padded": (Video(width=400, height=400), TransConfig(adj_dar_method="pad")),
    "full chroma": (Video(pixfmt="yuv444p"), None),
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_changes_of_shape_are_previewed_as_the_job_makes_them(
    shape: str, previewer: Previewer, logo: Path, tmp_path: Path
) -> None:
    video, config = SHAPES[shape]
    setting = VideoEnhance(transcode=Transcode(video=video, trans_config=config))
    equal(previewer, sample(), tmp_path, setting, logo=logo, at_s=AT_S)


MARKS = {
    "text": (MARK, dataclasses.replace(MARK, pos="BottomRight", start_time=0.3)),
    "image": (Watermark(type="Image", pos="TopRight", loc_mode="Relativity", dx=5, dy=5, image=LOGO),),
    "sliding": (dataclasses.replace(MARK, slide_config=SLIDING),),
    "under the video": (
        Watermark(
            type="Image", pos="TopLeft", loc_mode="Absolute", dx=-60, dy=-40,
            image=dataclasses.replace(LOGO, mode="Proportion", width=130, height=130, background=True),
        ), MARK,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", MARKS)
def test_watermarks_are_previewed_where_the_job_puts_them_at_that_time(
    kind: str, previewer: Previewer, logo: Path, tmp_path: Path
) -> None:
    stretch = Transcode(time_interval=TimeInterval(start=0.4, duration=0.8))
    equal(previewer, sample(), tmp_path, VideoEnhance(transcode=stretch), *MARKS[kind], logo=logo, at_s=0.8)


CLIPS = {
    "turned, ten bits, full range": [
        "-vf", "scale=in_color_matrix=bt709:out_color_matrix=bt709:out_range=pc,format=yuv420p10le,setsar=4/3",
        "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-color_range", "pc",
    ],
    "fields": [
        "-vf", "tinterlace=interleave_top,fieldorder=tff", "-r", "25", "-c:v", "libx264", "-flags", "+ilme+ildct",
    ],
    "small and untagged": ["-vf", "scale=322:182", "-c:v", "libx264", "-colorspace", "2", "-color_primaries", "2"],
    "HLG": [
        "-vf", "zscale=t=arib-std-b67:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv420p10le", "-c:v", "libx265",
        "-preset", "ultrafast", "-x265-params", "log-level=error", "-color_primaries", "bt2020", "-color_trc",
        "arib-std-b67", "-colorspace", "bt2020nc",
    ],
}  # fmt: skip


@pytest.mark.slow
def test_a_clip_with_fields_keeps_its_rate(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    run(["-i", sample(), "-t", "0.4", *CLIPS["fields"], clip])
    transcode = Transcode(container=Container(format="mp4"), video=Video(codec="H.264", preset="veryfast"))
    made = render(Operation(video_enhance=VideoEnhance(transcode=transcode)), clip, tmp_path / "out")
    assert first_video(made.media_info).avg_fps == "25.000000"


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLIPS)
def test_odd_clips_are_shown_as_the_job_takes_them(kind: str, previewer: Previewer, logo: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    run(["-i", sample(), "-t", "0.4", *CLIPS[kind], "-crf", "14", clip])
    if kind.startswith("turned"):
        run(["-display_rotation", "90", "-i", clip, "-c", "copy", tmp_path / "turned.mp4"])
        clip = tmp_path / "turned.mp4"
    config = TransConfig(is_hdr2_sdr=True) if kind == "HLG" else None
    setting = VideoEnhance(
        transcode=Transcode(trans_config=config), color_enhance=ColorEnhance(contrast=20, correction=100, saturation=40)
    )
    equal(previewer, clip, tmp_path / "out", setting, logo=logo, at_s=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [("arib-std-b67", "H.265", "colour"), ("smpte2084", "H.264", "network")], ids=["HLG", "HDR10"]
)
def test_hdr_that_stays_hdr_is_shown_through_its_exact_inverse(
    case: tuple[str, Any, str], previewer: Previewer, logo: Path, tmp_path: Path
) -> None:
    (transfer, codec, stage), clip = case, tmp_path / "clip.mp4"
    words = [
        word.replace("arib-std-b67", transfer).replace("zscale=", "scale=320:180,zscale=") for word in CLIPS["HLG"]
    ]
    run(["-i", sample(), "-t", "0.2", *words, "-crf", "14", clip])
    setting = VideoEnhance(transcode=Transcode(video=Video(codec=codec)), **STAGES[stage])  # type: ignore[arg-type]
    made = equal(previewer, clip, tmp_path / "out", setting, logo=logo, at_s=0.12)
    assert first_video(media_info(made)).color_transfer == transfer
