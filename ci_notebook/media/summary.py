"""The one-line summary of a local video: its media info, and what only its frames and timestamps say."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

from ci_notebook.media.color_tags import is_hdr
from ci_notebook.media.probe import main_video, media_info, open_media
from ci_notebook.model.clip_summary import ClipSummary, summary_of

__all__ = ["FrameRate", "file_summary", "frame_rate"]

# Reading stops at the first of these, so that a film costs no more than a short clip.
MAX_PACKETS: Final = 3000
MAX_BYTES: Final = 64 << 20
# Where reading stops, frames are missing between the last ones: later packets hold frames that are shown earlier.
_REORDERED: Final = 20
_DOLBY_SIDE_DATA: Final = ("DOVI_RPU_BUFFER", "DOVI_METADATA")
_MAY_BE_DOLBY: Final = ("hevc", "av1", "libdav1d", "h264")


def file_summary(path: Path) -> ClipSummary:
    """Return the summary of a local video or sound file.

    Costs two decoded frames, and the first 3000 packets or 64 MiB of the file. Raises `EngineError` for a file that is
    neither video nor sound.

    >>> from ci_notebook.media.samples import sample
    >>> print(file_summary(sample("city")))
    640×360 · 25 fps · 3.0 s · H.264 8 bit · SDR · progressive · no sound
    """
    info = media_info(path)
    video = info.stream.video[0] if info.stream and info.stream.video else None
    if video is None or not video.width:
        return summary_of(info)
    with open_media(path) as container:
        stream = main_video(container, path)
        frame = next(container.decode(stream), None)
        codec = stream.codec_context.name
        is_dolby = codec in _MAY_BE_DOLBY and is_hdr(video.color_transfer) and _has_dolby_data(frame)
        is_interlaced = bool(frame.interlaced_frame) if frame is not None else None
    rate = frame_rate(path)
    return summary_of(
        info, is_variable=rate.is_variable, mean_fps=rate.mean_fps,
        is_dolby_vision=is_dolby, is_interlaced=is_interlaced,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class FrameRate:
    """Whether frames follow each other at different distances, and the mean of frames per second; None: unknown."""

    is_variable: bool | None
    mean_fps: float | None


def frame_rate(path: Path) -> FrameRate:
    """Return the frame rate of a video by its timestamps. Only the first packets are read.

    The rate is variable if a distance differs from the usual one by more than the rounding of the file's time base.
    """
    with open_media(path) as container:
        stream = main_video(container, path)
        times = _times(container, stream)
        tick_s = float(stream.time_base)
    gaps = [(after - before) * tick_s for before, after in pairwise(times)]
    if len(gaps) < 2:
        return FrameRate(None, None)
    usual = median(gaps)
    is_variable = any(abs(gap - usual) > max(1.5 * tick_s, 0.02 * usual) for gap in gaps)
    return FrameRate(is_variable, len(gaps) / sum(gaps))


def _times(container: Any, stream: Any) -> list[int]:
    """Return the times of the first frames in order, in the stream's time base; empty where the file has none."""
    shown, decoded, size, is_cut = list[int | None](), list[int | None](), 0, False
    for packet in container.demux(stream):
        if len(shown) >= MAX_PACKETS or size > MAX_BYTES:
            is_cut = True
            break
        if packet.size and not packet.is_discard:
            size += packet.size
            shown.append(packet.pts)
            decoded.append(packet.dts)
    times = sorted({time for time in (decoded if None in shown else shown) if time is not None})
    return times[:-_REORDERED] if is_cut else times


def _has_dolby_data(frame: Any) -> bool:
    return frame is not None and any(one.type.name in _DOLBY_SIDE_DATA for one in frame.side_data)
