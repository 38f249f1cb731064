"""Feedback on an answer to an exercise: right, close or not yet, the reason, and the next hint.

Invariant: an answer is compared with the reader's own results, never with a number in this package, so that a
reader who uses another clip is judged by that clip.
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
# Visible on white and on black. The word carries the meaning, not the color.
COLORS: Final = {"open": "#4477aa", "right": "#228833", "near": "#b8860b", "wrong": "#cc3311"}


@dataclass(frozen=True)
class Feedback:
    """The judgement of an answer: a state, a reason, and a hint while the answer is not right."""

    state: State
    text: str
    hint: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the answer is right."""
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
    """A question, its hints in order, and the function that judges an answer by the evidence."""

    question: str
    hints: tuple[str, ...]
    judge: Judge


Exercises = dict[str, Exercise]
_tries: Counter[str] = Counter()


def feedback(name: str, exercise: Exercise, answer: object, evidence: Sequence[Any]) -> Feedback:
    """Return the feedback on an answer, with one more hint for each try."""
    if isinstance(answer, EllipsisType):
        return Feedback("open", exercise.question, "Replace the ... by your answer and run the cell again.")
    try:
        state, text = exercise.judge(answer, *evidence)
    except WrongKind as error:
        state, text = "wrong", str(error)
    if state == "right":
        _tries.pop(name, None)
        return Feedback(state, text)
    _tries[name] += 1
    return Feedback(state, text, exercise.hints[min(_tries[name], len(exercise.hints)) - 1] if exercise.hints else "")


class WrongKind(ValueError):
    """The answer has the wrong type; the text says which type is expected."""


def number(answer: object) -> float:
    """Return an answer as a number. Raises `WrongKind` for anything else."""
    if isinstance(answer, bool) or not hasattr(answer, "__float__"):
        raise WrongKind(f"The answer must be a number (got {answer!r}).")
    return float(answer)


def measured(answer: object, truth: float, *, within: float, unit: str = "") -> tuple[State, str]:
    """Judge a measured number: right if it differs from the truth by at most `within`, close up to three times that."""
    off, unit = abs(number(answer) - truth), f" {unit}" if unit else ""
    if off <= within:
        return "right", f"It is {truth:.3g}{unit}."
    if off <= 3 * within:
        return "near", f"You are {off:.2g}{unit} off."
    if number(answer) * truth < 0:
        return "wrong", "The sign is wrong: check which value is subtracted from which."
    return "wrong", f"{number(answer):.3g}{unit} is too {'large' if number(answer) > truth else 'small'}."


def chosen(answer: object, truth: object, *, why: str, among: Sequence[object] = ()) -> tuple[State, str]:
    """Judge a choice; `why` explains the right one."""
    choice = str(answer).strip().casefold()
    if choice == str(truth).casefold():
        return "right", why
    if among and choice not in {str(one).casefold() for one in among}:
        raise WrongKind(f"The answer must be one of {', '.join(map(str, among))} (got {answer!r}).")
    return "wrong", f"It is not {answer}."
