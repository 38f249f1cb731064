"""Interaction: a score over two parameters at once, as a heat map."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from ci_notebook.model.errors import ParameterError
from ci_notebook.results.charts.style import (
    SCALE,
    Data,
    axes_or_new,
    described,
    frame_of,
    highest,
    label,
    number_column,
    once,
)
from ci_notebook.results.dataframe import resolve_column, unit_of
from ci_notebook.results.labels import all_words, in_words, number, short_name


def compute_interaction(data: Data, x: str, y: str, on: str) -> pd.DataFrame:
    """Return the mean of `on` at every pair of values of `x` and `y`.

    One row a pair that occurs: `x` and `y` in words, named by their columns, `on` (the mean over
    clips of the means within a clip), `clips` and `runs`. Raises `ParameterError` for names that are not there.
    """
    df = frame_of(data)
    x, y, on = resolve_column(df, x), resolve_column(df, y), number_column(df, on, "on")
    if len({x, y, on}) < 3:
        raise ParameterError("x, y and on", x, "different columns")
    used = pd.DataFrame({"x": in_words(df, x), "y": in_words(df, y), on: df[on].astype("Float64")})
    used["clip"] = df["clip"].fillna("")
    used = used[used[on].notna()]
    clips = used.groupby(["x", "y", "clip"], sort=False).agg(**{on: (on, "mean"), "runs": (on, "size")}).reset_index()
    means = clips.groupby(["x", "y"], sort=False).agg(
        **{on: (on, "mean"), "clips": ("clip", "size"), "runs": ("runs", "sum")}
    )
    made = means.reset_index()
    for name, path in (("x", x), ("y", y)):
        made[name] = pd.Categorical(made[name], [w for w in all_words(df, path) if w in set(made[name])], ordered=True)
    return made.sort_values(["y", "x"], ignore_index=True).rename(columns={"x": x, "y": y})


def plot_interaction(data: Data, x: str, y: str, on: str, ax: Axes | None = None) -> Axes:
    """Draw `on` as the colour and number of every pair of values of `x` and `y`, and return the axes."""
    data = once(data)
    df = frame_of(data)
    x, y, on = resolve_column(df, x), resolve_column(df, y), resolve_column(df, on)
    made = compute_interaction(data, x, y, on)
    table = made.pivot_table(index=y, columns=x, values=on, observed=False)
    rows, columns = table.shape
    axes = axes_or_new(ax, width_in=min(9.0, 3.2 + 0.9 * columns), height_in=min(8.0, 1.8 + 0.6 * rows))
    if not made.empty:
        values = table.to_numpy(dtype=float, na_value=float("nan"))
        norm = Normalize(float(made[on].min()), float(made[on].max()))
        mesh = axes.pcolormesh(values, cmap=SCALE, norm=norm, edgecolors="white", linewidth=2)
        for row in range(rows):
            for column in range(columns):
                value = values[row, column]
                said = number(value) if value == value else "–"  # noqa: PLR0124 - what is not a number is not itself
                dark = value == value and norm(value) < 0.55  # noqa: PLR0124
                axes.text(column + 0.5, row + 0.5, said, ha="center", va="center", color="white" if dark else "black")
        figure = axes.get_figure(root=True)
        if figure is not None:
            figure.colorbar(mesh, ax=axes, label=label(on))
        axes.set_xticks([at + 0.5 for at in range(columns)], list(map(str, table.columns)))
        axes.set_yticks([at + 0.5 for at in range(rows)], list(map(str, table.index)))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel(label(x))
    axes.set_ylabel(label(y).replace(".", ".\n", 1))
    return described(axes, describe_interaction(data, x, y, on))


def describe_interaction(data: Data, x: str, y: str, on: str) -> str:
    """Return in one sentence what `plot_interaction` shows: its ends, and how far the parameters act together."""
    df = frame_of(data)
    x, y, on = resolve_column(df, x), resolve_column(df, y), resolve_column(df, on)
    made = compute_interaction(df, x, y, on)
    if made.empty:
        return f"No run has a {on} to show over {x} and {y}."
    unit = f" {unit_of(on)}" if unit_of(on) else ""
    most, least = highest(made, on), highest(made, on, -1)

    def at(row: pd.Series[Any]) -> str:
        return f"{number(float(row[on]))}{unit} at {short_name(x)} {row[x]} and {short_name(y)} {row[y]}"

    return f"{on} over {x} and {y}: from {at(least)} to {at(most)}{_together(made, x, y, on, unit)}."


def _together(made: pd.DataFrame, x: str, y: str, on: str, unit: str) -> str:
    """Say by how much the pairs are off the sum of their two effects; only a full table can tell."""
    table = made.pivot_table(index=y, columns=x, values=on, observed=True).astype("Float64")
    if min(table.shape) < 2 or table.isna().any(axis=None):
        return ""
    values = table.to_numpy(dtype=float)
    rest = values - values.mean(axis=0, keepdims=True) - values.mean(axis=1, keepdims=True) + values.mean()
    most = number(float(abs(rest).max()))
    return f"; what the two do together, beyond the sum of their effects, is at most {most}{unit}"
