"""The trace: a score frame by frame, with the worst frames marked, since a mean hides them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.clip_labels import run_clip_labels
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import SCORES, check_score, scale_of
from ci_notebook.results.charts.style import (
    COLORS,
    LINES,
    MARKERS,
    axes_or_new,
    described,
    floats,
    highest,
    label,
    legend_aside,
    score_or_default,
    series_name,
)
from ci_notebook.results.dataframe import refuse_mixed_models, to_frame, unit_of
from ci_notebook.results.labels import number, setting_labels
from ci_notebook.results.verdict.run_pairs import values_per_frame

_NAMED, _LISTED = 6, 16  # so many series get names of several lines; so many names fit in a legend


def compute_trace(runs: Iterable[Run], on: str | None = None, *, worst: int = 3) -> pd.DataFrame:
    """Return one row per frame: `run` (its index), `series` in words, `picture` (from 0), `time_s`, `on`, `is_worst`.

    `worst` is the number of marked frames per run; a frame next to a worse one is not marked, since it shows the
    same. `time_s` is missing where the frame rate is unknown. Raises `ParameterError` where no run has values
    per frame; a DataFrame has none.
    """
    listed = list(_runs(runs))
    df = to_frame(listed)
    on, _ = score_or_default(df, on)
    refuse_mixed_models(df, on)
    clips = df["clip"].nunique() > 1
    parts = []
    for place, (run, setting) in enumerate(zip(listed, setting_labels(df), strict=True)):
        values = values_per_frame(run, on)
        if not np.isfinite(values).any():
            continue
        step = max(1, run.every)
        numbers = [step * at for at in range(len(values))]
        fps = df["fps"].iloc[place]
        series = f"{df['clip'].iloc[place]}, {setting}" if clips else str(setting)
        times = [None if pd.isna(fps) else at / float(fps) for at in numbers]
        parts.append(pd.DataFrame({
            "run": place, "series": series, "picture": numbers, "time_s": pd.array(times, dtype="Float64"), on: values,
            "is_worst": _worst(values, worst, scale_of(on).sign),
        }))  # fmt: skip
    if not parts:
        raise _no_values(on)
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"run": "Int64", "series": "string", "picture": "Int64", on: "Float64", "is_worst": "boolean"})


def plot_trace(runs: Iterable[Run], on: str | None = None, *, worst: int = 3, ax: Axes | None = None) -> Axes:
    """Draw a score over time, a line per run, with the worst frames ringed and numbered, and return the axes."""
    listed = list(_runs(runs))
    on, note = score_or_default(to_frame(listed), on)
    table = compute_trace(listed, on, worst=worst)
    count = table["run"].nunique()
    axes = axes_or_new(ax, width_in=8.2 if count <= _NAMED else 10.0)
    across = "time_s" if table["time_s"].notna().all() else "picture"
    for place, (_, part) in enumerate(table.groupby("run", sort=False)):
        color, line = COLORS[place % len(COLORS)], LINES[place % len(LINES)]
        axes.plot(floats(part[across]), floats(part[on]), color=color, linestyle=line, linewidth=1.4,
                  label=_legend_entry(str(part["series"].iloc[0]), place, count))  # fmt: skip
        marked = part[part["is_worst"]]
        axes.plot(floats(marked[across]), floats(marked[on]), linestyle="none", marker=MARKERS[place % len(MARKERS)],
                  fillstyle="none", markersize=9, markeredgewidth=1.8, color=color, label="_nolegend_")  # fmt: skip
        for _, row in marked.iterrows():
            axes.annotate(str(row["picture"]), (float(row[across]), float(row[on])), xytext=(0, -14),
                          textcoords="offset points", ha="center", fontsize="small", color=color)  # fmt: skip
    axes.margins(y=0.15)
    axes.set_xlabel("time [s]" if across == "time_s" else "picture")
    axes.set_ylabel(label(on))
    axes.grid(visible=True, alpha=0.3)
    clips = dict.fromkeys(run_clip_labels(listed[int(place)] for place in table["run"].unique()))
    one = f"{next(iter(clips))}; " if len(clips) == 1 else ""
    axes.set_title(f"{one}ringed: the {worst} worst pictures of each, by number", fontsize="medium", loc="left")
    if count > 1:
        legend_aside(axes)
    return described(axes, describe_trace(listed, on, worst=worst) + note)


def describe_trace(runs: Iterable[Run], on: str | None = None, *, worst: int = 3) -> str:
    """Return in one sentence the mean and the worst frame of each run."""
    listed = list(_runs(runs))
    on, note = score_or_default(to_frame(listed), on)
    table = compute_trace(listed, on, worst=worst)
    clips = dict.fromkeys(run_clip_labels(listed[int(place)] for place in table["run"].unique()))
    of = f" of {next(iter(clips))}" if len(clips) == 1 else ""
    unit, sign, entries = f" {unit_of(on)}" if unit_of(on) else "", scale_of(on).sign, []
    for _, part in list(table.groupby("run", sort=False))[:4]:
        low = highest(part[part[on].notna()], on, -sign)
        entries.append(
            f"{low['series']}: mean {number(float(part[on].mean()))}{unit}, worst {number(float(low[on]))}{unit} "
            f"at picture {low['picture']}"
        )
    more = table["run"].nunique() - len(entries)
    return f"{on}{of} picture by picture: {'; '.join(entries)}{f'; and {more} more' if more > 0 else ''}.{note}"


def _runs(runs: Iterable[Run]) -> Iterable[Run]:
    if isinstance(runs, pd.DataFrame):
        raise ParameterError.plain("A trace needs the runs: their table holds no scores per frame.")
    return runs


def _no_values(on: str) -> ParameterError:
    frames = [score.name for score in SCORES if score.per_frame or score.minus]
    if on not in frames:
        check_score(on)
        return ParameterError.plain(f"{on} has no value per frame. Scores with one are {', '.join(frames)}.")
    return ParameterError.plain(
        f"None of these runs has values of {on} per frame. lab.run(…, scores=True) measures them; "
        "runs that were read from a saved table have none."
    )


def _legend_entry(series: str, place: int, count: int) -> str:
    """Return the legend entry of a line; where there are many, one line each, and the last ones are counted."""
    if count <= _NAMED:
        return series_name(series.replace(", ", ",\n"))
    return (
        series_name(series) if place < _LISTED else f"and {count - _LISTED} more" if place == _LISTED else "_nolegend_"
    )


def _worst(values: tuple[float, ...], how_many: int, sign: int) -> list[bool]:
    """Mark the worst frames, none of them within a twentieth of the clip of a worse one."""
    distance, marked = max(1, len(values) // 20), list[int]()
    known = [place for place, value in enumerate(values) if np.isfinite(value)]
    for at in sorted(known, key=lambda place: sign * values[place]):
        if len(marked) == how_many:
            break
        if all(abs(at - other) > distance for other in marked):
            marked.append(at)
    return [at in marked for at in range(len(values))]
