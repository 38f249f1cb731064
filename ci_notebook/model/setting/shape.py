"""Size, crop, frame rate and length of an output, computed from the setting and the source.

The service documents neither targets nor limits, so they are decided here. SuperResolution doubles
each side (the documented callback sample turns 544x960 into 1088x1920). If the source's short side
already reaches the target class, the size stays and the model only cleans the picture. EnableScaleUp
scales further, up to the short side of the class, if doubling does not reach it. Width and Height
override both. Sides are always even. A stage makes none longer than 4096 px, which the API documents for Width and
Height; a source that is larger already keeps its size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ci_notebook.model.api.media_info import MediaInfo, VideoStream
from ci_notebook.model.bounds import check_frame
from ci_notebook.model.errors import EngineError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import TransConfig, Video

TARGETS = {"sdtohd": 1080, "hdto4k": 2160}  # short side, px
LARGEST = 4096
_RIGHT_ANGLE = 1.0  # degrees of tolerance
_VIDEO = "VideoEnhance.Transcode.Video"


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in square pixels."""

    width: int
    height: int

    @property
    def short(self) -> int:
        """The shorter side."""
        return min(self.width, self.height)


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """The sizes from the source to the output.

    `shown` is the source as players show it (rotated, square pixels), `cut` its size after crop and
    rotation, `out` the output. `is_rounded` means that it differs from
    the source only because sides have to be even. `limited_from` is the size that
    SuperResolution would make without the largest side. `enlarges` is True when SuperResolution changes the size.
    """

    shown: Size
    cut: Size
    out: Size
    crop: tuple[int, int, int, int] | None = None
    rotate: float = 0.0
    method: str = "scale"
    is_rounded: bool = False
    limited_from: Size | None = None

    @property
    def enlarges(self) -> bool:
        """True when the output is larger than the cropped source, by more than the pixel that makes a side even."""
        return self.out.width > self.cut.width + 1 or self.out.height > self.cut.height + 1


def plan(setting: VideoEnhance, source: MediaInfo) -> OutputPlan:
    """Return the sizes. Raises `EngineError` with the leaf that does not fit the source."""
    video = setting.transcode.video if setting.transcode else None
    config = setting.transcode.trans_config if setting.transcode else None
    video = video or Video()
    shown = shown_size(source)
    crop = _crop(video.crop, shown)
    cut = Size(*crop[:2]) if crop else shown
    cut = _rotated(cut, video.rotate or 0.0)
    requested = _requested(video, cut)
    if requested is not None:
        requested = _checked(requested, cut, config)
    out, wanted = (requested, None) if requested is not None else _enlarged(setting, cut)
    is_rounded = requested is None and out == cut != _even(cut.width, cut.height)
    out = _even(out.width, out.height)
    check_frame(cut.width, cut.height, "After Crop and Rotate, the video")
    check_frame(out.width, out.height, "The output")
    method = (config.adj_dar_method if config else None) or "scale"
    return OutputPlan(
        shown, cut, out, crop, video.rotate or 0.0, "scale" if method == "none" else method,
        is_rounded=is_rounded, limited_from=wanted,
    )  # fmt: skip


def shown_size(source: MediaInfo) -> Size:
    """Return the source's size as players show it: square pixels, rotated by its metadata, each side 1 px or more.

    Raises `EngineError` for a rotation that is not a multiple of 90°, and for a size over the bound: a file may say
    that a pixel is a thousand times as wide as high.
    """
    video = first_video(source)
    turn = (video.rotation or 0.0) % 90
    if min(turn, 90 - turn) > _RIGHT_ANGLE:
        raise EngineError(
            f"The metadata of the video turns it by {video.rotation:g}°. Only multiples of 90° can be shown. "
            "Remove the rotation from the file, or rotate the frames when you encode it.",
            code="ResourceNotSupported",
        )
    width, height = video.width or 0, video.height or 0
    across, _, down = (video.sar or "1:1").partition(":")
    if across.isdigit() and down.isdigit() and int(across) and int(down):
        width = max(1, round(width * int(across) / int(down)))
        check_frame(width, height, f"Shown with the pixel shape {video.sar}, the video")
    return Size(height, width) if round((video.rotation or 0) / 90) % 2 else Size(width, height)


def source_rate(source: MediaInfo) -> float:
    """Return the source's frames per second; 25 if the file does not say."""
    return first_video(source).fps or 25.0


def rates(setting: VideoEnhance, source: MediaInfo) -> tuple[float, float, float]:
    """Return the frames per second of the source, after interpolation, and of the output.

    FrameDoubling doubles the source's rate; Fps then says how many of those frames are kept.
    """
    transcode = setting.transcode
    rate = source_rate(source)
    doubled = rate * 2 if setting.frame_enhance and setting.frame_enhance.frame_doubling else rate
    requested = transcode.video.fps if transcode and transcode.video else None
    config = transcode.trans_config if transcode else None
    if requested and config and config.is_check_video_fps and requested > doubled:
        if config.video_fps_adj_method == 1:
            raise _too_much(
                f"{_VIDEO}.Fps", requested, f"over the source's {doubled:g} per second", "VideoFpsAdjMethod"
            )
        requested = doubled
    return rate, doubled, requested or doubled


def length_s(setting: VideoEnhance, source: MediaInfo) -> float | None:
    """Return the length of the output in seconds, or None if the file does not say."""
    whole = (source.format.duration if source.format else None) or first_video(source).duration
    if whole is None:
        return None
    interval = setting.transcode.time_interval if setting.transcode else None
    start = (interval.start if interval else None) or 0.0
    if start >= whole:
        raise EngineError(
            f"VideoEnhance.Transcode.TimeInterval.Start is {start:g} s, but the source is {whole:g} s long. "
            "Choose an earlier start.",
            code="InvalidArgument",
        )
    left = whole - start
    length = interval.duration if interval else None
    return min(left, length) if length else left


def first_video(info: MediaInfo, name: str = "the source") -> VideoStream:
    """Return the first video stream. Raises `EngineError` when there is none."""
    streams = info.stream.video if info.stream else ()
    if not streams or not streams[0].width or not streams[0].height:
        raise EngineError(f"{name} has no video stream. Use a video file.", code="ResourceNotSupported")
    return streams[0]


def _crop(text: str | None, shown: Size) -> tuple[int, int, int, int] | None:
    if not text:
        return None
    try:
        width, height, left, top = (int(word) for word in text.split(":"))
        fits = width > 0 and height > 0 and left >= 0 and top >= 0
        fits = fits and left + width <= shown.width and top + height <= shown.height
    except ValueError:
        fits = False
    if not fits:
        raise EngineError(
            f"{_VIDEO}.Crop must be width:height:left:top inside the source's {shown.width}x{shown.height} "
            f"(got {text}).",
            code="InvalidArgument",
        )
    return width - width % 2, height - height % 2, left, top


def _rotated(size: Size, degrees: float) -> Size:
    if degrees % 180 == 0:
        return size
    if degrees % 180 == 90:
        return Size(size.height, size.width)
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    return _even(size.width * cosine + size.height * sine, size.width * sine + size.height * cosine)


def _requested(video: Video, cut: Size) -> Size | None:
    width, height = video.width, video.height
    if video.long_short_mode and cut.height > cut.width:
        width, height = height, width  # Width is the long side, Height the short one
    if width and height:
        return Size(width, height)
    if width:
        return _derived("Width", width, width, cut.height * width / cut.width, cut)
    return _derived("Height", height, cut.width * height / cut.height, height, cut) if height else None


def _derived(leaf: str, value: int, width: float, height: float, cut: Size) -> Size:
    """Return the size that one given side and the shape of the source make. Raises `EngineError` for an extreme one."""
    size = _even(width, height)
    if min(width, height) >= 1 and max(size.width, size.height) <= LARGEST:
        return size
    other = "Height" if leaf == "Width" else "Width"
    raise EngineError(
        f"{_VIDEO}.{leaf} {value} makes {max(1, round(width))}x{max(1, round(height))} of the source's "
        f"{cut.width}x{cut.height}, and a side needs 1 to {LARGEST} px. Set {other}, too, or another {leaf}.",
        code="InvalidArgument",
    )


def _checked(requested: Size, cut: Size, config: TransConfig | None) -> Size:
    if config is None or not config.is_check_reso or requested.width * requested.height <= cut.width * cut.height:
        return requested
    if config.reso_adj_method == 1:
        size = f"{requested.width}x{requested.height}"
        raise _too_much(f"{_VIDEO}.Width", size, f"over the source's {cut.width}x{cut.height}", "ResoAdjMethod")
    return cut


def _enlarged(setting: VideoEnhance, cut: Size) -> tuple[Size, Size | None]:
    """Return the size after SuperResolution, and the one that it would have without the largest side, if it differs."""
    stage = setting.super_resolution
    if stage is None or stage.resolution is None:
        return cut, None
    target = TARGETS.get(stage.resolution, 0)
    if cut.short >= target:
        return cut, None
    factor = 2.0
    if stage.enable_scale_up and cut.short * factor < target:
        factor = target / cut.short
    limited = max(1.0, min(factor, LARGEST / max(cut.width, cut.height)))
    wanted = Size(round(cut.width * factor), round(cut.height * factor))
    return Size(round(cut.width * limited), round(cut.height * limited)), None if limited == factor else wanted


def _even(width: float, height: float) -> Size:
    return Size(*(max(2, round(side / 2) * 2) for side in (width, height)))


def _too_much(leaf: str, value: object, why: str, method: str) -> EngineError:
    remedy = f"Lower it, or set VideoEnhance.Transcode.TransConfig.{method} to 0 to keep the source's value."
    return EngineError(f"{leaf} {value} is {why}. {remedy}", code="InvalidArgument")
