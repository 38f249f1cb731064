"""One frame through the job's own filter graph: a slider shows what will be rendered.

The raw frame is in a file, and the graph goes to FFmpeg's standard input. So FFmpeg can be started before
the graph is known (see `warm_ffmpeg`), and only the graph itself has to be waited for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ci_notebook.engine.render import hdr
from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.graph import (
    AFTER_WATERMARKS,
    BEFORE_NETWORK,
    MOTION,
    STAGES,
    depth_suffix,
    needs_network,
    pixel_format,
    stages,
)
from ci_notebook.engine.render.watermark.background_image import WatermarkLayout
from ci_notebook.media import color_tags
from ci_notebook.media.ffmpeg import own_input
from ci_notebook.media.probe import first_video
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import Size, length_s

_LEFT_OUT = ("fields", *MOTION)  # fields: done at decoding; motion: needs several frames


@dataclass(frozen=True, slots=True)
class Still:
    """One raw frame of a clip in a file: upright, complete, in the clip's own size and pixel format.

    `source` and `analysis` are those of the clip, `at_s` is the frame's time in it.
    """

    path: Path
    at_s: float
    pixel_format: str
    size: Size
    source: MediaInfo
    analysis: Analysis

    def as_input(self) -> tuple[str, ...]:
        """Return FFmpeg's arguments for this frame as an input."""
        size = f"{self.size.width}x{self.size.height}"
        return ("-pixel_format", self.pixel_format, "-video_size", size, *own_input(self.path, "rawvideo"))


def graph_before_network(setting: VideoEnhance, still: Still) -> str | None:
    """Return the graph up to the super-resolution network, or None where the network is not used.

    Its output is yuv420p, or yuv420p10le for a source of more than eight bits, in the size of `plan(...).cut`.
    """
    if not needs_network(setting, still.source):
        return None
    filters = [*_head(setting, still, ()), *_stage_filters(setting, still, BEFORE_NETWORK)]
    return ",".join([*filters, f"format=yuv420p{depth_suffix(still.source)}"])


@dataclass(frozen=True, slots=True)
class PreviewCrop:
    """Which part of a frame is shown, in px of the output, and the size it is scaled to."""

    left: int
    top: int
    size: Size
    shown: Size


def preview_crop(
    size: Size, *, width_px: int = 0, box: tuple[float, float, float, float] = (0, 0, 1, 1)
) -> PreviewCrop:
    """Return what to show of an output of `size`: the `box` (left, top, width, height; shares of 1), never enlarged.

    The box grows to whole chroma samples.
    """
    left, top = (int(share * side) // 2 * 2 for share, side in zip(box[:2], (size.width, size.height), strict=True))
    right, bottom = (
        math.ceil((box[0] + box[2]) * size.width / 2) * 2,
        math.ceil((box[1] + box[3]) * size.height / 2) * 2,
    )
    left, top = min(max(0, left), size.width - 2), min(max(0, top), size.height - 2)
    whole = Size(max(2, min(right, size.width) - left), max(2, min(bottom, size.height) - top))
    shown = whole
    if 0 < width_px < whole.width:
        shown = Size(width_px, max(1, round(whole.height * width_px / whole.width)))
    return PreviewCrop(left, top, whole, shown)


def picture_graph(
    setting: VideoEnhance, still: Still, layout: WatermarkLayout, crop: PreviewCrop, *, is_enlarged: bool = False
) -> str:
    """Return the graph from the frame, or from the network's output, to the part `crop` of it in RGB.

    All work is done at the output's size: sharpening a smaller frame would show another strength. Motion
    stages are left out. HDR is made, then shown through its exact inverse. The watermarks' pictures are
    read from FFmpeg's working folder.
    """
    skipped = BEFORE_NETWORK if is_enlarged else ()
    left = [stage for stage in STAGES if stage not in (*skipped, *AFTER_WATERMARKS)]
    first = [
        *_head(setting, still, skipped),
        *_stage_filters(setting, still, left),
        *([layout.padding] if layout.padding else []),
    ]
    matrix, deep, lines = _matrix(setting, still), bool(depth_suffix(still.source)), [",".join(first)]
    for number, overlay in enumerate(layout.overlays, 1):
        lines[-1] += f"[v{number - 1}]"
        lines.append(f"movie=filename={overlay.path.name}[m{number}]")
        scaled, overlaid = overlay.lines(
            f"v{number - 1}", f"m{number}", "", matrix=color_tags.scale_matrix(matrix), deep=deep,
            coding=hdr.picture_filter(setting, still.source, still.analysis),
        )  # fmt: skip
        lines += [scaled, overlaid.removesuffix("[]")]
    last = [*_stage_filters(setting, still, AFTER_WATERMARKS), f"format={pixel_format(setting, still.source)}"]
    if crop.size != layout.size:
        last.append(f"crop={crop.size.width}:{crop.size.height}:{crop.left}:{crop.top}")
    last += _to_rgb(setting, still, matrix, crop.shown)
    return ";".join([*lines[:-1], ",".join([lines[-1], *last])])


def unshown_leaves(setting: VideoEnhance) -> tuple[str, ...]:
    """Return the paths of the leaves that one frame cannot show: the motion leaves that are set.

    >>> from ci_notebook.model.setting.enhance import FrameEnhance
    >>> unshown_leaves(VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True)))
    ('FrameEnhance.FrameDoubling',)
    """
    video = setting.transcode.video if setting.transcode else None
    doubled = setting.frame_enhance is not None and setting.frame_enhance.frame_doubling
    return (
        *(("FrameEnhance.FrameDoubling",) if doubled else ()),
        *(("Transcode.Video.Fps",) if video and video.fps else ()),
    )


def _stage_filters(
    setting: VideoEnhance, still: Still, names: tuple[str, ...] | list[str] | frozenset[str]
) -> list[str]:
    analysis = dataclasses.replace(still.analysis, matrix=_matrix(setting, still), interlaced=False)
    filters = stages(setting, still.source, analysis)
    return [one for stage in STAGES if stage in names and stage not in _LEFT_OUT for one in filters[stage]]


def _head(setting: VideoEnhance, still: Still, skipped: tuple[str, ...]) -> Iterator[str]:
    """Yield the filters that give a raw frame its time, counted as in the job, and its color tags."""
    stretch = setting.transcode.time_interval if setting.transcode else None
    length_s(setting, still.source)  # raises for an interval that starts after the end
    at_s = still.at_s - ((stretch.start or 0.0) if stretch else 0.0)
    yield f"settb=1/1000000,setpts={round(max(0.0, at_s) * 1e6)}"
    video, shaped = first_video(still.source), "shape" in skipped
    flat = shaped and hdr.converts_to_sdr(setting, still.source)
    tags = {
        "range": "pc" if video.color_range == "pc" and not shaped else "tv",
        "colorspace": color_tags.SDR if flat else color_tags.filter_matrix(still.analysis.matrix),
        "color_primaries": color_tags.SDR if flat else video.color_primaries,
        "color_trc": color_tags.SDR if flat else video.color_transfer,
    }
    yield "setparams=" + ":".join(f"{name}={value}" for name, value in tags.items() if value not in (None, "unknown"))


def _matrix(setting: VideoEnhance, still: Still) -> str:
    """Return the YUV matrix in which the filters work: HDR that is converted to SDR is BT.709 from there on."""
    return color_tags.SDR if hdr.converts_to_sdr(setting, still.source) else still.analysis.matrix


def _to_rgb(setting: VideoEnhance, still: Still, matrix: str, size: Size) -> Iterator[str]:
    mode = hdr.mode_of(setting)
    made = color_tags.HdrCoding(hdr.TRANSFERS[mode]) if mode else None
    coding = made or hdr.coding_of(setting, still.source, still.analysis)
    if coding is not None:
        yield color_tags.hdr_to_sdr(coding)
        yield "format=yuv444p10le"
        matrix = color_tags.SDR
    elif not hdr.converts_to_sdr(setting, still.source) and color_tags.is_wide(
        first_video(still.source).color_transfer, first_video(still.source).color_primaries
    ):
        yield color_tags.wide_to_sdr(matrix_in=matrix, primaries_in=first_video(still.source).color_primaries)
        yield "format=yuv444p10le"
        matrix = color_tags.SDR
    coded = f"in_color_matrix={color_tags.scale_matrix(matrix)}:in_range=tv"
    yield f"scale={size.width}:{size.height}:flags={color_tags.EXACT_FLAGS}:{coded}"
    yield "format=rgb24"
