"""BD-rate: by how much smaller one family of settings is than another at equal quality.

Bjøntegaard's difference, with the logarithm of the size interpolated over quality by piecewise
cubic Hermite polynomials (Fritsch and Carlson's slopes, as in the video groups' common test
conditions), integrated exactly over the qualities that both families reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import MAIN
from ci_notebook.results.charts.style import (
    COLORS,
    LINES,
    MARKERS,
    Data,
    axes_or_new,
    described,
    floats,
    frame_of,
    label,
    legend_aside,
    number_column,
    once,
)
from ci_notebook.results.dataframe import resolve_column
from ci_notebook.results.labels import all_words, count, in_words, number, short_name, word_of

Floats: TypeAlias = npt.NDArray[np.float64]

LEAST_OVERLAP = 0.5  # of the smaller range of qualities: below, the number speaks of an end that few points hold up


def bd_rate(first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]]) -> float:
    """Return how much larger (in %) `second` is than `first` at equal quality; negative is smaller.

    Each is a family of `(size, quality)` points, at least 3, quality growing with size. Raises
    `ParameterError` where they are too few, where quality does not grow, or where the families reach
    too few qualities in common for a number to mean anything.

    >>> round(bd_rate([(1, 30), (2, 34), (4, 37), (8, 39)], [(0.9, 30), (1.8, 34), (3.6, 37), (7.2, 39)]), 6)
    -10.0
    """
    one, two = _family(first), _family(second)
    low, high = max(one[0][0], two[0][0]), min(one[0][-1], two[0][-1])
    narrow = min(one[0][-1] - one[0][0], two[0][-1] - two[0][0])
    if high - low < LEAST_OVERLAP * narrow:
        raise ParameterError(
            "BD-rate", f"{max(0.0, high - low):.3g} of {narrow:.3g}", "families that share half their range of quality",
            "Choose sizes that reach the same qualities.",
        )  # fmt: skip
    gap = (_integral(*two, low, high) - _integral(*one, low, high)) / (high - low)
    return float(100 * np.expm1(gap))


def compute_bd_rate(
    data: Data, family: str, first: object, second: object, *, quality: str = MAIN, size: str = "bitrate_kbps"
) -> pd.DataFrame:
    """Return a row a clip: `clip`, `bd_rate_percent` of `second` against `first`, and `why` where there is none.

    `family` is the parameter whose two values are compared; what else varies in the runs (Crf,
    Bitrate …) makes the points of each.
    """
    df = frame_of(data)
    rows = []
    for clip, points in _points(df, family, first, second, quality=quality, size=size).groupby("clip", sort=False):
        sides = [points[points["side"] == side] for side in (0, 1)]
        try:
            found, why = bd_rate(*[list(zip(part["size"], part["quality"], strict=True)) for part in sides]), ""
        except ParameterError as refused:
            found, why = None, str(refused)
        rows.append((clip, found, why, *map(len, sides)))
    made = pd.DataFrame(rows, columns=["clip", "bd_rate_percent", "why", "first_points", "second_points"])
    kinds = {"clip": "string", "bd_rate_percent": "Float64", "why": "string"}
    return made.astype(kinds | {"first_points": "Int64", "second_points": "Int64"})


def plot_bd_rate(
    data: Data,
    family: str,
    first: object,
    second: object,
    *,
    quality: str = MAIN,
    size: str = "bitrate_kbps",
    ax: Axes | None = None,
) -> Axes:
    """Draw both families' quality over size, a line a clip, what is compared shaded, and return the axes."""
    data = once(data)
    df = frame_of(data)
    quality, size, family = resolve_column(df, quality), resolve_column(df, size), resolve_column(df, family)
    axes = axes_or_new(ax, width_in=8.2)
    points = _points(df, family, first, second, quality=quality, size=size)
    named = set[int]()
    for _, clip in points.groupby("clip", sort=False):
        for side, part in clip.groupby("side"):
            at = int(str(side))
            name = f"{short_name(family)} {word_of((first, second)[at])}"
            line = part.sort_values("size")
            axes.plot(
                floats(line["size"]), floats(line["quality"]), color=COLORS[at], marker=MARKERS[at],
                linestyle=LINES[at], label="_nolegend_" if at in named else name,
            )  # fmt: skip
            named.add(at)
        _shade(axes, clip)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if _leads(value) else "")
    axes.set_xlabel(label(size))
    axes.set_ylabel(label(quality))
    axes.grid(visible=True, alpha=0.3, which="both")
    if named:
        legend_aside(axes)
    axes.set_title("shaded: the qualities that both reach", fontsize="medium", loc="left")
    return described(axes, describe_bd_rate(data, family, first, second, quality=quality, size=size))


def describe_bd_rate(
    data: Data, family: str, first: object, second: object, *, quality: str = MAIN, size: str = "bitrate_kbps"
) -> str:
    """Return in one sentence how much smaller the second family is, or why it cannot be said."""
    df = frame_of(data)
    made = compute_bd_rate(df, family, first, second, quality=quality, size=size)
    name = short_name(resolve_column(df, family))
    found = made.dropna(subset=["bd_rate_percent"])
    if found.empty:
        why = f": {made['why'].iloc[0]}" if len(made) else ": no clip has both"
        return f"No BD-rate of {name} {word_of(second)} against {word_of(first)}{why}."
    mean, spread = float(found["bd_rate_percent"].mean()), floats(found["bd_rate_percent"])
    over = f", from {number(min(spread))} to {number(max(spread))} %" if len(spread) > 1 else ""
    skipped = f"; {count(len(made) - len(found), 'clip')} cannot be compared" if len(found) < len(made) else ""
    more = "more" if mean > 0 else "less"
    return (
        f"BD-rate: at equal {quality}, {name} {word_of(second)} needs {number(abs(mean))} % {more} {size} than "
        f"{word_of(first)} (mean of {count(len(found), 'clip')}{over}{skipped})."
    )


def _points(df: pd.DataFrame, family: str, first: object, second: object, *, quality: str, size: str) -> pd.DataFrame:
    family, quality, size = (
        resolve_column(df, family),
        number_column(df, quality, "quality"),
        number_column(df, size, "size"),
    )
    words, sides = in_words(df, family), (word_of(first), word_of(second))
    for word in sides:
        if word not in set(words):
            raise ParameterError(
                family, word, "what the runs hold: " + ", ".join(w for w in all_words(df, family) if w in set(words))
            )
    made = pd.DataFrame({"clip": df["clip"].fillna("").astype("string"), "word": words})
    made["size"], made["quality"] = df[size].astype("Float64"), df[quality].astype("Float64")
    made = made[made["word"].isin(sides)].dropna(subset=["size", "quality"])
    made["side"] = made["word"].map({sides[0]: 0, sides[1]: 1}).astype(int)
    return made.astype({"size": float, "quality": float})


def _family(points: Sequence[tuple[float, float]]) -> tuple[Floats, Floats]:
    """Return quality and the log of size, in the order of quality."""
    if len(points) < 3:
        raise ParameterError("BD-rate", count(len(points), "point"), "at least 3 points a family")
    sizes, qualities = (np.array(values, dtype=float) for values in zip(*sorted(points), strict=True))
    if sizes[0] <= 0 or np.any(np.diff(sizes) <= 0) or np.any(np.diff(qualities) <= 0):
        raise ParameterError(
            "BD-rate", list(points), "quality that grows with size", "Leave out what is beaten by another."
        )
    return qualities, np.log(sizes)


def _slopes(x: Floats, y: Floats) -> Floats:
    """Return Fritsch and Carlson's slopes: none overshoots, three-point formula at the ends."""
    step, rise = np.diff(x), np.diff(y) / np.diff(x)
    slope = np.zeros_like(y)
    left, right = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
    same = rise[:-1] * rise[1:] > 0
    slope[1:-1][same] = (left + right)[same] / (left[same] / rise[:-1][same] + right[same] / rise[1:][same])
    slope[0] = _end(step[0], step[1], rise[0], rise[1])
    slope[-1] = _end(step[-1], step[-2], rise[-1], rise[-2])
    return slope


def _end(near: float, far: float, rise: float, next_rise: float) -> float:
    slope = ((2 * near + far) * rise - near * next_rise) / (near + far)
    if np.sign(slope) != np.sign(rise):
        return 0.0
    return 3 * rise if np.sign(rise) != np.sign(next_rise) and abs(slope) > 3 * abs(rise) else slope


def _integral(x: Floats, y: Floats, low: float, high: float) -> float:
    """Return the integral of the interpolation from `low` to `high`, exactly."""
    slope, step = _slopes(x, y), np.diff(x)
    rise = np.diff(y) / step
    c = (3 * rise - 2 * slope[:-1] - slope[1:]) / step
    b = (slope[:-1] + slope[1:] - 2 * rise) / step**2

    def upto(at: Floats) -> Floats:
        return at * (y[:-1] + at * (slope[:-1] / 2 + at * (c / 3 + at * b / 4)))

    from_, to = np.clip(low - x[:-1], 0, step), np.clip(high - x[:-1], 0, step)
    return float(np.sum(upto(to) - upto(from_)))


def _shade(axes: Axes, clip: pd.DataFrame) -> None:
    sides = [clip.loc[clip["side"] == side, "quality"] for side in (0, 1)]
    if all(len(one) for one in sides):
        low, high = max(one.min() for one in sides), min(one.max() for one in sides)
        if high > low:
            axes.axhspan(low, high, color="0.5", alpha=0.08, linewidth=0, zorder=0)


def _leads(value: float) -> bool:
    return f"{value:e}"[0] in "25"
