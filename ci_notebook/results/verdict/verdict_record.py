"""What a comparison came to: the record of a verdict, and of several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import pandas as pd

from ci_notebook.results.verdict.verdict_words import card, sentence

Answer = Literal["better", "worse", "higher", "lower", "no difference worth having", "undecided", "refused"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a comparison came to; `second` against `first`.

    `effect`, `low` and `high` are the mean difference, second minus first, and its interval at
    `level`, in the score's unit, or in per cent where `is_share`; `probability` is that of `second`
    being better (where neither way is better: higher). They are None when `answer` is `refused`;
    `why` then says for what reason. `clips` are the clips' own mean differences. `alone` is the
    interval for these clips alone, pictures counted. `independent` is how many independent values
    would tell as much. `compared` is the number of comparisons that were corrected for.
    """

    parameter: str
    first: str
    second: str
    on: str
    answer: Answer
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    probability: float | None = None
    same: float | None = None
    level: float = 0.95
    worth: float = 0.0
    is_share: bool = False
    unit: str = ""
    better: Literal["higher", "lower", ""] = ""
    clips: tuple[tuple[str, float], ...] = ()
    pictures: int = 0
    independent: float | None = None
    alone: tuple[float, float] | None = None
    over: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    why: str = ""
    compared: int = 1

    @property
    def is_sure(self) -> bool:
        """True when the data answer the question, whichever way."""
        return self.answer not in ("undecided", "refused")

    @property
    def sentence(self) -> str:
        """The verdict in plain words, with its numbers."""
        return sentence(self)

    def to_frame(self) -> pd.DataFrame:
        """Return one row with the numbers (see `Verdicts.to_frame`)."""
        return Verdicts([self]).to_frame()

    def __repr__(self) -> str:
        return f"<Verdict: {self.sentence}>"

    def _repr_html_(self) -> str:
        return card(self)


class Verdicts(Sequence[Verdict]):
    """Several verdicts, in the order they were asked for."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self._verdicts = tuple(verdicts)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a verdict: parameter, first, second, on, answer, then its numbers.

        `effect`, `low`, `high`, `probability`, `same`, `level`, `worth` and `independent` are Float64,
        `clips`, `pictures` and `compared` Int64, the others strings.
        """
        texts = ("parameter", "first", "second", "on", "answer", "unit", "why")
        numbers = ("effect", "low", "high", "probability", "same", "level", "worth", "independent")
        made: dict[str, Any] = {name: pd.array([getattr(v, name) for v in self], dtype="string") for name in texts}
        made |= {name: pd.array([getattr(v, name) for v in self], dtype="Float64") for name in numbers}
        made["clips"] = pd.array([len(v.clips) for v in self], dtype="Int64")
        made |= {name: pd.array([getattr(v, name) for v in self], dtype="Int64") for name in ("pictures", "compared")}
        order = (*texts[:5], *numbers[:6], "worth", "unit", "clips", "pictures", "independent", "compared", "why")
        return pd.DataFrame({name: made[name] for name in order})

    @overload
    def __getitem__(self, index: int) -> Verdict: ...
    @overload
    def __getitem__(self, index: slice) -> Verdicts: ...
    def __getitem__(self, index: int | slice) -> Verdict | Verdicts:
        return Verdicts(self._verdicts[index]) if isinstance(index, slice) else self._verdicts[index]

    def __len__(self) -> int:
        return len(self._verdicts)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self._verdicts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verdicts) and self._verdicts == other._verdicts

    __hash__ = None  # type: ignore[assignment]  # a list of results, not a key

    def __repr__(self) -> str:
        return "<Verdicts:" + "".join(f"\n  {one.sentence}" for one in self._verdicts) + ">"

    def _repr_html_(self) -> str:
        return "<div>" + "".join(one._repr_html_() for one in self._verdicts) + "</div>"
