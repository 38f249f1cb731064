"""Runs as a small HTML table: what differs, what came of it, and why where nothing came of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import numpy as np
import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.scores import SCORES
from ci_notebook.results.dataframe import differing, setting_columns, to_frame, unit_of

# Significant decimals: the third one of a VMAF differs between two machines.
DECIMALS: Final = {score.name: score.decimals for score in SCORES} | {"cost_cny": 4}
SETTINGS: Final = frozenset(setting_columns())


def table(runs: Sequence[Run]) -> str:
    """Return the table, with how many runs succeeded and what is set alike in all as its caption."""
    df = to_frame(runs)
    shown = [*differing(df[["clip", *setting_columns()]]).columns] if len(df) > 1 else ["clip"]
    facts = [name for name in ("width", "height", "size_bytes", "cost_cny") if df[name].notna().any()]
    scores = [score.name for score in SCORES if score.in_tables and df[score.name].notna().any()]
    notes = [_note(run) for run in runs]
    heads = [*shown, "state", *facts, *scores, *(["why"] if any(notes) else [])]
    rows = "".join(
        f"<tr><th scope='row'>{number + 1}</th>"
        + "".join(_cell(df, name, number, notes[number]) for name in heads)
        + "</tr>"
        for number in range(len(df))
    )
    head = "".join(f"<th scope='col'>{escape(_head(name))}</th>" for name in heads)
    common = alike(runs, set(shown))
    same = escape("; the same in all: " + ", ".join(f"{k} {v}" for k, v in common.items())) if common else ""
    return (
        f"<table><caption style='text-align:left'><b>{escape(counted(runs))}</b>{same}</caption>"
        f"<thead><tr><th scope='col'>#</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def counted(runs: Sequence[Run]) -> str:
    """Say how many runs succeeded, and how many failed."""
    failed = sum(run.is_over and not run.ok for run in runs)
    text = f"{sum(run.ok for run in runs)} of {len(runs)} succeeded"
    return f"{text}, {failed} failed" if failed else text


def alike(runs: Sequence[Run], shown: set[str]) -> dict[str, Any]:
    """Return path → value of what is set alike in all runs, without the paths in `shown`."""
    return {path: value for path, value in values(runs[0].setting).items() if path not in shown} if runs else {}


def _note(run: Run) -> str:
    if run.error:
        return run.error
    return f"{run.job.code}: {run.job.message}" if run.job and run.state == "Failed" else ""


def _head(name: str) -> str:
    unit = unit_of(name)
    return f"{name} [{unit}]" if unit else name


def _cell(df: pd.DataFrame, name: str, number: int, note: str) -> str:
    """Return a table cell: numbers stand right, words left."""
    value: Any = note if name == "why" else df[name].iloc[number]
    if isinstance(value, str):
        return f"<td style='text-align:left'>{escape(value)}</td>"
    if pd.isna(value):
        auto = df["auto"].iloc[number]
        is_auto = not pd.isna(auto) and name in str(auto).split("; ")
        word = "AUTO" if is_auto else "left out" if name in SETTINGS else ""
        return f"<td style='text-align:left'><em>{word}</em></td>"
    if isinstance(value, (bool, np.bool_)):
        return f"<td style='text-align:left'>{str(bool(value)).lower()}</td>"
    text = f"{value:.{DECIMALS.get(name, 2)}f}" if isinstance(value, float) and name not in SETTINGS else f"{value}"
    return f"<td style='text-align:right'>{text}</td>"
