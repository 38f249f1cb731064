"""Runs as a small HTML table: the parameters that differ, the results, and the reason of a failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import pandas as pd
from pandas.api import types

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.html import Markup, bold, table_html, value_html
from ci_notebook.model.scores import SCORES
from ci_notebook.results.dataframe import differing, setting_columns, to_frame, unit_of
from ci_notebook.results.labels import in_words, word_of

# Significant decimals: the third one of a VMAF differs between two machines.
DECIMALS: Final = {score.name: score.decimals for score in SCORES} | {"cost_cny": 4}
_NAMED: Final = 3
SETTINGS: Final = frozenset(setting_columns())


def table(runs: Sequence[Run]) -> str:
    """Return the table; its caption counts the successes and lists what is the same in all runs."""
    df = to_frame(runs)
    varied = [*differing(df[["clip", *setting_columns()]]).columns] if len(df) > 1 else ["clip"]
    facts = [name for name in ("width", "height", "size_bytes", "cost_cny") if df[name].notna().any()]
    scores = [score.name for score in SCORES if score.in_tables and df[score.name].notna().any()]
    notes = [_note(run) for run in runs]
    heads = [*varied, "state", *facts, *scores, *(["why"] if any(notes) else [])]
    rows = [[str(number + 1), *(_cell(df, name, number, notes[number]) for name in heads)] for number in range(len(df))]
    common = alike(runs, set(varied))
    same = "; the same in all: " + ", ".join(f"{k} {word_of(v)}" for k, v in common.items()) if common else ""
    missing = "".join(f"<br>{escape(note)}" for note in (*score_notes(df), *job_notes(runs)))
    numeric = [0, *(index for index, name in enumerate(heads, 1) if name in df and _is_number(df[name]))]
    return table_html(
        rows, head=["#", *map(_head, heads)], caption=Markup(f"{bold(count_text(runs))}{escape(same)}{missing}"),
        numeric=numeric, row_heads=True,
    )  # fmt: skip


def score_notes(df: pd.DataFrame) -> list[str]:
    """Return why scores are missing, one sentence per reason, with the number of runs where it is not all of them."""
    counts = df["score_note"].value_counts(sort=False)
    scored = int(df["score_against"].notna().sum())
    return [str(note) if count == scored else f"{count} of {scored} runs: {note}" for note, count in counts.items()]


def job_notes(runs: Sequence[Run]) -> list[str]:
    """Return each message of the successful jobs once, with the number of runs where it is not all of them."""
    done = [run.job for run in runs if run.job is not None and run.job.state == "Success"]
    counts = Counter(job.note for job in done if job.note)
    return [note if number == len(done) else f"{number} of {len(done)} runs: {note}" for note, number in counts.items()]


def count_text(runs: Sequence[Run]) -> str:
    """Return how many runs succeeded, and how many failed, as text."""
    failed = sum(run.is_over and not run.ok for run in runs)
    text = f"{sum(run.ok for run in runs)} of {len(runs)} succeeded"
    return f"{text}, {failed} failed" if failed else text


def skipped_text(skipped: Mapping[str, str]) -> str:
    """Return which jobs were not adopted and why, as the end of a sentence; of many the first three."""
    if not skipped:
        return ""
    jobs = "1 job was" if len(skipped) == 1 else f"{len(skipped)} jobs were"
    listed = "; ".join(f"{one}: {why.rstrip('.')}" for one, why in list(skipped.items())[:_NAMED])
    rest = f"; the others are in .skipped ({len(skipped) - _NAMED})" if len(skipped) > _NAMED else ""
    return f"; {jobs} not adopted ({listed}{rest})"


def reasons_html(title: str, reasons: Mapping[str, str]) -> str:
    """Return a small table of job ids and reasons; empty without any."""
    return str(table_html(reasons.items(), caption=bold(title), row_heads=True)) if reasons else ""


def alike(runs: Sequence[Run], shown: set[str]) -> dict[str, Any]:
    """Return path → value of what is the same in all runs, without the paths in `shown`."""
    return {path: value for path, value in values(runs[0].setting).items() if path not in shown} if runs else {}


def _note(run: Run) -> str:
    if run.error:
        return run.error
    return f"{run.job.code}: {run.job.message}" if run.job and run.state == "Failed" else ""


def _head(name: str) -> str:
    unit = unit_of(name)
    return f"{name} [{unit}]" if unit else name


def _is_number(column: pd.Series[Any]) -> bool:
    return bool(types.is_numeric_dtype(column) and not types.is_bool_dtype(column))


def _cell(df: pd.DataFrame, name: str, number: int, note: str) -> str:
    if name == "why":
        return note
    value: Any = df[name].iloc[number]
    if pd.isna(value):
        return value_html(in_words(df.iloc[[number]], name).iloc[0]) if name in SETTINGS else ""
    if isinstance(value, float) and name not in SETTINGS:
        return f"{value:.{DECIMALS.get(name, 2)}f}"
    return word_of(value)
