"""`Vote`: which of two runs a voter found better, without knowing their settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Answer = Literal["left", "right", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """The answer to one question of a ballot. `left` and `right` are the keys of the runs on these sides.

    `share` is the moment in the clip, from 0 to 1. `repeats` is the number of the question that this one
    repeats. `took_s` is the time until the answer.
    """

    ballot: str
    voter: str
    number: int
    left: str
    right: str
    share: float
    answer: Answer
    took_s: float = 0.0
    repeats: int | None = None

    @property
    def better(self) -> str:
        """The key of the better run; empty for no difference."""
        return {"left": self.left, "right": self.right, "same": ""}[self.answer]
