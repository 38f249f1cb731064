"""One decoded picture as bare bytes, as FFmpeg's own graph would be given it: for those who go on with it there.

It is upright, whole where the clip is interlaced, and otherwise untouched, in its own pixel format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ci_notebook.media.snapshot import frame_at

Steps = list[tuple[str, str]]
_TURNS: dict[int, Steps] = {
    1: [("transpose", "cclock")],
    2: [("hflip", ""), ("vflip", "")],
    3: [("transpose", "clock")],
}
_ARRANGED = {"nv12": "yuv420p", "nv21": "yuv420p", "p010le": "yuv420p10le", "pal8": "rgb24"}  # the same, plane by plane


@dataclass(frozen=True, slots=True)
class Bare:
    """A picture without anything around it. `pixel_format` is FFmpeg's name for how the bytes lie."""

    data: bytes
    pixel_format: str
    width: int
    height: int


def bare_picture(path: Path, at_s: float, *, interlaced: bool = False) -> Bare:
    """Return the picture shown at `at_s` seconds; past the end, the last one. `interlaced` puts fields together.

    Costs as much decoding as lies between the key picture before and it. Raises `EngineError` for
    what cannot be decoded.

    >>> from ci_notebook.media.samples import sample
    >>> made = bare_picture(sample("city"), 1.0)
    >>> made.pixel_format, made.width, made.height, len(made.data)
    ('yuv420p', 640, 360, 345600)
    """
    frame = frame_at(Path(path), at_s, through=_without_fields if interlaced else None)
    if turns := _TURNS.get(round(frame.rotation / 90) % 4):  # counted to the left
        frame = next(_through([frame], turns, frame.time_base))
    if arranged := _ARRANGED.get(frame.format.name):
        frame = frame.reformat(format=arranged)
    return Bare(b"".join(_planes(frame)), frame.format.name, frame.width, frame.height)


def _without_fields(frames: Iterable[Any], time_base: Fraction) -> Iterator[Any]:
    return _through(frames, [("bwdif", "send_frame:deint=interlaced")], time_base)


def _through(frames: Iterable[Any], filters: Steps, time_base: Fraction) -> Iterator[Any]:
    """Yield what a chain of filters makes of PyAV frames."""
    import av  # lazy: the thin client installs without it
    import av.filter

    graph = None
    for frame in frames:
        if graph is None:
            graph = av.filter.Graph()
            size = {"width": frame.width, "height": frame.height}
            steps = [graph.add_buffer(**size, format=frame.format.name, time_base=time_base)]
            steps += [graph.add(name, given) if given else graph.add(name) for name, given in filters]
            graph.link_nodes(*steps, graph.add("buffersink")).configure()
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _planes(frame: Any) -> Iterator[bytes]:
    """Yield the rows of each plane without what the decoder left between them."""
    form = frame.format
    for number, plane in enumerate(frame.planes):
        bits = form.padded_bits_per_pixel if len(frame.planes) == 1 else 8 * ((form.components[number].bits + 7) // 8)
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        yield rows[:, : plane.width * bits // 8].tobytes()


def _pulled(graph: Any) -> Iterator[Any]:
    import av  # lazy, as above

    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
