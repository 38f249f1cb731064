"""Changes and losses of a job that its setting does not name: sentences for its message, and for people beforehand.

Pure: computed from the facts of the source, before any work. Imports nothing that a thin client lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_notebook.engine.render.graph import depth_suffix, doubles_by_flow, may_have_fields, pixel_format
from ci_notebook.engine.render.hdr import converts_to_sdr
from ci_notebook.engine.render.interval import is_cut
from ci_notebook.engine.render.motion import frame_doubler
from ci_notebook.engine.render.output.encoders import (
    audio_codec,
    container_of,
    encoder_channels,
    keeps_chapters,
    keeps_times,
    source_channels,
    transcode_of,
    video_codec,
)
from ci_notebook.media.color_tags import is_hdr
from ci_notebook.media.probe import first_video, has_square_pixels, upright_size
from ci_notebook.model.api.media_info import MediaInfo, VideoStream
from ci_notebook.model.clip_summary import bit_depth_of
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import LARGEST, Size, plan, rates

if TYPE_CHECKING:  # it needs numpy
    from ci_notebook.engine.render.analysis import Analysis

__all__ = ["changes"]

# Beginnings of FFmpeg's names of pixel formats: with more color samples than 4:2:0, and with transparency.
_MORE_SAMPLES = (
    "yuv422", "yuv440", "yuv444", "yuvj422", "yuvj440", "yuvj444", "yuva422", "yuva444", "yuyv", "uyvy", "nv16",
    "nv24", "p210", "y210", "gbr", "rgb", "bgr", "argb", "abgr", "0rgb", "0bgr", "pal8",
)  # fmt: skip
_ALPHA = ("yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya8", "ya16")


def changes(setting: VideoEnhance, source: MediaInfo, analysis: Analysis | None = None) -> tuple[str, ...]:
    """Return what a job changes or leaves out that its setting does not say, one sentence each.

    Without `analysis`, where only the media info is known, fields, uneven times and chapters are not mentioned.
    """
    if video_codec(setting) is None:
        return ()
    found = [] if analysis is None else _fields(source, analysis)
    found += [*_shape(setting, source), *_pixels(setting, source)]
    timeline = analysis.timeline if analysis is not None else None
    if timeline is not None and not timeline.is_constant and not keeps_times(setting, timeline):
        found.append("The variable frame rate becomes a constant one.")
    found += _left_out(setting, source)
    if timeline is not None and timeline.has_chapters and not keeps_chapters(setting):
        kind = container_of(setting)
        why = "a part of the source is cut out" if is_cut(setting) else f"{kind} files of this engine cannot hold them"
        found.append(f"Chapters are left out, because {why}.")
    return tuple(found)


def _fields(source: MediaInfo, analysis: Analysis) -> list[str]:
    is_deinterlaced = analysis.interlaced and may_have_fields(source, analysis)
    return ["Interlaced frames are deinterlaced."] if is_deinterlaced else []


def _shape(setting: VideoEnhance, source: MediaInfo) -> list[str]:
    video, sizes, found = first_video(source), plan(setting, source), []
    if video.rotation:
        found.append(f"Frames are turned by {video.rotation:g}° and stored upright.")
    upright = Size(*upright_size(video))
    if not has_square_pixels(video) and sizes.shown != upright:
        found.append(f"Pixels become square: {_text(upright)} becomes {_text(sizes.shown)}.")
    if sizes.is_rounded:
        found.append(f"{_text(sizes.cut)} becomes {_text(sizes.out)}: sides have to be even.")
    if setting.super_resolution is not None and sizes.limited_from is not None:
        found.append(
            f"SuperResolution makes {_text(sizes.out)} instead of {_text(sizes.limited_from)}: "
            f"it makes no side longer than {LARGEST} px."
        )
    return found


def _text(size: Size) -> str:
    return f"{size.width}x{size.height}"


def _pixels(setting: VideoEnhance, source: MediaInfo) -> list[str]:
    video, found, made = first_video(source), [], pixel_format(setting, source)
    own = video.pix_format or ""
    before, after = bit_depth_of(own), bit_depth_of(made)
    here, doubled, _ = rates(setting, source)
    if before and after and before > after:
        found.append(f"{own} becomes {made}: {before} bits become {after}.")
    elif own.startswith(_MORE_SAMPLES) and made.startswith("yuv420"):
        found.append(f"{own} becomes {made}: the color has fewer samples.")
    if doubled != here and not doubles_by_flow(setting, source):
        found.append(_plain_doubling(source))
    if own.startswith(_ALPHA):
        found.append("Transparency is left out.")
    if is_hdr(video.color_transfer) and converts_to_sdr(setting, source):
        found.append("HDR becomes SDR.")
    if _is_limited(setting, video):
        found.append("Full range becomes limited range.")
    return found


def _plain_doubling(source: MediaInfo) -> str:
    """Return why FFmpeg's minterpolate doubles the frames, and what that loses."""
    bits = ", in 8 bits" if depth_suffix(source) else ""
    return (
        f"FrameDoubling uses FFmpeg's minterpolate{bits}, because OpenCV is not installed. "
        f"For better frames: {frame_doubler.INSTALL}"
    )


def _is_limited(setting: VideoEnhance, video: VideoStream) -> bool:
    asked = transcode_of(setting).video
    is_full = asked is not None and (asked.pixfmt or "").startswith("yuvj")
    return video.color_range == "pc" and not is_full


def _left_out(setting: VideoEnhance, source: MediaInfo) -> list[str]:
    streams, found = source.stream, []
    if streams is None:
        return []
    if any(one.index is not None for one in streams.subtitle):
        found.append("Subtitles are left out.")
    if len(streams.video) > 1:
        found.append(f"Of {len(streams.video)} video streams only one is used.")
    audio, codec = transcode_of(setting).audio, audio_codec(setting, source)
    is_free = video_codec(setting) != "H.265"  # documented: KeepTwoTracks has no effect with it
    if streams.audio and codec is None and not (audio is not None and audio.remove):
        found.append("Sound is left out.")
    elif codec is not None and len(streams.audio) > (
        2 if audio is not None and audio.keep_two_tracks and is_free else 1
    ):
        found.append(f"Of {len(streams.audio)} audio tracks not all are kept.")
    if codec is not None and audio is not None and not audio.channels:
        most, kept = source_channels(source), encoder_channels(codec, source)
        if kept is not None and most > kept:
            found.append(f"{most} channels of sound become {kept}.")
    return found
