"""Aligns an output with its source: finds whether they show the same frames, shifted, cut, padded, turned or scaled.

The search works on small grey frames. How alike the frames are decides whether the two belong together. How
alike their changes are decides which frame belongs to which.
"""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media.ffmpeg import run
from ci_notebook.media.scoring.frame_pairs import AlignedSide, Pair, Place
from ci_notebook.media.scoring.misalignment import displacement, motion_differs
from ci_notebook.media.snapshot import pillow
from ci_notebook.model.errors import EngineError
from ci_notebook.model.score_alignment import Box

__all__ = ["ALIKE", "SEARCH", "Grey", "Shift", "align", "assume_aligned", "refuse_unlike", "shift_of"]

SEARCH = 5  # frames before and after
LOOK_S, LONG_LOOK_S = 1.2, 12.0  # the longer one where the first shows nothing, as in a fade from black
ALIKE = 0.75  # correlation of small grey frames; sharpened, recolored or recompressed ones stay above 0.9
_WIDE = 320  # px, longer side of the frames that are read
_COMPARED = 96  # px, longer side of the frames that are compared
_FLAT = 2.0  # of 255: a frame that varies less shows nothing
_SAME_SHAPE = 0.02

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift in time: the source's frames come `frames` later, or None where too little moves to decide.

    `likeness` is the correlation of the frames with this shift, from -1 to 1.
    """

    frames: int | None
    likeness: float


def align(
    output: Path,
    source: Path,
    *,
    start_s: float = 0.0,
    length_s: float | None = None,
    crop: Box | None = None,
    rotate: float = 0.0,
    cancel: threading.Event | None = None,
) -> Pair:
    """Return the pair of an output and its source, with the place and the offset that were found.

    Known facts are given: `start_s` and `length_s` for the stretch of the source that the output shows, `crop`
    and `rotate` for the part of its frames and their rotation. Raises `EngineError` with the reason where the
    frames do not belong together.
    """
    out, ref = AlignedSide.of(Path(output)), AlignedSide.of(Path(source))
    rest = ref.rest_s(start_s)
    pair = Pair(out, ref, (start_s, min(rest, length_s) if length_s is not None else rest))
    _refuse_other_length(pair)
    ours, theirs = _grey_frames(pair, LOOK_S, cancel)
    if not (_normalized(ours).any() and _normalized(theirs).any()):
        ours, theirs = _grey_frames(pair, LONG_LOOK_S, cancel)
    if rotate % 90:
        raise _refusal(f"The output shows the source turned by {rotate:g}°, which changes every pixel.")
    known = Place(source=crop, turn=round(rotate) % 360) if crop or rotate % 360 else None
    candidates: list[tuple[float, Place, Shift]] = []
    for place in [known] if known else _places(pair, ours, theirs):
        shift = shift_of(*(_small(frames, pair, place, side) for frames, side in ((ours, "output"), (theirs, ""))))
        candidates.append((shift.likeness, place, shift))
        if shift.likeness > 0.97 and len(candidates) == 1:
            break
    likeness, place, shift = max(candidates, key=lambda one: one[0])
    refuse_unlike(likeness)
    _refuse_displaced(pair, place, shift.frames or 0, ours, theirs)
    return replace(pair, place=place, offset=shift.frames or 0)


def assume_aligned(output: Path, source: Path) -> Pair | None:
    """Return the most common pair, whole and without a shift, without a search; None where shapes contradict it."""
    pair = Pair(out := AlignedSide.of(Path(output)), ref := AlignedSide.of(Path(source)), (0.0, ref.duration_s))
    _refuse_other_length(pair)
    return pair if abs(out.shape / ref.shape - 1) < _SAME_SHAPE else None


def _refuse_displaced(pair: Pair, place: Place, offset: int, ours: Grey, theirs: Grey) -> None:
    """Raise `EngineError` where frames are alike, but displaced or of another moment."""
    one, other = (_small(frames, pair, place, side, _WIDE) for frames, side in ((ours, "output"), (theirs, "")))
    moved = displacement(one[max(0, -offset) :], other[max(0, offset) :])
    if moved is not None:
        across, down = (100 * by / size for by, size in zip(moved, (one.shape[2], one.shape[1]), strict=True))
        raise _refusal(
            f"The frames of the output are displaced against the source, by {across:+.1f} % of the width to the right "
            f"and {down:+.1f} % of the height down. If the output shows a part of the source, pass it as crop."
        )
    rows = _changes(_small(ours, pair, place, "output")), _changes(_small(theirs, pair, place, ""))
    products = [_mean_product(*rows, k) for k in _shifts(*rows)]
    if len(products) > SEARCH and motion_differs(*rows, max(products)):
        raise _refusal(
            f"The output shows another motion than the source, also {SEARCH} frames earlier and later, so they show "
            "different moments. Pass the time in the source where the output begins as start_s."
        )


def shift_of(ours: Grey, theirs: Grey) -> Shift:
    """Return the shift in time between the grey frames (n, height, width) of an output and of its source."""
    one, other = _normalized(ours), _normalized(theirs)
    likeness = {k: _mean_product(one, other, k) for k in _shifts(one, other)}
    moving = _changes(ours), _changes(theirs)
    products = {k: _mean_product(*moving, k) for k in _shifts(*moving)}
    best = max(products, key=lambda k: (round(products[k], 4), -abs(k)), default=0)
    if not products or products[best] < 0.5:
        return Shift(None, likeness.get(0, 1.0))
    if 1 - products[best] > 0.8 * (1 - products.get(0, -1.0)):
        best = 0
    return Shift(best, likeness[best])


def refuse_unlike(likeness: float) -> None:
    """Raise `EngineError` when frames are too different to be the same ones."""
    if likeness < ALIKE:
        raise _refusal(
            f"The frames of the output do not match the source: their similarity is {likeness:.2f}; at least {ALIKE} "
            f"is needed. They were also compared {SEARCH} frames earlier and later, and in other shapes. If the output "
            "shows a part of the source, pass it as start_s and crop."
        )


def _refuse_other_length(pair: Pair) -> None:
    length, whole = pair.output.duration_s, pair.stretch[1]
    if abs(length - whole) > max(0.15, (SEARCH + 1) / float(pair.rate)):
        raise _refusal(
            f"The output is {length:.2f} s long, but the source is {whole:.2f} s long from {pair.stretch[0]:g} s on. "
            "Their frames do not correspond. Pass the part of the source that the output shows as start_s and length_s."
        )


def _refusal(reason: str) -> EngineError:
    return EngineError(f"The pair cannot be scored. {reason}", code="InvalidArgument")


def _grey_frames(pair: Pair, seconds: float, cancel: threading.Event | None) -> tuple[Grey, Grey]:
    """Return the first seconds of both as grey frames in their own shapes."""
    sizes = [_look_size(side) for side in (pair.output, pair.source)]
    names = ("output.gray", "source.gray")
    chains = ";".join(
        f"{timed},scale={width}:{height}:flags=area:out_range=pc,format=gray[g{i}]"
        for i, (timed, (width, height)) in enumerate(zip(pair.timed(), sizes, strict=True))
    )
    with tempfile.TemporaryDirectory(prefix="ci-notebook-look-") as folder:
        ends = [word for i, name in enumerate(names) for word in ("-map", f"[g{i}]", "-f", "rawvideo", name)]
        run([*pair.inputs(seconds), "-filter_complex", chains, *ends], cwd=Path(folder), cancel=cancel)
        ours, theirs = (_read(Path(folder) / name, size) for name, size in zip(names, sizes, strict=True))
    if not len(ours) or not len(theirs):
        raise _refusal("One of the two has no frames in this stretch.")
    return ours, theirs


def _look_size(side: AlignedSide) -> tuple[int, int]:
    width, height = side.size
    shrink = min(1.0, _WIDE / max(width, height))
    return max(2, round(width * shrink)), max(2, round(height * shrink))


def _read(path: Path, size: tuple[int, int]) -> Grey:
    return np.fromfile(path, np.uint8).reshape(-1, size[1], size[0])


def _places(pair: Pair, ours: Grey, theirs: Grey) -> Iterator[Place]:
    """Yield the possible places, the most likely first."""
    out, ref = pair.output, pair.source
    same = abs(out.shape / ref.shape - 1) < _SAME_SHAPE
    if same:
        yield Place()
    inner = _inside_bars(ours)
    if inner is not None and abs(out.shape * inner[2] / inner[3] / ref.shape - 1) < 2 * _SAME_SHAPE:
        yield Place(output=inner)
    part = _part(pair, ours, theirs)
    if part is not None:
        yield Place(source=part)
    if not same:
        yield Place(source=_centre(out.shape / ref.shape))
        if abs(out.shape * ref.shape - 1) < _SAME_SHAPE:
            yield Place(turn=90)
            yield Place(turn=270)
        yield Place()  # stretched
    else:
        yield Place(turn=180)


def _centre(ratio: float) -> Box:
    """Return the largest middle part of a frame whose width over height is `ratio` times that of the frame."""
    return ((1 - ratio) / 2, 0.0, ratio, 1.0) if ratio < 1 else (0.0, (1 - 1 / ratio) / 2, 1.0, 1 / ratio)


def _inside_bars(frames: Grey) -> Box | None:
    """Return the part inside black bars that all frames have; None where there are none."""
    brightest = frames.max(axis=0)
    rows, columns = np.flatnonzero(brightest.max(axis=1) > 40), np.flatnonzero(brightest.max(axis=0) > 40)
    if not rows.size or not columns.size:
        return None
    high, wide = brightest.shape
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    if right - left > 0.97 * wide and bottom - top > 0.97 * high:
        return None
    return float(left / wide), float(top / high), float((right - left) / wide), float((bottom - top) / high)


def _part(pair: Pair, ours: Grey, theirs: Grey) -> Box | None:
    """Return the part of the source that the output shows, exact to the pixel, if it was cut out but not scaled."""
    (width, height), (wide, high) = pair.output.size, pair.source.size
    if width > wide or height > high or (width, height) == (wide, high):
        return None
    coarse = theirs.shape[2] / wide
    size = (max(2, round(width * coarse)), max(2, round(height * coarse)))
    middle = min(len(ours), len(theirs)) // 2
    needle = np.asarray(pillow().fromarray(ours[middle]).resize(size, pillow().Resampling.BOX), np.float64)
    top, left = _position_of(theirs[middle].astype(np.float64), needle)
    x, y = (min(round(at / coarse), room) for at, room in ((left, wide - width), (top, high - height)))
    x, y = _refined(pair, middle, (x, y), reach=math.ceil(1 / coarse) + 1)
    return x / wide, y / high, width / wide, height / high


def _refined(pair: Pair, number: int, at: tuple[int, int], *, reach: int) -> tuple[int, int]:
    """Return the position exact to the pixel, from one frame of each in full size."""
    (width, height), (wide, high) = pair.output.size, pair.source.size
    pick = f"select=eq(n\\,{number}),scale=out_range=pc,format=gray"
    chains = ";".join(f"{timed},{pick}[g{i}]" for i, timed in enumerate(pair.timed()))
    with tempfile.TemporaryDirectory(prefix="ci-notebook-look-") as folder:
        ends = ["-map", "[g0]", "-f", "rawvideo", "a.gray", "-map", "[g1]", "-f", "rawvideo", "b.gray"]
        run([*pair.inputs(LONG_LOOK_S), "-filter_complex", chains, *ends], cwd=Path(folder))
        one = _read(Path(folder) / "a.gray", (width, height))[0].astype(np.float64)
        other = _read(Path(folder) / "b.gray", (wide, high))[0].astype(np.float64)
    left, top = max(0, at[0] - reach), max(0, at[1] - reach)
    window = other[top : top + height + 2 * reach, left : left + width + 2 * reach]
    down, across = _position_of(window, one)
    return left + across, top + down


def _position_of(whole: NDArray[np.float64], part: NDArray[np.float64]) -> tuple[int, int]:
    """Return top and left of the place in `whole` that is most like `part`: normalized correlation by FFT."""
    high, wide = part.shape
    shape = whole.shape
    centered = part - part.mean()
    product = np.fft.irfft2(np.fft.rfft2(whole) * np.conj(np.fft.rfft2(centered, shape)), shape)
    sums = [np.pad(np.cumsum(np.cumsum(power, 0), 1), ((1, 0), (1, 0))) for power in (whole, whole * whole)]
    total, squares = (s[high:, wide:] - s[:-high, wide:] - s[high:, :-wide] + s[:-high, :-wide] for s in sums)
    spread = np.sqrt(np.maximum(squares - total * total / part.size, 1e-6))
    likeness = product[: shape[0] - high + 1, : shape[1] - wide + 1] / spread
    top, left = np.unravel_index(int(likeness.argmax()), likeness.shape)
    return int(top), int(left)


def _small(frames: Grey, pair: Pair, place: Place, side: str, wide: int = _COMPARED) -> Grey:
    """Return frames as they would be compared, small."""
    width, height = pair.size
    shrink = wide / max(width, height)
    size = (max(4, round(width * shrink)), max(4, round(height * shrink)))
    box = place.output if side == "output" else place.source
    turn = 0 if side == "output" else place.turn
    image: Any = pillow()
    results = []
    for frame in frames:
        high, wide = frame.shape
        left, top, across, down = box or (0.0, 0.0, 1.0, 1.0)
        area = (left * wide, top * high, min(wide, (left + across) * wide), min(high, (top + down) * high))
        part = image.fromarray(frame).resize(size if turn % 180 == 0 else size[::-1], image.Resampling.BOX, box=area)
        results.append(np.rot90(np.asarray(part), -turn // 90))
    return np.stack(results)


def _normalized(frames: Grey) -> NDArray[np.float64]:
    """Return frames with mean 0 and spread 1 each, as rows; one that shows nothing is all 0."""
    rows = frames.reshape(len(frames), -1).astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    spread = rows.std(axis=1, keepdims=True)
    return np.where(spread < _FLAT, 0.0, rows / np.maximum(spread, 1e-9))


def _changes(frames: Grey) -> NDArray[np.float64]:
    """Return the changes from frame to frame, as rows."""
    rows = _normalized(frames)
    return np.asarray(rows - rows.mean(axis=0))


def _shifts(one: NDArray[np.float64], other: NDArray[np.float64]) -> list[int]:
    """Return the shifts that leave enough common frames to judge."""
    least = max(1, min(len(one), len(other)) // 2)
    return [k for k in range(-SEARCH, SEARCH + 1) if _overlap(one, other, k) >= least]


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64], k: int) -> int:
    return min(len(one) - max(0, -k), len(other) - max(0, k))


def _mean_product(one: NDArray[np.float64], other: NDArray[np.float64], k: int) -> float:
    """Return the correlation of two rows of frames, the second `k` frames later; 1 where both show nothing."""
    count = _overlap(one, other, k)
    a, b = one[max(0, -k) : max(0, -k) + count], other[max(0, k) : max(0, k) + count]
    energy = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    if energy < 1e-6:
        return 1.0 if not a.any() and not b.any() else 0.0
    return float((a * b).sum()) / energy
