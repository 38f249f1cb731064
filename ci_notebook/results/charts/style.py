"""How charts look, and what they share: colours, markers, labels, and the data that they are given."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from pandas.api import types

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import SCORE
from ci_notebook.results.dataframe import resolve_column, to_frame, unit_of
from ci_notebook.results.inline_chart import ChartAxes, new_axes

# Okabe and Ito's colours, which people with any colour vision tell apart; without yellow, too faint on white.
COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Of another length than the colours, so that more series than colours still differ in something.
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: Final[tuple[Any, ...]] = ("-", "--", "-.", ":", (0, (5, 1)))
# Perceived as evenly stepped, by everybody, and still so in grey.
SCALE: Final = "cividis"

Data: TypeAlias = "pd.DataFrame | Iterable[Run]"
"""What a chart is drawn of: runs, or their frame."""


def frame_of(data: Data) -> pd.DataFrame:
    """Return the frame of the runs, or the frame itself."""
    return data if isinstance(data, pd.DataFrame) else to_frame(data)


def runs_of(data: Data) -> list[Run]:
    """Return the runs; none where only a frame was given."""
    return [] if isinstance(data, pd.DataFrame) else list(data)


def once(data: Data) -> Data:
    """Return data that can be gone through twice."""
    return data if isinstance(data, pd.DataFrame) else list(data)


def number_column(df: pd.DataFrame, name: str, said: str) -> str:
    """Return the column that `name` means, given as the argument `said`. Raises `ParameterError` without numbers."""
    name = resolve_column(df, name)
    if not types.is_numeric_dtype(df[name]) or types.is_bool_dtype(df[name]):
        raise ParameterError.plain(
            f"{said}={name!r} has no numbers to draw. Take a score ({', '.join(SCORE)}) or another number, "
            "such as size_bytes."
        )
    return name


def floats(values: Iterable[Any]) -> list[float]:
    """Return plain numbers; NaN, which is drawn as a gap, for what is missing."""
    return [float("nan") if value is pd.NA else float(value) for value in values]


def highest(df: pd.DataFrame, name: str, sign: int = 1) -> pd.Series[Any]:
    """Return the row with the most of a column; with the least where `sign` is -1."""
    return df.iloc[int(np.argmax(sign * df[name].to_numpy(dtype=float)))]


def label(name: str) -> str:
    """Return what stands at an axis: the column and its unit."""
    unit = unit_of(name)
    return f"{name} [{unit}]" if unit else name


def axes_or_new(ax: Axes | None, *, width_in: float = 6.8, height_in: float = 4.2) -> Axes:
    """Return `ax`, or new axes that show themselves."""
    return ax if ax is not None else new_axes(width_in=width_in, height_in=height_in)


def described(axes: Axes, text: str) -> Axes:
    """Give axes of our own their description, and return them; those that hold nothing say so."""
    if not np.isfinite(axes.dataLim.get_points()).all():  # a line of zero, across all, has but one place
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", va="center", color="0.4")
    if isinstance(axes, ChartAxes):
        axes.description = text
    return axes


def numbered(axes: Axes, points: Iterable[tuple[float, float, str]], *, most: int = 10) -> list[Line2D]:
    """Put numbers beside points, and return what a legend needs to say which is which."""
    handles = []
    for place, (x, y, words) in enumerate(itertools.islice(points, most), start=1):
        axes.annotate(str(place), (x, y), xytext=(5, 5), textcoords="offset points", fontsize="small")
        handles.append(Line2D([], [], linestyle="none", marker=f"${place}$", color="black", label=words))
    return handles


def legend_aside(axes: Axes, title: str | None = None, more: Sequence[Line2D] = ()) -> None:
    """Put a legend to the right of the axes, where it hides nothing, with `more` below what has a label."""
    handles = [*axes.get_legend_handles_labels()[0], *more]
    axes.legend(
        handles=handles,
        title=title,
        alignment="left",
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        fontsize="medium" if len(handles) < 12 else "small",
    )
