"""The frames of a video by number: exact, fast to step through in both directions, bounded in memory.

A number means the same frame in every order of requests and for every caller. The times of all frames are
read from the packets, without decoding. A frame is decoded from the key frame before it, or from the
decoder's current position if that is nearer.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np

from ci_notebook.media import color_tags
from ci_notebook.media.probe import geometry_of, no_video
from ci_notebook.media.snapshot import Picture, as_shown, encode_picture, is_converted, resized, to_rgb, to_sdr_rgb
from ci_notebook.media.streams.frame_reader import FrameReader
from ci_notebook.model.errors import ParameterError

Box = tuple[float, float, float, float]
"""Left, top, width and height, as shares of a picture."""

KEEP_BYTES: Final = 64 << 20  # cache of decoded frames, per video
_MIN_CACHED: Final = 4
_MARGIN: Final = 8  # px that a scaler reads beyond the edge of the part that it converts
_SAME_SHAPE: Final = 0.005


class Frames:
    """The frames of one video, counted from 0, in RGB as players show them: turned, mirrored, in square pixels.

    `frames[37]` is frame 37 as HxWx3 uint8, `len(frames)` their number. It is thread-safe. Close it after use.
    Opening reads all packets of the file (0.2 s for 250 MB and 30,000 frames). A step then costs one decoded
    frame, a jump up to one group of pictures. Raises `EngineError` for a file that is no video.

    >>> from ci_notebook.media.samples import sample
    >>> with Frames(sample("city")) as frames:
    ...     len(frames), frames.rate, frames[37].shape, frames.number_at(1.5)
    (75, 25.0, (360, 640, 3), 37)
    """

    def __init__(self, path: Path, *, keep_bytes: int = KEEP_BYTES) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._reader = FrameReader(self.path)
        self._timeline = self._reader.timeline
        try:
            self._cache: OrderedDict[int, Any] = OrderedDict()
            self._decoder: Iterator[tuple[int, Any]] | None = None
            self._next, self._max_cached = 0, _MIN_CACHED
            first = self._frame(0)
            self._geometry = geometry_of(self._reader.stream, first)
        except BaseException:
            self._reader.close()
            raise
        bytes_per_sample = 2 if "10" in first.format.name else 1
        frame_bytes = first.width * first.height * 3 * bytes_per_sample // 2
        self._max_cached = max(_MIN_CACHED, keep_bytes // max(1, frame_bytes))
        self.size: tuple[int, int] = self._geometry.shown
        self._hdr = color_tags.HDR_TRANSFERS.get(color_tags.frame_transfer(first) or "", "")
        self._is_converted = is_converted(first)

    def __len__(self) -> int:
        return len(self._timeline)

    @property
    def rate(self) -> float:
        """Frames per second, on average; 1 for a single frame."""
        return round(float(self._timeline.rate), 3) if len(self) > 1 else 1.0

    @property
    def duration_s(self) -> float:
        """Length of the video."""
        return self._timeline.length_s

    @property
    def tone(self) -> str:
        """How HDR is converted to SDR, in words; empty for SDR."""
        if not self._hdr:
            return ""
        white = f"diffuse white ({color_tags.DIFFUSE_WHITE} cd/m²) is white, brighter light is cut"
        return f"{self._hdr} shown as SDR: {white}"

    @property
    def cached_frames(self) -> int:
        """How many decoded frames are in memory now."""
        return len(self._cache)

    def number_at(self, time_s: float) -> int:
        """Return the number of the frame that is shown `time_s` seconds after the first frame appears."""
        return self._timeline.number_at(time_s)

    def time_of(self, number: int) -> float:
        """Return when a frame appears, in seconds after the first frame."""
        return self._timeline.time_of(self._checked(number))

    def __getitem__(self, number: int) -> Picture:
        return self.picture(number)

    def picture(
        self, number: int, *, width: int = 0, box: Box | None = None, shape: tuple[int, int] | None = None
    ) -> Picture:
        """Return a frame as HxWx3 uint8 RGB, or the part `box` of it, `width` px wide if that is not 0.

        A frame is never enlarged: a smaller one comes in its own size. `shape` is a width and height whose
        proportions the frame is padded to, before it is cut. Raises `ParameterError` for a number or a box
        outside the video.
        """
        number = self._checked(number)
        box = _checked_box(box)
        with self._lock:
            frame = self._frame(number)
            pad = shape is not None and abs(shape[0] * self.size[1] / (shape[1] * self.size[0]) - 1) > _SAME_SHAPE
            is_plain = not self._geometry.filters and self._geometry.stored == self._geometry.shown
            is_plain = is_plain and (frame.width, frame.height) == self._geometry.stored  # sizes may change
            if is_plain and not self._is_converted and not pad:
                return _part(frame, box, width)
            rgb = to_sdr_rgb(frame)
        rgb = as_shown(rgb, self._geometry)
        if shape is not None and pad:
            rgb = _padded(rgb, shape)
        rgb = _cut(rgb, box)
        return resized(rgb, min(width, rgb.shape[1])) if width else rgb

    def coded(
        self, number: int, *, kind: Literal["jpg", "png"] = "jpg", quality: int = 90, width: int = 0,
        box: Box | None = None, shape: tuple[int, int] | None = None,
    ) -> bytes:  # fmt: skip
        """Return the result of `picture` as the bytes of a JPEG or PNG file."""
        return encode_picture(self.picture(number, width=width, box=box, shape=shape), kind, quality=quality)

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
        """Return the difference of two frames as a JPEG, `gain` times amplified, with its mean and its maximum.

        Differences are per channel, of 255, at the size of the larger frame. Black is no difference.
        """
        large, small = (self, other) if self.size[0] >= other.size[0] else (other, self)
        one = large.picture(number if large is self else other_number, box=box)
        two = small.picture(number if small is self else other_number, box=box, shape=large.size)
        if two.shape != one.shape:
            two = resized(two, one.shape[1], one.shape[0])
        distance = np.maximum(one, two) - np.minimum(one, two)
        shown = np.minimum(distance.astype(np.float32) * gain, 255).astype(np.uint8)
        if width and width < shown.shape[1]:
            shown = resized(shown, width)
        return encode_picture(shown, quality=90), float(distance.mean()), int(distance.max())

    def rest(self) -> None:
        """Clear the cache and close the file until the next request for a frame."""
        with self._lock:
            self._cache.clear()
            self._decoder = None
            self._reader.close()

    def close(self) -> None:
        """Clear the cache and close the file. A later request opens it again."""
        self.rest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Frames of {self.path.name}: {len(self)} of {self.size[0]}x{self.size[1]} at {self.rate:g} per s>"

    def _checked(self, number: int) -> int:
        if not 0 <= number < len(self):
            raise ParameterError("number", number, f"0 to {len(self) - 1} in {self.path.name}")
        return int(number)

    def _frame(self, number: int) -> Any:
        """Return a decoded PyAV frame; frames that had to be decoded before it go into the cache, too."""
        if number in self._cache:
            self._cache.move_to_end(number)
            return self._cache[number]
        if self._decoder is None or not self._timeline.key_before(number) <= self._next <= number:
            self._decoder = self._reader.frames_from(number)
        latest = self._decoded_to(number)
        if latest is None:
            self._decoder = self._reader.frames_from(number)
            latest = self._decoded_to(number)
        if latest is None:
            raise no_video(self.path, f"frame {number} could not be decoded")
        return latest

    def _decoded_to(self, number: int) -> Any:
        """Return a frame from the decoder's position on; the last one there is, if the frames after it are damaged."""
        latest = None
        for at, frame in self._decoder or ():
            latest = frame
            self._add_to_cache(at, frame)
            self._next = at + 1
            if at >= number:
                return frame
        self._decoder = None
        return latest

    def _add_to_cache(self, number: int, frame: Any) -> None:
        self._cache[number] = frame
        self._cache.move_to_end(number)
        while len(self._cache) > self._max_cached:
            self._cache.popitem(last=False)


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
    """Convert only the part that is needed, with the margin that its scaler reads, or a smaller picture."""
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
    ratio = shape[0] / shape[1]
    across, down = (round(high * ratio), high) if ratio > wide / high else (wide, round(wide / ratio))
    page = np.zeros((down, across, 3), np.uint8)
    top, left = (down - high) // 2, (across - wide) // 2
    page[top : top + high, left : left + wide] = rgb
    return page
