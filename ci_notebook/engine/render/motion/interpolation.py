"""One frame half way between two, by optical flow in both directions.

Each direction's flow (DIS, on frames of half the size) is moved to the middle of the way. Four kinds of motion
compete for each pixel: the two flows, the motions that large parts of the frame share, and none. A motion fits where
the earlier and the later frame, moved by half of it each, agree in the neighborhood. The new pixel is their mean,
weighted by how well they fit. So moving text stays sharp although its letters look alike, and a still face is blended.

Where the flows contradict each other nearly everywhere there is a cut. The new frame repeats the earlier one.
"""

from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

cv2: Any = importlib.import_module("cv2")  # not by name: its stubs are wrong for half of what is used here

__all__ = ["FrameFormat", "Interpolator"]

Floats = NDArray[np.float32]
Plane = NDArray[Any]
_Motion = tuple[Floats, Floats]  # across and down from the earlier frame to the later, in px of half-size frames
_SHARED: Final = 3  # motions of large parts
_SHARED_LEAST: Final = 0.01  # of the pixels, for a motion that counts as shared
_STEPS: Final = 4  # per pixel, in which shared motions are counted
_BOX: Final = 7  # px of half-size frames: the neighborhood in which a motion must fit
_NOISE: Final = 1.0  # of 255; differences below do not tell motions apart
_NEVER: Final = np.float32(1e6)  # a cost
_SAME: Final = 0.5  # px of half-size frames: motions that differ by less count as one
_AGREE_PX: Final = 1.0  # of half-size frames: flows forth and back that end farther from the start disagree
_CUT_MISSED: Final = 0.6  # of the pixels. In 25 clips at most 0.44, at cuts between them 0.66 to 1
_CUT_DIFFERS: Final = 0.2  # of the contrast (RMS). In such clips at most 0.12, at cuts 0.25 to 6
_PLAIN_DIFFERS: Final = 16  # of 255: a plain frame that fades changes by less
_ITERATIONS: Final = 40  # of gradient descent; 12, the preset's number, loses 0.4 dB and is not faster


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """Layout of a raw frame: planar YUV of `width` x `height` px, `chroma` 420, 422 or 444, `deep` for ten bits."""

    width: int
    height: int
    chroma: str = "420"
    deep: bool = False

    @property
    def chroma_size(self) -> tuple[int, int]:
        """Width and height of the two color planes in px."""
        across = self.width if self.chroma == "444" else (self.width + 1) // 2
        return across, (self.height + 1) // 2 if self.chroma == "420" else self.height

    @property
    def frame_bytes(self) -> int:
        """Size of a frame in bytes."""
        across, down = self.chroma_size
        return (self.width * self.height + 2 * across * down) * (2 if self.deep else 1)

    def planes(self, frame: bytes) -> tuple[Plane, Plane, Plane]:
        """Return the luma plane and the two color planes of a frame, each height x width."""
        data = np.frombuffer(frame, dtype="<u2" if self.deep else np.uint8)
        across, down = self.chroma_size
        luma = data[: self.width * self.height].reshape(self.height, self.width)
        first, second = data[luma.size :].reshape(2, down, across)
        return luma, first, second


class Interpolator:
    """Makes frames half way between two. Safe to call from several threads at once."""

    def __init__(self, layout: FrameFormat) -> None:
        self._layout = layout
        self._threads = threading.local()  # OpenCV's flow keeps its buffers between calls
        across, down = layout.chroma_size
        half = (layout.width + 1) // 2, (layout.height + 1) // 2
        self._half, self._chroma = _Grid(*half), _Grid(across, down)
        self._full = _Grid(layout.width, layout.height)

    def between(self, before: bytes, after: bytes) -> bytes:
        """Return the frame half way between two frames."""
        if before == after:
            return before
        ours, theirs = self._layout.planes(before), self._layout.planes(after)
        half_a, half_b = self._halved(ours[0]), self._halved(theirs[0])
        flow = self._flow()
        forth, back = flow.calc(half_a, half_b, None), flow.calc(half_b, half_a, None)
        light_a, light_b = half_a.astype(np.float32), half_b.astype(np.float32)
        ahead, behind = cv2.split(forth), cv2.split(back)
        if _is_cut(self._half, light_a, light_b, ahead, behind):
            return before
        motions = self._motions(ahead, behind)
        layers = _best_layers(self._half, light_a, light_b, motions)
        parts = []
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if number < 2:  # both color planes take the same places
                grid = self._chroma if number else self._full
                places = [grid.places(layer, self._half) for layer in layers]
                weights = [grid.enlarged(layer.weight) for layer in layers]
            earlier, later = one.astype(np.float32), other.astype(np.float32)
            made = cv2.blendLinear(*(_mean(earlier, later, at) for at in places), *weights)
            parts.append(self._rounded(made).tobytes())
        return b"".join(parts)

    def _rounded(self, plane: Floats) -> Plane:
        """Return a plane in the depth of the frames."""
        if self._layout.deep:
            deep: Plane = np.minimum(cv2.add(plane, 0.0, dtype=cv2.CV_16U), 1023).astype("<u2")
            return deep
        plain: Plane = cv2.add(plane, 0.0, dtype=cv2.CV_8U)
        return plain

    def _motions(self, ahead: _Motion, behind: _Motion) -> list[_Motion]:
        """Return the motions that compete: the flows at the middle of the way, shared ones, none."""
        half, shape = self._half, ahead[0].shape
        x, y = (half.moved(part, *ahead, -0.5) for part in ahead)
        found: list[_Motion] = [(x, y)]
        x, y = (-half.moved(part, *behind, -0.5) for part in behind)
        found.append((x, y))
        for across, down in _shared_motions(ahead, behind):
            found.append((np.full(shape, across, np.float32), np.full(shape, down, np.float32)))
        still = np.zeros(shape, np.float32)
        return [*found, (still, still)]

    def _halved(self, luma: Plane) -> Plane:
        """Return luma at half the size in eight bits, as the flow wants it."""
        small: Plane = cv2.resize(luma, (self._half.width, self._half.height), interpolation=cv2.INTER_AREA)
        return np.minimum((small + 2) >> 2, 255).astype(np.uint8) if self._layout.deep else small

    def _flow(self) -> Any:
        if not hasattr(self._threads, "flow"):
            flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
            flow.setFinestScale(0)
            flow.setGradientDescentIterations(_ITERATIONS)
            self._threads.flow = flow
        return self._threads.flow


@dataclass(frozen=True, slots=True)
class _Layer:
    """A motion for every pixel, and how much of the new frame follows it, 0 to 1. Of half-size frames."""

    motion: _Motion
    weight: Floats


class _Grid:
    """The places of a plane's pixels, from which motions lead elsewhere."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._x = np.arange(width, dtype=np.float32)[None, :]
        self._y = np.arange(height, dtype=np.float32)[:, None]

    def moved(self, plane: Plane, x: Floats, y: Floats, share: float) -> Any:
        """Return a plane whose pixels come from where a share of a motion leads, in px of this grid."""
        places = self._x + share * x, self._y + share * y
        return cv2.remap(plane, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def places(self, layer: _Layer, half: _Grid) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the places from which a layer's pixels come: x and y in the earlier frame, x and y in the later."""
        x = self.enlarged(layer.motion[0]) * np.float32(0.5 * self.width / half.width)
        y = self.enlarged(layer.motion[1]) * np.float32(0.5 * self.height / half.height)
        return self._x - x, self._y - y, self._x + x, self._y + y

    def enlarged(self, values: Any) -> Any:
        """Return values of another grid at this one's places."""
        if values.shape[:2] == (self.height, self.width):
            return values
        return cv2.resize(values, (self.width, self.height), interpolation=cv2.INTER_LINEAR)


def _shared_motions(ahead: _Motion, behind: _Motion) -> list[tuple[float, float]]:
    """Return the motions that most pixels share, besides none."""
    x, y = (
        np.rint(np.concatenate([one[1::3, 1::3].ravel(), -other[1::3, 1::3].ravel()]) * _STEPS).astype(np.int64)
        for one, other in zip(ahead, behind, strict=True)
    )
    keys = (x << 20) + y
    values, counts = np.unique(keys, return_counts=True)
    found: list[tuple[float, float]] = []
    for place in np.argsort(-counts, kind="stable"):
        if counts[place] < _SHARED_LEAST * keys.size or len(found) == _SHARED:
            break
        across = (int(values[place]) + (1 << 19)) >> 20
        motion = across / _STEPS, (int(values[place]) - (across << 20)) / _STEPS
        if _distance(motion, (0.0, 0.0)) > 0.3 and all(_distance(motion, one) > 0.6 for one in found):
            found.append(motion)
    return found


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))


def _is_cut(grid: _Grid, before: Floats, after: Floats, ahead: _Motion, behind: _Motion) -> bool:
    """Return whether two frames show different scenes: the flows contradict each other, and the frames differ.

    Or, where one of them is plain and has no flow, whether they differ and share no structure.
    """
    back_again = (grid.moved(part, *ahead, 1.0) for part in behind)
    missed = [np.abs(one + other) > _AGREE_PX for one, other in zip(ahead, back_again, strict=True)]
    moved = grid.moved(after, *ahead, 1.0)
    differs = float(np.mean(cv2.absdiff(before, moved)))
    spreads = float(before.std()), float(moved.std())
    if float(np.mean(missed[0] | missed[1])) > _CUT_MISSED and differs > _CUT_DIFFERS * (spreads[0] + 3):
        return True
    if differs < max(_PLAIN_DIFFERS, 0.3 * max(spreads)):
        return False
    shared = float(np.mean((before - before.mean()) * (moved - moved.mean())))
    return shared < 0.5 * spreads[0] * spreads[1] + 1e-3


def _best_layers(grid: _Grid, before: Floats, after: Floats, motions: list[_Motion]) -> list[_Layer]:
    """Return two layers: for each pixel the motion that fits best, and the best of those that differ from it."""
    costs = []
    for x, y in motions:
        one, other = grid.moved(before, x, y, -0.5), grid.moved(after, x, y, 0.5)
        costs.append(cv2.blur(cv2.absdiff(one, other), (_BOX, _BOX)))
    first, least = _cheapest(motions, costs)
    distinct = []
    for (x, y), cost in zip(motions, costs, strict=True):
        is_same = (np.abs(x - first[0]) < _SAME) & (np.abs(y - first[1]) < _SAME)
        distinct.append(np.where(is_same, _NEVER, cost))
    second, more = _cheapest(motions, distinct)
    share = (least + _NOISE) / (more + _NOISE)
    share *= share
    share *= share
    weight: Any = 1 / (1 + share)
    return [_Layer(first, weight), _Layer(second, 1 - weight)]


def _cheapest(motions: list[_Motion], costs: list[Floats]) -> tuple[_Motion, Floats]:
    """Return the motion with the least cost for each pixel, and that cost; the earlier of two that are equal."""
    x, y = (np.array(part) for part in motions[0])
    least = costs[0].copy()
    for motion, cost in zip(motions[1:], costs[1:], strict=True):
        is_less = cost < least
        np.copyto(x, motion[0], where=is_less)
        np.copyto(y, motion[1], where=is_less)
        np.copyto(least, cost, where=is_less)
    return (x, y), least


def _mean(before: Floats, after: Floats, places: tuple[Floats, Floats, Floats, Floats]) -> Any:
    """Return the mean of two planes, each taken from its places."""
    earlier = cv2.remap(before, places[0], places[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    later = cv2.remap(after, places[2], places[3], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return cv2.addWeighted(earlier, 0.5, later, 0.5, 0)
