"""Marks laid over the pictures, seen (`Watermark`) and unseen (`DigitalWatermark`) (§5)."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.declaration.node import Node, Param

# Chinese, Latin letters, digits, `_ - *`; and the space, because the page's own samples hold one.
_WORD = r"[0-9A-Za-z_\-* \u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
_WORD_TEXT = "at most 64 characters of Chinese, letters, digits, _ - * and space"


class SlideConfig(Node):
    """A moving mark; it disables the offsets and does not go with H.265."""

    slide_mode: Annotated[Literal["Default", "ScrollFromLeft"] | None, Param("Default is off.", required=True)] = None
    x_slide_speed: Annotated[
        int | None, Param("Speed across.", 0, 10, required=True, default="0", tag="XSlideSpeed")
    ] = None
    y_slide_speed: Annotated[int | None, Param("Speed down.", 0, 10, required=True, default="0", tag="YSlideSpeed")] = (
        None
    )


class Image(Node):
    """A picture as a mark."""

    url: Annotated[str | None, Param("Address of the picture, in the same bucket.", required=True, common=True)] = None
    mode: Annotated[
        Literal["Original", "Proportion", "Fixed"] | None,
        Param("Own size, a share of the video's, or fixed.", required=True, common=True),
    ] = None
    width: Annotated[int | None, Param("Proportion: % of the video's width; Fixed: px.", 1, 4096, "% or px")] = None
    height: Annotated[int | None, Param("Proportion: % of the video's height; Fixed: px.", 1, 4096, "% or px")] = None
    transparency: Annotated[int | None, Param("Opacity: 100 hides what is below.", 1, 100, "%", required=True)] = None
    background: Annotated[bool | None, Param("Lay the picture under the video.", default="false")] = None


class Text(Node):
    """A text as a mark."""

    text: Annotated[
        str | None,
        Param("What it says.", required=True, common=True, pattern=_WORD + "+", allowed=_WORD_TEXT, max_chars=64),
    ] = None
    font_size: Annotated[int | None, Param("Size.", 5, 100, "px", required=True, common=True)] = None
    font_type: Annotated[
        Literal[
            "simfang.ttf", "simhei.ttf", "simkai.ttf", "simsun.ttc", "STHeiti-Light.ttc", "STHeiti-Medium.ttc",
            "youyuan.TTF", "ariblk.ttf", "arial.ttf", "ahronbd.ttf", "Helvetica.dfont", "HelveticaNeue.dfont", "",
        ] | None,
        Param("Typeface; the page's samples also send it empty.", required=True),
    ] = None  # fmt: skip
    font_color: Annotated[
        str | None, Param("Colour.", required=True, pattern="0x[0-9A-Fa-f]{6}", allowed="0xRRGGBB")
    ] = None
    transparency: Annotated[int | None, Param("Opacity: 100 hides what is below.", 1, 100, "%", required=True)] = None


class Watermark(Node):
    """One visible mark."""

    type: Annotated[Literal["Text", "Image"] | None, Param("Kind.", required=True, common=True)] = None
    pos: Annotated[
        Literal["TopRight", "TopLeft", "BottomRight", "BottomLeft", "Left", "Right", "Top", "Bottom", "Center"] | None,
        Param("Anchor.", required=True, common=True),
    ] = None
    loc_mode: Annotated[
        Literal["Relativity", "Absolute"] | None, Param("Offsets in % or px.", required=True, common=True)
    ] = None
    dx: Annotated[
        float | None, Param("Offset across; no effect at Top, Bottom, Center.", -4096, 4096, "% or px", required=True)
    ] = None
    dy: Annotated[
        float | None, Param("Offset down; no effect at Left, Right, Center.", -4096, 4096, "% or px", required=True)
    ] = None
    start_time: Annotated[float | None, Param("From.", 0, unit="s", default="0")] = None
    end_time: Annotated[float | None, Param("Until.", 0, unit="s", default="end of video")] = None
    slide_config: Annotated[SlideConfig | None, Param("Motion.")] = None
    image: Annotated[Image | None, Param("The picture, for Type Image.")] = None
    text: Annotated[Text | None, Param("The text, for Type Text.")] = None


class DigitalWatermark(Node):
    """A text hidden in the pictures."""

    message: Annotated[
        str | None,
        Param("What is hidden.", required=True, common=True, pattern=_WORD + "+", allowed=_WORD_TEXT, max_chars=64),
    ] = None
    type: Annotated[Literal["Text"] | None, Param("Kind.", required=True)] = None
    version: Annotated[Literal["V1"] | None, Param("Version.", required=True)] = None
    ignore_error: Annotated[bool | None, Param("Go on if the mark cannot be hidden.", default="false")] = None
    state: Annotated[Literal["Running", "Success", "Failed"] | None, Param("Outcome.", reply=True)] = None


class ExtractDigitalWatermark(Node):
    """Reading a hidden text back: a job of its own."""

    type: Annotated[Literal["Text"] | None, Param("Kind.", required=True)] = None
    version: Annotated[Literal["V1"] | None, Param("Version.", required=True)] = None
    message: Annotated[str | None, Param("What was found.", reply=True)] = None
