"""From a setting to FFmpeg's video filters. Pure: the same values always give the same filters.

The order of `STAGES` is not that of the XML. Each place has a reason:

fields   first: every other filter expects whole frames.
shape    rotate, square the pixels, crop: no work on parts that are cut off.
slower   a lower Fps drops frames before any expensive stage.
motion   before enlargement: motion search costs a quarter there, and works on unsharpened frames. With OpenCV it is
         no filter, but a program between two FFmpegs (see `motion`).
to_sdr   where the source stays HDR, the stages up to to_hdr work on SDR-referred light (see `sdr_referred`).
enlarge  before every stage that makes edges steeper. The network of Enhance works at its start.
correct  casts and levels first, so that contrast turns around a true middle.
tone     contrast and saturation, in one table.
sharpen  last of the enhancing stages: on final pixels, so that a level means the same at every size.
to_hdr   their change is added to the HDR original.
faster   a higher Fps only repeats frames.
range    after the watermarks: SDR is coded as HDR when all other work is done.

So the expensive stages, motion and the network, come before the cheap ones that users vary, and their
frames can be cached and shared (see `stage_cache`). Sharpening first would give motion search halos to
follow and the network edges to double, and each sharpening level would cost both again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from ci_notebook.engine.render import hdr
from ci_notebook.engine.render.filters.correction import correction
from ci_notebook.engine.render.filters.sharpening import sharpening
from ci_notebook.engine.render.filters.tone import tone
from ci_notebook.engine.render.hdr_source import sdr_referred
from ci_notebook.engine.render.interval import job_stretch
from ci_notebook.engine.render.motion import frame_doubler
from ci_notebook.engine.render.refusal import RequestRefused
from ci_notebook.media import color_tags
from ci_notebook.media.probe import first_video, has_square_pixels
from ci_notebook.media.streams import fields
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.declaration.node import AUTO, Auto
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import OutputPlan, plan, rates

if TYPE_CHECKING:  # it needs numpy, which a thin client installs without
    from ci_notebook.engine.render.analysis import Analysis

STAGES = (
    "fields", "shape", "slower", "motion", "to_sdr", "enlarge", "correct", "tone", "sharpen", "to_hdr", "faster",
    "range",
)  # fmt: skip
BEFORE_NETWORK = STAGES[: STAGES.index("to_sdr")]
MOTION = frozenset({"slower", "motion", "faster"})  # stages that need several frames
AFTER_WATERMARKS = frozenset({"range"})
LEAST_MOTION = 32  # px; the motion search of minterpolate takes no smaller frames
_TAIL_FRAMES = 2  # that motion search drops at the end


def chain(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> tuple[str, ...]:
    """Return FFmpeg's video filters for a setting, in order of application.

    An AUTO leaf, and an absent leaf in a stage that is on, takes its value from `analysis`.
    """
    filters = stages(setting, source, analysis)
    return (*(one for stage in STAGES for one in filters[stage]), f"format={pixel_format(setting, source)}")


def stages(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> dict[str, tuple[str, ...]]:
    """Return the filters of each stage; none for a stage that has nothing to do."""
    sizes = plan(setting, source)
    here, doubled, out = rates(setting, source)
    enhancing = {
        "enlarge": _enlarge(setting, sizes),
        "correct": _correct(setting, source, analysis),
        "tone": _tone(setting, source, analysis),
        "sharpen": _sharpen(setting, analysis),
    }
    return {
        "fields": (
            *color_tags.retagged(analysis.matrix),
            *((fields.DEINTERLACER,) if may_have_fields(source, analysis) else ()),
        ),
        "shape": _shape(sizes, source, setting, analysis),
        "slower": (f"fps={rate_text(out)}",) if out < here and doubled == here else (),
        "motion": _motion(setting, source, analysis),
        **enhancing,
        **_sdr_referred(setting, source, analysis, enhancing),
        "faster": (f"fps={rate_text(out)}",) if out > doubled or doubled not in (out, here) else (),
        "range": _range(setting, source, analysis),
    }


def resolved_levels(setting: VideoEnhance, analysis: Analysis) -> dict[str, int]:
    """Return the effective values of the four leaves that accept AUTO, by path; stages that are off are left out."""
    colour, detail = setting.color_enhance, setting.ms_sharpen
    values = {}
    if colour is not None:
        values["ColorEnhance.Contrast"] = _value(colour.contrast, analysis.auto_contrast)
        values["ColorEnhance.Correction"] = _value(colour.correction, analysis.auto_correction)
        values["ColorEnhance.Saturation"] = _value(colour.saturation, analysis.auto_saturation)
    if detail is not None:
        values["MsSharpen.SharpenLevel"] = _value(detail.sharpen_level, analysis.auto_sharpen_level)
    return values


def may_have_fields(source: MediaInfo, analysis: Analysis) -> bool:
    """Return whether frames may consist of fields; parts of a broadcast may, also after other first frames."""
    video = first_video(source)
    if analysis.timeline is None and not analysis.interlaced:
        return False
    return fields.may_have_fields(video, is_marked=analysis.interlaced)


def needs_network(setting: VideoEnhance, source: MediaInfo) -> bool:
    """Return whether the network doubles the frames before the stage `enlarge`: where Enhance enlarges.

    Where the size stays, the network has nothing to do, and the clean-up does not need it.
    """
    stage = setting.super_resolution
    return stage is not None and stage.version == "Enhance" and plan(setting, source).enlarges


def doubles_by_flow(setting: VideoEnhance, source: MediaInfo) -> bool:
    """Return whether optical flow doubles the frames, not FFmpeg's minterpolate: where OpenCV is installed."""
    here, doubled, _ = rates(setting, source)
    return doubled != here and frame_doubler.available()


def pixel_format(setting: VideoEnhance, source: MediaInfo) -> str:
    """Return the output's pixel format: Pixfmt, else 4:2:0, ten bits for HDR or where codec and source have them."""
    if setting.sdr_to_hdr is not None:
        return hdr.PIXEL_FORMAT
    video = setting.transcode.video if setting.transcode else None
    codec = video.codec if video else None
    own = first_video(source).pix_format or "yuv420p"
    if video and video.pixfmt == "auto":
        allowed = ("yuv420p", "yuv420p10le") if codec == "H.265" else ("yuv420p", "yuv422p", "yuv444p")
        if own in allowed:
            return own
    elif video and video.pixfmt:
        return video.pixfmt.replace("yuvj", "yuv")
    if hdr.keeps_hdr(setting, source):
        return hdr.PIXEL_FORMAT if hdr.holds_ten_bits(setting) else "yuv420p"
    return "yuv420p10le" if depth_suffix(source) and codec in ("H.265", "AV1") else "yuv420p"


def depth_suffix(source: MediaInfo) -> str:
    """Return the suffix of the pixel formats that the stages work in: empty for eight bits. HDR has ten."""
    video = first_video(source)
    is_deep = re.search("p1[0246]", video.pix_format or "") or color_tags.is_hdr(video.color_transfer)
    return "10le" if is_deep else ""


def _shape(sizes: OutputPlan, source: MediaInfo, setting: VideoEnhance, analysis: Analysis) -> tuple[str, ...]:
    video = first_video(source)
    filters = []
    if not has_square_pixels(video):
        filters += [f"scale={sizes.shown.width}:{sizes.shown.height}:flags=lanczos", "setsar=1"]
    # RGB has no matrix: swscale would use BT.601 even where the output is tagged with another one.
    is_rgb = re.match("gbr|rgb|bgr|argb|abgr|pal", video.pix_format or "")
    if color_tags.is_hdr(video.color_transfer) and (video.color_range == "pc" or is_rgb):
        coding = hdr.light_of(source, analysis).coding
        filters += ["format=gbrp16le"] if is_rgb else []
        filters += [color_tags.limited(coding, is_rgb=bool(is_rgb)), f"format=yuv420p{depth_suffix(source)}"]
    elif video.color_range == "pc" or not (video.pix_format or "").startswith("yuv"):
        out = f":out_color_matrix={color_tags.scale_matrix(analysis.matrix)}" if is_rgb else ""
        filters += [f"scale=out_range=tv{out}", f"format=yuv420p{depth_suffix(source)}"]
    if hdr.converts_to_sdr(setting, source):
        filters += hdr.to_sdr(hdr.light_of(source, analysis))
    if sizes.crop:
        filters.append("crop={}:{}:{}:{}".format(*sizes.crop))
    if sizes.rotate:
        filters.append(_rotate(sizes))
    return tuple(filters)


def _rotate(sizes: OutputPlan) -> str:
    """Rotate clockwise: by right angles without loss, else into the smallest box that holds the frame, on black."""
    turns = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}
    return turns.get(
        int(sizes.rotate) if sizes.rotate == int(sizes.rotate) else -1,
        f"rotate={math.radians(sizes.rotate):.6f}:ow={sizes.cut.width}:oh={sizes.cut.height}:c=black",
    )


def _motion(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> tuple[str, ...]:
    """Double the number of frames by motion search: each new one is half way between two, at uneven times too.

    No filter where OpenCV does it. Frames go in evenly spaced and get their times back afterwards. minterpolate
    drops the last frames; two repetitions of the last one prevent that. It supports eight bits only, so deeper video
    loses two.
    """
    here, doubled, _ = rates(setting, source)
    if doubled == here:
        return ()
    size = plan(setting, source).cut
    if size.short < LEAST_MOTION:
        raise RequestRefused(
            f"VideoEnhance.FrameEnhance.FrameDoubling needs frames of {LEAST_MOTION}x{LEAST_MOTION} px or more, "
            f"and these have {size.width}x{size.height}. Leave it out, or use a larger source."
        )
    if doubles_by_flow(setting, source):
        return ()
    stretch = job_stretch(setting, source, analysis)
    count = () if stretch is None else (f"trim=end_frame={2 * len(stretch.times)}",)
    return (
        f"settb=1/90000,setpts=N/({rate_text(here)}*TB)",
        f"tpad=stop_mode=clone:stop={_TAIL_FRAMES}",
        f"minterpolate=fps={rate_text(doubled)}",
        *count,
        *(stretch.retimed(doubled=True) if stretch else ()),
    )


def _sdr_referred(
    setting: VideoEnhance, source: MediaInfo, analysis: Analysis, enhancing: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return the filters around the stages that make an HDR source SDR-referred; none where all stages rest."""
    if not hdr.keeps_hdr(setting, source) or not any(enhancing.values()):
        return {"to_sdr": (), "to_hdr": ()}
    coding = hdr.light_of(source, analysis).coding
    full = re.match("yuv(4[24][24])p", pixel_format(setting, source))
    kind = f"yuv{full[1] if full else '420'}p10le"
    moved = _resize(setting, plan(setting, source), "bilinear")
    return {
        "to_sdr": (sdr_referred.to_sdr_referred(coding, kind),),
        "to_hdr": (sdr_referred.add_to_hdr(coding, kind, moved),),
    }


def _enlarge(setting: VideoEnhance, sizes: OutputPlan) -> tuple[str, ...]:
    """Enlarge: Base with Lanczos alone; Enhance after the network has doubled the frames.

    Where the size stays, only the clean-up remains: light sharpening, more of it for Enhance.
    """
    stage = setting.super_resolution
    filters = list(_resize(setting, sizes, "lanczos"))
    if stage is not None and not sizes.enlarges:
        filters.append("unsharp=5:5:0.4:5:5:0" if stage.version == "Enhance" else "unsharp=3:3:0.2:3:3:0")
    return tuple(filters)


def _resize(setting: VideoEnhance, sizes: OutputPlan, kernel: str) -> tuple[str, ...]:
    stage = setting.super_resolution
    times = 2 if stage is not None and stage.version == "Enhance" and sizes.enlarges else 1
    if (times * sizes.cut.width, times * sizes.cut.height) == (sizes.out.width, sizes.out.height):
        return ()
    return (_scale(sizes, kernel),)


def _scale(sizes: OutputPlan, kernel: str) -> str:
    width, height = sizes.out.width, sizes.out.height
    flags = f"flags={kernel}+accurate_rnd+full_chroma_int"
    if sizes.method == "crop":
        return f"scale={width}:{height}:force_original_aspect_ratio=increase:{flags},crop={width}:{height},setsar=1"
    if sizes.method == "pad":
        shrunk = f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2:{flags}"
        return f"{shrunk},pad={width}:{height}:-1:-1:black,setsar=1"
    return f"scale={width}:{height}:{flags},setsar=1"


def _correct(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> tuple[str, ...]:
    level = resolved_levels(setting, analysis).get("ColorEnhance.Correction", 0)
    matrix, output = color_tags.scale_matrix(analysis.matrix), pixel_format(setting, source)
    return correction(level, analysis.low, analysis.high, matrix=matrix, output_format=output) if level else ()


def _tone(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> tuple[str, ...]:
    values = resolved_levels(setting, analysis)
    contrast, saturation = values.get("ColorEnhance.Contrast", 0), values.get("ColorEnhance.Saturation", 0)
    matrix, output = color_tags.scale_matrix(analysis.matrix), pixel_format(setting, source)
    return tone(contrast, saturation, analysis.mean, matrix=matrix, output_format=output)


def _sharpen(setting: VideoEnhance, analysis: Analysis) -> tuple[str, ...]:
    level = resolved_levels(setting, analysis).get("MsSharpen.SharpenLevel", 0)
    return sharpening(level) if level else ()


def _range(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> tuple[str, ...]:
    mode = hdr.mode_of(setting)
    if mode is None:
        # Tagged, because players guess BT.601 or BT.709 from the height, which may change here.
        return (f"setparams=colorspace={color_tags.filter_matrix(analysis.matrix)}:range=tv",)
    hdr.refuse_hdr_source(setting, source)
    primaries = first_video(source).color_primaries
    coding = color_tags.HdrCoding(hdr.TRANSFERS[mode])
    return (color_tags.sdr_to_hdr(coding, matrix=analysis.matrix, primaries=primaries),)


def _value(value: int | Auto | None, auto: int) -> int:
    return auto if value is None or value is AUTO or isinstance(value, Auto) else value


def rate_text(rate: float) -> str:
    """Return a frame rate in the exact form that FFmpeg accepts.

    >>> rate_text(25.0), rate_text(29.97002997), rate_text(12.5)
    ('25', '30000/1001', '25/2')
    """
    exact = Fraction(rate)
    return str(exact.limit_denominator(1001) or exact.limit_denominator(10**6) or Fraction(1, 10**6))  # never 0
