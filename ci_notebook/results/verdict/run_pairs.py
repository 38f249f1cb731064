"""Pairs of runs on the same clip that differ in one parameter only, compared frame by frame.

A clip that cannot be paired is left out, and the result names it with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.clip_labels import clip_id, run_clip_labels
from ci_notebook.model.declaration.paths import resolve, with_value
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import SCORE, SCORES, Scale
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.vmaf_v1 import mixed_models, of_vmaf_v1
from ci_notebook.results.labels import in_words

# A codec may drop the last frame or two; if more are missing, the frames do not correspond.
SLACK: Final = 2


@dataclass(frozen=True, slots=True)
class ClipDifference:
    """The differences of one clip, second value minus first: one per frame, or a single one for the whole clip.

    `every` is the distance of the frames; 0 for a single difference. `is_known` says that the mean is that of the
    clip itself: all frames were scored, or the number belongs to the whole clip, as its size does.
    """

    clip: str
    values: tuple[float, ...]
    every: int = 0
    is_known: bool = False

    @property
    def mean(self) -> float:
        """The mean over the frames."""
        return float(np.mean(self.values))


@dataclass(frozen=True, slots=True)
class Pairs:
    """The paired clips, and the reasons why others were left out. `used` are the indices of the paired runs."""

    clips: tuple[ClipDifference, ...] = ()
    left_out: tuple[str, ...] = ()
    used: tuple[int, ...] = ()


def values_per_frame(run: Run, score: str) -> tuple[float, ...]:
    """Return the values of a score, one per frame; empty where only the value of the whole clip is known."""
    declared = SCORE.get(score)
    if declared is not None and declared.minus is not None and score not in run.pictures:
        first, second = (run.pictures.get(name, ()) for name in declared.minus)
        return tuple(a - b for a, b in zip(first, second, strict=False))
    return tuple(run.pictures.get(score, ()))


def pair(runs: Sequence[Run], df: pd.DataFrame, path: str, first: str, second: str, *, on: str, scale: Scale) -> Pairs:
    """Return the paired differences of `on`, per clip, between two values (in words) of the leaf at `path`.

    `df` is the table of the runs. Where other parameters vary too, the difference of a clip is the mean over them.
    Raises `ParameterError` for values that the runs do not have.
    """
    leaf, at, compared = resolve(VideoEnhance, path), in_words(df, path), (first, second)
    for word in compared:
        if word not in set(at):
            present = ", ".join(dict.fromkeys(at))
            raise ParameterError.plain(f"No run has {path} {word}. The runs have {present or 'no values'}.")
    if first == second:
        raise ParameterError.plain(f"{path} {first} was compared with itself. Name two different values.")
    by_clip: dict[str, dict[VideoEnhance, dict[str, int]]] = {}
    for number, run in enumerate(runs):
        if at.iloc[number] in compared:
            rest = with_value(run.setting, leaf, None)
            by_clip.setdefault(clip_id(run), {}).setdefault(rest, {})[str(at.iloc[number])] = number
    return _pairs(runs, df[on], by_clip, _Sides(compared, on, scale))


@dataclass(frozen=True, slots=True)
class _Sides:
    words: tuple[str, str]
    on: str
    scale: Scale


def _pairs(
    runs: Sequence[Run],
    whole: pd.Series[Any],
    by_clip: Mapping[str, Mapping[VideoEnhance, Mapping[str, int]]],
    sides: _Sides,
) -> Pairs:
    clips, left_out, used = [], [], list[int]()
    labels = run_clip_labels(runs)
    for settings in by_clip.values():
        parts: list[ClipDifference] = []
        name = labels[next(iter(next(iter(settings.values())).values()))]
        for numbers in settings.values():
            difference = _difference(name, runs, whole, numbers, sides)
            if isinstance(difference, str):
                left_out.append(f"{name}: {difference}")
            else:
                parts.append(difference)
                used += [numbers[word] for word in sides.words]
        if parts:
            clips.append(_joined(name, parts))
    mixed = mixed_models(runs[number].vmaf_v1_model for number in used) if of_vmaf_v1(sides.on) else ""
    if mixed:
        return Pairs((), (*dict.fromkeys(left_out), mixed.rstrip(".")))
    return Pairs(tuple(clips), tuple(dict.fromkeys(left_out)), tuple(used))


def _difference(
    clip: str, runs: Sequence[Run], whole: pd.Series[Any], numbers: Mapping[str, int], sides: _Sides
) -> ClipDifference | str:
    """Return the differences of one pair, or the reason why there is no pair."""
    why = _unusable(runs, numbers, sides.words)
    if why:
        return why
    a, b = (runs[numbers[word]] for word in sides.words)
    if of_vmaf_v1(sides.on) and (why := mixed_models([a.vmaf_v1_model, b.vmaf_v1_model])):
        return why.rstrip(".")
    first, second = values_per_frame(a, sides.on), values_per_frame(b, sides.on)
    if first and second and not sides.scale.is_share:
        if not np.isfinite([*first, *second]).all():
            return f"some of its frames have no {sides.on}"
        differences = tuple(sides.scale.difference(x, y) for x, y in zip(first, second, strict=False))
        why = _mismatch(a, b, len(first), len(second))
        return why or ClipDifference(clip, differences, a.every, is_known=a.every == 1)
    values = [whole.iloc[numbers[word]] for word in sides.words]
    return _whole_difference(clip, values, sides, is_known=not _is_of_frames(sides.on) or a.every == b.every == 1)


def _whole_difference(clip: str, values: Sequence[Any], sides: _Sides, *, is_known: bool) -> ClipDifference | str:
    """Return the difference of two numbers of a whole clip, or the reason why there is none."""
    if any(pd.isna(value) for value in values):
        return f"no {sides.on}"
    difference = sides.scale.difference(*map(float, values))
    return (
        f"{sides.on} has no ratio" if np.isnan(difference) else ClipDifference(clip, (difference,), is_known=is_known)
    )


def _is_of_frames(on: str) -> bool:
    """Return whether a number is made from those of scored frames: `vmaf`, `vmaf_p5`, `vmaf_minus_neg`."""
    return any(score.name == on or on in score.pooled for score in SCORES if score.per_frame or score.minus)


def _unusable(runs: Sequence[Run], numbers: Mapping[str, int], words: tuple[str, str]) -> str:
    for word in words:
        if word not in numbers:
            return f"no run at {word} with the same other parameters"
        run = runs[numbers[word]]
        if not run.ok:
            return f"the run at {word} failed ({run.error or (f'job {run.state}' if run.state else 'not sent')})"
    return ""


def _mismatch(a: Run, b: Run, first: int, second: int) -> str:
    """Return why the frames of two runs do not correspond; empty when they do."""
    if a.score_against != b.score_against:
        return f"one run was scored against the {a.score_against}, the other against the {b.score_against}"
    if a.precise != b.precise:
        return "one run was scored in floating point (precise), the other not"
    if a.every != b.every:
        frames = [f"every {one}th frame" if one > 1 else "all frames" for one in (a.every, b.every)]
        return f"one run was scored on {frames[0]}, the other on {frames[1]}; lab.run(…, every=1) scores both on all"
    if abs(first - second) > SLACK:
        return f"the runs have {first} and {second} frames, which do not correspond"
    return ""


def _joined(clip: str, parts: Sequence[ClipDifference]) -> ClipDifference:
    """Return the mean over the pairs of a clip, all with the same weight; per frame where the pairs allow it."""
    lengths = {len(part.values) for part in parts}
    everies = {part.every for part in parts}
    is_known = all(part.is_known for part in parts)
    shortest = min(lengths)
    if len(everies) > 1 or max(lengths) - shortest > SLACK:
        return ClipDifference(clip, (float(np.mean([part.mean for part in parts])),), is_known=is_known)
    stacked: npt.NDArray[np.float64] = np.array([part.values[:shortest] for part in parts])
    return ClipDifference(clip, tuple(map(float, stacked.mean(axis=0))), everies.pop(), is_known)
