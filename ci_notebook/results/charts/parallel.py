"""Parallel coordinates: every run as a line over the varied parameters and the results."""

from __future__ import annotations

import itertools
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from pandas.api import types

from ci_notebook.results.charts.style import (
    SCALE,
    Data,
    axes_or_new,
    described,
    floats,
    frame_of,
    highest,
    label,
    number_column,
    once,
    score_or_default,
)
from ci_notebook.results.dataframe import resolve_column, unit_of
from ci_notebook.results.labels import all_words, count, in_words, number, setting_labels, varying


def compute_parallel(data: Data, *names: str, on: str | None = None) -> pd.DataFrame:
    """Return one row per run and axis: `run` (its row), `axis`, `value` in words, `place` from 0 to 1, and `on`.

    `names` are the axes, left to right; by default the varied parameters, then `size_bytes` and `on`. Numbers
    are placed on a scale from least to most, other values evenly in their order. Runs without `on` are left out.
    """
    df = frame_of(data)
    on, _ = score_or_default(df, on)
    on = number_column(df, on, "on")
    df = df[df[on].notna()].reset_index(drop=True)
    axes = [resolve_column(df, name) for name in names] or [*varying(df), "size_bytes", on]
    parts = []
    for name in axes:
        if df[name].isna().all() and name not in varying(df):
            continue
        parts.append(pd.DataFrame({
            "run": range(len(df)), "axis": name, "value": in_words(df, name), "place": _places(df, name), on: df[on],
        }))  # fmt: skip
    empty = pd.DataFrame({"run": [], "axis": [], "value": [], "place": [], on: []})
    table = pd.concat(parts, ignore_index=True) if parts else empty
    return table.astype({"run": "Int64", "axis": "string", "value": "string", "place": "Float64", on: "Float64"})


def plot_parallel(data: Data, *names: str, on: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw every run as a line over its values, coloured by `on`, the best one thick, and return the axes."""
    data = once(data)
    df = frame_of(data)
    on, note = score_or_default(df, on)
    on = resolve_column(df, on)
    table = compute_parallel(data, *names, on=on)
    axis_names = list(dict.fromkeys(table["axis"]))
    axes = axes_or_new(ax, width_in=max(5.5, min(10.0, 1.7 * len(axis_names) + 1.5)))
    norm = Normalize(float(table[on].min()), float(table[on].max())) if len(table) else Normalize(0, 1)
    colors = mpl.colormaps[SCALE]
    best = _best(table, on)
    for run, part in table.groupby("run", sort=False):
        value, is_best = float(part[on].iloc[0]), int(str(run)) == best
        at = [axis_names.index(name) for name in part["axis"]]
        axes.plot(at, floats(part["place"]), color=colors(norm(value)), linewidth=3 if is_best else 1.2,
                  marker="o" if is_best else None, zorder=3 if is_best else 2)  # fmt: skip
    for place, name in enumerate(axis_names):
        axes.axvline(place, color="0.3", linewidth=1, zorder=1)
        _ticks(axes, place, table[table["axis"] == name])
    axes.set_xticks(
        range(len(axis_names)), [label(name).replace(".", ".\n").replace(" [", "\n[") for name in axis_names]
    )
    axes.set_yticks([])
    axes.set_xlim(-0.25, len(axis_names) - 0.55 if axis_names else 1)
    axes.spines[:].set_visible(False)
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.colorbar(ScalarMappable(norm, SCALE), ax=axes, label=label(on))
    return described(axes, describe_parallel(data, *names, on=on) + note)


def describe_parallel(data: Data, *names: str, on: str | None = None) -> str:
    """Return in one sentence how many runs are shown, over which axes, and which is the best by `on`."""
    df = frame_of(data)
    on, note = score_or_default(df, on)
    on = resolve_column(df, on)
    table = compute_parallel(df, *names, on=on)
    if table.empty:
        return f"No run has a {on} to show."
    scored = df[df[on].notna()].reset_index(drop=True)
    best = _best(table, on)
    unit = f" {unit_of(on)}" if unit_of(on) else ""
    setting, clip = setting_labels(scored).iloc[best], scored["clip"].fillna("the clip").iloc[best]
    return (
        f"{count(table['run'].nunique(), 'run')} over {', '.join(dict.fromkeys(table['axis']))}; the highest {on}, "
        f"{number(float(scored[on].iloc[best]))}{unit}, has {setting} on {clip}.{note}"
    )


def _best(table: pd.DataFrame, on: str) -> int:
    return int(highest(table, on)["run"]) if len(table) else -1


def _places(df: pd.DataFrame, name: str) -> Any:
    """Return where each row crosses an axis, from 0 at the bottom to 1; a missing value is below the scale."""
    if types.is_numeric_dtype(df[name]) and not types.is_bool_dtype(df[name]):
        values = df[name].astype(float).to_numpy()
        low, high = np.nanmin(values), np.nanmax(values)
        bottom = 0.15 if np.isnan(values).any() else 0.0
        scaled = bottom + (1 - bottom) * (values - low) / ((high - low) or 1.0)
        return np.where(np.isnan(values), 0.0, scaled)
    words = in_words(df, name)
    present = [word for word in all_words(df, name) if word in set(words)]
    return words.map({word: place / max(1, len(present) - 1) for place, word in enumerate(present)}).astype(float)


def _ticks(axes: Axes, place: int, part: pd.DataFrame) -> None:
    """Label the values of an axis: all where they are few, else the ends."""
    ticks = part.drop_duplicates("value").sort_values("place")
    named = ticks if len(ticks) <= 7 else ticks.iloc[[0, -1]]
    labelled = [row for _, row in named.iterrows()]
    crowded = any(float(b["place"]) - float(a["place"]) < 0.045 for a, b in itertools.pairwise(labelled))
    box = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1}
    for row in [labelled[0], labelled[-1]] if crowded else labelled:
        words = _rounded(str(row["value"]))
        axes.annotate(words, (place, float(row["place"])), xytext=(4, 0), textcoords="offset points", fontsize="small",
                      va="center", bbox=box, zorder=4)  # fmt: skip


def _rounded(word: str) -> str:
    try:
        return number(float(word), 4)
    except ValueError:
        return word
