"""`score`: compare any two local files, as `lab.run` compares an output with its source. Needs no lab and no job."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ci_notebook._folders import readable_file
from ci_notebook.lab.arguments import whole_number
from ci_notebook.lab.pictures import measure
from ci_notebook.lab.previews import INSTALL
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.vmaf_v1 import Screen, check_screen
from ci_notebook.results.progress_bar import Progress
from ci_notebook.results.score.file_scores import FileScores

__all__ = ["score"]


@checks_keywords
def score(
    output: str | Path,
    reference: str | Path,
    *,
    every: int | None = None,
    start_s: float = 0.0,
    length_s: float | None = None,
    precise: bool = False,
    screen: Screen | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> FileScores:
    """Return the scores of a video file against another one: its source, or a true reference.

    The numbers are those that `lab.run` gives for the same files. All frames are scored, or at most 350 of a longer
    clip; `every` 5 scores every fifth. `start_s` and `length_s` (seconds) are the part of the reference that the
    output shows; the offset and the crop are found. `precise` computes VMAF in floating point.
    `screen` ("tv", "tv_3h" or "phone") demands VMAF v1 for that screen. `on_progress` gets the share from 0 to 1, in
    place of a bar. It takes about 93 ms of two cores per scored 1080p frame. Runs FFmpeg here; sends nothing.

    >>> import ci_notebook as ci
    >>> ci.score(ci.sample("city"), ci.sample("city"), every=25)["ssim"]
    1.0

    Raises `ParameterError` for a missing file and a wrong argument, and `EngineError` if a file is not a video, the
    comparison has no meaning, or FFmpeg is missing.
    """
    files = [_file(name, value) for name, value in (("output", output), ("reference", reference))]
    options: dict[str, Any] = {"precise": True} if precise else {}
    check_screen(screen)
    if screen is not None:
        options["screen"] = screen
    if every is not None:
        options["every"] = whole_number("every", every)
    if _seconds("start_s", start_s):
        options["start_s"] = float(start_s)
    if length_s is not None and _seconds("length_s", length_s) is not None:
        options["length_s"] = float(length_s)
    if on_progress is not None:
        return _measured(files[0], files[1], options | {"on_progress": on_progress})
    with Progress(f"Scoring {files[0].name}", total=1) as progress:
        result = _measured(files[0], files[1], options | {"on_progress": lambda share: progress.update(min(share, 1))})
        progress.update(1)
        return result


def _measured(output: Path, reference: Path, options: dict[str, Any]) -> FileScores:
    try:
        found = measure(output, reference, **options)
    except ImportError as error:
        if (error.name or "").startswith("ci_notebook"):
            raise
        raise EngineError(
            f"Scores are computed on this machine, and {error.name} is not installed. Install it: {INSTALL}"
        ) from error
    except OSError as error:  # removed meanwhile, or the disk is full
        raise EngineError(f"The files cannot be scored: {error.strerror or error}.") from error
    return FileScores(
        output=output, reference=reference, scores=dict(found.pooled), frames=dict(found.pictures), every=found.every,
        precise=found.precise, alignment=found.alignment, screen=found.screen, vmaf_v1_model=found.vmaf_v1_model,
        note=found.note,
    )  # fmt: skip


def _file(name: str, value: object) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise ParameterError.plain(
            f"ci.score() compares two local files: {name} is {value!r:.80}. "
            "lab.adopt(job) scores the output of a job, and lab.run() that of a setting."
        )
    try:
        path = Path(value)
        if path.is_dir():
            raise ParameterError.plain(f"{str(path)!r} is a folder. Name one video file.")
        with readable_file(path).open("rb") as file:
            file.read(1)
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, ParameterError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ParameterError.plain(f"{str(value)!r:.80} cannot be read: {reason}.") from error
    return path


def _seconds(name: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    least = 0.0 if name == "start_s" else math.ulp(0.0)
    if not is_number or not least <= float(value) < math.inf:  # type: ignore[arg-type]  # a number, as checked
        raise ParameterError(name, value, f"a number of seconds, {'0 or more' if name == 'start_s' else 'above 0'}")
    return float(value)  # type: ignore[arg-type]  # as above
