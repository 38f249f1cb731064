"""Decodes the frames of a clip by number, each with its true time, in every container.

A frame is decoded from the key frame before it. Where a container cannot seek there, decoding starts at an
earlier key frame, at last at the beginning. Damaged packets are skipped, as players and FFmpeg do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Self

from ci_notebook._folders import absolute
from ci_notebook.media.streams.frame_times import timeline_of
from ci_notebook.media.streams.selection import find_pyav, main_video, no_video, open_media
from ci_notebook.media.streams.time_limit import check_time
from ci_notebook.model.bounds import largest_size
from ci_notebook.model.errors import EngineError

__all__ = ["FrameReader", "decoded", "first_frame"]

_MANY_LOST = 3  # one frame in a row may be damaged; more of them are really larger
# Codecs that mark frames to which no other frame refers. HEVC does, too, where it has one temporal layer.
_MARKING = frozenset({"h264", "mpeg2video", "mpeg4"})
Numbered = tuple[int, Any]
"""The number of a frame, and the PyAV frame."""


class FrameReader:
    """The decoder of one clip's video. Not thread-safe. Close it after use.

    `timeline` are the times of its frames, `stream` is the open PyAV stream. `decodes` "references" leaves
    out the frames that no other frame needs, and does not smooth the edges of blocks: fewer frames, at half the cost.
    "keys" decodes key frames only.
    """

    def __init__(self, path: Path, *, decodes: Literal["all", "references", "keys"] = "all") -> None:
        self._decodes = decodes
        self.path = absolute(path)  # a reader opens it again later
        self.timeline = timeline_of(self.path)
        self._stack = ExitStack()
        self._container: Any = None
        self._is_careful = False
        self._skipped_until: int | None = None
        self.stream: Any = None
        self._open()

    def frames_from(self, number: int, *, skips: bool = False) -> Iterator[Numbered]:
        """Yield decoded frames with their numbers, from a frame at or before `number` on.

        With `skips`, earlier frames that nobody refers to are left out: half the work where there are B-frames.
        """
        latest = -1
        can_skip = skips and not self.timeline.is_counted and not self._is_careful
        self._skipped_until = self.timeline.ticks[number] if can_skip else None
        try:
            for at, frame in self._frames_from(number):
                latest = at
                yield at, frame
            if latest < len(self.timeline) - 1 and self._decodes == "all":
                raise _DamagedPacket  # threads do not report the damage at the end of a file
        except _DamagedPacket:
            if self._is_careful:
                return
            self._is_careful, self._skipped_until = True, None
            self._open()
            yield from (one for one in self._frames_from(max(number, latest + 1)) if one[0] > latest)

    def _frames_from(self, number: int) -> Iterator[Numbered]:
        ticks = self.timeline.ticks
        for place in range(bisect_right(self.timeline.keys, number) - 1, 0, -1):
            frames = self._frames_at(place)
            first = next(frames, None)
            if first is not None and first[0] <= number:
                return chain([first], frames)
        self._open()
        frames = self._numbered(self._decoded(self._container.demux(self.stream)), 0)
        return (one for one in frames if 0 <= one[0] < len(ticks))

    def close(self) -> None:
        """Close the file; a later request opens it again."""
        self._stack.close()
        self._container = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _open(self) -> None:
        self._stack.close()
        self._container = self._stack.enter_context(open_media(self.path))
        self.stream = main_video(self._container, self.path)
        # Threads that decode several frames at once lose whole ones near a damaged one.
        self.stream.thread_type = "SLICE" if self._is_careful or self._decodes != "all" else "AUTO"
        codec = self.stream.codec_context
        if self._decodes == "keys":
            codec.skip_frame = "NONKEY"
        elif self._decodes == "references":
            codec.skip_frame = "NONREF"
            codec.options = {**codec.options, "skip_loop_filter": "all"}

    def _frames_at(self, place: int) -> Iterator[Numbered]:
        """Yield frames from the key frame at this place of the timeline on; none where the container cannot seek."""
        av, seek, number = find_pyav(), self.timeline.seeks[place], self.timeline.keys[place]
        if self._container is None:
            self._open()
        try:
            self._container.seek(seek, stream=self.stream)
            packets = self._container.demux(self.stream)
            first = next(packets, None)
        except (av.FFmpegError, OSError):
            return iter(())
        if first is None or (self.timeline.is_counted and first.dts != seek):
            return iter(())  # frames can only be counted from a known packet
        return self._numbered(self._decoded(chain([first], packets)), number)

    def _decoded(self, packets: Iterator[Any]) -> Iterator[Any]:
        self.stream.codec_context.skip_frame = "DEFAULT"
        if self._skipped_until is not None and _marks_unreferenced(self.stream.codec_context):
            packets = self._skipping(packets, self._skipped_until)
        return decoded(packets, skips_damage=self._is_careful)

    def _skipping(self, packets: Iterator[Any], until: int) -> Iterator[Any]:
        """Yield packets, while the decoder skips frames that end before `until` and that nobody refers to."""
        for packet in packets:
            is_early = packet.pts is not None and packet.pts < until
            self.stream.codec_context.skip_frame = "NONREF" if is_early else "DEFAULT"
            yield packet

    def _numbered(self, frames: Iterator[Any], number: int) -> Iterator[Numbered]:
        ticks = self.timeline.ticks
        for frame in frames:
            if self.timeline.is_counted:
                if number >= len(ticks):
                    return
                frame.pts = ticks[number]
                yield number, frame
                number += 1
            elif frame.pts is not None and frame.pts >= ticks[0]:
                yield bisect_right(ticks, frame.pts) - 1, frame


def _marks_unreferenced(codec: Any) -> bool:
    """Return whether a decoder knows to which frames no other frame refers."""
    setup = codec.extradata or b""
    is_one_layer = codec.name == "hevc" and len(setup) > 22 and setup[0] == 1 and setup[21] >> 3 & 7 == 1
    return codec.name in _MARKING or is_one_layer


class _DamagedPacket(Exception):
    """A packet could not be decoded, and frames near it may be lost."""


def decoded(packets: Iterator[Any], *, skips_damage: bool = True) -> Iterator[Any]:
    """Yield the frames of packets. Damaged packets are skipped, and the decoder is emptied at the end.

    Raises `EngineError` where the frames become larger than the bound.
    """
    av = find_pyav()
    stream, name, width, lost = None, "", 0, 0
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):  # the file ends inside a packet
            packet = None
        if packet is None:
            break
        check_time(Path(packet.stream.container.name).name)
        stream = packet.stream if packet.size else None
        width = width or packet.stream.codec_context.width
        try:
            for frame in packet.decode():
                lost = 0
                yield frame
        except (av.FFmpegError, ValueError) as problem:
            # A decoder that refuses a frame for its size forgets the size.
            lost += bool(width) and packet.stream.codec_context.width == 0
            name = Path(packet.stream.container.name).name
            if lost >= _MANY_LOST:
                break
            if not lost and not skips_damage:
                raise _DamagedPacket from problem
    if lost:
        raise EngineError(
            f"{name} has later frames that are larger than the first ones, over the bound of {largest_size()}. "
            "Use a smaller version, or raise max_pixels in ci.connect or `ci-notebook serve`.",
            code="InvalidArgument",
        )
    if stream is not None:  # the last packet, which empties the decoder, did not come
        try:
            yield from stream.codec_context.decode(None)
        except (av.FFmpegError, ValueError) as problem:
            if not skips_damage:
                raise _DamagedPacket from problem


def first_frame(path: Path) -> Any:
    """Return the first frame of a clip that can be decoded. Raises `EngineError` when there is none."""
    with FrameReader(path) as reader:
        for _, frame in reader.frames_from(0):
            return frame
    raise no_video(Path(path), "no frame could be decoded")
