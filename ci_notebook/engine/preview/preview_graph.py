"""One picture through the very graph of the job: what a slider shows is what will be rendered.

The picture lies in a file, as the decoder gave it, and the graph goes to the program's standard
input: so a program can be started before anybody knows what it will be asked (`engine.previewing`
does), and only the graph itself is waited for.
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
    AFTER_MARKS,
    BEFORE_NETWORK,
    MOTION,
    STAGES,
    by_network,
    depth,
    flattens,
    is_hdr,
    pixel_format,
    stages,
)
from ci_notebook.engine.render.output.output_size import Size, length_s
from ci_notebook.engine.render.watermark.background_image import Laid
from ci_notebook.media import color_tags
from ci_notebook.media.probe import first_video
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance

_LEFT_OUT = ("fields", *MOTION)  # done when the picture was decoded; what one picture has no part in


@dataclass(frozen=True, slots=True)
class Still:
    """One picture of a clip as bare bytes in a file: upright, whole, in the clip's own size and pixel format.

    `source` and `analysis` are those of the clip, `at_s` is the picture's time in it.
    """

    path: Path
    at_s: float
    pixel_format: str
    size: Size
    source: MediaInfo
    analysis: Analysis

    def as_input(self) -> tuple[str, ...]:
        """Return FFmpeg's arguments for this picture as an input."""
        size = f"{self.size.width}x{self.size.height}"
        return ("-f", "rawvideo", "-pixel_format", self.pixel_format, "-video_size", size, "-i", str(self.path))


def enlarged_first(setting: VideoEnhance, still: Still) -> str | None:
    """Return the graph up to where the network of Enhance takes over, or None where it has no part.

    What it gives is yuv420p, or yuv420p10le where the source is deep, of `plan(...).cut`'s size.
    """
    if not by_network(setting, still.source):
        return None
    filters = [*_head(setting, still, ()), *_made(setting, still, BEFORE_NETWORK)]
    return ",".join([*filters, f"format=yuv420p{depth(still.source)}"])


@dataclass(frozen=True, slots=True)
class Cut:
    """What is shown of a picture, in px of the output, and how large."""

    left: int
    top: int
    size: Size
    shown: Size


def cut(size: Size, *, width_px: int = 0, box: tuple[float, float, float, float] = (0, 0, 1, 1)) -> Cut:
    """Return what to show of an output of `size`: of `box` (left, top, width, height; shares of 1), never enlarged.

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
    return Cut(left, top, whole, shown)


def picture_graph(setting: VideoEnhance, still: Still, laid: Laid, seen: Cut, *, is_enlarged: bool = False) -> str:
    """Return the graph from the picture, or from what the network made of it, to what is `seen` of it in RGB.

    All work is done at the output's size: sharpening a smaller picture would show another strength.
    Stages of motion are left out; HDR is made, then shown through its exact inverse. The marks'
    pictures are read from the program's folder.
    """
    done = BEFORE_NETWORK if is_enlarged else ()
    left = [stage for stage in STAGES if stage not in (*done, *AFTER_MARKS)]
    first = [*_head(setting, still, done), *_made(setting, still, left), *([laid.room] if laid.room else [])]
    matrix, deep, lines = _matrix(setting, still), bool(depth(still.source)), [",".join(first)]
    for number, mark in enumerate(laid.overlays, 1):
        lines[-1] += f"[v{number - 1}]"
        lines.append(f"movie=filename={mark.path.name}[m{number}]")
        scaled, laid_on = mark.lines(
            f"v{number - 1}", f"m{number}", "", matrix=color_tags.scale_matrix(matrix), deep=deep
        )
        lines += [scaled, laid_on.removesuffix("[]")]
    last = [*_made(setting, still, AFTER_MARKS), f"format={pixel_format(setting, still.source)}"]
    if seen.size != laid.size:
        last.append(f"crop={seen.size.width}:{seen.size.height}:{seen.left}:{seen.top}")
    last += _to_rgb(setting, still, matrix, seen.shown)
    return ";".join([*lines[:-1], ",".join([lines[-1], *last])])


def unshown(setting: VideoEnhance) -> tuple[str, ...]:
    """Return the paths of what one picture cannot show: the leaves of motion that are set.

    >>> from ci_notebook.model.setting.enhance import FrameEnhance
    >>> unshown(VideoEnhance(frame_enhance=FrameEnhance(frame_doubling=True)))
    ('FrameEnhance.FrameDoubling',)
    """
    video = setting.transcode.video if setting.transcode else None
    doubled = setting.frame_enhance is not None and setting.frame_enhance.frame_doubling
    return (
        *(("FrameEnhance.FrameDoubling",) if doubled else ()),
        *(("Transcode.Video.Fps",) if video and video.fps else ()),
    )


def _made(setting: VideoEnhance, still: Still, wanted: tuple[str, ...] | list[str] | frozenset[str]) -> list[str]:
    analysis = dataclasses.replace(still.analysis, matrix=_matrix(setting, still), interlaced=False)
    made = stages(setting, still.source, analysis)
    return [one for stage in STAGES if stage in wanted and stage not in _LEFT_OUT for one in made[stage]]


def _head(setting: VideoEnhance, still: Still, done: tuple[str, ...]) -> Iterator[str]:
    """Say of bare bytes when they are shown, counted as the job counts, and how light and colour are coded."""
    stretch = setting.transcode.time_interval if setting.transcode else None
    length_s(setting, still.source)  # refuses a stretch that begins beyond the end
    at_s = still.at_s - ((stretch.start or 0.0) if stretch else 0.0)
    yield f"settb=1/1000000,setpts={round(max(0.0, at_s) * 1e6)}"
    video, shaped = first_video(still.source), "shape" in done
    flat = shaped and flattens(setting, still.source)
    said = {
        "range": "pc" if video.color_range == "pc" and not shaped else "tv",
        "colorspace": color_tags.SDR if flat else color_tags.filter_matrix(still.analysis.matrix),
        "color_primaries": color_tags.SDR if flat else video.color_primaries,
        "color_trc": color_tags.SDR if flat else video.color_transfer,
    }
    yield "setparams=" + ":".join(f"{name}={value}" for name, value in said.items() if value not in (None, "unknown"))


def _matrix(setting: VideoEnhance, still: Still) -> str:
    """Return how YUV is made of RGB where the work is done: HDR that is turned into SDR is BT.709 from there on."""
    return color_tags.SDR if flattens(setting, still.source) else still.analysis.matrix


def _to_rgb(setting: VideoEnhance, still: Still, matrix: str, size: Size) -> Iterator[str]:
    mode, source = hdr.mode_of(setting), still.source
    transfer = hdr.TRANSFERS[mode] if mode else first_video(source).color_transfer if is_hdr(source) else None
    if transfer is not None and not flattens(setting, source):
        yield color_tags.hdr_to_sdr(transfer, matrix_in=color_tags.HDR_MATRIX if mode else matrix)
        yield "format=yuv444p"
        matrix = color_tags.SDR
    coded = f"in_color_matrix={color_tags.scale_matrix(matrix)}:in_range=tv"
    yield f"scale={size.width}:{size.height}:flags={color_tags.EXACT_FLAGS}:{coded}"
    yield "format=rgb24"
