"""Runs: what `lab.run` gives back. A sequence that shows itself as a small table and turns into a frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, Final, overload

import numpy as np
import pandas as pd

from ci_notebook.experiment.record import Run
from ci_notebook.model.paths import values
from ci_notebook.results.frame import differing, setting_columns, to_frame, unit_of

# Decimals that mean something: the third digit of a VMAF differs between two machines.
DECIMALS: Final = {"ssim": 4, "contrast": 3, "sharpness": 1, "cost_cny": 4}
# Wider is no better: the other scores stand in the frame.
SHOWN_SCORES: Final = ("psnr", "ssim", "vmaf", "vmaf_neg", "vmaf_minus_neg", "sharpness")


class Runs(Sequence[Run]):
    """Runs in the order they were asked for."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = tuple(runs)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a run (see `results.frame.to_frame` for the columns)."""
        return to_frame(self._runs)

    @property
    def failed(self) -> Runs:
        """The runs whose job failed, or around which something went wrong."""
        return Runs(run for run in self._runs if run.is_over and not run.ok)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __add__(self, other: Iterable[Run]) -> Runs:
        return Runs((*self._runs, *other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Runs) and self._runs == other._runs

    __hash__ = None  # type: ignore[assignment]  # runs hold scores, which are no constants

    def __repr__(self) -> str:
        over = [name for name in differing(self.to_frame()).columns if name in _SETTINGS] if len(self) > 1 else []
        about = f" over {', '.join(over)}" if over else ""
        return f"<Runs: {self._count()}{about}>"

    def _count(self) -> str:
        done = sum(run.ok for run in self._runs)
        failed = len(self.failed)
        text = f"{done} of {len(self)} succeeded"
        return f"{text}, {failed} failed" if failed else text

    def _repr_html_(self) -> str:
        df = self.to_frame()
        shown = [*differing(df[["clip", *setting_columns()]]).columns] if len(df) > 1 else ["clip"]
        facts = [name for name in ("width", "height", "size_bytes", "cost_cny") if df[name].notna().any()]
        scores = [name for name in SHOWN_SCORES if df[name].notna().any()]
        heads = [*shown, "state", *facts, *scores]
        notes = [_note(run) for run in self._runs]
        if any(notes):
            heads.append("why")
        rows = "".join(
            f"<tr><th scope='row'>{number + 1}</th>"
            + "".join(_cell(df, name, number, notes[number]) for name in heads)
            + "</tr>"
            for number in range(len(df))
        )
        head = "".join(f"<th scope='col'>{escape(_head(name))}</th>" for name in heads)
        caption = f"<b>{escape(self._count())}</b>{self._alike(set(shown))}"
        return (
            f"<table><caption style='text-align:left'>{caption}</caption>"
            f"<thead><tr><th scope='col'>#</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _alike(self, shown: set[str]) -> str:
        """Say what is set alike in all runs."""
        if not self._runs:
            return ""
        common = {path: value for path, value in values(self._runs[0].setting).items() if path not in shown}
        return escape("; the same in all: " + ", ".join(f"{k} {v}" for k, v in common.items())) if common else ""


_SETTINGS: Final = frozenset(setting_columns())


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
        word = "AUTO" if is_auto else "left out" if name in _SETTINGS else ""
        return f"<td style='text-align:left'><em>{word}</em></td>"
    if isinstance(value, (bool, np.bool_)):
        return f"<td style='text-align:left'>{str(bool(value)).lower()}</td>"
    text = f"{value:.{DECIMALS.get(name, 2)}f}" if isinstance(value, float) and name not in _SETTINGS else f"{value}"
    return f"<td style='text-align:right'>{text}</td>"
