"""BD-rate: by how much smaller one family of settings is than another at equal quality.

Bjøntegaard's difference, with the logarithm of the size interpolated over quality by piecewise
cubic Hermite polynomials (PCHIP, as in the common test conditions of the video coding groups), integrated
exactly over the qualities that both families reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from ci_notebook.model.errors import ParameterError
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
    score_or_default,
    series_name,
)
from ci_notebook.results.dataframe import resolve_column
from ci_notebook.results.labels import all_words, count, in_words, number, short_name, word_of

Floats: TypeAlias = npt.NDArray[np.float64]

LEAST_OVERLAP = 0.5  # of the smaller range of qualities: with less, the number depends on few points at one end


def bd_rate(first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]]) -> float:
    """Return how much larger (in %) `second` is than `first` at equal quality; negative is smaller.

    Each is a family of `(size, quality)` points, at least 3, quality growing with size. Raises
    `ParameterError` where they are too few, where quality does not grow, or where the families reach
    too few qualities in common for a number to mean anything.

    >>> round(bd_rate([(1, 30), (2, 34), (4, 37), (8, 39)], [(0.9, 30), (1.8, 34), (3.6, 37), (7.2, 39)]), 6)
    -10.0
    """
    from scipy.interpolate import PchipInterpolator  # lazy: only BD-rate needs it

    one, two = _family(first), _family(second)
    low, high = max(one[0][0], two[0][0]), min(one[0][-1], two[0][-1])
    narrow = min(one[0][-1] - one[0][0], two[0][-1] - two[0][0])
    if high - low < LEAST_OVERLAP * narrow:
        raise ParameterError.plain(
            f"No BD-rate: the families share {max(0.0, high - low):.3g} of a range of quality of {narrow:.3g}. "
            "Choose sizes that reach the same qualities."
        )
    first_area, second_area = (
        float(PchipInterpolator(qualities, logs).integrate(low, high)) for qualities, logs in (one, two)
    )
    return float(100 * np.expm1((second_area - first_area) / (high - low)))


def compute_bd_rate(
    data: Data, family: str, first: object, second: object, *, quality: str | None = None, size: str = "bitrate_kbps"
) -> pd.DataFrame:
    """Return one row per clip: `clip`, `bd_rate_percent` of `second` against `first`, and `why` where there is none.

    `family` is the parameter whose two values are compared. The other parameters that vary in the runs (Crf,
    Bitrate …) give the points of each family.
    """
    df = frame_of(data)
    quality, _ = score_or_default(df, quality)
    rows = []
    for clip, points in _points(df, family, first, second, quality=quality, size=size).groupby("clip", sort=False):
        sides = [points[points["side"] == side] for side in (0, 1)]
        try:
            percent, why = bd_rate(*[list(zip(part["size"], part["quality"], strict=True)) for part in sides]), ""
        except ParameterError as refusal:
            percent, why = None, str(refusal)
        rows.append((clip, percent, why, *map(len, sides)))
    table = pd.DataFrame(rows, columns=["clip", "bd_rate_percent", "why", "first_points", "second_points"])
    kinds = {"clip": "string", "bd_rate_percent": "Float64", "why": "string"}
    return table.astype(kinds | {"first_points": "Int64", "second_points": "Int64"})


def plot_bd_rate(
    data: Data,
    family: str,
    first: object,
    second: object,
    *,
    quality: str | None = None,
    size: str = "bitrate_kbps",
    ax: Axes | None = None,
) -> Axes:
    """Draw quality over size, a line per clip and family, with the compared range shaded, and return the axes."""
    data = once(data)
    df = frame_of(data)
    quality, note = score_or_default(df, quality)
    quality, size, family = resolve_column(df, quality), resolve_column(df, size), resolve_column(df, family)
    axes = axes_or_new(ax, width_in=8.2)
    points = _points(df, family, first, second, quality=quality, size=size)
    labelled = set[int]()
    for _, clip in points.groupby("clip", sort=False):
        for side, part in clip.groupby("side"):
            at = int(str(side))
            name = series_name(f"{short_name(family)} {word_of((first, second)[at])}")
            line = part.sort_values("size")
            axes.plot(
                floats(line["size"]), floats(line["quality"]), color=COLORS[at], marker=MARKERS[at],
                linestyle=LINES[at], label="_nolegend_" if at in labelled else name,
            )  # fmt: skip
            labelled.add(at)
        _shade(axes, clip)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if _leads(value) else "")
    axes.set_xlabel(label(size))
    axes.set_ylabel(label(quality))
    axes.grid(visible=True, alpha=0.3, which="both")
    if labelled:
        legend_aside(axes)
    axes.set_title("shaded: the qualities that both families reach", fontsize="medium", loc="left")
    return described(axes, describe_bd_rate(data, family, first, second, quality=quality, size=size) + note)


def describe_bd_rate(
    data: Data, family: str, first: object, second: object, *, quality: str | None = None, size: str = "bitrate_kbps"
) -> str:
    """Return in one sentence how much smaller the second family is, or why this is unknown."""
    df = frame_of(data)
    quality, note = score_or_default(df, quality)
    table = compute_bd_rate(df, family, first, second, quality=quality, size=size)
    name = short_name(resolve_column(df, family))
    compared = table.dropna(subset=["bd_rate_percent"])
    if compared.empty:
        why = f": {table['why'].iloc[0]}" if len(table) else ": no clip has both"
        return f"No BD-rate of {name} {word_of(second)} against {word_of(first)}{why}."
    mean, spread = float(compared["bd_rate_percent"].mean()), floats(compared["bd_rate_percent"])
    over = f", from {number(min(spread))} to {number(max(spread))} %" if len(spread) > 1 else ""
    skipped = f"; {count(len(table) - len(compared), 'clip')} cannot be compared" if len(compared) < len(table) else ""
    more = "more" if mean > 0 else "less"
    return (
        f"BD-rate: at equal {quality}, {name} {word_of(second)} needs {number(abs(mean))} % {more} {size} than "
        f"{word_of(first)} (mean of {count(len(compared), 'clip')}{over}{skipped}).{note}"
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
            present = ", ".join(one for one in all_words(df, family) if one in set(words))
            raise ParameterError.plain(f"No run has {family} {word}. The runs have {present or 'no values'}.")
    table = pd.DataFrame({"clip": df["clip"].fillna("").astype("string"), "word": words})
    table["size"], table["quality"] = df[size].astype("Float64"), df[quality].astype("Float64")
    table = table[table["word"].isin(sides)].dropna(subset=["size", "quality"])
    table["side"] = table["word"].map({sides[0]: 0, sides[1]: 1}).astype(int)
    return table.astype({"size": float, "quality": float})


def _family(points: Sequence[tuple[float, float]]) -> tuple[Floats, Floats]:
    """Return quality and the log of size, in the order of quality."""
    if len(points) < 3:
        raise ParameterError.plain(f"No BD-rate: a family needs at least 3 points, not {len(points)}.")
    sizes, qualities = (np.array(values, dtype=float) for values in zip(*sorted(points), strict=True))
    if sizes[0] <= 0 or np.any(np.diff(sizes) <= 0) or np.any(np.diff(qualities) <= 0):
        raise ParameterError.plain(
            f"No BD-rate: quality does not grow with size in {list(points)}. Leave out points that another one beats."
        )
    return qualities, np.log(sizes)


def _shade(axes: Axes, clip: pd.DataFrame) -> None:
    sides = [clip.loc[clip["side"] == side, "quality"] for side in (0, 1)]
    if all(len(one) for one in sides):
        low, high = max(one.min() for one in sides), min(one.max() for one in sides)
        if high > low:
            axes.axhspan(low, high, color="0.5", alpha=0.08, linewidth=0, zorder=0)


def _leads(value: float) -> bool:
    return f"{value:e}"[0] in "25"
