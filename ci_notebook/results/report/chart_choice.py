"""Which charts a report shows: those that its runs allow, the most informative first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from pandas.api import types

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.clip_labels import clip_id
from ci_notebook.results.charts.cost_benefit import plot_gain
from ci_notebook.results.charts.importance import plot_importance
from ci_notebook.results.charts.interaction import plot_interaction
from ci_notebook.results.charts.oversharpening import has_needle, plot_needle
from ci_notebook.results.charts.pareto import plot_pareto
from ci_notebook.results.charts.per_frame import plot_trace
from ci_notebook.results.charts.response import plot_response
from ci_notebook.results.charts.timeline import plot_timeline
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.labels import varying
from ci_notebook.results.verdict.default_score import default_score
from ci_notebook.results.verdict.run_pairs import values_per_frame

_TRACES: Final = 4  # so many lines can be distinguished where they are close


def headline_of(df: pd.DataFrame) -> str:
    """Return the most informative score that all scored runs have (`default_score`); "" where none was scored."""
    name = default_score(df).name
    return name if df[name].notna().any() else ""


def charts_of(runs: Sequence[Run]) -> Iterator[Callable[[], Axes]]:
    """Yield what draws each chart that the runs allow. It is called later, so that one that fails costs no other."""
    df = to_frame(runs)
    on, names = headline_of(df), varying(df)
    if on and names:
        # A curve is drawn over numbers; a parameter shown by colour needs few values.
        numbers = [name for name in names if types.is_numeric_dtype(df[name]) and not types.is_bool_dtype(df[name])]
        x = (numbers or names)[0]
        others = [name for name in names if name != x and df[name].nunique(dropna=False) <= 6]
        yield partial(plot_response, runs, x, on, hue=others[0] if others else None)
        if "MsSharpen.SharpenLevel" in names and has_needle(df):
            yield partial(plot_needle, runs)
        if others:
            yield partial(plot_interaction, runs, x, others[0], on)
            yield partial(plot_importance, runs, on)
        if df["size_bytes"].notna().any():
            yield partial(plot_pareto, runs, on)
        if df["cost_cny"].nunique() > 1:
            yield partial(plot_gain, runs, on)
    traced = [run for run in runs if clip_id(run) == clip_id(runs[0]) and values_per_frame(run, on)] if on else []
    if traced:
        step = -(-len(traced) // _TRACES)
        yield partial(plot_trace, traced[::step], on)
    if df["created"].notna().any():
        yield partial(plot_timeline, runs)
