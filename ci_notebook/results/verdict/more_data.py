"""How much more data would decide an undecided question: more clips, or every frame of the present ones.

The number of clips is that of a t test of a mean: the smallest n with
s / sqrt(n) * (t(n - 1, 1 - alpha / 2) + t(n - 1, power)) <= d, where s is the spread of the clips, alpha is
1 - level, and d is how far the mean is from the limit of the answer (Chow, Shao and Wang 2008, "Sample Size
Calculations in Clinical Research", section 3.1, with t in place of the normal quantiles).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ci_notebook.experiment.pricing.price import EMBEDDED_BUCKET
from ci_notebook.model.score_sampling import scoring_s
from ci_notebook.model.scores import Scale
from ci_notebook.results.verdict.judgement import answer_of, judge_clips
from ci_notebook.results.verdict.run_pairs import ClipDifference

__all__ = ["MOST_CLIPS", "POWER", "MoreData", "clips_needed", "more_data"]

POWER: Final = 0.8  # usual in the planning of experiments (Cohen 1988)
MOST_CLIPS: Final = 50  # more clips are too expensive for such a small effect
_SEARCHED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class MoreData:
    """So many more clips (0: every frame of the present ones), their price and time, and the likely answer."""

    clips: int | None = None
    cost: float | None = None
    seconds: float | None = None
    currency: str = ""
    likely: str = ""


def clips_needed(spread: float, distance: float, *, level: float = 0.95, power: float = POWER) -> int | None:
    """Return how many clips show with the given power that a mean is within `distance` of its present value.

    `spread` is the standard deviation of the clips. At least 3, and None above a million.

    >>> clips_needed(1.0, 1.0), clips_needed(1.0, 0.5), clips_needed(1.0, 0.0)
    (10, 34, None)
    """
    from scipy import special  # lazy, as in `paired_statistics`

    def is_enough(count: int) -> bool:
        quantiles = special.stdtrit(count - 1, np.array([(1 + level) / 2, power]))
        return bool(spread / count**0.5 * quantiles.sum() <= distance)

    if distance <= 0 or not is_enough(_SEARCHED):
        return None
    low, high = 2, 3
    while not is_enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def more_data(clips: Sequence[ClipDifference], used: pd.DataFrame, scale: Scale, level: float) -> MoreData:
    """Return what would decide the question; `used` are the rows of the compared runs."""
    if not all(one.is_known for one in clips) and len(clips) <= 2:
        answer = judge_clips([_fully_scored(one) for one in clips], scale, level).answer
        if answer != "undecided":
            return MoreData(0, 0.0, _scoring_time(used), "CNY", answer)
    if len(clips) < 2:
        return MoreData()
    means = np.array([one.mean for one in clips])
    distance, power, likely = _target(float(means.mean()), scale)
    needed = clips_needed(float(means.std(ddof=1)), distance, level=level, power=power)
    if needed is None:
        return MoreData()
    more = max(1, needed - len(clips))
    is_free = bool((used["bucket"] == EMBEDDED_BUCKET).fillna(False).all())
    price = 0.0 if is_free else float(used["cost_cny"].sum()) if used["cost_cny"].notna().all() else None
    seconds = (float(used["took_s"].sum()) + _scoring_time(used)) / len(clips) if is_free else None
    return MoreData(
        more, None if price is None else price / len(clips) * more, None if seconds is None else seconds * more,
        "CNY", likely,
    )  # fmt: skip


def _fully_scored(clip: ClipDifference) -> ClipDifference:
    return ClipDifference(clip.clip, (clip.mean,), is_known=True)


def _target(mean: float, scale: Scale) -> tuple[float, float, str]:
    """Return the distance to the nearest answer from a mean, the power of each of its tests, and the answer."""
    worth, good = scale.threshold, mean * scale.sign
    likely = answer_of(mean, mean, scale) if not worth else ""
    if not scale.better:
        inside = worth - abs(mean)
        if inside > abs(mean):
            return inside, (1 + POWER) / 2, "equivalent"  # two one-sided tests must both succeed
        return abs(mean), POWER, "higher" if mean > 0 else "lower"
    if not worth:
        return abs(mean), POWER, likely
    return (good + worth, POWER, "not worse") if good + worth >= -good else (-good, POWER, "worse")


def _scoring_time(used: pd.DataFrame) -> float:
    """Return about how long it takes to score every frame of the runs, in s."""
    frames = used["pictures"].astype("Float64").fillna(used["duration_s"] * used["fps"].fillna(25.0))
    sizes = zip(frames.fillna(0.0), used["width"].fillna(1920), used["height"].fillna(1080), strict=True)
    return float(sum(scoring_s(float(n), width=float(width), height=float(height)) for n, width, height in sizes))
