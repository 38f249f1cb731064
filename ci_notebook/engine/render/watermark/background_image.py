"""A watermark image with Background: the video is placed on the image, and the output holds both.

Decisions where the API says only that the image is under the video: the offsets, which are never
positive, say where the image starts left of and above the video (at Right and Bottom: how far it extends
beyond the video). Width and Height are shares of the video's. Other watermarks are placed on the whole.
Padding the video and overlaying an image with a hole is cheaper than overlaying two full pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.engine.render.watermark.watermark_overlay import (
    Fetch,
    Overlay,
    draw_image,
    enable_expression,
    overlay_position,
    prepare_overlays,
)
from ci_notebook.model.setting.shape import LARGEST, Size
from ci_notebook.model.setting.watermark import Watermark


@dataclass(frozen=True, slots=True)
class WatermarkLayout:
    """Watermarks ready to be overlaid, and the size of the output.

    `padding` is the filter that makes room for a background image.
    """

    overlays: tuple[Overlay, ...]
    size: Size
    padding: str = ""


def layout_watermarks(watermarks: tuple[Watermark, ...], size: Size, folder: Path, fetch: Fetch) -> WatermarkLayout:
    """Draw the watermarks' pictures for a video of `size`, over it or under it. Raises what `prepare_overlays` does."""
    backgrounds = [
        (number, watermark)
        for number, watermark in enumerate(watermarks, 1)
        if watermark.image and watermark.image.background
    ]
    if not backgrounds:
        return WatermarkLayout(prepare_overlays(watermarks, size, folder, fetch), size)
    number, watermark = backgrounds[0]
    leaf = f"Watermark.{number}"
    if len(backgrounds) > 1:
        raise _refusal(
            f"Watermark.{backgrounds[1][0]}.Image.Background true", "another image is already under the video"
        )
    if watermark.slide_config is not None and watermark.slide_config.slide_mode == "ScrollFromLeft":
        raise _refusal(f"{leaf}.SlideConfig.SlideMode ScrollFromLeft", "an image under the video cannot move")
    backdrop, layout = _backdrop(watermark, size, folder, fetch, leaf)
    # Errors count watermarks as the request does, so the background image is only skipped.
    overlays = prepare_overlays(watermarks, layout.size, folder, fetch, but=number)
    return WatermarkLayout((backdrop, *overlays), layout.size, layout.padding)


def _backdrop(
    watermark: Watermark, size: Size, folder: Path, fetch: Fetch, leaf: str
) -> tuple[Overlay, WatermarkLayout]:
    from PIL import Image as Pillow  # lazy: the thin client installs without it

    assert watermark.image is not None  # noqa: S101 - for the type checker: it was chosen for its image
    picture = draw_image(watermark.image, size, fetch, leaf=leaf)
    x, y = (int(one) for one in overlay_position(watermark, size, Size(*picture.size)))
    left, top = _even(max(0, -x)), _even(max(0, -y))  # of the video within the output
    width, height = _even(max(size.width, x + picture.width) + left), _even(max(size.height, y + picture.height) + top)
    if max(width, height) > LARGEST:
        raise RequestRefused(
            f"{leaf}.Image with the video on it would be {width}x{height}, over {LARGEST} px per side. Make it smaller."
        )
    whole = Pillow.new("RGBA", (width, height), "black")
    whole.alpha_composite(picture, (max(0, x + left), max(0, y + top)), (max(0, -x - left), max(0, -y - top)))
    whole.paste((0, 0, 0, 0), (left, top, left + size.width, top + size.height))
    path = folder / "backdrop.png"
    whole.save(path)
    layout = WatermarkLayout((), Size(width, height), f"pad={width}:{height}:{left}:{top}:black")
    return Overlay(path, "0", "0", enable_expression(watermark)), layout


def _even(length: int) -> int:
    return length - length % 2


def _refusal(what: str, why: str) -> RequestRefused:
    return RequestRefused(f"{what}: {why}. Leave it out.")
