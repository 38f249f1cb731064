"""Registration: which part of the source's frames an output shows, by shift and scale, to a fraction of a pixel.

A coarse correlation over shift and scale finds the part, least squares on the gradients refine it, and the edges are
rounded to whole pixels. All measures ignore brightness and contrast, which an enhancement changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ci_notebook.media.scoring.frame_pairs import Place
from ci_notebook.media.snapshot import pillow
from ci_notebook.model.score_alignment import Box

__all__ = ["IDENTITY", "Fit", "bars_under", "coarse_fits", "has_detail", "place_of", "refine", "similarity"]

Grey = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]
Size = tuple[int, int]

_COARSE: Final = 128  # px, longer side of the frames of the coarse search
_FINE: Final = 256
_FINEST: Final = 960
_STEPS: Final = 12  # of least squares, at most
_EXACT: Final = 0.01  # px; smaller steps end the search
_LONGEST: Final = 0.1  # step, in shares of a frame
_FLAT: Final = 2.0  # of 255: a frame that varies less shows nothing
_LEAST: Final = 0.2  # of a side of a frame that both must show
_SCALES: Final = tuple(float(one) for one in np.geomspace(0.3, 1.6, 29))
_NEEDLE: Final = 0.5  # the middle part of an output's frame that is searched in the source
_BLACK: Final = 16  # luma code of black
_SEEN: Final = 8  # codes above black: what shows something
_SPARSE: Final = 4  # of so many px of a row, one is looked at
_SHADE: Final = 0.35  # share of the source's light that is left in the rows of a bar


@dataclass(frozen=True, slots=True)
class Fit:
    """A map from an output's frame to its source's: x in the source is `wide` * x + `left`, all in shares of 1.

    `likeness` is the correlation of what both show, from -1 to 1. `doubt` is the spread of the edges' positions
    between single frames, in shares.
    """

    wide: float = 1.0
    left: float = 0.0
    high: float = 1.0
    top: float = 0.0
    likeness: float = 0.0
    doubt: float = 1.0

    @property
    def boxes(self) -> tuple[Box, Box] | None:
        """The parts of the output and of the source that both show; None for hardly any."""
        across, down = _common(self.wide, self.left), _common(self.high, self.top)
        if min(across[1] - across[0], down[1] - down[0]) < _LEAST:
            return None
        output = (across[0], down[0], across[1] - across[0], down[1] - down[0])
        source = (
            self.wide * output[0] + self.left, self.high * output[1] + self.top,
            self.wide * output[2], self.high * output[3],
        )  # fmt: skip
        return output, _inside(source)

    def largest_step(self, size: Size) -> float:
        """Return how far an edge of the output's frame is from the source's edge, in pixels of the output."""
        (width, height), edges = size, (self.left, self.left + self.wide - 1, self.top, self.top + self.high - 1)
        return max(abs(edges[0]) * width, abs(edges[1]) * width, abs(edges[2]) * height, abs(edges[3]) * height)


IDENTITY: Final = Fit()


def _common(scale: float, start: float) -> tuple[float, float]:
    return max(0.0, -start / scale), min(1.0, (1 - start) / scale)


def _inside(box: Box) -> Box:
    left, top = min(max(0.0, box[0]), 1.0), min(max(0.0, box[1]), 1.0)
    return left, top, min(box[2], 1.0 - left), min(box[3], 1.0 - top)


def has_detail(frame: Grey) -> bool:
    """Return whether a frame shows anything that could be found elsewhere."""
    return float(frame[::2, ::2].std()) >= _FLAT


def similarity(output: Grey, source: Grey, fit: Fit, *, size: int = _COARSE) -> float:
    """Return the correlation of what both frames show under a map, from -1 to 1; 0 where that is hardly anything."""
    parts = _parts(output, source, fit, size)
    return 0.0 if parts is None else float((_unit(parts[0]) * _unit(parts[1])).mean())


def refine(outputs: Sequence[Grey], sources: Sequence[Grey], start: Fit = IDENTITY, *, fine: bool = False) -> Fit:
    """Return the map near `start` that fits pairs of frames best, by least squares on the gradients.

    Frames without detail are ignored. `fine` adds a step on larger frames. The error is about 0.02 px of frames
    320 px wide, and with `fine` of frames 960 px wide.
    """
    pairs = [one for one in zip(outputs, sources, strict=True) if has_detail(one[0]) and has_detail(one[1])]
    fits = []
    for output, source in pairs:
        fit = _descend(output, source, start, _FINE)
        if fine and fit is not None:
            fit = _descend(output, source, fit, min(_FINEST, max(output.shape)))
        if fit is not None:
            fits.append(fit)
    if not fits:
        return replace(start, likeness=0.0, doubt=1.0)
    rows = np.array([(one.wide, one.left, one.high, one.top) for one in fits])
    middle = np.median(rows, axis=0)
    edges = np.stack([rows[:, 1], rows[:, 0] + rows[:, 1], rows[:, 3], rows[:, 2] + rows[:, 3]], axis=1)
    doubt = float(np.median(np.abs(edges - np.median(edges, axis=0)), axis=0).max()) if len(fits) > 1 else 0.0
    likeness = float(np.median([one.likeness for one in fits]))
    wide, left, high, top = (float(value) for value in middle)
    return Fit(wide, left, high, top, likeness, doubt)


def _descend(output: Grey, source: Grey, start: Fit, size: int) -> Fit | None:
    """Return the map after least squares on one pair of frames; None where it leaves the frames."""
    fit = start
    for _ in range(_STEPS):
        parts = _parts(output, source, fit, size)
        if parts is None or (boxes := fit.boxes) is None:
            return None
        step = _gauss_newton(*parts)
        across, down = boxes[1][2], boxes[1][3]
        # The step holds for the common part, in shares of it.
        wide, left = 1 + step[1], step[0] - step[1] / 2
        high, top = 1 + step[3], step[2] - step[3] / 2
        fit = Fit(
            fit.wide * wide, boxes[1][0] + across * left + (fit.left - boxes[1][0]) * wide,
            fit.high * high, boxes[1][1] + down * top + (fit.top - boxes[1][1]) * high,
        )  # fmt: skip
        if not (0.2 < fit.wide < 5 and 0.2 < fit.high < 5):
            return None
        if max(map(abs, step)) * size < _EXACT:
            break
    likeness = similarity(output, source, fit, size=size)
    return replace(fit, likeness=likeness)


def _parts(output: Grey, source: Grey, fit: Fit, size: int) -> tuple[Floats, Floats] | None:
    """Return what both show under a map, in one small size."""
    if (boxes := fit.boxes) is None:
        return None
    high, wide = output.shape
    shrink = min(1.0, size / max(wide * boxes[0][2], high * boxes[0][3]))
    to = max(8, round(wide * boxes[0][2] * shrink)), max(8, round(high * boxes[0][3] * shrink))
    return _cut(output, boxes[0], to), _cut(source, boxes[1], to)


def _cut(frame: Grey, box: Box, to: Size) -> Floats:
    image: Any = pillow()
    high, wide = frame.shape
    left, top = box[0] * wide, box[1] * high
    area = (left, top, min(float(wide), left + box[2] * wide), min(float(high), top + box[3] * high))
    small = image.fromarray(frame).resize(to, image.Resampling.BILINEAR, box=area, reducing_gap=3.0)
    return np.asarray(small, np.float32)


def _unit(frame: Floats) -> Floats:
    spread = float(frame.std())
    return (frame - frame.mean()) / spread if spread >= _FLAT else np.zeros_like(frame)


def _gauss_newton(one: Floats, other: Floats) -> tuple[float, float, float, float]:
    """Return shift and stretch across, and the same down, of the second frame that make it like the first."""
    a, b = _unit(one), _unit(other)
    down, across = (np.asarray(gradient)[1:-1, 1:-1] for gradient in np.gradient((a + b) / 2))
    a, b = np.asarray(a)[1:-1, 1:-1], np.asarray(b)[1:-1, 1:-1]
    high, wide = one.shape
    across, down = across * np.float32(wide), down * np.float32(high)
    x = ((np.arange(1, wide - 1) + 0.5) / wide - 0.5).astype(np.float32)
    y = ((np.arange(1, high - 1) + 0.5) / high - 0.5).astype(np.float32)[:, None]
    columns = np.stack([column.ravel() for column in (across, across * x, down, down * y, b, np.ones_like(b))])
    rest = (a - b).ravel()
    # What only one of the two shows, such as a watermark, counts little.
    weights = 1 / (1 + (rest / np.float32(max(1e-6, 2 * float(np.median(np.abs(rest)))))) ** 2)
    weighted = columns * weights
    matrix, right = (weighted @ columns.T).astype(np.float64), (weighted @ rest).astype(np.float64)
    found = np.linalg.lstsq(matrix, right, rcond=1e-9)[0]
    shift_x, stretch_x, shift_y, stretch_y = (min(_LONGEST, max(-_LONGEST, float(value))) for value in found[:4])
    return shift_x, stretch_x, shift_y, stretch_y


def coarse_fits(output: Grey, source: Grey, ratio: float, *, inner: Box | None = None, most: int = 3) -> list[Fit]:
    """Return the most likely maps between two frames by correlation over shift and scale, the best first.

    `ratio` is the shape (width over height) of the source over that of the output; `inner` is the part of the output
    that is searched, without its bars.
    """
    needle_box = _middle(inner or (0.0, 0.0, 1.0, 1.0))
    high, wide = source.shape
    shrink = min(1.0, _COARSE / max(wide, high))
    to = max(16, round(wide * shrink)), max(16, round(high * shrink))
    whole = _cut(source, (0.0, 0.0, 1.0, 1.0), to)
    found: list[Fit] = []
    for across, down in _scale_pairs(ratio):
        part = max(3, round(to[0] * needle_box[2] * across)), max(3, round(to[1] * needle_box[3] * down))
        if part[0] > to[0] or part[1] > to[1] or part[0] * part[1] < 150:
            continue
        needle = _cut(output, needle_box, part)
        if needle.std() < _FLAT:
            continue
        top, left, likeness = _position_of(whole, needle)
        scale = part[0] / to[0] / needle_box[2], part[1] / to[1] / needle_box[3]
        begin = left / to[0] - needle_box[0] * scale[0], top / to[1] - needle_box[1] * scale[1]
        found.append(Fit(scale[0], begin[0], scale[1], begin[1], likeness))
    found.sort(key=lambda one: -one.likeness)
    return found[:most]


def _scale_pairs(ratio: float) -> Iterator[tuple[float, float]]:
    """Yield the scales (across, down): with true shapes, and stretched as the frames are."""
    for scale in _SCALES:
        yield scale, scale * ratio
        if abs(ratio - 1) > 0.02:
            yield scale, scale


def _middle(box: Box) -> Box:
    rest = (1 - _NEEDLE) / 2
    return box[0] + rest * box[2], box[1] + rest * box[3], _NEEDLE * box[2], _NEEDLE * box[3]


def _position_of(whole: Floats, part: Floats) -> tuple[int, int, float]:
    """Return top, left and likeness of the place in `whole` that is most like `part`: normalized correlation by FFT."""
    high, wide = part.shape
    shape = whole.shape
    centered = part - part.mean()
    product = np.fft.irfft2(np.fft.rfft2(whole) * np.conj(np.fft.rfft2(centered, shape)), shape)
    sums = [np.pad(np.cumsum(np.cumsum(power, 0), 1), ((1, 0), (1, 0))) for power in (whole, whole * whole)]
    total, squares = (s[high:, wide:] - s[:-high, wide:] - s[high:, :-wide] + s[:-high, :-wide] for s in sums)
    spread = np.sqrt(np.maximum(squares - total * total / part.size, 4.0 * part.size))
    likeness = product[: shape[0] - high + 1, : shape[1] - wide + 1] / spread
    top, left = np.unravel_index(int(likeness.argmax()), likeness.shape)
    return int(top), int(left), float(likeness[top, left] / max(1e-9, np.sqrt((centered * centered).sum())))


def bars_under(outputs: Sequence[Grey], sources: Sequence[Grey], fit: Fit) -> tuple[int, int, int, int]:
    """Return how many columns and rows (left, top, right, bottom) of the outputs are black where the sources are not.

    Both hold frames in luma codes of limited range (black is 16). Edges outside of what both show count too.
    """
    if (boxes := fit.boxes) is None or not len(outputs):
        return 0, 0, 0, 0
    high, wide = outputs[0].shape
    left, top = round(boxes[0][0] * wide), round(boxes[0][1] * high)
    right, bottom = round((boxes[0][0] + boxes[0][2]) * wide), round((boxes[0][1] + boxes[0][3]) * high)
    ours = [one[top:bottom, left:right] for one in outputs]
    theirs = [_cut(one, boxes[1], (right - left, bottom - top)) for one in sources]
    bars = _bars(ours, theirs)
    ends = left, top, wide - right, high - bottom
    return tuple(end + bar if bar else 0 for end, bar in zip(ends, bars, strict=True))  # type: ignore[return-value]


def _bars(outputs: Sequence[Grey], sources: Sequence[Any]) -> tuple[int, int, int, int]:
    pairs = [one for one in zip(outputs, sources, strict=True) if has_detail(one[1])]
    if not pairs:
        return 0, 0, 0, 0
    counts: list[list[int]] = []
    for axis in (0, 1):
        light, seen = (
            np.mean([one.mean(axis=axis, dtype=np.float64) for one in frames], axis=0) - _BLACK
            for frames in zip(*pairs, strict=True)
        )
        darkest = (
            np.max(
                [np.percentile(one[::_SPARSE] if axis == 0 else one[:, ::_SPARSE], 95, axis=axis) for one, _ in pairs],
                axis=0,
            )
            <= _BLACK + _SEEN
        )
        share = light / np.maximum(seen, 1e-9)
        counts.append([_bar(*one) for one in ((share, seen, darkest), (share[::-1], seen[::-1], darkest[::-1]))])
    (left, right), (top, bottom) = counts
    return left, top, right, bottom


def _bar(share: Floats, seen: Floats, is_dark: NDArray[np.bool_]) -> int:
    """Return how many rows from the edge are a bar: black in the output, bright in the source, and sharply ended."""
    is_bar = (share < _SHADE) & (seen > _SEEN)
    count = int(np.argmin(is_bar))
    if not count or is_bar.all() or not is_dark[: max(1, count - 1)].all() or seen[count] <= _SEEN:
        return 0
    return count if share[count] > 2 * _SHADE else 0


def place_of(fit: Fit, output: Size, source: Size, bars: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Place:
    """Return the parts that both show, rounded to whole pixels of each; `bars` of the output are left out."""
    edges_out: list[tuple[int, int]] = []
    edges_src: list[tuple[int, int]] = []
    for scale, start, own, other, before, after in (
        (fit.wide, fit.left, output[0], source[0], bars[0], bars[2]),
        (fit.high, fit.top, output[1], source[1], bars[1], bars[3]),
    ):
        begin, end = _common(scale, start)
        first, last = max(round(begin * own), before), min(round(end * own), own - after)
        last -= (last - first) % 2  # 4:2:0 has even sizes
        # The source's edges follow from the output's rounded ones.
        low, high = round((scale * first / own + start) * other), round((scale * last / own + start) * other)
        edges_out.append((first, last))
        edges_src.append((max(0, low), min(other, high)))
    return Place(source=_box(edges_src, source), output=_box(edges_out, output))


def _box(edges: Sequence[tuple[int, int]], size: Size) -> Box | None:
    if all(edge[0] == 0 and whole - edge[1] <= whole % 2 for edge, whole in zip(edges, size, strict=True)):
        return None
    (left, right), (top, bottom) = edges
    return left / size[0], top / size[1], (right - left) / size[0], (bottom - top) / size[1]
