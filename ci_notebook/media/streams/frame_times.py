"""The times of all frames of a clip, read from its packets without decoding.

Invariant: frame n is the n-th frame that is shown, in every container and for every reader. Some containers
store only the order of decoding (AVI, raw H.264). Their frames are counted, and times follow from the rate.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from ci_notebook.media import color_tags
from ci_notebook.media.streams.file_identity import Identity, identity_of
from ci_notebook.media.streams.selection import find_pyav, main_video, no_video, open_media
from ci_notebook.media.streams.time_limit import check_time
from ci_notebook.model.bounds import check_file
from ci_notebook.model.lru import LRU

__all__ = ["Extent", "Scan", "Timeline", "scan_of", "scan_open", "timeline_of"]

_CACHED: Final = 16  # timelines
_HALF_TICK: Final = 1e-4  # s; times come as rounded decimals
_HALF_MS: Final = 6e-4  # s; an interval is given in ms
_JITTER_S: Final = 0.002  # of clocks that count in ms, and of cameras
_UNEVEN: Final = 0.5  # of a frame: pulldown moves frames by less against each other
_IN_TURN: Final = 0.8  # the share of frames that two and three fields must alternate in
# Containers that store no time of presentation for codecs that reorder their frames, so FFmpeg's times are guesses.
_UNTIMED: Final = frozenset({"avi"})
_LEAP_S: Final = 10  # FFmpeg's program closes longer gaps in the clock of broadcast streams
_FIELDS: Final = 0.6  # below this share of distinct times, packets hold single fields
_BROADCAST: Final = frozenset({"mpegts", "mpeg"})
_RAW: Final = frozenset({"h264", "hevc", "vvc", "mpegvideo", "m4v", "obu", "av1", "mjpeg", "vc1"})  # nothing but frames
_GUESSED: Final = frozenset({"asf"})  # with them, times that never go back show that they are times of decoding
_REORDERING: Final = frozenset({"h264", "hevc", "vvc"})
# Containers where FFmpeg was measured to seek to the previous key frame, for short and long groups of frames.
SEEKABLE: Final = frozenset({"mov", "matroska", "avi"})


@dataclass(slots=True)
class Extent:
    """The packets of one stream: how many, when the first begins, and when the last one begins and ends.

    Times are in ticks of `unit` seconds: a file has many packets, and fractions are slow.
    """

    unit: Fraction
    packets: int = 0
    first: int | None = None
    last: int = 0
    end: int = 0

    def add(self, packet: Any) -> None:
        """Count one packet."""
        self.packets += 1
        at = packet.pts
        at = packet.dts if at is None else at
        if at is None:
            return
        self.first = at if self.first is None or at < self.first else self.first
        self.last = max(self.last, at)
        self.end = max(self.end, at + (packet.duration or 0))

    @property
    def begin_s(self) -> float | None:
        """When the first packet begins; None where no packet has a time."""
        return None if self.first is None else float(self.first * self.unit)

    def length_s(self, rate: float) -> float:
        """Return the length; where the last packet does not say how long it lasts, it lasts 1 / `rate`."""
        if self.first is None:
            return round(self.packets / rate, 6)
        end = float(self.end * self.unit) if self.end > self.last else float(self.last * self.unit) + 1 / rate
        return round(end - float(self.first * self.unit), 6)


@dataclass(frozen=True, slots=True)
class Timeline:
    """When the frames of a clip's video are shown.

    `ticks` are the times of all frames in units of `unit` seconds, on the file's own clock, as its decoder
    gives them; counted frames (`is_counted`) have the ticks that they should have. `keys` are the numbers of
    the frames that decoding can start from, `seeks` the ticks to seek to for each. `rate` is frames per second
    on average. `begin_s` is when the file begins on its own clock, with sound or picture, and FFmpeg's program
    counts from `start_s`. `ahead_s` is by how much FFmpeg's guess of the video's times is too late against the
    sound. `last_s` is how long the last frame is shown, `index` the stream's index in the file.

    `is_regular` means that the frames are evenly spaced although their times are not: film with pulldown.
    `can_seek` means that FFmpeg's program finds key frames by their times, `has_chapters` that the file has any.
    `sounds_late_s` is when each audio track begins after the file, for containers whose clock has gaps.
    `is_restarted` says that this clock goes back or leaps: the frames are counted.
    """

    ticks: tuple[int, ...]
    unit: Fraction
    keys: tuple[int, ...]
    seeks: tuple[int, ...]
    rate: Fraction
    begin_s: float
    start_s: float
    ahead_s: float
    last_s: float
    index: int
    is_counted: bool = False
    is_regular: bool = False
    can_seek: bool = False
    has_chapters: bool = False
    sounds_late_s: tuple[float, ...] = ()
    is_restarted: bool = False

    def __len__(self) -> int:
        return len(self.ticks)

    def time_of(self, number: int) -> float:
        """Return when a frame appears, in seconds after the first frame."""
        check_time()
        if self.is_regular:
            return float(number / self.rate)
        # Whole numbers divide to the same nearest float as fractions do, thirty times as fast.
        return (self.ticks[number] - self.ticks[0]) * self.unit.numerator / self.unit.denominator

    def number_at(self, time_s: float) -> int:
        """Return the number of the frame that is shown `time_s` seconds after the first one appears."""
        if self.is_regular:
            return max(0, min(len(self) - 1, int((time_s + _HALF_TICK) * self.rate)))
        return max(0, bisect_right(self.ticks, self.ticks[0] + (time_s + _HALF_TICK) / float(self.unit)) - 1)

    @property
    def late_s(self) -> float:
        """By how much the first frame appears after the beginning of the file, which begins with sound."""
        return max(0.0, float(self.ticks[0] * self.unit) - self.begin_s - self.ahead_s)

    @property
    def length_s(self) -> float:
        """How long the video is, from its first frame to the end of its last."""
        return self.time_of(len(self) - 1) + self.last_s

    @property
    def is_constant(self) -> bool:
        """Whether all frames follow each other at `rate`, apart from the rounding of their times."""
        if self.is_regular or self.is_counted:
            return True
        tolerance = max(_JITTER_S, 1.5 * float(self.unit))
        begin, step, (up, down) = self.ticks[0], float(1 / self.rate), self.unit.as_integer_ratio()
        return all(abs((at - begin) * up / down - n * step) <= tolerance for n, at in enumerate(self.ticks))

    def within(self, start_s: float, length_s: float | None) -> range:
        """Return the numbers of the frames that appear in a stretch, counted in seconds from the file's beginning."""
        late = self.late_s
        times = [late + self.time_of(number) for number in range(len(self))]
        first = bisect_left(times, start_s - _HALF_MS) if start_s else 0
        return range(first, len(self) if length_s is None else bisect_left(times, start_s + length_s - _HALF_MS))

    def key_before(self, number: int) -> int:
        """Return the number of the key frame at or before a frame."""
        return self.keys[max(0, bisect_right(self.keys, number) - 1)]


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over all packets of a clip tells.

    `extents` are the extents of the streams by their index, which the file's header may state wrongly. `keys` is how
    many packets of the video are key frames, `codec` FFmpeg's name of its decoder. `first` is the first frame that can
    be decoded, None in a later call. `matrix` is its YUV matrix, `has_fields` whether it consists of fields.
    """

    timeline: Timeline
    extents: dict[int, Extent]
    keys: int
    codec: str
    matrix: str
    has_fields: bool
    first: Any = None


_scans: Final = LRU[Identity, Scan](_CACHED)


def timeline_of(path: Path) -> Timeline:
    """Return the times of a clip's frames. Reads all packets (0.2 s for 250 MB), once as long as the file is the same.

    Raises `EngineError` for a file without video.
    """
    return scan_of(path).timeline


def scan_of(path: Path) -> Scan:
    """Return the scan of a file. Costs and raises what `timeline_of` does."""
    path = Path(path)
    known = _scans.get(identity_of(path))
    if known is not None:
        return known
    with open_media(path) as container:
        return scan_open(container, path)


def scan_open(container: Any, path: Path) -> Scan:
    """Return the scan of a file that was just opened. Its container is at the end, if the file was not known yet."""
    identity = identity_of(path)
    known = _scans.get(identity)
    if known is None:
        known = _scanned(container, path)
        _scans.put(identity, replace(known, first=None))
    return known


def _scanned(container: Any, path: Path) -> Scan:
    av = find_pyav()
    extents: dict[int, Extent] = {}
    packets: list[_Packet] = []
    group: list[Any] = []  # the packets from the last key frame on
    stream = main_video(container, path)
    main, codec, name = stream.index, stream.codec_context.name, path.name
    first = None
    for packet in container.demux():
        check_time(name)
        index = packet.stream.index
        is_main = index == main
        if is_main and first is None:  # a recording may begin inside a group of frames
            with contextlib.suppress(av.FFmpegError, ValueError):
                first = next(iter(packet.decode()), None)
        if not packet.size or (is_main and _is_hidden(packet, codec)):
            continue
        if index not in extents:
            extents[index] = Extent(Fraction(packet.time_base or 1))
        extents[index].add(packet)
        if is_main:
            packets.append(_Packet.of(packet, codec))
            check_file(name, frames=len(packets))
            if packet.is_keyframe:
                group.clear()
            group.append(packet)
    is_short = bool(group) and group[-1].is_corrupt
    if len(packets) > 1 and is_short and _is_lost(path, group):
        packets.pop()
    if not packets:
        raise no_video(path, "it holds no video")
    if first is None:
        raise no_video(path, "no frame could be decoded")
    shown = None if first.pts is None else int(first.pts)
    start = container.start_time
    sounds = [extents[one.index].begin_s if one.index in extents else None for one in container.streams.audio]
    start_s = None if start is None else start / 1e6
    timeline = _timeline(container, stream, packets, start_s, shown, sounds=sounds, is_short=is_short)
    return Scan(
        timeline, extents, sum(one.is_key for one in packets), codec,
        color_tags.frame_matrix(first), bool(first.interlaced_frame), first,
    )  # fmt: skip


def _is_lost(path: Path, group: list[Any]) -> bool:
    """Return whether the last packet of a group shows no frame, because the file ends inside it."""
    av = find_pyav()
    last, found = group[-1].pts, set()
    with open_media(path) as container:  # a decoder that has not begun yet
        stream = main_video(container, path)
        stream.thread_type = "SLICE"  # other threads lose the frames near it, too
        for packet in (*group, None):
            with contextlib.suppress(av.FFmpegError, ValueError):
                found |= {frame.pts for frame in stream.codec_context.decode(packet)}
    return last is not None and last not in found


@dataclass(frozen=True, slots=True)
class _Packet:
    pts: int | None
    dts: int | None
    duration: int
    is_key: bool
    is_closed: bool

    @classmethod
    def of(cls, packet: Any, codec: str) -> _Packet:
        is_closed = bool(packet.is_keyframe) and (
            codec not in _REORDERING or _is_closed(codec, bytes(memoryview(packet)[:4096]))
        )
        return cls(packet.pts, packet.dts, packet.duration or 0, bool(packet.is_keyframe), is_closed)


def _is_hidden(packet: Any, codec: str) -> bool:
    """Return whether a packet shows no frame: before an edit list's begin, or a hidden reference of VP8."""
    return bool(packet.is_discard) or (codec in ("vp8", "libvpx") and not memoryview(packet)[0] & 0x10)


def _is_closed(codec: str, data: bytes) -> bool:
    """Return whether a packet in Annex B starts with an IDR frame of H.264: no later packet is shown before it."""
    if codec != "h264":
        return False
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 4:
        kind = data[at + 3] & 0x1F
        if kind in (1, 5):
            return kind == 5
        at = data.find(b"\0\0\1", at + 3)
    return False


def _timeline(
    container: Any,
    stream: Any,
    packets: list[_Packet],
    start: float | None,
    shown: int | None,
    *,
    sounds: list[float | None],
    is_short: bool,
) -> Timeline:
    demuxer = container.format.name.partition(",")[0]
    codec, unit = stream.codec_context.name, Fraction(stream.time_base)
    average = Fraction(stream.average_rate or stream.guessed_rate or 25)
    times = [one.pts if one.pts is not None else one.dts for one in packets]
    is_raw = demuxer in _RAW
    unique = set(_known(times))
    # Program streams give two frames in one packet one time. Two fields in two packets are one frame, though.
    is_shared = demuxer == "mpeg" and _FIELDS * len(times) < len(unique) < len(times)
    is_restarted = demuxer in _BROADCAST and _is_restarted(packets, unit)
    is_counted = (
        is_raw
        or is_shared
        or is_restarted
        or not unique
        or (
            codec in _REORDERING
            and (demuxer in _UNTIMED or (demuxer in _GUESSED and all(a < b for a, b in pairwise(_known(times)))))
        )
    )
    if is_counted:
        known = _known(times)
        first = min(known) if known and not is_raw and demuxer not in _UNTIMED else 0
        ticks = [first + round(number / average / unit) for number in range(len(packets))]
        marks = [(n, one.dts if one.dts is not None else ticks[n]) for n, one in enumerate(packets) if one.is_closed]
        marks = [] if is_raw or is_restarted else marks
        keys = [(0, ticks[0]), *((n, at) for n, at in marks if n)]
    else:
        ticks = sorted(at for at in unique if shown is None or at >= shown)
        numbers = {at: number for number, at in enumerate(ticks)}
        found = {numbers[at]: at for one, at in zip(packets, times, strict=True) if one.is_key and at in numbers}
        keys = sorted({0: ticks[0], **found}.items())
    rate = _rate(ticks, unit, average)
    if _is_pulldown(ticks, unit, film := Fraction(24000, 1001)):
        rate = film
    step = packets[-1].duration * unit
    begin, ahead = float(ticks[0] * unit), 0.0
    if is_raw or demuxer in _UNTIMED:  # the sound begins at the container's start, the first frame there, too
        begin, ahead = start or 0.0, begin - (start or 0.0)
    elif start is not None:  # not the first packet of sound: its first samples may only prepare the decoder
        begin = min(begin, start)
    late = [max(0.0, (begin if at is None else at) - begin) for at in sounds]
    can_seek = demuxer in SEEKABLE and not (is_short and demuxer == "avi")  # its index is at the end
    return Timeline(
        tuple(ticks), unit, tuple(n for n, _ in keys), tuple(at for _, at in keys), rate, begin, start or 0.0, ahead,
        float(step) if 0 < step < 10 else float(1 / rate), int(stream.index),
        is_counted=is_counted, is_regular=not is_counted and _is_pulldown(ticks, unit, rate),
        can_seek=can_seek and not is_counted, has_chapters=bool(container.chapters()),
        sounds_late_s=tuple(late) if demuxer in _BROADCAST else (),
        is_restarted=is_restarted,
    )  # fmt: skip


def _is_restarted(packets: list[_Packet], unit: Fraction) -> bool:
    """Return whether the clock goes back or leaps, as in recordings that were appended to each other."""
    order = [one.dts for one in packets if one.dts is not None]
    leap = int(_LEAP_S / unit)
    return any(not 0 <= b - a <= leap for a, b in pairwise(order))


def _known(times: list[int | None]) -> list[int]:
    return [at for at in times if at is not None]


def _rate(ticks: list[int], unit: Fraction, stated: Fraction) -> Fraction:
    """Return the stated average where the times confirm it, else the one that they show."""
    if len(ticks) < 2:
        return stated
    length = (ticks[-1] - ticks[0]) * unit
    shown = (len(ticks) - 1) / length
    close = max(Fraction(1, 200), 2 * unit / length, Fraction(4, 1000) / length)
    return stated if abs(shown / stated - 1) <= close else shown.limit_denominator(1001) or shown


def _is_pulldown(ticks: list[int], unit: Fraction, rate: Fraction) -> bool:
    """Return whether frames are shown for two and three fields in turn: film in NTSC. Its frames are even."""
    if len(ticks) < 5:
        return False
    up, down = unit.as_integer_ratio()
    steps = [(b - a) * up / down for a, b in pairwise(ticks)]
    mean = float(1 / rate)
    kinds = [round(step / mean, 1) for step in steps]
    turns = sum({a, b} == {0.8, 1.2} for a, b in pairwise(kinds))
    apart = [(at - ticks[0]) * up / down / mean - n for n, at in enumerate(ticks)]
    return max(apart) - min(apart) < _UNEVEN and turns > _IN_TURN * (len(kinds) - 1)
