"""Saves the outputs of runs under readable names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.setting.words import settings_in_words

__all__ = ["RunFiles", "download_runs"]

_DTYPES: Final = {
    "clip": "string", "setting": "string", "job_id": "string", "path": "string", "size_bytes": "Int64",
    "problem": "string",
}  # fmt: skip


class RunFiles(Protocol):
    """Names and saves the outputs of runs."""

    def names(self, videos: Iterable[Any]) -> list[str]:
        """Return a readable file name for each."""

    def save(self, run: Run, folder: Path, name: str, *, overwrite: bool, only_check: bool = False) -> Path:
        """Save the output of a run; with `only_check` only raise the errors that are known before."""


def download_runs(runs: Sequence[Run], folder: Path, files: RunFiles | None, *, overwrite: bool) -> pd.DataFrame:
    """Save the outputs of runs into a folder and return a table of the files (see `Runs.download`)."""
    if files is None:
        raise ParameterError.plain(
            "These runs were read from a file, so they know no lab that could fetch their outputs. "
            "Use lab.runs().download(folder)."
        )
    folder = folder.expanduser()
    if folder.exists() and not folder.is_dir():
        raise ParameterError.plain(f"{str(folder)!r} is a file. Choose a folder.")
    done = [run for run in runs if _problem(run) is None]
    names = dict(zip(map(id, done), files.names(done), strict=True))
    for run in done:
        files.save(run, folder, names[id(run)], overwrite=overwrite, only_check=True)
    settings = settings_in_words([values(run.setting) for run in runs])
    rows = []
    for run, setting in zip(runs, settings, strict=True):
        path, problem = None, _problem(run) or ""
        if not problem:
            try:
                path = files.save(run, folder, names[id(run)], overwrite=overwrite)
            except ParameterError:
                raise
            except CIError as error:  # one output is gone: the others are saved all the same
                problem = str(error)
        job_id = (run.job.job_id or "") if run.job else ""
        size = path.stat().st_size if path is not None else None
        rows.append((run.clip, setting, job_id, str(path) if path is not None else None, size, problem))
    return pd.DataFrame(rows, columns=list(_DTYPES)).astype(_DTYPES)


def _problem(run: Run) -> str | None:
    """Return why a run has no output; None if it has one."""
    if run.output is not None or (run.job is not None and run.job.output_keys):
        return None
    job = run.job
    if run.error:
        return run.error
    if job is None:
        return "The run was not sent."
    if job.state == "Failed":
        return f"The job failed: {job.code}: {job.message}"
    return f"The job has no output; its state is {job.state}."
