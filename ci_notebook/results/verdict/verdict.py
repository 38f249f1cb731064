"""Verdicts: whether one value of a parameter is better than another, by how much, and how certain that is.

    ci.verdict(runs, "SharpenLevel", 3, 6, on="vmaf_neg")

A verdict claims no more than its data support, and gives the reason when it claims nothing. It compares runs
that differ in one parameter only, clip by clip and frame by frame; `paired_statistics` does the arithmetic.

With several clips the verdict is about clips like these: every clip is one observation, however many frames it
has. With one clip it is about that clip.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Final, Literal, overload

import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.html import table_html
from ci_notebook.model.scores import SCORE, Better, Scale, scale_of
from ci_notebook.results.dataframe import differing, resolve_column, setting_columns, to_frame, unit_of
from ci_notebook.results.labels import LEFT_OUT, all_words, count, in_words, listed, number, varying, word_of
from ci_notebook.results.table_files import runs_of_table
from ci_notebook.results.verdict.paired_statistics import LEAST_FRAMES, MeanEstimate, of_clips, of_frames
from ci_notebook.results.verdict.run_pairs import ClipDifference, Pairs, pair

__all__ = ["Verdict", "Verdicts", "all_verdicts", "verdict", "verdicts"]

_DIRECTIONS: Final[dict[Better, Literal["higher", "lower", ""]]] = {"more": "higher", "less": "lower", "": ""}

Answer = Literal["better", "worse", "higher", "lower", "no difference worth having", "undecided", "refused"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of a comparison of `second` with `first`.

    `effect`, `low` and `high` are the mean difference, second minus first, and its interval at `level`, in the
    unit of the score, or in per cent where `is_share`. `probability` is that of `second` being better (or higher,
    where neither direction is better). They are None when `answer` is `refused`; `why` then gives the reason.
    `clips` are the mean differences of the clips. `alone` is the interval for these clips alone, over their
    frames. `independent` is the number of independent values that give the same certainty. `compared` is the
    number of comparisons that were corrected for.
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
        """True when the data answer the question."""
        return self.answer not in ("undecided", "refused")

    @property
    def sentence(self) -> str:
        """The verdict in plain words, with its numbers."""
        return _sentence(self)

    def to_frame(self) -> pd.DataFrame:
        """Return one row with the numbers (see `Verdicts.to_frame`)."""
        return Verdicts([self]).to_frame()

    def __repr__(self) -> str:
        return f"<Verdict: {self.sentence}>"

    def _repr_html_(self) -> str:
        return _card(self)


class Verdicts(Sequence[Verdict]):
    """Several verdicts, in the order in which they were requested."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self._verdicts = tuple(verdicts)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per verdict: parameter, first, second, on, answer, then its numbers.

        `effect`, `low`, `high`, `probability`, `same`, `level`, `worth` and `independent` are Float64,
        `clips`, `pictures` and `compared` Int64, the others strings.
        """
        texts = ("parameter", "first", "second", "on", "answer", "unit", "why")
        numbers = ("effect", "low", "high", "probability", "same", "level", "worth", "independent")
        columns: dict[str, Any] = {name: pd.array([getattr(v, name) for v in self], dtype="string") for name in texts}
        columns |= {name: pd.array([getattr(v, name) for v in self], dtype="Float64") for name in numbers}
        columns["clips"] = pd.array([len(v.clips) for v in self], dtype="Int64")
        columns |= {
            name: pd.array([getattr(v, name) for v in self], dtype="Int64") for name in ("pictures", "compared")
        }
        order = (*texts[:5], *numbers[:6], "worth", "unit", "clips", "pictures", "independent", "compared", "why")
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


def verdict(
    runs: Iterable[Run] | pd.DataFrame,
    parameter: str,
    first: Any,
    second: Any,
    *,
    on: str,
    worth: float | None = None,
    level: float = 0.95,
) -> Verdict:
    """Return whether `second` is better than `first`, judged by the score `on`.

    `runs` may be their DataFrame: then clips are compared by their scores for the whole clip. `parameter` is the
    path of a leaf or an unambiguous ending of it; None and AUTO are values like any other. `on` is a score or
    any other number of the table (`size_bytes`). `worth` is the smallest difference worth having, in the unit of
    the score or in per cent; its default is declared in `model.scores`. `level` is the probability with which
    the interval contains the true difference.

    Raises `ParameterError` for names and values that the runs do not have. Too little data is no error: the
    verdict is then `refused`, and gives the reason.
    """
    question = _Question.of(runs, parameter, on, worth)
    return question.judge(word_of(first), word_of(second), question.pair(first, second), level)


def verdicts(
    runs: Iterable[Run] | pd.DataFrame,
    parameter: str,
    *values: Any,
    on: str,
    baseline: Any = ...,
    worth: float | None = None,
    level: float = 0.95,
) -> Verdicts:
    """Return a verdict for every pair of values of a parameter, corrected for how many they are.

    `values` are the values to compare; by default all that the runs have. With `baseline` only the pairs with
    that value are compared. By Holm's correction, the most certain pair is judged at the strictest level, and the
    interval of each verdict is that of the level it was judged at. So a false alarm among all of them is as rare
    as that of a single verdict.
    """
    question = _Question.of(runs, parameter, on, worth)
    chosen = list(values) or question.values()
    pairs = itertools.combinations(chosen, 2) if baseline is ... else ((baseline, other) for other in chosen)
    return _corrected([(question, a, b) for a, b in pairs if word_of(a) != word_of(b)], level)


def all_verdicts(runs: Iterable[Run] | pd.DataFrame, *, on: str, level: float = 0.95, most: int = 12) -> Verdicts:
    """Return a verdict for every value of every varied parameter against its lowest, corrected for all of them.

    Only the first `most` are judged, since every further comparison widens the intervals of the others.
    """
    listed = runs if isinstance(runs, pd.DataFrame) else list(runs)
    comparisons = []
    for path in varying(listed if isinstance(listed, pd.DataFrame) else to_frame(listed)):
        question = _Question.of(listed, path, on, None)
        baseline, *others = question.values()
        comparisons += [(question, baseline, other) for other in others]
    return _corrected(comparisons[:most], level)


def _corrected(comparisons: Sequence[tuple[_Question, Any, Any]], level: float) -> Verdicts:
    """Judge by Holm's steps: the most certain pair at 1 - (1 - level) / n, the next at / (n - 1), until one fails."""
    paired = [(question, word_of(a), word_of(b), question.pair(a, b)) for question, a, b in comparisons]
    judged = [question.judge(a, b, pairs, level) for question, a, b, pairs in paired]
    order = [index for index, one in enumerate(judged) if one.answer != "refused"]
    order.sort(key=lambda index: _doubt(judged[index]))
    divisor, is_rejecting = len(order), True
    for step, index in enumerate(order):
        if is_rejecting:
            divisor = len(order) - step
        question, a, b, pairs = paired[index]
        judged[index] = replace(question.judge(a, b, pairs, 1 - (1 - level) / divisor), compared=len(order))
        is_rejecting = is_rejecting and _excludes_zero(judged[index])
    return Verdicts(judged)


@dataclass(frozen=True, slots=True)
class _Question:
    """One question: the runs, the parameter, and the score to judge by."""

    runs: list[Run]
    df: pd.DataFrame
    path: str
    on: str
    scale: Scale
    is_table: bool

    @classmethod
    def of(cls, data: Iterable[Run] | pd.DataFrame, parameter: str, on: str, worth: float | None) -> _Question:
        is_table = isinstance(data, pd.DataFrame)
        runs = list(runs_of_table(data) if isinstance(data, pd.DataFrame) else data)
        df = to_frame(runs)
        on, path = resolve_column(df, on), resolve_column(df, parameter)
        if path not in setting_columns():
            raise ParameterError.plain(
                f"verdict() compares values of a parameter, and {parameter!r} is not one. "
                "Name a parameter of the setting, such as SharpenLevel."
            )
        if df[on].dtype not in ("Float64", "Int64"):
            raise ParameterError.plain(
                f"on={on!r} has no numbers to judge by. Take a score ({', '.join(SCORE)}) or another number, "
                "such as size_bytes."
            )
        scale = scale_of(on)
        return cls(runs, df, path, on, scale if worth is None else replace(scale, worth=worth), is_table)

    def values(self) -> list[str]:
        """Return the values that the runs have, in words and in order."""
        present = set(in_words(self.df, self.path))
        return [word for word in all_words(self.df, self.path) if word in present]

    def pair(self, first: Any, second: Any) -> Pairs:
        return pair(self.runs, self.df, self.path, word_of(first), word_of(second), on=self.on, scale=self.scale)

    def judge(self, first: str, second: str, pairs: Pairs, level: float) -> Verdict:
        scale, used = self.scale, self.df.iloc[list(pairs.used)]
        over = [name for name in differing(used[[*setting_columns()]]).columns if name != self.path]
        refused = Verdict(
            parameter=self.path, first=first, second=second, on=self.on, answer="refused", level=level,
            worth=scale.worth, is_share=scale.is_share, unit="%" if scale.is_share else unit_of(self.on),
            better=_DIRECTIONS[scale.better], clips=tuple((one.clip, scale.displayed(one.mean)) for one in pairs.clips),
            pictures=sum(len(one.values) for one in pairs.clips if one.every),
            over=tuple(over) if len(used) > 2 else (), left_out=pairs.left_out,
        )  # fmt: skip
        why = _refusal(pairs.clips, self.on)
        if why and self.is_table:
            why = f"{why}. A table holds no scores per frame; pass the runs"
        if why:
            return replace(refused, why=why)
        series = [one.values for one in pairs.clips]
        worth = scale.threshold
        can_alone = sum(map(len, series)) >= LEAST_FRAMES and min(map(len, series)) > 1
        of_these = of_frames(series, level=level, worth=worth) if can_alone else None
        means = [one.mean for one in pairs.clips]
        estimate = of_clips(means, level=level, worth=worth) if len(series) > 1 else of_these
        assert estimate is not None  # noqa: S101 - `_refusal` excludes it
        return replace(
            refused, answer=_answer(estimate, scale), effect=scale.displayed(estimate.mean),
            low=scale.displayed(estimate.low),
            high=scale.displayed(estimate.high), probability=estimate.above if scale.sign > 0 else 1 - estimate.above,
            same=estimate.inside, independent=estimate.independent,
            alone=_displayed(of_these, scale) if of_these and len(series) > 1 else None,
        )  # fmt: skip


def _displayed(estimate: MeanEstimate, scale: Scale) -> tuple[float, float]:
    return scale.displayed(estimate.low), scale.displayed(estimate.high)


def _refusal(clips: Sequence[ClipDifference], on: str) -> str:
    if not clips:
        return "no clip has a successful, scored run at both values"
    if len(clips) > 1:
        return ""
    if not clips[0].every:
        return f"there is one clip, and {on} is one number for a whole clip; at least two clips are needed"
    if len(clips[0].values) < LEAST_FRAMES:
        return (
            f"{len(clips[0].values)} pictures of one clip are too few to know how much they vary "
            f"(at least {LEAST_FRAMES} are needed); score every picture, or use a longer clip or more clips"
        )
    return ""


def _answer(estimate: MeanEstimate, scale: Scale) -> Answer:
    if -scale.threshold < estimate.low and estimate.high < scale.threshold:
        return "no difference worth having"
    if estimate.low <= 0 <= estimate.high:
        return "undecided"
    if not scale.better:
        return "higher" if estimate.low > 0 else "lower"
    return "better" if (estimate.low > 0) == (scale.better == "more") else "worse"


def _doubt(one: Verdict) -> float:
    assert one.probability is not None  # noqa: S101 - only judged ones are sorted
    return min(one.probability, 1 - one.probability)


def _excludes_zero(one: Verdict) -> bool:
    return one.low is not None and one.high is not None and not one.low <= 0 <= one.high


def _sentence(one: Verdict) -> str:
    """Return a verdict with its numbers in one to four sentences."""
    if one.answer == "refused":
        return f"No verdict on {one.on}, {_name(one, one.second)} against {_first(one)}: {one.why}.{_left_out(one)}"
    return f"{_finding(one)} {_reach(one)}{_alone(one)}{_left_out(one)}"


def _finding(one: Verdict) -> str:
    assert one.effect is not None and one.low is not None and one.high is not None  # noqa: S101 - judged
    second, interval = _name(one, one.second), f"{number(100 * one.level)} % interval"
    signed = f"{_amount(one, one.effect)} ({interval} {_span(one, one.low, one.high)})"
    if one.answer == "undecided":
        return (
            f"On {one.on}, {second} and {_first(one)} cannot be distinguished: the difference is {signed}{_odds(one)}."
        )
    if one.answer == "no difference worth having":
        within = f"all within ±{_amount(one, one.worth)}"
        return f"On {one.on}, {second} against {_first(one)} makes no difference worth having: {signed}, {within}."
    low, high = sorted((abs(one.low), abs(one.high)))
    size = f"{_amount(one, abs(one.effect))} ({interval} {_span(one, low, high)})"
    return f"On {one.on}, {second} is {one.answer} than {_first(one)} by {size}{_worth(one, low)}{_odds(one)}."


def _worth(one: Verdict, least: float) -> str:
    if not one.worth:
        return ""
    if least >= one.worth:
        return f", more than the {_amount(one, one.worth)} that is worth having"
    return f", perhaps less than the {_amount(one, one.worth)} that is worth having"


def _odds(one: Verdict) -> str:
    assert one.probability is not None  # noqa: S101 - judged
    percent = 100 * one.probability
    text = "under 0.1" if percent < 0.1 else "over 99.9" if percent > 99.9 else number(percent, 2)
    what = (one.better and "better") or "higher"
    return f"; the probability that {one.second} is {what} is {text} %"


def _reach(one: Verdict) -> str:
    """Return what the verdict is based on, and what it is about."""
    assert one.independent is not None  # noqa: S101 - judged
    over = f", as a mean over {listed(list(one.over))}" if one.over else ""
    holm = f"; one of {one.compared} comparisons, corrected for (Holm)" if one.compared > 1 else ""
    if len(one.clips) > 1:
        return f"Judged on {count(len(one.clips), 'clip')}, for clips like these{over}{holm}."
    worth = f"as certain as {max(1, round(one.independent))} independent ones"
    clip = one.clips[0][0]
    return f"Judged on {one.pictures} pictures of {clip}, {worth}, for that clip alone{over}{holm}."


def _alone(one: Verdict) -> str:
    """Return the result for these clips alone, where that is more certain than for others."""
    if one.answer != "undecided" or one.alone is None or one.alone[0] <= 0 <= one.alone[1]:
        return ""
    direction = "higher" if one.alone[0] > 0 else "lower"
    interval = _span(one, *one.alone)
    return f" For these clips alone it is {direction} (interval {interval}); they are too few to conclude for others."


def _left_out(one: Verdict) -> str:
    return f" Left out: {'; '.join(one.left_out)}." if one.left_out else ""


def _name(one: Verdict, value: str) -> str:
    name = one.parameter.rpartition(".")[2]
    return f"{name} {value}" if value != LEFT_OUT else f"leaving {name} out"


def _first(one: Verdict) -> str:
    return "leaving it out" if one.first == LEFT_OUT else one.first


def _amount(one: Verdict, value: float) -> str:
    return f"{number(value)}{f' {one.unit}' if one.unit else ''}"


def _span(one: Verdict, low: float, high: float) -> str:
    return f"{number(low)} to {_amount(one, high)}"


def _card(one: Verdict) -> str:
    """Return a verdict as HTML: its sentence, a drawing of the interval, and the differences of the clips."""
    head = f"<p style='margin:0 0 6px'><b>{escape(_headline(one))}</b> {escape(one.sentence)}</p>"
    unit = f" [{one.unit}]" if one.unit else ""
    clips = table_html(
        [(clip, number(mean)) for clip, mean in one.clips], caption=f"{one.on}{unit}, {one.second} minus {one.first}",
        numeric=(1,), row_heads=True,
    )  # fmt: skip
    table = (
        f"<details><summary>{count(len(one.clips), 'clip')}</summary>{clips}</details>" if len(one.clips) > 1 else ""
    )
    return f"<div style='max-width:46em;margin:8px 0'>{head}{_drawing(one)}{_legend(one)}{table}</div>"


def _headline(one: Verdict) -> str:
    second = _name(one, one.second)
    text = {"refused": "cannot be judged", "no difference worth having": "no difference"}
    return f"{second[:1].upper()}{second[1:]}: {text.get(one.answer, one.answer)}."


def _legend(one: Verdict) -> str:
    if one.effect is None:
        return ""
    grey = f"; grey: within ±{_amount(one, one.worth)}, not worth having" if one.worth else ""
    rings = "; rings: the clips" if len(one.clips) > 1 else ""
    return f"<p style='margin:0;font-size:85%'>Blue: the difference and its interval{rings}{grey}.</p>"


def _drawing(one: Verdict) -> str:
    """Return the interval as a small SVG: zero, the range not worth having, the clips, the interval."""
    if one.effect is None or one.low is None or one.high is None:
        return ""
    points = [mean for _, mean in one.clips]
    ends = [one.low, one.high, 0.0, -one.worth, one.worth, *points]
    left, right = min(ends), max(ends)
    room = (right - left or 1.0) * 0.06
    scale = 560 / (right - left + 2 * room)

    def at(value: float) -> str:
        return f"{20 + (value - left + room) * scale:.1f}"

    zone = (
        f"<rect x='{at(-one.worth)}' y='6' width='{2 * one.worth * scale:.1f}' height='34' fill='currentColor' "
        "opacity='.1'/>"
        if one.worth
        else ""
    )
    dots = "".join(
        f"<circle cx='{at(value)}' cy='31' r='4' fill='none' stroke='currentColor'/>" for value in points[:40]
    )
    low, high, mean = at(one.low), at(one.high), at(one.effect)
    alt = f"Interval from {_span(one, one.low, one.high)} around {_amount(one, one.effect)}; the line is at 0"
    bar = (
        f"<line x1='{low}' x2='{high}' y1='16' y2='16' stroke='#0072B2' stroke-width='4'/>"
        f"<circle cx='{mean}' cy='16' r='6' fill='#0072B2'/>"
    )
    ticks = {0.0: "0"} | {value: number(value) for value in (one.low, one.high) if abs(value) * scale > 45}
    words = "".join(
        f"<text x='{at(value)}' y='56' text-anchor='middle' font-size='12' fill='currentColor'>{word}</text>"
        for value, word in ticks.items()
    )
    return (
        f"<svg viewBox='0 0 600 62' width='600' style='max-width:100%' role='img' aria-label='{escape(alt)}'>"
        f"{zone}<line x1='{at(0)}' x2='{at(0)}' y1='4' y2='42' stroke='currentColor'/>{dots}{bar}{words}</svg>"
    )
