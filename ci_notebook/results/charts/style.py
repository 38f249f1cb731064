"""Shared parts of the charts: colours, markers, labels, legends, and access to the data."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import fontManager
from matplotlib.lines import Line2D
from matplotlib.text import Text
from pandas.api import types

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import SCORE
from ci_notebook.results.dataframe import refuse_mixed_models, resolve_column, to_frame, unit_of, with_clip_labels
from ci_notebook.results.inline_chart import ChartAxes, new_axes
from ci_notebook.results.verdict.default_score import default_score

# The colours of Okabe and Ito, distinguishable with any colour vision; without yellow, which is faint on white.
COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# More markers than colours, so that more series than colours still differ.
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: Final[tuple[Any, ...]] = ("-", "--", "-.", ":", (0, (5, 1)))
# Perceptually uniform for any colour vision, and in grey.
SCALE: Final = "cividis"

_LONG_WORD: Final = re.compile(r"(\S{22})\S{5,}(\S{22})")
_LONG_WIDE_WORD: Final = re.compile(r"([\u1100-\U0003ffff]{10})[\u1100-\U0003ffff]{5,}(\S{10})")  # twice as wide
# No width and no ink.
_VISIBLE: Final = "\u200b"
# Fonts of the systems with Chinese, Japanese and Korean, and with symbols.
_FONTS: Final = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei", "SimHei",
    "PingFang SC", "Hiragino Sans GB", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback",
    "Arial Unicode MS", "Segoe UI Symbol", "Noto Sans Symbols", "Noto Emoji",
)  # fmt: skip

Data: TypeAlias = "pd.DataFrame | Iterable[Run]"
"""The data of a chart: runs, or their table."""


def frame_of(data: Data) -> pd.DataFrame:
    """Return the table of the runs, or the table itself."""
    return with_clip_labels(data) if isinstance(data, pd.DataFrame) else to_frame(data)


def runs_of(data: Data) -> list[Run]:
    """Return the runs; an empty list for a table."""
    return [] if isinstance(data, pd.DataFrame) else list(data)


def once(data: Data) -> Data:
    """Return data that can be iterated twice."""
    return data if isinstance(data, pd.DataFrame) else list(data)


def number_column(df: pd.DataFrame, name: str, said: str) -> str:
    """Return the column that `name` means, given as the argument `said`. Raises `ParameterError` without numbers."""
    name = resolve_column(df, name)
    if not types.is_numeric_dtype(df[name]) or types.is_bool_dtype(df[name]):
        raise ParameterError.plain(
            f"{said}={name!r} has no numbers to draw. Take a score ({', '.join(SCORE)}) or another number, "
            "such as size_bytes."
        )
    refuse_mixed_models(df, name)
    return name


def score_or_default(df: pd.DataFrame, name: str | None) -> tuple[str, str]:
    """Return the score that a chart is about, and a sentence, after a blank, where the default is not the usual one."""
    if name is not None:
        return name, ""
    chosen = default_score(df)
    return chosen.name, f" {chosen.note}" if chosen.note else ""


def floats(values: Iterable[Any]) -> list[float]:
    """Return plain numbers, with NaN for missing ones; it is drawn as a gap."""
    return [float("nan") if value is pd.NA else float(value) for value in values]


def highest(df: pd.DataFrame, name: str, sign: int = 1) -> pd.Series[Any]:
    """Return the row with the most of a column; with the least where `sign` is -1."""
    return df.iloc[int(np.argmax(sign * df[name].to_numpy(dtype=float)))]


def label(name: str) -> str:
    """Return the label of an axis: the column and its unit."""
    unit = unit_of(name)
    return f"{name} [{unit}]" if unit else name


def axes_or_new(ax: Axes | None, *, width_in: float = 6.8, height_in: float = 4.2) -> Axes:
    """Return `ax`, or new axes that show themselves."""
    return ax if ax is not None else new_axes(width_in=width_in, height_in=height_in)


def described(axes: Axes, text: str) -> Axes:
    """Set the description of our axes and return them; empty axes show a note."""
    if not np.isfinite(axes.dataLim.get_points()).all():  # a horizontal line alone has no extent
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", va="center", color="0.4")
    if isinstance(axes, ChartAxes):
        axes.description = text
    literal(axes)
    return axes


def numbered(axes: Axes, points: Iterable[tuple[float, float, str]], *, most: int = 10) -> list[Line2D]:
    """Write numbers at points, and return the entries of a legend that explains them."""
    handles = []
    for place, (x, y, words) in enumerate(itertools.islice(points, most), start=1):
        axes.annotate(str(place), (x, y), xytext=(5, 5), textcoords="offset points", fontsize="small")
        handles.append(Line2D([], [], linestyle="none", marker=f"${place}$", color="black", label=words))
    return handles


def series_name(name: str) -> str:
    """Return the label of a line: matplotlib leaves a label that begins with an underscore out of the legend."""
    return f"{_VISIBLE}{name}" if name.startswith("_") else name


def literal(axes: Axes) -> None:
    """Draw every text as it is: a `$` in a name begins no formula, and other scripts get a font that has them."""
    if any(label.startswith(_VISIBLE) for label in axes.get_legend_handles_labels()[1]):
        legend = axes.get_legend()
        for text in legend.get_texts() if legend else ():
            text.set_text(text.get_text().removeprefix(_VISIBLE))
    for axis in (axes.xaxis, axes.yaxis):
        words = [text.get_text() for text in axis.get_ticklabels()]
        if words != (shortened := [_shortened(one) for one in words]):
            axis.set_ticks(axis.get_ticklocs(), shortened)
    for text in axes.findobj(Text):
        shown = _shortened(text.get_text())
        text.set_text(shown)
        if "$" in shown:
            text.set_parse_math(False)
        if shown and not shown.isascii():
            text.set_fontfamily([*text.get_fontfamily(), *_other_fonts()])


def _shortened(text: str) -> str:
    """Return a text whose very long words, such as a name of 250 characters, lack their middle."""
    return _LONG_WORD.sub(r"\1…\2", _LONG_WIDE_WORD.sub(r"\1…\2", text))


@functools.cache
def _other_fonts() -> tuple[str, ...]:
    """Return the installed fonts with characters that matplotlib's own font lacks."""
    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in _FONTS if name in installed)


def legend_aside(axes: Axes, title: str | None = None, more: Sequence[Line2D] = ()) -> None:
    """Put a legend to the right of the axes, with the entries `more` below the labelled ones."""
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
