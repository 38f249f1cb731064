"""Quality against size: the settings that no other one beats in both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ci_notebook.model.scores import scale_of
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
    series_name,
)
from ci_notebook.results.dataframe import resolve_column, unit_of
from ci_notebook.results.labels import count, in_words, number, setting_labels, short_name


def compute_pareto(
    data: Data, quality: str | None = None, size: str = "size_bytes", hue: str | None = None
) -> pd.DataFrame:
    """Return one row per setting: `setting` in words, `hue`, `size` and `quality` as means over clips, `on_front`.

    A setting is on the front when no other one is at least as good in both and better in one. Only settings that
    were scored on every clip count, since a mean over the easy clips would be too good.
    """
    df = frame_of(data)
    quality, _ = score_or_default(df, quality)
    quality, size = number_column(df, quality, "quality"), number_column(df, size, "size")
    hue = resolve_column(df, hue) if hue else None
    used = pd.DataFrame({"setting": setting_labels(df), "clip": df["clip"].fillna("")})
    used["hue"] = in_words(df, hue) if hue else ""
    used[size], used[quality] = df[size].astype("Float64"), df[quality].astype("Float64")
    used = used.dropna(subset=[size, quality])
    columns: dict[str, Any] = {"clips": ("clip", "nunique"), size: (size, "mean"), quality: (quality, "mean")}
    means = used.groupby(["hue", "setting"], sort=False).agg(**columns).reset_index()
    if hue != "clip":
        means = means[means["clips"] == used["clip"].nunique()]
    qualities = [scale_of(quality).sign * value for value in floats(means[quality])]
    means["on_front"] = pd.array(front_of(floats(means[size]), qualities), dtype="boolean")
    means = means.sort_values(size, ignore_index=True).rename(columns={"hue": hue} if hue else {})
    table: pd.DataFrame = means[["setting", *([hue] if hue else []), size, quality, "clips", "on_front"]]
    return table


def plot_pareto(
    data: Data,
    quality: str | None = None,
    size: str = "size_bytes",
    hue: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw quality over size, the settings on the front filled, joined and named, and return the axes."""
    data = once(data)
    df = frame_of(data)
    quality, note = score_or_default(df, quality)
    quality, size = resolve_column(df, quality), resolve_column(df, size)
    hue = resolve_column(df, hue) if hue else None
    table = compute_pareto(data, quality, size, hue)
    axes = axes_or_new(ax, width_in=8.2)
    front = table[table["on_front"]]
    axes.plot(floats(front[size]), floats(front[quality]), color="0.6", linewidth=1.5, zorder=1, label="front")
    series = (
        [("settings", table)] if hue is None else [(str(name), part) for name, part in table.groupby(hue, sort=False)]
    )
    for place, (value, part) in enumerate(series):
        name = series_name(value)
        color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
        look: dict[str, Any] = {"color": color, "marker": marker, "linestyle": "none", "markersize": 7}
        best, beaten = part[part["on_front"]], part[~part["on_front"]]
        axes.plot(
            floats(best[size]), floats(best[quality]), **look, label=name if len(best) else "_nolegend_", zorder=3
        )
        hollow = "_nolegend_" if len(best) else name
        axes.plot(floats(beaten[size]), floats(beaten[quality]), **look, fillstyle="none", label=hollow, zorder=2)
    names = numbered(axes, zip(floats(front[size]), floats(front[quality]), map(_lines, front["setting"]), strict=True))
    axes.margins(x=0.1, y=0.1)
    axes.set_xlabel(label(size))
    axes.set_ylabel(label(quality))
    axes.grid(visible=True, alpha=0.3)
    axes.set_title("filled: on the front; hollow: beaten by another", fontsize="medium", loc="left")
    legend_aside(axes, short_name(hue) if hue else None, names)
    return described(axes, describe_pareto(data, quality, size, hue) + note)


def describe_pareto(data: Data, quality: str | None = None, size: str = "size_bytes", hue: str | None = None) -> str:
    """Return in one sentence which settings are on the front."""
    df = frame_of(data)
    quality, note = score_or_default(df, quality)
    quality, size = resolve_column(df, quality), resolve_column(df, size)
    table = compute_pareto(df, quality, size, hue)
    if table.empty:
        return f"No setting has both {quality} and {size} on every clip."
    front, unit = table[table["on_front"]], f" {unit_of(size)}" if unit_of(size) else ""
    entries = [
        f"{row['setting']} ({number(float(row[quality]))} at {number(float(row[size]))}{unit})"
        for _, row in front.head(5).iterrows()
    ]
    more = f" and {len(front) - 5} more" if len(front) > 5 else ""
    counted = f"{len(front)} of {count(len(table), 'setting')} on the front"
    return f"{quality} over {size}: {counted}: {'; '.join(entries)}{more}.{note}"


def _lines(setting: object) -> str:
    return str(setting).replace(", ", ",\n")


def front_of(sizes: list[float], qualities: list[float]) -> list[bool]:
    """Return for each point whether no other one is as small and as good, and better in one of both."""
    size, quality = np.array(sizes), np.array(qualities)
    return [
        not bool(np.any((size <= s) & (quality >= q) & ((size < s) | (quality > q))))
        for s, q in zip(sizes, qualities, strict=True)
    ]
