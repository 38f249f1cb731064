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
    enable_expression,
    image_mark,
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


def layout_watermarks(marks: tuple[Watermark, ...], size: Size, folder: Path, fetch: Fetch) -> WatermarkLayout:
    """Draw the watermarks' pictures for a video of `size`, over it or under it. Raises what `prepare_overlays` does."""
    under = [(number, mark) for number, mark in enumerate(marks, 1) if mark.image and mark.image.background]
    if not under:
        return WatermarkLayout(prepare_overlays(marks, size, folder, fetch), size)
    number, mark = under[0]
    leaf = f"Watermark.{number}"
    if len(under) > 1:
        raise _refusal(f"Watermark.{under[1][0]}.Image.Background true", "another image is already under the video")
    if mark.slide_config is not None and mark.slide_config.slide_mode == "ScrollFromLeft":
        raise _refusal(f"{leaf}.SlideConfig.SlideMode ScrollFromLeft", "an image under the video cannot move")
    below, laid = _backdrop(mark, size, folder, fetch, leaf)
    # Errors count watermarks as the request does, so the background image is only skipped.
    above = prepare_overlays(marks, laid.size, folder, fetch, but=number)
    return WatermarkLayout((below, *above), laid.size, laid.padding)


def _backdrop(mark: Watermark, size: Size, folder: Path, fetch: Fetch, leaf: str) -> tuple[Overlay, WatermarkLayout]:
    from PIL import Image as Pillow  # lazy: the thin client installs without it

    assert mark.image is not None  # noqa: S101 - for the type checker: it was chosen for its image
    picture = image_mark(mark.image, size, fetch, leaf=leaf)
    x, y = (int(one) for one in overlay_position(mark, size, Size(*picture.size)))
    left, top = _even(max(0, -x)), _even(max(0, -y))  # of the video within the output
    wide, high = _even(max(size.width, x + picture.width) + left), _even(max(size.height, y + picture.height) + top)
    if max(wide, high) > LARGEST:
        raise RequestRefused(
            f"{leaf}.Image with the video on it would be {wide}x{high}, over {LARGEST} px per side. Make it smaller."
        )
    whole = Pillow.new("RGBA", (wide, high), "black")
    whole.alpha_composite(picture, (max(0, x + left), max(0, y + top)), (max(0, -x - left), max(0, -y - top)))
    whole.paste((0, 0, 0, 0), (left, top, left + size.width, top + size.height))
    path = folder / "backdrop.png"
    whole.save(path)
    laid = WatermarkLayout((), Size(wide, high), f"pad={wide}:{high}:{left}:{top}:black")
    return Overlay(path, "0", "0", enable_expression(mark)), laid


def _even(length: int) -> int:
    return length - length % 2


def _refusal(what: str, why: str) -> RequestRefused:
    return RequestRefused(f"{what}: {why}. Leave it out.")
