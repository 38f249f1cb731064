"""Changes and losses of a job that its setting does not name: sentences for its message, and for people beforehand.

Pure: computed from the facts of the source, before any work.
"""

from __future__ import annotations

from ci_notebook.engine.render.analysis import Analysis
from ci_notebook.engine.render.command import keeps_chapters, keeps_times
from ci_notebook.engine.render.graph import converts_to_sdr, depth_suffix, pixel_format
from ci_notebook.engine.render.interval import is_cut
from ci_notebook.engine.render.output.encoders import audio_codec, container_of, transcode_of, video_codec
from ci_notebook.media.color_tags import is_hdr
from ci_notebook.media.probe import first_video
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import LARGEST, plan, rates

__all__ = ["changes"]


def changes(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> tuple[str, ...]:
    """Return what a job changes or leaves out that its setting does not say, one sentence each."""
    if video_codec(setting) is None:
        return ()
    video, found = first_video(source), []
    streams = source.stream
    if analysis.interlaced:
        found.append("Interlaced frames are deinterlaced.")
    if video.rotation:
        found.append(f"Frames are turned by {video.rotation:g}° and stored upright.")
    found += _size(setting, source)
    if depth_suffix(source) and not pixel_format(setting, source).endswith("10le"):
        found.append(f"{video.pix_format} becomes {pixel_format(setting, source)}: 10 bits become 8.")
    elif (video.pix_format or "")[:6] in ("yuv422", "yuv444") and pixel_format(setting, source).startswith("yuv420"):
        found.append(f"{video.pix_format} becomes {pixel_format(setting, source)}: the color has fewer samples.")
    if depth_suffix(source) and rates(setting, source)[1] != rates(setting, source)[0]:
        found.append("FrameDoubling works in 8 bits.")
    if is_hdr(video.color_transfer) and converts_to_sdr(setting, source):
        found.append("HDR becomes SDR.")
    if video.color_range == "pc":
        found.append("Full range becomes limited range.")
    if (
        analysis.timeline is not None
        and not analysis.timeline.is_constant
        and not keeps_times(setting, source, analysis)
    ):
        found.append("The variable frame rate becomes a constant one.")
    if streams is not None:
        found += _left_out(setting, source)
    if analysis.has_chapters and not keeps_chapters(setting):
        why = (
            "a part of the source is cut out"
            if is_cut(setting)
            else f"{container_of(setting)} files of this engine cannot hold them"
        )
        found.append(f"Chapters are left out, because {why}.")
    return tuple(found)


def _size(setting: VideoEnhance, source: MediaInfo) -> list[str]:
    sizes, found = plan(setting, source), []
    if sizes.is_rounded:
        found.append(
            f"{sizes.cut.width}x{sizes.cut.height} becomes {sizes.out.width}x{sizes.out.height}: sides have to be even."
        )
    if setting.super_resolution is not None and sizes.limited_from is not None:
        found.append(
            f"SuperResolution makes {sizes.out.width}x{sizes.out.height} instead of "
            f"{sizes.limited_from.width}x{sizes.limited_from.height}: it makes no side longer than {LARGEST} px."
        )
    return found


def _left_out(setting: VideoEnhance, source: MediaInfo) -> list[str]:
    streams, found = source.stream, []
    if streams is None:
        return []
    if any(one.index is not None for one in streams.subtitle):
        found.append("Subtitles are left out.")
    if len(streams.video) > 1:
        found.append(f"Of {len(streams.video)} video streams only one is used.")
    audio = transcode_of(setting).audio
    if streams.audio and audio_codec(setting, source) is None:
        found.append("Sound is left out.")
    elif len(streams.audio) > (2 if audio is not None and audio.keep_two_tracks else 1):
        found.append(f"Of {len(streams.audio)} audio tracks not all are kept.")
    return found
