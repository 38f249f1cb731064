"""The carrier of a digital watermark: where its bits go in a frame, and how they are separated from the frame.

Each code bit is spread over many cells of a grid that covers the whole frame, as chips of +1 and -1 in an
order derived from the key. There are only two grids, so a scaled video is read by scaling it to them. For
16:9 they have 320 × 180 cells, and 160 × 90 for videos that are small when watermarked, whose fine grain
no encoder would keep.
"""

from __future__ import annotations

import functools
import hashlib
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from ci_notebook.engine.render.digital_watermark.polar_code import LENGTH, Bits, Floats

_COARSE: Final = 14_400  # cells, about; the fine grid has four for each of them
# The fine grid is for frames with at least this many pixels per cell: 640 × 360 has 4, 640 × 272 has 3,
# and there a soft film was 5 dB stronger on the coarse grid after scaling to half.
_FINE_PIXELS: Final = 3.5
# Grids exist for aspect ratios 4:3 apart (…, 3:4, 1:1, 4:3, 16:9, 64:27, …), so that a size rounded to
# even numbers, or a slightly stretched video, still maps to the same grid.
STEP: Final = 4 / 3

_SMOOTHEST: Final = 4.0  # weight loss towards fine detail, which encoders remove first
_LOUDEST: Final = 2.0  # cap for edges, in local deviations


def coarse_grid(width: int, height: int, aside: int = 0) -> tuple[int, int]:
    """Return the coarse cells across and down for a frame size; `aside` = 1 gives the next likely grid.

    >>> coarse_grid(1920, 1080), coarse_grid(640, 360), coarse_grid(360, 640), coarse_grid(720, 576)
    ((160, 90), (160, 90), (90, 160), (139, 104))
    """
    steps = math.log(width / height) / math.log(STEP)
    nearest = round(steps)
    if aside:
        nearest += 1 if steps > nearest else -1
    return round(math.sqrt(_COARSE * STEP**nearest)), round(math.sqrt(_COARSE / STEP**nearest))


def fine_grid(width: int, height: int, aside: int = 0) -> tuple[int, int]:
    """Return the fine cells across and down: two by two in each coarse cell."""
    across, down = coarse_grid(width, height, aside)
    return 2 * across, 2 * down


def embedding_grid(width: int, height: int) -> tuple[int, int]:
    """Return the grid for embedding in a frame of this size.

    >>> embedding_grid(640, 360), embedding_grid(480, 270)
    ((320, 180), (160, 90))
    """
    across, down = fine_grid(width, height)
    return (across, down) if width * height >= _FINE_PIXELS * across * down else (across // 2, down // 2)


def pooled(cells: Floats) -> Floats:
    """Return a frame on the fine grid as a frame on the coarse one."""
    down, across = cells.shape
    return np.asarray(cells.reshape(down // 2, 2, across // 2, 2).mean((1, 3)), np.float32)


def near_another_grid(width: int, height: int) -> bool:
    """Return whether a frame of nearly the same shape would have another grid.

    >>> near_another_grid(1920, 1080), near_another_grid(1852, 1200)
    (False, True)
    """
    steps = math.log(width / height) / math.log(STEP)
    return abs(steps - round(steps)) > 0.4


def draw(carrier: Floats, width: int, height: int) -> Floats:
    """Return the grid as a frame, float32 `[height, width]`, with a root mean square of 1."""
    from PIL import Image  # lazy: only drawing a pattern needs it

    drawn = np.asarray(Image.fromarray(carrier).resize((width, height), Image.Resampling.BICUBIC))
    return np.asarray(drawn / np.sqrt(np.mean(drawn**2)), np.float32)


def spread(word: Bits, across: int, down: int, key: bytes) -> Floats:
    """Return the grid that carries a code word: float32 `[down, across]` of -1 and +1."""
    bits, chips = _cell_layout(across, down, key)
    return (chips * (1 - 2 * word[bits])).reshape(down, across).astype(np.float32)


def gather(cells: Floats, key: bytes) -> Floats:
    """Return the evidence for each code bit in a grid `[down, across]`: positive for zero."""
    down, across = cells.shape
    bits, chips = _cell_layout(across, down, key)
    return np.bincount(bits, weights=cells.ravel() * chips, minlength=LENGTH).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _cell_layout(across: int, down: int, key: bytes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int8]]:
    """Return for each cell the code bit that it carries, and its chip."""
    # SHAKE, because NumPy may change its random numbers in any version, and a watermark must stay readable
    # as long as the film exists.
    count = across * down
    stream = hashlib.shake_256(b"%s/%d/%d" % (key, across, down)).digest(8 * count)
    numbers = np.frombuffer(stream, "<u8")
    bits = np.empty(count, np.intp)
    bits[np.argsort(numbers, kind="stable")] = np.arange(count) % LENGTH
    return bits, (1 - 2 * (numbers & 1).astype(np.int8)).astype(np.int8)


def residual(picture: Floats) -> Floats:
    """Return the fine detail of a frame in units of its local deviation: in calm areas, little counts as much."""
    fine = picture - _blurred(picture)
    measured = fine / (np.sqrt(_blurred(fine * fine)) + np.float32(0.1))  # 0.1 levels: anything below is rounding
    return np.clip(measured, -_LOUDEST, _LOUDEST).astype(np.float32)


def flattened(total: Floats) -> Floats:
    """Return a sum of residuals with an even spectrum, fine detail attenuated.

    The frame's own structure has an uneven spectrum, unlike the watermark. Evening it out was worth 2 to
    3 dB on every clip measured.
    """
    spectrum = np.fft.fft2(total)
    power = _blurred(np.fft.fftshift(np.abs(spectrum) ** 2).astype(np.float32), 1.5)
    down, across = (np.fft.fftfreq(size) for size in total.shape)
    trust = np.exp(-_SMOOTHEST * (down[:, None] ** 2 + across[None, :] ** 2))
    even = spectrum * trust / np.sqrt(np.fft.ifftshift(power) + np.float32(1e-9))
    return np.real(np.fft.ifft2(even)).astype(np.float32)


def _blurred(values: Floats, sigma: float = 1.0) -> Floats:
    """Return a plane blurred by a Gaussian of `sigma` cells."""
    reach = math.ceil(3 * sigma)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).astype(values.dtype)
    weights /= weights.sum()
    for axis in (0, 1):
        size = values.shape[axis]
        padded = np.pad(values, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
        slices = (padded[at : at + size] if axis == 0 else padded[:, at : at + size] for at in range(2 * reach + 1))
        values = sum((w * part for w, part in zip(weights, slices, strict=True)), np.zeros_like(values))
    return values
