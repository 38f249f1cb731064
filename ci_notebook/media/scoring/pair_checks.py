"""Checks of a scored pair on a few of its frames in full size: displacement, bars, and an untagged range of luma."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media.scoring import registration
from ci_notebook.media.scoring.frame_pairs import Pair

__all__ = ["FULL_RANGE_LINE", "displacement", "full_range_note", "picture_numbers"]

Grey = NDArray[np.uint8]

LEAST_PX: Final = 0.6
_PICTURES: Final = 4
_IMPROVES: Final = 0.8  # share of the rest of the likeness that a displacement must get below
_DARKER, _BRIGHTER = 11, 241  # luma codes clearly outside of limited range
FULL_RANGE_LINE: Final = (255 / 219, -16 * 255 / 219)  # codes of full range over those of limited range
_SLOPE: Final = 0.035
_FIT: Final = 0.998  # correlation of the codes of one and the same picture
_BEYOND: Final = 0.002  # share of luma codes outside of limited range


def picture_numbers(pair: Pair) -> tuple[int, ...]:
    """Return the numbers of the compared frames that are checked, evenly spread."""
    count = max(1, int(pair.length_s * pair.rate))
    return tuple(sorted({min(count - 1, int(count * share)) for share in np.linspace(0.1, 0.9, _PICTURES)}))


def displacement(pair: Pair, ours: Sequence[Grey], theirs: Sequence[Grey]) -> tuple[float, float] | None:
    """Return how far the edges of the frames are apart, in pixels across and down; None for less than a pixel.

    `ours` and `theirs` hold the same frames in one size. Bars that only the output has count as displaced edges.
    """
    if not ours or not theirs:
        return None
    width, height = pair.size
    used = pair.alignment
    least = LEAST_PX * max(1.0, min(used.scale_x, used.scale_y))
    fit = registration.refine(ours, theirs)
    doubt = fit.doubt * max(width, height)
    if fit.likeness > 0.5 and fit.largest_step((width, height)) > max(0.7 * least, 3 * doubt):
        fit = registration.refine(ours, theirs, fit, fine=True)
        doubt = fit.doubt * max(width, height)
        before = np.median([
            registration.similarity(one, other, registration.IDENTITY) for one, other in zip(ours, theirs, strict=True)
        ])  # fmt: skip
        after = np.median([registration.similarity(one, other, fit) for one, other in zip(ours, theirs, strict=True)])
        is_better = 1 - after < _IMPROVES * (1 - before)
        if is_better and fit.largest_step((width, height)) > max(least, 3 * doubt):
            return (
                max(abs(fit.left), abs(fit.left + fit.wide - 1)) * width,
                max(abs(fit.top), abs(fit.top + fit.high - 1)) * height,
            )
    left, top, right, bottom = registration.bars_under(ours, theirs, registration.IDENTITY)
    return (float(max(left, right)), float(max(top, bottom))) if left or top or right or bottom else None


def full_range_note(ours: Sequence[Grey], theirs: Sequence[Grey]) -> str:
    """Return a sentence where one of the two holds luma of full range without a tag that says so, else nothing."""
    pairs = [
        (one[::4, ::4].ravel(), other[::4, ::4].ravel())
        for one, other in zip(ours, theirs, strict=True)
        if registration.has_detail(one) and registration.has_detail(other)
    ]
    if not pairs:
        return ""
    one, other = (np.concatenate(side).astype(np.float64) for side in zip(*pairs, strict=True))
    for name, full, limited in (("output", one, other), ("source", other, one)):
        is_between = (full > 2) & (full < 253)
        if is_between.sum() < 100 or limited[is_between].std() < 4:
            continue
        x, y = limited[is_between], full[is_between]
        slope, start = np.polyfit(x, y, 1)
        is_line = abs(slope - FULL_RANGE_LINE[0]) < _SLOPE and abs(start - FULL_RANGE_LINE[1]) < 4
        if is_line and np.corrcoef(x, y)[0, 1] > _FIT and _share_beyond(full) > _BEYOND:
            return _note(name)
    whole = [_uses_all_codes(side) for side in (ours, theirs)]
    return _note("source and of the output") if all(whole) else ""


def _uses_all_codes(frames: Sequence[Grey]) -> bool:
    """Return whether areas of 4 × 4 px are darker than black and others brighter than white; noise cancels out."""
    shares = []
    for frame in frames:
        high, wide = (length - length % 4 for length in frame.shape)
        areas = frame[:high, :wide].reshape(high // 4, 4, wide // 4, 4).mean(axis=(1, 3))
        shares.append((float((areas < _DARKER).mean()), float((areas > _BRIGHTER).mean())))
    return bool(shares) and min(np.max(shares, axis=0)) > _BEYOND


def _share_beyond(codes: NDArray[np.float64]) -> float:
    return float(((codes < 13) | (codes > 240)).mean())


def _note(name: str) -> str:
    return (
        f"The luma of the {name} goes from 0 to 255, without a tag of full range, so it was read as limited range "
        "(16 to 235), and the scores contain the difference. Tag the file with -color_range pc, or convert it."
    )
