"""One decoded frame as raw bytes, in the state that FFmpeg's own filter graph would receive it.

The frame is upright and, where the clip is interlaced, deinterlaced. Nothing else is changed: it keeps its
pixel format, its colors and the shape of its pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ci_notebook.media.snapshot import frame_at, plane_bytes
from ci_notebook.media.streams.fields import DEINTERLACER, are_joinable

__all__ = ["RawFrame", "raw_frame"]

_PLANAR = {"nv12": "yuv420p", "nv21": "yuv420p", "p010le": "yuv420p10le", "pal8": "rgb24"}  # same content, plain planes


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame without a container. `pixel_format` is FFmpeg's name for the layout of the bytes."""

    data: bytes
    pixel_format: str
    width: int
    height: int


def raw_frame(path: Path, at_s: float) -> RawFrame:
    """Return the frame shown at `at_s` seconds; past the end, the last one. Fields are joined.

    Costs decoding from the key frame before it. Raises `EngineError` for a file that cannot be decoded.

    >>> from ci_notebook.media.samples import sample
    >>> frame = raw_frame(sample("city"), 1.0)
    >>> frame.pixel_format, frame.width, frame.height, len(frame.data)
    ('yuv420p', 640, 360, 345600)
    """
    frame, geometry = frame_at(Path(path), at_s)
    if frame.interlaced_frame and are_joinable(frame.width, frame.height):
        frame, geometry = frame_at(Path(path), at_s, through=_deinterlaced)
    if geometry.filters:
        # vflip only negates the line size; copy puts the rows in memory in their new order.
        frame = next(_filtered([frame], [*geometry.filters, "copy"], frame.time_base))
    if planar := _PLANAR.get(frame.format.name):
        frame = frame.reformat(format=planar)
    return RawFrame(b"".join(plane_bytes(frame)), frame.format.name, frame.width, frame.height)


def _deinterlaced(frames: Iterable[Any], time_base: Fraction) -> Iterator[Any]:
    return _filtered(frames, [DEINTERLACER], time_base)


def _filtered(frames: Iterable[Any], filters: Sequence[str], time_base: Fraction) -> Iterator[Any]:
    """Yield the PyAV frames that a chain of filters returns."""
    import av  # lazy: the thin client installs without it
    import av.filter

    graph = None
    for frame in frames:
        if graph is None:
            graph = av.filter.Graph()
            size = {"width": frame.width, "height": frame.height}
            steps = [graph.add_buffer(**size, format=frame.format.name, time_base=time_base)]
            for name, _, arguments in (one.partition("=") for one in filters):
                steps.append(graph.add(name, arguments) if arguments else graph.add(name))
            graph.link_nodes(*steps, graph.add("buffersink")).configure()
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _pulled(graph: Any) -> Iterator[Any]:
    import av  # lazy, as above

    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
