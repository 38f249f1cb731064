"""The interval of the source that a job works on, as FFmpeg's arguments and filters.

Invariant: the output starts with exactly the requested frame (see `media.streams.stretch`). A source without
video is cut by seeking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci_notebook.media.streams.stretch import Stretch, stretch_of
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import length_s

if TYPE_CHECKING:  # it needs numpy, which a thin client installs without
    from ci_notebook.engine.render.analysis import Analysis

__all__ = ["is_cut", "job_stretch", "seek_arguments", "trim_filters"]


def job_stretch(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> Stretch | None:
    """Return how the interval is read; None where the times of the source's frames are not known."""
    start, duration = _interval(setting)
    length = length_s(setting, source)  # raises for an interval that starts after the end
    if analysis.timeline is None:
        return None
    return stretch_of(analysis.timeline, start, (length or duration) if duration else None)


def seek_arguments(setting: VideoEnhance, source: MediaInfo, analysis: Analysis) -> list[str]:
    """Return FFmpeg's arguments before an input that is the source."""
    stretch = job_stretch(setting, source, analysis)
    if stretch is not None:
        return list(stretch.arguments)
    start, duration = _interval(setting)
    arguments = ["-ss", f"{start:.3f}"] if start else []
    return [*arguments, *(["-t", f"{length_s(setting, source) or duration:.3f}"] if duration else [])]


def trim_filters(
    setting: VideoEnhance, source: MediaInfo, analysis: Analysis, *, track: int | None = None
) -> tuple[str, ...]:
    """Return the filters that drop what is outside the interval, for video, or for the audio track of a number."""
    stretch = job_stretch(setting, source, analysis)
    if stretch is None:
        return ()
    return stretch.video if track is None else stretch.audio_of(track)


def is_cut(setting: VideoEnhance) -> bool:
    """Return whether the job works on a part of the source only."""
    return any(_interval(setting))


def _interval(setting: VideoEnhance) -> tuple[float, float]:
    stretch = setting.transcode.time_interval if setting.transcode else None
    return ((stretch.start or 0.0), (stretch.duration or 0.0)) if stretch else (0.0, 0.0)
