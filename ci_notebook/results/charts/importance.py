"""Importance: how much of what a score did is each parameter's doing."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from ci_notebook.results.charts.style import (
    COLORS,
    Data,
    axes_or_new,
    described,
    floats,
    frame_of,
    number_column,
    once,
)
from ci_notebook.results.dataframe import unit_of
from ci_notebook.results.labels import in_words, number, short_name, varying

REST = "together, and the rest"


def compute_importance(data: Data, on: str) -> pd.DataFrame:
    """Return a row a parameter that varies, greatest first: `parameter`, `share`, `span`, `values`.

    `share` is the part (in %) of the variance of `on` within clips that goes with the parameter by
    itself (eta squared); `span` the distance between its best and its worst value's mean, in the unit
    of `on`. The last row, without span, is what parameters do together, and chance. Shares of
    parameters that were not varied independently of each other overlap, and can add up to more than 100.
    """
    df = frame_of(data)
    on = number_column(df, on, "on")
    df = df[df[on].notna()]
    within = df[on].astype(float) - df.groupby(df["clip"].fillna(""))[on].transform("mean").astype(float)
    total = float((within**2).sum())
    rows: list[tuple[str, float, float | None, int | None]] = []
    for name in varying(df):
        words = in_words(df, name)
        means = within.groupby(words).mean()
        share = 100 * float((within.groupby(words).transform("mean") ** 2).sum()) / total if total else 0.0
        rows.append((name, share, float(means.max() - means.min()), int(means.size)))
    rows.sort(key=lambda row: -row[1])
    if rows:
        rows.append((REST, max(0.0, 100 - sum(row[1] for row in rows)) if total else 0.0, None, None))
    made = pd.DataFrame(rows, columns=["parameter", "share", "span", "values"])
    return made.astype({"parameter": "string", "share": "Float64", "span": "Float64", "values": "Int64"})


def plot_importance(data: Data, on: str, ax: Axes | None = None) -> Axes:
    """Draw each parameter's share of the variance of `on` as a bar, its span beside it, and return the axes."""
    data = once(data)
    df = frame_of(data)
    on = number_column(df, on, "on")
    made = compute_importance(data, on)
    axes = axes_or_new(ax, height_in=1.6 + 0.45 * len(made))
    shares = floats(made["share"])
    rest = [name == REST for name in made["parameter"]]
    places = list(range(len(made)))
    axes.barh(places, shares, color=["0.75" if is_rest else COLORS[0] for is_rest in rest], height=0.65)
    unit = f" {unit_of(on)}" if unit_of(on) else ""
    for place, share, span in zip(places, shares, made["span"], strict=True):
        tail = "" if pd.isna(span) else f"  (span {number(float(span))}{unit})"
        axes.text(share + 1, place, f"{number(share, 2)} %{tail}", va="center", fontsize="small")
    axes.set_yticks(places, [name if name == REST else name.replace(".", ".\n") for name in made["parameter"]])
    axes.invert_yaxis()
    axes.set_xlim(0, max([100.0, *shares]) * 1.3)
    axes.set_xticks([0, 20, 40, 60, 80, 100])
    axes.set_xlabel(f"share of the variance of {on} within clips [%]")
    return described(axes, describe_importance(data, on))


def describe_importance(data: Data, on: str) -> str:
    """Return in one sentence which parameter mattered most."""
    made = compute_importance(data, on)
    if made.empty or not made["share"].sum():
        return f"Nothing that varies in these runs moved {on}."
    own = made[made["parameter"] != REST]
    names = list(own["parameter"])
    shares = [
        f"{short_name(name, names)} {number(float(share), 2)} %"
        for name, share in zip(names, own["share"], strict=True)
    ]
    rest = float(made["share"].iloc[-1])
    return (
        f"Of the variance of {on} within clips, {', '.join(shares[:6])} go with one parameter alone; "
        f"{number(rest, 2)} % is the rest."
    )
