"""Visible watermarks: each becomes one picture with a position and a time.

Decisions where the API says too little: an offset counts inwards from the anchored edges; a percentage
refers to the output's width or height; a Text's box is the box of its ink; a slide speed of n is 4n
percent of the width (or height) per second. Watermarks are overlaid before SDRtoHDR, so that their white
is the video's white. On a source that is HDR they are coded as HDR, with diffuse white.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.engine.render.watermark.fonts import face
from ci_notebook.media.images import UnreadableImage, open_image
from ci_notebook.media.snapshot import pillow
from ci_notebook.model.setting.shape import LARGEST, Size
from ci_notebook.model.setting.watermark import Image, SlideConfig, Text, Watermark

Fetch = Callable[[str], Path]
_SLIDE_SHARE = 0.04  # of a side, per second and unit of speed


@dataclass(frozen=True, slots=True)
class Overlay:
    """A picture with transparency, and where and when it appears. `x` and `y` are px or expressions of t."""

    path: Path
    x: str
    y: str
    enable: str = ""

    def lines(self, below: str, picture: str, out: str, *, matrix: str, deep: bool, coding: str = "") -> list[str]:
        """Return the lines of the filter graph that overlay this picture on the stream `below`.

        `coding` is the filter that codes R'G'B' like that stream, for HDR and wide primaries.
        """
        enable = f":enable='{self.enable}'" if self.enable else ""
        kind, alpha = ("yuv420p10", "yuva420p10le") if deep else ("yuv420", "yuva420p")
        ready = f"{picture.replace(':', '_')}m"
        plain = f"scale=out_color_matrix={matrix}:in_range=pc:out_range=tv"
        coded = f"format=gbrap,{coding}" if coding else plain
        return [
            f"[{picture}]{coded},format={alpha}[{ready}]",
            f"[{below}][{ready}]overlay=x='{self.x}':y='{self.y}':format={kind}{enable}[{out}]",
        ]


def prepare_overlays(
    watermarks: tuple[Watermark, ...], size: Size, folder: Path, fetch: Fetch, *, but: int = 0
) -> tuple[Overlay, ...]:
    """Draw or fetch the watermarks' pictures into `folder`; return how to overlay them on a video of `size`.

    `but` is the number of a watermark to skip. Raises `RequestRefused` naming the leaf for an unreadable
    image, and `EngineError` for a character without a typeface.
    """
    overlays = []
    for number, watermark in enumerate(watermarks, 1):
        if number == but:
            continue
        leaf = f"Watermark.{number}"
        if watermark.type == "Image" and watermark.image is not None:
            picture = draw_image(watermark.image, size, fetch, leaf=leaf)
        elif watermark.type == "Text" and watermark.text is not None:
            picture = draw_text(watermark.text, leaf=leaf)
        else:
            raise RequestRefused(f"{leaf} needs a node {watermark.type or 'Text or Image'}.")
        path = folder / f"mark{number}.png"
        picture.save(path)
        x, y = overlay_position(watermark, size, Size(*picture.size))
        overlays.append(Overlay(path, x, y, enable_expression(watermark)))
    return tuple(overlays)


def overlay_position(watermark: Watermark, size: Size, own: Size) -> tuple[str, str]:
    """Return the top left corner of a watermark of size `own` on a video of `size`: px or expressions of t."""
    slide = watermark.slide_config
    if slide is not None and slide.slide_mode == "ScrollFromLeft":
        return _sliding(slide, size, own)
    share_x, share_y = (size.width / 100, size.height / 100) if watermark.loc_mode == "Relativity" else (1, 1)
    dx, dy = round((watermark.dx or 0) * share_x), round((watermark.dy or 0) * share_y)
    pos = watermark.pos or "TopLeft"
    x, y = (size.width - own.width) // 2, (size.height - own.height) // 2
    if "Left" in pos:
        x = dx
    elif "Right" in pos:
        x = size.width - own.width - dx
    if "Top" in pos:
        y = dy
    elif "Bottom" in pos:
        y = size.height - own.height - dy
    return str(x), str(y)


def draw_text(text: Text, *, leaf: str = "Watermark") -> Any:
    """Return a text as a Pillow RGBA picture, as large as its ink."""
    from PIL import Image as Pillow  # lazy: the thin client installs without it
    from PIL import ImageDraw

    words = text.text or ""
    font = face(text.font_type, text.font_size or 20, words, leaf=f"{leaf}.Text.Text")
    left, top, right, bottom = (int(edge) for edge in font.getbbox(words))
    ink = Pillow.new("L", (max(1, right - left), max(1, bottom - top)), 0)
    ImageDraw.Draw(ink).text((-left, -top), words, font=font, fill=round(2.55 * (text.transparency or 100)))
    # The color fills the picture and only the ink is opaque; otherwise black would bleed into the edges.
    picture = Pillow.new("RGBA", ink.size, "#" + (text.font_color or "0xFFFFFF")[2:])
    picture.putalpha(ink)
    return picture


def draw_image(image: Image, size: Size, fetch: Fetch, *, leaf: str = "Watermark") -> Any:
    """Return a watermark image as a Pillow RGBA picture, in the size that Mode asks for."""
    what = f"{leaf}.Image.Url {image.url}"
    try:
        with open_image(fetch(image.url or ""), what, pixels=LARGEST * LARGEST) as opened:
            target = image_size(image, size, Size(*opened.size))
            _refuse_large(target, leaf)
            picture = opened.convert("RGBA")
    except UnreadableImage as problem:
        raise RequestRefused(
            f"{what} is not an image that can be read. Use a PNG, JPEG, WebP, GIF or BMP object of the bucket.",
            code="ResourceNotSupported",
        ) from problem
    if target != Size(*picture.size):
        picture = picture.resize((target.width, target.height), pillow().Resampling.LANCZOS)
    if image.transparency is not None and image.transparency < 100:
        share = image.transparency / 100
        picture.putalpha(picture.getchannel("A").point(lambda value: round(value * share)))
    return picture


def _refuse_large(target: Size, leaf: str) -> None:
    if max(target.width, target.height) > LARGEST:
        raise RequestRefused(
            f"{leaf}.Image would be {target.width}x{target.height}, over {LARGEST} px per side. Make it smaller."
        )


def image_size(image: Image, size: Size, own: Size) -> Size:
    """Return the size of a watermark image on a video of `size`; a single given side keeps the image's shape."""
    if image.mode == "Original" or (image.width is None and image.height is None):
        return own
    wide, high = (size.width / 100, size.height / 100) if image.mode == "Proportion" else (1.0, 1.0)
    width = image.width * wide if image.width else None
    height = image.height * high if image.height else None
    if width is None:
        width = own.width * (height or own.height) / own.height
    if height is None:
        height = own.height * width / own.width
    return Size(max(1, round(width)), max(1, round(height)))


def _sliding(slide: SlideConfig, size: Size, own: Size) -> tuple[str, str]:
    """Return a position that moves in from the left and starts again past the right edge; YSlideSpeed: downwards."""
    across, down = (
        (slide.x_slide_speed or 0) * _SLIDE_SHARE * size.width,
        (slide.y_slide_speed or 0) * _SLIDE_SHARE * size.height,
    )
    x = f"mod(t*{across:.3f},{size.width + own.width})-{own.width}" if across else "0"
    y = f"mod(t*{down:.3f},{size.height + own.height})-{own.height}" if down else "0"
    return x, y


def enable_expression(watermark: Watermark) -> str:
    """Return FFmpeg's expression for the time in which a watermark is visible, empty for always."""
    limits = [f"gte(t,{watermark.start_time:.3f})"] if watermark.start_time else []
    if watermark.end_time is not None:
        limits.append(f"lt(t,{watermark.end_time:.3f})")
    return "*".join(limits)
