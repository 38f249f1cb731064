"""The runs of a sweep: `lab.run` returns them. A sequence that shows itself as a small table.

A part of the runs (a slice, `where`, `failed`) knows the same lab as the whole.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import pandas as pd

from ci_notebook._machine_errors import translates_errors
from ci_notebook.experiment.run_record import Run, each_once
from ci_notebook.model.clip_labels import run_clip_labels
from ci_notebook.model.declaration.paths import resolve, value_at
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.dataframe import differing, to_frame
from ci_notebook.results.outputs.run_files import RunFiles, download_runs
from ci_notebook.results.report.before_after import Views
from ci_notebook.results.report.html_report import Snapshot, report
from ci_notebook.results.run_table import SETTINGS, count_text, reasons_html, skipped_text, table
from ci_notebook.results.tables.table_files import runs_in, write_frame
from ci_notebook.results.verdict.verdict import Verdict


@translates_errors
class Runs(Sequence[Run]):
    """Runs in the order in which they were requested.

    `snapshot` takes a frame of a local file for the report. `sources` maps the object key of a clip, or its label in
    the table, to its file. `open_video` opens a video as `lab.frames` does, `local_file` returns its file,
    `source_of` the source of a run that has its content, and `video_files` finds and saves outputs. A lab passes
    all. Without the first two a report has no frames. `skipped` and `notes` come from
    `lab.adopt`. `runs + others` counts one run once: of the same job the record on the right stays.
    """

    def __init__(
        self,
        runs: Iterable[Run],
        *,
        snapshot: Snapshot | None = None,
        sources: Mapping[str, Path] | None = None,
        open_video: Callable[[Any], Any] | None = None,
        local_file: Callable[[Any], Path] | None = None,
        source_of: Callable[[Run], Any] | None = None,
        video_files: RunFiles | None = None,
        skipped: Mapping[str, str] | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        self._runs, self._snapshot, self._sources = tuple(runs), snapshot, dict(sources or {})
        self._open_video, self._local_file, self._source_of = open_video, local_file, source_of
        self._video_files = video_files
        self._skipped, self._notes = dict(skipped or {}), dict(notes or {})

    @property
    def sources(self) -> Mapping[str, Path]:
        """The local files of the clips by their object keys, as far as they are known.

        A file that has changed since it was uploaded is left out.
        """
        if self._source_of is None:
            return dict(self._sources)
        found = {run.clip_key: self._source_of(run) for run in self._runs if run.clip_key in self._sources}
        return {key: source for key, source in found.items() if isinstance(source, Path)}

    def source_of(self, run: Run) -> Any:
        """Return what `open_video` opens as the source of a run: its local file, else the object with its content."""
        return self._sources.get(run.clip_key) or run.clip_key if self._source_of is None else self._source_of(run)

    def _source_files(self) -> Mapping[str, Path]:
        """Return `sources`, with the stored object in place of a file that has changed since it was uploaded."""
        files = dict(self.sources)
        for run in self._runs:
            if run.clip_key in self._sources and run.clip_key not in files and self._local_file is not None:
                with contextlib.suppress(CIError):  # the object is gone too: the report shows no source
                    files[run.clip_key] = self._local_file(self.source_of(run))
        return files

    @property
    def video_files(self) -> Any:
        """The local files of the videos, for the views that play and save them; None for runs from a file."""
        return self._video_files

    @checks_keywords
    def download(self, folder: str | Path, *, overwrite: bool = False) -> pd.DataFrame:
        """Save the output of each run into a folder, which is created if necessary, and return a table of the files.

        A name consists of the clip and what differs between the runs: `holiday-SharpenLevel-5.mp4`. If two names
        would be the same, the end of the job id is added. Outputs come from the lab's cache, or are downloaded. A file
        with the same content is left as it is, so the same call resumes.

        The table has one row per run: `clip`, `setting` (what differs), `job_id`, `path` (missing if nothing was
        saved), `size_bytes`, and `problem`, which says why a run was skipped. Nothing is written and `ParameterError`
        is raised if a file exists with other content (unless `overwrite`), or for runs that know no lab.

        >>> import tempfile
        >>> import ci_notebook as ci
        >>> lab = ci.connect()
        >>> runs = lab.run(lab.upload(ci.sample("city")), {"SharpenLevel": 5}, scores=False)
        >>> table = runs.download(tempfile.mkdtemp())
        >>> table["path"][0].rpartition("/")[2]
        'city-SharpenLevel-5.mp4'
        """
        return download_runs(self._runs, Path(folder), self._video_files, overwrite=overwrite)

    @property
    def skipped(self) -> Mapping[str, str]:
        """Job id (or name of a file) → the reason why `lab.adopt` made no run of it."""
        return dict(self._skipped)

    @property
    def notes(self) -> Mapping[str, str]:
        """Job id → what the run of an adopted job does not show, such as watermarks."""
        return dict(self._notes)

    def open_video(self, video: Any) -> Any:
        """Return the frames of a run, of a clip or of an object key by their numbers, as `lab.frames` does.

        Raises `ParameterError` for runs that were read from a file, since they know no lab.
        """
        if self._open_video is None:
            raise ParameterError.plain(
                "These runs were read from a file, so they know no lab that could open a video. Use lab.frames(video)."
            )
        return self._open_video(video)

    def frames(self, video: Any) -> Any:
        """Return what `open_video` returns. Deprecated: `to_frame` means another kind of frame."""
        warnings.warn(
            "Runs.frames(video) is now called Runs.open_video(video); the old name goes with the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.open_video(video)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per run (see `results.dataframe.to_frame` for the columns)."""
        return to_frame(self._runs)

    def save(self, path: str | Path, *, excel: bool = False) -> Path:
        """Write the table as CSV, Parquet or Excel (.xlsx), by the ending of `path`. `read_runs` reads it back.

        Returns the path. Parquet and Excel need the extra `tables`. With `excel` it is CSV that Excel opens by a double
        click, for people and not for reading back.
        """
        return write_frame(self.to_frame(), path, excel=excel)

    @checks_keywords
    def report(
        self,
        path: str | Path,
        *,
        question: str = "",
        verdicts: Iterable[Verdict] | None = None,
        pictures: Views | None = None,
        snapshot: Snapshot | None = None,
        sources: Mapping[str, Path] | None = None,
        setup: str = "",
    ) -> Path:
        """Write one self-contained HTML file about the runs and return its path.

        `question` is the headline; by default it is made from what varies. `verdicts` are those to show; by
        default every value of what varies is compared with the lowest one, and an empty list shows none.
        `pictures` maps a heading to `(label, JPEG)` pairs that are shown one at a time; by default they are
        taken with `snapshot` from the outputs and from `sources`. `setup` is the line of Python that makes the
        `lab` of the recipe.
        """
        return report(
            self._runs, path, question=question, verdicts=verdicts, pictures=pictures,
            snapshot=self._snapshot if snapshot is None else snapshot,
            sources=self._source_files() if sources is None else sources, setup=setup,
        )  # fmt: skip

    def _with(self, runs: Iterable[Run]) -> Runs:
        return Runs(
            runs, snapshot=self._snapshot, sources=self._sources, open_video=self._open_video,
            local_file=self._local_file, source_of=self._source_of, video_files=self._video_files,
        )  # fmt: skip

    def where(self, clip: str | None = None, /, **leaves: Any) -> Runs:
        """Return the runs in which each leaf has the given value, or one of a list of values.

        `clip` is the label of a clip in the table, its name or its object key. A leaf is named as in `grid`; None
        means that it was left out. Raises `ParameterError` for an unknown leaf.

        >>> Runs([]).where(SharpenLevel=[0, 5])
        <Runs: 0 of 0 succeeded>
        """
        conditions = [
            (resolve(VideoEnhance, name), value if isinstance(value, list) else [value])
            for name, value in leaves.items()
        ]
        return self._with(
            run
            for run, label in zip(self._runs, run_clip_labels(self._runs), strict=True)
            if clip in (None, label, run.clip, run.clip_key)
            and all(value_at(run.setting, leaf) in values for leaf, values in conditions)
        )

    @property
    def failed(self) -> Runs:
        """The runs whose job failed, or for which sending, fetching or scoring failed."""
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
        runs = self._with(each_once((*self._runs, *other)))
        others = [self, other] if isinstance(other, Runs) else [self]
        adopted = {run.job.job_id for run in runs if run.job}
        runs._skipped = {one: why for part in others for one, why in part.skipped.items() if one not in adopted}
        runs._notes = {one: note for part in others for one, note in part.notes.items()}
        return runs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Runs) and self._runs == other._runs

    __hash__ = None  # type: ignore[assignment]  # the scores of a run are in a dict, which has no hash

    def __repr__(self) -> str:
        varied = [name for name in differing(self.to_frame()).columns if name in SETTINGS] if len(self) > 1 else []
        over = f" over {', '.join(varied)}" if varied else ""
        return f"<Runs: {count_text(self._runs)}{over}{skipped_text(self._skipped)}>"

    def _repr_html_(self) -> str:
        return table(self._runs) + reasons_html("Not adopted", self._skipped) + reasons_html("Notes", self._notes)


def read_runs(path: str | Path) -> Runs:
    """Return the runs of a journal (`journal.sqlite`), or those that `save` wrote as CSV, Parquet or Excel.

    A journal gives everything that is known. A saved table has no scores per frame, no outputs and no
    `unlisted` texts; otherwise the runs give the table that was written. Raises `MissingFile`.
    """
    return Runs(runs_in(Path(path)))
