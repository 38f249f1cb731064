"""The pictures of a video by their numbers: exact, quick to step through both ways, bounded in memory.

The rule of this file: a number means the same picture whoever asks and in which order. The times of
all pictures are read from the packets, which decodes nothing; a picture is decoded from the key
picture before it, or from where the decoder stands if that is nearer.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np

from ci_notebook.media.probe import TRANSFERS, no_video, opened
from ci_notebook.media.snapshot import HDR_WHITE, Picture, encode_picture, from_hdr, resized, to_rgb
from ci_notebook.model.errors import ParameterError

Box = tuple[float, float, float, float]
"""Left, top, width and height, as shares of a picture."""

KEEP_BYTES: Final = 64 << 20  # of decoded pictures, for each video
_LEAST_KEPT: Final = 4
_MARGIN: Final = 8  # px that a scaler looks at beyond the edge of what it converts
_HALF_TICK: Final = 1e-4  # s; times come as decimals
_SAME_SHAPE: Final = 0.005
_HDR: Final = {"smpte2084": "HDR10 (PQ)", "arib-std-b67": "HLG"}


class Frames:
    """The pictures of one video, first 0, as they are shown: turned by its rotation, in RGB. Close it after use.

    `frames[37]` is picture 37 as HxWx3 uint8, `len(frames)` how many there are. Any thread may ask. Costs
    one walk over the file's packets when it is opened (0.2 s for 250 MB and 30,000 pictures), then a
    decoded picture a step, and up to a group of pictures a jump. Raises `EngineError` for what is no video.

    >>> from ci_notebook.media.samples import sample
    >>> with Frames(sample("city")) as frames:
    ...     len(frames), frames.rate, frames[37].shape, frames.number_at(1.5)
    (75, 25.0, (360, 640, 3), 37)
    """

    def __init__(self, path: Path, *, keep_bytes: int = KEEP_BYTES) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._stack = ExitStack()
        try:
            self._open()
            self._times, self._keys = _index(self._container, self._stream)
            self._unit = self._stream.time_base
            self._kept: OrderedDict[int, Any] = OrderedDict()
            self._reading: Iterator[Any] | None = None
            self._next, self._most_kept = 0, _LEAST_KEPT
            first = self._frame(0)
        except BaseException:
            self._stack.close()
            raise
        deep = 2 if "10" in first.format.name else 1
        self._most_kept = max(_LEAST_KEPT, keep_bytes // max(1, first.width * first.height * 3 * deep // 2))
        self._turn = round(first.rotation / 90) % 4
        size = (first.width, first.height)
        self.size: tuple[int, int] = (size[1], size[0]) if self._turn % 2 else size
        self._hdr = _HDR.get(TRANSFERS.get(int(first.color_trc), ""), "")

    def __len__(self) -> int:
        return len(self._times)

    @property
    def rate(self) -> float:
        """Pictures a second, on average; 1 for a single one."""
        count = len(self._times)
        length = float((self._times[-1] - self._times[0]) * self._unit)
        return round((count - 1) / length, 3) if length > 0 else 1.0

    @property
    def duration_s(self) -> float:
        """How long its pictures are shown."""
        return len(self) / self.rate

    @property
    def tone(self) -> str:
        """How HDR is brought to SDR, in words; empty for SDR."""
        if not self._hdr:
            return ""
        return f"{self._hdr} shown as SDR: diffuse white ({HDR_WHITE} cd/m²) is white, brighter light is cut"

    def number_at(self, time_s: float) -> int:
        """Return the number of the picture that is shown `time_s` seconds after the first appears."""
        want = self._times[0] + (time_s + _HALF_TICK) / float(self._unit)
        return max(0, bisect_right(self._times, want) - 1)

    def time_of(self, number: int) -> float:
        """Return when a picture appears, in seconds after the first one."""
        return float((self._times[self._checked(number)] - self._times[0]) * self._unit)

    def __getitem__(self, number: int) -> Picture:
        return self.picture(number)

    def picture(
        self, number: int, *, width: int = 0, box: Box | None = None, shape: tuple[int, int] | None = None
    ) -> Picture:
        """Return a picture as HxWx3 uint8 RGB, or what of it `box` says, `width` px wide if that is not 0.

        It is never enlarged: a smaller picture comes in its own size. `shape` is a width and height whose
        proportions the picture is padded to, before it is cut. Raises `ParameterError` for a number or a
        box that is not in it.
        """
        number = self._checked(number)
        box = _checked_box(box)
        with self._lock:
            frame = self._frame(number)
            pad = shape is not None and abs(shape[0] * self.size[1] / (shape[1] * self.size[0]) - 1) > _SAME_SHAPE
            if not self._hdr and not self._turn and not pad:
                return _part(frame, box, width)
            rgb = from_hdr(frame) if self._hdr else to_rgb(frame)
        rgb = np.ascontiguousarray(np.rot90(rgb, self._turn))
        if shape is not None and pad:
            rgb = _padded(rgb, shape)
        rgb = _cut(rgb, box)
        return resized(rgb, min(width, rgb.shape[1])) if width else rgb

    def coded(self, number: int, *, kind: Literal["jpg", "png"] = "jpg", quality: int = 90, **more: Any) -> bytes:
        """Return what `picture` returns, as the bytes of a JPEG or PNG file."""
        return encode_picture(self.picture(number, **more), kind, quality=quality)

    def difference(
        self,
        number: int,
        other: Frames,
        other_number: int,
        *,
        gain: float = 8.0,
        width: int = 0,
        box: Box | None = None,
    ) -> tuple[bytes, float, int]:
        """Return how far two pictures are apart as a JPEG, `gain` times amplified, with the mean and the largest.

        Each channel's distance, of 255, is taken at full size: the smaller picture is enlarged to the
        larger. Black is no difference.
        """
        large, small = (self, other) if self.size[0] >= other.size[0] else (other, self)
        one = large.picture(number if large is self else other_number, box=box)
        two = small.picture(number if small is self else other_number, box=box, shape=large.size)
        if two.shape != one.shape:
            two = resized(two, one.shape[1], one.shape[0])
        apart = np.maximum(one, two) - np.minimum(one, two)
        shown = np.minimum(apart.astype(np.float32) * gain, 255).astype(np.uint8)
        if width and width < shown.shape[1]:
            shown = resized(shown, width)
        return encode_picture(shown, quality=90), float(apart.mean()), int(apart.max())

    @property
    def cached_count(self) -> int:
        """How many decoded frames are in memory now."""
        return len(self._kept)

    def rest(self) -> None:
        """Forget what was decoded and close the file, until a picture is asked for again."""
        with self._lock:
            self._kept.clear()
            self._reading = None
            self._stack.close()
            self._is_resting = True

    def close(self) -> None:
        """Close the file and forget what was decoded. It opens again for whoever asks all the same."""
        self.rest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *broken: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Frames of {self.path.name}: {len(self)} of {self.size[0]}x{self.size[1]} at {self.rate:g} per s>"

    def _checked(self, number: int) -> int:
        if not 0 <= number < len(self._times):
            raise ParameterError("the number of a picture", number, f"0 to {len(self._times) - 1} in {self.path.name}")
        return int(number)

    def _frame(self, number: int) -> Any:
        """Return a decoded PyAV frame, and keep those that came by on the way to it."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        key = max(0, bisect_right(self._keys, self._times[number]) - 1)
        if self._reading is None or not bisect_left(self._times, self._keys[key]) <= self._next <= number:
            self._seek(self._times[number], key)
        found = None
        for frame in self._reading or ():
            if frame.pts is None:
                continue
            found, at = frame, bisect_right(self._times, frame.pts) - 1
            self._keep(at, frame)
            self._next = at + 1
            if at >= number:
                return frame
        self._reading = None
        if found is None:
            raise no_video(self.path, f"picture {number} could not be decoded")
        return found  # the last pictures are damaged: what comes before stands in for them

    def _seek(self, want: int, key: int) -> None:
        """Put the decoder on a picture at or before `want`: containers seek by decoding time, which may be too late."""
        if self._is_resting:
            self._open()
        for start in range(key, -2, -1):
            if start >= 0:
                self._container.seek(self._keys[start], stream=self._stream)
            else:
                self._open()  # a stream without an index may not find its own first picture
            pictures = self._container.decode(self._stream)
            first = next((frame for frame in pictures if frame.pts is not None), None)
            if first is not None and (first.pts <= want or start < 0):
                self._reading = chain([first], pictures)
                return
        self._reading = None

    def _open(self) -> None:
        self._stack.close()
        self._is_resting = False
        self._container = self._stack.enter_context(opened(self.path))
        if not self._container.streams.video:
            raise no_video(self.path, "it holds no pictures")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"

    def _keep(self, number: int, frame: Any) -> None:
        self._kept[number] = frame
        self._kept.move_to_end(number)
        while len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)


def _index(container: Any, stream: Any) -> tuple[list[int], list[int]]:
    """Return the times of all pictures in the stream's own unit, and those of its key pictures, in order."""
    times, keys = set(), set()
    for packet in container.demux(stream):
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None or not packet.size or packet.is_discard:
            continue
        times.add(at)
        if packet.is_keyframe:
            keys.add(at)
    if not times:
        raise no_video(Path(container.name), "it holds no pictures")
    ordered = sorted(times)
    return ordered, sorted(keys | {ordered[0]})


def _checked_box(box: Box | None) -> Box | None:
    if box is None:
        return None
    left, top, wide, high = box
    if not (0 <= left < 1 and 0 <= top < 1 and 0 < wide <= 1 - left + 1e-6 and 0 < high <= 1 - top + 1e-6):
        raise ParameterError("box", box, "left, top, width and height within 0 to 1")
    return box


def _pixels(box: Box, wide: int, high: int) -> tuple[int, int, int, int]:
    """Return the whole pixels that a box touches: x, y, width, height."""
    left, top = int(box[0] * wide + 1e-6), int(box[1] * high + 1e-6)
    right = min(wide, math.ceil((box[0] + box[2]) * wide - 1e-6))
    bottom = min(high, math.ceil((box[1] + box[3]) * high - 1e-6))
    return left, top, max(1, right - left), max(1, bottom - top)


def _part(frame: Any, box: Box | None, width: int) -> Picture:
    """Convert only what is asked for: a stretch with what its scaler sees beyond the edge, or a smaller picture."""
    if box is None:
        if not 0 < width < frame.width:
            return to_rgb(frame)
        return to_rgb(frame, width=width, height=max(1, round(frame.height * width / frame.width)))
    x, y, wide, high = _pixels(box, frame.width, frame.height)
    left, top = max(0, x - _MARGIN) // 2 * 2, max(0, y - _MARGIN) // 2 * 2
    across = min(frame.width, x + wide + _MARGIN) - left
    down = min(frame.height, y + high + _MARGIN) - top
    rgb = to_rgb(frame, crop=(left, top, across, down))
    part = np.ascontiguousarray(rgb[y - top : y - top + high, x - left : x - left + wide])
    return resized(part, width) if 0 < width < wide else part


def _cut(rgb: Picture, box: Box | None) -> Picture:
    if box is None:
        return rgb
    x, y, wide, high = _pixels(box, rgb.shape[1], rgb.shape[0])
    return np.ascontiguousarray(rgb[y : y + high, x : x + wide])


def _padded(rgb: Picture, shape: tuple[int, int]) -> Picture:
    """Return the picture in the middle of a black one with the proportions of `shape`."""
    high, wide = rgb.shape[:2]
    wanted = shape[0] / shape[1]
    across, down = (round(high * wanted), high) if wanted > wide / high else (wide, round(wide / wanted))
    page = np.zeros((down, across, 3), np.uint8)
    top, left = (down - high) // 2, (across - wide) // 2
    page[top : top + high, left : left + wide] = rgb
    return page
