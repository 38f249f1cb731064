"""Intervals for the points of a curve: over clips where there are several, over pictures where there is one.

What a curve is asked is how a score changes along it, and clips differ far more from each other than
any setting changes them. So each clip's (or picture's) own level is taken out first, with Morey's
correction (2008) for having done so: the interval is that of the change, not of the level.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from ci_notebook.results.verdict.paired_statistics import LEAST_PICTURES, MeanEstimate, of_clips, of_pictures
from ci_notebook.results.verdict.run_pairs import SLACK

Kind = Literal["clips", "pictures", "range", ""]
Ends = dict[Hashable, tuple[float, float]]


def over_clips(points: Mapping[Hashable, Mapping[str, float]]) -> tuple[Kind, Ends]:
    """Return the ends around each point's mean, from point → clip → value.

    Two clips, or clips that do not have all points, have their range: an interval would say more
    than they can.
    """
    clips = list(dict.fromkeys(clip for values in points.values() for clip in values))
    is_full = all(len(values) == len(clips) for values in points.values())
    if len(clips) < 2:
        return "", {}
    if len(clips) == 2 or not is_full or len(points) < 2:
        spread = {key: values for key, values in points.items() if len(values) > 1}
        return "range", {key: (min(values.values()), max(values.values())) for key, values in spread.items()}
    table = np.array([[values[clip] for clip in clips] for values in points.values()])
    return "clips", {key: _ends(row.mean(), of_clips(list(off))) for key, row, off in _parts(points, table)}


def over_pictures(points: Mapping[Hashable, Sequence[Sequence[float]]]) -> tuple[Kind, Ends]:
    """Return the ends around each point's mean, from point → the runs' values, one a picture, all of one clip."""
    lengths = [len(values) for runs in points.values() for values in runs]
    if len(points) < 2 or min(lengths, default=0) < LEAST_PICTURES or max(lengths) - min(lengths) > SLACK:
        return "", {}
    shortest = min(lengths)
    table = np.array([np.mean([values[:shortest] for values in runs], axis=0) for runs in points.values()])
    return "pictures", {key: _ends(row.mean(), of_pictures([list(off)])) for key, row, off in _parts(points, table)}


def _parts(
    points: Mapping[Hashable, object], table: npt.NDArray[np.float64]
) -> list[tuple[Hashable, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    many = len(table)
    off = (table - table.mean(axis=0)) * (many / (many - 1)) ** 0.5
    return list(zip(points, table, off, strict=True))


def _ends(mean: float, made: MeanEstimate) -> tuple[float, float]:

    return float(mean + made.low - made.mean), float(mean + made.high - made.mean)
