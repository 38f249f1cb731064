"""One picture through the very graph of the job: what a slider shows is what will be rendered."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from ci_notebook.engine.pictures import hdr
from ci_notebook.engine.pictures.analysis import Analysis
from ci_notebook.engine.pictures.graph import (
    AFTER_MARKS,
    BEFORE_NETWORK,
    MOTION,
    SCALE_MATRICES,
    STAGES,
    by_network,
    stages,
)
from ci_notebook.engine.pictures.network import enlarge, loaded
from ci_notebook.engine.pictures.size import plan
from ci_notebook.media.ffmpeg import filter_bytes
from ci_notebook.media.probe import first_video
from ci_notebook.model.enhance import VideoEnhance
from ci_notebook.model.errors import EngineError
from ci_notebook.model.media_info import MediaInfo, Stream


def preview(
    setting: VideoEnhance, picture: NDArray[np.uint8], source: MediaInfo, analysis: Analysis, *, width: int = 0
) -> bytes:
    """Return one picture of the source as the job would make it, as the bytes of a JPEG.

    `picture` is HxWx3 uint8 RGB in the source's own size, as `media.snapshot.picture` gives it. All
    work is done at the output's size, then scaled to `width` px if that is not 0, since sharpening a
    smaller picture would show another strength. Stages of motion are left out. HDR is made and then
    shown through its exact inverse. Costs about 40 ms at 640x360, with the network of Enhance 150.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise EngineError(f"a picture is HxWx3 uint8; got {picture.shape} {picture.dtype}", code="InvalidArgument")
    high, wide = picture.shape[:2]
    before, after = picture_filters(setting, source, analysis, wide, high, width=width)
    data = np.ascontiguousarray(picture).tobytes()
    given = _raw("rgb24", wide, high)
    if by_network(setting, _still(source, wide, high)):
        size = plan(setting, _still(source, wide, high)).cut
        data = filter_bytes([*given, "-vf", ",".join(before), "-frames:v", "1", "-f", "rawvideo", "pipe:1"], data)
        data = enlarge(data, size.width, size.height, enlarger=loaded())
        before, given = (), _raw("yuv420p", 2 * size.width, 2 * size.height)
    picture_out = ["-frames:v", "1", "-c:v", "mjpeg", "-q:v", "2", "-f", "image2pipe", "pipe:1"]
    return filter_bytes([*given, "-vf", ",".join((*before, *after)), *picture_out], data)


def picture_filters(
    setting: VideoEnhance, source: MediaInfo, analysis: Analysis, wide: int, high: int, *, width: int = 0
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the filters from an RGB picture to where a network would work, and from there to the JPEG's own coding."""
    matrix = SCALE_MATRICES.get(analysis.matrix, analysis.matrix)
    made = stages(setting, _still(source, wide, high), dataclasses.replace(analysis, interlaced=False))
    before = [one for stage in BEFORE_NETWORK if stage not in MOTION for one in made[stage]]
    left = (stage for stage in STAGES if stage not in (*BEFORE_NETWORK, *MOTION, *AFTER_MARKS))
    work = [one for stage in left for one in made[stage]]
    mode = hdr.mode_of(setting)
    if mode is not None:
        back = f"t=bt709:m=bt709:p=bt709:r=tv:npl={hdr.DIFFUSE_WHITE}"
        work += [
            *made["range"],
            f"format={hdr.PIXEL_FORMAT}",
            f"zscale=tin={hdr.TRANSFERS[mode]}:min=bt2020nc:pin=bt2020:rin=tv:{back}",
            "format=yuv444p",
        ]
    exact = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"  # else every colour comes out a step darker
    size, matrix_out = f"{width}:-1" if width else "iw:ih", "bt709" if mode else matrix
    to_yuv = f"scale=out_color_matrix={matrix}:in_range=pc:out_range=tv:flags={exact}"
    # A JPEG is BT.601 over the full range, whatever the video is.
    to_jpeg = f"scale={size}:flags={exact}:in_color_matrix={matrix_out}:in_range=tv:out_color_matrix=bt601:out_range=pc"
    return (to_yuv, "format=yuv420p", *before), (*work, to_jpeg, "format=yuvj444p")


def _raw(kind: str, wide: int, high: int) -> list[str]:
    return ["-f", "rawvideo", "-pix_fmt", kind, "-s", f"{wide}x{high}", "-r", "25", "-i", "pipe:0"]


def _still(source: MediaInfo, wide: int, high: int) -> MediaInfo:
    """Return the source's facts as those of the picture: upright, square pixels, SDR, eight bits."""
    video = dataclasses.replace(
        first_video(source), width=wide, height=high, sar=None, rotation=0.0, pix_format="yuv420p",
        color_transfer="bt709", color_primaries="bt709", color_range="tv",
    )  # fmt: skip
    return dataclasses.replace(source, stream=dataclasses.replace(source.stream or Stream(), video=(video,)))
