"""Over-sharpening: the part of VMAF that comes from enhancement gain, which VMAF-NEG leaves out.

VMAF rewards sharpening beyond the detail of the source; VMAF-NEG limits the reward. Where VMAF still rises and
VMAF-NEG falls, sharpening adds detail that the source does not have.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from matplotlib.axes import Axes

from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import SCORE
from ci_notebook.results.charts.style import (
    COLORS,
    LINES,
    MARKERS,
    Data,
    axes_or_new,
    described,
    floats,
    frame_of,
    highest,
    label,
    legend_aside,
    once,
)
from ci_notebook.results.dataframe import resolve_column
from ci_notebook.results.labels import AUTO, LEFT_OUT, all_words, in_words, number

_GAIN: Final = SCORE["vmaf_minus_neg"]
WITH_GAIN, WITHOUT_GAIN = _GAIN.minus or ("", "")
"""The two scores whose difference is the gain by enhancement: VMAF rewards it, VMAF-NEG does not."""
# Over-sharpened: VMAF-NEG lost, and the gain grew by, at least the difference worth having.
TOO_MUCH: Final = _GAIN.worth


def has_needle(df: pd.DataFrame) -> bool:
    """Return whether some run has both scores that the chart needs."""
    return bool(df[[WITH_GAIN, WITHOUT_GAIN]].notna().all(axis="columns").any())


def compute_needle(data: Data, x: str = "SharpenLevel") -> pd.DataFrame:
    """Return one row per value of `x`: `at` in words, `x`, both scores, `gain` (their difference), `clips`, `over`.

    Means over clips of the means within a clip. `over` is true where VMAF-NEG is 2 points or more below its best
    value, and the gain is that much above the gain there. Raises `ParameterError` without both scores.
    """
    df = frame_of(data)
    x = resolve_column(df, x)
    used = pd.DataFrame({
        "at": in_words(df, x), "x": df[x], "clip": df["clip"].fillna(""),
        WITH_GAIN: df[WITH_GAIN], WITHOUT_GAIN: df[WITHOUT_GAIN],
    }).dropna(subset=[WITH_GAIN, WITHOUT_GAIN])  # fmt: skip
    if used.empty:
        raise ParameterError.plain(
            f"No run has both {WITH_GAIN} and {WITHOUT_GAIN}. lab.run(…, scores=True) measures them."
        )
    columns = {name: (name, "mean") for name in (WITH_GAIN, WITHOUT_GAIN)}
    by_clip = used.groupby(["at", "clip"], sort=False).agg(x=("x", "first"), **columns).reset_index()
    table = by_clip.groupby("at", sort=False).agg(x=("x", "first"), **columns, clips=("clip", "size")).reset_index()
    order = {word: place for place, word in enumerate(all_words(df, x))}
    table = table.sort_values("at", key=lambda words: words.map(order), ignore_index=True)
    table["gain"] = table[WITH_GAIN] - table[WITHOUT_GAIN]
    best = highest(table, WITHOUT_GAIN)
    over = (best[WITHOUT_GAIN] - table[WITHOUT_GAIN] >= TOO_MUCH) & (table["gain"] - best["gain"] >= TOO_MUCH)
    table["over"] = over.astype("boolean")
    return table.rename(columns={"x": x})[["at", x, WITH_GAIN, WITHOUT_GAIN, "gain", "clips", "over"]]


def plot_needle(data: Data, x: str = "SharpenLevel", ax: Axes | None = None) -> Axes:
    """Draw VMAF and VMAF-NEG over `x` with the gap between them filled, and return the axes.

    The best value of each is marked. Where the two differ, VMAF prefers over-sharpening.
    """
    data = once(data)
    df = frame_of(data)
    x = resolve_column(df, x)
    table = compute_needle(data, x)
    axes = axes_or_new(ax, width_in=8.2)
    places = list(range(len(table)))
    for number_of, (name, title) in enumerate((one, SCORE[one].label) for one in (WITH_GAIN, WITHOUT_GAIN)):
        values = floats(table[name])
        axes.plot(
            places,
            values,
            color=COLORS[number_of],
            marker=MARKERS[number_of],
            linestyle=LINES[number_of],
            label=title,
        )
        best = max(places, key=lambda place, v=values: v[place])  # type: ignore[misc]  # bound at once
        # At the ends the label points inwards, away from the axis, and is placed above a falling line.
        has_room = table["gain"].iloc[best] > 0.15 * (table[WITH_GAIN].max() - table[WITHOUT_GAIN].min())
        side = 12 if number_of == 0 or (has_room and best in (0, places[-1])) else -18
        inwards = "center" if len(places) == 1 else {0: "left", places[-1]: "right"}.get(best, "center")
        axes.annotate(f"best {title}", (best, values[best]), xytext=(0, side), textcoords="offset points", ha=inwards,
                      fontsize="small", color=COLORS[number_of])  # fmt: skip
    low, high = floats(table[WITHOUT_GAIN]), floats(table[WITH_GAIN])
    axes.fill_between(
        places, low, high, color=COLORS[1], alpha=0.12, linewidth=0, label="gain that VMAF-NEG leaves out"
    )
    below = [
        f"{gain:+.1f}{' !' if is_over else ''}" for gain, is_over in zip(table["gain"], table["over"], strict=True)
    ]
    axes.set_xticks(places, [f"{word}\n{gain}" for word, gain in zip(table["at"], below, strict=True)])
    axes.margins(x=0.08, y=0.18)
    axes.set_xlabel(f"{label(x)}\nbelow it: VMAF minus VMAF-NEG; ! over-sharpened")
    axes.set_ylabel(f"{SCORE[WITH_GAIN].label}, {SCORE[WITHOUT_GAIN].label} [{SCORE[WITH_GAIN].range}]")
    axes.grid(visible=True, axis="y", alpha=0.3)
    legend_aside(axes)
    return described(axes, describe_needle(data, x))


def describe_needle(data: Data, x: str = "SharpenLevel") -> str:
    """Return in one sentence where VMAF and VMAF-NEG are best, and their largest difference."""
    table = compute_needle(data, x)
    special = {LEFT_OUT: "when left out", AUTO: "at AUTO"}
    best, neg = (str(highest(table, name)["at"]) for name in (WITH_GAIN, WITHOUT_GAIN))
    most = highest(table, "gain")
    over = list(table.loc[table["over"], "at"])
    tail = f"; over-sharpened at {', '.join(over)}" if over else "; nowhere over-sharpened"
    return (
        f"Over {resolve_column(frame_of(data), x)}, VMAF is best {special.get(best, f'at {best}')} and VMAF-NEG "
        f"{special.get(neg, f'at {neg}')}; they differ by up to {number(float(most['gain']))} points "
        f"({special.get(str(most['at']), 'at ' + str(most['at']))}){tail}."
    )
