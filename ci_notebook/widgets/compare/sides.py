"""Sides of a comparison: which videos can be shown, and a name for each that says how it differs from the others.

Invariant: nothing is opened here. A side says what to open, and at which time of its clip it starts, because a run may
contain only a part of its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.clip_labels import ClipIdentity, clip_labels
from ci_notebook.model.clip_summary import summary_of
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import main_score
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.words import distinct_names, settings_in_words
from ci_notebook.model.vmaf_v1 import mixed_models, of_vmaf_v1
from ci_notebook.widgets.clip_titles import content_of
from ci_notebook.widgets.ports import (
    ComparableClip,
    ComparableJob,
    ComparableRun,
    ComparableRuns,
    CompareLab,
    RunsWithSources,
)
from ci_notebook.widgets.shared.clip_lines import known_line

__all__ = ["MAX_SHOWN", "CompareSide", "main_score_of", "opener_of", "sides_of"]

MAX_SHOWN: Final = 4


def opener_of(first: CompareLab | ComparableRuns) -> Callable[[Any], Any]:
    """Return the function that opens a video: `open_video` of runs, `frames` of a lab."""
    return first.open_video if isinstance(first, ComparableRuns) else first.frames


@dataclass(frozen=True)
class CompareSide:
    """One video. `video` is an argument for `CompareLab.frames`; `start_s` is the time of its clip at which it starts.

    `about` is a line with its size, rate, length, codec and sound, "" where they are not at hand. `frame_scores` maps a
    score to one number for every `every`-th frame.
    """

    name: str
    clip: str
    video: Any
    is_source: bool = False
    start_s: float = 0.0
    setting: VideoEnhance | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    frame_scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    every: int = 0
    about: str = ""


def sides_of(
    first: CompareLab | ComparableRuns, videos: Iterable[Any] | None
) -> tuple[list[CompareSide], list[int], int]:
    """Return all sides, the numbers of those shown first, and the number of runs without an output.

    The source of each run comes before the run. Raises `ParameterError` for fewer than two sides.
    """
    if videos is not None:
        items = list(videos)
    elif isinstance(first, ComparableRuns):
        items = list(first)
    else:
        raise ParameterError.plain(
            f"CompareView cannot compare a {type(first).__name__}. Write CompareView(runs) with the runs of a lab, "
            "or CompareView(lab, videos)."
        )
    if not isinstance(first, CompareLab | ComparableRuns):
        raise ParameterError.plain(
            f"The first argument of CompareView must be a lab or the runs of a lab, not a {type(first).__name__}. "
            "For runs read from a file write CompareView(lab, runs)."
        )
    found = [_side(item) for item in items]
    without_output = sum(side is None for side in found)
    existing = _by_model(_labelled([side for side in found if side is not None]))
    knows = next((one for one in (videos, first) if isinstance(one, RunsWithSources)), None)
    files = first.sources if isinstance(first, ComparableRuns) else {}
    sides = _named(_with_sources(existing, files, knows))
    if len(sides) < 2:
        hint = " Runs that failed have no output." if without_output else ""
        raise ParameterError.plain(
            f"CompareView needs at least two videos; {len(sides)} of {len(items)} can be shown.{hint}"
        )
    listed = [at for at, side in enumerate(sides) if videos is not None and any(side.video is one for one in items)]
    return sides, listed if 2 <= len(listed) <= MAX_SHOWN else _shown_first(sides), without_output


def _by_model(sides: list[CompareSide]) -> list[CompareSide]:
    """Return the sides. Where models of VMAF v1 differ, each counts as a separate score, with the name of the model."""
    models = [side.video.vmaf_v1_model if isinstance(side.video, ComparableRun) else "" for side in sides]
    if not mixed_models(models):
        return sides
    return [
        replace(
            side,
            scores={model if of_vmaf_v1(name) else name: one for name, one in side.scores.items()},
            frame_scores={model if of_vmaf_v1(name) else name: one for name, one in side.frame_scores.items()},
        )
        for side, model in zip(sides, models, strict=True)
    ]


def _side(video: Any) -> CompareSide | None:
    """Return the side of one video; None for a run without an output."""
    if isinstance(video, ComparableRun):
        has_output = video.output is not None or bool(video.job and video.job.output_keys)
        if not has_output:
            return None
        return CompareSide(
            "", video.clip, video, start_s=_start(video.setting), setting=video.setting, scores=video.scores,
            frame_scores=video.pictures, every=max(1, video.every), about=_about(video.job),
        )  # fmt: skip
    if isinstance(video, ComparableJob):
        source = video.detail.input.object if video.detail.input else ""
        setting = video.setting or VideoEnhance()
        return CompareSide("", Path(source or "").name, video, start_s=_start(setting), setting=setting,
                           about=_about(video.detail))  # fmt: skip
    if isinstance(video, ComparableClip):
        return CompareSide("source", video.name or video.key, video, is_source=True, about=known_line(video))
    if isinstance(video, (str, Path)):
        return CompareSide(Path(video).name, "", video)
    raise ParameterError.plain(
        f"CompareView cannot show a {type(video).__name__}. It shows clips, jobs, runs, object keys and Paths."
    )


def _labelled(sides: Sequence[CompareSide]) -> list[CompareSide]:
    """Call each clip by its label, so that two clips of one name stay two."""
    shown = [side for side in sides if side.clip]
    labels = iter(clip_labels([_identity(side) for side in shown]))
    return [replace(side, clip=next(labels)) if side.clip else side for side in sides]


def _identity(side: CompareSide) -> ClipIdentity:
    video = side.video
    if isinstance(video, ComparableRun):
        return ClipIdentity(side.clip, video.clip_key, video.clip_md5)
    if isinstance(video, ComparableClip):
        return ClipIdentity(side.clip, video.key, content_of(video))
    source = video.detail.input.object if isinstance(video, ComparableJob) and video.detail.input else ""
    return ClipIdentity(side.clip, source or "")


def _with_sources(
    existing: Sequence[CompareSide], files: Mapping[str, Path], knows: RunsWithSources | None
) -> list[CompareSide]:
    """Insert the source of each clip once, before its first run."""
    sides: list[CompareSide] = [side for side in existing if side.is_source]
    clips = {side.clip for side in sides}
    for side in existing:
        run = side.video
        if isinstance(run, ComparableRun) and run.clip_key and side.clip not in clips:
            clips.add(side.clip)
            file = files.get(run.clip_key) or files.get(side.clip)
            video = file or (knows.source_of(run) if knows is not None else run.clip_key)
            sides.append(CompareSide("source", side.clip, video, is_source=True, about=known_line(video)))
        if not side.is_source:
            sides.append(side)
    return sides


def _named(sides: Sequence[CompareSide]) -> list[CompareSide]:
    """Name each run by the parameters in which the runs differ, with the clip first if there are several."""
    numbers = [number for number, side in enumerate(sides) if side.setting is not None]
    settings = [values(side.setting) for side in sides if side.setting is not None]
    names = dict(zip(numbers, settings_in_words(settings), strict=True))
    files = {number: str(side.video) for number, side in enumerate(sides) if isinstance(side.video, str | Path)
             and not side.is_source}  # fmt: skip
    names |= dict(zip(files, distinct_names(list(files.values())), strict=True))
    has_clips = len({side.clip for side in sides if side.clip}) > 1
    named, uses = list[CompareSide](), dict[str, int]()
    for number, side in enumerate(sides):
        name = names.get(number, side.name)
        name = f"{side.clip}: {name}" if has_clips and side.clip else name
        uses[name] = uses.get(name, 0) + 1
        named.append(replace(side, name=name if uses[name] == 1 else f"{name} ({uses[name]})"))
    return named


def _about(job: JobsDetail | None) -> str:
    """Return the properties of the output of a job in one line, as the service has reported them."""
    info = job.operation.media_info if job and job.operation else None
    return str(summary_of(info)) if info else ""


def _start(setting: VideoEnhance) -> float:
    interval = setting.transcode.time_interval if setting.transcode else None
    start = interval.start if interval else None
    return float(start) if isinstance(start, int | float) else 0.0


def _shown_first(sides: Sequence[CompareSide]) -> list[int]:
    """Return the source and all runs of the first clip; of too many, the source and the run with the best score."""
    clip = sides[0].clip
    own = [at for at, side in enumerate(sides) if side.clip == clip]
    if 2 <= len(own) <= MAX_SHOWN:
        return own
    if len(own) < 2:
        return [0, 1]
    score = main_score_of([sides[at].scores for at in own])
    return [own[0], max(own[1:], key=lambda at: sides[at].scores.get(score, float("-inf")))]


def main_score_of(scores: Iterable[Mapping[str, object]]) -> str:
    """Return the most telling score that all sides with scores have; "" without one."""
    names = [set(one) for one in scores if one]
    return main_score(set.intersection(*names)) if names else ""
