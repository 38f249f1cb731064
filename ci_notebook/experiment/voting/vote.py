"""The record of one vote: which of two runs somebody found better without knowing what they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Answer = Literal["left", "right", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """The answer to one question of a ballot. `left` and `right` are the keys of the runs as they were laid.

    `share` is the moment that was shown, from 0 to 1 of the clip; `repeats` the number of the question
    that was asked again here; `took_s` how long it took.
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
        """The key of the run that was found better; empty for no difference."""
        return {"left": self.left, "right": self.right, "same": ""}[self.answer]
