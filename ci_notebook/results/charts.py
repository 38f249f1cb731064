"""Charts: each a pure computation (`compute_*`, a frame) and a drawing of it (`plot_*`, axes)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from pandas.api import types

from ci_notebook.model.errors import ParameterError
from ci_notebook.results.figure import ChartAxes, new_axes
from ci_notebook.results.frame import differing, resolve_column, setting_columns, unit_of

LEFT_OUT: Final = "left out"
AUTO: Final = "AUTO"

# Okabe and Ito's colours, which people with any colour vision tell apart; without yellow, too faint on white.
COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Of another length than the colours, so that more series than colours still differ in something.
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: Final = ("-", "--", "-.", ":", (0, (5, 1)))


def compute_response(df: pd.DataFrame, x: str, y: str, hue: str | None = None) -> pd.DataFrame:
    """Return the mean of `y` at each value of `x`, for each value of `hue`.

    `x`, `y` and `hue` are columns of the frame, or unambiguous endings of setting columns. Columns
    of the result: `x` as it is in `df` and missing where it was left out; `at`, the same in words
    (`left out`, `AUTO`); `hue` in words, if given; `y`, the mean over clips of the means within a
    clip; `low` and `high`, the least and the greatest mean of a clip, missing where there is one
    clip; `clips` and `runs`, how many there are. Runs without `y` do not count.

    Raises `ParameterError` for an unknown name and a `y` that is no number.
    """
    x, y = resolve_column(df, x), resolve_column(df, y)
    hue = resolve_column(df, hue) if hue is not None else None
    if not types.is_numeric_dtype(df[y]) or types.is_bool_dtype(df[y]):
        raise ParameterError("y", y, "a column of numbers", "A score, say, or size_bytes.")
    if x == y or hue in (x, y):
        raise ParameterError("x, y and hue", x, "different columns")
    keys = ["at"] if hue is None else [hue, "at"]
    used = pd.DataFrame({"x": df[x], "at": _words(df, x), "y": df[y].astype("Float64"), "clip": df["clip"].fillna("")})
    if hue is not None:
        used[hue] = _words(df, hue)
    by_clip = used[used["y"].notna()].groupby([*keys, "clip"], observed=True, sort=False)
    clips = by_clip.agg(x=("x", "first"), y=("y", "mean"), runs=("y", "size"))
    means = clips.groupby(keys, observed=True, sort=False).agg(
        x=("x", "first"),
        y=("y", "mean"),
        low=("y", "min"),
        high=("y", "max"),
        clips=("y", "size"),
        runs=("runs", "sum"),
    )
    means.loc[means["clips"] == 1, ["low", "high"]] = pd.NA
    means = means.reset_index().rename(columns={"x": x, "y": y})
    means["x_order"] = _order(df, x, means["at"])
    means["hue_order"] = _order(df, hue, means[hue]) if hue else 0
    means = means.sort_values(["hue_order", "x_order"], ignore_index=True)
    return means[[x, "at", *([hue] if hue else []), y, "low", "high", "clips", "runs"]]


def plot_response(df: pd.DataFrame, x: str, y: str, hue: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how `y` answers to `x`, a line for each value of `hue`, and return the axes.

    With several clips a line is their mean, and the band is the range over them. Runs that leave
    `x` out, or leave it to the service, stand apart at the left: they have no place on the scale.
    Without `ax` the axes are new ones, which a notebook shows with their description. Takes and
    raises what `compute_response` does.
    """
    data = compute_response(df, x, y, hue)
    x, y = resolve_column(df, x), resolve_column(df, y)
    hue = resolve_column(df, hue) if hue is not None else None
    axes = ax if ax is not None else new_axes()
    place = _places(data, x)
    series = [("", data)] if hue is None else [(str(name), part) for name, part in data.groupby(hue, sort=False)]
    for number, (name, part) in enumerate(series):
        aside = 0.0 if _is_scale(data, x) else 0.08 * (number - (len(series) - 1) / 2)
        _draw(axes, part.assign(place=part["at"].map(place).astype(float) + aside), _Look(x, y, name, number))
    _scale(axes, data, x, place)
    axes.set_xlabel(_label(x))
    axes.set_ylabel(_label(y))
    axes.grid(visible=True, axis="y", alpha=0.3)
    if hue is not None:
        title = _label(hue).replace(".", ".\n")
        axes.legend(title=title, alignment="left", frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if data["low"].notna().any():
        shape = "band" if _is_scale(data, x) else "bar"
        axes.set_title(f"mean of {data['clips'].max()} clips; {shape}: their range", fontsize="medium", loc="left")
    if isinstance(axes, ChartAxes):
        axes.description = describe_response(df, x, y, hue)
    return axes


def describe_response(df: pd.DataFrame, x: str, y: str, hue: str | None = None) -> str:
    """Return in one sentence what `plot_response` shows, numbers rounded to three digits."""
    data = compute_response(df, x, y, hue)
    x, y = resolve_column(df, x), resolve_column(df, y)
    hue = resolve_column(df, hue) if hue is not None else None
    if data.empty:
        return f"No run has a {y} to show over {x}."
    series = [("", data)] if hue is None else [(str(name), part) for name, part in data.groupby(hue, sort=False)]
    told = [(f"{name}: " if name else "") + _course(part, x, y) for name, part in series[:4]]
    more = f"; and {len(series) - 4} more" if len(series) > 4 else ""
    by = f", by {hue}" if hue else ""
    averaged = [name for name in differing(df[[*setting_columns()]]).columns if name not in (x, hue)]
    over = f"; mean over {', '.join(averaged)}" if averaged else ""
    clips = int(data["clips"].max())
    over += f"; mean of {clips} clips with their range" if clips > 1 else ""
    missing = int(df[y].isna().sum())
    over += f"; {missing} run{'s' if missing > 1 else ''} without {y} not shown" if missing else ""
    return f"{y} over {x}{by}. {'; '.join(told)}{more}{over}."


def _words(df: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return a column in words: `left out` and `AUTO` where it has no value."""
    auto = [name in str(paths).split("; ") for paths in df["auto"]]
    missing = [AUTO if is_auto else LEFT_OUT for is_auto in auto]
    words = [word if pd.isna(value) else _word(value) for value, word in zip(df[name], missing, strict=True)]
    return pd.Series(words, index=df.index, dtype="string")


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(bool(value)).lower() if types.is_bool(value) else f"{value:g}"


def _order(df: pd.DataFrame, name: str, words: pd.Series[Any]) -> pd.Series[Any]:
    """Return where each word stands: left out, AUTO, then values as numbers, choices or texts are ordered."""
    values = df[name].dropna()
    ordered = list(values.cat.categories) if isinstance(values.dtype, pd.CategoricalDtype) else sorted(values.unique())
    order = {word: number for number, word in enumerate([LEFT_OUT, AUTO, *map(_word, ordered)])}
    return words.map(order)


def _places(data: pd.DataFrame, x: str) -> dict[str, float]:
    """Return word → place on the axis: numbers at their value, what has none apart at the left."""
    at = list(dict.fromkeys(data.sort_values(x, kind="stable", na_position="first")["at"]))
    apart = [word for word in (LEFT_OUT, AUTO) if word in at]
    others = [word for word in at if word not in apart]
    if not _is_scale(data, x):
        return {word: float(number) for number, word in enumerate([*apart, *others])}
    values = sorted(float(value) for value in data[x].dropna().unique())
    gaps = [b - a for a, b in itertools.pairwise(values)]
    step = max((values[-1] - values[0]) / 6, min(gaps)) if gaps else 1.0
    left = values[0] - step * len(apart) if values else 0.0
    return {word: left + step * number for number, word in enumerate(apart)} | {_word(v): v for v in values}


def _is_scale(data: pd.DataFrame, x: str) -> bool:
    return bool(types.is_numeric_dtype(data[x]) and not types.is_bool_dtype(data[x]))


class _Look(NamedTuple):
    """What is drawn, and the number of the series, which says how it looks."""

    x: str
    y: str
    name: str
    number: int


def _draw(axes: Axes, part: pd.DataFrame, look: _Look) -> None:
    color, marker = COLORS[look.number % len(COLORS)], MARKERS[look.number % len(MARKERS)]
    # Later series are smaller and on top: where two lie on each other, both are seen.
    size = max(5.0, 8.0 - look.number)
    apart = part["at"].isin([LEFT_OUT, AUTO])
    # A line says "in between": only on a scale, and only where there is a scale.
    style: Any = LINES[look.number % len(LINES)] if _is_scale(part, look.x) else "none"
    label = look.name or "_nolegend_"
    scaled = part[~apart]
    for rows, line, known in ((scaled, style, label), (part[apart], "none", label if scaled.empty else "_nolegend_")):
        if len(rows):
            x, y = _floats(rows["place"]), _floats(rows[look.y])
            axes.plot(x, y, linestyle=line, marker=marker, markersize=size, color=color, label=known, zorder=3)
    spread = scaled[scaled["low"].notna()]
    has_band = len(spread) > 1 and style != "none"
    if has_band:
        low, high = _floats(spread["low"]), _floats(spread["high"])
        axes.fill_between(_floats(spread["place"]), low, high, color=color, alpha=0.15, linewidth=0)
    bars = part[part["low"].notna() & (apart | (not has_band))]
    axes.vlines(_floats(bars["place"]), _floats(bars["low"]), _floats(bars["high"]), color=color, alpha=0.5)


def _floats(values: pd.Series[Any]) -> list[float]:
    return [float(value) for value in values]


def _scale(axes: Axes, data: pd.DataFrame, x: str, place: dict[str, float]) -> None:
    """Put the ticks: every value where they are few, and always what stands apart."""
    apart = {word: at for word, at in place.items() if word in (LEFT_OUT, AUTO)}
    if not _is_scale(data, x) or len(place) <= 12:
        axes.set_xticks(list(place.values()), list(place))
        if not _is_scale(data, x):
            axes.set_xlim(-0.5, len(place) - 0.5)
        if len(place) > 6 and not _is_scale(data, x):
            axes.tick_params(axis="x", rotation=30)
    elif apart:
        values = [at for word, at in place.items() if word not in apart]
        ticks = [tick for tick in axes.get_xticks() if values[0] <= tick <= values[-1]]
        axes.set_xticks([*apart.values(), *ticks], [*apart, *(f"{tick:g}" for tick in ticks)])
    if apart and len(apart) < len(place) and _is_scale(data, x):
        last, first = max(apart.values()), min(at for word, at in place.items() if word not in apart)
        axes.axvline((last + first) / 2, color="0.8", linewidth=1, zorder=0)


def _label(name: str) -> str:
    unit = unit_of(name)
    return f"{name} [{unit}]" if unit else name


def _course(part: pd.DataFrame, x: str, y: str) -> str:
    """Say how a series goes: `falls from 93.1 at 0 to 81 at 10`, `peaks with 94.4 at 5`."""
    unit = unit_of(y)
    tail = f" {unit}" if unit else ""
    values, words = _floats(part[y]), list(part["at"])
    said = {LEFT_OUT: "when left out", AUTO: "at AUTO"}
    told = [f"{_round(v)}{tail} {said[w]}" for v, w in zip(values, words, strict=True) if w in said]
    scale = [(v, w) for v, w in zip(values, words, strict=True) if w not in said]
    if len(scale) == 1 or (scale and not _is_scale(part, x)):
        told += [f"{_round(v)}{tail} at {w}" for v, w in scale[:6]]
    elif scale:
        told.append(_trend(scale, tail))
    return ", ".join(told)


def _trend(scale: Sequence[tuple[float, str]], tail: str) -> str:
    (first, begin), (last, end) = scale[0], scale[-1]
    (most, top), (least, bottom) = max(scale), min(scale)
    small = 0.02 * (most - least)
    way = "stays at" if _round(most) == _round(least) else ""
    if way:
        return f"{way} {_round(first)}{tail} from {begin} to {end}"
    course = f"goes from {_round(first)}{tail} at {begin} to {_round(last)}{tail} at {end}"
    course = course.replace("goes", "rises" if last > first else "falls", 1) if abs(last - first) > small else course
    if most > max(first, last) + small:
        course += f" with a peak of {_round(most)}{tail} at {top}"
    if least < min(first, last) - small:
        course += f" with a low of {_round(least)}{tail} at {bottom}"
    return course


def _round(value: float) -> str:
    text = f"{value:.3g}"
    return f"{float(text):g}" if abs(value) < 1e6 else f"{float(text):.3g}"
