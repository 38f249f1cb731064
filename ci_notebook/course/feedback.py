"""Feedback on an exercise: right, close or not yet, why, and the next hint.

An answer is held against what the evidence says, never against a number written down here: whoever took
another clip is judged by that clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from types import EllipsisType
from typing import Any, Final, Literal

State = Literal["open", "right", "near", "wrong"]
WORDS: Final = {"open": "Your turn", "right": "Right", "near": "Close", "wrong": "Not yet"}
# Dark enough on white and light enough on black to tell a border by; the word carries the meaning.
COLORS: Final = {"open": "#4477aa", "right": "#228833", "near": "#b8860b", "wrong": "#cc3311"}


@dataclass(frozen=True)
class Feedback:
    """What became of an answer: a state, why, and a hint while it is not right."""

    state: State
    text: str
    hint: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the answer stands."""
        return self.state == "right"

    def __repr__(self) -> str:
        return f"{WORDS[self.state]}. {self.text}" + (f" Hint: {self.hint}" if self.hint else "")

    def _repr_html_(self) -> str:
        hint = f"<br><b>Hint:</b> {escape(self.hint)}" if self.hint else ""
        style = f"border-left:4px solid {COLORS[self.state]};padding:.4em .8em;margin:.4em 0"
        return f'<div style="{style}"><b>{WORDS[self.state]}.</b> {escape(self.text)}{hint}</div>'


Judge = Callable[..., tuple[State, str]]


@dataclass(frozen=True)
class Exercise:
    """A question, the hints in their order, and who judges an answer given the evidence."""

    question: str
    hints: tuple[str, ...]
    judge: Judge


Exercises = dict[str, Exercise]
_tries: Counter[str] = Counter()


def feedback(name: str, known: Exercise, answer: object, evidence: Sequence[Any]) -> Feedback:
    """Return what is said to an answer, with the hint that its number of tries has earned."""
    if isinstance(answer, EllipsisType):
        return Feedback("open", known.question, "Replace the ... by your answer and run the cell again.")
    try:
        state, text = known.judge(answer, *evidence)
    except WrongKind as wanted:
        state, text = "wrong", str(wanted)
    if state == "right":
        _tries.pop(name, None)
        return Feedback(state, text)
    _tries[name] += 1
    return Feedback(state, text, known.hints[min(_tries[name], len(known.hints)) - 1] if known.hints else "")


class WrongKind(ValueError):
    """The answer is of a kind that cannot be one; the text says what is wanted."""


def number(answer: object) -> float:
    """Return an answer that has to be a number."""
    if isinstance(answer, bool) or not hasattr(answer, "__float__"):
        raise WrongKind(f"A number is wanted here; {answer!r} is none.")
    return float(answer)


def measured(answer: object, truth: float, *, within: float, unit: str = "") -> tuple[State, str]:
    """Judge a number that was to be read off: right `within` the truth, close within three times that."""
    off, unit = abs(number(answer) - truth), f" {unit}" if unit else ""
    if off <= within:
        return "right", f"It is {truth:.3g}{unit}."
    if off <= 3 * within:
        return "near", f"You are {off:.2g}{unit} off."
    if number(answer) * truth < 0:
        return "wrong", "The sign is the other one: what is taken from what?"
    return "wrong", f"{number(answer):.3g}{unit} is too {'large' if number(answer) > truth else 'small'}."


def chosen(answer: object, truth: object, *, why: str, among: Sequence[object] = ()) -> tuple[State, str]:
    """Judge a choice; `why` is told with the right one."""
    said = str(answer).strip().casefold()
    if said == str(truth).casefold():
        return "right", why
    if among and said not in {str(one).casefold() for one in among}:
        raise WrongKind(f"One of {', '.join(map(str, among))} is wanted here; {answer!r} is none of them.")
    return "wrong", f"It is not {answer}."
