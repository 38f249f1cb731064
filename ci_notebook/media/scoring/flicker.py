"""Flicker: how much more an output changes from frame to frame than its source, where the source does not move.

Measured on small grey frames, in blocks of 4 × 4 px of them (about a thirtieth of the width). With the change m of
the mean of a block and the variance v of the changes of its n pixels, m² − v/n is the energy of a change that the
block has as a whole: noise, which differs from pixel to pixel, adds nothing on average. Flicker is the root of the
mean, over all still blocks, of the output's energy minus the source's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["flicker"]

_BLOCK = 4  # px of the small frames
_STILL = 1.5  # of 255: more change than this, over 3 × 3 px, is motion
_LEAST = 20  # blocks, over all frames: fewer say nothing

Grey = NDArray[np.uint8]


def flicker(output: Grey, source: Grey, *, stretch: int) -> float | None:
    """Return the flicker of grey frames (n, height, width) against those of the source, of 255.

    The frames come in stretches of so many consecutive ones. Alternating by 4 from frame to frame gives 4. A block
    is still where the source moves neither there nor next to it, nor one frame earlier or later. None where
    nothing is still.
    """
    energy, count = 0.0, 0
    for start in range(0, min(len(output), len(source)), stretch):
        ours, theirs = (frames[start : start + stretch].astype(np.float32) for frames in (output, source))
        length = min(len(ours), len(theirs))
        if length < 2 or min(ours.shape[1:]) < _BLOCK:
            continue
        changes, moves = np.diff(ours[:length], axis=0), np.diff(theirs[:length], axis=0)
        still = _still(moves)
        excess = _energy(changes) - _energy(moves)
        energy += float(excess[still].sum())
        count += int(still.sum())
    return math.sqrt(max(0.0, energy / count)) if count >= _LEAST else None


def _still(moves: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which blocks (n, rows, columns) show no motion, neither next to them nor just before and after."""
    edge = np.pad(moves, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = moves.shape[1:]
    near = np.mean([edge[:, y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)
    moved = np.pad((np.abs(_blocks(near)) > _STILL).any(axis=-1), ((1, 1), (1, 1), (1, 1)), mode="edge")
    count, rows, columns = (size - 2 for size in moved.shape)
    around = [moved[t : t + count, y : y + rows, x : x + columns] for t in range(3) for y in range(3) for x in range(3)]
    still: NDArray[np.bool_] = ~np.logical_or.reduce(around)
    return still


def _energy(changes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the squared change of each block as a whole (n, rows, columns), less what noise adds to it."""
    values = _blocks(changes)
    energy: NDArray[np.float32] = values.mean(axis=-1) ** 2 - values.var(axis=-1, ddof=1) / values.shape[-1]
    return energy


def _blocks(frames: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels of whole blocks, as (n, rows, columns, pixels)."""
    rows, columns = frames.shape[1] // _BLOCK, frames.shape[2] // _BLOCK
    cut = frames[:, : rows * _BLOCK, : columns * _BLOCK].reshape(-1, rows, _BLOCK, columns, _BLOCK)
    return cut.transpose(0, 1, 3, 2, 4).reshape(-1, rows, columns, _BLOCK * _BLOCK)
