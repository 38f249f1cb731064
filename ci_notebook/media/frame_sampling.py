"""A few pictures of a clip, spread evenly over it, for everything that looks without watching."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ci_notebook.media.probe import no_video, opened

_SHORT = 400  # pictures; up to here decoding all is cheaper than seeking, and exact


def spread(path: Path, count: int) -> Iterator[Any]:
    """Yield up to `count` decoded pictures (PyAV frames), evenly spread, the same at every call.

    A long clip is seeked: then the pictures are the key frames before the wanted places.
    """
    for picture, _ in spread_pairs(path, count):
        yield picture


def spread_pairs(path: Path, count: int) -> Iterator[tuple[Any, Any]]:
    """Yield what `spread` yields, each with the picture that follows it; None after the last of a clip."""
    path = Path(path)
    with opened(path) as container:
        if not container.streams.video:
            raise no_video(path, "it holds no pictures")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        total = stream.frames or round(float((container.duration or 0) * (stream.average_rate or 25)) / 1e6)
        found = False
        for picture in _by_seeking(container, stream, count) if total > _SHORT else _by_number(container, total, count):
            found = True
            yield picture
    if not found:
        raise no_video(path, "no picture could be decoded")


def key_pictures(path: Path) -> Iterator[Any]:
    """Yield the pictures that are coded by themselves, first to last; none of the others is decoded."""
    path = Path(path)
    with opened(path) as container:
        if not container.streams.video:
            raise no_video(path, "it holds no pictures")
        stream = container.streams.video[0]
        found = False
        for packet in container.demux(stream):
            if packet.is_keyframe or packet.dts is None:  # the last packet is empty, and asks for what is left
                for picture in packet.decode():
                    found = True
                    yield picture
    if not found:
        raise no_video(path, "no picture could be decoded")


def _by_number(container: Any, total: int, count: int) -> Iterator[tuple[Any, Any]]:
    step = max(1.0, total / count)
    wanted = step / 2  # the middle of each stretch: the first picture of a clip is often black
    before = None
    for number, picture in enumerate(container.decode(video=0)):
        if before is not None:
            yield before, picture
            before = None
        if number >= wanted - 0.5 or (number == 0 and total <= 1):
            wanted += step
            before = picture
    if before is not None:
        yield before, None


def _by_seeking(container: Any, stream: Any, count: int) -> Iterator[tuple[Any, Any]]:
    length = container.duration / 1e6
    begin = float((stream.start_time or 0) * stream.time_base)
    last = None
    for number in range(count):
        at = begin + length * (number + 0.5) / count
        container.seek(int(at / stream.time_base), stream=stream)
        pictures = container.decode(stream)
        picture = next(pictures, None)
        if picture is not None and picture.pts != last:
            last = picture.pts
            yield picture, next(pictures, None)
