"""The hidden mark as a signal: where it lies in a picture, and how it is told from the picture.

Each code bit is spread over many cells of a grid that covers the whole picture, by chips of +1 and
-1 in an order drawn from the key. There are two grids whatever the size, so a picture that was
scaled is read by scaling it to them: for 16:9 they have 320 × 180 cells, and 160 × 90 for pictures
that are small when marked, whose fine grain no encoder would keep.
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
# The fine grid is for pictures that have this many pixels for each of its cells: 640 × 360 has 4,
# 640 × 272 has 3, and there a soft film stood 5 dB higher on the coarse one after scaling to half.
_FINE_PIXELS: Final = 3.5
# Grids are kept for aspect ratios 4:3 apart (…, 3:4, 1:1, 4:3, 16:9, 64:27, …), so that a size
# rounded to even numbers, or a slightly stretched picture, still falls on its own grid.
STEP: Final = 4 / 3

_SMOOTHEST: Final = 4.0  # how fast the fine end of the spectrum is mistrusted; encoders take it first
_LOUDEST: Final = 2.0  # edges, in local deviations, count no more than this


def coarse_grid(width: int, height: int, aside: int = 0) -> tuple[int, int]:
    """Return the coarse cells across and down for a picture's size; `aside` = 1 gives the next likely grid.

    >>> coarse_grid(1920, 1080), coarse_grid(640, 360), coarse_grid(360, 640), coarse_grid(720, 576)
    ((160, 90), (160, 90), (90, 160), (139, 104))
    """
    steps = math.log(width / height) / math.log(STEP)
    nearest = round(steps)
    if aside:
        nearest += 1 if steps > nearest else -1
    return round(math.sqrt(_COARSE * STEP**nearest)), round(math.sqrt(_COARSE / STEP**nearest))


def fine_grid(width: int, height: int, aside: int = 0) -> tuple[int, int]:
    """Return the fine cells across and down: two by two in each coarse one."""
    across, down = coarse_grid(width, height, aside)
    return 2 * across, 2 * down


def embedding_grid(width: int, height: int) -> tuple[int, int]:
    """Return the grid that a picture of this size is marked with.

    >>> marking_grid(640, 360), marking_grid(480, 270)
    ((320, 180), (160, 90))
    """
    across, down = fine_grid(width, height)
    return (across, down) if width * height >= _FINE_PIXELS * across * down else (across // 2, down // 2)


def pooled(cells: Floats) -> Floats:
    """Return a picture on the fine grid as it is on the coarse one."""
    down, across = cells.shape
    return np.asarray(cells.reshape(down // 2, 2, across // 2, 2).mean((1, 3)), np.float32)


def near_another_grid(width: int, height: int) -> bool:
    """Return whether a picture of nearly the same shape would have another grid.

    >>> near_another_grid(1920, 1080), near_another_grid(1852, 1200)
    (False, True)
    """
    steps = math.log(width / height) / math.log(STEP)
    return abs(steps - round(steps)) > 0.4


def draw(carrier: Floats, width: int, height: int) -> Floats:
    """Return the grid as a picture, float32 `[height, width]`, with a root mean square of 1."""
    from PIL import Image  # lazy: only the making of a pattern needs it

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
    """Return for each cell the code bit that it carries and its chip."""
    # SHAKE, for NumPy does not promise the same random numbers in its next version; a mark must be
    # readable for as long as the film is.
    count = across * down
    stream = hashlib.shake_256(b"%s/%d/%d" % (key, across, down)).digest(8 * count)
    numbers = np.frombuffer(stream, "<u8")
    bits = np.empty(count, np.intp)
    bits[np.argsort(numbers, kind="stable")] = np.arange(count) % LENGTH
    return bits, (1 - 2 * (numbers & 1).astype(np.int8)).astype(np.int8)


def residual(picture: Floats) -> Floats:
    """Return what is fine in a picture, measured in its local deviation: where it is calm, little is much."""
    fine = picture - _blurred(picture)
    measured = fine / (np.sqrt(_blurred(fine * fine)) + np.float32(0.1))  # 0.1 levels: below is rounding
    return np.clip(measured, -_LOUDEST, _LOUDEST).astype(np.float32)


def flattened(total: Floats) -> Floats:
    """Return a sum of residuals with its spectrum made even, the finest end held back.

    The picture's own structure stands out of the mark's even spectrum; evening it out was worth
    2 to 3 dB on every clip measured.
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
