"""One picture of a video, exactly where it was asked for, and its coding as JPEG or PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media.ffmpeg import INSTALL, filter_bytes
from ci_notebook.media.probe import TRANSFERS, no_video, opened
from ci_notebook.model.errors import EngineError

Picture = NDArray[np.uint8]
Mode = Literal["exactframe", "keyframe"]
Through = Callable[[Iterable[Any], Fraction], Iterable[Any]]
"""Gives other frames for those of a stream, whose unit of time it is told."""
CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png"}
LARGEST = 4096
HDR_WHITE = 203  # cd/m², diffuse white by BT.2408
_EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_HALF_TICK = 1e-4  # s; times come as decimals


def picture(
    path: Path,
    at_s: float = 0.0,
    *,
    width: int = 0,
    height: int = 0,
    mode: Mode = "exactframe",
    rotate: Literal["auto", "off"] = "auto",
) -> Picture:
    """Return the picture shown at `at_s` seconds as HxWx3 uint8 RGB; past the end, the last one.

    `width` and `height` 0 follow the video, or each other. `keyframe` is the last key picture
    before, which is cheap. HDR is shown through the exact inverse of the engine's own SDRtoHDR.
    """
    frame = frame_at(Path(path), at_s, mode=mode)
    transfer = TRANSFERS.get(int(frame.color_trc))
    rgb = from_hdr(frame) if transfer in ("smpte2084", "arib-std-b67") else to_rgb(frame)
    if rotate == "auto":
        rgb = np.rot90(rgb, round(frame.rotation / 90) % 4)
    return resized(np.ascontiguousarray(rgb), width, height)


def resized(rgb: Picture, width: int = 0, height: int = 0) -> Picture:
    """Return a picture in another size; 0 follows the picture, or the other side."""
    high, wide = rgb.shape[:2]
    if not width and not height:
        return rgb
    new_width = width or max(1, round(wide * height / high))
    new_height = height or max(1, round(high * width / wide))
    if max(new_width, new_height) > LARGEST:
        raise EngineError(
            f"a picture of {new_width}x{new_height} is over {LARGEST} px a side. Ask for less.", code="InvalidArgument"
        )
    if (new_width, new_height) == (wide, high):
        return rgb
    image = pillow().fromarray(rgb)
    return np.asarray(image.resize((new_width, new_height), pillow().Resampling.LANCZOS))


def encode_picture(rgb: Picture, format: Literal["jpg", "png"] = "jpg", *, quality: int = 90) -> bytes:
    """Return an HxWx3 uint8 picture as the bytes of a JPEG or PNG file."""
    if format not in CONTENT_TYPES:
        raise EngineError(f"the format of a picture is jpg or png; got {format}", code="InvalidArgument")
    out = io.BytesIO()
    image = pillow().fromarray(rgb)
    if format == "jpg":
        image.save(out, "JPEG", quality=quality, subsampling=0)
    else:
        image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def pillow() -> Any:
    """Return Pillow's module of pictures. Raises `EngineError` saying how to install it."""
    try:
        from PIL import Image  # lazy: the thin client installs without it
    except ImportError as problem:
        raise EngineError(f"pictures need Pillow, which is not installed. Install it: {INSTALL}") from problem
    return Image


def frame_at(path: Path, at_s: float, *, mode: Mode = "exactframe", through: Through | None = None) -> Any:
    """Return the last PyAV frame whose time is not after `at_s`, of what `through` makes of those decoded."""
    with opened(path) as container:
        if not container.streams.video:
            raise no_video(path, "it holds no pictures")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        begin = float((stream.start_time or 0) * stream.time_base)
        want = begin + max(0.0, at_s) + _HALF_TICK
        found = None
        # From the beginning where that finds nothing: past the end, or in a container that hits upon no key picture.
        for start in (int(want / stream.time_base), 0):
            container.seek(start, stream=stream)
            frames = container.decode(stream)
            for frame in through(frames, stream.time_base) if through else frames:
                if found is not None and (frame.time or 0.0) > want:
                    break
                if mode == "exactframe" or frame.key_frame or found is None:
                    found = frame
                if mode == "keyframe" and start:
                    break
            if found is not None and (found.time or 0.0) <= want:
                break
            found = found if start == 0 else None
        if found is None:
            raise no_video(path, "no picture could be decoded")
        return found


def to_rgb(frame: Any, *, crop: tuple[int, int, int, int] | None = None, width: int = 0, height: int = 0) -> Picture:
    """Return a PyAV frame as RGB, or what of it `crop` (x, y, width, height in px) says, in another size if asked.

    With swscale's exact rounding: its quick one, PyAV's own way, is a step too dark in every channel.
    """
    import av.filter  # lazy, as in probe

    # Untagged pictures are read as players read them: BT.709 from 720 lines on, BT.601 below.
    known = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
    matrix = known.get(int(frame.colorspace), "bt709" if frame.height >= 720 else "bt601")
    full = "pc" if int(frame.color_range) == 2 else "tv"
    graph = av.filter.Graph()
    size = f"w={width}:h={height}:" if width else ""
    x, y, wide, high = crop or (0, 0, frame.width, frame.height)
    steps = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format.name, time_base=Fraction(1, 25)),
        *([graph.add("crop", f"{wide}:{high}:{x}:{y}:exact=1")] if crop else []),
        graph.add("scale", f"{size}in_color_matrix={matrix}:in_range={full}:flags={_EXACT}"),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    frame.pts = 0
    graph.push(frame)
    return np.asarray(graph.pull().to_ndarray(), np.uint8)


def from_hdr(frame: Any) -> Picture:
    """Return a PyAV frame of HDR as SDR, HxWx3, by undoing the engine's zscale: a tone map would show it too dark."""
    kind = "smpte2084" if TRANSFERS.get(int(frame.color_trc)) == "smpte2084" else "arib-std-b67"
    raw = frame.reformat(format="yuv420p10le").to_ndarray().tobytes()
    size = f"{frame.width}x{frame.height}"
    into = f"t=bt709:m=bt709:p=bt709:r=tv:npl={HDR_WHITE}"
    data = filter_bytes(
        [
            "-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", size, "-i", "pipe:0", "-vf",
            f"zscale=tin={kind}:min=bt2020nc:pin=bt2020:rin=tv:{into},format=yuv444p,scale=in_color_matrix=bt709,format=rgb24",
            "-f", "rawvideo", "pipe:1",
        ],
        raw,
    )  # fmt: skip
    return np.frombuffer(data, np.uint8).reshape(frame.height, frame.width, 3)
