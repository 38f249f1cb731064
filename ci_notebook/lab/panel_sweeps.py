"""The designs, plans and runs of a lab for a `SweepPanel`, and its results as HTML."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ci_notebook.client.objects import Clip
from ci_notebook.experiment.progress import Event
from ci_notebook.experiment.settings import Setting
from ci_notebook.experiment.sweep import Sweep, grid, one_at_a_time, pairs, random
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.charts import plot_response
from ci_notebook.results.dataframe import differing, setting_columns
from ci_notebook.results.inline_chart import ChartAxes
from ci_notebook.results.plan import Plan
from ci_notebook.results.runs import Runs
from ci_notebook.results.verdict.default_score import default_score


class _Planner(Protocol):
    def __call__(self, clips: Iterable[Clip], settings: Iterable[Setting], /) -> Plan: ...


class _Runner(Protocol):
    def __call__(
        self, clips: Iterable[Clip], settings: Iterable[Setting], /, *, budget: float | None = ...,
        on_progress: Callable[[Event], None] | None = ..., cancel: threading.Event | None = ...,
    ) -> Runs: ...  # fmt: skip


class LabSweeps:
    """Designs, plans and runs of a lab. `costs_money` is false for the embedded engine."""

    def __init__(self, *, plan: _Planner, run: _Runner, costs_money: bool) -> None:
        self._plan, self._run, self.costs_money = plan, run, costs_money

    def design(
        self, kind: str, base: VideoEnhance, values: Mapping[str, Sequence[Any]], *,
        n: int = 10, seed: int = 0, against: VideoEnhance | None = None,
    ) -> Sweep:  # fmt: skip
        """Return the sweep of `grid`, `one_at_a_time`, `random` or `pairs`. Raises `ParameterError`."""
        if kind == "pairs":
            return pairs(base, against if against is not None else VideoEnhance(), **values)
        if kind == "random":
            return random(base, n, seed=seed, **values)
        return {"grid": grid, "one_at_a_time": one_at_a_time}[kind](base, **values)

    def plan(self, clips: Iterable[Clip], settings: Iterable[Setting]) -> Plan:
        """Return what `run` would send, its price, and which results the journal holds already."""
        return self._plan(clips, settings)

    def run(
        self, clips: Iterable[Clip], settings: Iterable[Setting], *, budget: float | None = None,
        on_progress: Callable[[Event], None] | None = None, cancel: threading.Event | None = None,
    ) -> Runs:  # fmt: skip
        """Run every setting on every clip, as `Lab.run` does."""
        return self._run(clips, settings, budget=budget, on_progress=on_progress, cancel=cancel)

    def results_html(self, runs: Runs) -> str:
        """Return the runs as a table, and a chart of a score over the first parameter that varies."""
        return f"{runs._repr_html_()}{_chart_html(runs)}"


def _chart_html(runs: Runs) -> str:
    df = runs.to_frame()
    varied = [name for name in differing(df).columns if name in setting_columns()] if len(df) > 1 else []
    score = next((name for name in (default_score(df).name, "size_bytes") if df[name].notna().any()), None)
    if not varied or score is None:
        return ""
    axes = plot_response(runs, varied[0], score, varied[1] if len(varied) > 1 else None)
    return axes._repr_html_() if isinstance(axes, ChartAxes) else ""
