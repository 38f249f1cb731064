"""A few frames of a clip, spread evenly over it: for measures that need not see all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from ci_notebook.media import color_tags
from ci_notebook.media.probe import main_video, no_video, open_media
from ci_notebook.media.streams.file_identity import Identity, identity_of
from ci_notebook.media.streams.frame_reader import FrameReader, decoded
from ci_notebook.media.streams.frame_times import Timeline, scan_of, timeline_of
from ci_notebook.media.streams.light import Light, light_of
from ci_notebook.model.lru import LRU

__all__ = [
    "key_frames",
    "light_of_clip",
    "matrix_and_fields_of",
    "sample_frame_pairs",
    "sample_frames",
    "spread_frames",
]

_SHORT: Final = 400  # frames; up to here decoding all is cheaper than seeking, and exact
_FEW: Final = 50  # frames; so few are all decoded
_ENOUGH: Final = 6  # different key frames near the wanted times: no other frame need be decoded
_KEY_FRAMES: Final = 40
_CACHED: Final = 64  # clips
_WITHOUT_FIELDS: Final = frozenset({"vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "gif", "png"})
_matrices_and_fields: Final = LRU[Identity, tuple[str, bool]](_CACHED)
_lights: Final = LRU[Identity, Light | None](_CACHED)


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


def spread_frames(path: Path, count: int) -> Iterator[Any]:
    """Yield up to `count` decoded PyAV frames, evenly spread, the same at every call, as cheaply as possible.

    Key frames near the wanted times are found by seeking. A short clip with too few of them is decoded without
    the frames that no other frame needs, half the cost of `sample_frames`.
    """
    path = Path(path)
    timeline = timeline_of(path)
    near = {timeline.key_before(number) for number in _wanted(timeline, count)}
    by_keys = len(timeline) > _SHORT or len(near) >= min(_ENOUGH, len(timeline))
    decodes: Literal["all", "references", "keys"] = "keys" if by_keys else "references"
    is_empty = True
    if timeline.is_counted or len(timeline) < _FEW:
        decodes = "all"
    with FrameReader(path, decodes=decodes) as reader:
        for frame, _ in _by_seeking(reader, count, pairs=False) if by_keys else _by_number(reader, count, pairs=False):
            is_empty = False
            yield frame
    if is_empty:
        raise no_video(path, "no frame could be decoded")


def matrix_and_fields_of(path: Path) -> tuple[str, bool]:
    """Return a clip's YUV matrix, and whether any of its key frames consists of fields.

    Decodes up to 40 key frames, once as long as the file is the same; none where its first frame tells it.
    """
    path = Path(path)
    return _matrices_and_fields.get_or_make(identity_of(path), lambda: _read_matrix_and_fields(path))


def light_of_clip(path: Path) -> Light | None:
    """Return the light of an HDR clip, None for SDR. Decodes up to 40 key frames, once while the file is the same."""
    path = Path(path)
    if not scan_of(path).is_hdr:
        return None
    return _lights.get_or_make(identity_of(path), lambda: light_of(key_frames(path, most=_KEY_FRAMES)))


def _read_matrix_and_fields(path: Path) -> tuple[str, bool]:
    scan = scan_of(path)
    if scan.keys <= 1 or scan.codec in _WITHOUT_FIELDS or scan.has_fields:
        return scan.matrix, scan.has_fields
    frames = key_frames(path, most=_KEY_FRAMES)
    return color_tags.frame_matrix(next(frames)), any(frame.interlaced_frame for frame in frames)


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


def _by_number(reader: FrameReader, count: int, *, pairs: bool = True) -> Iterator[tuple[Any, Any]]:
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
            if pairs:
                before = frame
                continue
            yield frame, None
            if target > total:
                return
    if before is not None:
        yield before, None


def _wanted(timeline: Timeline, count: int) -> Iterator[int]:
    """Yield the numbers of the frames in the middle of each part."""
    for number in range(count):
        yield timeline.number_at(timeline.length_s * (number + 0.5) / count)


def _by_seeking(reader: FrameReader, count: int, *, pairs: bool = True) -> Iterator[tuple[Any, Any]]:
    timeline, last, key = reader.timeline, None, -1
    for wanted in _wanted(timeline, count):
        if not pairs and timeline.key_before(wanted) == key:
            continue
        key = timeline.key_before(wanted)
        frames = (frame for _, frame in reader.frames_from(key))
        frame = next(frames, None)
        if frame is not None and frame.pts != last:
            last = frame.pts
            yield frame, next(frames, None) if pairs else None
