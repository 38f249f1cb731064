"""The score that verdicts and charts use when none is named: the most informative one that all runs have."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ci_notebook.model.scores import HEADLINES, MAIN
from ci_notebook.model.vmaf_v1 import mixed_models, of_vmaf_v1

__all__ = ["DefaultScore", "default_score"]


@dataclass(frozen=True, slots=True)
class DefaultScore:
    """The name of a score, and a sentence that says why it is not the usual one; empty where it is."""

    name: str
    note: str = ""


def default_score(df: pd.DataFrame) -> DefaultScore:
    """Return the score to judge the runs of a table by: the first of `HEADLINES` that every successful run has.

    That is `vmaf_v1`, or `vmaf_neg` where a run lacks it (small frames and older journals have no VMAF v1), or
    where the runs were scored with different models of it, whose scores cannot be compared. Where no score is present
    in all, it is the one that most of the runs have; where no run was scored, `vmaf_neg`.
    """
    rows = df[(df["state"] == "Success") & df["error"].isna()] if {"state", "error"} <= set(df.columns) else df
    why = mixed_models(rows["vmaf_v1_model"].dropna().unique()) if "vmaf_v1_model" in rows else ""
    counts = {score.name: int(rows[score.name].notna().sum()) for score in HEADLINES if score.name in rows}
    most = max(counts.values(), default=0)
    if not most:
        return DefaultScore(MAIN)
    usual = HEADLINES[0].name
    complete = [name for name, how_many in counts.items() if how_many == most and not (why and of_vmaf_v1(name))]
    chosen = complete[0] if complete else usual
    if chosen == usual:
        return DefaultScore(usual)
    if why and counts.get(usual) == most:
        return DefaultScore(chosen, f"{why.rstrip('.')}, so {chosen} is used.")
    missing = most - counts.get(usual, 0)
    runs = "No run has" if missing == most else f"{missing} of {most} runs {'has' if missing == 1 else 'have'} no"
    without = rows[rows[usual].isna()] if usual in rows else rows
    reason = " (score_note says why)" if "score_note" in rows and without["score_note"].notna().any() else ""
    return DefaultScore(chosen, f"{runs} {usual}{reason}, so {chosen} is used.")
