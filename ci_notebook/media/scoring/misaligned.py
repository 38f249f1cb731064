"""What looks aligned and is not: pictures that lie beside each other, and what moves in them otherwise.

A still background makes pictures alike that were taken seconds apart, and a few pixels to the side
cost more score than any setting does. Both are refused with the reason.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_REACH: Final = 16  # px of what is looked at, up to which pictures are moved over each other
_LEAST: Final = 2  # px; less is what scalers differ by
_LOOKED: Final = 3  # pictures, which all have to say the same


def lies_beside(seen: NDArray[np.uint8], had: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return by how many pixels (right, down) pictures lie beside equal ones; None where they do not, or it varies."""
    count = min(len(seen), len(had))
    places = {round(share * (count - 1)) for share in np.linspace(0.1, 0.9, _LOOKED)}
    found = {_moved(seen[at].astype(np.float64), had[at].astype(np.float64)) for at in places}
    return found.pop() if len(found) == 1 else None


def _moved(one: Floats, other: Floats) -> tuple[int, int] | None:
    a, b = (picture - picture.mean() for picture in (one, other))
    energy = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if energy < 1e-6:
        return None
    alike = np.fft.irfft2(np.fft.rfft2(a) * np.conj(np.fft.rfft2(b)), a.shape) / energy
    near = np.roll(alike, (_REACH, _REACH), (0, 1))[: 2 * _REACH + 1, : 2 * _REACH + 1]
    down, right = (int(at) - _REACH for at in np.unravel_index(int(near.argmax()), near.shape))
    if max(abs(down), abs(right)) < _LEAST or 1 - near.max() > 0.5 * (1 - alike[0, 0]):
        return None
    return right, down


def moves_otherwise(one: Floats, other: Floats, alike: float) -> bool:
    """Say whether both rows of changes are motion, and not the same one; `alike` is their best correlation.

    Motion goes on from picture to picture, which noise and grain do not: those tell nothing.
    """
    return alike < _OTHER and all(_goes_on(rows) for rows in (one, other))


_OTHER: Final = 0.3


def _goes_on(rows: Floats) -> bool:
    a, b = rows[:-1], rows[1:]
    energy = float(np.sqrt((a * a).sum() * (b * b).sum()))
    # A share of the pictures' own spread, which is 1 for each: less is a flicker of the codec's.
    return len(rows) > 2 and energy / a.size > 0.003 and float((a * b).sum()) / energy > 0.5
