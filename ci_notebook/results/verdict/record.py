"""The result of a comparison: `Verdict`, and several of them as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, overload

import pandas as pd

from ci_notebook.results.verdict.card import card
from ci_notebook.results.verdict.wording import sentence

__all__ = ["About", "Answer", "Verdict", "Verdicts"]

Answer = Literal["better", "worse", "not worse", "higher", "lower", "equivalent", "undecided", "refused"]
About = Literal["this clip", "these clips", "clips like these", ""]

_TEXTS: Final = ("parameter", "first", "second", "on", "answer", "about", "unit", "currency", "note", "why")
_NUMBERS: Final = (
    "effect", "low", "high", "probability", "same", "level", "worth", "independent", "more_cost", "more_s",
)  # fmt: skip
_WHOLE: Final = ("pictures", "compared", "more_clips")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of a comparison of `second` with `first`.

    `answer` follows from the interval of the difference, counted so that more is better, and from `worth`:

        equivalent   all of it is within ±worth
        better       all of it is above 0, and it is not equivalent
        worse        all of it is below 0, and it is not equivalent
        not worse    all of it is above -worth, and none of the above
        undecided    the data support none of these; `more_clips` and the like say what would decide it
        refused      there is nothing to compare: no pair of successful, scored runs; `why` gives the reason

    Where neither direction is better, the answers are `higher` and `lower` in place of the second to the fourth.
    Where `worth` is 0, only `better`, `worse` and `undecided` remain, and `equivalent` for a known difference of 0.

    `about` says what the answer is about. One clip or two: about these alone. A clip of which every frame was
    scored has a known difference, without an interval: `low`, `high`, `probability` and `same` are then None. Of
    two clips, both must support the answer; `low` and `high` are the outer ends of their intervals, and
    `probability` is that of the less certain one. From three clips on: about clips like these.

    `effect`, `low` and `high` are the mean difference, second minus first, and its interval at `level`, in the
    unit of the score, or in per cent where `is_share`. `probability` is that of `second` being better (or higher,
    where neither direction is better), `same` that of a difference within ±`worth`. `clips` are the mean
    differences of the clips, and `spans` their intervals over the sampled frames, None for a known one.
    `independent` is the number of independent values that give the same certainty. `compared` is the number of
    comparisons that were corrected for.

    What would decide an undecided question: `more_clips` more clips like these (0: every frame of the present
    ones), which cost `more_cost` in `currency`, and take about `more_s` seconds on the embedded engine. They
    are None where no number is known; `likely` is the answer that they would give with a probability of 80 %,
    if mean and spread stay as they are. `note` says why `on` is not the usual score.
    `against` is what the outputs were compared with: their own source, or a true reference.

    Sources: two one-sided tests (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657) for `equivalent`, read off
    an interval that is wider than theirs; non-inferiority (ICH E9, 3.3.2) for `not worse`; an intersection-union
    test (Berger 1982, Technometrics 24:295) for two clips.
    """

    parameter: str
    first: str
    second: str
    on: str
    answer: Answer
    about: About = ""
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
    spans: tuple[tuple[float, float] | None, ...] = ()
    pictures: int = 0
    independent: float | None = None
    over: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    why: str = ""
    compared: int = 1
    more_clips: int | None = None
    more_cost: float | None = None
    more_s: float | None = None
    currency: str = ""
    likely: str = ""
    note: str = ""
    against: Literal["source", "reference", ""] = ""

    @property
    def is_sure(self) -> bool:
        """True when the data answer the question."""
        return self.answer not in ("undecided", "refused")

    @property
    def is_known(self) -> bool:
        """True when the difference of each clip is known, and the answer is about these clips alone."""
        return self.about in ("this clip", "these clips") and self.low is None and not self.why

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
    """Several verdicts, in the order in which they were requested."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self._verdicts = tuple(verdicts)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per verdict.

        | column | dtype | unit | meaning |
        |---|---|---|---|
        | parameter, first, second, on | string | | what was compared, and by which score |
        | answer | string | | the answer (see `Verdict`) |
        | effect, low, high | Float64 | of `on` | mean difference, second minus first, and its interval |
        | probability, same | Float64 | | of second being better; of a difference within ±worth |
        | level, worth | Float64 | of `on` | level of the interval; smallest difference worth having |
        | unit | string | | unit of the differences |
        | about | string | | what the answer is about: `this clip`, `these clips` or `clips like these` |
        | clips, pictures | Int64 | | number of clips, and of compared frames |
        | independent | Float64 | | number of independent values that are as certain |
        | compared | Int64 | | number of comparisons that were corrected for |
        | more_clips | Int64 | | clips that would decide it; 0: every frame of the present ones |
        | more_cost | Float64 | currency | their price |
        | currency | string | | of `more_cost` |
        | more_s | Float64 | s | about how long it takes on the embedded engine |
        | note, why | string | | why another score was taken; why the question is undecided or refused |

        Numbers that do not apply are missing: a known difference has no interval.
        """
        columns: dict[str, Any] = {name: pd.array([getattr(v, name) for v in self], dtype="string") for name in _TEXTS}
        columns |= {name: pd.array([getattr(v, name) for v in self], dtype="Float64") for name in _NUMBERS}
        columns |= {name: pd.array([getattr(v, name) for v in self], dtype="Int64") for name in _WHOLE}
        columns["clips"] = pd.array([len(v.clips) for v in self], dtype="Int64")
        order = (
            *_TEXTS[:5], *_NUMBERS[:7], "unit", "about", "clips", "pictures", "independent", "compared",
            "more_clips", "more_cost", "currency", "more_s", "note", "why",
        )  # fmt: skip
        return pd.DataFrame({name: columns[name] for name in order})

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
