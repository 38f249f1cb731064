"""Cost against gain: how much each setting adds to a score, and its price."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from ci_notebook.model.scores import scale_of
from ci_notebook.results.charts.pareto import front_of
from ci_notebook.results.charts.style import (
    COLORS,
    MARKERS,
    Data,
    axes_or_new,
    described,
    floats,
    frame_of,
    label,
    legend_aside,
    number_column,
    numbered,
    once,
    score_or_default,
)
from ci_notebook.results.dataframe import unit_of
from ci_notebook.results.labels import count, number, setting_labels


def compute_gain(data: Data, on: str | None = None, cost: str = "cost_cny") -> pd.DataFrame:
    """Return one row per setting, cheapest first: `setting`, `cost`, `gain`, `clips`, `pays`.

    `cost` is the mean over clips. `gain` is the mean of `on` minus that of the cheapest setting, with its sign
    such that more is better. `pays` is true when no setting that is as cheap gains as much. Settings that were
    not scored on every clip are left out.
    """
    df = frame_of(data)
    on, _ = score_or_default(df, on)
    on, cost = number_column(df, on, "on"), number_column(df, cost, "cost")
    used = pd.DataFrame({"setting": setting_labels(df), "clip": df["clip"].fillna("")})
    used[cost], used["score"] = df[cost].astype("Float64"), df[on].astype("Float64") * scale_of(on).sign
    used = used.dropna()
    means = used.groupby("setting", sort=False).agg(
        **{cost: (cost, "mean"), "score": ("score", "mean"), "clips": ("clip", "nunique")}
    )
    means = means[means["clips"] == used["clip"].nunique()].reset_index()
    means = means.sort_values(cost, kind="stable", ignore_index=True)
    means["gain"] = means["score"] - means["score"].iloc[0] if len(means) else means["score"]
    means["pays"] = pd.array(front_of(floats(means[cost]), floats(means["gain"])), dtype="boolean")
    return means[["setting", cost, "gain", "clips", "pays"]]


def plot_gain(data: Data, on: str | None = None, cost: str = "cost_cny", ax: Axes | None = None) -> Axes:
    """Draw the gain of each setting over its cost, those that pay filled and named, and return the axes."""
    data = once(data)
    df = frame_of(data)
    on, note = score_or_default(df, on)
    on, cost = number_column(df, on, "on"), number_column(df, cost, "cost")
    table = compute_gain(data, on, cost)
    axes = axes_or_new(ax, width_in=8.2)
    for number_of, (pays, name) in enumerate(((True, "pays"), (False, "does not"))):
        part = table[table["pays"] == pays]
        axes.plot(floats(part[cost]), floats(part["gain"]), linestyle="none", marker=MARKERS[number_of], markersize=8,
                  color=COLORS[number_of], fillstyle="full" if pays else "none", label=name)  # fmt: skip
    pay = table[table["pays"]]
    words = [str(setting).replace(", ", ",\n") for setting in pay["setting"]]
    names = numbered(axes, zip(floats(pay[cost]), floats(pay["gain"]), words, strict=True))
    axes.axhline(0, color="0.5", linewidth=1, zorder=0)
    axes.margins(x=0.08, y=0.12)
    axes.set_xlabel(f"{label(cost)}, mean per clip")
    unit = f" [{unit_of(on)}]" if unit_of(on) else ""
    axes.set_ylabel(f"gain in {on}{unit} over the cheapest")
    axes.grid(visible=True, alpha=0.3)
    axes.set_title("filled: pays; hollow: another gains as much for as little", fontsize="medium", loc="left")
    legend_aside(axes, more=names)
    return described(axes, describe_gain(data, on, cost) + note)


def describe_gain(data: Data, on: str | None = None, cost: str = "cost_cny") -> str:
    """Return in one sentence which settings pay, with gain and cost."""
    df = frame_of(data)
    on, note = score_or_default(df, on)
    on, cost = number_column(df, on, "on"), number_column(df, cost, "cost")
    table = compute_gain(df, on, cost)
    if table.empty:
        return f"No setting has both {on} and {cost} on every clip."
    pays = table[table["pays"]]
    unit, money = (f" {unit_of(name)}" if unit_of(name) else "" for name in (on, cost))
    entries = [
        f"{row['setting']} ({float(row['gain']):+.3g}{unit} for {number(float(row[cost]))}{money})"
        for _, row in pays.head(5).iterrows()
    ]
    counted = f"{len(pays)} of {count(len(table), 'setting')} pay"
    return f"Gain in {on} against {cost} per clip: {counted}: {'; '.join(entries)}.{note}"
