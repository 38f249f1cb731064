"""One frame of a video at an exact time, in RGB as players show it, and its encoding as JPEG or PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import INSTALL, filter_bytes
from ci_notebook.media.probe import Geometry, geometry_of, no_video
from ci_notebook.media.streams.frame_reader import FrameReader
from ci_notebook.model.errors import EngineError

__all__ = [
    "CONTENT_TYPES", "LARGEST", "Picture", "as_shown", "encode_picture", "frame_at", "picture", "pillow", "resized",
    "to_rgb", "to_sdr_rgb", "turned",
]  # fmt: skip

Picture = NDArray[np.uint8]
Mode = Literal["exactframe", "keyframe"]
FrameFilter = Callable[[Iterable[Any], Fraction], Iterable[Any]]
"""Takes the decoded frames of a stream and its time base, and yields the frames to use instead."""
CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png"}
LARGEST = 4096
_HALF_TICK = 1e-5  # s


def picture(
    path: Path,
    at_s: float = 0.0,
    *,
    width: int = 0,
    height: int = 0,
    mode: Mode = "exactframe",
    rotate: Literal["auto", "off"] = "auto",
) -> Picture:
    """Return the frame shown at `at_s` seconds as HxWx3 uint8 RGB in square pixels; past the end, the last one.

    `width` and `height` 0 follow the video, or each other. `keyframe` is the last key frame before, which is
    cheap. `rotate` "off" neither turns nor mirrors. HDR is shown through the exact inverse of the engine's own
    SDRtoHDR.
    """
    frame, geometry = frame_at(Path(path), at_s, mode=mode)
    rgb = to_sdr_rgb(frame)
    if rotate == "auto":
        return resized(as_shown(rgb, geometry), width, height)
    wide, high = geometry.shown
    lies_on_side = geometry.upright != geometry.stored
    return resized(_resampled(rgb, (high, wide) if lies_on_side else (wide, high)), width, height)


def as_shown(rgb: Picture, geometry: Geometry) -> Picture:
    """Return a decoded picture as players show it: turned, mirrored, in square pixels."""
    return _resampled(turned(rgb, geometry.filters), geometry.shown)


def turned(rgb: Picture, filters: Iterable[str]) -> Picture:
    """Apply a `Geometry`'s filters to a picture."""
    for name in filters:
        rgb = _TURNS[name](rgb)
    return np.ascontiguousarray(rgb)


_TURNS: dict[str, Callable[[Picture], Picture]] = {
    "hflip": np.fliplr,
    "vflip": np.flipud,
    "transpose=clock": lambda rgb: np.rot90(rgb, -1),
    "transpose=cclock": lambda rgb: np.rot90(rgb, 1),
    "transpose=cclock_flip": lambda rgb: rgb.swapaxes(0, 1),
    "transpose=clock_flip": lambda rgb: np.rot90(rgb, 2).swapaxes(0, 1),
}


def resized(rgb: Picture, width: int = 0, height: int = 0) -> Picture:
    """Return a picture in another size; 0 follows the picture, or the other side."""
    high, wide = rgb.shape[:2]
    if not width and not height:
        return rgb
    new_width = width or max(1, round(wide * height / high))
    new_height = height or max(1, round(high * width / wide))
    if max(new_width, new_height) > LARGEST:
        raise EngineError(
            f"A picture of {new_width}x{new_height} is too large: each side may have at most {LARGEST} px. "
            "Choose a smaller size.",
            code="InvalidArgument",
        )
    return _resampled(rgb, (new_width, new_height))


def _resampled(rgb: Picture, size: tuple[int, int]) -> Picture:
    if size == (rgb.shape[1], rgb.shape[0]):
        return rgb
    image = pillow().fromarray(rgb)
    return np.asarray(image.resize(size, pillow().Resampling.LANCZOS))


def encode_picture(rgb: Picture, format: Literal["jpg", "png"] = "jpg", *, quality: int = 90) -> bytes:
    """Return an HxWx3 uint8 picture as the bytes of a JPEG or PNG file."""
    if format not in CONTENT_TYPES:
        raise EngineError(f"The format of a picture must be jpg or png, got {format}.", code="InvalidArgument")
    file = io.BytesIO()
    image = pillow().fromarray(rgb)
    if format == "jpg":
        image.save(file, "JPEG", quality=quality, subsampling=0)
    else:
        image.save(file, "PNG", compress_level=3)
    return file.getvalue()


def pillow() -> Any:
    """Return Pillow's image module. Raises `EngineError` saying how to install it."""
    try:
        from PIL import Image  # lazy: the thin client installs without it
    except ImportError as problem:
        raise EngineError(f"Pictures need Pillow, which is not installed. Install it: {INSTALL}") from problem
    return Image


def frame_at(
    path: Path, at_s: float, *, mode: Mode = "exactframe", through: FrameFilter | None = None
) -> tuple[Any, Geometry]:
    """Return the last PyAV frame whose time is not after `at_s`, and how it is shown.

    With `through`, it is chosen among the frames that this filter yields.
    """
    with FrameReader(path) as reader:
        timeline = reader.timeline
        number = timeline.number_at(max(0.0, at_s))
        if mode == "keyframe":
            number = timeline.key_before(number)
        limit = float(timeline.ticks[number] * timeline.unit) + _HALF_TICK
        numbered = reader.frames_from(number, skips=through is None)
        frames = (frame for _, frame in numbered)
        latest = None
        for frame in through(frames, timeline.unit) if through else frames:
            time = float((frame.pts or 0) * frame.time_base)  # a filter may count in another unit
            if latest is not None and time > limit:
                break
            latest = frame
            if not through and time > limit - 2 * _HALF_TICK:
                break
        if latest is None:
            raise no_video(path, "no frame could be decoded")
        return latest, geometry_of(reader.stream, latest)


def to_sdr_rgb(frame: Any) -> Picture:
    """Return a PyAV frame as RGB, HDR as SDR."""
    return _hdr_to_rgb(frame) if color_tags.is_hdr(color_tags.frame_transfer(frame)) else to_rgb(frame)


def to_rgb(frame: Any, *, crop: tuple[int, int, int, int] | None = None, width: int = 0, height: int = 0) -> Picture:
    """Return a PyAV frame as RGB, or the part `crop` (x, y, width, height in px) of it, in another size if asked.

    It uses swscale's exact rounding. The fast rounding of PyAV's own conversion is one step too dark in every channel.
    """
    import av.filter  # lazy, as in probe

    matrix = color_tags.scale_matrix(color_tags.frame_matrix(frame))
    range_ = "pc" if color_tags.is_full_range(frame) else "tv"
    graph = av.filter.Graph()
    size = f"w={width}:h={height}:" if width else ""
    x, y, wide, high = crop or (0, 0, frame.width, frame.height)
    steps = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format.name, time_base=Fraction(1, 25)),
        *([graph.add("crop", f"{wide}:{high}:{x}:{y}:exact=1")] if crop else []),
        graph.add("scale", f"{size}in_color_matrix={matrix}:in_range={range_}:flags={color_tags.EXACT_FLAGS}"),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    frame.pts = 0
    graph.push(frame)
    return np.asarray(graph.pull().to_ndarray(), np.uint8)


def _hdr_to_rgb(frame: Any) -> Picture:
    transfer = color_tags.frame_transfer(frame) or ""
    raw = frame.reformat(format="yuv420p10le").to_ndarray().tobytes()
    size = f"{frame.width}x{frame.height}"
    inverse = color_tags.hdr_to_sdr(transfer, matrix_in=color_tags.frame_matrix(frame))
    data = filter_bytes(
        [
            "-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", size, "-i", "pipe:0", "-vf",
            f"{inverse},format=yuv444p,scale=in_color_matrix={color_tags.scale_matrix(color_tags.SDR)},format=rgb24",
            "-f", "rawvideo", "pipe:1",
        ],
        raw,
    )  # fmt: skip
    return np.frombuffer(data, np.uint8).reshape(frame.height, frame.width, 3)
