"""Counts the samples that an MP4 or MOV file states, before FFmpeg builds its index of them.

FFmpeg makes one entry of 24 bytes and more for each sample. A table may state a number instead of listing the
samples, so a file of 7 kB can take 4 GB and half a minute to open. What is no MP4 passes: FFmpeg judges it.
"""

from __future__ import annotations

import array
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from ci_notebook.model.bounds import check_samples

__all__ = ["check_sample_tables"]

# Boxes in which FFmpeg looks for others; it does not care which is in which.
_CONTAINERS: Final = frozenset(
    (b"moov", b"hoov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"udta", b"wide", b"cmov")
)
_MAX_BOXES: Final = 500_000
_MAX_DEPTH: Final = 12
_MAX_ENTRIES: Final = 10_000_000  # of a table; one that is longer is over the bound
_MAX_MOOV_BYTES: Final = 64 << 20  # of a compressed one


@dataclass(slots=True)
class _Track:
    """What the boxes of one track state."""

    samples: int = 0
    timed: int = 0
    edits: int = 0
    is_sound: bool = False
    is_counted_in_chunks: bool = False  # FFmpeg makes one entry a chunk for sound without compression

    @property
    def entries(self) -> int:
        if self.is_sound and self.is_counted_in_chunks:
            return 0
        return max(self.samples, self.timed) * max(1, self.edits)


def check_sample_tables(path: Path) -> None:
    """Raise `EngineError` for a file whose tables state more samples than the bounds allow."""
    try:
        with path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            counter = _Counter()
            counter.walk(file, 0, end)
    except (OSError, struct.error, zlib.error):
        return
    entries = sum(track.entries for track in counter.tracks) + counter.fragment_samples
    check_samples(path.name, entries)


class _Counter:
    """Counts the samples of one file, and stops where the bounds on boxes are reached."""

    def __init__(self) -> None:
        self.tracks: list[_Track] = []
        self.fragment_samples = 0
        self._boxes = 0

    def walk(self, file: BinaryIO, at: int, end: int, depth: int = 0) -> None:
        """Visit the boxes from one position to another."""
        for kind, start, stop in _boxes(file, at, end):
            self._boxes += 1
            if self._boxes > _MAX_BOXES or (depth == 0 and not kind.isascii()):
                return
            if kind == b"trak":
                self.tracks.append(_Track())
            if kind in _CONTAINERS and depth < _MAX_DEPTH:
                self.walk(file, start, stop, depth + 1)
            elif kind == b"cmvd":
                self._unpack(file, start, stop, depth)
            elif kind == b"trun":
                self.fragment_samples += _number(file, start + 4)
            elif self.tracks:
                self._count(file, kind, start, stop, self.tracks[-1])

    def _count(self, file: BinaryIO, kind: bytes, start: int, stop: int, track: _Track) -> None:
        if kind in (b"stsz", b"stz2"):
            track.samples = max(track.samples, _number(file, start + 8))
        elif kind in (b"stts", b"ctts"):
            entries = min(_number(file, start + 4), (stop - start - 8) // 8)
            counts = _words(file, start + 8, 2 * min(entries, _MAX_ENTRIES))
            track.timed = max(track.timed, sum(counts[::2]), entries)
            if kind == b"stts":
                track.is_counted_in_chunks = entries == 1 and counts[1] == 1
        elif kind == b"elst":
            track.edits = max(track.edits, min(_number(file, start + 4), (stop - start) // 12))
        elif kind == b"hdlr":
            file.seek(start + 8)
            track.is_sound = track.is_sound or file.read(4) == b"soun"

    def _unpack(self, file: BinaryIO, start: int, stop: int, depth: int) -> None:
        file.seek(start + 4)
        data = zlib.decompressobj().decompress(file.read(min(stop - start, _MAX_MOOV_BYTES)), _MAX_MOOV_BYTES)
        if len(data) == _MAX_MOOV_BYTES:
            self.fragment_samples += 1 << 32
        self.walk(BytesIO(data), 0, len(data), depth + 1)


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, begin and end of the content of each box in a part of a file."""
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        begin = at + 8
        if size == 1 and len(head) == 16:
            size, begin = struct.unpack_from(">Q", head, 8)[0], at + 16
        stop = end if size == 0 else min(end, at + size)
        if stop < begin:
            return
        yield kind, begin, stop
        at = stop


def _number(file: BinaryIO, at: int) -> int:
    file.seek(at)
    return int(struct.unpack(">I", file.read(4))[0])


def _words(file: BinaryIO, at: int, count: int) -> array.array[int]:
    file.seek(at)
    words = array.array("I", file.read(count * 4))
    if sys.byteorder == "little":
        words.byteswap()
    return words
