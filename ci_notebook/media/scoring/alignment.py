"""Whether two videos show the same pictures, and how they lie: shifted in time, cut, padded, turned or scaled.

Found out from small grey pictures, as people do by looking: how alike they are says whether they
belong together, how alike their changes are says which picture belongs to which.
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
from ci_notebook.media.scoring.frame_pairs import Pair, Place, Side
from ci_notebook.media.scoring.misaligned import lies_beside, moves_otherwise
from ci_notebook.media.snapshot import pillow
from ci_notebook.model.errors import EngineError
from ci_notebook.model.score_alignment import Box

SEARCH = 5  # pictures before and after
LOOK_S, LONG_LOOK_S = 1.2, 12.0  # the longer one where the first shows nothing, as in a fade from black
ALIKE = 0.75  # correlation of small grey pictures; sharpened, recoloured or recompressed ones stay above 0.9
_WIDE = 320  # px, longer side of the pictures that are looked at
_COMPARED = 96
_FLAT = 2.0  # of 255: what varies less shows nothing
_SAME_SHAPE = 0.02

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shift:
    """How two rows of pictures lie: `pictures` later in the source, or None when nothing moves enough to tell.

    `alike` is the correlation of the pictures laid so, from -1 to 1.
    """

    pictures: int | None
    alike: float


def aligned(
    output: Path,
    source: Path,
    *,
    start_s: float = 0.0,
    length_s: float | None = None,
    crop: Box | None = None,
    rotate: float = 0.0,
    cancel: threading.Event | None = None,
) -> Pair:
    """Return how an output lies on its source.

    `start_s` and `length_s` say which stretch of the source the output shows, `crop` and `rotate` what of
    its pictures and how they are turned, where that is known; the rest is found. Raises `EngineError` with
    the reason where their pictures do not belong together.
    """
    out, ref = Side.of(Path(output)), Side.of(Path(source))
    rest = ref.duration_s - start_s
    pair = Pair(out, ref, (start_s, min(rest, length_s) if length_s is not None else rest))
    _refuse_other_length(pair)
    seen, had = _looks(pair, LOOK_S, cancel)
    if not (_even(seen).any() and _even(had).any()):
        seen, had = _looks(pair, LONG_LOOK_S, cancel)
    if rotate % 90:
        raise _refusal(f"the output shows the source turned by {rotate:g}°, which no pixel survives unchanged")
    known = Place(source=crop, turn=round(rotate) % 360) if crop or rotate % 360 else None
    found: list[tuple[float, Place, Shift]] = []
    for place in [known] if known else _places(pair, seen, had):
        shift = shift_of(*(_small(pictures, pair, place, side) for pictures, side in ((seen, "output"), (had, ""))))
        found.append((shift.alike, place, shift))
        if shift.alike > 0.97 and len(found) == 1:
            break
    alike, place, shift = max(found, key=lambda one: one[0])
    refuse_unlike(alike)
    _refuse_beside(pair, place, shift.pictures or 0, seen, had)
    return replace(pair, place=place, offset=shift.pictures or 0)


def likely(output: Path, source: Path) -> Pair | None:
    """Return the pair as most are, whole and without a shift, where nothing that is known speaks against it."""
    pair = Pair(out := Side.of(Path(output)), ref := Side.of(Path(source)), (0.0, ref.duration_s))
    _refuse_other_length(pair)
    return pair if abs(out.shape / ref.shape - 1) < _SAME_SHAPE else None


def _refuse_beside(pair: Pair, place: Place, offset: int, seen: Grey, had: Grey) -> None:
    """Raise `EngineError` where pictures are alike, and yet not those that belong together."""
    one, other = (_small(pictures, pair, place, side, _WIDE) for pictures, side in ((seen, "output"), (had, "")))
    beside = lies_beside(one[max(0, -offset) :], other[max(0, offset) :])
    if beside is not None:
        across, down = (100 * by / size for by, size in zip(beside, (one.shape[2], one.shape[1]), strict=True))
        raise _refusal(
            f"the pictures of the output lie beside those of the source, {across:+.1f} % of the width to the right and "
            f"{down:+.1f} % of the height down. If the output shows a part of the source, say which: crop"
        )
    rows = _moving(_small(seen, pair, place, "output")), _moving(_small(had, pair, place, ""))
    products = [_mean_product(*rows, k) for k in _shifts(*rows)]
    if len(products) > SEARCH and moves_otherwise(*rows, max(products)):
        raise _refusal(
            f"what moves in the output moves otherwise in the source, and so it does {SEARCH} pictures earlier and "
            "later: they show another moment. Say where in the source the output begins: start_s"
        )


def shift_of(seen: Grey, had: Grey) -> Shift:
    """Return how two rows of grey pictures (n, height, width) lie on each other."""
    one, other = _even(seen), _even(had)
    likeness = {k: _mean_product(one, other, k) for k in _shifts(one, other)}
    moving = _moving(seen), _moving(had)
    products = {k: _mean_product(*moving, k) for k in _shifts(*moving)}
    best = max(products, key=lambda k: (round(products[k], 4), -abs(k)), default=0)
    if not products or products[best] < 0.5:
        return Shift(None, likeness.get(0, 1.0))
    if 1 - products[best] > 0.8 * (1 - products.get(0, -1.0)):
        best = 0
    return Shift(best, likeness[best])


def refuse_unlike(alike: float) -> None:
    """Raise `EngineError` when pictures are so little alike that they cannot be the same ones."""
    if alike < ALIKE:
        raise _refusal(
            f"the pictures of the output are not those of the source (their likeness is {alike:.2f} of 1, and "
            f"{ALIKE} at least is needed), neither {SEARCH} pictures earlier or later nor in another shape. "
            "If the output shows a part of the source, say which: start_s, crop"
        )


def _refuse_other_length(pair: Pair) -> None:
    length, whole = pair.output.duration_s, pair.stretch[1]
    if abs(length - whole) > max(0.15, (SEARCH + 1) / float(pair.rate)):
        raise _refusal(
            f"the output is {length:.2f} s long and the source {whole:.2f} s from {pair.stretch[0]:g} s on, so their "
            "pictures do not belong together. Say where in the source the output begins, and compare equal stretches"
        )


def _refusal(why: str) -> EngineError:
    return EngineError(f"the pair cannot be scored: {why}.", code="InvalidArgument")


def _looks(pair: Pair, seconds: float, cancel: threading.Event | None) -> tuple[Grey, Grey]:
    """Return the first seconds of both as grey pictures in their own shapes."""
    sizes = [_look_size(side) for side in (pair.output, pair.source)]
    names = ("output.gray", "source.gray")
    chains = ";".join(
        f"[{i}:V:0]{timed},scale={width}:{height}:flags=area:out_range=pc,format=gray[g{i}]"
        for i, (timed, (width, height)) in enumerate(zip(pair.filters(), sizes, strict=True))
    )
    with tempfile.TemporaryDirectory(prefix="ci-notebook-look-") as folder:
        ends = [word for i, name in enumerate(names) for word in ("-map", f"[g{i}]", "-f", "rawvideo", name)]
        run([*pair.inputs(seconds), "-filter_complex", chains, *ends], cwd=Path(folder), cancel=cancel)
        seen, had = (_read(Path(folder) / name, size) for name, size in zip(names, sizes, strict=True))
    if not len(seen) or not len(had):
        raise _refusal("one of the two has no pictures there")
    return seen, had


def _look_size(side: Side) -> tuple[int, int]:
    width, height = side.size
    shrink = min(1.0, _WIDE / max(width, height))
    return max(2, round(width * shrink)), max(2, round(height * shrink))


def _read(path: Path, size: tuple[int, int]) -> Grey:
    return np.fromfile(path, np.uint8).reshape(-1, size[1], size[0])


def _places(pair: Pair, seen: Grey, had: Grey) -> Iterator[Place]:
    """Yield how the pictures might lie, the likeliest first."""
    out, ref = pair.output, pair.source
    same = abs(out.shape / ref.shape - 1) < _SAME_SHAPE
    if same:
        yield Place()
    inner = _inside_bars(seen)
    if inner is not None and abs(out.shape * inner[2] / inner[3] / ref.shape - 1) < 2 * _SAME_SHAPE:
        yield Place(output=inner)
    part = _part(pair, seen, had)
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
    """Return the middle of a picture, in a shape that is `ratio` times its own: what fills another frame."""
    return ((1 - ratio) / 2, 0.0, ratio, 1.0) if ratio < 1 else (0.0, (1 - 1 / ratio) / 2, 1.0, 1 / ratio)


def _inside_bars(pictures: Grey) -> Box | None:
    """Return what black bars around all pictures leave free; None where there are none."""
    most = pictures.max(axis=0)
    rows, columns = np.flatnonzero(most.max(axis=1) > 40), np.flatnonzero(most.max(axis=0) > 40)
    if not rows.size or not columns.size:
        return None
    high, wide = most.shape
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    if right - left > 0.97 * wide and bottom - top > 0.97 * high:
        return None
    return float(left / wide), float(top / high), float((right - left) / wide), float((bottom - top) / high)


def _part(pair: Pair, seen: Grey, had: Grey) -> Box | None:
    """Return what of the source the output is, if it was cut out of it without being scaled, to the pixel."""
    (width, height), (wide, high) = pair.output.size, pair.source.size
    if width > wide or height > high or (width, height) == (wide, high):
        return None
    coarse = had.shape[2] / wide
    size = (max(2, round(width * coarse)), max(2, round(height * coarse)))
    middle = min(len(seen), len(had)) // 2
    needle = np.asarray(pillow().fromarray(seen[middle]).resize(size, pillow().Resampling.BOX), np.float64)
    top, left = _found_in(had[middle].astype(np.float64), needle)
    x, y = (min(round(at / coarse), room) for at, room in ((left, wide - width), (top, high - height)))
    x, y = _refined(pair, middle, (x, y), reach=math.ceil(1 / coarse) + 1)
    return x / wide, y / high, width / wide, height / high


def _refined(pair: Pair, number: int, at: tuple[int, int], *, reach: int) -> tuple[int, int]:
    """Return the place to the pixel, from one picture of each in full size."""
    (width, height), (wide, high) = pair.output.size, pair.source.size
    pick = f"select=eq(n\\,{number}),scale=out_range=pc,format=gray"
    chains = ";".join(f"[{i}:V:0]{timed},{pick}[g{i}]" for i, timed in enumerate(pair.filters()))
    with tempfile.TemporaryDirectory(prefix="ci-notebook-look-") as folder:
        ends = ["-map", "[g0]", "-f", "rawvideo", "a.gray", "-map", "[g1]", "-f", "rawvideo", "b.gray"]
        run([*pair.inputs(LONG_LOOK_S), "-filter_complex", chains, *ends], cwd=Path(folder))
        one = _read(Path(folder) / "a.gray", (width, height))[0].astype(np.float64)
        other = _read(Path(folder) / "b.gray", (wide, high))[0].astype(np.float64)
    left, top = max(0, at[0] - reach), max(0, at[1] - reach)
    window = other[top : top + height + 2 * reach, left : left + width + 2 * reach]
    down, across = _found_in(window, one)
    return left + across, top + down


def _found_in(whole: NDArray[np.float64], part: NDArray[np.float64]) -> tuple[int, int]:
    """Return top and left of where `part` is most like a piece of `whole`: normalised correlation by FFT."""
    high, wide = part.shape
    shape = whole.shape
    even = part - part.mean()
    product = np.fft.irfft2(np.fft.rfft2(whole) * np.conj(np.fft.rfft2(even, shape)), shape)
    sums = [np.pad(np.cumsum(np.cumsum(power, 0), 1), ((1, 0), (1, 0))) for power in (whole, whole * whole)]
    total, squares = (s[high:, wide:] - s[:-high, wide:] - s[high:, :-wide] + s[:-high, :-wide] for s in sums)
    spread = np.sqrt(np.maximum(squares - total * total / part.size, 1e-6))
    found = product[: shape[0] - high + 1, : shape[1] - wide + 1] / spread
    top, left = np.unravel_index(int(found.argmax()), found.shape)
    return int(top), int(left)


def _small(pictures: Grey, pair: Pair, place: Place, side: str, wide: int = _COMPARED) -> Grey:
    """Return pictures as they would be compared, small."""
    width, height = pair.size
    shrink = wide / max(width, height)
    size = (max(4, round(width * shrink)), max(4, round(height * shrink)))
    box = place.output if side == "output" else place.source
    turn = 0 if side == "output" else place.turn
    image: Any = pillow()
    made = []
    for picture in pictures:
        high, wide = picture.shape
        left, top, across, down = box or (0.0, 0.0, 1.0, 1.0)
        area = (left * wide, top * high, min(wide, (left + across) * wide), min(high, (top + down) * high))
        cut = image.fromarray(picture).resize(size if turn % 180 == 0 else size[::-1], image.Resampling.BOX, box=area)
        made.append(np.rot90(np.asarray(cut), -turn // 90))
    return np.stack(made)


def _even(pictures: Grey) -> NDArray[np.float64]:
    """Return pictures with mean 0 and spread 1 each, as rows; one that shows nothing is all 0."""
    rows = pictures.reshape(len(pictures), -1).astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    spread = rows.std(axis=1, keepdims=True)
    return np.where(spread < _FLAT, 0.0, rows / np.maximum(spread, 1e-9))


def _moving(pictures: Grey) -> NDArray[np.float64]:
    """Return what changes from picture to picture, as rows."""
    rows = _even(pictures)
    return np.asarray(rows - rows.mean(axis=0))


def _shifts(one: NDArray[np.float64], other: NDArray[np.float64]) -> list[int]:
    """Return the shifts that leave enough pictures on each other to judge."""
    least = max(1, min(len(one), len(other)) // 2)
    return [k for k in range(-SEARCH, SEARCH + 1) if _overlap(one, other, k) >= least]


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64], k: int) -> int:
    return min(len(one) - max(0, -k), len(other) - max(0, k))


def _mean_product(one: NDArray[np.float64], other: NDArray[np.float64], k: int) -> float:
    """Return the correlation of two rows of pictures, the second `k` pictures later; 1 where both show nothing."""
    count = _overlap(one, other, k)
    a, b = one[max(0, -k) : max(0, -k) + count], other[max(0, k) : max(0, k) + count]
    energy = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    if energy < 1e-6:
        return 1.0 if not a.any() and not b.any() else 0.0
    return float((a * b).sum()) / energy
