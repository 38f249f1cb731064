"""The answer that the differences of the clips support. Numbers in, numbers out.

One clip, or two: the answer is about these alone. The difference of a clip whose frames were all scored is known;
that of a sampled one has an interval over its frames. From three clips on, the answer is about clips like these:
each clip is one observation, and the mean of their differences has a t interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ci_notebook.model.scores import Scale
from ci_notebook.results.verdict.paired_statistics import LEAST_FRAMES, MeanEstimate, of_clips, of_frames
from ci_notebook.results.verdict.run_pairs import ClipDifference

if TYPE_CHECKING:
    from ci_notebook.results.verdict.record import About, Answer

__all__ = ["LEAST_CLIPS", "Judgement", "answer_of", "judge_clips"]

LEAST_CLIPS: Final = 3  # two clips say next to nothing about the spread of others

_FAVOURABLE: Final = frozenset(("better", "equivalent", "not worse"))


@dataclass(frozen=True, slots=True)
class Judgement:
    """An answer with its numbers, in the unit of `Scale.difference`; see `Verdict` for their meaning."""

    answer: Answer
    about: About
    mean: float
    low: float | None = None
    high: float | None = None
    probability: float | None = None
    same: float | None = None
    independent: float | None = None
    spans: tuple[tuple[float, float] | None, ...] = ()


def answer_of(low: float, high: float, scale: Scale) -> Answer:
    """Return what an interval of the difference, second minus first, says; `equivalent` wins over `not worse`.

    >>> from ci_notebook.model.scores import SCORE
    >>> [answer_of(low, high, SCORE["vmaf"]) for low, high in ((-1, 1), (1, 5), (-1, 5), (-5, -1), (-5, 5))]
    ['equivalent', 'better', 'not worse', 'worse', 'undecided']
    """
    worth = scale.threshold
    if (-worth < low and high < worth) or low == high == 0:
        return "equivalent"
    if not scale.better:
        return "higher" if low > 0 else "lower" if high < 0 else "undecided"
    if scale.sign < 0:
        low, high = -high, -low
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "not worse" if low > -worth and worth else "undecided"


def judge_clips(clips: Sequence[ClipDifference], scale: Scale, level: float) -> Judgement:
    """Return the answer for at least one clip."""
    if len(clips) >= LEAST_CLIPS:
        estimate = of_clips([one.mean for one in clips], level=level, worth=scale.threshold)
        return Judgement(
            answer_of(estimate.low, estimate.high, scale), "clips like these", estimate.mean, estimate.low,
            estimate.high, _better(estimate, scale), estimate.inside, estimate.independent,
        )  # fmt: skip
    about: About = "this clip" if len(clips) == 1 else "these clips"
    mean = float(np.mean([one.mean for one in clips]))
    if all(one.is_known for one in clips):
        return Judgement(_shared([answer_of(one.mean, one.mean, scale) for one in clips]), about, mean)
    if not all(one.is_known or is_judged_by_frames(one) for one in clips):
        return Judgement("undecided", about, mean)
    estimates = [_of_clip(one, scale, level) for one in clips]
    sampled = [estimate for estimate, one in zip(estimates, clips, strict=True) if not one.is_known]
    probabilities = [_better(estimate, scale) for estimate in sampled]
    return Judgement(
        _shared([answer_of(one.low, one.high, scale) for one in estimates]), about, mean,
        min(one.low for one in estimates), max(one.high for one in estimates),
        min(probabilities, key=lambda one: abs(one - 0.5)), min(one.inside for one in sampled),
        sum(one.independent for one in sampled),
        tuple(None if one.is_known else (two.low, two.high) for one, two in zip(clips, estimates, strict=True)),
    )  # fmt: skip


def is_judged_by_frames(clip: ClipDifference) -> bool:
    """Return whether the sampled frames of a clip are enough to know how much they vary."""
    return clip.every > 0 and len(clip.values) >= LEAST_FRAMES


def _of_clip(clip: ClipDifference, scale: Scale, level: float) -> MeanEstimate:
    if not clip.is_known:
        return of_frames([clip.values], level=level, worth=scale.threshold)
    mean = clip.mean
    return MeanEstimate(mean, mean, mean, float(mean > 0), float(abs(mean) < scale.threshold), 1.0)


def _better(estimate: MeanEstimate, scale: Scale) -> float:
    return estimate.above if scale.sign > 0 else 1 - estimate.above


def _shared(answers: Sequence[Answer]) -> Answer:
    """Return the answer that every clip supports."""
    if len(set(answers)) == 1:
        return answers[0]
    return "not worse" if _FAVOURABLE.issuperset(answers) else "undecided"
