"""Watermarks on the video: visible (`Watermark`) and invisible (`DigitalWatermark`)."""

from __future__ import annotations

from typing import Annotated, Literal

from ci_notebook.model.declaration.node import Node, Param

# Chinese, Latin letters, digits, `_ - *`, and the space, because the samples on the API page contain one.
_WORD = r"[0-9A-Za-z_\-* \u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
_WORD_TEXT = "at most 64 characters of Chinese, letters, digits, _ - * and space"


class SlideConfig(Node):
    """Motion of a watermark; it disables the offsets and does not work with H.265."""

    slide_mode: Annotated[
        Literal["Default", "ScrollFromLeft"] | None, Param("Type of motion; Default means none.", required=True)
    ] = None
    x_slide_speed: Annotated[
        int | None, Param("Horizontal speed.", 0, 10, required=True, default="0", tag="XSlideSpeed")
    ] = None
    y_slide_speed: Annotated[
        int | None, Param("Vertical speed.", 0, 10, required=True, default="0", tag="YSlideSpeed")
    ] = None


class Image(Node):
    """An image as a watermark."""

    url: Annotated[str | None, Param("URL of the image, in the same bucket.", required=True, common=True)] = None
    mode: Annotated[
        Literal["Original", "Proportion", "Fixed"] | None,
        Param("Size of the image: original, in percent of the video, or fixed.", required=True, common=True),
    ] = None
    width: Annotated[int | None, Param("Proportion: % of the video's width; Fixed: px.", 1, 4096, "% or px")] = None
    height: Annotated[int | None, Param("Proportion: % of the video's height; Fixed: px.", 1, 4096, "% or px")] = None
    transparency: Annotated[int | None, Param("Opacity: 100 is fully opaque.", 1, 100, "%", required=True)] = None
    background: Annotated[bool | None, Param("Show the image behind the video.", default="false")] = None


class Text(Node):
    """A text as a watermark."""

    text: Annotated[
        str | None,
        Param("The text.", required=True, common=True, pattern=_WORD + "+", allowed=_WORD_TEXT, max_chars=64),
    ] = None
    font_size: Annotated[int | None, Param("Font size.", 5, 100, "px", required=True, common=True)] = None
    font_type: Annotated[
        Literal[
            "simfang.ttf", "simhei.ttf", "simkai.ttf", "simsun.ttc", "STHeiti-Light.ttc", "STHeiti-Medium.ttc",
            "youyuan.TTF", "ariblk.ttf", "arial.ttf", "ahronbd.ttf", "Helvetica.dfont", "HelveticaNeue.dfont", "",
        ] | None,
        Param("Font; the samples on the API page also send it empty.", required=True),
    ] = None  # fmt: skip
    font_color: Annotated[
        str | None, Param("Text colour.", required=True, pattern="0x[0-9A-Fa-f]{6}", allowed="0xRRGGBB")
    ] = None
    transparency: Annotated[int | None, Param("Opacity: 100 is fully opaque.", 1, 100, "%", required=True)] = None


class Watermark(Node):
    """One visible watermark."""

    type: Annotated[Literal["Text", "Image"] | None, Param("Type of watermark.", required=True, common=True)] = None
    pos: Annotated[
        Literal["TopRight", "TopLeft", "BottomRight", "BottomLeft", "Left", "Right", "Top", "Bottom", "Center"] | None,
        Param("Position in the picture.", required=True, common=True),
    ] = None
    loc_mode: Annotated[
        Literal["Relativity", "Absolute"] | None,
        Param("Unit of the offsets: Relativity is %, Absolute is px.", required=True, common=True),
    ] = None
    dx: Annotated[
        float | None,
        Param("Horizontal offset; no effect at Top, Bottom, Center.", -4096, 4096, "% or px", default="0"),
    ] = None
    dy: Annotated[
        float | None, Param("Vertical offset; no effect at Left, Right, Center.", -4096, 4096, "% or px", default="0")
    ] = None
    start_time: Annotated[float | None, Param("Time at which it appears.", 0, unit="s", default="0")] = None
    end_time: Annotated[float | None, Param("Time at which it disappears.", 0, unit="s", default="end of video")] = None
    slide_config: Annotated[SlideConfig | None, Param("Motion.")] = None
    image: Annotated[Image | None, Param("The image, for Type Image.")] = None
    text: Annotated[Text | None, Param("The text, for Type Text.")] = None


class DigitalWatermark(Node):
    """A text hidden in the frames."""

    message: Annotated[
        str | None,
        Param("The hidden text.", required=True, common=True, pattern=_WORD + "+", allowed=_WORD_TEXT, max_chars=64),
    ] = None
    type: Annotated[Literal["Text"] | None, Param("Type of watermark.", required=True)] = None
    version: Annotated[Literal["V1"] | None, Param("Version.", required=True)] = None
    ignore_error: Annotated[bool | None, Param("Continue if the watermark cannot be embedded.", default="false")] = None
    state: Annotated[Literal["Running", "Success", "Failed"] | None, Param("Result of embedding.", reply=True)] = None


class ExtractDigitalWatermark(Node):
    """Extraction of a digital watermark, which is a separate job."""

    type: Annotated[Literal["Text"] | None, Param("Type of watermark.", required=True)] = None
    version: Annotated[Literal["V1"] | None, Param("Version.", required=True)] = None
    message: Annotated[str | None, Param("The extracted text.", reply=True)] = None
