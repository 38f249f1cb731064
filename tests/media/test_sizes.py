"""Frames of any size: bounded before they are decoded; below that they work, or one sentence names the size."""

from __future__ import annotations

import math
import re
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

import ci_notebook as ci
from ci_notebook.engine.preview.previewer import FileOrigin, Previewer
from ci_notebook.engine.render.digital_watermark.pattern import extract
from ci_notebook.engine.render.render import render
from ci_notebook.engine.render.watermark.watermark_overlay import draw_image
from ci_notebook.media.ffmpeg import find_ffmpeg, run
from ci_notebook.media.frames import Frames
from ci_notebook.media.playback import write_proxy
from ci_notebook.media.probe import first_video, media_info
from ci_notebook.media.scoring.score import by_itself, compare
from ci_notebook.media.snapshot import picture
from ci_notebook.media.spoil import spoil
from ci_notebook.media.streams import frame_times
from ci_notebook.media.summary import file_summary
from ci_notebook.model import bounds
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.setting.shape import Size
from tests.media.sized_clips import FRAMES, SIZES, growing_clip, pixels_at_most, sized_clip

SHARP = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=3))
_SAYS_SIZE = re.compile(r"\d+x\d+")


def preview(path: Path, setting: ci.VideoEnhance = SHARP, *, at_s: float = 0.2, **more: Any) -> Size:
    """Return the output's size that a preview shows."""
    previewer = Previewer()
    try:
        return previewer.show(FileOrigin(path), setting, at_s, width_px=160, **more).size
    finally:
        previewer.close()


# Every reader of a clip. A new one belongs here.
READERS: dict[str, Callable[[Path], object]] = {
    "facts": media_info,
    "summary": file_summary,
    "frames": lambda path: Frames(path)[0],
    "snapshot": picture,
    "preview": preview,
    "job": lambda path: render(Operation(video_enhance=SHARP), path, path.parent / "job"),
    "spoil": lambda path: spoil(path, path.parent / "spoiled.mp4"),
    "score": lambda path: compare(path, path),
    "measures": by_itself,
    "proxy": lambda path: write_proxy(path, path.parent / "proxy.mp4", "h264"),
    "extract": extract,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_frame_over_the_bound_is_refused_by_every_reader_before_it_is_decoded(reader: str, tmp_path: Path) -> None:
    path = sized_clip(tmp_path, 320, 240)
    with (
        pixels_at_most(320 * 240 - 1),
        pytest.raises(EngineError, match=r"320x240\.mkv has frames of") as no,
    ):
        READERS[reader](path)
    assert "\n" not in str(no.value)
    assert no.value.code == bounds.CODE
    with pixels_at_most(320 * 240):
        assert first_video(media_info(path)).width == 320


def _last_frame(path: Path) -> object:
    with Frames(path) as frames:
        return frames[len(frames) - 1]


@pytest.mark.parametrize("reader", ["last frame", "preview", "job", "spoil", "score", "proxy"])
def test_frames_that_become_larger_than_the_bound_are_never_left_out_silently(reader: str, tmp_path: Path) -> None:
    path = growing_clip(tmp_path, (160, 90), (640, 360))
    at_the_end = {"last frame": _last_frame, "preview": lambda path: preview(path, at_s=0.45)}
    read = at_the_end.get(reader, READERS.get(reader))
    with pixels_at_most(1 << 16), pytest.raises(EngineError, match=r"over the bound of 0\.1 million pixels"):
        read(path)


def test_frames_that_change_their_size_are_shown_in_the_first_size(tmp_path: Path) -> None:
    with Frames(growing_clip(tmp_path, (160, 90), (320, 180))) as frames:
        assert {frames[number].shape for number in (0, 9, 10, 12)} == {(90, 160, 3)}


def test_streams_frames_and_length_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tmp_path / "many.mkv"
    source, maps = ["-f", "lavfi", "-i", "color=s=16x16:d=0.1"], ["-map", "0:v"] * 101
    subprocess.run([str(find_ffmpeg()), "-v", "error", *source, *maps, "-c:v", "ffv1", str(many)], check=True)
    with pytest.raises(EngineError, match=r"many\.mkv has 101 streams, over the bound of 100\."):
        media_info(many)
    long = tmp_path / "long.mkv"
    run(
        [
            "-f",
            "lavfi",
            "-i",
            "color=s=16x16:r=1:d=3",
            "-vf",
            "setpts=N*75000/TB",
            "-fps_mode",
            "vfr",
            "-c:v",
            "ffv1",
            long,
        ]
    )
    with pytest.raises(EngineError, match=r"long\.mkv has a length of 41\.7 h, over the bound of 24 h\."):
        media_info(long)
    real = bounds.check_file
    monkeypatch.setattr(frame_times, "check_file", lambda what, frames: real(what, frames=frames + 999_998))
    with pytest.raises(EngineError, match=r"16x16\.mkv has more than 1000000 frames"):
        Frames(sized_clip(tmp_path, 16, 16))


def test_a_pixel_shape_cannot_make_a_huge_picture(tmp_path: Path) -> None:
    path = tmp_path / "wide.mkv"
    run(["-f", "lavfi", "-i", "testsrc=s=640x360:r=5:d=0.6", "-vf", "setsar=100/1", "-c:v", "ffv1", path])
    for read in (Frames, picture, preview, READERS["job"], READERS["proxy"]):
        with pytest.raises(EngineError, match=r"with the pixel shape 100:1, .*64000x360 px"):
            read(path)


def test_max_pixels_is_checked_and_belongs_to_the_process(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"max_pixels must be a whole number of pixels, .*got 'many'"):
        ci.connect(home=tmp_path, max_pixels="many")  # type: ignore[arg-type]
    with pixels_at_most(bounds.PIXELS), ci.connect(home=tmp_path, max_pixels=70_000) as lab:
        clip = lab.upload(sized_clip(tmp_path, 320, 240))
        job = lab.submit(clip, SHARP)
        with pytest.raises(ci.JobFailed, match=r"320x240 px, over the bound of 0\.1 million pixels"):
            job.wait()
        with pytest.raises(ci.ServiceError, match=r"raise max_pixels in ci\.connect"):
            lab.client.video_info(clip.key)


def _png(wide: int, high: int) -> bytes:
    """Return a PNG of one bit a pixel, which is small however large its picture is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = zlib.compress(bytes(((wide + 7) // 8 + 1) * high), 9)
    head = struct.pack(">IIBBBBB", wide, high, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [6000, 13000, 20000])
def test_a_watermark_image_is_refused_by_its_header(side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mark.png"
    path.write_bytes(_png(side, side))
    monkeypatch.setattr(Pillow.Image, "convert", lambda *_: pytest.fail("the image was decoded"))
    image = ci.Image(url="http://b/mark.png", mode="Fixed", width=100, height=100)
    with pytest.raises((EngineError, ParameterError), match=r"Watermark\.1\.Image\.Url \S+ has .*over|more pixels"):
        draw_image(image, Size(320, 180), lambda _: path, leaf="Watermark.1")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "EPS", "ICO"])
def test_watermark_images_have_one_of_five_formats(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "mark.png"
    Pillow.new("RGB", (32, 32), "red").save(path, kind)
    image = ci.Image(url="http://b/mark.png", mode="Original")
    if kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        assert draw_image(image, Size(320, 180), lambda _: path).size == (32, 32)
    else:
        with pytest.raises(ParameterError, match="Use a PNG, JPEG, WebP, GIF or BMP object"):
            draw_image(image, Size(320, 180), lambda _: path)


def _encoded(container: str, codec: str) -> ci.VideoEnhance:
    video = ci.Video(codec=codec)
    return ci.VideoEnhance(transcode=ci.Transcode(container=ci.Container(format=container), video=video))


def _enlarged(version: str) -> ci.VideoEnhance:
    return ci.VideoEnhance(super_resolution=ci.SuperResolution(resolution="sdtohd", version=version))


_TEXT = ci.Watermark(
    type="Text", pos="BottomRight", loc_mode="Absolute", dx=5, dy=5,
    text=ci.Text(text="hello", font_size=20, font_type="simfang.ttf", font_color="0xFFFFFF", transparency=80),
)  # fmt: skip
_IMAGE = ci.Watermark(
    type="Image", pos="TopLeft", loc_mode="Relativity", dx=5, dy=5,
    image=ci.Image(url="http://b/m.png", mode="Proportion", width=10, transparency=80),
)  # fmt: skip
_HIDDEN = ci.DigitalWatermark(message="ci", type="Text", version="V1")

JOBS: dict[str, Operation] = {
    "nothing": Operation(video_enhance=ci.VideoEnhance()),
    "Base": Operation(video_enhance=_enlarged("Base")),
    "Enhance": Operation(video_enhance=_enlarged("Enhance")),
    "ColorEnhance": Operation(
        video_enhance=ci.VideoEnhance(
            color_enhance=ci.ColorEnhance(contrast=ci.AUTO, correction=ci.AUTO, saturation=ci.AUTO)
        )
    ),
    "MsSharpen": Operation(video_enhance=ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=ci.AUTO))),
    "SDRtoHDR": Operation(video_enhance=ci.VideoEnhance(sdr_to_hdr=ci.SDRtoHDR(hdr_mode="HDR10"))),
    "FrameDoubling": Operation(
        video_enhance=ci.VideoEnhance(frame_enhance=ci.FrameEnhance(frame_doubling=True))
    ),
    "text": Operation(video_enhance=SHARP, watermark=(_TEXT,)),
    "image": Operation(video_enhance=SHARP, watermark=(_IMAGE,)),
    "hidden": Operation(video_enhance=SHARP, digital_watermark=_HIDDEN),
    **{
        f"{codec} in {container}": Operation(video_enhance=_encoded(container, codec))
        for container, codec in (
            ("mp4", "H.265"), ("WebM", "VP8"), ("mkv", "VP9"), ("mp4", "AV1"), ("flv", "H.264"), ("avi", "H.264"),
            ("ts", "H.264"), ("hls", "H.264"), ("mov", "H.264"),
        )
    },
}  # fmt: skip
NARROW = {(1, 1), (2, 2), (8, 1000), (1000, 8)}
# Job → the sizes that it refuses. All other jobs take all sizes.
REFUSED: dict[str, set[tuple[int, int]]] = {
    "FrameDoubling": set(SIZES) - {(321, 181)},
    "H.265 in mp4": NARROW | {(8192, 16)},
    "AV1 in mp4": {(1, 1), (2, 2)},
}


def _even(side: int) -> int:
    return max(2, 2 * round(side / 2))


def _expected(name: str, size: tuple[int, int]) -> tuple[int, int]:
    times = 2 if name in ("Base", "Enhance") and min(size) < 1080 and max(size) <= 2048 else 1
    return _even(times * size[0]), _even(times * size[1])


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_each_stage_takes_a_size_or_names_it(size: tuple[int, int], tmp_path: Path) -> None:
    path, mark = sized_clip(tmp_path, *size), tmp_path / "m.png"
    Pillow.new("RGBA", (64, 40), "red").save(mark)
    for number, (name, operation) in enumerate(JOBS.items()):
        setting = operation.video_enhance or ci.VideoEnhance()
        try:
            made = render(operation, path, tmp_path / f"job{number}", fetch=lambda _: mark)
            video = first_video(made.media_info)
            assert (video.width, video.height) == _expected(name, size), name
            assert video.num_frames == (2 * FRAMES if name == "FrameDoubling" else FRAMES), name
            assert size not in REFUSED.get(name, ()), name
            assert any("sides have to be even" in one for one in made.changes) == (
                bool(size[0] % 2 or size[1] % 2) and name not in ("Base", "Enhance")
            ), name
            shown = preview(path, setting, watermarks=operation.watermark, fetch=lambda _: mark)
            assert (shown.width, shown.height) == _expected(name, size), name
        except (EngineError, ParameterError) as refusal:
            text = str(refusal)
            assert size in REFUSED.get(name, ()) or name == "hidden", f"{name}: {text}"
            assert "\n" not in text and _SAYS_SIZE.search(text), text
            if name != "hidden":  # it can be read back only from the output
                with pytest.raises(ParameterError, match=re.escape(text)):
                    preview(path, setting)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_each_reader_takes_a_size_or_names_it(size: tuple[int, int], tmp_path: Path) -> None:
    path = sized_clip(tmp_path, *size)
    wide, high = size
    assert (first_video(media_info(path)).width, first_video(media_info(path)).height) == size
    assert f"{wide}×{high}" in str(file_summary(path))
    output = render(Operation(video_enhance=SHARP), path, tmp_path / "job").files[0]
    with Frames(path) as frames, Frames(output) as made:
        assert (len(frames), frames.size, frames[1].shape) == (FRAMES, size, (high, wide, 3))
        assert frames.picture(1, width=300, box=(0.5, 0.5, 0.5, 0.5)).size > 0
        assert frames.difference(1, made, 1)[2] >= 0
    assert picture(path, 0.2).shape == (high, wide, 3)
    with Frames(spoil(path, tmp_path / "spoiled.mp4", crf=30)) as frames:
        assert frames.size == (_even(wide), _even(high))
    assert not any(math.isnan(value) for value in by_itself(path).values()), "a measure is no number"
    if min(size) < 18:
        with pytest.raises(EngineError, match=rf"Frames of {_even(wide)}x{_even(high)} px are too small to be scored"):
            compare(output, path)
    elif min(size) > 100:
        assert compare(output, path).pooled["vmaf"] > 80
