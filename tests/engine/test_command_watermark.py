"""A watermark appears at the requested place, time and size; a character without a glyph fails the job by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from ci_notebook.engine.render.render import render
from ci_notebook.engine.render.watermark import fonts
from ci_notebook.engine.render.watermark.fonts import FACES, face, missing
from ci_notebook.engine.render.watermark.watermark_overlay import (
    draw_image,
    draw_text,
    image_size,
    overlay_position,
    prepare_overlays,
)
from ci_notebook.media.ffmpeg import run
from ci_notebook.media.snapshot import picture
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.setting.enhance import SDRtoHDR, VideoEnhance
from ci_notebook.model.setting.shape import Size
from ci_notebook.model.setting.transcode import Container, Transcode, Video
from ci_notebook.model.setting.watermark import Image, SlideConfig, Text, Watermark

WORDS = Text(text="Hello 1-2_3", font_size=40, font_type="arial.ttf", font_color="0xFF0000", transparency=100)
MARK = Watermark(type="Text", pos="TopLeft", loc_mode="Absolute", dx=0, dy=0, text=WORDS)
LOGO = Image(url="logo.png", mode="Original", transparency=100)
VIDEO, OWN = Size(640, 360), Size(100, 40)


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of plain grey."""
    path = tmp_path_factory.mktemp("clips") / "grey.mp4"
    tag = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    run(["-f", "lavfi", "-i", f"color=0x808080:s=320x180:r=10:d=1,{tag}", "-c:v", "libx264", "-crf", "5", path])
    return path


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    path = tmp_path / "logo.png"
    Pillow.new("RGBA", (60, 30), (200, 100, 50, 255)).save(path)
    return path


def marked(source: Path, folder: Path, *marks: Watermark, logo: Path | None = None, codec: str = "H.264") -> Path:
    transcode = Transcode(container=Container(format="mp4"), video=Video(codec=codec, crf=8.0))  # type: ignore[arg-type]
    hdr = SDRtoHDR(hdr_mode="HDR10") if codec == "H.265" else None
    operation = Operation(video_enhance=VideoEnhance(transcode=transcode, sdr_to_hdr=hdr), watermark=marks)
    return render(operation, source, folder, fetch=lambda _: logo or Path("none")).files[0]


@pytest.mark.parametrize(
    ("pos", "where"),
    [
        ("TopLeft", (30, 20)), ("Top", (270, 20)), ("TopRight", (510, 20)), ("Left", (30, 160)), ("Center", (270, 160)),
        ("Right", (510, 160)), ("BottomLeft", (30, 300)), ("Bottom", (270, 300)), ("BottomRight", (510, 300)),
    ],
)  # fmt: skip
def test_an_offset_counts_from_the_anchored_edges_inwards(pos: str, where: tuple[int, int]) -> None:
    mark = dataclasses.replace(MARK, pos=pos, dx=30, dy=20)  # type: ignore[type-var]
    assert overlay_position(mark, VIDEO, OWN) == tuple(map(str, where))


def test_a_relative_offset_is_a_share_of_the_side() -> None:
    mark = dataclasses.replace(MARK, loc_mode="Relativity", dx=10, dy=50)
    assert overlay_position(mark, VIDEO, OWN) == ("64", "180")


def test_a_sliding_mark_moves_from_the_left_and_takes_no_offset() -> None:
    slide = SlideConfig(slide_mode="ScrollFromLeft", x_slide_speed=5, y_slide_speed=0)
    x, y = overlay_position(dataclasses.replace(MARK, dx=30, slide_config=slide), VIDEO, OWN)
    assert x == "mod(t*128.000,740)-100" and y == "0"
    off = SlideConfig(slide_mode="Default", x_slide_speed=5, y_slide_speed=5)
    assert overlay_position(dataclasses.replace(MARK, dx=30, slide_config=off), VIDEO, OWN) == ("30", "0")


@pytest.mark.parametrize(
    ("image", "size"),
    [
        ({"mode": "Original"}, (60, 30)),
        ({"mode": "Fixed", "width": 120}, (120, 60)),
        ({"mode": "Fixed", "height": 90}, (180, 90)),
        ({"mode": "Fixed", "width": 50, "height": 50}, (50, 50)),
        ({"mode": "Proportion", "width": 50}, (320, 160)),
        ({"mode": "Proportion", "height": 10}, (72, 36)),
        ({"mode": "Proportion", "width": 10, "height": 10}, (64, 36)),
    ],
)
def test_an_image_is_as_large_as_its_mode_says(image: dict[str, object], size: tuple[int, int]) -> None:
    out_size = image_size(Image(url="x", transparency=100, **image), VIDEO, Size(60, 30))  # type: ignore[arg-type]
    assert (out_size.width, out_size.height) == size


def test_the_colour_on_the_video_is_the_colour_that_was_asked(grey: Path, logo: Path, tmp_path: Path) -> None:
    mark = Watermark(type="Image", pos="Center", loc_mode="Absolute", dx=0, dy=0, image=LOGO)
    image = picture(marked(grey, tmp_path, mark, logo=logo), 0.5)
    assert np.abs(image[85:95, 140:180].mean(axis=(0, 1)) - (200, 100, 50)).max() < 4
    assert np.abs(image[:60].astype(int) - 128).max() < 6


def test_transparency_is_opacity(grey: Path, logo: Path, tmp_path: Path) -> None:
    half = dataclasses.replace(LOGO, transparency=50)
    mark = Watermark(type="Image", pos="Center", loc_mode="Absolute", dx=0, dy=0, image=half)
    image = picture(marked(grey, tmp_path, mark, logo=logo), 0.5)
    assert np.abs(image[85:95, 140:180].mean(axis=(0, 1)) - (164, 114, 89)).max() < 5


@pytest.mark.slow
def test_a_mark_is_as_white_on_hdr_as_the_pictures_white(grey: Path, tmp_path: Path) -> None:
    white = tmp_path / "white.png"
    Pillow.new("RGB", (60, 30), (255, 255, 255)).save(white)
    mark = Watermark(type="Image", pos="Center", loc_mode="Absolute", dx=0, dy=0, image=LOGO)
    image = picture(marked(grey, tmp_path, mark, logo=white, codec="H.265"), 0.5)
    assert image[88:92, 150:170].min() > 250
    assert np.abs(image[:60].astype(int) - 128).max() < 8


def test_a_mark_is_there_only_in_its_time(grey: Path, tmp_path: Path) -> None:
    timed = dataclasses.replace(MARK, start_time=0.3, end_time=0.6)
    path = marked(grey, tmp_path, timed)
    reds = [int(picture(path, at)[..., 0].max()) - int(picture(path, at)[..., 1].min()) > 100 for at in (0.1, 0.4, 0.8)]
    assert reds == [False, True, False]


def test_a_sliding_mark_is_seen_to_move(grey: Path, tmp_path: Path) -> None:
    slide = SlideConfig(slide_mode="ScrollFromLeft", x_slide_speed=10, y_slide_speed=0)
    path = marked(grey, tmp_path, dataclasses.replace(MARK, slide_config=slide))

    def right_edge(at_s: float) -> int:
        image = picture(path, at_s).astype(int)
        return int(np.flatnonzero((image[..., 0] - image[..., 1]).max(axis=0) > 80).max(initial=0))

    assert right_edge(0.2) < right_edge(0.5) < right_edge(0.9)


def test_three_watermarks_overlap_in_their_order(grey: Path, logo: Path, tmp_path: Path) -> None:
    image = Watermark(type="Image", pos="TopLeft", loc_mode="Absolute", dx=0, dy=0, image=LOGO)
    corner = dataclasses.replace(MARK, pos="BottomRight")
    display = picture(marked(grey, tmp_path, MARK, corner, image, logo=logo), 0.5)
    assert np.abs(display[10:20, 10:50].mean(axis=(0, 1)) - (200, 100, 50)).max() < 4
    assert (display[140:, 160:, 0].astype(int) - display[140:, 160:, 1]).max() > 100


@pytest.mark.parametrize("name", sorted(FACES))
def test_latin_text_is_drawn_in_every_typeface_of_the_api(name: str) -> None:
    mark = draw_text(dataclasses.replace(WORDS, font_type=name))  # type: ignore[type-var]
    assert mark.width > 100 and mark.height > 20
    assert mark.getpixel((0, 0))[:3] == (255, 0, 0)  # colour where nothing is seen, so that no edge turns dark
    assert mark.getchannel("A").getextrema()[1] == 255


def test_the_size_of_a_text_follows_its_font_size() -> None:
    small, large = (draw_text(dataclasses.replace(WORDS, font_size=size)) for size in (20, 60))
    assert large.height == pytest.approx(3 * small.height, rel=0.15)


def test_chinese_is_drawn_with_real_signs_or_refused_by_name_but_never_as_boxes() -> None:
    words = dataclasses.replace(WORDS, text="水印内容", font_type="simhei.ttf")
    try:
        font = face("simhei.ttf", 40, "水印内容")
    except (EngineError, ParameterError) as refused:
        assert str(refused).startswith("Watermark.Text.Text 水印内容: no typeface on this machine has the characters")
        assert "pip install" in str(refused)
        return
    assert missing(font, "水印内容") == ""
    assert draw_text(words).width > 120


def test_a_machine_without_chinese_signs_refuses_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_package_file", lambda *_: None)
    monkeypatch.setattr(fonts, "_system_fonts", dict)
    with pytest.raises(
        EngineError, match=r"Watermark\.2\.Text\.Text 水印: .* Install a free one: .*pip install"
    ) as caught:
        face("simhei.ttf", 40, "水印", leaf="Watermark.2.Text.Text")
    assert caught.value.code == "InvalidArgument"


def test_chinese_in_a_typeface_that_holds_none_is_refused_with_one_that_does() -> None:
    with pytest.raises(ParameterError, match=r"arial\.ttf has no Chinese characters\. Set FontType to simhei\.ttf"):
        face("arial.ttf", 20, "水印")


def test_a_mark_that_is_no_picture_is_refused_by_name(grey: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"Watermark\.Image\.Url logo\.png is not an image") as caught:
        draw_image(LOGO, VIDEO, lambda _: grey)
    assert caught.value.code == "ResourceNotSupported"
    huge = dataclasses.replace(LOGO, mode="Proportion", width=100, height=100)
    with pytest.raises(ParameterError, match="over 4096 px"):
        prepare_overlays(
            (dataclasses.replace(MARK, type="Image", image=huge),), Size(5000, 2000), tmp_path, lambda _: _png(tmp_path)
        )


def _png(folder: Path) -> Path:
    path = folder / "any.png"
    Pillow.new("L", (8, 8)).save(path)
    return path


def under(folder: Path, source: Path, *marks: Watermark) -> np.ndarray:
    Pillow.new("RGB", (200, 100), (0, 0, 255)).save(folder / "blue.png")
    return picture(marked(source, folder, *marks, logo=folder / "blue.png"), 0.5)


def test_a_video_is_drawn_over_its_background_image(grey: Path, tmp_path: Path) -> None:
    image = Image(url="blue.png", mode="Proportion", width=150, height=200, transparency=100, background=True)
    below = Watermark(type="Image", pos="TopLeft", loc_mode="Absolute", dx=-40, dy=-60, image=image)
    words = dataclasses.replace(MARK, dx=4, dy=4)
    frame = under(tmp_path, grey, words, below)
    assert frame.shape == (360, 480, 3)
    assert np.abs(frame[300, 400].astype(int) - (0, 0, 255)).max() < 12  # the picture
    assert np.abs(frame[70:230, 50:350].astype(int) - 128).max() < 6  # the video, where the offsets say, and whole
    corner = frame[:50, :150].astype(int)
    assert (corner[..., 0] - corner[..., 2]).max() > 150  # the other watermark is on both


@pytest.mark.slow
def test_a_background_picture_is_faint_over_black_and_ends_when_asked(grey: Path, tmp_path: Path) -> None:
    image = Image(url="blue.png", mode="Fixed", width=400, height=200, transparency=50, background=True)
    below = Watermark(type="Image", pos="Center", loc_mode="Absolute", dx=0, dy=0, image=image)
    frame = under(tmp_path, grey, below)
    assert frame.shape == (200, 400, 3)
    assert np.abs(frame[5, 5].astype(int) - (0, 0, 128)).max() < 12
    assert np.abs(frame[100, 200].astype(int) - 128).max() < 6
    over = under(tmp_path, grey, dataclasses.replace(below, end_time=0.3))
    assert over[5, 5].max() < 12


def test_two_pictures_under_a_video_or_one_that_slides_are_refused_by_name(grey: Path, tmp_path: Path) -> None:
    image = Image(url="blue.png", mode="Original", transparency=100, background=True)
    below = Watermark(type="Image", pos="Center", loc_mode="Absolute", dx=0, dy=0, image=image)
    with pytest.raises(ParameterError, match=r"Watermark\.2\.Image\.Background true: another image"):
        under(tmp_path, grey, below, below)
    slide = SlideConfig(slide_mode="ScrollFromLeft", x_slide_speed=5, y_slide_speed=0)
    with pytest.raises(ParameterError, match=r"Watermark\.1\.SlideConfig"):
        under(tmp_path, grey, dataclasses.replace(below, slide_config=slide))
