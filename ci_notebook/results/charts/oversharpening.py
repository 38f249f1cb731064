"""The needle of over-sharpening: what VMAF owes to enhancement gain, which VMAF-NEG does not pay.

VMAF rewards sharpening beyond what the source holds; VMAF-NEG caps the reward. Where VMAF still
rises and VMAF-NEG falls, sharpening adds what was never there.
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
    """Return a row a value of `x`: `at` in words, `x`, `vmaf`, `vmaf_neg`, `gain` (their difference), `clips`, `over`.

    Means over clips of the means within a clip. `over` is true where VMAF-NEG is 2 points or
    more below its best, and the gain that much above what it is there. Raises `ParameterError` without both scores.
    """
    df = frame_of(data)
    x = resolve_column(df, x)
    used = pd.DataFrame({
        "at": in_words(df, x), "x": df[x], "clip": df["clip"].fillna(""),
        "vmaf": df["vmaf"], "vmaf_neg": df["vmaf_neg"],
    }).dropna(subset=["vmaf", "vmaf_neg"])  # fmt: skip
    if used.empty:
        raise ParameterError("data", "runs without scores", "runs that have vmaf and vmaf_neg")
    columns = {name: (name, "mean") for name in ("vmaf", "vmaf_neg")}
    by_clip = used.groupby(["at", "clip"], sort=False).agg(x=("x", "first"), **columns).reset_index()
    made = by_clip.groupby("at", sort=False).agg(x=("x", "first"), **columns, clips=("clip", "size")).reset_index()
    order = {word: place for place, word in enumerate(all_words(df, x))}
    made = made.sort_values("at", key=lambda words: words.map(order), ignore_index=True)
    made["gain"] = made["vmaf"] - made["vmaf_neg"]
    best = highest(made, "vmaf_neg")
    over = (best["vmaf_neg"] - made["vmaf_neg"] >= TOO_MUCH) & (made["gain"] - best["gain"] >= TOO_MUCH)
    made["over"] = over.astype("boolean")
    return made.rename(columns={"x": x})[["at", x, "vmaf", "vmaf_neg", "gain", "clips", "over"]]


def plot_needle(data: Data, x: str = "SharpenLevel", ax: Axes | None = None) -> Axes:
    """Draw VMAF and VMAF-NEG over `x` with the gap between them filled, and return the axes.

    Each one's best value is marked: where the two disagree, VMAF asks for over-sharpening.
    """
    data = once(data)
    df = frame_of(data)
    x = resolve_column(df, x)
    made = compute_needle(data, x)
    axes = axes_or_new(ax, width_in=8.2)
    places = list(range(len(made)))
    for number_of, (name, shown) in enumerate((("vmaf", "VMAF"), ("vmaf_neg", "VMAF-NEG"))):
        values = floats(made[name])
        axes.plot(
            places, values, color=COLORS[number_of], marker=MARKERS[number_of], linestyle=LINES[number_of], label=shown
        )
        best = max(places, key=lambda place, v=values: v[place])  # type: ignore[misc]  # bound at once
        # At the ends the words go inwards, where no axis crosses them, and over the line that falls from there.
        has_room = made["gain"].iloc[best] > 0.15 * (made["vmaf"].max() - made["vmaf_neg"].min())
        side = 12 if number_of == 0 or (has_room and best in (0, places[-1])) else -18
        inwards = "center" if len(places) == 1 else {0: "left", places[-1]: "right"}.get(best, "center")
        axes.annotate(f"best {shown}", (best, values[best]), xytext=(0, side), textcoords="offset points", ha=inwards,
                      fontsize="small", color=COLORS[number_of])  # fmt: skip
    axes.fill_between(places, floats(made["vmaf_neg"]), floats(made["vmaf"]), color=COLORS[1], alpha=0.12, linewidth=0,
                      label="gain that NEG does not pay")  # fmt: skip
    below = [f"{gain:+.1f}{' !' if is_over else ''}" for gain, is_over in zip(made["gain"], made["over"], strict=True)]
    axes.set_xticks(places, [f"{word}\n{gain}" for word, gain in zip(made["at"], below, strict=True)])
    axes.margins(x=0.08, y=0.18)
    axes.set_xlabel(f"{label(x)}\nbelow it: VMAF minus VMAF-NEG; ! over-sharpened")
    axes.set_ylabel("VMAF, VMAF-NEG [0 to 100]")
    axes.grid(visible=True, axis="y", alpha=0.3)
    legend_aside(axes)
    return described(axes, describe_needle(data, x))


def describe_needle(data: Data, x: str = "SharpenLevel") -> str:
    """Return in one sentence where VMAF and VMAF-NEG are best and how far they part."""
    made = compute_needle(data, x)
    said = {LEFT_OUT: "when left out", AUTO: "at AUTO"}
    best, neg = (str(highest(made, name)["at"]) for name in ("vmaf", "vmaf_neg"))
    most = highest(made, "gain")
    over = list(made.loc[made["over"], "at"])
    tail = f"; over-sharpened at {', '.join(over)}" if over else "; nowhere over-sharpened"
    return (
        f"Over {resolve_column(frame_of(data), x)}, VMAF is best {said.get(best, f'at {best}')} and VMAF-NEG "
        f"{said.get(neg, f'at {neg}')}; they part by up to {number(float(most['gain']))} points "
        f"({said.get(str(most['at']), 'at ' + str(most['at']))}){tail}."
    )
