"""One line of time for videos with rates, beginnings and scores of their own: which picture of each is shown when.

The rule of this file: the fastest video counts, and every other shows what it shows at that time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ci_notebook.model.errors import ParameterError
from ci_notebook.widgets.compare.sides import Pictures, Side

_POINTS: Final = 1200  # of a trace; more than a screen is wide
_LOWER_IS_BETTER: Final = ("delta_e",)
_HALF_TICK: Final = 1e-4


@dataclass(frozen=True)
class Line:
    """The time that all videos have in common, counted in pictures of the fastest.

    `begin_s` is when it begins on the clips' clock; `first` is the number that its first picture has
    in the fastest video, and `count` how many there are.
    """

    sides: tuple[tuple[Side, Pictures], ...]
    fastest: int
    begin_s: float
    first: int
    count: int

    @classmethod
    def of(cls, opened: Sequence[tuple[Side, Pictures]]) -> Line:
        """Return the line of some videos. Raises `ParameterError` where they have no time in common."""
        begin = max(side.start_s for side, _ in opened)
        end = min(side.start_s + pictures.duration_s for side, pictures in opened)
        fastest = max(range(len(opened)), key=lambda at: opened[at][1].rate)
        side, pictures = opened[fastest]
        first = pictures.number_at(begin - side.start_s)
        last = pictures.number_at(end - side.start_s - 2 * _HALF_TICK)
        if end - begin <= 0:
            names = " and ".join(f"{side.name} ({side.start_s:g} s on)" for side, _ in opened)
            raise ParameterError("what is compared", names, "videos that show a stretch of time in common")
        return cls(tuple(opened), fastest, begin, first, last - first + 1)

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.sides[self.fastest][1].rate

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the largest video in px."""
        return max((pictures.size for _, pictures in self.sides), key=lambda size: size[0])

    def time_at(self, at: int) -> float:
        """Return when a picture of the line is shown, on the clips' clock. A number beyond an end is that end."""
        side, pictures = self.sides[self.fastest]
        return side.start_s + pictures.time_of(self.first + min(max(0, at), self.count - 1))

    def number(self, place: int, at: int) -> int:
        """Return which picture of one video is shown with a picture of the line."""
        side, pictures = self.sides[place]
        return pictures.number_at(self.time_at(at) - side.start_s)

    def trace(self, place: int, on: str) -> dict[str, Any] | None:
        """Return a score picture by picture: `first` and `step` count in pictures of the line."""
        side, pictures = self.sides[place]
        values = side.pictures.get(on)
        if not values:
            return None
        step = side.every * self.rate / _scored_rate(side, pictures, len(values))
        first = (side.start_s - self.begin_s) * self.rate
        bad = max if on in _LOWER_IS_BETTER else min
        worst = [
            {"at": min(max(0, round(first + step * number)), self.count - 1), "value": values[number]}
            for number in worst_of(values, lower_is_better=on in _LOWER_IS_BETTER)
            if -0.5 <= first + step * number < self.count
        ]
        held = -(-len(values) // _POINTS)
        thin = [bad(values[start : start + held]) for start in range(0, len(values), held)]
        return {"first": first, "step": step * held, "values": thin, "worst": worst}

    def score(self, place: int, on: str, at: int) -> float | None:
        """Return what was scored for the picture that is shown, or for the nearest one before it."""
        side, pictures = self.sides[place]
        values = side.pictures.get(on)
        if not values:
            return None
        seconds = self.time_at(at) - side.start_s
        number = int(seconds * _scored_rate(side, pictures, len(values)) / side.every + 1e-3)
        return values[min(max(0, number), len(values) - 1)]


def _scored_rate(side: Side, pictures: Pictures, count: int) -> float:
    """Return how many pictures a second were compared: those of the slower of output and source.

    The run does not say it; how many values there are for its length does.
    """
    for part in (1, 2, 3, 4, 5):
        most = pictures.duration_s * pictures.rate / part
        if (count - 1) * side.every - 1 < most <= count * side.every + 1:  # a picture may be lost at the end
            return pictures.rate / part
    return count * side.every / pictures.duration_s


def worst_of(values: Sequence[float], how_many: int = 6, *, lower_is_better: bool = False) -> list[int]:
    """Return the places of the worst values, worst first; none is within a twentieth of the clip from a worse one."""
    apart, found = max(1, math.ceil(len(values) / 20)), list[int]()
    for at in sorted(range(len(values)), key=lambda place: -values[place] if lower_is_better else values[place]):
        if all(abs(at - other) > apart for other in found):
            found.append(at)
        if len(found) == how_many:
            break
    return found
