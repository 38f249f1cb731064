"""Detects pairs that look aligned and are not: frames that are displaced, and frames that show another motion.

A still background makes frames alike that were taken seconds apart, and a displacement of a few pixels costs
more score than any setting does. The caller refuses both with the reason.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["displacement", "motion_differs"]

Floats = NDArray[np.float64]

_REACH: Final = 16  # px; largest displacement that is searched
_SMALLEST: Final = 2  # px; scalers differ by less
_LOOKS: Final = 3  # frames, which must all give the same answer
_OTHER_MOTION: Final = 0.3  # correlation below which two motions differ


def displacement(output: NDArray[np.uint8], source: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return by how many pixels (right, down) the output's frames are displaced; None for none, or where it varies."""
    count = min(len(output), len(source))
    numbers = {round(share * (count - 1)) for share in np.linspace(0.1, 0.9, _LOOKS)}
    shifts = {_displaced(output[at].astype(np.float64), source[at].astype(np.float64)) for at in numbers}
    return shifts.pop() if len(shifts) == 1 else None


def _displaced(one: Floats, other: Floats) -> tuple[int, int] | None:
    a, b = (frame - frame.mean() for frame in (one, other))
    energy = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if energy < 1e-6:
        return None
    likeness = np.fft.irfft2(np.fft.rfft2(a) * np.conj(np.fft.rfft2(b)), a.shape) / energy
    near = np.roll(likeness, (_REACH, _REACH), (0, 1))[: 2 * _REACH + 1, : 2 * _REACH + 1]
    down, right = (int(at) - _REACH for at in np.unravel_index(int(near.argmax()), near.shape))
    if max(abs(down), abs(right)) < _SMALLEST or 1 - near.max() > 0.5 * (1 - likeness[0, 0]):
        return None
    return right, down


def motion_differs(one: Floats, other: Floats, likeness: float) -> bool:
    """Return whether both rows of changes are motion, and not the same one; `likeness` is their best correlation.

    Motion continues from frame to frame. Noise and grain do not, and prove nothing.
    """
    return likeness < _OTHER_MOTION and all(_is_continuous(rows) for rows in (one, other))


def _is_continuous(rows: Floats) -> bool:
    a, b = rows[:-1], rows[1:]
    energy = float(np.sqrt((a * a).sum() * (b * b).sum()))
    # As a share of the frames' own spread, which is 1 each: less is a flicker of the codec.
    return len(rows) > 2 and energy / a.size > 0.003 and float((a * b).sum()) / energy > 0.5
