"""A few frames of a clip, spread evenly over it: for measures that need not see all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ci_notebook.media.probe import main_video, no_video, open_media
from ci_notebook.media.streams.frame_reader import FrameReader, decoded
from ci_notebook.media.streams.frame_times import timeline_of

__all__ = ["key_frames", "sample_frame_pairs", "sample_frames"]

_SHORT = 400  # frames; up to here decoding all is cheaper than seeking, and exact


def sample_frames(path: Path, count: int) -> Iterator[Any]:
    """Yield up to `count` decoded PyAV frames, evenly spread, the same at every call.

    In a long clip they are the key frames before the wanted times, which are found by seeking.
    """
    for frame, _ in sample_frame_pairs(path, count):
        yield frame


def sample_frame_pairs(path: Path, count: int) -> Iterator[tuple[Any, Any]]:
    """Yield the frames of `sample_frames`, each with the frame after it, which is None at the end of the clip."""
    path = Path(path)
    with FrameReader(path) as reader:
        is_empty = True
        for pair in _by_seeking(reader, count) if len(reader.timeline) > _SHORT else _by_number(reader, count):
            is_empty = False
            yield pair
    if is_empty:
        raise no_video(path, "no frame could be decoded")


def key_frames(path: Path, *, most: int = 0) -> Iterator[Any]:
    """Yield the key frames, first to last, without decoding any other frame: all, or up to `most`, evenly spread."""
    path = Path(path)
    is_empty = True
    for frame in decoded(_key_packets(path, most)):
        is_empty = False
        yield frame
    if is_empty:
        raise no_video(path, "no frame could be decoded")


def _key_packets(path: Path, most: int) -> Iterator[Any]:
    total = len(timeline_of(path).keys)
    step = total / most if most and total > most else 1.0
    number, target = -1, 0.0
    with open_media(path) as container:
        for packet in container.demux(main_video(container, path)):
            number += packet.is_keyframe
            if not packet.size or (packet.is_keyframe and number >= target):  # the empty one flushes the decoder
                target += step
                yield packet


def _by_number(reader: FrameReader, count: int) -> Iterator[tuple[Any, Any]]:
    total = len(reader.timeline)
    step = max(1.0, total / count)
    target = step / 2  # the middle of each part: the first frame of a clip is often black
    before = None
    for number, frame in reader.frames_from(0):
        if before is not None:
            yield before, frame
            before = None
        if number >= target - 0.5 or (number == 0 and total <= 1):
            target += step
            before = frame
    if before is not None:
        yield before, None


def _by_seeking(reader: FrameReader, count: int) -> Iterator[tuple[Any, Any]]:
    timeline, last = reader.timeline, None
    for number in range(count):
        wanted = timeline.number_at(timeline.length_s * (number + 0.5) / count)
        frames = (frame for _, frame in reader.frames_from(timeline.key_before(wanted)))
        frame = next(frames, None)
        if frame is not None and frame.pts != last:
            last = frame.pts
            yield frame, next(frames, None)
