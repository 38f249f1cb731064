"""Verdicts: whether one value of a parameter is better than another, by how much, and how sure we are.

    ci.verdict(runs, "SharpenLevel", 3, 6, on="vmaf_neg")

The rule of this file: a verdict says no more than its data can carry, and says why when it says
nothing. It compares runs that differ in the one parameter alone, clip by clip and picture by
picture, and leaves the arithmetic to `paired`.

With several clips the verdict is about clips like these: every clip is one observation, however
many pictures it has. With one clip it is about that clip.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.errors import ParameterError
from ci_notebook.results.dataframe import differing, resolve_column, setting_columns, to_frame, unit_of
from ci_notebook.results.differences import varying
from ci_notebook.results.labels import all_words, in_words, word_of
from ci_notebook.results.scores import Scale, scale_of
from ci_notebook.results.verdict.paired_statistics import LEAST_PICTURES, Estimate, of_clips, of_pictures
from ci_notebook.results.verdict.run_pairs import ClipDifference, Pairs, pair
from ci_notebook.results.verdict.verdict_record import Answer, Verdict, Verdicts

__all__ = ["Verdict", "Verdicts", "all_verdicts", "verdict", "verdicts"]


def verdict(
    runs: Iterable[Run],
    parameter: str,
    first: Any,
    second: Any,
    *,
    on: str,
    worth: float | None = None,
    level: float = 0.95,
) -> Verdict:
    """Return whether `second` is better than `first`, judged by the score `on`.

    `parameter` is the path of a leaf or an unambiguous ending of it; None and AUTO are values like
    any other. `on` is a score or any other number of the frame (`size_bytes`). `worth` is the
    smallest difference worth having, in the score's unit (or per cent: see `results.scales`, whose
    value is taken when it is not given). `level` is what the interval is to hold of the truth.

    Raises `ParameterError` for names and values that the runs do not hold. What they cannot carry
    is no error: the verdict is `refused`, and says why.
    """
    question = _Question.of(list(runs), parameter, on, worth)
    return question.judge(word_of(first), word_of(second), question.pair(first, second), level)


def verdicts(
    runs: Iterable[Run],
    parameter: str,
    *values: Any,
    on: str,
    baseline: Any = ...,
    worth: float | None = None,
    level: float = 0.95,
) -> Verdicts:
    """Return a verdict for every pair of values of a parameter, corrected for how many they are.

    `values` are those to be compared; without any, all that the runs hold. With `baseline` only the
    pairs with that value. Holm's correction: the surest pair is judged at the strictest level, and
    each verdict's interval is that of the level it was judged at, so that a false alarm among all of
    them is as rare as one verdict's alone.
    """
    question = _Question.of(list(runs), parameter, on, worth)
    wanted = list(values) or question.values()
    pairs = itertools.combinations(wanted, 2) if baseline is ... else ((baseline, other) for other in wanted)
    return _corrected([(question, a, b) for a, b in pairs if word_of(a) != word_of(b)], level)


def all_verdicts(runs: Iterable[Run], *, on: str, level: float = 0.95, most: int = 12) -> Verdicts:
    """Return a verdict for every value of every varied parameter against its lowest, corrected for all of them.

    Only the first `most` are made: every further one makes the others less sure.
    """
    listed = list(runs)
    asked = []
    for path in varying(to_frame(listed)):
        question = _Question.of(listed, path, on, None)
        baseline, *others = question.values()
        asked += [(question, baseline, other) for other in others]
    return _corrected(asked[:most], level)


def _corrected(asked: Sequence[tuple[_Question, Any, Any]], level: float) -> Verdicts:
    """Judge by Holm's steps: the surest at 1 - (1 - level) / n, the next at / (n - 1), until one is not sure."""
    found = [(question, word_of(a), word_of(b), question.pair(a, b)) for question, a, b in asked]
    judged = [question.judge(a, b, two, level) for question, a, b, two in found]
    order = [number for number, one in enumerate(judged) if one.answer != "refused"]
    order.sort(key=lambda number: _doubt(judged[number]))
    strict, going = len(order), True
    for place, number in enumerate(order):
        if going:
            strict = len(order) - place
        question, a, b, two = found[number]
        judged[number] = replace(question.judge(a, b, two, 1 - (1 - level) / strict), compared=len(order))
        going = going and _excludes_zero(judged[number])
    return Verdicts(judged)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of which runs."""

    runs: list[Run]
    df: pd.DataFrame
    path: str
    on: str
    scale: Scale

    @classmethod
    def of(cls, runs: list[Run], parameter: str, on: str, worth: float | None) -> _Question:
        df = to_frame(runs)
        on, path = resolve_column(df, on), resolve_column(df, parameter)
        if path not in setting_columns():
            raise ParameterError("parameter", parameter, "a leaf of the setting", "SharpenLevel, say.")
        if df[on].dtype not in ("Float64", "Int64"):
            raise ParameterError("on", on, "a column of numbers", "A score, say, or size_bytes.")
        scale = scale_of(on)
        return cls(runs, df, path, on, scale if worth is None else replace(scale, worth=worth))

    def values(self) -> list[str]:
        """Return the values that the runs hold, in words and in order."""
        held = set(in_words(self.df, self.path))
        return [word for word in all_words(self.df, self.path) if word in held]

    def pair(self, first: Any, second: Any) -> Pairs:
        return pair(self.runs, self.df, self.path, word_of(first), word_of(second), on=self.on, scale=self.scale)

    def judge(self, first: str, second: str, pairs: Pairs, level: float) -> Verdict:
        scale, used = self.scale, self.df.iloc[list(pairs.used)]
        over = [name for name in differing(used[[*setting_columns()]]).columns if name != self.path]
        asked = Verdict(
            parameter=self.path, first=first, second=second, on=self.on, answer="refused", level=level,
            worth=scale.worth, is_share=scale.is_share, unit="%" if scale.is_share else unit_of(self.on),
            better=scale.better, clips=tuple((one.clip, scale.shown(one.mean)) for one in pairs.clips),
            pictures=sum(len(one.values) for one in pairs.clips if one.every),
            over=tuple(over) if len(used) > 2 else (), left_out=pairs.left_out,
        )  # fmt: skip
        why = _refusal(pairs.clips, self.on)
        if why:
            return replace(asked, why=why)
        series = [one.values for one in pairs.clips]
        worth = scale.least
        can_alone = sum(map(len, series)) >= LEAST_PICTURES and min(map(len, series)) > 1
        alone = of_pictures(series, level=level, worth=worth) if can_alone else None
        made = of_clips([one.mean for one in pairs.clips], level=level, worth=worth) if len(series) > 1 else alone
        assert made is not None  # noqa: S101 - `_refusal` has seen to it
        return replace(
            asked, answer=_answer(made, scale), effect=scale.shown(made.mean), low=scale.shown(made.low),
            high=scale.shown(made.high), probability=made.above if scale.sign > 0 else 1 - made.above,
            same=made.inside, independent=made.independent,
            alone=(scale.shown(alone.low), scale.shown(alone.high)) if alone and len(series) > 1 else None,
        )  # fmt: skip


def _refusal(clips: Sequence[ClipDifference], on: str) -> str:
    if not clips:
        return "no clip has a run at both values that went well and was scored"
    if len(clips) > 1:
        return ""
    if not clips[0].every:
        return f"there is one clip, and {on} is one number for a whole clip; two clips or more would tell"
    if len(clips[0].values) < LEAST_PICTURES:
        return (
            f"{len(clips[0].values)} pictures of one clip are too few to know how much they vary "
            f"(it takes {LEAST_PICTURES}); score every picture, or take a longer clip, or more clips"
        )
    return ""


def _answer(made: Estimate, scale: Scale) -> Answer:
    if -scale.least < made.low and made.high < scale.least:
        return "no difference worth having"
    if made.low <= 0 <= made.high:
        return "undecided"
    if not scale.better:
        return "higher" if made.low > 0 else "lower"
    return "better" if (made.low > 0) == (scale.better == "higher") else "worse"


def _doubt(one: Verdict) -> float:
    assert one.probability is not None  # noqa: S101 - only what was judged is sorted
    return min(one.probability, 1 - one.probability)


def _excludes_zero(one: Verdict) -> bool:
    return one.low is not None and one.high is not None and not one.low <= 0 <= one.high
