"""Pairs of runs that differ in one parameter alone: on the same clip, picture by picture.

What cannot be paired is left out by name, never in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ci_notebook.experiment.run_record import Run
from ci_notebook.model.declaration.paths import resolve, with_value
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.scores import SCORE, Scale
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.results.labels import in_words

# A codec may drop the last picture or two; more than that, and the pictures do not belong together.
SLACK: Final = 2


@dataclass(frozen=True, slots=True)
class ClipDifference:
    """One clip's differences, second value minus first: one a picture, or a single one for the whole clip."""

    clip: str
    values: tuple[float, ...]
    every: int = 0

    @property
    def mean(self) -> float:
        """The mean over the pictures."""
        return float(np.mean(self.values))


@dataclass(frozen=True, slots=True)
class Pairs:
    """What could be paired, and why the rest could not. `used` are the places of the runs that count."""

    clips: tuple[ClipDifference, ...] = ()
    left_out: tuple[str, ...] = ()
    used: tuple[int, ...] = ()


def pictures_of(run: Run, score: str) -> tuple[float, ...]:
    """Return a score's values, one a picture; nothing where only the whole clip's is known."""
    declared = SCORE.get(score)
    if declared is not None and declared.minus is not None and score not in run.pictures:
        first, second = (run.pictures.get(name, ()) for name in declared.minus)
        return tuple(a - b for a, b in zip(first, second, strict=False))
    return tuple(run.pictures.get(score, ()))


def pair(runs: Sequence[Run], df: pd.DataFrame, path: str, first: str, second: str, *, on: str, scale: Scale) -> Pairs:
    """Return the paired differences of `on` between two values (in words) of the leaf at `path`, a clip each.

    `df` is the frame of the runs. Where other parameters vary too, each clip's difference is the
    mean over them. Raises `ParameterError` for values that the runs do not hold.
    """
    leaf, at, wanted = resolve(VideoEnhance, path), in_words(df, path), (first, second)
    for word in wanted:
        if word not in set(at):
            held = ", ".join(dict.fromkeys(at))
            raise ParameterError(path, word, f"what the runs hold: {held or 'there are none'}")
    if first == second:
        raise ParameterError(path, second, f"another value than {first}")
    found: dict[str, dict[VideoEnhance, dict[str, int]]] = {}
    for number, run in enumerate(runs):
        if at.iloc[number] in wanted:
            rest = with_value(run.setting, leaf, None)
            found.setdefault(run.clip_md5 or run.clip_key, {}).setdefault(rest, {})[str(at.iloc[number])] = number
    return _pairs(runs, df[on], found, _Sides(wanted, on, scale))


@dataclass(frozen=True, slots=True)
class _Sides:
    words: tuple[str, str]
    on: str
    scale: Scale


def _pairs(
    runs: Sequence[Run],
    whole: pd.Series[Any],
    found: Mapping[str, Mapping[VideoEnhance, Mapping[str, int]]],
    sides: _Sides,
) -> Pairs:
    clips, left_out, used = [], [], list[int]()
    for settings in found.values():
        parts: list[tuple[tuple[float, ...], int]] = []
        name = runs[next(iter(next(iter(settings.values())).values()))].clip
        for numbers in settings.values():
            told = _difference(runs, whole, numbers, sides)
            if isinstance(told, str):
                left_out.append(f"{name}: {told}")
            else:
                parts.append(told)
                used += [numbers[word] for word in sides.words]
        if parts:
            clips.append(_joined(name, parts))
    return Pairs(tuple(clips), tuple(dict.fromkeys(left_out)), tuple(used))


def _difference(
    runs: Sequence[Run], whole: pd.Series[Any], numbers: Mapping[str, int], sides: _Sides
) -> tuple[tuple[float, ...], int] | str:
    """Return one pair's differences and how far apart its pictures are; or why there is no pair."""
    why = _unusable(runs, numbers, sides.words)
    if why:
        return why
    a, b = (runs[numbers[word]] for word in sides.words)
    first, second = pictures_of(a, sides.on), pictures_of(b, sides.on)
    if first and second and not sides.scale.is_share:
        if not np.isfinite([*first, *second]).all():
            return f"some of its pictures have no {sides.on}"
        apart = tuple(sides.scale.difference(x, y) for x, y in zip(first, second, strict=False))
        return _mismatch(a, b, len(first), len(second)) or (apart, a.every)
    values = [whole.iloc[numbers[word]] for word in sides.words]
    if any(pd.isna(value) for value in values):
        return f"no {sides.on}"
    whole_apart = sides.scale.difference(*map(float, values))
    return f"{sides.on} has no ratio" if np.isnan(whole_apart) else ((whole_apart,), 0)


def _unusable(runs: Sequence[Run], numbers: Mapping[str, int], words: tuple[str, str]) -> str:
    for word in words:
        if word not in numbers:
            return f"no run at {word} that is alike in all else"
        run = runs[numbers[word]]
        if not run.ok:
            return f"the run at {word} failed ({run.error or (f'job {run.state}' if run.state else 'not sent')})"
    return ""


def _mismatch(a: Run, b: Run, first: int, second: int) -> str:
    """Say why two runs' pictures do not belong together, if so."""
    if a.score_against != b.score_against:
        return f"one run was scored against the {a.score_against}, the other against the {b.score_against}"
    if a.precise != b.precise:
        return "one run was scored in floating point (precise), the other not"
    if a.every != b.every:
        return f"one run was scored on every {a.every}th picture, the other on every {b.every}th"
    if abs(first - second) > SLACK:
        return f"the runs have {first} and {second} pictures, which do not belong together"
    return ""


def _joined(clip: str, parts: Sequence[tuple[tuple[float, ...], int]]) -> ClipDifference:
    """Return a clip's mean over the pairs it has: of all the same weight, picture by picture where they allow it."""
    lengths = {len(values) for values, _ in parts}
    everies = {every for _, every in parts}
    shortest = min(lengths)
    if len(everies) > 1 or max(lengths) - shortest > SLACK:
        return ClipDifference(clip, (float(np.mean([np.mean(values) for values, _ in parts])),))
    stacked: npt.NDArray[np.float64] = np.array([values[:shortest] for values, _ in parts])
    return ClipDifference(clip, tuple(map(float, stacked.mean(axis=0))), everies.pop())
