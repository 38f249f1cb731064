"""Time search: by how many frames an output is shifted against its source, and where its clock does not fit at all.

The changes of small grey frames are correlated over all shifts at once. Where no single shift fits, the frames
themselves are: a straight line through the matches is another speed, a broken one lost or repeated frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Clock", "Lag", "Leap", "clock_of", "continues", "frozen_part", "lag_of", "normalized"]

Grey = NDArray[np.uint8]
Rows = NDArray[np.float32]

_FLAT: Final = 2.0  # of 255: a frame that varies less shows nothing
_SPAN_S: Final = 0.12  # over which changes are measured: longer than one frame, so that codec noise weighs less
_CLEAR: Final = 0.5  # correlation of changes that shows a shift
_BETTER: Final = 0.8  # share of the rest that another shift must get below
_FREEZE_S: Final = 0.5
_STILL: Final = 0.35  # of 255, mean change over a freeze in frames that do not move
_MOVES: Final = 1.2  # of 255, mean change of a source that moves clearly meanwhile
_RATES: Final = tuple(
    float(one) for one in np.unique(np.round(np.concatenate([
        np.geomspace(0.25, 4, 140), np.arange(0.9, 1.1001, 0.005), [24 / 25, 25 / 24, 0.5, 2.0, 1.5, 2 / 3, 1.02, 0.98],
    ]), 5))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lag:
    """A shift: the source's frames come `frames` later, or None where too little moves to decide.

    `agreement` is the correlation of the changes with this shift, and `unshifted` that without one.
    """

    frames: int | None
    agreement: float
    unshifted: float


@dataclass(frozen=True, slots=True)
class Leap:
    """Where frames were lost or repeated: the frame of the output, and the shifts in frames before and after it."""

    at: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Clock:
    """The straight line through the matches: frame n of an output is frame `speed` * n + `start` of its source.

    `agreement` is the mean correlation of the matched frames' details, and `at_speed_1` that of the best line at the
    source's speed, which may have one `leap` where frames were lost or repeated.
    """

    speed: float
    start: float
    agreement: float
    at_speed_1: float
    leap: Leap | None


def normalized(frames: Grey) -> Rows:
    """Return frames with mean 0 and spread 1 each, as rows; one that shows nothing is all 0."""
    rows = frames.reshape(len(frames), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    spread = rows.std(axis=1, keepdims=True)
    return np.where(spread < _FLAT, np.float32(0), rows / np.maximum(spread, np.float32(1e-9)))


def continues(frames: Grey) -> bool:
    """Return whether the frames move steadily. Noise and grain do not, and prove nothing."""
    rows = normalized(frames)
    rows = rows - rows.mean(axis=0)
    a, b = rows[:-1], rows[1:]
    energy = float(np.sqrt(float((a * a).sum()) * float((b * b).sum())))
    # As a share of the frames' own spread, which is 1 each: less is a flicker of the codec.
    return len(rows) > 2 and energy / a.size > 0.003 and float((a * b).sum()) / energy > 0.5


def lag_of(
    output: Grey, source: Grey, rate: float, *, reach: int, likely: Sequence[int] = (0,), around: int = 0
) -> Lag:
    """Return the shift between the grey frames (n, height, width) of an output and of its source.

    All shifts up to `reach` frames from `around` are searched at once, by FFT. Where several fit alike, as in a loop,
    the first of the `likely` ones is taken, then the smallest.
    """
    span = max(1, round(_SPAN_S * rate))
    ours, theirs = (_changes(frames, span) for frames in (output, source))
    if not len(ours) or not len(theirs):
        return Lag(None, 0.0, 0.0)
    values = _correlations(ours, theirs, around - reach, around + reach)
    if not values:
        return Lag(None, 0.0, 0.0)
    unshifted = values.get(0, 0.0)
    best = max(values, key=lambda k: (round(values[k], 4), -abs(k)))
    if values[best] < _CLEAR:
        return Lag(None, values[best], unshifted)
    for one in (*likely, *sorted(values, key=abs)):
        if 1 - values[best] > _BETTER * (1 - values.get(one, -1.0)) - 1e-3:
            return Lag(one, values[one], unshifted)
    return Lag(best, values[best], unshifted)


def _changes(frames: Grey, span: int) -> Rows:
    rows = normalized(frames)
    return np.asarray(rows[span:] - rows[:-span])


def _correlations(ours: Rows, theirs: Rows, first_shift: int, last_shift: int) -> dict[int, float]:
    """Return shift → correlation, for shifts that leave a quarter of the shorter one, and some frames, in common."""
    count, other = len(ours), len(theirs)
    size = 1 << (count + other - 1).bit_length()
    # Blocks of pixels bound the memory of the transforms.
    product = np.zeros(size // 2 + 1, np.complex128)
    for first in range(0, ours.shape[1], 64):
        block = slice(first, first + 64)
        product += (
            np.fft.rfft(theirs[:, block], size, axis=0) * np.conj(np.fft.rfft(ours[:, block], size, axis=0))
        ).sum(axis=1)  # fmt: skip
    sums = np.fft.irfft(product, size)
    energy = [np.concatenate([[0.0], np.cumsum((rows.astype(np.float64) ** 2).sum(axis=1))]) for rows in (ours, theirs)]
    whole = [float(one[-1]) for one in energy]
    least = max(4, min(count, other) // 4)
    values = {}
    for k in range(max(first_shift, 1 - count), min(last_shift, other - 1) + 1):
        first, last = max(0, -k), min(count, other - k)
        if last - first < least:
            continue
        own, its = energy[0][last] - energy[0][first], energy[1][last + k] - energy[1][first + k]
        if own < 0.1 * whole[0] or its < 5e-4 * whole[1] or own * its <= 1e-6:
            continue  # hardly anything moves in what both show
        values[k] = float(sums[k % size]) / float(np.sqrt(own * its))
    return values


def clock_of(output: Grey, source: Grey) -> Clock | None:
    """Return the line that matches most frames, over speeds from 0.25 to 4; None where too little moves."""
    ours, theirs = normalized(output), normalized(source)
    background = theirs.mean(axis=0)
    ours, theirs = _details(ours - ours.mean(axis=0)), _details(theirs - background)
    if min(len(ours), len(theirs)) < 8 or not ours.any() or not theirs.any():
        return None
    likeness = ours @ theirs.T
    at = np.unique(np.linspace(0, len(ours) - 1, 80).round().astype(int))
    starts = np.arange(-len(ours), len(theirs), 1)
    best: tuple[float, float, float] = (-1.0, 1.0, 0.0)
    for speed in _RATES:
        numbers = np.rint(speed * at[None, :] + starts[:, None]).astype(int)
        inside = (numbers >= 0) & (numbers < len(theirs))
        values = np.where(inside, likeness[at[None, :], np.clip(numbers, 0, len(theirs) - 1)], 0.0)
        counts = inside.sum(axis=1)
        means = np.where(counts >= max(6, len(at) // 3), values.sum(axis=1) / np.maximum(counts, 1), -1.0)
        number = int(means.argmax())
        if means[number] > best[0]:
            best = float(means[number]), speed, float(starts[number])
    agreement, leap = _with_leap(likeness)
    return Clock(best[1], best[2], best[0], agreement, leap)


def _with_leap(likeness: Rows) -> tuple[float, Leap | None]:
    """Return the mean correlation along the best line of speed 1, which may have one leap, and the leap."""
    count, other = likeness.shape
    at = np.arange(count)
    numbers = at[None, :] + np.arange(-count + 1, other)[:, None]
    inside = (numbers >= 0) & (numbers < other)
    values = np.where(inside, likeness[at[None, :], np.clip(numbers, 0, other - 1)], np.float32(0))
    sums = np.cumsum(values, axis=1, dtype=np.float64)
    counts = np.cumsum(inside, axis=1)
    after = sums[:, -1:] - sums
    whole = sums.max(axis=0) + after.max(axis=0)
    shown = max(count // 3, min(count, int(counts[:, -1].max())))
    place = int(whole.argmax())
    shifts = int(sums[:, place].argmax()) - count + 1, int(after[:, place].argmax()) - count + 1
    best, without = float(whole[place]) / shown, float(sums[:, -1].max()) / shown
    is_leap = shifts[0] != shifts[1] and count // 10 < place < count - count // 10
    is_better = 1 - best < _BETTER * (1 - without)
    return best, Leap(place + 1, *shifts) if is_leap and is_better else None


def _details(rows: Rows) -> Rows:
    length = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return np.where(length > 0.02 * np.sqrt(rows.shape[1]), rows / np.maximum(length, np.float32(1e-9)), np.float32(0))


def frozen_part(output: Grey, source: Grey, rate: float) -> tuple[int, int] | None:
    """Return the first and the last frame of a freeze: half a second without a change, of the output alone."""
    span = min(20, max(3, round(_FREEZE_S * rate)))
    count = min(len(output), len(source))
    if count <= span:
        return None
    ours, theirs = (frames[:count].reshape(count, -1).astype(np.float32) for frames in (output, source))
    step = [np.abs(one[1:] - one[:-1]).mean(axis=1) for one in (ours, theirs)]
    far = [np.abs(one[span:] - one[:-span]).mean(axis=1) for one in (ours, theirs)]
    # Noise changes as much from frame to frame as over half a second. Motion adds up.
    noise = np.array([step[1][i : i + span].mean() for i in range(count - span)])
    calm = np.array([step[0][i : i + span].max() for i in range(count - span)])
    stands = (calm < _STILL) & (far[0] < _STILL)
    frozen = stands & (far[1] > _MOVES) & (far[1] > 1.5 * noise) & (far[0] < 0.15 * far[1])
    if not frozen.any():
        return None
    first = int(np.argmax(frozen))
    last = first
    while last + 1 < len(stands) and stands[last + 1]:
        last += 1
    while first > 0 and stands[first - 1]:
        first -= 1
    return first, last + span
