"""A few frames of a clip, spread evenly over it: for measures that need not see all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ci_notebook.media.probe import first_time, length_of, main_video, no_video, open_media

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
    with open_media(path) as container:
        stream = main_video(container, path)
        stream.thread_type = "AUTO"
        total, length_s = length_of(path, container, stream)
        is_empty = True
        pairs = (
            _by_seeking(container, stream, length_s, count)
            if total > _SHORT
            else _by_number(container, stream, total, count)
        )
        for pair in pairs:
            is_empty = False
            yield pair
    if is_empty:
        raise no_video(path, "no frame could be decoded")


def key_frames(path: Path) -> Iterator[Any]:
    """Yield the key frames, first to last, without decoding any other frame."""
    path = Path(path)
    with open_media(path) as container:
        stream = main_video(container, path)
        is_empty = True
        for packet in container.demux(stream):
            if packet.is_keyframe or packet.dts is None:  # the last packet is empty and flushes the decoder
                for frame in packet.decode():
                    is_empty = False
                    yield frame
    if is_empty:
        raise no_video(path, "no frame could be decoded")


def _by_number(container: Any, stream: Any, total: int, count: int) -> Iterator[tuple[Any, Any]]:
    step = max(1.0, total / count)
    target = step / 2  # the middle of each part: the first frame of a clip is often black
    before = None
    for number, frame in enumerate(container.decode(stream)):
        if before is not None:
            yield before, frame
            before = None
        if number >= target - 0.5 or (number == 0 and total <= 1):
            target += step
            before = frame
    if before is not None:
        yield before, None


def _by_seeking(container: Any, stream: Any, length_s: float, count: int) -> Iterator[tuple[Any, Any]]:
    begin = first_time(stream)
    last = None
    for number in range(count):
        at = begin + length_s * (number + 0.5) / count
        container.seek(int(at / stream.time_base), stream=stream)
        frames = container.decode(stream)
        frame = next(frames, None)
        if frame is not None and frame.pts != last:
            last = frame.pts
            yield frame, next(frames, None)
