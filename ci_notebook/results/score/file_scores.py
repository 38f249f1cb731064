"""Scores of one file against another: the result of `ci.score`, shown as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import pandas as pd

from ci_notebook.model.html import Markup, bold, table_html
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.scores import HEADLINES, SCORES, Score, with_differences

__all__ = ["FileScores"]


@dataclass(frozen=True, kw_only=True)
class FileScores:
    """The scores of the file `output` against the file `reference`.

    `scores` maps the name of a score to its value for the whole clip, as in `Run.scores`; `frames` maps it to one
    value for every `every`-th compared frame. `precise` means that VMAF was computed in floating point. `alignment`
    says which frames, and which part of them, were compared. `vmaf_v1_model` is the model of VMAF v1 for the `screen`,
    empty without VMAF v1; `note` says why, or what it does not see.
    """

    output: Path
    reference: Path
    scores: Mapping[str, float]
    frames: Mapping[str, tuple[float, ...]] = field(repr=False)
    every: int
    precise: bool = False
    alignment: Alignment | None = None
    screen: str = ""
    vmaf_v1_model: str = ""
    note: str = ""

    def __getitem__(self, name: str) -> float:
        """Return a score by its name. Raises `KeyError`."""
        return self.scores[name]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per scored frame.

        `frame` (Int64) counts the compared frames from 0, `time_s` (Float64) is its time from the first of them, at
        the compared rate, and missing where that is not known. Each score with values per frame has a Float64 column.
        """
        count = max(map(len, self.frames.values()), default=0)
        numbers = [self.every * place for place in range(count)]
        fps = self.alignment.fps if self.alignment else 0.0
        times = [number / fps if fps else None for number in numbers]
        return pd.DataFrame(
            {"frame": pd.array(numbers, dtype="Int64"), "time_s": pd.array(times, dtype="Float64")}
            | {name: pd.array(values, dtype="Float64") for name, values in self.frames.items()}
        )

    def table(self) -> Iterator[tuple[Score, float, str]]:
        """Yield each score that was computed, with its value and the value of its worst frame in words, if any."""
        values = with_differences(self.scores)
        for score in SCORES:
            if score.name in values:
                worst = values.get(f"{score.name}_worst")
                yield score, values[score.name], "" if worst is None else f"{worst:.{score.decimals}f}"

    @property
    def about(self) -> str:
        """How the scores were made, as one sentence."""
        every = "every frame" if self.every == 1 else f"every {self.every}th frame" if self.every > 3 else ""
        every = every or {2: "every second frame", 3: "every third frame"}.get(self.every, "")
        parts = [
            every, "VMAF in floating point" if self.precise else "",
            f"VMAF v1 with the model {self.vmaf_v1_model}" if self.vmaf_v1_model else "", str(self.alignment or ""),
        ]  # fmt: skip
        text = "; ".join(part for part in parts if part)
        return " ".join(part for part in (f"{text[:1].upper()}{text[1:]}." if text else "", self.note) if part)

    def __repr__(self) -> str:
        shown = [score for score in HEADLINES if score.name in self.scores][:4]
        values = ", ".join(f"{one.label} {_in_unit(one, self.scores[one.name])}" for one in shown)
        return f"<FileScores of {self.output.name} against {self.reference.name}: {values}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, ...]] = [
            (score.name, _in_unit(score, value), worst, score.better, score.help)
            for score, value, worst in self.table()
        ]
        title = f"{bold(f'{self.output.name} against {self.reference.name}')} · {escape(self.about)}"
        return table_html(
            rows, head=("score", "mean", "worst frame", "better", "meaning"), caption=Markup(title), numeric=(1, 2),
            row_heads=True,
        )  # fmt: skip


def _in_unit(score: Score, value: float) -> str:
    return f"{value:.{score.decimals}f}{f' {score.unit}' if score.unit else ''}"
