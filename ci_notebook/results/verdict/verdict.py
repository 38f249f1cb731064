"""Verdicts: whether one value of a parameter is better than another, by how much, and how certain that is.

    ci.verdict(runs, "SharpenLevel", 3, 6)

A verdict claims no more than its data support, and says in numbers what would decide an open question. It compares
runs that differ in one parameter only, clip by clip and frame by frame; `judgement` says what the answer is about.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import SCORE, Better, Scale, scale_of
from ci_notebook.results.dataframe import differing, resolve_column, setting_columns, to_frame, unit_of
from ci_notebook.results.labels import all_words, in_words, varying, word_of
from ci_notebook.results.tables.table_files import runs_of_table
from ci_notebook.results.verdict.default_score import default_score
from ci_notebook.results.verdict.judgement import is_judged_by_frames, judge_clips
from ci_notebook.results.verdict.more_data import more_data
from ci_notebook.results.verdict.paired_statistics import LEAST_FRAMES
from ci_notebook.results.verdict.record import Verdict, Verdicts
from ci_notebook.results.verdict.run_pairs import ClipDifference, Pairs, pair

__all__ = ["Verdict", "Verdicts", "all_verdicts", "verdict", "verdicts"]

_DIRECTIONS: Final[dict[Better, Literal["higher", "lower", ""]]] = {"more": "higher", "less": "lower", "": ""}


def verdict(
    runs: Iterable[Run] | pd.DataFrame,
    parameter: str,
    first: Any,
    second: Any,
    *,
    on: str | None = None,
    worth: float | None = None,
    level: float = 0.95,
) -> Verdict:
    """Return whether `second` is better than `first`: better, worse, equivalent, not worse or undecided.

    `runs` may be their DataFrame: then clips are compared by their scores for the whole clip. `parameter` is the
    path of a leaf or an unambiguous ending of it; None and AUTO are values like any other. `on` is a score or
    any other number of the table (`size_bytes`); by default the most informative score that the runs have
    (`default_score`). `worth` is the smallest difference worth having, in the unit of the score or in per cent;
    its default is declared in `model.scores`. `level` is the probability with which an interval contains the true
    difference. `Verdict` defines the answers.

    With one clip or two, the answer is about these alone, and known where every frame was scored. With three or
    more it is about clips like these. `undecided` says what would decide it, and what that costs.

    Raises `ParameterError` for names and values that the runs do not have. Where no pair of runs succeeded, the
    verdict is `refused`, and gives the reason.

    >>> verdict([], "SharpenLevel", 3, 6)
    Traceback (most recent call last):
    ci_notebook.model.errors.ParameterError: No run has MsSharpen.SharpenLevel 3. The runs have no values.
    """
    question = _Question.of(runs, parameter, on, worth, (first, second))
    return question.judge(word_of(first), word_of(second), question.pair(first, second), level)


def verdicts(
    runs: Iterable[Run] | pd.DataFrame,
    parameter: str,
    *values: Any,
    on: str | None = None,
    baseline: Any = ...,
    worth: float | None = None,
    level: float = 0.95,
) -> Verdicts:
    """Return a verdict for every pair of values of a parameter, corrected for how many they are.

    `values` are the values to compare; by default all that the runs have. With `baseline` only the pairs with
    that value are compared. By Holm's correction, the most certain pair is judged at the strictest level, and the
    interval of each verdict is that of the level it was judged at. So a false alarm among all of them is as rare
    as that of a single verdict. Known differences of one clip or two need no correction.
    """
    question = _Question.of(runs, parameter, on, worth)
    chosen = list(values) or question.values()
    pairs = itertools.combinations(chosen, 2) if baseline is ... else ((baseline, other) for other in chosen)
    return _corrected([(question, a, b) for a, b in pairs if word_of(a) != word_of(b)], level)


def all_verdicts(
    runs: Iterable[Run] | pd.DataFrame, *, on: str | None = None, level: float = 0.95, most: int = 12
) -> Verdicts:
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
    order = [index for index, one in enumerate(judged) if one.low is not None]
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
    note: str

    @classmethod
    def of(
        cls,
        data: Iterable[Run] | pd.DataFrame,
        parameter: str,
        on: str | None,
        worth: float | None,
        values: Sequence[Any] = (),
    ) -> _Question:
        is_table = isinstance(data, pd.DataFrame)
        runs = list(runs_of_table(data) if isinstance(data, pd.DataFrame) else data)
        df = to_frame(runs)
        path, note = resolve_column(df, parameter), ""
        if on is None:
            compared = df[in_words(df, path).isin([word_of(value) for value in values])] if values else df
            chosen = default_score(compared)
            on, note = chosen.name, chosen.note
        on = resolve_column(df, on)
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
        return cls(runs, df, path, on, scale if worth is None else replace(scale, worth=worth), is_table, note)

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
            over=tuple(over) if len(used) > 2 else (), left_out=pairs.left_out, note=self.note,
            against=_against(used),
        )  # fmt: skip
        if not pairs.clips:
            return replace(refused, why="no clip has a successful, scored run at both values")
        found = judge_clips(pairs.clips, scale, level)
        judged = replace(
            refused, answer=found.answer, about=found.about, effect=scale.displayed(found.mean),
            low=_displayed(found.low, scale), high=_displayed(found.high, scale), probability=found.probability,
            same=found.same, independent=found.independent,
            spans=tuple(ends and (scale.displayed(ends[0]), scale.displayed(ends[1])) for ends in found.spans),
        )  # fmt: skip
        if found.answer != "undecided":
            return judged
        more = more_data(pairs.clips, used, scale, level)
        return replace(
            judged, why=_why(pairs.clips, self.on, is_table=self.is_table), more_clips=more.clips,
            more_cost=more.cost, more_s=more.seconds, currency=more.currency, likely=more.likely,
        )  # fmt: skip


def _against(used: pd.DataFrame) -> Literal["source", "reference", ""]:
    known = set(used["score_against"].dropna())
    return "source" if known == {"source"} else "reference" if known == {"reference"} else ""


def _displayed(value: float | None, scale: Scale) -> float | None:
    return None if value is None else scale.displayed(value)


def _why(clips: Sequence[ClipDifference], on: str, *, is_table: bool) -> str:
    """Return why one clip or two are not judged by their frames; empty where they are."""
    doubtful = [one for one in clips if not (one.is_known or is_judged_by_frames(one))]
    if len(clips) > 2 or not doubtful:
        return ""
    first = doubtful[0]
    if not first.every:
        hint = "; a table holds no scores per frame, so pass the runs" if is_table else ""
        return f"the {on} of {first.clip} is one number, from some of its frames{hint}"
    return (
        f"{len(first.values)} sampled frames of {first.clip} are too few to know how much they vary "
        f"(at least {LEAST_FRAMES} are needed)"
    )


def _doubt(one: Verdict) -> float:
    assert one.probability is not None  # noqa: S101 - only those with an interval are sorted
    return min(one.probability, 1 - one.probability)


def _excludes_zero(one: Verdict) -> bool:
    return one.low is not None and one.high is not None and not one.low <= 0 <= one.high
