"""CRC-64 as COS returns it with objects (`x-cos-hash-crc64ecma`): ECMA-182, reflected, inverted in and out.

Plain Python does a few MB a second. The sum is linear, so numpy cuts a chunk into lanes, adds up what each byte of
a lane stands for by its place, and merges the lanes in pairs at the end. The package `fastcrc` (`crc64.xz`)
gives the same sum much faster, at the price of a compiled dependency.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_POLYNOMIAL: Final = 0xC96C5795D7870F42
_ALL: Final = (1 << 64) - 1
# Numbers of lanes: a power of two each, of which the largest that fits is taken.
_LANES: Final = (2048, 128, 8)
_LANE_BYTES: Final = 128


class Crc64:
    """A running CRC-64.

    >>> str(Crc64(b"123456789"))
    '11051210869376104954'
    """

    def __init__(self, data: bytes = b"") -> None:
        self._state = _ALL
        self.update(data)

    def update(self, data: bytes) -> None:
        """Add bytes."""
        rest = memoryview(data)
        for lanes in _LANES:
            size = lanes * _LANE_BYTES
            while len(rest) >= size:
                self._state = _advanced(self._state, size) ^ _of_lanes(rest[:size], lanes)
                rest = rest[size:]
        table = _table_of_ints()
        for byte in rest:
            self._state = table[(self._state ^ byte) & 0xFF] ^ (self._state >> 8)

    def __str__(self) -> str:
        return str(self._state ^ _ALL)


def _of_lanes(data: memoryview, lanes: int) -> int:
    """Return the sum of so many lanes, started at 0."""
    columns = np.frombuffer(data, np.uint8).reshape(lanes, _LANE_BYTES).T.astype(np.intp, order="C")
    state, each, length = np.zeros(lanes, np.uint64), np.empty(lanes, np.uint64), _LANE_BYTES
    for table, column in zip(_places(), columns, strict=True):
        table.take(column, out=each, mode="clip")  # "raise" would copy `out`
        state ^= each
    while len(state) > 1:
        state = _advanced(state[0::2], length) ^ state[1::2]
        length *= 2
    return int(state[0])


@functools.cache
def _places() -> tuple[Words, ...]:
    """Return the sum of each byte at each place of a lane."""
    low, eight = np.uint64(0xFF), np.uint64(8)
    places = [_table()]
    while len(places) < _LANE_BYTES:
        places.append(_table()[places[-1] & low] ^ (places[-1] >> eight))
    return tuple(reversed(places))


def _advanced(state: Any, length: int) -> Any:
    """Return a sum (or each of many) after `length` more zero bytes."""
    words = np.ascontiguousarray(state, "<u8").reshape(-1)
    tables, result = _zeros(length), np.zeros(words.shape, np.uint64)
    for table, byte in zip(tables, words.view(np.uint8).reshape(-1, 8).T, strict=True):
        result ^= table[byte]
    return result if isinstance(state, np.ndarray) else int(result[0])


@functools.cache
def _zeros(length: int) -> Words:
    """Return eight tables: each byte of a sum after `length` more zero bytes."""
    basis = np.uint64(1) << np.arange(64, dtype=np.uint64)
    # Square and multiply: the step over one byte, over two, over four …
    step = _table()[basis & np.uint64(0xFF)] ^ (basis >> np.uint64(8))
    result = basis
    while length:
        if length & 1:
            result = _times(step, result)
        step, length = _times(step, step), length >> 1
    bytes_of = np.arange(256, dtype=np.uint64)
    return np.stack([_times(result, bytes_of << np.uint64(8 * place)) for place in range(8)])


def _times(matrix: Words, vectors: Words) -> Words:
    """Return vectors of bits times a matrix, which is given by the image of each bit."""
    result = np.zeros_like(vectors)
    for bit in range(64):
        result ^= np.where((vectors >> np.uint64(bit)) & np.uint64(1), matrix[bit], np.uint64(0))
    return result


@functools.cache
def _table() -> Words:
    return np.array(_table_of_ints(), np.uint64)


@functools.cache
def _table_of_ints() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)  # noqa: PLW2901  it is shifted through
        table.append(byte)
    return tuple(table)
