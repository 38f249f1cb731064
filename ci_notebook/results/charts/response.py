"""The response curve: how a score depends on a parameter."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from pandas.api import types

from ci_notebook.model.errors import ParameterError
from ci_notebook.results.charts.intervals import over_clips, over_frames
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
    runs_of,
    score_or_default,
    series_name,
)
from ci_notebook.results.dataframe import resolve_column, unit_of
from ci_notebook.results.labels import AUTO, LEFT_OUT, count, in_words, number, order_of, varying, word_of
from ci_notebook.results.verdict.run_pairs import values_per_frame

_NAMED: Final = {
    "range": "their range",
    "clips": "95 % interval within clips",
    "pictures": "95 % interval over pictures",
}


def compute_response(data: Data, x: str, y: str | None = None, hue: str | None = None) -> pd.DataFrame:
    """Return the mean of `y` at each value of `x`, for each value of `hue`.

    `data` are runs or their table; `x`, `y` and `hue` are columns of the table, or unambiguous endings of setting
    columns. Columns of the result: `x` as in the table, missing where it was left out; `at`, the same in words
    (`left out`, `AUTO`); `hue` in words, if given; `y`, the mean over clips of the means within a clip; `low` and
    `high`, and `interval`, which says what they are; `clips` and `runs`, their numbers. Runs without `y` do not
    count.

    `interval` is `clips` or `pictures` for a 95 % interval over clips, or over the sampled frames of one clip (only
    with runs: a table has no values per frame), where the level of each is subtracted; `range` for the lowest and the
    highest mean of a clip, where clips are too few for an interval; and empty without either, as for one clip whose
    frames were all scored.

    Raises `ParameterError` for an unknown name and for a `y` without numbers.
    """
    data = once(data)
    df = frame_of(data).reset_index(drop=True)
    y, _ = score_or_default(df, y)
    x, y = resolve_column(df, x), number_column(df, y, "y")
    hue = resolve_column(df, hue) if hue is not None else None
    if x == y or hue in (x, y):
        raise ParameterError.plain(f"x={x!r}, y={y!r} and hue={hue!r} must be different columns.")
    keys = ["at"] if hue is None else ["hue", "at"]
    used = pd.DataFrame(
        {"x": df[x], "at": in_words(df, x), "y": df[y].astype("Float64"), "clip": df["clip"].fillna("")}
    )
    if hue is not None:
        used["hue"] = in_words(df, hue)
    used = used[used["y"].notna()]
    clips = used.groupby([*keys, "clip"], observed=True, sort=False).agg(
        x=("x", "first"), y=("y", "mean"), runs=("y", "size")
    )
    means = clips.groupby(keys, observed=True, sort=False).agg(
        x=("x", "first"), y=("y", "mean"), clips=("y", "size"), runs=("runs", "sum")
    )
    kind, ends = _interval(data, used, clips.reset_index(), keys, y)
    means["interval"] = kind
    for place, name in enumerate(("low", "high")):
        means[name] = pd.array([ends[key][place] if key in ends else None for key in means.index], dtype="Float64")
    means = means.reset_index().rename(columns={"x": x, "y": y, **({"hue": hue} if hue else {})})
    means["x_order"] = order_of(df, x, means["at"])
    means["hue_order"] = order_of(df, hue, means[hue]) if hue else 0
    means = means.sort_values(["hue_order", "x_order"], ignore_index=True)
    return means[[x, "at", *([hue] if hue else []), y, "low", "high", "interval", "clips", "runs"]]


def _interval(
    data: Data, used: pd.DataFrame, clips: pd.DataFrame, keys: list[str], y: str
) -> tuple[str, dict[Hashable, tuple[float, float]]]:
    """Return the kind of the intervals, and the ends of each point."""
    if clips["clip"].nunique() > 1:
        points = {key: dict(zip(part["clip"], part["y"], strict=True)) for key, part in _by(clips, keys)}
        return over_clips(points)
    runs = runs_of(data)
    if all(runs[at].every <= 1 for at in used.index if runs):  # all frames were scored: the means are known
        return "", {}
    return over_frames({key: [values_per_frame(runs[at], y) for at in part.index] for key, part in _by(used, keys)})


def _by(table: pd.DataFrame, keys: list[str]) -> list[tuple[Hashable, pd.DataFrame]]:
    return list(table.groupby(keys[0] if len(keys) == 1 else keys, observed=True, sort=False))


def plot_response(data: Data, x: str, y: str | None = None, hue: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how `y` depends on `x`, a line for each value of `hue`, and return the axes.

    With several clips a line is their mean; the title names the band. Runs that leave `x` out, or leave it to the
    service, are drawn apart at the left, since they have no place on the scale. Without `ax` new axes are table,
    which a notebook shows with their description. Arguments and errors are those of `compute_response`.
    """
    rows_or_runs = once(data)
    df = frame_of(rows_or_runs)
    y, note = score_or_default(df, y)
    table = compute_response(rows_or_runs, x, y, hue)
    x, y = resolve_column(df, x), resolve_column(df, y)
    hue = resolve_column(df, hue) if hue is not None else None
    axes = axes_or_new(ax)
    place = _places(table, x)
    series = [("", table)] if hue is None else [(str(name), part) for name, part in table.groupby(hue, sort=False)]
    for place_of, (name, part) in enumerate(series):
        aside = 0.0 if _is_scale(table, x) else 0.08 * (place_of - (len(series) - 1) / 2)
        _draw(axes, part.assign(place=part["at"].map(place).astype(float) + aside), _Series(x, y, name, place_of))
    _scale(axes, table, x, place)
    axes.set_xlabel(label(x))
    axes.set_ylabel(label(y))
    axes.grid(visible=True, axis="y", alpha=0.3)
    if hue is not None:
        legend_aside(axes, label(hue).replace(".", ".\n"))
    if table["low"].notna().any():
        shape, clips = "band" if _is_scale(table, x) else "bar", int(table["clips"].max())
        mean = f"mean of {clips} clips; " if clips > 1 else ""
        axes.set_title(f"{mean}{shape}: {_NAMED[table['interval'].iloc[0]]}", fontsize="medium", loc="left")
    return described(axes, describe_response(rows_or_runs, x, y, hue) + note)


def describe_response(data: Data, x: str, y: str | None = None, hue: str | None = None) -> str:
    """Return in one sentence what `plot_response` shows, numbers rounded to three digits."""
    rows_or_runs = once(data)
    df = frame_of(rows_or_runs)
    y, note = score_or_default(df, y)
    table = compute_response(rows_or_runs, x, y, hue)
    x, y = resolve_column(df, x), resolve_column(df, y)
    hue = resolve_column(df, hue) if hue is not None else None
    if table.empty:
        return f"No run has a {y} to show over {x}."
    series = [("", table)] if hue is None else [(str(name), part) for name, part in table.groupby(hue, sort=False)]
    entries = [(f"{name}: " if name else "") + _course(part, x, y) for name, part in series[:4]]
    more = f"; and {len(series) - 4} more" if len(series) > 4 else ""
    by = f", by {hue}" if hue else ""
    averaged = [name for name in varying(df) if name not in (x, hue)]
    over = f"; mean over {', '.join(averaged)}" if averaged else ""
    clips = int(table["clips"].max())
    kind = table["interval"].iloc[0]
    over += f"; mean of {clips} clips with {_NAMED[kind].replace('95', 'a 95', 1)}" if clips > 1 and kind else ""
    over += f"; with a {_NAMED[kind]}" if kind == "pictures" else ""
    missing = int(df[y].isna().sum())
    over += f"; {count(missing, 'run')} without {y} not shown" if missing else ""
    return f"{y} over {x}{by}: {'; '.join(entries)}{more}{over}.{note}"


def _places(data: pd.DataFrame, x: str) -> dict[str, float]:
    """Return word → place on the axis: numbers at their value, `left out` and `AUTO` apart at the left."""
    at = list(dict.fromkeys(data.sort_values(x, kind="stable", na_position="first")["at"]))
    special = [word for word in (LEFT_OUT, AUTO) if word in at]
    others = [word for word in at if word not in special]
    if not _is_scale(data, x):
        return {word: float(at) for at, word in enumerate([*special, *others])}
    values = sorted(float(value) for value in data[x].dropna().unique())
    gaps = [b - a for a, b in itertools.pairwise(values)]
    step = max((values[-1] - values[0]) / 6, min(gaps)) if gaps else 1.0
    left = values[0] - step * len(special) if values else 0.0
    return {word: left + step * at for at, word in enumerate(special)} | {word_of(v): v for v in values}


def _is_scale(data: pd.DataFrame, x: str) -> bool:
    return bool(types.is_numeric_dtype(data[x]) and not types.is_bool_dtype(data[x]))


class _Series(NamedTuple):
    """The columns and the name of a series; its number determines color, marker and line."""

    x: str
    y: str
    name: str
    number: int


def _draw(axes: Axes, part: pd.DataFrame, drawn_series: _Series) -> None:
    color, marker = COLORS[drawn_series.number % len(COLORS)], MARKERS[drawn_series.number % len(MARKERS)]
    # Later series are smaller and on top, so that both are visible where two coincide.
    size = max(5.0, 8.0 - drawn_series.number)
    special = part["at"].isin([LEFT_OUT, AUTO])
    # A line means "in between", so it is drawn only over a numeric scale.
    style: Any = LINES[drawn_series.number % len(LINES)] if _is_scale(part, drawn_series.x) else "none"
    label = series_name(drawn_series.name) or "_nolegend_"
    scaled = part[~special]
    for rows, line, known in (
        (scaled, style, label),
        (part[special], "none", label if scaled.empty else "_nolegend_"),
    ):
        if len(rows):
            x, y = floats(rows["place"]), floats(rows[drawn_series.y])
            axes.plot(x, y, linestyle=line, marker=marker, markersize=size, color=color, label=known, zorder=3)
    spread = scaled[scaled["low"].notna()]
    has_band = len(spread) > 1 and style != "none"
    if has_band:
        low, high = floats(spread["low"]), floats(spread["high"])
        axes.fill_between(floats(spread["place"]), low, high, color=color, alpha=0.15, linewidth=0)
    bars = part[part["low"].notna() & (special | (not has_band))]
    axes.vlines(floats(bars["place"]), floats(bars["low"]), floats(bars["high"]), color=color, alpha=0.5)


def _scale(axes: Axes, data: pd.DataFrame, x: str, place: dict[str, float]) -> None:
    """Set the ticks: every value where they are few, and always the words at the left."""
    special = {word: at for word, at in place.items() if word in (LEFT_OUT, AUTO)}
    if not _is_scale(data, x) or len(place) <= 12:
        axes.set_xticks(list(place.values()), list(place))
        if not _is_scale(data, x):
            axes.set_xlim(-0.5, len(place) - 0.5)
        if len(place) > 6 and not _is_scale(data, x):
            axes.tick_params(axis="x", rotation=30)
    elif special:
        values = [at for word, at in place.items() if word not in special]
        ticks = [tick for tick in axes.get_xticks() if values[0] <= tick <= values[-1]]
        axes.set_xticks([*special.values(), *ticks], [*special, *(f"{tick:g}" for tick in ticks)])
    if special and len(special) < len(place) and _is_scale(data, x):
        last, first = max(special.values()), min(at for word, at in place.items() if word not in special)
        axes.axvline((last + first) / 2, color="0.8", linewidth=1, zorder=0)


def _course(part: pd.DataFrame, x: str, y: str) -> str:
    """Return the course of a series: `falls from 93.1 at 0 to 81 at 10`, `with a peak of 94.4 at 5`."""
    unit = unit_of(y)
    tail = f" {unit}" if unit else ""
    values, words = floats(part[y]), list(part["at"])
    words_apart = {LEFT_OUT: "when left out", AUTO: "at AUTO"}
    entries = [f"{number(v)}{tail} {words_apart[w]}" for v, w in zip(values, words, strict=True) if w in words_apart]
    scale = [(v, w) for v, w in zip(values, words, strict=True) if w not in words_apart]
    if len(scale) == 1 or (scale and not _is_scale(part, x)):
        entries += [f"{number(v)}{tail} at {w}" for v, w in scale[:6]]
    elif scale:
        entries.append(_trend(scale, tail))
    return ", ".join(entries)


def _trend(scale: Sequence[tuple[float, str]], tail: str) -> str:
    (first, begin), (last, end) = scale[0], scale[-1]
    (most, top), (least, bottom) = max(scale), min(scale)
    small = 0.02 * (most - least)
    constant = "stays at" if number(most) == number(least) else ""
    if constant:
        return f"{constant} {number(first)}{tail} from {begin} to {end}"
    course = f"goes from {number(first)}{tail} at {begin} to {number(last)}{tail} at {end}"
    course = course.replace("goes", "rises" if last > first else "falls", 1) if abs(last - first) > small else course
    if most > max(first, last) + small:
        course += f" with a peak of {number(most)}{tail} at {top}"
    if least < min(first, last) - small:
        course += f" with a low of {number(least)}{tail} at {bottom}"
    return course
