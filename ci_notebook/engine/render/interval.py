"""The interval of the source that a job works on: by seeking where the container allows it, else by trimming.

Invariant: the output starts with exactly the requested frame. In broadcast streams FFmpeg seeks by time
alone, ends up inside a group of frames, and drops all frames up to the next key frame. Those streams are
decoded from their start, and the frames before the interval are dropped.
"""

from __future__ import annotations

from typing import Final

from ci_notebook.media.probe import first_video
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import length_s

# Demuxers that were measured to seek to the previous key frame, for short and long groups of frames.
SEEKABLE: Final = frozenset({"mov", "matroska", "flv", "avi", "asf", "ogg", "nut", "gif", "wav", "mp3", "flac"})


def seek_arguments(setting: VideoEnhance, source: MediaInfo) -> list[str]:
    """Return FFmpeg's arguments before an input that is the source."""
    start, duration = _interval(setting)
    length = length_s(setting, source)
    arguments = ["-ss", f"{start:.3f}"] if start and _can_seek(source) else []
    if duration:
        skipped = 0.0 if _can_seek(source) else start
        arguments += ["-t", f"{skipped + (length or duration):.3f}"]
    return arguments


def trim_filters(setting: VideoEnhance, source: MediaInfo, *, of: str = "") -> tuple[str, ...]:
    """Return the filters that drop what comes before the interval, for video, or for audio when `of` is "a"."""
    start, _ = _interval(setting)
    if not start or _can_seek(source):
        return ()
    return f"{of}trim=start={start:.3f}", f"{of}setpts=PTS-{start:.3f}/TB"


def video_end_s(setting: VideoEnhance, source: MediaInfo) -> float | None:
    """Return the end of the interval's last frame, counted from the interval's start; audio may be longer.

    Only mp4 and its relatives give the length of the video alone; others guess, and too low.
    """
    length, video = length_s(setting, source), first_video(source)
    if length is None or video.duration is None or _demuxer(source) != "mov":
        return length
    begin = (video.start_time or 0.0) - ((source.format.start_time if source.format else None) or 0.0)
    end = max(0.0, begin) + video.duration - _interval(setting)[0]
    return min(length, end) if end > 0 else length


def _interval(setting: VideoEnhance) -> tuple[float, float]:
    stretch = setting.transcode.time_interval if setting.transcode else None
    return ((stretch.start or 0.0), (stretch.duration or 0.0)) if stretch else (0.0, 0.0)


def _can_seek(source: MediaInfo) -> bool:
    return _demuxer(source) in SEEKABLE


def _demuxer(source: MediaInfo) -> str:
    return ((source.format.format_name if source.format else None) or "").partition(",")[0]
