"""Runs: what `lab.run` gives back. A sequence that shows itself as a small table and turns into a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.declaration.paths import resolve, value_at
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.dataframe import differing, to_frame
from ci_notebook.results.report.html_report import Snapshot, report
from ci_notebook.results.run_table import SETTINGS, counted, table
from ci_notebook.results.table_files import runs_in, write_frame
from ci_notebook.results.verdict.verdict import Verdict


class Runs(Sequence[Run]):
    """Runs in the order they were asked for.

    `snapshot` takes a picture of a local file for the report, `sources` maps a clip's name to its
    file, `frames` opens a video as `lab.frames` does; a lab gives all three. Without the first two a
    report has no pictures.
    """

    def __init__(
        self,
        runs: Iterable[Run],
        *,
        snapshot: Snapshot | None = None,
        sources: Mapping[str, Path] | None = None,
        frames: Callable[[Any], Any] | None = None,
    ) -> None:
        self._runs, self._snapshot, self._sources = tuple(runs), snapshot, dict(sources or {})
        self._frames = frames

    @property
    def sources(self) -> Mapping[str, Path]:
        """The files of the clips, by the clips' names, as far as they are known."""
        return dict(self._sources)

    def frames(self, video: Any) -> Any:
        """Return the pictures of a run, of a clip or of a key, as `lab.frames` does.

        Raises `ParameterError` for runs that were read from a file, for they know no lab.
        """
        if self._frames is None:
            raise ParameterError(
                "frames of runs", video, "runs that a lab made", "These were read from a file: use lab.frames."
            )
        return self._frames(video)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a run (see `results.frame.to_frame` for the columns)."""
        return to_frame(self._runs)

    def save(self, path: str | Path, *, excel: bool = False) -> Path:
        """Write the frame as CSV or Parquet, by the ending of `path`, and return it. `read_runs` reads it back.

        With `excel` it is CSV as Excel opens it by a double click, for people and not for reading back.
        """
        return write_frame(self.to_frame(), path, excel=excel)

    @checks_keywords
    def report(
        self, path: str | Path, *, question: str = "", verdicts: Iterable[Verdict] | None = None,
        pictures: Mapping[str, Sequence[tuple[str, bytes]]] | None = None, snapshot: Snapshot | None = None,
        sources: Mapping[str, Path] | None = None, setup: str = "",
    ) -> Path:  # fmt: skip
        """Write one self-contained HTML file about the runs and return its path.

        `question` is the headline. `verdicts` are those to show: by default one for each value that varies. `pictures`
        maps a heading to (label, JPEG) pairs; by default frames of the outputs and of `sources` (clip name → local
        file). `setup` is the Python line that creates the `lab` of the report's recipe.
        """
        return report(
            self._runs, path, question=question, verdicts=verdicts, pictures=pictures, setup=setup,
            snapshot=self._snapshot if snapshot is None else snapshot,
            sources=self._sources if sources is None else sources,
        )  # fmt: skip

    def _with(self, runs: Iterable[Run]) -> Runs:
        return Runs(runs, snapshot=self._snapshot, sources=self._sources, frames=self._frames)

    def where(self, clip: str | None = None, /, **leaves: Any) -> Runs:
        """Return the runs on `clip` (its name) in which each leaf has the value, or one of the list of values, given.

        A leaf is named as in `grid`; None is for where it was left out. Raises `ParameterError` for no such leaf.

        >>> Runs([]).where(SharpenLevel=[0, 5])
        <Runs: 0 of 0 succeeded>
        """
        wanted = [(resolve(VideoEnhance, name), value) for name, value in leaves.items()]
        return self._with(
            run
            for run in self._runs
            if clip in (None, run.clip)
            and all(value_at(run.setting, leaf) in (v if isinstance(v, list) else [v]) for leaf, v in wanted)
        )

    @property
    def failed(self) -> Runs:
        """The runs whose job failed, or around which something went wrong."""
        return self._with(run for run in self._runs if run.is_over and not run.ok)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        return self._with(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __add__(self, other: Iterable[Run]) -> Runs:
        return self._with((*self._runs, *other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Runs) and self._runs == other._runs

    __hash__ = None  # type: ignore[assignment]  # runs hold scores, which are no constants

    def __repr__(self) -> str:
        over = [name for name in differing(self.to_frame()).columns if name in SETTINGS] if len(self) > 1 else []
        about = f" over {', '.join(over)}" if over else ""
        return f"<Runs: {counted(self._runs)}{about}>"

    def _repr_html_(self) -> str:
        return table(self._runs)


def read_runs(path: str | Path) -> Runs:
    """Return the runs of a journal (`journal.sqlite`), or those that `save` wrote as CSV or Parquet.

    A journal gives all that is known. A saved frame has no values of single pictures and no outputs,
    and what was `unlisted` is gone; the frame of what is read is otherwise the frame that was
    written. Raises `FileNotFoundError`.
    """
    return Runs(runs_in(Path(path)))
