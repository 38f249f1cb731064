"""One timeline for videos with different frame rates and start times: which frame of each is shown when.

Invariant: frames are counted in the video with the highest frame rate; every other video shows its frame at that time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ci_notebook.model.errors import ParameterError
from ci_notebook.widgets.compare.sides import CompareSide
from ci_notebook.widgets.ports import FramesPort

__all__ = ["CommonTimeline", "worst_of"]

_MAX_POINTS: Final = 1200  # of a score curve; more than a screen is wide
_LOWER_IS_BETTER: Final = ("delta_e",)
_HALF_TICK: Final = 1e-4


@dataclass(frozen=True)
class CommonTimeline:
    """The time that all videos have in common, counted in frames of the fastest.

    `begin_s` is its start on the clock of the clips; `first` is the number of its first frame in the fastest video,
    and `count` the number of frames.
    """

    sides: tuple[tuple[CompareSide, FramesPort], ...]
    fastest: int
    begin_s: float
    first: int
    count: int

    @classmethod
    def of(cls, opened: Sequence[tuple[CompareSide, FramesPort]]) -> CommonTimeline:
        """Return the timeline of some videos. Raises `ParameterError` if they have no time in common."""
        begin = max(side.start_s for side, _ in opened)
        end = min(side.start_s + frames.duration_s for side, frames in opened)
        fastest = max(range(len(opened)), key=lambda at: opened[at][1].rate)
        side, frames = opened[fastest]
        first = frames.number_at(begin - side.start_s)
        last = frames.number_at(end - side.start_s - 2 * _HALF_TICK)
        if end - begin <= 0:
            names = " and ".join(f"{side.name} (starts at {side.start_s:g} s)" for side, _ in opened)
            raise ParameterError.plain(f"Cannot compare {names}: they have no time in common.")
        return cls(tuple(opened), fastest, begin, first, last - first + 1)

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.sides[self.fastest][1].rate

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the largest video in px."""
        return max((frames.size for _, frames in self.sides), key=lambda size: size[0])

    def time_at(self, at: int) -> float:
        """Return the time of a frame on the clock of the clips. A number outside of the timeline is clamped."""
        side, frames = self.sides[self.fastest]
        return side.start_s + frames.time_of(self.first + min(max(0, at), self.count - 1))

    def number(self, place: int, at: int) -> int:
        """Return the number of the frame of one video that is shown at a frame of the timeline."""
        side, frames = self.sides[place]
        return frames.number_at(self.time_at(at) - side.start_s)

    def score_curve(self, place: int, score: str) -> dict[str, Any] | None:
        """Return the values of a score over time: `first` and `step` count in frames of the timeline."""
        side, frames = self.sides[place]
        values = side.frame_scores.get(score)
        if not values:
            return None
        step = side.every * self.rate / _scored_rate(side, frames, len(values))
        first = (side.start_s - self.begin_s) * self.rate
        worst_value = max if score in _LOWER_IS_BETTER else min
        worst = [
            {"at": min(max(0, round(first + step * number)), self.count - 1), "value": values[number]}
            for number in worst_of(values, lower_is_better=score in _LOWER_IS_BETTER)
            if -0.5 <= first + step * number < self.count
        ]
        group = -(-len(values) // _MAX_POINTS)
        thinned = [worst_value(values[start : start + group]) for start in range(0, len(values), group)]
        return {"first": first, "step": step * group, "values": thinned, "worst": worst}

    def score(self, place: int, score: str, at: int) -> float | None:
        """Return the score of the frame that is shown, or of the last scored frame before it."""
        side, frames = self.sides[place]
        values = side.frame_scores.get(score)
        if not values:
            return None
        seconds = self.time_at(at) - side.start_s
        number = int(seconds * _scored_rate(side, frames, len(values)) / side.every + 1e-3)
        return values[min(max(0, number), len(values) - 1)]


def _scored_rate(side: CompareSide, frames: FramesPort, count: int) -> float:
    """Return the frame rate at which scores were measured: the lower one of output and source.

    A run does not store it; it follows from the number of values and the duration.
    """
    for divisor in (1, 2, 3, 4, 5):
        expected = frames.duration_s * frames.rate / divisor
        if (count - 1) * side.every - 1 < expected <= count * side.every + 1:  # one frame may be missing at the end
            return frames.rate / divisor
    return count * side.every / frames.duration_s


def worst_of(values: Sequence[float], how_many: int = 6, *, lower_is_better: bool = False) -> list[int]:
    """Return the indices of the worst values, worst first, at least a twentieth of the clip from each other."""
    distance, worst = max(1, math.ceil(len(values) / 20)), list[int]()
    for at in sorted(range(len(values)), key=lambda place: -values[place] if lower_is_better else values[place]):
        if all(abs(at - other) > distance for other in worst):
            worst.append(at)
        if len(worst) == how_many:
            break
    return worst
